//! The JSON Schema, read by python-jsonschema: it takes what the parser takes, and refuses keys and types that the parser refuses.

use crate::support::{Sandbox, python, repository};
use batchmill::spec::{self, KeyGroup};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Why each document is not valid by the schema; none if it is.
pub fn refusals(documents: &[Value]) -> Vec<Option<String>> {
    let schema = Sandbox::new().batchmill(&["schema"]).exits_with(0).json();
    let script = repository().join("tests/support/schema.py");
    let mut checker = Command::new(python());
    checker.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut checker = checker.spawn().unwrap();
    let mut stdin = checker.stdin.take().unwrap();
    stdin.write_all(json!({"schema": schema, "documents": documents}).to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = checker.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A document, and where in it a mapping has the keys of a group.
struct Place {
    group: &'static str,
    at: &'static str,
    document: Value,
}

fn place(group: &'static str, at: &'static str, document: Value) -> Place {
    Place { group, at, document }
}

/// A step that runs `task` for each item.
fn each(task: Value) -> Value {
    json!({"steps": [{"name": "a", "task": "batch", "inputs": {"items": [1, 2], "task": task}}]})
}

/// A step that runs a task of this type for each item.
fn for_each(name: &str, inputs: Value) -> Value {
    json!({"steps": [{"name": "a", "for_each": [1, 2], "task": name, "inputs": inputs}]})
}

fn from(items: Value) -> Value {
    json!({"steps": [{"name": "a", "for_each": items, "task": "echo", "inputs": {"message": 1}}]})
}

/// One mapping of every kind at every place.
fn places() -> Vec<Place> {
    let echo = || json!({"name": "a", "task": "echo", "inputs": {"message": 1}});
    let item = || for_each("echo", json!({"message": 1}));
    let with = |name: &str, value: Value| {
        let mut document = item();
        document["steps"][0][name] = value;
        document
    };
    vec![
        place("workflow", "", json!({"steps": [echo()]})),
        place("param", "/params/p", json!({"params": {"p": {}}, "steps": [echo()]})),
        place("step", "/steps/0", json!({"steps": [echo()]})),
        place("step", "/steps/a", json!({"steps": {"a": {"task": "echo", "inputs": {"message": 1}}}})),
        place("step", "/steps/0", item()),
        place("batch", "/steps/0", item()),
        place("batch", "/steps/0/inputs", each(json!({"type": "python", "code": "return 1"}))),
        place("step", "/steps/0", each(json!({"type": "python", "code": "return 1"}))),
        place("outputs", "/steps/0/outputs", with("outputs", json!({"path": "o.csv"}))),
        place("outputs", "/steps/0/outputs", with("outputs", json!({"item_files": "o"}))),
        place("aggregate", "/steps/0/aggregate", with("aggregate", json!({"count": true}))),
        place("aggregate", "/steps/0/aggregate", with("aggregate", json!({"code": "return 1"}))),
        place("retry", "/steps/0/retry", with("retry", json!({"delay": 1}))),
        place("items", "/steps/0/for_each", from(json!({"glob": "*"}))),
        place("rows", "/steps/0/for_each", from(json!({"csv": "a.csv"}))),
        place("rows", "/steps/0/for_each", from(json!({"jsonl": "a.jsonl"}))),
        place("rows", "/steps/0/for_each", from(json!({"parquet": "a.parquet"}))),
        place("sql", "/steps/0/for_each", from(json!({"sql": "SELECT 1", "url": "sqlite:///a.db"}))),
        place("range", "/steps/0/for_each/range", from(json!({"range": {"stop": 3}}))),
        place("shell", "/steps/0/inputs", for_each("shell", json!({"command": "ls"}))),
        place("python", "/steps/0/inputs", for_each("python", json!({"code": "return 1"}))),
        place("http_request", "/steps/0/inputs", for_each("http_request", json!({"url": "http://a"}))),
        place("echo", "/steps/0/inputs", item()),
        place("shell", "/steps/0/inputs/task", each(json!({"type": "shell", "command": "ls"}))),
        place("task", "/steps/0/inputs/task", each(json!({"task": "shell", "command": "ls"}))),
        place("python", "/steps/0/inputs/task", each(json!({"type": "python", "code": "return 1"}))),
        place("http_request", "/steps/0/inputs/task", each(json!({"type": "http_request", "url": "http://a"}))),
        place("echo", "/steps/0/inputs/task", each(json!({"type": "echo", "message": 1}))),
        place("shell", "/steps/0/inputs/task/inputs", each(json!({"type": "shell", "inputs": {"command": "ls"}}))),
        place(
            "auth",
            "/steps/0/inputs/auth",
            for_each("http_request", json!({"url": "http://a", "auth": {"username": "a", "password": "b"}})),
        ),
    ]
}

/// Values of every type.
fn values() -> Vec<Value> {
    let texts = [
        "",
        " ",
        "x",
        "x.csv",
        "a b",
        "größe",
        "true",
        "yes",
        "4",
        "0",
        "-1",
        "1.5",
        "auto",
        "infer",
        "5%",
        "101%",
        "10/s",
        "500ms",
        "1d",
        "0s",
        "2w",
        "512MB",
        "{{ x }}",
        "$(ls)",
        "$()",
        "a:b",
        "shell",
        "python",
        "batch",
        "exponential",
        "tab",
        ";",
        "a.b",
        ".a",
        "a/b",
        "if",
        "item",
    ];
    let mut values: Vec<Value> = texts.map(Value::from).into();
    values.extend([
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(3),
        json!(2_000_000),
        json!(0.5),
        json!(1.0),
        json!([]),
        json!(["a"]),
        json!(["a", "a"]),
        json!([1]),
        json!([1, 2, 3, 4]),
        json!(["{{ x }}"]),
        json!([[1]]),
        json!([null]),
        json!([true]),
        json!([{}]),
        json!({}),
        json!({"a": 1}),
        json!({"a": "text"}),
        json!({"a": [1]}),
        json!({"a": null}),
        json!({"a b": 1}),
        json!({"type": "echo", "message": 1}),
        json!({"task": "shell", "inputs": {"command": "ls"}}),
        json!({"type": "shell"}),
        json!({"type": "batch"}),
        json!({"glob": "*"}),
        json!({"csv": "a"}),
        json!({"glob": "*", "csv": "a"}),
        json!({"stop": 1}),
        json!({"bearer": "a"}),
        json!({"max_attempts": 2}),
        json!({"path": "a.csv"}),
        json!({"count": true}),
        json!({"sum": "a"}),
    ]);
    values
}

/// What only the parser knows, by what it says: rules that span several keys, and those that no pattern tells.
const LATER: &[&str] = &[
    "cannot be used together",
    "cannot be used with CSV",
    "duplicate input",
    "requires a batched Python task",
    "requires a Python task",
    "has no known file extension",
    "unknown encoding",
    "computes nothing",
    "contains an empty name",
    "is not a valid Python identifier",
    "is reserved",
    "must not be negative",
    "must not be 0",
    "must be at most",
    "is too small",
    "`max_memory` must be",
    "`min_free_memory` must be",
    "`time_limit` must be",
    "found the number 1.0",
    "must end with the option that takes a command",
    "`client_key` needs `client_cert`",
];

/// Compares parser and schema; each document with what was done to it.
fn compare(documents: Vec<(String, Value)>) {
    let (names, documents): (Vec<String>, Vec<Value>) = documents.into_iter().unzip();
    let refusals = refusals(&documents);
    assert_eq!(refusals.len(), documents.len());
    let mut wrong = Vec::new();
    for ((name, document), refusal) in names.iter().zip(&documents).zip(refusals) {
        let parsed = spec::parse(Path::new("a.yaml"), document.to_string().as_bytes());
        match (parsed, refusal) {
            (Ok(_), Some(why)) => wrong.push(format!("{name}: only the schema refuses it: {why}")),
            (Err(errors), None) => {
                let unknown =
                    errors.errors().iter().find(|error| !LATER.iter().any(|later| error.message.contains(later)));
                wrong.extend(unknown.map(|error| format!("{name}: only the parser refuses it: {}", error.message)));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), documents.len(), wrong.join("\n"));
}

/// The document with one key of a mapping set.
fn with(place: &Place, key: &str, value: &Value) -> Value {
    let mut document = place.document.clone();
    document.pointer_mut(place.at).unwrap()[key] = value.clone();
    document
}

#[test]
#[ignore = "heavy: thousands of documents"]
fn the_schema_takes_the_values_that_the_parser_takes_and_no_others() {
    let few = [json!(null), json!("x"), json!(1), json!([]), json!({})];
    let mut seen = BTreeSet::new();
    let mut documents = Vec::new();
    for place in places() {
        let group: &KeyGroup = spec::key_groups().into_iter().find(|group| group.name == place.group).unwrap();
        let values = if seen.insert(group.name) { values() } else { few.to_vec() };
        for key in group.keys {
            for value in &values {
                let name = format!("{}.{} at {}: {value}", group.name, key.name, place.at);
                documents.push((name, with(&place, key.name, value)));
            }
        }
    }
    compare(documents);
}

#[test]
#[ignore = "heavy: thousands of documents"]
fn the_schema_takes_the_keys_that_the_parser_takes_and_no_others() {
    let mut documents = Vec::new();
    for place in places() {
        let mut seen = BTreeSet::new();
        documents.push((format!("{} at {}", place.group, place.at), place.document.clone()));
        for (key, value) in place.document.pointer(place.at).unwrap().as_object().unwrap() {
            let mut document = place.document.clone();
            document.pointer_mut(place.at).unwrap().as_object_mut().unwrap().remove(key);
            documents.push((format!("without {key} at {}", place.at), document));
            documents.push((format!("{key} twice at {}", place.at), with(&place, &format!("{key}x"), value)));
        }
        for group in spec::key_groups() {
            for key in group.keys.iter().filter(|key| seen.insert(key.name)) {
                let example = spec::examples(group.name, key.name)[0];
                let value: Value = serde_yaml::from_str(example).unwrap();
                let name = format!("{}.{} at {}: {value}", group.name, key.name, place.at);
                documents.push((name, with(&place, key.name, &value)));
            }
        }
    }
    compare(documents);
}

/// Every file with this extension in a directory of the repository and below it, and its text.
fn files(directory: &str, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository().join(directory)).unwrap().map(Result::unwrap) {
        let path = format!("{directory}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            found.extend(files(&path, extension));
        } else if path.ends_with(extension) {
            found.push((path, fs::read_to_string(entry.path()).unwrap()));
        }
    }
    found
}

/// The YAML blocks of a page that are no fragments.
fn blocks(page: &str) -> Vec<String> {
    let blocks = page.split("\n```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned());
    blocks.filter(|block| block.lines().any(|line| line.starts_with("steps:"))).collect()
}

/// The document as an editor reads it. Templates without quotes are batchmill's own.
fn read(text: &str) -> Value {
    let bare = regex_lite::Regex::new(r"(?m)^( *(?:- )?[\w-]+: )(\{\{.*\}\})$").unwrap();
    serde_yaml::from_str(&bare.replace_all(text, "$1'$2'")).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

#[test]
fn every_form_in_the_docs_and_fixtures_is_valid_by_the_schema() {
    let mut texts: Vec<(String, String)> =
        ["fixtures", "src", "benches"].into_iter().flat_map(|directory| files(directory, ".yaml")).collect();
    for (name, page) in files("docs", ".md").into_iter().chain([("README.md".to_owned(), readme())]) {
        texts.extend(blocks(&page).into_iter().map(|block| (format!("{name}:\n{block}"), block)));
    }
    // A fixture that is wrong on purpose is no workflow.
    texts.retain(|(_, text)| spec::parse(Path::new("a.yaml"), text.as_bytes()).is_ok());
    assert!(texts.len() > 60, "only {} workflows were found", texts.len());
    let documents: Vec<Value> = texts.iter().map(|(_, text)| read(text)).collect();
    for ((name, _), refusal) in texts.iter().zip(refusals(&documents)) {
        assert_eq!(refusal, None, "{name}");
    }
}

#[test]
fn wrong_keys_and_types_are_refused_by_the_schema() {
    let wrong = [
        ("/steps/0/inputs/task/comand", json!("ls")),
        ("/steps/0/inputs/task/type", json!("shel")),
        ("/steps/0/inputs/batch_size", json!("many")),
        ("/steps/0/inputs/max_parallel", json!(0)),
        ("/steps/0/inputs/items", json!("data/*.csv")),
        ("/steps/0/inputs/retry", json!({"max_attempts": 3, "backof": "fixed"})),
        ("/steps/0/parallel", json!(true)),
        ("/steps/0/name", json!("a/b")),
        ("/steps/0/timeout", json!("5 weeks")),
        ("/steps/0/outputs", json!({"format": "csv"})),
        ("/params", json!({"no-name": 1})),
        ("/retries", json!(3)),
    ];
    let right = json!({"steps": [
        {"name": "a", "task": "batch", "inputs": {"items": [1], "task": {"type": "shell", "command": "ls"}}},
    ]});
    let documents = wrong.iter().map(|(at, value)| {
        let (mapping, key) = at.rsplit_once('/').unwrap();
        let mut document = right.clone();
        document.pointer_mut(mapping).unwrap()[key] = value.clone();
        document
    });
    let documents: Vec<Value> = documents.chain([right.clone()]).collect();
    let refusals = refusals(&documents);
    for ((at, value), refusal) in wrong.iter().zip(&refusals) {
        assert!(refusal.is_some(), "{at}: {value} is valid");
    }
    assert_eq!(refusals.last(), Some(&None));
}

fn readme() -> String {
    fs::read_to_string(repository().join("README.md")).unwrap()
}
