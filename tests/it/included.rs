//! `include`: rows of output files that know their item.

use crate::support::{Sandbox, python};
use serde_json::json;
use std::process::Command;

const SQUARES: &str = "
steps:
  - name: a
    for_each: {csv: in.csv, types: infer}
    task: python
    continue_on_error: true
    retry: 2
    outputs: {path: out.csv, include: [item, index, attempts, error]}
    inputs:
      code: |
        if item['n'] == 2:
            raise ValueError('no, \"2\"')
        return {'square': item['n'] ** 2}
";

#[test]
#[ignore = "heavy: takes seconds"]
fn rows_have_the_item_and_failed_items_have_rows() {
    let sandbox = Sandbox::with(SQUARES).file("in.csv", "t,n\nx,1\ny,2\nz,3\n");
    sandbox.run(&[]).exits_with(1).says(&["3 records written"]);
    let first = "t,n,index,attempts,error,square\nx,1,0,1,,1\n";
    assert_eq!(sandbox.read("out.csv"), format!("{first}y,2,1,2,\"ValueError: no, \"\"2\"\"\",\nz,3,2,1,,9\n"));
    let sandbox = sandbox.file("in.csv", "t,n\nx,1\ny,4\nz,3\n");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.read("out.csv"), format!("{first}y,4,1,1,,16\nz,3,2,1,,9\n"));
}

#[test]
#[ignore = "heavy: takes seconds"]
fn every_format_has_the_same_columns() {
    for (file, read) in [("out.jsonl", "pd.read_json(p, lines=True)"), ("out.parquet", "pd.read_parquet(p)")] {
        let sandbox = Sandbox::with(&SQUARES.replace("out.csv", file)).file("in.csv", "t,n\nx,1\ny,2\nz,3\n");
        sandbox.run(&[]).exits_with(1);
        let code = format!(
            "import pandas as pd, sys; p = sys.argv[1]; d = {read}; print(list(d.columns), list(d['t']), d['square'].sum())"
        );
        let shown = Command::new(python()).args(["-c", &code]).arg(sandbox.path().join(file)).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert_eq!(shown, "['t', 'n', 'index', 'attempts', 'error', 'square'] ['x', 'y', 'z'] 10.0\n", "{file}");
    }
}

#[test]
fn items_and_results_that_are_no_mappings_have_columns_of_their_own() {
    let workflow = |items: &str, code: &str| {
        format!(
            "steps:\n  - name: a\n    for_each: {items}\n    parallel: true\n    task: python\n    inputs: {{code: {}}}\n    outputs: {{path: out.jsonl, include: [item]}}\n",
            json!(code)
        )
    };
    let out = |items: &str, code: &str| {
        let sandbox = Sandbox::with(&workflow(items, code)).file("b.txt", "xx").file("a.txt", "x");
        sandbox.run(&[]).exits_with(0);
        sandbox.read("out.jsonl")
    };
    assert_eq!(
        out("[p, q]", "return [item, 1]"),
        "{\"item\":\"p\",\"value\":[\"p\",1]}\n{\"item\":\"q\",\"value\":[\"q\",1]}\n"
    );
    assert_eq!(out("{glob: '*.txt'}", "return None"), "{\"item\":\"a.txt\"}\n{\"item\":\"b.txt\"}\n");
    let many = out("{range: 3000}", "return {'r': item}");
    assert_eq!(many.lines().count(), 3000);
    assert_eq!(many.lines().nth(2999), Some("{\"item\":2999,\"r\":2999}"));
}

#[test]
fn each_row_of_a_data_frame_has_the_item() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: a
    for_each: [p, q]
    task: python
    outputs: {path: out.csv, include: [item, index]}
    inputs:
      code: |
        import pandas as pd
        return pd.DataFrame({'x': [1, 2][: len(item) + (item == 'p')], 'y': item})
",
    );
    sandbox.run(&[]).exits_with(0).says(&["3 records written"]);
    assert_eq!(sandbox.read("out.csv"), "item,index,x,y\np,0,1,p\np,0,2,p\nq,1,1,q\n");
}

#[test]
fn columns_that_clash_and_items_that_cannot_be_read_again_are_refused() {
    let run = |items: &str, code: &str| {
        let workflow = format!(
            "steps:\n  - name: a\n    for_each: {items}\n    task: python\n    inputs: {{code: {}}}\n    outputs: {{path: out.csv, include: [item, index]}}\n",
            json!(code)
        );
        let sandbox = Sandbox::with(&workflow);
        Command::new("mkfifo").arg(sandbox.path().join("pipe")).status().unwrap();
        sandbox
    };
    let clash = run("[{n: 1}]", "return {**item, 'x': 1}");
    clash.run(&[]).exits_with(3).says(&["item 0 has two columns `n`", "return it under another name"]);
    assert!(!clash.exists("out.csv"));
    run("[{n: 1, index: 2}]", "return 1").run(&[]).exits_with(3).says(&["item 0 has two columns `index`"]);
    let piped = run("{lines: pipe}", "return 1");
    let mut writer = Command::new("sh").args(["-c", "echo x > pipe"]).current_dir(piped.path()).spawn().unwrap();
    piped.run(&[]).exits_with(3).says(&["requires items that can be read again"]);
    writer.wait().unwrap();
}

#[test]
fn wrong_parts_are_refused() {
    for (outputs, step, says) in [
        ("path: o.csv, include: [itme]", "for_each: [1]", "did you mean `item`?"),
        ("path: o.csv, include: item", "for_each: [1]", "`include` must be a list"),
        ("path: o.csv, include: []", "for_each: [1]", "`include` is empty"),
        ("path: o.csv, include: [item, item]", "for_each: [1]", "`include` contains a part twice"),
        ("path: o.csv, include: [item]", "timeout: 9", "`include` requires a step with items"),
        ("name: o, include: [item]", "for_each: [1]", "`include` requires `path`"),
    ] {
        let workflow =
            format!("steps: {{a: {{{step}, task: echo, inputs: {{message: 1}}, outputs: {{{outputs}}}}}}}\n");
        Sandbox::with(&workflow).batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&[says]);
    }
    let batched = "steps: {a: {for_each: [{n: 1}], batch_size: 2, task: python, inputs: {code: return item}, outputs: {path: o.csv, include: [item]}}}\n";
    Sandbox::with(batched).run(&[]).exits_with(2).says(&["`include` requires a task that takes one item at a time"]);
}

#[test]
fn a_table_takes_no_columns_of_items_and_says_so() {
    let text = |outputs: &str| {
        format!(
            "steps:\n  - {{name: a, for_each: [1], task: echo, inputs: {{message: {{v: 1}}}}, outputs: {{{outputs}}}}}\n"
        )
    };
    for include in ["[item]", "[index, error]"] {
        let sandbox = Sandbox::with(&text(&format!("sql: 'sqlite:///x.db', table: t, include: {include}")));
        let words = ["`include` requires `path`", "a table has the results alone: add what you need to the result"];
        sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&words);
    }
    let sandbox = Sandbox::with(&text("sql: 'sqlite:///x.db', table: t, path: x.csv, include: [index]"));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.read("x.csv"), "index,v\n0,1\n");
}
