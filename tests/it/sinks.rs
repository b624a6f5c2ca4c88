//! Results as files: whole or not at all, in item order, and written again when they have to be.

use crate::support::{Sandbox, python};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A batch step whose items 1 to 4 become their squares, unless the folder `broken` is there.
const SQUARES: &str = "
params:
  to: out/squares.jsonl
steps:
  - name: square
    task: batch
    inputs:
      items: {range: [1, 5]}
      max_parallel: 2
      task: {type: shell, command: 'echo {{ item }} >> ran; test ! -e broken || test {{ item }} != 3'}
    outputs: {name: squares, path: '{{ to }}', format: jsonl}
";

impl Sandbox {
    /// What stands in a folder, sorted.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path().join(folder)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn results_are_written_in_item_order_when_the_step_has_ended() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: count
    for_each: {range: 200}
    max_parallel: 2
    retry: {max_attempts: 2, delay: 0}
    task: shell
    inputs:
      command: 'test {{ batch.attempt }} = 2 || test $(( {{ item }} % 7 )) != 0 || exit 1; echo {{ item }}'
    outputs: {name: counted, path: 'out/deep/{{ run.name }}.jsonl'}
  - name: show
    task: echo
    inputs: {message: '{{ counted | length }}'}
    outputs: {path: message.ndjson}
",
    );
    let ended = sandbox.run(&[]).exits_with(0).says(&["count: 200 records written to `out/deep/workflow.jsonl`"]);
    assert!(ended.stderr.contains("show: 1 record written"), "{}", ended.stderr);
    let lines: Vec<String> = sandbox.read("out/deep/workflow.jsonl").lines().map(str::to_owned).collect();
    let expected: Vec<_> = (0..200).map(|at| format!(r#"{{"stdout":"{at}","stderr":"","exit_code":0}}"#)).collect();
    assert_eq!(lines, expected);
    assert_eq!(sandbox.read("message.ndjson"), "200\n");
    assert_eq!(sandbox.names("out/deep"), ["workflow.jsonl"]);
}

#[test]
fn the_list_of_a_plain_step_is_its_records() {
    let workflow = "steps: {a: {type: echo, inputs: {message: [1, {b: [2]}, 'x, y']}, outputs: {path: a.jsonl}}}";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.read("a.jsonl"), "1\n{\"b\":[2]}\n\"x, y\"\n");
}

#[test]
fn a_step_that_fails_leaves_the_file_of_before_and_resume_writes_the_new_one() {
    let sandbox = Sandbox::with(SQUARES).file("out/squares.jsonl", "old\n").file("broken", "");
    sandbox.run(&[]).exits_with(3);
    assert_eq!(sandbox.read("out/squares.jsonl"), "old\n");
    assert_eq!(sandbox.names("out"), ["squares.jsonl"]);
    fs::remove_file(sandbox.path().join("broken")).unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.read("out/squares.jsonl").lines().count(), 4);
}

#[test]
fn tolerated_failures_do_not_keep_the_file_back() {
    let sandbox = Sandbox::with(&SQUARES.replace("max_parallel: 2", "continue_on_error: true")).file("broken", "");
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.read("out/squares.jsonl").lines().count(), 3);
    fs::remove_file(sandbox.path().join("broken")).unwrap();
    sandbox.batchmill(&["retry"]).exits_with(0);
    assert_eq!(sandbox.read("out/squares.jsonl").lines().count(), 4);
}

#[test]
fn a_file_that_cannot_be_written_fails_the_step_and_resume_writes_it_without_running_anything() {
    let sandbox = Sandbox::with(SQUARES).file("out", "a file where a folder is needed");
    let ended =
        sandbox.run(&[]).exits_with(3).says(&["OutputError: cannot write `out/squares.jsonl`", "batchmill resume"]);
    assert!(ended.stderr.contains("exists") || ended.stderr.contains("directory"), "{}", ended.stderr);
    assert_eq!(sandbox.results("square").len(), 4);
    fs::remove_file(sandbox.path().join("out")).unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["4 records written to `out/squares.jsonl`"]);
    assert_eq!(sandbox.read("out/squares.jsonl").lines().count(), 4);
    assert_eq!(sandbox.read("ran").lines().count(), 4);
}

#[test]
fn a_folder_at_the_path_is_not_replaced() {
    let sandbox = Sandbox::with(SQUARES).file("out/squares.jsonl/mine", "");
    sandbox.run(&[]).exits_with(3).says(&["OutputError: cannot write `out/squares.jsonl`: it is a directory"]);
    assert!(sandbox.exists("out/squares.jsonl/mine"));
}

#[test]
fn a_finished_step_writes_again_only_what_is_gone_or_asked_for_otherwise() {
    let sandbox = Sandbox::with(SQUARES);
    sandbox.run(&[]).exits_with(0);
    let quiet =
        |sandbox: &Sandbox, arguments: &[&str]| !sandbox.batchmill(arguments).exits_with(0).stderr.contains("written");
    assert!(quiet(&sandbox, &["resume"]));
    fs::remove_file(sandbox.path().join("out/squares.jsonl")).unwrap();
    assert!(!quiet(&sandbox, &["resume"]));
    assert!(!quiet(&sandbox, &["run", "workflow.yaml", "--resume", "to=other.jsonl"]));
    assert_eq!(sandbox.read("out/squares.jsonl"), sandbox.read("other.jsonl"));
    // Every one of these executions found all items done.
    assert_eq!(sandbox.read("ran").lines().count(), 4);
}

#[test]
fn a_path_that_cannot_be_rendered_stops_the_step_before_its_first_item() {
    let sandbox = Sandbox::with(SQUARES);
    sandbox.run(&["to="]).exits_with(2).says(&["`path` is not a path", "workflow.yaml:"]);
    assert!(!sandbox.exists("ran"));
    let unknown = Sandbox::with(&SQUARES.replace("{{ to }}", "{{ two }}"));
    unknown.run(&[]).exits_with(2).says(&["`two` is not defined", "workflow.yaml:11:"]);
}

#[test]
fn a_file_grows_while_its_results_come_and_is_in_place_at_the_end_only() {
    let workflow = "
steps:
  - name: work
    for_each: {range: 3}
    max_parallel: 1
    task: shell
    inputs:
      command: |
        test {{ item }} = 2 || { echo {{ item }}; exit; }
        while [ \"$(cat .out.jsonl.*.part 2>/dev/null | wc -l)\" -lt 1 ]; do sleep 0.01; done
        test ! -e out.jsonl && echo grew
    outputs: {path: out.jsonl}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0).says(&["work: 3 records written to `out.jsonl`"]);
    let said = |text: &str| format!("{{\"stdout\":\"{text}\",\"stderr\":\"\",\"exit_code\":0}}\n");
    assert_eq!(sandbox.read("out.jsonl"), ["0", "1", "grew"].map(said).concat());
    assert_eq!(sandbox.names("."), [".batchmill", "out.jsonl", "workflow.yaml"]);
}

#[test]
fn a_file_that_had_begun_is_made_anew_where_an_item_fails() {
    let sandbox = Sandbox::with(&SQUARES.replace("{range: [1, 5]}", "{range: [1, 5]}\n      continue_on_error: true"));
    let sandbox = sandbox.file("broken", "");
    sandbox.run(&[]).exits_with(1).says(&["square: 3 records written"]);
    assert_eq!(sandbox.read("out/squares.jsonl").lines().count(), 3);
    assert_eq!(sandbox.names("out"), ["squares.jsonl"]);
    fs::remove_file(sandbox.path().join("broken")).unwrap();
    sandbox.batchmill(&["retry"]).exits_with(0);
    assert_eq!(sandbox.read("out/squares.jsonl").lines().count(), 4);
}

#[test]
fn a_killed_run_leaves_what_was_there_and_its_scraps_are_cleared_away() {
    let workflow = SQUARES.replace("echo {{ item }} >> ran;", "echo {{ item }} >> ran; test -e go || kill -9 $PPID;");
    let sandbox = Sandbox::with(&workflow).file("out/squares.jsonl", "old\n");
    let sandbox = sandbox.file("out/squares.jsonl.2024.part", "mine").file("out/squares.jsonl.7.part/mine", "");
    assert_eq!(sandbox.run(&[]).code, None);
    assert_eq!(sandbox.read("out/squares.jsonl"), "old\n");
    let sandbox = sandbox.file("go", "");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.names("out"), ["squares.jsonl", "squares.jsonl.2024.part", "squares.jsonl.7.part"]);
    assert_eq!(sandbox.names("out/squares.jsonl.7.part"), ["mine"]);
    assert_eq!(sandbox.read("out/squares.jsonl").lines().count(), 4);
}

/// Prints what `code` makes of the file in `path` with pandas.
fn pandas(sandbox: &Sandbox, code: &str, path: &str) -> String {
    let code = format!("import sys, pandas as pd\npath = sys.argv[1]\nprint({code})");
    let output = Command::new(python()).args(["-c", &code, path]).current_dir(sandbox.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn csv_has_a_column_for_every_key_and_other_programs_read_it() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: make
    for_each: [1, 2, 3]
    task: python
    inputs:
      code: |
        records = {1: {'id': 2**70, 'text': 'a, \"b\"\\nc'}, 2: {'id': 2, 'more': {'deep': [1, None]}}, 3: None}
        return records[item]
    outputs: {path: made.csv}
",
    );
    sandbox.run(&[]).exits_with(0);
    let expected = "id,text,more\n1180591620717411303424,\"a, \"\"b\"\"\nc\",\n2,,\"{\"\"deep\"\":[1,null]}\"\n";
    assert_eq!(sandbox.read("made.csv"), expected);
    let read = pandas(&sandbox, "pd.read_csv(path, dtype=str).fillna('-').values.tolist()", "made.csv");
    assert!(read.contains(r#"'a, "b"\nc'"#) && read.contains(r#"'{"deep":[1,null]}'"#), "{read}");
}

#[test]
fn parts_hold_a_million_records_at_most_and_replace_nothing_but_parts() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: make
    task: batch
    inputs:
      items: {range: 3}
      batched: true
      task: {type: python, code: 'return list(range(item[0] * 400000, (item[0] + 1) * 400000))'}
    outputs: {path: out/data/, format: jsonl, parts: true}
",
    );
    let sandbox = sandbox.file("out/data/notes.txt", "mine").file("out/data/part-00007.jsonl", "old");
    let said = "OutputError: cannot write `out/data/`: the directory contains `notes.txt`";
    sandbox.run(&[]).exits_with(3).says(&[said]);
    assert_eq!(sandbox.names("out/data"), ["notes.txt", "part-00007.jsonl"]);
    fs::remove_file(sandbox.path().join("out/data/notes.txt")).unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["1200000 records written to `out/data/`"]);
    assert_eq!(sandbox.names("out"), ["data"]);
    assert_eq!(sandbox.names("out/data"), ["part-00000.jsonl", "part-00001.jsonl"]);
    assert_eq!(sandbox.read("out/data/part-00000.jsonl").lines().count(), 1_000_000);
    let second = sandbox.read("out/data/part-00001.jsonl");
    assert!(second.starts_with("1000000\n") && second.ends_with("\n1199999\n"));
}

/// The rows of a Parquet file as JSON.
const ROWS: &str = "__import__('json').dumps(__import__('pyarrow.parquet').parquet.read_table(path).to_pylist(), \
                    separators=(',', ':'))";

/// A batch step whose items become the values of the Python expression `value`, written as Parquet.
fn to_parquet(items: &str, value: &str) -> Sandbox {
    Sandbox::with(&format!(
        "
steps:
  - name: make
    for_each: {items}
    continue_on_error: true
    task: python
    inputs:
      code: |
        return {value}
    outputs: {{path: made.parquet}}
"
    ))
}

#[test]
#[ignore = "heavy: takes seconds"]
fn parquet_keeps_types_and_other_programs_read_it() {
    let value = "{'id': item, 'half': item if item == 2 else item / 2, 'name': None if item == 2 else f'n{item}', \
                 'list': [[], [1, None], []][item % 3], 'deep': {'x': [{'y': True}]}, 'nothing': None}";
    let sandbox = to_parquet("[1, 2, 3]", value);
    sandbox.run(&[]).exits_with(0);
    let types = pandas(&sandbox, "{k: str(v) for k, v in pd.read_parquet(path).dtypes.items()}", "made.parquet");
    assert!(types.contains("'id': 'int64', 'half': 'float64'"), "{types}");
    let rows = pandas(&sandbox, ROWS, "made.parquet");
    let expected = r#"[{"id":1,"half":0.5,"name":"n1","list":[1,null],"deep":{"x":[{"y":true}]},"nothing":null},"#
        .to_owned()
        + r#"{"id":2,"half":2.0,"name":null,"list":[],"deep":{"x":[{"y":true}]},"nothing":null},"#
        + r#"{"id":3,"half":1.5,"name":"n3","list":[],"deep":{"x":[{"y":true}]},"nothing":null}]"#;
    assert_eq!(rows, expected);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn parquet_takes_values_that_are_no_mappings_and_no_records_at_all() {
    let sandbox = to_parquet("[1, 2, 3]", "[7, None, {'value': 8, 'more': 'x'}][item - 1]");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(pandas(&sandbox, ROWS, "made.parquet"), r#"[{"value":7,"more":null},{"value":8,"more":"x"}]"#);
    let sandbox = to_parquet("[1]", "1 / 0");
    sandbox.run(&[]).exits_with(1).says(&["make: 0 records written"]);
    assert_eq!(pandas(&sandbox, "len(pd.read_parquet(path))", "made.parquet"), "0");
    let sandbox = to_parquet("[1, 2, 3]", "{}");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(pandas(&sandbox, ROWS, "made.parquet"), r#"[{"value":null},{"value":null},{"value":null}]"#);
}

#[test]
fn records_that_parquet_cannot_hold_are_named_and_the_mended_workflow_writes_them() {
    for (value, said) in [
        (
            "{'a': {'b': item if item < 3 else 'three'}}",
            "column `a.b` is an integer in the result of item 0 but a string in the result of item 2",
        ),
        ("{'n': 2 ** 63 - 3 + item}", "column `n`, the result of item 2: integer exceeds the signed 64-bit range"),
        ("{'n': 10 ** 30 * item}", "column `n`, the result of item 0: integer exceeds the signed 64-bit range"),
    ] {
        let sandbox = to_parquet("[1, 2, 3]", value).file("made.parquet", "old");
        sandbox.run(&[]).exits_with(3).says(&["OutputError: cannot write `made.parquet`", said]);
        assert_eq!(sandbox.read("made.parquet"), "old");
        let mended = sandbox.read("workflow.yaml").replace("made.parquet", "made.csv");
        let sandbox = sandbox.file("workflow.yaml", mended);
        sandbox.batchmill(&["resume"]).exits_with(0);
        assert_eq!(sandbox.read("made.csv").lines().count(), 4);
    }
}

#[test]
fn files_of_items_are_kept_where_they_succeed_and_deleted_where_they_fail() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: thumbs
    for_each: [a, b, c]
    max_parallel: 2
    continue_on_error: true
    retry: {max_attempts: 2, delay: 0}
    task: shell
    inputs:
      command: |
        test -z \"$(ls -A \"$BATCHMILL_ITEM_DIR\")\" || exit 9
        mkdir {{ item_dir }}/deep
        echo {{ item }} {{ batch.attempt }} > \"$BATCHMILL_ITEM_DIR/deep/{{ item }}.txt\"
        test {{ item }} != c || exit 1
        test {{ batch.attempt }} = 2 || test {{ item }} != b
  - name: made
    for_each: [1, 2]
    batch_size: 2
    task: python
    inputs:
      code: |
        (item_dir / f'{item}.txt').write_text(str(item))
        return item_dir.exists()
    outputs: {item_files: 'kept/{{ run.name }}'}
  - name: batched
    for_each: [1, 2, 3]
    batch_size: 2
    task: python
    batched: true
    inputs:
      code: |
        open(f'{where}/{item[0]}.txt', 'w').write(str(item))
        return item
      where: '{{ item_dir }}'
",
    );
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.names("out/thumbs/deep"), ["a.txt", "b.txt"]);
    assert_eq!(sandbox.read("out/thumbs/deep/b.txt"), "b 2\n");
    assert_eq!(sandbox.names("kept/workflow"), ["1.txt", "2.txt"]);
    assert_eq!(sandbox.names("out/batched"), ["1.txt", "3.txt"]);
    assert_eq!(sandbox.results("made"), [true, true]);
    assert_eq!(sandbox.results("batched"), [1, 2, 3]);
    let run = &sandbox.names(".batchmill/runs")[0];
    assert!(sandbox.names(&format!(".batchmill/runs/{run}/items")).is_empty());
}

#[test]
fn the_second_item_that_claims_a_path_fails_also_in_a_later_execution() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: make
    for_each: [a, b, c]
    continue_on_error: true
    task: shell
    inputs: {command: 'test {{ item }} != c || test -e mended || exit 1; echo {{ item }} > $BATCHMILL_ITEM_DIR/same'}
  - name: python
    for_each: [a, b]
    batch_size: 2
    continue_on_error: true
    task: python
    inputs:
      code: |
        (item_dir / 'same').write_text(item)
        return item
",
    );
    sandbox.run(&[]).exits_with(1);
    let failures = sandbox.failures();
    assert_eq!(failures.len(), 3);
    assert_eq!(failures[0]["type"], "ItemFileClash");
    assert_eq!(failures[0]["error"], "item 1 wrote `out/make/same`, but item 0 already wrote that file");
    assert_eq!(failures[2]["type"], "ItemFileClash");
    assert_eq!(sandbox.results("python"), ["a"]);
    let sandbox = sandbox.file("mended", "");
    sandbox.batchmill(&["resume"]).exits_with(1);
    let failures = sandbox.failures();
    assert_eq!(failures[1]["error"], "item 2 wrote `out/make/same`, but item 0 already wrote that file");
    assert_eq!(sandbox.read("out/make/same"), "a\n");
    // Without the first item, its path is free.
    let without = sandbox.read("workflow.yaml").replacen("[a, b, c]", "[b, c]", 1);
    let sandbox = sandbox.file("workflow.yaml", without);
    sandbox.batchmill(&["resume"]).exits_with(1);
    assert_eq!(sandbox.failures()[0]["error"], "item 1 wrote `out/make/same`, but item 0 already wrote that file");
    assert_eq!(sandbox.read("out/make/same"), "b\n");
}

#[test]
fn an_item_whose_files_were_moved_before_the_engine_was_killed_runs_again_and_writes_them_over() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: make
    for_each: [a, b]
    batch_size: 2
    task: shell
    inputs:
      command: |
        echo {{ item }} >> ran
        echo {{ item }} > $BATCHMILL_ITEM_DIR/{{ item }}
        echo more > $BATCHMILL_ITEM_DIR/more-{{ item }}
        test -e go || test {{ item }} = a || kill -9 $PPID
",
    );
    assert_eq!(sandbox.run(&[]).code, None);
    // The batch was not done, but its first item was, and its files are there.
    assert_eq!(sandbox.names("out/make"), ["a", "more-a"]);
    let sandbox = sandbox.file("go", "");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.names("out/make"), ["a", "b", "more-a", "more-b"]);
    assert_eq!(sandbox.read("ran"), "a\nb\na\nb\n");
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn an_item_folder_is_made_only_where_the_task_mentions_it() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: none
    for_each: [a]
    task: shell
    inputs: {command: 'env | grep -c BATCHMILL_ITEM_ || true'}
  - name: asked
    for_each: [a]
    task: shell
    inputs: {command: ./script.sh}
    outputs: {item_files: 'there'}
",
    );
    let sandbox = sandbox.file("script.sh", "#!/bin/sh\necho 1 > \"$BATCHMILL_ITEM_DIR/made\"\n");
    fs::set_permissions(sandbox.path().join("script.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("none")[0]["stdout"], "0");
    assert_eq!(sandbox.read("there/made"), "1\n");
    let handler = Sandbox::with(
        "
steps:
  - name: a
    for_each: [1]
    task: shell
    inputs: {command: 'false'}
    on_item_error: {type: echo, message: '{{ item_dir }}'}
",
    );
    handler.run(&[]).exits_with(2).says(&["`item_dir` is not defined"]);
}
