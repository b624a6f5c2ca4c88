//! How files of results are written: compression, the options of CSV, columns, and results that are null.

use crate::support::{Sandbox, python};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A batch step whose items become what `value` makes of them, with these outputs.
fn step(items: &str, value: &str, outputs: &str) -> String {
    format!(
        "
steps:
  - name: make
    for_each: {items}
    task: python
    inputs:
      code: |
        return {value}
    outputs: {outputs}
"
    )
}

const RECORDS: &str = "{'id': item, 'name': f'n\u{e4};{item}', 'none': None}";

/// Prints what `code` makes of the file in `path`.
fn read(sandbox: &Sandbox, code: &str, path: &str) -> String {
    let code = format!("import sys, csv, gzip, json\nimport pyarrow as pa\npath = sys.argv[1]\n{code}");
    let output = Command::new(python()).args(["-c", &code, path]).current_dir(sandbox.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const GUNZIP: &str = "sys.stdout.write(gzip.open(path, 'rt', encoding='utf-8').read())";
const UNZSTD: &str = "sys.stdout.buffer.write(pa.input_stream(path, compression='zstd').read())";
const PLAIN: &str = "sys.stdout.write(open(path, encoding='utf-8').read())";

#[test]
#[ignore = "heavy: takes seconds"]
fn a_file_is_compressed_as_its_name_says_or_the_workflow() {
    let csv = "id,name,none\n1,n\u{e4};1,\n2,n\u{e4};2,";
    let jsonl = "{\"id\":1,\"name\":\"n\u{e4};1\",\"none\":null}\n{\"id\":2,\"name\":\"n\u{e4};2\",\"none\":null}";
    for (path, more, code, expected) in [
        ("o.csv.gz", "", GUNZIP, csv),
        ("o.CSV.GZ", "", GUNZIP, csv),
        ("o.csv.gz", ", format: jsonl", GUNZIP, jsonl),
        ("o.csv.zst", "", UNZSTD, csv),
        ("o.jsonl.gz", "", GUNZIP, jsonl),
        ("o.jsonl.zst", "", UNZSTD, jsonl),
        ("o.jsonl", ", compression: zstd", UNZSTD, jsonl),
        ("o.gz", ", format: csv, compression: none", PLAIN, csv),
        ("o.zst", ", format: csv, compression: gzip", GUNZIP, csv),
        ("o.jsonl.gz", ", columns: [id, name, none]", GUNZIP, jsonl),
    ] {
        let sandbox = Sandbox::with(&step("[1, 2]", RECORDS, &format!("{{path: {path}{more}}}")));
        sandbox.run(&[]).exits_with(0).says(&[&format!("2 records written to `{path}`")]);
        assert_eq!(read(&sandbox, code, path), expected, "{path}{more}");
        let again = sandbox.batchmill(&["resume"]).exits_with(0);
        assert!(!again.stderr.contains("written"), "{}", again.stderr);
    }
}

#[test]
fn a_path_that_is_known_late_tells_the_compression_too() {
    let workflow = format!("params: {{to: o.csv.gz}}\n{}", step("[1, 2]", "item", "{path: '{{ to }}', format: csv}"));
    let sandbox = Sandbox::with(&workflow);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(read(&sandbox, GUNZIP, "o.csv.gz"), "value\n1\n2");
    sandbox.batchmill(&["resume", "latest", "to=o.csv"]).exits_with(0);
    assert_eq!(sandbox.read("o.csv"), "value\n1\n2\n");
    let parquet = Sandbox::with(&workflow.replace("format: csv", "format: parquet"));
    let said = "`path` is `o.csv.gz`, but a Parquet file is compressed inside; use the extension `.parquet`";
    parquet.run(&[]).exits_with(2).says(&[said, "workflow.yaml:"]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_file_is_written_again_if_it_is_to_be_written_otherwise_or_was_changed() {
    let workflow = |more: &str| step("[1, 2]", RECORDS, &format!("{{path: o.csv.gz{more}}}"));
    let sandbox = Sandbox::with(&workflow(""));
    sandbox.run(&[]).exits_with(0);
    let again = |sandbox: &Sandbox| sandbox.batchmill(&["resume"]).exits_with(0).stderr.contains("written");
    let mut sandbox = sandbox;
    for more in [", delimiter: ';'", ", quote: all", ", bom: true", ", columns: [id]", ", compression: none", ""] {
        sandbox = sandbox.file("workflow.yaml", workflow(more));
        assert!(again(&sandbox), "{more}");
        assert!(!again(&sandbox), "{more}");
    }
    fs::write(sandbox.path().join("o.csv.gz"), "mine").unwrap();
    assert!(again(&sandbox));
    assert!(read(&sandbox, GUNZIP, "o.csv.gz").starts_with("id,name,none"));
}

#[test]
fn parts_are_compressed_and_replace_parts_that_are_not() {
    let sandbox = Sandbox::with(&step("[1, 2]", "item", "{path: out/, format: jsonl, parts: true}"));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.read("out/part-00000.jsonl"), "1\n2\n");
    let outputs = "{path: out/, format: csv, parts: true, compression: zstd}";
    let sandbox = sandbox.file("workflow.yaml", step("[1, 2]", "item", outputs));
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(read(&sandbox, UNZSTD, "out/part-00000.csv.zst"), "value\n1\n2");
    assert_eq!(fs::read_dir(sandbox.path().join("out")).unwrap().count(), 1);
    let sandbox = sandbox.file("workflow.yaml", step("[1, 2]", "item", "{path: out/, format: parquet, parts: true}"));
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert!(sandbox.exists("out/part-00000.parquet"));
}

#[test]
fn a_file_keeps_the_mode_of_the_one_it_replaces() {
    for (name, value) in [("o.jsonl", "item"), ("o.csv", "item"), ("o.parquet", "item")] {
        let sandbox = Sandbox::with(&step("[1, 2]", value, &format!("{{path: {name}}}"))).file(name, "old");
        let path = sandbox.path().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        sandbox.run(&[]).exits_with(0);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640, "{name}");
        assert_ne!(fs::read(&path).unwrap(), b"old");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn csv_is_written_as_its_options_say() {
    let value = r#"[{'a': 'x;"y"', 'b': None, 'c': 1.5}, {'a': 'tab\t,', 'c': [1, 'z']}, {'a': '', 'b': True}][item]"#;
    let rows = "print(list(csv.reader(open(path, encoding=ENC, newline=''), delimiter=DEL)))";
    let rows = |encoding: &str, delimiter: &str| {
        rows.replace("ENC", &format!("'{encoding}'")).replace("DEL", &format!("'{delimiter}'"))
    };
    let fields = |null: &str| {
        format!(
            r#"[['a', 'b', 'c'], ['x;"y"', '{null}', '1.5'], ['tab\t,', '{null}', '[1,"z"]'], ['', 'true', '{null}']]"#
        )
    };
    for (more, encoding, delimiter, null) in [
        ("", "utf-8", ",", ""),
        (", delimiter: ';'", "utf-8", ";", ""),
        (", delimiter: tab, null: NA", "utf-8", r"\t", "NA"),
        (", quote: all, null: '\\N'", "utf-8", ",", r"\\N"),
        (", bom: true, delimiter: '|'", "utf-8-sig", "|", ""),
    ] {
        let sandbox = Sandbox::with(&step("{range: 3}", value, &format!("{{path: o.csv{more}}}")));
        sandbox.run(&[]).exits_with(0);
        assert_eq!(read(&sandbox, &rows(encoding, delimiter), "o.csv"), fields(null), "{more}");
        let bytes = fs::read(sandbox.path().join("o.csv")).unwrap();
        assert_eq!(bytes.starts_with(b"\xEF\xBB\xBF"), more.contains("bom"), "{more}");
        assert_eq!(bytes.starts_with(b"\"a\",\"b\",\"c\"\n\"x;"), more.contains("quote"), "{more}");
    }
}

#[test]
fn columns_are_those_that_are_named_in_their_order() {
    let value = "{'a': item, 'b': {'x': [item]}, 'c': 'c' if item else 0} if item < 2 else item";
    let said = "warning: no record has the column `gone` of `outputs`, so it is empty";
    let outputs = |path: &str| format!("{{path: {path}, columns: [gone, b, a]}}");
    let run = |path: &str| {
        let sandbox = Sandbox::with(&step("{range: 3}", value, &outputs(path)));
        let ended = sandbox.run(&[]).exits_with(0).says(&[said, "3 records written"]);
        assert_eq!(ended.stderr.matches("no record has").count(), 1);
        sandbox
    };
    let expected = "gone,b,a\n,\"{\"\"x\"\":[0]}\",0\n,\"{\"\"x\"\":[1]}\",1\n,,\n";
    assert_eq!(run("o.csv").read("o.csv"), expected);
    let expected = "{\"gone\":null,\"b\":{\"x\":[0]},\"a\":0}\n{\"gone\":null,\"b\":{\"x\":[1]},\"a\":1}\n\
                    {\"gone\":null,\"b\":null,\"a\":null}\n";
    assert_eq!(run("o.jsonl").read("o.jsonl"), expected);
    let rows = "import pyarrow.parquet\nprint(json.dumps(pyarrow.parquet.read_table(path).to_pylist()))";
    let expected = r#"[{"gone": null, "b": {"x": [0]}, "a": 0}, {"gone": null, "b": {"x": [1]}, "a": 1}, {"gone": null, "b": null, "a": null}]"#;
    assert_eq!(read(&run("o.parquet"), rows, "o.parquet"), expected);
}

#[test]
fn columns_of_data_frames_are_those_that_are_named_in_their_order() {
    let workflow = "
steps:
  - name: make
    for_each: {range: 300}
    batch_size: 150
    batched: true
    task: python
    inputs:
      code: |
        import pandas as pd
        return pd.DataFrame({'day': pd.Timestamp('2024-01-02'), 'n': item, 'more': 'x'})
    outputs: {path: o.parquet, columns: [gone, n, day]}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0).says(&["no record has the column `gone`", "300 records written"]);
    let code = "import pyarrow.parquet\nt = pyarrow.parquet.read_table(path)\n\
                print(t.num_rows, [(f.name, str(f.type).split('[')[0]) for f in t.schema], t['n'][151].as_py())";
    let expected = "300 [('gone', 'null'), ('n', 'int64'), ('day', 'timestamp')] 151";
    assert_eq!(read(&sandbox, code, "o.parquet"), expected);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_null_result_is_no_row_and_its_count_is_said() {
    let value = "[{'a': 1}, None, {'a': None}, None][item]";
    let run = |outputs: &str, said: &str| {
        let sandbox = Sandbox::with(&step("{range: 4}", value, outputs));
        let ended = sandbox.run(&[]).exits_with(0).says(&[said]);
        assert_eq!(ended.stderr.contains("left out"), said.contains("left out"), "{}", ended.stderr);
        assert_eq!(sandbox.results("make").len(), 4);
        sandbox
    };
    let sandbox = run("{path: o.csv}", "2 records written to `o.csv`, 2 null results left out");
    assert_eq!(sandbox.read("o.csv"), "a\n1\n\"\"\n");
    let sandbox = run("{path: o.parquet}", "2 records written to `o.parquet`, 2 null results left out");
    let rows = "import pyarrow.parquet\nprint(pyarrow.parquet.read_table(path).to_pylist())";
    assert_eq!(read(&sandbox, rows, "o.parquet"), "[{'a': 1}, {'a': None}]");
    let sandbox = run("{path: o.jsonl}", "4 records written to `o.jsonl`");
    assert_eq!(sandbox.read("o.jsonl"), "{\"a\":1}\nnull\n{\"a\":null}\nnull\n");
    let sandbox = run("{path: o.jsonl, drop_null: true}", "2 records written to `o.jsonl`, 2 null results left out");
    assert_eq!(sandbox.read("o.jsonl"), "{\"a\":1}\n{\"a\":null}\n");
}

#[test]
fn null_elements_of_a_batch_or_of_a_list_are_no_rows_either() {
    let workflow = "
steps:
  - name: batch
    for_each: {range: 4}
    batch_size: 2
    batched: true
    task: python
    inputs: {code: \"return [None if n % 2 else {'n': n} for n in item]\"}
    outputs: {path: batch.csv}
  - name: once
    task: python
    inputs: {code: \"return [None, {'n': 1}]\"}
    outputs: {path: once.csv}
  - name: none
    task: python
    inputs: {code: return None}
    outputs: {path: none.csv}
  - name: after
    task: echo
    inputs: {message: '{{ steps.batch.result | length }} {{ steps.once.result }}'}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0).says(&[
        "2 records written to `batch.csv`, 2 null results left out",
        "1 record written to `once.csv`, 1 null result left out",
        "0 records written to `none.csv`, 1 null result left out",
        r#"after: 4 [null,{"n":1}]"#,
    ]);
    assert_eq!(sandbox.read("batch.csv"), "n\n0\n2\n");
    assert_eq!(sandbox.read("none.csv"), "");
}

#[test]
fn wrong_options_of_outputs_are_errors_with_a_way_out() {
    for (outputs, said, help) in [
        ("{path: o.jsonl, delimiter: ';'}", "`delimiter` cannot be used with JSON Lines", "`format: csv`"),
        ("{path: o.jsonl, bom: true}", "`bom` cannot be used with JSON Lines", "`format: csv`"),
        ("{path: o.parquet, quote: all}", "`quote` cannot be used with Parquet", "`format: csv`"),
        ("{path: o.parquet, compression: gzip}", "`compression` cannot be used with Parquet", "compressed inside"),
        ("{path: o.csv, drop_null: true}", "`drop_null` cannot be used with CSV", "a null result is never a row"),
        ("{path: o.parquet.gz}", "`path` ends in `.gz`, but a Parquet file", "use the extension `.parquet`"),
        ("{path: o.zst, format: parquet}", "`path` ends in `.zst`", "use the extension `.parquet`"),
        ("{path: o.csv, delimiter: '\"'}", "`delimiter` cannot be `\"`", "';'"),
        ("{path: o.csv, delimiter: '::'}", "`delimiter` must be one ASCII character", "delimiter: ';'"),
        ("{path: o.csv, null: 'n,a'}", "`null` contains the delimiter", "`NA`"),
        ("{path: o.csv, delimiter: ';', null: 'n;a'}", "`null` contains the delimiter", "`NA`"),
        ("{path: o.csv, null: '\"'}", "`null` contains a quote", "`NA`"),
        ("{path: o.csv, null: 1}", "`null` must be a string", "quote the value"),
        ("{path: o.csv, quote: none}", "unknown value `none` for `quote`", "`minimal` or `all`"),
        ("{path: o.csv, compression: xz}", "unknown value `xz` for `compression`", "`zstd`"),
        ("{path: o.csv, columns: [a, b, a]}", "`columns` contains `a` twice", "remove one of them"),
        ("{path: o.csv, columns: []}", "`columns` is empty", "remove it to write all columns"),
        ("{path: o.csv, columns: a}", "`columns` must be a list of column names", "[id, name]"),
        ("{path: o.csv, columns: ['{{ a }}']}", "`columns` cannot contain a template", "write the name itself"),
        ("{name: x, columns: [a]}", "`columns` requires `path`", ""),
    ] {
        let sandbox = Sandbox::with(&step("[1]", "item", outputs));
        sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&[said, help, "workflow.yaml:"]);
    }
}

#[test]
fn stdout_gets_the_data_alone() {
    let workflow = "
steps:
  - name: make
    for_each: {range: 3}
    task: python
    inputs:
      code: |
        import os
        print('printed', flush=True)
        os.write(1, b'written\\n')
        return {'n': item} if item != 1 else None
    outputs: {path: '-', format: csv}
  - name: say
    task: shell
    inputs: {command: echo said}
  - name: show
    task: echo
    inputs: {message: shown}
";
    let sandbox = Sandbox::with(workflow);
    let ended = sandbox.run(&[]).exits_with(0);
    assert_eq!(ended.stdout, "n\n0\n2\n");
    let ended = ended.says(&["2 records written to stdout, 1 null result left out", "succeeded", "shown"]);
    assert!(!ended.stderr.contains("`-`"), "{}", ended.stderr);
    assert!(!sandbox.exists("-"));
    // It is data for whoever reads stdout now, so a finished run gives it again.
    let sandbox = sandbox.file("-", "mine");
    assert_eq!(sandbox.batchmill(&["resume"]).exits_with(0).stdout, "n\n0\n2\n");
    assert_eq!(sandbox.read("-"), "mine");
    assert_eq!(sandbox.run(&["--progress", "json"]).exits_with(0).stdout, "n\n0\n2\n");
    assert_eq!(sandbox.run(&["--quiet"]).exits_with(0).stdout, "n\n0\n2\n");
    let gzip = sandbox.file("workflow.yaml", workflow.replace("format: csv", "format: jsonl, compression: gzip"));
    let mut command = gzip.command(&["run", "workflow.yaml"]);
    let output = command.output().unwrap();
    fs::write(gzip.path().join("o.gz"), output.stdout).unwrap();
    assert_eq!(read(&gzip, GUNZIP, "o.gz"), "{\"n\":0}\nnull\n{\"n\":2}");
}

#[test]
fn stdout_has_one_owner() {
    let sandbox = Sandbox::with(&step("[1]", "item", "{path: '-', format: csv}"));
    let said = "`--format json` and `outputs` of step `make` both write to stdout";
    sandbox.run(&["--format", "json"]).exits_with(2).says(&[said, "remove `--format json`"]);
    let said = "`--events` and `outputs` of step `make` both write to stdout";
    sandbox.run(&["--events", "-"]).exits_with(2).says(&[said, "`--events events.jsonl`"]);
    let second = "
  - name: second
    task: echo
    inputs: {message: 1}
    outputs: {path: '-', format: csv}
";
    let twice = Sandbox::with(&(step("[1]", "item", "{path: '-', format: csv}") + second));
    twice.run(&[]).exits_with(2).says(&["`path` is already used by another step", "first used here"]);
    // What is known only when the steps run.
    let late = second.replace("'-'", "'{{ to }}'");
    let twice =
        Sandbox::with(&format!("params: {{to: '-'}}\n{}{late}", step("[1]", "item", "{path: '-', format: csv}")));
    let ended = twice.run(&[]).says(&["step `make` of this run also writes to stdout"]);
    assert_eq!((ended.code, &*ended.stdout), (Some(3), "value\n1\n"));
}

#[test]
fn a_reader_of_stdout_that_has_enough_is_no_failure() {
    let sandbox = Sandbox::with(&step("{range: 20}", "'x' * 100000", "{path: '-', format: jsonl}"));
    let mut engine = sandbox.command(&["run", "workflow.yaml"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = engine.stdout(writer).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(engine);
    let output = output.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("the reader of stdout has closed it"), "{said}");
}

#[test]
fn what_stdout_cannot_take_is_an_error_with_a_way_out() {
    for (outputs, said, help) in [
        ("{path: '-'}", "`path` is stdout, which has no file extension", "`format: csv`"),
        ("{path: '-', format: parquet}", "`path` is stdout, which Parquet cannot be written to", "`format: csv`"),
        (
            "{path: '-', format: csv, parts: true}",
            "`path` is stdout, but `parts` requires a directory",
            "remove `parts`",
        ),
    ] {
        let sandbox = Sandbox::with(&step("[1]", "item", outputs));
        sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&[said, help, "workflow.yaml:"]);
    }
    let late = format!("params: {{to: '-'}}\n{}", step("[1]", "item", "{path: '{{ to }}', format: parquet}"));
    Sandbox::with(&late).run(&[]).exits_with(2).says(&["`path` is `-`, which is stdout", "workflow.yaml:"]);
}

#[test]
fn a_closed_stdout_is_an_error_and_dev_null_is_not() {
    let sandbox = Sandbox::with(&step("[1]", "item", "{path: '-', format: csv}"));
    let run = |redirection: &str| {
        let plain = sandbox.command(&["run", "workflow.yaml"]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec \"$0\" \"$@\" {redirection}")]).arg(plain.get_program());
        command.args(plain.get_args()).current_dir(sandbox.path());
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.output().unwrap()
    };
    let closed = run(">&-");
    let stderr = String::from_utf8_lossy(&closed.stderr);
    assert_eq!(closed.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("cannot write stdout: it is closed; redirect it, or name a file in `path`"), "{stderr}");
    assert!(!stderr.contains("written to stdout"), "{stderr}");
    assert_eq!(run("> /dev/null").status.code(), Some(0));
}
