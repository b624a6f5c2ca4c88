//! The JSON Schema of workflow files, for editors. Made from the table of keys.
//!
//! It takes each file that the parser takes: an editor that marks what runs is worse than one that says nothing. What it refuses, the
//! parser refuses; the parser alone knows rules that span several keys, such as names that are used twice.

mod key;
mod step;
mod task;
mod value;

use super::aggregate::Reduction;
use super::keys;
use key::{closed, properties, property};
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of a workflow file.
pub fn schema() -> Value {
    let mut defs = Map::new();
    for group in [
        &keys::OUTPUTS,
        &keys::AGGREGATE,
        &keys::RANGE,
        &keys::RETRY,
        &keys::AUTH,
        &keys::PARAM,
        &keys::STDIN,
        &keys::RESOURCES,
        &keys::SAVED_ROWS,
    ] {
        defs.insert(group.name.to_owned(), closed(group, properties(group)));
    }
    for name in ["outputs", "aggregate", "auth", "resources"] {
        defs[name]["minProperties"] = json!(1);
    }
    defs["range"]["required"] = json!(["stop"]);
    defs["stdin"]["required"] = json!(["batch"]);
    defs["on_bad_row"]["required"] = json!(["save"]);
    let without_path = ["name", "path", "item_files", "on_missing", "sql", "table", "key", "if_exists"];
    let of_path = keys::OUTPUTS.names().filter(|name| !without_path.contains(name)).map(|name| (name, "path"));
    let of_sql = ["table", "key", "if_exists"].map(|name| (name, "sql"));
    let requires = of_path.chain(of_sql).chain([("sql", "table")]);
    defs["outputs"]["dependentRequired"] = requires.map(|(name, other)| (name.to_owned(), json!([other]))).collect();
    defs["auth"]["oneOf"] = json!([{"required": ["bearer"]}, {"required": ["username", "password"]}]);
    defs["auth"]["dependentRequired"] = json!({"username": ["password"], "password": ["username"]});
    aggregate(&mut defs["aggregate"]);
    param(&mut defs["param"]);
    defs.insert("items".to_owned(), items());
    task::define(&mut defs);
    step::define(&mut defs);
    let mut root = closed(&keys::WORKFLOW, properties(&keys::WORKFLOW));
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    // It has no title, because editors show that above the explanation of each key.
    root["required"] = json!(["steps"]);
    root["$defs"] = Value::Object(defs);
    root
}

/// A source of items: one closed mapping for each, with the options that it has.
fn items() -> Value {
    let variants = keys::SOURCES.keys.iter().map(|source| {
        let mut all = Map::from_iter([(source.name.to_owned(), property(&keys::SOURCES, source))]);
        let without: Option<&[&[&str]]> = match source.name {
            "csv" => Some(&[]),
            "jsonl" => Some(keys::NOT_OF_JSON_LINES),
            "parquet" => Some(keys::NOT_OF_PARQUET),
            _ => None,
        };
        if let Some(without) = without {
            let options = keys::ROWS.keys.iter().filter(|key| !without.iter().any(|names| names.contains(&key.name)));
            all.extend(options.map(|key| (key.name.to_owned(), property(&keys::ROWS, key))));
        }
        if source.name == "sql" {
            all.extend(properties(&keys::SQL));
        }
        let mut variant = closed(&keys::SOURCES, all);
        variant["required"] = if source.name == "sql" { json!(["sql", "url"]) } else { json!([source.name]) };
        variant
    });
    // For an editor, a template without quotes is a mapping in a mapping.
    let bare = json!({"type": "object", "minProperties": 1, "maxProperties": 1, "propertyNames": {"pattern": r"^\{"}});
    json!({"anyOf": variants.chain([bare]).collect::<Vec<_>>()})
}

/// Code, with inputs or without; or reductions, one at least.
fn aggregate(aggregate: &mut Value) {
    let reductions: Vec<&str> = ["count"].into_iter().chain(Reduction::ALL.map(Reduction::name)).collect();
    let refused: Map<String, Value> = reductions
        .iter()
        .chain(&["group_by", "at", "top_size"])
        .map(|name| ((*name).to_owned(), json!(false)))
        .collect();
    aggregate["if"] = json!({"required": ["code"]});
    aggregate["then"] = json!({"properties": refused});
    let one: Vec<Value> = reductions.iter().map(|name| json!({"required": [name]})).collect();
    aggregate["dependentRequired"] = json!({"at": ["quantiles"], "top_size": ["top"]});
    aggregate["else"] = json!({"properties": {"inputs": false}, "anyOf": one});
}

/// The default of a parameter is of its type.
fn param(param: &mut Value) {
    let types = [
        ("string", "string"),
        ("integer", "integer"),
        ("number", "number"),
        ("boolean", "boolean"),
        ("list", "array"),
        ("mapping", "object"),
    ];
    param["allOf"] = types
        .iter()
        .map(|(name, of)| {
            json!({
                "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                "then": {"properties": {"default": {"type": of}}},
            })
        })
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(name)) = map.get("$ref") {
                    out.push(name.trim_start_matches("#/$defs/").to_owned());
                }
                map.values().for_each(|value| references(value, out));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, out)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_has_a_definition() {
        let schema = schema();
        let mut names = Vec::new();
        references(&schema, &mut names);
        assert!(names.len() > 20);
        for name in names {
            assert!(schema["$defs"].get(&name).is_some(), "{name}");
        }
    }

    #[test]
    fn every_key_is_in_the_schema() {
        let text = schema().to_string();
        for group in keys::key_groups() {
            for key in group.keys {
                assert!(text.contains(&format!("\"{}\":", key.name)), "{}.{}", group.name, key.name);
            }
        }
    }

    #[test]
    fn every_key_has_examples_that_are_yaml() {
        for group in keys::key_groups() {
            for key in group.keys {
                let examples = keys::examples(group.name, key.name);
                assert!(!examples.is_empty(), "{}.{}", group.name, key.name);
                let property = property(group, key);
                assert_eq!(property["examples"].as_array().unwrap().len(), examples.len(), "{property}");
            }
        }
    }
}
