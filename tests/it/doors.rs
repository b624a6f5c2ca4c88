//! Random values through every door: whatever came in as an item, a parameter or a row of a file or a database comes out equal
//! of templates, Python, commands, requests, later steps and output files.

use crate::random_values::{Value, float, integer, kind, kind_of, list, scalar, text, value};
use crate::support::{Answer, Postgres, Sandbox, Server, python};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::Value as Json;
use std::fmt::Write as _;
use std::process::Command;

/// Runs Python in the folder of a sandbox; what it printed.
fn python_says(sandbox: &Sandbox, code: &str) -> String {
    let output = Command::new(python()).args(["-c", code]).current_dir(sandbox.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lines(values: &[Value]) -> String {
    values.iter().fold(String::new(), |mut text, value| {
        let _ = writeln!(text, "{}", value.json());
        text
    })
}

/// The results of a step.
fn results(sandbox: &Sandbox, step: &str) -> Vec<Json> {
    let results = sandbox.results(step);
    assert!(!results.is_empty(), "{step} gave nothing");
    results
}

/// What came out of a door next to what went in.
#[track_caller]
fn same(door: &str, out: &Json, value: &Value) {
    assert_eq!(kind(out), kind_of(&value.json()), "{door}");
}

const WORKFLOW: &str = r#"params:
  given:
  typed:
  default: {default: @yaml}
steps:
  - name: rows
    for_each: {jsonl: rows.jsonl}
    task: python
    inputs:
      setup: |
        import json
        with open('rows.jsonl', newline='\n') as file:
            rows = [json.loads(line) for line in file]
      code: return [item, given, [given], repr(item) == repr(rows[index]) == repr(given)]
      given: '{{ item }}'
    outputs: {path: rows.out.jsonl}
  - name: listed
    for_each: @yaml
    task: python
    inputs: {code: 'return [item, given]', given: {a: '{{ item }}'}}
  - name: params
    task: python
    inputs:
      code: return [params['given'], params.typed, given, typed]
      given: '{{ given }}'
      typed: '{{ params.typed }}'
  - name: default
    task: python
    inputs: {code: 'return [params.default, x]', x: '{{ default }}'}
  - name: echoed
    for_each: '{{ steps.rows.result }}'
    task: echo
    inputs: {message: ['{{ item[0] }}', {k: '{{ item[1] }}'}, 'x{{ item[2] | tojson }}', 'x{{ item[2] }}']}
  - name: read
    task: python
    inputs: {code: 'return [row[0] for row in steps.rows.result] + [steps.params.result]'}
  - name: each
    for_each: '{{ typed }}'
    task: echo
    inputs: {message: '{{ item }}'}
    outputs: {path: each.out.jsonl}
  - name: shell
    for_each: '{{ [steps.params.result[0]] }}'
    task: shell
    inputs:
      command: "printf '%s\n%s\n%s\n%s' {{ item }} '{{ item }}' \"$X\" \"$BATCHMILL_ITEM\""
      env: {X: '{{ steps.params.result[1] }}'}
  - name: asked
    for_each: '{{ [given] }}'
    task: http_request
    inputs: {method: POST, url: '@url', json: '{{ item }}'}
  - name: table
    for_each: '{{ given }}'
    task: echo
    inputs: {message: {v: '{{ item }}'}}
    outputs: {path: table.csv}
"#;

fn through_json_and_yaml(values: &[Value]) {
    let server = Server::start(|request| -> Answer {
        (200, vec![("Content-Type", "application/json".to_owned())], request.body.clone())
    });
    // One more, as a step needs an item, and all of the values may be templates.
    let plain = values.iter().filter(|value| !value.is_template()).cloned().chain([Value::List(Vec::new())]);
    let plain: Vec<Value> = plain.collect();
    let whole = Value::List(values.to_vec());
    let flow = Value::List(plain.clone()).yaml();
    let sandbox = Sandbox::with(&WORKFLOW.replace("@yaml", &flow).replace("@url", &server.url("/")))
        .file("rows.jsonl", lines(values))
        .file("params.json", format!("{{\"given\": {}}}", list(values)));
    let typed = format!("typed={}", whole.yaml());
    sandbox.run(&[&typed, "--params-file", "params.json", "--progress", "none"]).exits_with(0);
    let found = results(&sandbox, "rows");
    assert_eq!(found.len(), values.len());
    for (row, value) in found.iter().zip(values) {
        assert_eq!(row[3], true, "in Python: {}", value.json());
        (0..2).for_each(|place| same("items of JSON Lines, inputs", &row[place], value));
    }
    for (row, value) in results(&sandbox, "listed").iter().zip(&plain) {
        same("an item of YAML", &row[0], value);
        same("an input", &row[1]["a"], value);
    }
    results(&sandbox, "params")[0].as_array().unwrap().iter().for_each(|it| same("a parameter", it, &whole));
    let default = Value::List(plain);
    results(&sandbox, "default")[0].as_array().unwrap().iter().for_each(|it| same("a default", it, &default));
    for (row, value) in results(&sandbox, "echoed").iter().zip(values) {
        same("a result in a template", &row[0], value);
        same("a result in a mapping", &row[1]["k"], value);
        for text in [&row[2], &row[3]] {
            assert_eq!(kind_of(&text.as_str().unwrap()[1..]), kind_of(&format!("[{}]", value.json())));
        }
    }
    let read = &results(&sandbox, "read")[0];
    for (out, value) in read.as_array().unwrap().iter().zip(values) {
        same("a result in Python", out, value);
    }
    let stdout = &results(&sandbox, "shell")[0]["stdout"];
    assert_eq!(stdout.as_str().unwrap().lines().count(), 4);
    stdout.as_str().unwrap().split('\n').for_each(|line| assert_eq!(kind_of(line), kind_of(&whole.json())));
    same("a request", &results(&sandbox, "asked")[0]["json"], &whole);
    let written: Vec<Json> =
        sandbox.read("each.out.jsonl").split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(written.len(), values.len());
    written.iter().zip(values).for_each(|(out, value)| same("an output", out, value));
    assert_eq!(sandbox.read("rows.out.jsonl").split_terminator('\n').count(), values.len());
    check_table(&sandbox, values);
}

/// A column of a CSV file: texts as they are, null as nothing, all else as JSON.
fn check_table(sandbox: &Sandbox, values: &[Value]) {
    let mut reader = csv::Reader::from_path(sandbox.path().join("table.csv")).unwrap();
    let fields: Vec<String> = reader.records().map(|record| record.unwrap()[0].to_owned()).collect();
    assert_eq!(fields.len(), values.len(), "{}", sandbox.read("table.csv"));
    for (field, value) in fields.iter().zip(values) {
        match value {
            Value::Null => assert_eq!(field, ""),
            Value::Text(text) => assert_eq!(field, text),
            other => assert_eq!(kind_of(field), kind_of(&other.json())),
        }
    }
}

/// A row whose columns have types.
#[derive(Debug, Clone)]
struct Row {
    text: String,
    more: String,
    integer: Option<i64>,
    large: String,
    number: Option<f64>,
    boolean: Option<bool>,
    words: Vec<String>,
}

fn row() -> impl Strategy<Value = Row> {
    let rows = (
        text(),
        text(),
        prop::option::of(any::<i64>()),
        integer(),
        prop::option::of(float()),
        prop::option::of(any::<bool>()),
        prop::collection::vec(text(), 0..3),
    );
    rows.prop_map(|(text, more, integer, large, number, boolean, words)| Row {
        text,
        more,
        integer,
        large,
        number,
        boolean,
        words,
    })
}

impl Row {
    fn is(&self, out: &Json, integer: &str) -> bool {
        let large: Json = serde_json::from_str(&self.large).unwrap();
        out["text"] == *self.text
            && out["more"] == *self.more
            && (integer == "-" || kind(&out[integer]) == kind(&large))
            && out["integer"] == Json::from(self.integer)
            && (out["number"].is_null() == self.number.is_none())
            && self.number.is_none_or(|it| kind(&out["number"]) == kind_of(&format!("{it:?}")))
            && out["boolean"] == Json::from(self.boolean)
    }
}

const TABLES: &str = "steps:
  - name: rows
    for_each: {csv: rows.csv, types: {integer: integer, large: integer, number: number, boolean: boolean}}
    task: python
    inputs: {code: 'return [item, given]', given: '{{ item }}'}
  - name: typed
    for_each: {jsonl: rows.jsonl}
    task: python
    inputs: {code: 'return item'}
    outputs: {path: typed.parquet}
  - name: parquet
    for_each: {parquet: typed.parquet}
    task: python
    inputs: {code: 'return [item, given]', given: '{{ item }}'}
  - name: written
    for_each: '{{ steps.typed.result }}'
    task: echo
    inputs: {message: '{{ item }}'}
    outputs: {path: written.csv}
  - name: again
    for_each: {csv: written.csv, types: {integer: integer, number: number, boolean: boolean}}
    task: echo
    inputs: {message: '{{ item }}'}
  - name: sqlite
    for_each: {sql: SELECT * FROM t ORDER BY n, url: 'sqlite:///a.db'}
    task: python
    inputs: {code: 'return [item, given]', given: '{{ item }}'}
";

fn through_tables(rows: &[Row]) {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["text", "more", "integer", "large", "number", "boolean"]).unwrap();
    let mut jsonl = String::new();
    for row in rows {
        let integer = row.integer.map_or_else(String::new, |it| it.to_string());
        let number = row.number.map_or_else(String::new, |it| format!("{it:?}"));
        let boolean = row.boolean.map_or_else(String::new, |it| it.to_string());
        csv.write_record([&row.text, &row.more, &integer, &row.large, &number, &boolean]).unwrap();
        let (text, more, words) = (Json::from(&*row.text), Json::from(&*row.more), Json::from(row.words.clone()));
        let or_null = |text: String| if text.is_empty() { "null".to_owned() } else { text };
        let (integer, number, boolean) = (or_null(integer), or_null(number), or_null(boolean));
        let _ = writeln!(
            jsonl,
            "{{\"text\":{text},\"more\":{more},\"integer\":{integer},\"number\":{number},\"boolean\":{boolean},\"words\":{words}}}"
        );
    }
    let sandbox = Sandbox::with(TABLES).file("rows.csv", csv.into_inner().unwrap()).file("rows.jsonl", jsonl);
    python_says(
        &sandbox,
        "import json, sqlite3
c = sqlite3.connect('a.db')
c.execute('CREATE TABLE t (n, text TEXT, more TEXT, integer INTEGER, number REAL, boolean)')
for n, line in enumerate(open('rows.jsonl', newline='\\n')):
    r = json.loads(line)
    c.execute('INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)', [n, *(r[k] for k in ('text', 'more', 'integer', 'number'))] + [r['boolean']])
c.commit()",
    );
    sandbox.run(&["--progress", "none"]).exits_with(0);
    for (step, large) in [("rows", "large"), ("parquet", "-"), ("again", "-"), ("sqlite", "-")] {
        let found = results(&sandbox, step);
        assert_eq!(found.len(), rows.len(), "{step}: {:?}", sandbox.read("rows.csv"));
        for (out, row) in found.iter().zip(rows) {
            let out = if out.is_array() { out.as_array().unwrap().clone() } else { vec![out.clone()] };
            for mut out in out {
                if step == "sqlite" {
                    // SQLite has no booleans, and keeps a whole float as an integer, which has no -0.0.
                    if row.number == Some(0.0) && out["number"] == 0.0 {
                        out["number"] = Json::from(row.number);
                    }
                    out["boolean"] = row.boolean.map_or(Json::Null, |_| Json::from(out["boolean"] == 1));
                }
                assert!(row.is(&out, large), "{step}: {out} of {row:?}");
                assert!(step != "parquet" || out["words"] == Json::from(row.words.clone()), "{out} of {row:?}");
            }
        }
    }
}

/// What SQLite holds of a value, which has neither booleans nor integers beyond 64 bits.
fn in_sqlite(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(it) => Some(Value::Integer(u8::from(*it).to_string())),
        Value::Integer(digits) => digits.parse::<i64>().ok().map(|it| Value::Integer(it.to_string())),
        other => Some(other.clone()),
    }
}

/// A value beside what SQLite holds of it.
fn held_by_sqlite() -> impl Strategy<Value = (Value, Value)> {
    scalar().prop_filter_map("SQLite has no such value", |value| in_sqlite(&value).map(|held| (value, held)))
}

fn through_parameters_of_sqlite(values: &[(Value, Value)]) {
    let columns: Vec<String> = (0..values.len()).map(|at| format!("? AS c{at}")).collect();
    let params: Vec<String> = (0..values.len()).map(|at| format!("'{{{{ given[{at}] }}}}'")).collect();
    let sandbox = Sandbox::with(&format!(
        "steps:\n  - name: bound\n    for_each: {{sql: 'SELECT {}', url: 'sqlite:///a.db', params: [{}]}}\n    \
         task: python\n    inputs: {{code: return item}}\n",
        columns.join(", "),
        params.join(", ")
    ));
    let given: Vec<Value> = values.iter().map(|(value, _)| value.clone()).collect();
    let sandbox = sandbox.file("params.json", format!("{{\"given\": {}}}", list(&given)));
    python_says(&sandbox, "import sqlite3; c = sqlite3.connect('a.db'); c.execute('CREATE TABLE t (i)'); c.commit()");
    sandbox.run(&["--params-file", "params.json", "--progress", "none"]).exits_with(0);
    let found = results(&sandbox, "bound");
    for (at, (_, held)) in values.iter().enumerate() {
        same("a parameter of SQLite", &found[0][format!("c{at}")], held);
    }
}

/// A value as a user's code writes it, and what is to become of it in JSON; `None` if it is to be refused.
type Written = (String, Option<String>);

fn python_literal(value: &Value) -> String {
    let json = Json::from(value.json()).to_string();
    // As JSON in a text whose characters beyond ASCII need no escapes in either.
    format!("json.loads({json})")
}

fn written() -> impl Strategy<Value = Written> {
    let decimal = "-?(0|[1-9][0-9]{0,40})\\.[0-9]{1,20}".prop_map(|it| (format!("Decimal('{it}')"), Some(it)));
    let whole = integer().prop_map(|it| (format!("Decimal('{it}')"), Some(it)));
    let date = (1..=9999_u16, 1..=12_u8, 1..=28_u8)
        .prop_map(|(y, m, d)| (format!("date({y}, {m}, {d})"), Some(format!("\"{y:04}-{m:02}-{d:02}\""))));
    let time = (0..24_u8, 0..60_u8, 0..60_u8, 1..1_000_000_u32).prop_map(|(h, m, s, u)| {
        (
            format!("datetime(2026, 1, 31, {h}, {m}, {s}, {u})"),
            Some(format!("\"2026-01-31T{h:02}:{m:02}:{s:02}.{u:06}\"")),
        )
    });
    let seconds = (-90_000..90_000_i32).prop_map(|it| (format!("timedelta(seconds={it})"), Some(format!("{it}.0"))));
    let numbers = prop::collection::btree_set(any::<i64>(), 0..5).prop_map(|numbers| {
        let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
        (format!("set([{}])", texts.join(", ")), Some(format!("[{}]", texts.join(", "))))
    });
    let plain = value().prop_map(|value| (python_literal(&value), Some(value.json())));
    let refused = prop::sample::select(vec![
        "b'x'",
        "bytearray(1)",
        "object()",
        "print",
        "{1: 2, '1': 3}",
        "1j",
        "chr(0xd800)",
        "iter([1])",
        "Decimal('1e400')",
        "10 ** 5000",
        "memoryview(b'x')",
    ])
    .prop_map(|it| (it.to_owned(), None));
    let leaf = prop_oneof![
        2 => decimal, 1 => whole, 1 => date, 1 => time, 1 => seconds, 1 => numbers, 4 => plain, 1 => refused
    ];
    leaf.prop_recursive(2, 6, 4, |inner| {
        let all = |parts: Vec<Written>, open: &str, close: &str| {
            let code: Vec<&str> = parts.iter().map(|(code, _)| &**code).collect();
            let json: Option<Vec<&str>> = parts.iter().map(|(_, json)| json.as_deref()).collect();
            (format!("{open}{}{close}", code.join(", ")), json.map(|json| format!("[{}]", json.join(", "))))
        };
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(move |parts| all(parts, "tuple([", "])")),
            prop::collection::vec(inner.clone(), 1..4).prop_map(move |parts| all(parts, "deque([", "])")),
            inner
                .prop_map(|(code, json)| (format!("{{1.5: {code}}}"), json.map(|json| format!("{{\"1.5\": {json}}}")))),
        ]
    })
}

fn through_python(values: &[Written]) {
    let code: String = values.iter().map(|(code, _)| format!("    {code},\n")).collect();
    let sandbox = Sandbox::with(&format!(
        "steps:
  - name: made
    for_each: {{range: {}}}
    task: python
    continue_on_error: true
    inputs: {{function: 'made:value'}}
    outputs: {{path: made.jsonl}}
  - name: seen
    for_each: '{{{{ steps.made.result }}}}'
    task: echo
    inputs: {{message: ['{{{{ item }}}}']}}
",
        values.len()
    ))
    .file(
        "made.py",
        format!(
            "import json\nfrom collections import deque\nfrom datetime import date, datetime, timedelta\nfrom decimal import Decimal\n\n\
             values = [\n{code}]\n\n\ndef value(item):\n    return values[item]\n"
        ),
    );
    let ended = sandbox.run(&["--progress", "none"]);
    let held: Vec<&String> = values.iter().filter_map(|(_, json)| json.as_ref()).collect();
    assert!(matches!(ended.code, Some(0 | 1 | 3 | 4)), "{}", ended.stderr);
    let failures = sandbox.failures();
    assert_eq!(failures.len(), values.len() - held.len(), "{failures:?}\n{values:?}");
    assert!(failures.iter().all(|it| it["error"].as_str().unwrap().contains("`result")), "{failures:?}");
    if held.is_empty() {
        return;
    }
    let lines = sandbox.batchmill(&["results", "--step", "made"]).exits_with(0).stdout;
    assert_eq!(lines.split_terminator('\n').count(), held.len());
    for (line, json) in lines.split_terminator('\n').zip(&held) {
        assert_eq!(kind_of(line), kind_of(json));
        // A number that stands alone keeps all of its digits.
        assert!(
            line.starts_with(['[', '{', '"', 'n', 't', 'f']) || json.contains('e') || line == **json,
            "{line} {json}"
        );
    }
    if values.iter().all(|(_, json)| json.is_some()) {
        for (out, json) in results(&sandbox, "seen").iter().zip(&held) {
            assert_eq!(kind(&out[0]), kind_of(json));
        }
    }
}

/// A row of PostgreSQL: a value of JSON without floats, which `jsonb` spells in its own way.
#[derive(Debug, Clone)]
struct PostgresRow {
    json: Value,
    text: String,
    digits: String,
    decimal: String,
    float: f64,
    integer: i64,
}

fn postgres_row() -> impl Strategy<Value = PostgresRow> {
    let plain = |value: &Value| !value.json().contains("\\u0000");
    let decimal = "-?[1-9][0-9]{0,40}\\.[0-9]{1,20}";
    let parts =
        (value().prop_filter("no NUL", plain), text(), integer(), decimal, float(), any::<i64>(), any::<bool>());
    parts.prop_map(|(json, text, digits, decimal, float, integer, _)| PostgresRow {
        json,
        text: text.replace('\0', ""),
        digits,
        decimal,
        float,
        integer,
    })
}

const POSTGRES: &str = "secrets: [DB_URL]
steps:
  - name: rows
    for_each: {sql: SELECT * FROM t ORDER BY n, url: '{{ env.DB_URL }}'}
    task: python
    inputs: {code: 'return [item, given]', given: '{{ item }}'}
  - name: bound
    for_each:
      sql: 'SELECT $1::json AS json, $2::text AS text, $3::numeric AS digits, $4::float8 AS float, $5::int8 AS integer'
      url: '{{ env.DB_URL }}'
      params: ['{{ one.json }}', '{{ one.text }}', '{{ one.digits }}', '{{ one.float }}', '{{ one.integer }}']
    task: python
    inputs: {code: return item}
  - name: text
    for_each: {sql: 'SELECT decimal, CAST(decimal AS text) AS text FROM t ORDER BY n', url: '{{ env.DB_URL }}'}
    task: shell
    inputs: {command: 'echo \"$BATCHMILL_ITEM\" {{ item.text }}'}
";

fn through_postgres(postgres: &Postgres, rows: &[PostgresRow]) {
    let mut lines = String::new();
    for row in rows {
        // A parameter that is a list or a mapping is JSON; a scalar is what its column says.
        let (json, text) = (format!("{{\"v\": {}}}", row.json.json()), Json::from(&*row.text));
        let PostgresRow { digits, decimal, float, integer, .. } = row;
        let _ = writeln!(
            lines,
            "{{\"json\":{json},\"text\":{text},\"digits\":{digits},\"decimal\":\"{decimal}\",\"float\":{float:?},\"integer\":{integer}}}"
        );
    }
    let first = lines.lines().next().unwrap();
    let sandbox = Sandbox::with(POSTGRES)
        .env("DB_URL", &postgres.uri)
        .file("params.json", format!("{{\"one\": {first}}}"))
        .file("rows.jsonl", &lines)
        .file("uri", &postgres.uri);
    python_says(
        &sandbox,
        "import json, psycopg2
from decimal import Decimal
c = psycopg2.connect(open('uri').read())
k = c.cursor()
k.execute('DROP TABLE IF EXISTS t; CREATE TABLE t (n int, json json, b jsonb, text text, digits numeric, decimal numeric, float float8, integer int8, texts text[])')
for n, line in enumerate(open('rows.jsonl', newline='\\n')):
    r = json.loads(line)
    j = json.dumps(r['json'])
    b = json.dumps(json.loads(j, parse_float=lambda _: None))
    k.execute('INSERT INTO t VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)',
              [n, j, b, r['text'], Decimal(r['digits']), Decimal(r['decimal']), r['float'], r['integer'], [r['text'], None]])
c.commit()",
    );
    sandbox.run(&["--params-file", "params.json", "--progress", "none"]).exits_with(0);
    let decimals: Vec<Json> = results(&sandbox, "text").iter().map(|it| it["stdout"].clone()).collect();
    let found = results(&sandbox, "rows");
    assert_eq!(found.len(), rows.len());
    for ((out, row), decimal) in found.iter().zip(rows).zip(decimals) {
        // The item keeps all digits; templates and Python read a number that is no integer as a float.
        assert_eq!(decimal, format!("{{\"decimal\":{0},\"text\":\"{0}\"}} {0}", row.decimal));
        out.as_array().unwrap().iter().for_each(|out| {
            check_postgres(out, row);
            assert_eq!(out["texts"], serde_json::json!([row.text, null]));
            assert_eq!(kind(&out["decimal"]), kind_of(&row.decimal));
        });
    }
    check_postgres(&results(&sandbox, "bound")[0], &rows[0]);
}

fn check_postgres(out: &Json, row: &PostgresRow) {
    same("json", &out["json"]["v"], &row.json);
    same("text", &out["text"], &Value::Text(row.text.clone()));
    same("numeric", &out["digits"], &Value::Integer(row.digits.clone()));
    // PostgreSQL writes a whole float as an integer.
    assert_eq!(out["float"].as_f64(), Some(row.float));
    assert_eq!(out["integer"], row.integer);
    if let Some(sorted) = out.get("b") {
        assert_eq!(without_order(&sorted["v"]), without_order(&serde_json::from_str(&row.json.json()).unwrap()));
    }
}

/// A value as `jsonb` keeps it, without the order of its keys. Floats, which it spells in another way, are null.
fn without_order(value: &Json) -> String {
    match value {
        Json::Number(number) if number.to_string().contains(['.', 'e', 'E']) => "null".to_owned(),
        Json::Array(values) => format!("{:?}", values.iter().map(without_order).collect::<Vec<_>>()),
        Json::Object(members) => {
            let mut members: Vec<(&String, String)> =
                members.iter().map(|(key, it)| (key, without_order(it))).collect();
            members.sort();
            format!("{members:?}")
        }
        other => other.to_string(),
    }
}

/// One server for all runs.
#[test]
#[ignore = "heavy: 20 runs over a PostgreSQL server"]
fn many_random_rows_of_postgresql_come_back_equal() {
    let postgres = Postgres::start();
    let mut runner = proptest::test_runner::TestRunner::default();
    for _ in 0..20 {
        let rows = prop::collection::vec(postgres_row(), 1..60).new_tree(&mut runner).unwrap().current();
        through_postgres(&postgres, &rows);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "heavy: takes seconds"]
    fn random_values_of_json_and_yaml_come_back_equal(values in prop::collection::vec(value(), 1..60)) {
        through_json_and_yaml(&values);
    }

    #[test]
    fn random_rows_of_tables_come_back_equal(rows in prop::collection::vec(row(), 1..60)) {
        through_tables(&rows);
    }

    #[test]
    fn random_parameters_of_sqlite_come_back_equal(values in prop::collection::vec(held_by_sqlite(), 1..60)) {
        through_parameters_of_sqlite(&values);
    }

    #[test]
    fn random_values_of_python_become_json_or_are_refused(values in prop::collection::vec(written(), 1..60)) {
        through_python(&values);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "heavy: 30 runs of 12 steps"]
    fn many_random_values_of_json_and_yaml_come_back_equal(values in prop::collection::vec(value(), 1..60)) {
        through_json_and_yaml(&values);
    }

    #[test]
    #[ignore = "heavy: 30 runs of 6 steps"]
    fn many_random_rows_of_tables_come_back_equal(rows in prop::collection::vec(row(), 1..60)) {
        through_tables(&rows);
    }

    #[test]
    #[ignore = "heavy: 30 runs"]
    fn many_random_parameters_of_sqlite_come_back_equal(values in prop::collection::vec(held_by_sqlite(), 1..60)) {
        through_parameters_of_sqlite(&values);
    }

    #[test]
    #[ignore = "heavy: 30 runs"]
    fn many_random_values_of_python_become_json_or_are_refused(values in prop::collection::vec(written(), 1..60)) {
        through_python(&values);
    }
}
