//! Batches as data frames, and data frames as results.

use crate::support::{Sandbox, python, repository};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::Command;

const FORMATS: [&str; 4] = ["records", "pandas", "polars", "pyarrow"];

/// Makes the batch records again, whatever it is, and values comparable: each is its type and its text.
const PLAIN: &str = r"
import datetime, sys

def plain(value):
    if value is None or type(value).__name__ in ('NAType', 'NaTType') or value != value:
        return None
    if hasattr(value, 'to_pydatetime'):
        value = value.to_pydatetime()
    if hasattr(value, 'item'):
        value = value.item()
    if isinstance(value, datetime.datetime) and value.tzinfo:
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat() + ' UTC'
        return ['datetime', value]
    if isinstance(value, (datetime.datetime, datetime.date)):
        return [type(value).__name__, value.isoformat()]
    if isinstance(value, float):
        return ['float', value.hex()]
    return [type(value).__name__, str(value)]

def rows(batch):
    if isinstance(batch, list):
        return batch
    if type(batch).__module__.startswith('pandas'):
        columns = [batch[name].tolist() for name in batch.columns]
        return [dict(zip(batch.columns, row)) for row in zip(*columns)]
    return batch.to_pylist() if hasattr(batch, 'to_pylist') else batch.to_dicts()
";

/// Each line behind so many spaces.
pub fn indented(text: &str, spaces: usize) -> String {
    text.trim().lines().fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "{:spaces$}{line}", "");
        all
    })
}

/// A batch step over `items` with these settings and this code.
pub fn workflow(items: &str, settings: &str, code: &str) -> String {
    format!(
        "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: {items}\n{}      task:\n        type: python\n        setup: |\n{}        code: |\n{}",
        indented(settings, 6),
        indented(PLAIN, 10),
        indented(code, 10),
    )
}

/// Runs a step that gives all values back, by each of the formats, and checks that they are the same.
#[track_caller]
fn same_in_all_formats(make: impl Fn() -> Sandbox, items: &str, settings: &str, code: i32) -> (Vec<Value>, Vec<Value>) {
    let give_back = "return [[batch.index, {name: plain(value) for name, value in row.items()}] for row in rows(item)]";
    let mut found: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
    for format in FORMATS {
        let settings = format!("batch_format: {format}\ncontinue_on_error: true\n{settings}");
        let sandbox = make().file("workflow.yaml", workflow(items, &settings, give_back));
        sandbox.run(&[]).exits_with(code);
        let said = |failure: Value| json!([failure["index"], failure["item"], failure["error"]]);
        found.push((sandbox.results("work"), sandbox.failures().into_iter().map(said).collect()));
        let (first, last) = (&found[0], &found[found.len() - 1]);
        assert_eq!(first.0.len(), last.0.len(), "{format}");
        for (one, other) in first.0.iter().zip(&last.0) {
            assert_eq!(one, other, "{format}");
        }
        assert_eq!(first.1, last.1, "{format}");
    }
    found.swap_remove(0)
}

#[test]
#[ignore = "heavy: data frames of three libraries"]
fn flights_are_the_same_in_all_formats() {
    let path = repository().join("fixtures/flights/2013-01-0[1-3].csv").display().to_string();
    let items = format!("{{csv: '{path}', types: infer, null: NA, where_from: file}}");
    let (results, failures) = same_in_all_formats(Sandbox::new, &items, "batch_size: 500\nmax_parallel: 2", 0);
    assert!(results.len() > 2500 && failures.is_empty());
    let texts = format!("{{csv: '{path}', columns: [flight, carrier, dep_time]}}");
    let (texts, _) = same_in_all_formats(Sandbox::new, &texts, "batch_size: 1000", 0);
    assert_eq!(texts.len(), results.len());
}

/// A small generator of numbers (xorshift), so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len())]
    }
}

/// Rows with everything that readers of CSV quarrel about.
fn nasty(seed: u64) -> Vec<u8> {
    let texts = [
        "plain",
        "",
        "NA",
        "\"NA\"",
        "\"\"",
        "\"a,b\"",
        "\"say \"\"hi\"\"\"",
        "\"two\nlines\"",
        "\"win\r\nlines\"",
        "5\" pipe",
        "\"a\"b",
        " \"x\" ",
        "ä",
        "日本",
        "null",
        "None",
        "nan",
        "true",
        "007",
        "'",
        "#",
        "\\n",
        "-",
        "NaN",
        "a\tb",
        "\"\"\"\"",
    ];
    let integers = [
        "1",
        "-2",
        "",
        " 3 ",
        "+7",
        "007",
        "-007",
        "NA",
        "0x1F",
        "9223372036854775807",
        "1.0",
        "1_000",
        "-0",
        "x",
        " ",
    ];
    let numbers = [
        "1.5",
        "-0.0",
        "",
        "1e5",
        "1e-400",
        ".5",
        "5.",
        "+1.25",
        "NA",
        "nan",
        "inf",
        "0.1",
        "123456789.123456789",
        "1,5",
        "1d5",
        " 2.5",
        "179769313486231570000000000000000000000",
    ];
    let booleans = ["true", "False", "TRUE", "", "NA", "yes", "1", "tRuE", " true "];
    let dates =
        ["2026-01-31", "1969-12-31", "", "2026-02-30", "31.01.2026", "2026/01/31", "NA", "2026-1-31", "0001-01-01"];
    let times = [
        "2026-01-31T10:00:00",
        "2026-01-31 10:00:00.5",
        "",
        "NA",
        "1900-01-01T00:00:00.000001",
        "9999-12-31T23:59:59",
        "0001-01-01T00:00:00",
        "2026-01-31",
        "soon",
        "2026-01-31T10:00",
    ];
    let mut dice = Dice(seed);
    let mut text = "t,i,n,b,d,m,u\n".as_bytes().to_vec();
    for _ in 0..300 {
        // Most rows are fine, or all would have a fault somewhere.
        let fine = dice.roll(3) > 0;
        let few = |all: &[&'static str]| if fine { 3 } else { all.len() };
        let fields = [
            dice.pick(&texts).to_owned(),
            dice.pick(&integers[..few(&integers)]).to_owned(),
            dice.pick(&numbers[..few(&numbers)]).to_owned(),
            dice.pick(&booleans[..few(&booleans)]).to_owned(),
            dice.pick(&dates[..few(&dates)]).to_owned(),
            dice.pick(&times[..few(&times)]).to_owned(),
            dice.pick(&texts).to_owned(),
        ];
        let count = if fine { 7 } else { 7 - dice.roll(9).saturating_sub(6) };
        text.extend_from_slice(fields[..count].join(",").as_bytes());
        if !fine && dice.roll(9) == 0 {
            text.extend_from_slice(if dice.roll(2) == 0 { b",more" } else { b"\xff" });
        }
        text.extend_from_slice(if dice.roll(5) == 0 { b"\r\n" } else { b"\n" });
    }
    text
}

#[test]
#[ignore = "heavy: data frames of three libraries"]
fn nasty_rows_are_the_same_in_all_formats_and_so_are_their_faults() {
    for seed in [1, 20, 300] {
        let make = || Sandbox::new().file("a.csv", nasty(seed));
        let types = "types: {i: integer, n: number, b: boolean, d: date, m: datetime}, null: [NA, '-']";
        let items = format!("{{csv: a.csv, {types}, where_from: file, columns: [u, m, d, b, n, i, t]}}");
        let (results, failures) = same_in_all_formats(make, &items, "batch_size: 37", 1);
        assert!(results.len() > 150 && failures.len() > 20, "{} {}", results.len(), failures.len());
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn pandas_alone_makes_the_same_frames_as_with_pyarrow() {
    let make = || Sandbox::new().file("a.csv", nasty(4000));
    let types = "types: {i: integer, n: number, b: boolean, d: date, m: datetime}, null: [NA, '-']";
    let items = format!("{{csv: a.csv, {types}}}");
    let code = "return [{name: plain(value) for name, value in row.items()} for row in rows(item)]";
    let mut found = Vec::new();
    for hide in ["", "sys.modules['pyarrow'] = None"] {
        let settings = "batch_size: 50\nbatch_format: pandas\ncontinue_on_error: true";
        let text = workflow(&items, settings, code).replace(
            "          import datetime, sys\n",
            &format!("          import datetime, sys\n          {hide}\n"),
        );
        let sandbox = make().file("workflow.yaml", text);
        sandbox.run(&[]).exits_with(1);
        found.push(sandbox.results("work"));
    }
    assert!(!found[0].is_empty() && found[0] == found[1]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn columns_have_the_types_of_the_library() {
    let text = "i,n,b,d,m,z,t\n1,1.5,true,2026-01-31,2026-01-31T10:00:00,2026-01-31T10:00:00Z,x\n";
    let types = "{i: integer, n: number, b: boolean, d: date, m: datetime, z: datetime}";
    let code = "return {str(n): str(t) for n, t in (item.schema.items() if hasattr(item, 'to_dicts') else zip(item.schema.names, item.schema.types) if hasattr(item, 'schema') else item.dtypes.items())}";
    for (format, expected) in [
        ("pyarrow", ["int64", "double", "bool", "date32[day]", "timestamp[us]", "timestamp[us, tz=UTC]", "string"]),
        (
            "polars",
            [
                "Int64",
                "Float64",
                "Boolean",
                "Date",
                "Datetime(time_unit='us', time_zone=None)",
                "Datetime(time_unit='us', time_zone='UTC')",
                "String",
            ],
        ),
        (
            "pandas",
            ["int64", "float64", "bool", "date32[day][pyarrow]", "datetime64[us]", "datetime64[us, UTC]", "str"],
        ),
    ] {
        let items = format!("{{csv: a.csv, types: {types}}}");
        let text = Sandbox::new()
            .file("a.csv", text)
            .file("workflow.yaml", workflow(&items, &format!("batch_format: {format}"), code));
        text.run(&[]).exits_with(0);
        let found: Vec<Value> = text.results("work")[0].as_object().unwrap().values().cloned().collect();
        // pandas 2 has no type of its own for text.
        let found: Vec<Value> = found.into_iter().map(|it| if it == "object" { "str".into() } else { it }).collect();
        assert_eq!(found, expected, "{format}");
    }
}

#[test]
fn a_frame_may_be_changed_and_its_index_counts_from_0() {
    let code = "
item.loc[0, 'i'] = 7
item.loc[1, 't'] = 'new'
item['n'] *= 2
return [batch.index, index, batch.size, list(item.index), item.to_dict('list')]";
    let make = |hide: &str| {
        let text =
            workflow("{csv: a.csv, types: {i: integer, n: number}}", "batch_format: pandas\nbatch_size: 2", code);
        let text = text.replace(
            "          import datetime, sys\n",
            &format!("          import datetime, sys\n          {hide}\n"),
        );
        Sandbox::new().file("a.csv", "i,n,t\n1,1.5,a\n2,2.5,b\n3,3.5,c\n4,4.5,d\n").file("workflow.yaml", text)
    };
    for hide in ["", "sys.modules['pyarrow'] = None"] {
        let sandbox = make(hide);
        sandbox.run(&[]).exits_with(0);
        let frames = sandbox.results("work");
        assert_eq!(frames[0], json!(0));
        assert_eq!(frames[4], json!({"i": [7, 2], "n": [3.0, 5.0], "t": ["a", "new"]}));
        assert_eq!(frames[5..9], [json!(2), json!(2), json!(2), json!([0, 1])]);
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn what_does_not_fit_into_a_column_fails_its_row_alone() {
    let text = "i,m\n1,2026-01-31T10:00:00\n9223372036854775808,2026-01-31T10:00:00\n3,2026-01-31T10:00:00Z\n4,2026-01-31T11:00:00\n";
    for format in &FORMATS[1..] {
        let items = "{csv: a.csv, types: {i: integer, m: datetime}}";
        let settings = format!("batch_format: {format}\nbatch_size: 10\ncontinue_on_error: true");
        let code = "return [plain(row['i'])[1] for row in rows(item)]";
        let sandbox = Sandbox::new().file("a.csv", text).file("workflow.yaml", workflow(items, &settings, code));
        sandbox.run(&[]).exits_with(1).says(&[
            "a.csv:3: column `i`: \"9223372036854775808\" does not fit into 64 bits",
            "a.csv:4: column `m`: \"2026-01-31T10:00:00Z\" mixes times with and without an offset from UTC",
        ]);
        assert_eq!(sandbox.results("work"), ["1", "4"]);
    }
}

#[test]
#[ignore = "heavy: data frames of three libraries"]
fn columns_of_several_files_come_together_or_stay_apart() {
    let make = || Sandbox::new().file("a.csv", "x,y\n1,2\n3,4\n").file("b.csv", "z;y;x\n").file("c.csv", "y,z\n5,6\n");
    let items = "{csv: ['a.csv', 'c.csv'], types: {x: integer, z: number}, on_schema_drift: union, where_from: from}";
    let (results, _) = same_in_all_formats(make, items, "batch_size: 2", 0);
    let expected =
        json!({"x": null, "y": ["str", "5"], "z": ["float", "0x1.8000000000000p+2"], "from": ["str", "c.csv"]});
    assert_eq!(results[2][1], expected);
    let items = "{csv: ['a.csv', 'c.csv'], on_schema_drift: group}";
    let (results, _) = same_in_all_formats(make, items, "batch_size: 2", 0);
    assert_eq!(results[2][1], json!({"y": ["str", "5"], "z": ["str", "6"]}));
}

#[test]
#[ignore = "heavy: data frames of three libraries"]
fn json_items_are_the_same_in_all_formats() {
    let items = r#"[{a: 1, b: x, c: null}, {b: "2026-01-31 10:00:00", a: 2.5}, {d: true, c: -3}, {a: 0.1, b: "ä\n"}]"#;
    let (results, _) = json_rows(items, Sandbox::new, 0);
    assert_eq!(results[1]["b"], json!(["str", "2026-01-31 10:00:00"]));
    let lines = "{\"a\": 1, \"b\": \"x\"}\r\n{\"a\": oops}\n{\"a\": 3}\n[4]\n{\"a\": 5} {}\n";
    let make = || Sandbox::new().file("a.jsonl", lines.replace("[4]\n", ""));
    let (results, failures) = json_rows("{jsonl: a.jsonl}", make, 1);
    assert_eq!(results.len(), 2);
    assert!(failures[0][2].as_str().unwrap().starts_with("a.jsonl:2: invalid JSON: "), "{failures:?}");
    let nested = r"[{a: [1, 2], b: {c: x}}, {a: [], b: {c: null}}]";
    json_rows(nested, Sandbox::new, 0);
}

/// Like `same_in_all_formats`, for records that lack keys: a data frame has nothing there.
fn json_rows(items: &str, make: impl Fn() -> Sandbox, code: i32) -> (Vec<Value>, Vec<Value>) {
    let give = "
def deep(value):
    if isinstance(value, dict):
        return {name: deep(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)) or type(value).__name__ == 'ndarray':
        return [deep(inner) for inner in value]
    value = float(value) if type(value) is int else value
    return plain(value)
names = sorted({name for row in rows(item) for name in row})
return [{name: deep(row.get(name)) for name in names} for row in rows(item)]";
    let mut found: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
    for format in FORMATS {
        let settings = format!("batch_format: {format}\nbatch_size: 10\ncontinue_on_error: true");
        let sandbox = make().file("workflow.yaml", workflow(items, &settings, give));
        sandbox.run(&[]).exits_with(code);
        let said = |failure: Value| json!([failure["index"], failure["item"], failure["error"]]);
        found.push((sandbox.results("work"), sandbox.failures().into_iter().map(said).collect()));
        assert_eq!(found[0], found[found.len() - 1], "{format}");
    }
    found.swap_remove(0)
}

#[test]
fn a_library_that_is_missing_is_found_before_anything_runs() {
    let text = workflow("[{a: 1}]", "batch_format: polars", "return 1");
    let real = python().display().to_string();
    let sandbox = Sandbox::with(&text).script("bare", &format!("exec {real} -S \"$@\""));
    let bare = sandbox.path().join("bin/bare");
    sandbox.run(&["--python", bare.to_str().unwrap()]).exits_with(2).says(&[
        "`batch_format: polars` requires polars: no module named `polars` in ",
        "-m pip install polars`",
        "workflow.yaml:6:",
    ]);
    assert!(!sandbox.exists(".batchmill"));
}

#[test]
fn a_batch_format_without_a_use_is_an_error() {
    let text = workflow("[{a: 1}]", "batch_format: pandas\nbatched: false", "return 1");
    Sandbox::with(&text)
        .run(&[])
        .exits_with(2)
        .says(&["`batch_format` requires a batched Python task", "`batched: false`"]);
    let shell = "steps:\n  - name: a\n    task: batch\n    inputs:\n      items: [{a: 1}]\n      batch_format: polars\n      task: {type: shell, command: exit}\n";
    Sandbox::with(shell).run(&[]).exits_with(2).says(&["`batch_format` requires a batched Python task"]);
    let text = workflow("[{a: 1}]", "batch_format: dask", "return 1");
    Sandbox::with(&text).run(&[]).exits_with(2).says(&["`batch_format`", "pyarrow"]);
    let text = workflow("[1, 2]", "batch_format: pandas", "return 1");
    Sandbox::with(&text)
        .run(&[])
        .exits_with(2)
        .says(&["`batch_format: pandas` needs records, but the items are not mappings"]);
    let text = workflow("[{a: 1}, 2]", "batch_format: polars\nbatch_size: 2", "return 1");
    Sandbox::with(&text)
        .run(&[])
        .exits_with(3)
        .says(&["`2` in the batch is not a mapping but of type `int`; data frames need mappings"]);
}

/// Frames with a column of every type that has a form in JSON, and the records that they stand for.
const RETURNED: [(&str, &str); 6] = [
    (
        "
import pandas as pd, numpy as np, decimal
frame = pd.DataFrame({
    'i': [1, -2], 'u': np.array([0, 2**64 - 1], 'uint64'), 'f': [0.1, float('nan')], 'g': [1e300, float('inf')], 'f32': np.array([0.1, 1], 'float32'),
    'b': [True, False], 's': ['ä\"\\\\\\n', None], 'I': pd.array([None, 2], 'Int64'), 'B': pd.array([True, None], 'boolean'),
    't': pd.to_datetime(['2026-01-31T10:00:00.5', None]), 'n': pd.to_datetime(['2026-01-31T10:00:00.123456789', '1969-12-31T00:00:00.000000000']),
    'z': pd.to_datetime(['2026-01-31T10:00:00', '2026-07-31T10:00:00']).tz_localize('UTC'), 'd': [__import__('datetime').date(2026, 1, 31), None],
    'c': pd.Categorical(['x', None]), 'l': pd.to_timedelta(['90s', '1ms']), 3: [7, 8], 'none': [None, None],
}, index=[5, 9])",
        "to_dict('records')",
    ),
    (
        "
import pandas as pd
frame = pd.DataFrame({
    'mixed': [1, 'x'], 'numbers': [1, 2.5], 'deep': [{'a': 1}, {'b': [2]}], 'berlin': pd.to_datetime(['2026-01-31', '2026-07-31']).tz_localize('Europe/Berlin'),
    'decimal': [__import__('decimal').Decimal('1.5'), __import__('decimal').Decimal('1.25')], 'period': pd.period_range('2026-01', periods=2, freq='M'),
}, dtype=None).astype({'numbers': object})",
        "to_dict('records')",
    ),
    (
        "
import pandas as pd
frame = pd.DataFrame({'k': ['a', 'b', 'a'], 'v': [1, 2, 3]}).groupby('k').agg({'v': ['sum', 'max']})",
        "reset_index().set_axis(['k', 'v_sum', 'v_max'], axis=1).to_dict('records')",
    ),
    (
        "
import polars as pl, datetime as dt, decimal
frame = pl.DataFrame({
    'i': [1, None], 'f': [0.1, float('nan')], 'b': [True, None], 's': ['ä\"\\\\\\n', None], 'd': [dt.date(2026, 1, 31), None],
    't': [dt.datetime(2026, 1, 31, 10, 0, 0, 500000), None], 'l': [dt.timedelta(seconds=90), None], 'o': [dt.time(10, 0, 1), None],
    'x': [[1, None], []], 'm': [{'a': 1, 'b': 'x'}, {'a': None, 'b': 'y'}], 'n': [None, None],
}).with_columns(pl.col('s').cast(pl.Categorical).alias('c'), pl.Series('dec', [decimal.Decimal('1.50'), decimal.Decimal('-2.25')]),
    pl.Series('u8', [1, 2], pl.UInt8), pl.Series('a', [[1, 2], [3, 4]], pl.Array(pl.Int64, 2)),
    pl.col('t').dt.replace_time_zone('UTC').alias('z'), pl.col('t').dt.replace_time_zone('Europe/Berlin').alias('berlin')).drop('berlin')",
        "to_dicts()",
    ),
    (
        "
import pyarrow as pa, datetime as dt, decimal
frame = pa.table({
    'i': pa.array([1, None], pa.int16()), 'f': pa.array([0.1, None], pa.float32()), 's': pa.array(['x', None], pa.large_string()), 'v': pa.array(['y', None], pa.string_view()),
    'd': pa.array([dt.date(1, 1, 1), None]), 't': pa.array([dt.datetime(9999, 12, 31, 23, 59, 59), None], pa.timestamp('ms')), 'z': pa.array([0, None], pa.timestamp('us', '+05:30')),
    'o': pa.array([1500, None], pa.time32('ms')), 'l': pa.array([1500, None], pa.duration('ms')), 'c': pa.array(['x', None]).dictionary_encode(),
    'm': pa.array([[('k', 1)], None], pa.map_(pa.string(), pa.int64())), 'x': pa.array([[[1]], None]), 'r': pa.array([{'a': 1}, None]), 'n': pa.nulls(2),
    'dec': pa.array([decimal.Decimal('1.50'), None]), 'b': pa.array([False, None]), 'fix': pa.array([[1, 2], None], pa.list_(pa.int32(), 2)),
}).slice(0, 2)",
        "to_pylist()",
    ),
    (
        "
import pyarrow as pa
frame = pa.table({'a': pa.array(range(9)), 'x': pa.array([[n, n] for n in range(9)], pa.list_(pa.int32(), 2))}).slice(3, 4).to_batches()[0]",
        "to_pylist()",
    ),
];

#[test]
#[ignore = "heavy: data frames of three libraries"]
fn a_frame_gives_the_lines_that_its_records_give() {
    for ((frame, records), lost) in RETURNED.into_iter().zip([2, 0, 0, 1, 0, 0]) {
        let run = |code: &str| {
            let code = format!("{}\nreturn {code}", frame.trim());
            let sandbox = Sandbox::with(&workflow("[{a: 1}]", "batched: true", &code));
            let ended = sandbox.run(&[]).exits_with(0);
            let lines = sandbox.batchmill(&["results"]).exits_with(0).stdout;
            let warning = ended.stderr.lines().find(|line| line.contains("NaN")).unwrap_or_default().to_owned();
            (lines, warning)
        };
        let (lines, warning) = run("frame");
        let number = if lost == 0 { String::new() } else { format!("work: warning: {lost} NaN") };
        assert!(warning.starts_with(&number) && warning.is_empty() == (lost == 0), "{frame}: {warning}: {lines}");
        assert!(lines.lines().count() >= 2, "{lines}");
        let (expected, _) = run(&format!("frame.{records}"));
        for (line, expected) in lines.lines().zip(expected.lines()) {
            assert_eq!(line, expected);
        }
        assert_eq!(lines.lines().count(), expected.lines().count());
    }
}

#[test]
#[ignore = "heavy: a large data frame"]
fn a_large_frame_stays_a_table_in_the_ledger_and_is_lines_for_all_who_read() {
    let code = "
import pyarrow as pa, polars as pl, pandas as pd
n = [row['n'] for row in item]
columns = {'n': n, 'f': [i / 7 for i in n], 's': ['ä' + str(i) if i % 3 else None for i in n], 'nan': [float('nan') if i == 5 else 1.0 for i in n]}
return {'pyarrow': pa.table, 'polars': lambda c: pl.DataFrame(c, strict=False), 'pandas': pd.DataFrame, 'records': lambda c: [dict(zip(c, row)) for row in zip(*c.values())]}[kind](columns)";
    let rows: String = (0..1000).map(|n| format!("{{\"n\": {n}}}\n")).collect();
    let make = |kind: &str| {
        let text = workflow("{jsonl: a.jsonl}", "batch_size: 250\nmax_parallel: 2", code);
        let text = text.replace("        code: |\n", &format!("        inputs: {{kind: {kind}}}\n        code: |\n"));
        let later = "  - name: later\n    task: batch\n    inputs:\n      items: '{{ steps.work.result }}'\n      batch_size: 1000\n      task: {type: python, code: 'return [len(item), sum(row[\"n\"] for row in item)]'}\n  - name: said\n    task: echo\n    inputs: {message: '{{ steps.work.result | length }} {{ steps.work.result[998].s }}'}\n";
        let sandbox = Sandbox::new().file("a.jsonl", &rows).file("workflow.yaml", format!("{text}{later}"));
        let ended =
            sandbox.run(&["--format", "json"]).exits_with(0).says(&["1 NaN or infinite numbers were written as null"]);
        (ended.json()["steps"]["work"]["results"].clone(), sandbox)
    };
    let (expected, records) = make("records");
    let expected_lines = records.batchmill(&["results", "--step", "work"]).exits_with(0).stdout;
    for kind in ["pyarrow", "polars", "pandas"] {
        let (found, sandbox) = make(kind);
        assert!(found == expected, "{kind}");
        assert!(sandbox.batchmill(&["results", "--step", "work"]).exits_with(0).stdout == expected_lines, "{kind}");
        assert_eq!(sandbox.results("later"), [1000, 499_500]);
        assert_eq!(sandbox.results("said"), ["1000 ä998"]);
        assert!(!sandbox.everything_written("~").contains("\"n\":17,"), "{kind}: there are lines in the ledger");
        sandbox.batchmill(&["audit"]).exits_with(0);
        sandbox.batchmill(&["resume"]).exits_with(0).says(&["0 of 1,000 items will run"]);
        assert!(sandbox.batchmill(&["results", "--step", "work"]).exits_with(0).stdout == expected_lines, "{kind}");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_table_that_was_damaged_on_disk_is_found_and_made_anew() {
    let code = "import pyarrow as pa\nreturn pa.table({'n': [row['n'] for row in item]})";
    let rows: String = (0..600).map(|n| format!("{{\"n\": {n}}}\n")).collect();
    let text = workflow("{jsonl: a.jsonl}", "batch_size: 200", code);
    let sandbox = Sandbox::new().file("a.jsonl", rows).file("workflow.yaml", text);
    sandbox.run(&[]).exits_with(0);
    let run = std::fs::read_dir(sandbox.path().join(".batchmill/runs")).unwrap().next().unwrap().unwrap().path();
    let results = run.join("results/work.jsonl");
    let mut bytes = std::fs::read(&results).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&results, bytes).unwrap();
    let ended = sandbox.batchmill(&["results"]);
    assert!(ended.code != Some(0) && ended.stderr.contains("do not match their checksum"), "{}", ended.stderr);
    let audited = sandbox.batchmill(&["audit"]);
    assert!(audited.code != Some(0), "{}", audited.stdout);
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["200 of 600 items will run"]);
    assert_eq!(sandbox.results("work").len(), 600);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn tables_are_written_as_parquet_with_their_types() {
    let code = "
import pyarrow as pa, datetime as dt
n = [row['n'] for row in item]
small = pa.table({'n': pa.array(n, pa.int16()), 't': pa.array([dt.datetime(2026, 1, 31)] * len(n), pa.timestamp('ms')), 's': [str(i) for i in n]})
return small if mixed == 'no' or n[0] else small.select(['n'])";
    let rows: String = (0..600).map(|n| format!("{{\"n\": {n}}}\n")).collect();
    for (mixed, expected) in
        [("no", "600 n: int16 t: timestamp[ms] s: string 599"), ("yes", "600 n: int64 t: string s: string 599")]
    {
        let text = workflow("{jsonl: a.jsonl}", "batch_size: 200\nmax_parallel: 2", code);
        let text =
            text.replace("        code: |\n", &format!("        inputs: {{mixed: '{mixed}'}}\n        code: |\n"));
        let text = format!("{text}    outputs: {{path: out.parquet, format: parquet}}\n");
        let sandbox = Sandbox::new().file("a.jsonl", &rows).file("workflow.yaml", text);
        sandbox.run(&[]).exits_with(0).says(&["600 records written to `out.parquet`"]);
        let show =
            "t = pq.read_table('out.parquet')\nprint(len(t), *(f'{f.name}: {f.type}' for f in t.schema), t['n'][-1])";
        let code = format!("import pyarrow.parquet as pq\n{show}");
        let shown = Command::new(python()).args(["-c", &code]).current_dir(sandbox.path()).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&shown.stdout).trim(),
            expected,
            "{}",
            String::from_utf8_lossy(&shown.stderr)
        );
    }
}

/// The batches are the same table, but pandas describes each in another way: the index, the width of the categories' keys, the type
/// of a column without a value.
#[test]
#[ignore = "heavy: takes seconds"]
fn frames_that_pandas_describes_differently_keep_their_types() {
    let code = "
import pandas as pd, datetime as dt
n = [row['n'] for row in item]
count = 100 if n[0] else 300
return pd.DataFrame({'n': n, 'd': [dt.date(2026, 1, 31)] * len(n),
    'c': pd.Categorical([str(i % count) for i in range(len(n))], categories=[str(i) for i in range(count)]),
    'x': [None if n[0] else 'x'] * len(n)}, index=pd.RangeIndex(n[0], n[0] + len(n)))";
    let rows: String = (0..1000).map(|n| format!("{{\"n\": {n}}}\n")).collect();
    let text = workflow("{jsonl: a.jsonl}", "batch_size: 400\nmax_parallel: 2", code);
    let text = format!("{text}    outputs: {{path: out.parquet, format: parquet}}\n");
    let sandbox = Sandbox::new().file("a.jsonl", &rows).file("workflow.yaml", text);
    sandbox.run(&[]).exits_with(0).says(&["1000 records written to `out.parquet`"]);
    let code = "
import pandas as pd, pyarrow.parquet as pq
t = pq.read_table('out.parquet')
print(len(t), *(f'{f.name}: {f.type}'.replace('large_', '') for f in t.schema), t['c'][399], t['d'][999], t['x'].null_count, len(pd.read_parquet('out.parquet')))";
    let shown = Command::new(python()).args(["-c", code]).current_dir(sandbox.path()).output().unwrap();
    let expected = "1000 n: int64 d: date32[day] c: string x: string 99 2026-01-31 600 1000";
    let shown = format!("{}{}", String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    assert_eq!(shown.trim(), expected);
}
