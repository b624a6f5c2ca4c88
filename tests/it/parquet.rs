//! Rows of Parquet files.

use crate::frames::{indented, workflow};
use crate::support::{Sandbox, python};
use serde_json::json;
use std::process::Command;

/// Writes Parquet files with pyarrow.
fn parquet(sandbox: Sandbox, code: &str) -> Sandbox {
    let code = format!("import pyarrow as pa, pyarrow.parquet as pq, datetime as dt, decimal\n{}", code.trim());
    let ended = Command::new(python()).args(["-c", &code]).current_dir(sandbox.path()).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    sandbox
}

/// A step that gives its items back.
fn echo(items: &str, settings: &str) -> String {
    format!(
        "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: {items}\n{}      task: {{type: echo, message: '{{{{ item }}}}'}}\n",
        indented(settings, 6)
    )
}

#[test]
fn rows_of_parquet_files_are_items_of_every_type() {
    let code = "
pq.write_table(pa.table({
    'i': pa.array([1, None], pa.int32()), 'f': [0.1, float('nan')], 's': ['ä', None], 'b': [True, None], 'd': [dt.date(2026, 1, 31), None],
    't': [dt.datetime(2026, 1, 31, 10), None], 'z': pa.array([0, None], pa.timestamp('us', 'Europe/Berlin')), 'dec': [decimal.Decimal('1.50'), None],
    'l': [[1, None], []], 'm': [{'a': [1], 'b': 'x'}, None], 'c': pa.array(['x', None]).dictionary_encode(), 'n': pa.nulls(2), 'bin': [b'x', b'y'],
}), 'a.parquet')";
    let sandbox = parquet(Sandbox::new(), code);
    let columns = "columns: [file, i, f, s, b, d, t, z, dec, l, m, c, n]";
    let sandbox =
        sandbox.file("workflow.yaml", echo(&format!("{{parquet: a.parquet, where_from: file, {columns}}}"), ""));
    sandbox.run(&[]).exits_with(0).says(&["step work: 2 items"]);
    let stdout = sandbox.batchmill(&["results"]).exits_with(0).stdout;
    let expected = "{\"file\":\"a.parquet\",\"i\":1,\"f\":0.1,\"s\":\"ä\",\"b\":true,\"d\":\"2026-01-31\",\"t\":\"2026-01-31T10:00:00\",\"z\":\"1970-01-01T00:00:00+00:00\",\"dec\":1.50,\"l\":[1,null],\"m\":{\"a\":[1],\"b\":\"x\"},\"c\":\"x\",\"n\":null}";
    assert_eq!(stdout.lines().next().unwrap(), expected);
    let sandbox = sandbox.file("workflow.yaml", echo("{parquet: a.parquet}", ""));
    sandbox.run(&[]).exits_with(2).says(&["cannot read `a.parquet`: column `bin` is binary", "`columns`"]);
}

#[test]
fn times_in_any_time_zone_are_in_utc_and_numbers_that_become_null_are_counted() {
    let code = "
zones = ['+05:30', '-03:00', 'UTC', 'Asia/Kolkata']
times = {zone: pa.array([dt.datetime(2020, 1, 1, 12)], pa.timestamp('us', zone)) for zone in zones}
pq.write_table(pa.table({**times, 'l': [[times['+05:30'][0]]]}), 't.parquet')
pq.write_table(pa.table({'x': [1.5, float('nan'), None, float('inf')], 'l': [[float('-inf')], [], None, [1.0]]}), 'n.parquet')";
    let sandbox = parquet(Sandbox::with(&echo("{parquet: t.parquet}", "")), code);
    sandbox.run(&[]).exits_with(0);
    let utc = "2020-01-01T12:00:00+00:00";
    let expected = json!({"+05:30": utc, "-03:00": utc, "UTC": utc, "Asia/Kolkata": utc, "l": [utc]});
    assert_eq!(sandbox.results("work"), [expected]);
    for settings in ["", "batch_size: 3"] {
        std::fs::write(sandbox.path().join("workflow.yaml"), echo("{parquet: n.parquet}", settings)).unwrap();
        let ended = sandbox.run(&[]).exits_with(0);
        ended.says(&["work: warning: 3 NaN or infinite numbers were read as null"]);
    }
}

#[test]
fn parquet_files_are_read_by_row_group_with_bounds_and_keys() {
    let code = "
for name, first, rows in (('a', 0, 5000), ('b', 5000, 3000)):
    pq.write_table(pa.table({'n': range(first, first + rows), 't': [str(n) for n in range(rows)]}), name + '.parquet', row_group_size=700, compression='zstd')";
    let sandbox = parquet(Sandbox::new(), code);
    let numbers =
        |sandbox: &Sandbox| sandbox.results("work").iter().map(|it| it["n"].as_u64().unwrap()).collect::<Vec<_>>();
    let sandbox = sandbox.file("workflow.yaml", echo("{parquet: '*.parquet'}", "batch_size: 300\nmax_parallel: 2"));
    sandbox.run(&[]).exits_with(0).says(&["step work: 8,000 items"]);
    assert_eq!(numbers(&sandbox), (0..8000).collect::<Vec<_>>());
    sandbox.batchmill(&["audit"]).exits_with(0);
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["0 of 8,000 items will run"]);
    for (skip, limit) in [(0, 10), (4990, 20), (6000, 9000), (5000, 1)] {
        let items = format!("{{parquet: [a.parquet, b.parquet], skip: {skip}, limit: {limit}, columns: [n]}}");
        std::fs::write(sandbox.path().join("workflow.yaml"), echo(&items, "batch_size: 7")).unwrap();
        sandbox.run(&[]).exits_with(0);
        assert_eq!(numbers(&sandbox), (skip..(skip + limit).min(8000)).collect::<Vec<_>>());
    }
}

#[test]
fn parquet_files_that_cannot_be_read_fail_and_the_others_run() {
    let code = "
pq.write_table(pa.table({'n': range(10)}), 'a.parquet')
pq.write_table(pa.table({'n': range(10)}), 'z.parquet')
whole = open('a.parquet', 'rb').read()
open('cut.parquet', 'wb').write(whole[:-20])
open('none.parquet', 'wb').write(b'id,name')
open('empty.parquet', 'wb')
pq.write_table(pa.table({'n': range(5000)}), 'hurt.parquet', row_group_size=1000, compression='snappy', use_dictionary=False)
meta = pq.read_metadata('hurt.parquet').row_group(3).column(0)
hurt = bytearray(open('hurt.parquet', 'rb').read())
hurt[meta.data_page_offset:meta.data_page_offset + meta.total_compressed_size] = b'\\xff' * meta.total_compressed_size
open('hurt.parquet', 'wb').write(hurt)";
    let sandbox = parquet(Sandbox::new(), code);
    let settings = "batch_size: 100\ncontinue_on_error: true";
    let sandbox = sandbox.file("workflow.yaml", echo("{parquet: '*.parquet'}", settings));
    sandbox.run(&[]).exits_with(1).says(&[
        "cut.parquet: not a complete Parquet file",
        "none.parquet: ",
        "empty.parquet: ",
        "hurt.parquet: the file is damaged from row 2049 on: ",
    ]);
    let failures = sandbox.failures();
    let kinds: Vec<&str> = failures.iter().map(|failure| failure["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["BadFile"; 4], "{failures:?}");
    assert_eq!(sandbox.results("work").len(), 10 + 2048 + 10);
    sandbox.batchmill(&["audit"]).exits_with(0);
    let sandbox =
        sandbox.file("workflow.yaml", echo("{parquet: [cut.parquet, none.parquet, missing.parquet]}", settings));
    sandbox.run(&[]).exits_with(2).says(&["cannot read `cut.parquet`: not a complete Parquet file"]);
}

#[test]
fn columns_of_several_parquet_files_come_together_or_stay_apart() {
    let code = "
pq.write_table(pa.table({'x': [1], 'y': ['a']}), 'a.parquet')
pq.write_table(pa.table({'y': ['b'], 'z': [2.5]}), 'b.parquet')";
    let sandbox = parquet(Sandbox::new(), code);
    let rows = |more: &str| {
        let items = format!("{{parquet: '*.parquet'{more}}}");
        std::fs::write(sandbox.path().join("workflow.yaml"), echo(&items, "")).unwrap();
        sandbox.run(&[])
    };
    rows("")
        .exits_with(2)
        .says(&["the columns of `b.parquet` differ from those of `a.parquet`: it lacks `x` and adds `z`"]);
    rows(", on_schema_drift: union").exits_with(0);
    assert_eq!(sandbox.results("work"), [json!({"x": 1, "y": "a", "z": null}), json!({"x": null, "y": "b", "z": 2.5})]);
    rows(", on_schema_drift: group, where_from: f").exits_with(0);
    assert_eq!(sandbox.results("work")[1], json!({"y": "b", "z": 2.5, "f": "b.parquet"}));
    rows(", on_schema_drift: group, columns: [q]").exits_with(2).says(&["`columns` lists `q`"]);
    for useless in [
        "types: infer",
        "delimiter: ';'",
        "null: NA",
        "header: false",
        "encoding: utf-8",
        "compression: gzip",
        "quote: none",
    ] {
        rows(&format!(", {useless}")).exits_with(2).says(&["cannot be used with Parquet"]);
    }
    rows(", where_from: f, on_schema_drift: union, limit: 0").exits_with(2);
    let frame = workflow(
        "{parquet: '*.parquet', on_schema_drift: union}",
        "batch_format: polars\nbatch_size: 5",
        "return item",
    );
    std::fs::write(sandbox.path().join("workflow.yaml"), frame).unwrap();
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work")[0], json!({"x": 1, "y": "a", "z": null}));
}

#[test]
#[ignore = "heavy: takes seconds"]
fn parquet_files_are_known_by_what_is_in_them_when_asked() {
    let code = "
for name in ('a', 'b'):
    pq.write_table(pa.table({'n': [1, 2]}), name + '.parquet')";
    let sandbox = parquet(Sandbox::new(), code).file("workflow.yaml", echo("{parquet: '*.parquet'}", ""));
    sandbox.run(&["--incremental=content"]).exits_with(0);
    // One is written anew with the same rows, the other has a row more.
    let code = "
pq.write_table(pa.table({'n': [1, 2]}), 'a.parquet')
pq.write_table(pa.table({'n': [1, 2, 3]}), 'b.parquet')";
    let sandbox = parquet(sandbox, code);
    sandbox.run(&["--incremental=content"]).exits_with(0).says(&["1 of 5 items will run"]);
}

#[test]
fn a_file_with_any_other_byte_in_its_footer_is_read_or_fails_and_the_others_are_read() {
    let code = "
table = pa.table({'n': pa.array([1, 2, 3], pa.int64()), 'l': [['a'], [], ['b', 'c']]})
pq.write_table(table, 'whole.parquet', store_schema=False)
whole = open('whole.parquet', 'rb').read()
footer = int.from_bytes(whole[-8:-4], 'little')
import os; os.mkdir('in')
open('in/z.parquet', 'wb').write(whole)
for at in range(len(whole) - footer - 8, len(whole)):
    for change in [0x80, 0xff]:
        changed = bytes([whole[at] ^ change])
        open(f'in/{at:05}-{change:02x}.parquet', 'wb').write(whole[:at] + changed + whole[at + 1:])";
    let items = "{parquet: 'in/*.parquet', on_schema_drift: group}";
    let sandbox = parquet(Sandbox::with(&echo(items, "continue_on_error: true\nbatch_size: 100")), code);
    let ended = sandbox.limited(6 << 20, &["run", "workflow.yaml", "--progress", "none"]).exits_with(1);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    let whole = json!({"n": 3, "l": ["b", "c"]});
    assert_eq!(sandbox.results("work").last(), Some(&whole));
    assert!(sandbox.failures().iter().all(|failure| failure["type"] == "BadFile"));
}
