//! Types of Parquet columns: what does not fit is found at once, or becomes text.

use crate::support::{Sandbox, python};
use std::process::Command;

/// The rows of a Parquet file as JSON, and the types of its columns.
fn parquet(sandbox: &Sandbox, path: &str) -> String {
    let code = "import sys, json, pyarrow.parquet as pq\nt = pq.read_table(sys.argv[1])\n\
                print(*t.schema.types, json.dumps(t.to_pylist(), ensure_ascii=False))";
    let output = Command::new(python()).args(["-c", code, path]).current_dir(sandbox.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn step(items: &str, value: &str, outputs: &str) -> String {
    format!(
        "
steps:
  - name: make
    for_each: {items}
    max_parallel: 1
    task: python
    inputs: {{code: \"return {value}\"}}
    outputs: {outputs}
"
    )
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_type_that_does_not_fit_stops_the_step_at_its_first_record() {
    let workflow = step("{range: 300000}", "{'n': 'x' if item == 3 else item}", "{path: o.parquet}");
    let sandbox = Sandbox::with(&workflow);
    let said = "OutputError: cannot write `o.parquet`: column `n` is an integer in the result of item 0 but a string in \
                the result of item 3; a Parquet column has one type";
    let way_out = "return values of one type, or set `on_type_conflict: text`";
    sandbox.run(&[]).exits_with(3).says(&[said, way_out]);
    let done = sandbox.results("make").len();
    assert!((4..300_000).contains(&done), "{done}");
    // More results would not help.
    sandbox.batchmill(&["resume"]).exits_with(3).says(&["is an integer in record 0 but a string in record 3"]);
    assert_eq!(sandbox.results("make").len(), done);
    // Without the values that do not fit, or in another format, it goes on.
    let small = workflow.replace("{path: o.parquet}", "{path: o.parquet, columns: [m]}");
    let sandbox = sandbox.file("workflow.yaml", small);
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["300000 records written to `o.parquet`"]);
}

#[test]
fn a_mended_task_is_not_held_up_by_results_that_are_made_again() {
    let workflow = step("{range: 50}", "item if item else 'x'", "{path: o.parquet}");
    let sandbox = Sandbox::with(&workflow);
    sandbox.run(&[]).exits_with(3).says(&["column `value` is a string in the result of item 0"]);
    let sandbox = sandbox.file("workflow.yaml", workflow.replace("else 'x'", "else 7"));
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["50 records written"]);
    assert!(parquet(&sandbox, "o.parquet").starts_with(r#"int64 [{"value": 7}, {"value": 1}"#));
}

#[test]
fn results_of_a_batch_are_checked_too_and_null_fits_everything() {
    let workflow = "
steps:
  - name: make
    for_each: {range: 40}
    batch_size: 10
    batched: true
    task: python
    inputs: {code: \"return [None, {'a': [item[0]]}, {'a': [{}] if item[0] == 20 else []}]\"}
    outputs: {path: o.parquet}
";
    let sandbox = Sandbox::with(workflow);
    let said = "column `a[]` is an integer in a result of items 0 to 9 but a mapping in a result of items 20 to 29";
    sandbox.run(&[]).exits_with(3).says(&[said]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn values_that_have_no_type_in_common_become_text_if_that_is_wanted() {
    for (value, expected) in [
        (
            "{'a': ['x', 1, 2.50, None, True, [1, 'z'], {'k': [None]}, '\\u00e4\\\"'][item], 'b': item}",
            r#"string int64 [{"a": "x", "b": 0}, {"a": "1", "b": 1}, {"a": "2.5", "b": 2}, {"a": null, "b": 3}, {"a": "true", "b": 4}, {"a": "[1,\"z\"]", "b": 5}, {"a": "{\"k\":[null]}", "b": 6}, {"a": "ä\"", "b": 7}]"#,
        ),
        (
            "{'a': {'b': [item, 'x']}} if item < 7 else {'a': {'b': [], 'c': {}}}",
            r#"struct<b: list<item: string>, c: string> [{"a": {"b": ["0", "x"], "c": null}}, {"a": {"b": ["1", "x"], "c": null}}, {"a": {"b": ["2", "x"], "c": null}}, {"a": {"b": ["3", "x"], "c": null}}, {"a": {"b": ["4", "x"], "c": null}}, {"a": {"b": ["5", "x"], "c": null}}, {"a": {"b": ["6", "x"], "c": null}}, {"a": {"b": [], "c": "{}"}}]"#,
        ),
        (
            "None if item < 5 else [{'value': 's'}, 10 ** 20, [item]][item - 5]",
            r#"string [{"value": "s"}, {"value": "100000000000000000000"}, {"value": "[7]"}]"#,
        ),
    ] {
        let sandbox = Sandbox::with(&step("{range: 8}", value, "{path: o.parquet, on_type_conflict: text}"));
        sandbox.run(&[]).exits_with(0);
        assert_eq!(parquet(&sandbox, "o.parquet"), expected, "{value}");
    }
}

#[test]
fn only_parquet_has_types_that_conflict() {
    for (path, what) in [("o.csv", "CSV"), ("o.jsonl", "JSON Lines")] {
        let sandbox = Sandbox::with(&step("[1]", "item", &format!("{{path: {path}, on_type_conflict: text}}")));
        let said = format!("`on_type_conflict` cannot be used with {what}");
        sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&[&said, "remove it"]);
    }
}
