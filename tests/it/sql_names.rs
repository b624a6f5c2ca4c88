//! Names of tables and columns that others have chosen: each is a name, whatever it contains, or is refused.

use crate::sql_outputs::Db;
use crate::support::Ended;
use serde_json::{Value, json};
use std::fs;

/// Names that SQL, a terminal or a limit would make something else of.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "\"",
        "\"\"",
        "a\"b",
        "'",
        "a''b",
        "`",
        "[x]",
        "\\",
        "a;b",
        "\"; DROP TABLE kept; --",
        "x\" TEXT, y",
        "--",
        "/*",
        "%s",
        "$1",
        "?1",
        ":a",
        "@a",
        "select",
        "NULL",
        "user",
        "order",
        "rowid",
        "oid",
        "ctid",
        "xmin",
        "excluded",
        "A",
        "\u{e9}",
        "e\u{301}",
        "\u{1f600}",
        "a b",
        "a\tb",
        "a\nb",
        "a\rb",
        "\u{1b}[2J",
        "\u{9b}2J",
        "\u{202e}cba",
        "\u{200b}",
        "\u{feff}",
        "\u{7f}",
        "\u{1}",
        "a.b",
        "0",
        "-",
        "*",
    ]
    .map(str::to_owned)
    .to_vec();
    names.extend([
        "x".repeat(63),
        "x".repeat(64),
        "\u{e9}".repeat(31),
        "\u{e9}".repeat(32),
        "x".repeat(5_000),
        "a\0b".to_owned(),
    ]);
    names
}

/// PostgreSQL cuts names off, has columns of its own, and batchmill keeps one name; no database has a NUL in a name.
fn is_refused(db: &Db, name: &str) -> bool {
    name.contains('\0') || !db.is_sqlite() && (name == "\u{1}" || name.len() > 63 || ["ctid", "xmin"].contains(&name))
}

fn both() -> [Db; 2] {
    [Db::Sqlite, Db::server()]
}

/// What reaches a terminal has no character that it obeys.
#[track_caller]
fn is_harmless(ended: &Ended) {
    let all = format!("{}{}", ended.stdout, ended.stderr);
    let obeyed = |c: char| c.is_control() && c != '\n' || ['\u{202e}', '\u{200b}', '\u{feff}'].contains(&c);
    assert!(!all.contains(obeyed) && !all.contains("panicked"), "{all:?}");
}

/// A table or column name in a statement.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table whose name and only column are this name, as `outputs` names it.
fn table(db: &Db, name: &str) -> String {
    if db.is_sqlite() { name.to_owned() } else { quoted(name) }
}

/// A step that writes one record.
fn writes(db: &Db, (number, name): (usize, &String)) -> Value {
    json!({
        "name": format!("s{number}"), "task": "python", "for_each": [{"name": name}],
        "inputs": {"code": "return {item['name']: 1}"},
        "outputs": {"sql": "{{ env.DB_URL }}", "table": table(db, name)},
    })
}

/// A step that reads it.
fn reads((number, name): (usize, &String)) -> Value {
    let query = format!("SELECT {0}, {0} + 1 AS other FROM {0}", quoted(name));
    let source = json!({"sql": query, "url": "{{ env.DB_URL }}"});
    json!({"name": format!("s{number}"), "task": "python", "for_each": source, "inputs": {"code": "return item"}})
}

#[test]
#[ignore = "heavy: a hundred tables in each database"]
fn a_name_of_a_table_or_column_is_a_name_whatever_it_contains() {
    for db in both() {
        let sandbox = db.sandbox("");
        db.sql(&sandbox, "CREATE TABLE kept (n INTEGER)");
        let run = |steps: Vec<Value>| {
            fs::write(sandbox.path().join("workflow.yaml"), json!({"steps": steps}).to_string()).unwrap();
            let ended = sandbox.run(&[]);
            is_harmless(&ended);
            ended
        };
        let (refused, names): (Vec<String>, Vec<String>) = names().into_iter().partition(|name| is_refused(&db, name));
        run(names.iter().enumerate().map(|named| writes(&db, named)).collect()).exits_with(0);
        run(names.iter().enumerate().map(reads).collect()).exits_with(0);
        for (number, name) in names.iter().enumerate() {
            assert_eq!(sandbox.results(&format!("s{number}")), [json!({name: 1, "other": 2})]);
        }
        for name in &refused {
            let ended = run(vec![writes(&db, (0, name))]);
            assert!(matches!(ended.code, Some(2..=3)), "{name:?}: {ended:?}");
            assert!(ended.stderr.len() < 4_000, "{name:.50?}: {} bytes", ended.stderr.len());
        }
        assert!(db.sql(&sandbox, "SELECT count(*) FROM kept").contains("(0,)"), "nothing has run as SQL");
    }
}
