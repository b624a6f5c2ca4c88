//! `stdin:` of commands: a text, or a whole batch.

use crate::support::{Sandbox, python};
use serde_json::{Value, json};

#[test]
fn a_command_reads_its_text_to_the_last_byte() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: a
    for_each: ['plain', \"two\\nlines\\n\", '', {n: 1}, 'é']
    task: shell
    inputs: {stdin: '<{{ item }}>', command: cat}
  - name: b
    task: shell
    inputs: {stdin: no item, command: [cat, '-'], working_dir: /}
",
    );
    sandbox.run(&[]).exits_with(0);
    let printed = |step: &str| sandbox.results(step).iter().map(|it| it["stdout"].clone()).collect::<Vec<Value>>();
    assert_eq!(printed("a"), ["<plain>", "<two\nlines\n>", "<>", "<{\"n\":1}>", "<é>"]);
    assert_eq!(printed("b"), ["no item"]);
}

#[test]
fn a_command_that_does_not_read_its_input_is_a_success() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: long
    task: python
    inputs: {code: \"return 'x' * 1_000_000\"}
  - name: a
    for_each: ['true', 'head -c 1', 'exec <&-']
    task: shell
    inputs: {stdin: '{{ steps.long.result }}', command: '{{ item | raw }}'}
",
    );
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("a").len(), 3);
}

#[test]
fn long_values_reach_commands_and_programs_are_referred_to_stdin() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: long
    task: python
    inputs: {code: \"return \\\"it's\\\" + 'x' * 300_000 + '\\\\n\\\\n'\"}
  - name: builtin
    for_each: [1]
    task: shell
    inputs: {command: 'printf %s {{ steps.long.result }} | wc -c; v=\"{{ steps.long.result }}\"; echo ${#v}'}
  - name: argument
    for_each: [a, b]
    task: shell
    continue_on_error: true
    inputs: {command: '/bin/echo {{ steps.long.result }} {{ item }}; exit $?'}
  - name: alone
    for_each: [a]
    task: shell
    continue_on_error: true
    inputs: {command: '/bin/echo {{ steps.long.result }}'}
",
    );
    let shells = ["", "shell: bash\n"];
    for shell in shells {
        let workflow = sandbox.read("workflow.yaml").replace("shell: bash\n", "");
        let sandbox = Sandbox::with(&format!("{shell}{workflow}"));
        sandbox.run(&[]).exits_with(1).says(&["pass it with `stdin: \"{{ item }}\"`"]);
        assert_eq!(sandbox.results("builtin")[0]["stdout"], "300006\n300006");
        let failed = sandbox.failures();
        assert_eq!(failed.len(), 3);
        assert!(failed.iter().all(|failure| failure.to_string().contains("too long")), "{failed:?}");
    }
}

/// A step whose command gets batches of four in this form.
fn batches(form: &str, items: &Value, command: &str) -> Sandbox {
    Sandbox::with(&format!(
        "steps:\n  - name: a\n    for_each: {items}\n    batch_size: 4\n    parallel: true\n    task: shell\n    inputs: {{stdin: {{batch: {form}}}, command: {}}}\n",
        json!(command)
    ))
}

#[test]
fn the_lines_that_a_batch_prints_are_its_results_in_order() {
    let numbers: Vec<u64> = (0..10).collect();
    let double = format!(
        "{} -c 'import sys, json; [print(json.dumps({{\"d\": 2 * json.loads(line)}})) for line in sys.stdin]'",
        python().display()
    );
    let sandbox = batches("jsonl", &json!(numbers), &double);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("a"), numbers.iter().map(|n| json!({"d": 2 * n})).collect::<Vec<_>>());

    let sandbox = batches("lines", &json!(["a b", "", "é'\"", 7, null]), "tr a-z A-Z");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("a"), [json!("A B"), json!(""), json!("é'\""), json!("7"), json!("NULL")]);

    let rows = json!([{"n": "1", "t": "x, \"y\""}, {"t": "two\nlines", "n": "2"}, {"n": "", "t": "é"}]);
    let sandbox = batches("csv", &rows, "cat");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(json!(sandbox.results("a")), rows);
}

#[test]
fn a_batch_whose_lines_do_not_fit_its_items_fails_as_a_whole() {
    for (form, command, says) in [
        ("lines", "head -n 1", "the command printed 1 line for 4 items"),
        ("lines", "cat; echo one more", "the command printed 5 lines for 4 items"),
        ("jsonl", "true", "the command printed 0 lines for 4 items"),
        ("jsonl", "sed 's/1/NaN/'", "line 1 of the output is not JSON"),
        ("lines", "cat; exit 3", "command exited with status 3"),
    ] {
        let sandbox = batches(form, &json!([1, 2, 3, 4]), command);
        sandbox.run(&[]).exits_with(3).says(&[says]);
        let failed = sandbox.failures();
        assert_eq!(failed.len(), 4, "{failed:?}");
    }
    let sandbox = batches("csv", &json!([{"a": 1}, {"a": 2}]), "head -n 2");
    sandbox.run(&[]).exits_with(3).says(&["the command printed 1 record for 2 items"]);
}

#[test]
fn an_item_that_is_no_line_fails_alone_and_the_others_run() {
    let items = json!(["a", "b\nc", "d"]);
    let workflow = |form: &str, items: &Value| {
        let sandbox = batches(form, items, "cat");
        let text = sandbox.read("workflow.yaml").replace("    task:", "    continue_on_error: true\n    task:");
        sandbox.file("workflow.yaml", text)
    };
    let sandbox = workflow("lines", &items);
    sandbox.run(&[]).exits_with(1).says(&["the item has a line break, so it is not one line"]);
    assert_eq!(sandbox.results("a"), [json!("a"), json!("d")]);
    assert_eq!(sandbox.failures()[0]["index"], 1);
    let sandbox = workflow("csv", &json!([{"a": "1"}, 2]));
    sandbox.run(&[]).exits_with(1).says(&["requires items that are mappings"]);
    assert_eq!(sandbox.results("a"), [json!({"a": "1"})]);
}

#[test]
fn a_batch_is_tried_again_bisected_and_repeated_as_one() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: a
    for_each: [1, 2, 3, 4, bad, 6, 7, 8]
    batch_size: 4
    bisect_on_error: true
    continue_on_error: true
    task: shell
    inputs: {stdin: {batch: lines}, command: 'echo {{ item | length }} >> sizes; grep -v bad > out.$$; cat out.$$; rm out.$$'}
",
    );
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.results("a"), ["1", "2", "3", "4", "6", "7", "8"].map(|it| json!(it)));
    assert_eq!(sandbox.failures().len(), 1);
    assert_eq!(sandbox.read("sizes"), "4\n4\n2\n2\n1\n1\n");
    let repeated = sandbox.batchmill(&["repro", "a[4]"]);
    assert!(repeated.stdout.is_empty(), "{}", repeated.stdout);
}

#[test]
fn the_rows_of_a_file_pass_through_a_command() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: a
    for_each: {csv: in.csv}
    batch_size: 2
    task: shell
    inputs: {stdin: {batch: csv}, command: \"sed 's/^/_/'\"}
    outputs: {path: out.csv}
",
    )
    .file("in.csv", "id,name\n1,a\n2,\"b,c\"\n3,d\n");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.read("out.csv"), "_id,name\n_1,a\n_2,\"b,c\"\n_3,d\n");
}

#[test]
fn wrong_settings_of_stdin_are_refused() {
    for (step, says) in [
        ("task: shell, inputs: {command: cat, stdin: {batch: jsonl}}", "`batch` requires a step with items"),
        ("for_each: [1], task: shell, inputs: {command: cat, stdin: {batch: json}}", "did you mean `jsonl`?"),
        ("for_each: [1], task: shell, inputs: {command: cat, stdin: {}}", "missing key `batch`"),
        (
            "for_each: [1], task: shell, inputs: {command: cat, stdin: 3}",
            "`stdin` must be a string, or a mapping with `batch`",
        ),
        ("for_each: [1], task: shell, inputs: {command: cat, stdin: '{{ itm }}'}", "`itm` is not defined"),
        (
            "for_each: [1], batched: false, task: shell, inputs: {command: cat, stdin: {batch: lines}}",
            "`stdin: {batch: ..}` cannot be used with `batched: false`",
        ),
        (
            "for_each: [1], batch_format: pandas, task: shell, inputs: {command: cat, stdin: {batch: lines}}",
            "`batch_format` requires a batched Python task",
        ),
        (
            "for_each: [1], on_item_error: {type: shell, command: cat, stdin: {batch: lines}}, task: shell, inputs: {command: cat}",
            "`stdin: {batch: ..}` is not supported in `on_item_error`",
        ),
    ] {
        let workflow = format!("params: {{x: 1}}\nsteps: {{a: {{{step}}}}}\n");
        Sandbox::with(&workflow).batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&[says]);
    }
}
