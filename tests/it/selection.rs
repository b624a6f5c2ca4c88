//! Which items there are: combinations of values, and `where`.

use crate::support::Sandbox;
use serde_json::{Value, json};

const GRID: &str = "
params: {depth: [1, 2]}
steps:
  - name: a
    for_each: {product: {lr: [0.1, x], depth: '{{ depth }}', seed: {range: 2}}}
    task: python
    inputs: {code: 'open(\"ran\", \"a\").write(\"x\"); return item'}
";

#[test]
fn all_combinations_run_and_a_wider_grid_runs_only_new_ones() {
    let sandbox = Sandbox::with(GRID);
    sandbox.run(&[]).exits_with(0);
    let results = sandbox.results("a");
    assert_eq!(results.len(), 8);
    assert_eq!(results[0], json!({"lr": 0.1, "depth": 1, "seed": 0}));
    assert_eq!(results[1], json!({"lr": 0.1, "depth": 1, "seed": 1}));
    assert_eq!(results[7], json!({"lr": "x", "depth": 2, "seed": 1}));
    let sandbox = sandbox.file("workflow.yaml", GRID.replace("[0.1, x]", "[0.1, 7, x]"));
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["4 of 12 items will run"]);
    assert_eq!((sandbox.read("ran").len(), sandbox.results("a").len()), (12, 12));
}

#[test]
fn a_file_of_a_grid_that_changes_runs_its_combinations_again() {
    let sandbox =
        Sandbox::with(&GRID.replace("lr: [0.1, x]", "file: {glob: '*.txt'}")).file("a.txt", "1").file("b.txt", "2");
    sandbox.run(&["--incremental"]).exits_with(0);
    assert_eq!(sandbox.read("ran").len(), 8);
    let sandbox = sandbox.file("b.txt", "changed");
    sandbox.run(&["--incremental"]).exits_with(0).says(&["4 of 8 items will run"]);
    assert_eq!(sandbox.read("ran").len(), 12);
    sandbox.run(&["--incremental=content"]).exits_with(0);
    let before = sandbox.read("ran").len();
    let sandbox = sandbox.file("a.txt", "1");
    sandbox.run(&["--incremental=content"]).exits_with(0);
    assert_eq!(sandbox.read("ran").len(), before);
}

#[test]
fn a_grid_has_names_and_lists() {
    for (product, says) in [
        ("{}", "`product` has no names"),
        ("[1, 2]", "`product` must be a mapping of names to values"),
        ("{a: 3}", "`a` must be a list"),
        ("{a: {csv: x.csv}}", "`a` must be a list, a template, `range`, `glob`, `lines` or `command`"),
        ("{a: {product: {b: [1]}}}", "`a` must be a list"),
        ("{a: '{{ nope }}'}", "`nope` is not defined"),
    ] {
        let workflow = format!(
            "params: {{p: 1}}\nsteps: {{a: {{for_each: {{product: {product}}}, task: echo, inputs: {{message: 1}}}}}}\n"
        );
        Sandbox::with(&workflow).batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&[says]);
    }
    let empty = Sandbox::with("steps: {a: {for_each: {product: {a: [1], b: []}}, task: echo, inputs: {message: 1}}}\n");
    empty.run(&[]).exits_with(4);
}

/// A step that returns its items.
fn echo(items: &str, condition: &str) -> Sandbox {
    Sandbox::with(&format!(
        "params: {{least: 3}}\nsteps:\n  - name: a\n    for_each: {items}\n    where: {}\n    task: echo\n    inputs: {{message: '{{{{ item }}}}'}}\n",
        json!(condition)
    ))
}

#[test]
fn items_for_which_an_expression_is_false_are_left_out_and_counted() {
    let ran = |sandbox: Sandbox, says: &str| -> Vec<Value> {
        sandbox.run(&[]).exits_with(0).says(&[says]);
        sandbox.results("a")
    };
    let of_list = ran(echo("[1, 2, 3, 4]", "item >= least"), "`where` left out 2 of 4 items");
    assert_eq!(of_list, [json!(3), json!(4)]);
    let braced = ran(echo("{range: 20000}", "{{ item % 5000 == 0 }}"), "`where` left out 19996 of 20000 items");
    assert_eq!(braced, [0, 5000, 10000, 15000].map(|it| json!(it)));
    let by_index = ran(echo("[a, b, c, d]", "index % 2 == 1"), "`where` left out 2 of 4 items");
    assert_eq!(by_index, [json!("b"), json!("d")]);
    let of_rows = echo("{csv: in.csv, types: infer}", "item.n > 1").file("in.csv", "n,t\n1,a\n2,b\n3,c\n");
    let of_rows = ran(of_rows, "`where` left out 1 of 3 items");
    assert_eq!(of_rows, [json!({"n": 2, "t": "b"}), json!({"n": 3, "t": "c"})]);
}

#[test]
fn rows_that_pass_later_run_later_and_the_others_stay() {
    let sandbox = echo("{csv: in.csv, types: infer}", "item.n > 1").file("in.csv", "n\n1\n2\n3\n");
    sandbox.run(&[]).exits_with(0);
    let sandbox = sandbox.file("in.csv", "n\n7\n2\n3\n");
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["1 of 3 items will run"]);
    assert_eq!(sandbox.results("a"), [json!({"n": 7}), json!({"n": 2}), json!({"n": 3})]);
    let workflow = sandbox.read("workflow.yaml").replace("item.n > 1", "item.n > 2");
    let sandbox = sandbox.file("workflow.yaml", workflow);
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["0 of 2 items will run"]);
    assert_eq!(sandbox.results("a"), [json!({"n": 7}), json!({"n": 3})]);
}

#[test]
fn a_row_that_cannot_be_read_is_not_left_out() {
    let sandbox = echo("{csv: in.csv, types: {n: integer}}", "item.n > 1").file("in.csv", "n\n1\nx\n3\n");
    let failed = sandbox.run(&[]).exits_with(3);
    assert!(failed.stderr.contains("BadRow"), "{}", failed.stderr);
}

#[test]
fn an_expression_that_does_not_work_is_an_error() {
    echo("[1]", "itm > 1").batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&["`itm` is not defined"]);
    echo("[1]", "item >").batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&["invalid template"]);
    echo("[1]", " ").batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&["`where` is empty"]);
    echo("[1]", "item.a.b > 1").run(&[]).exits_with(2).says(&["`where` fails for item 0", "`item.a` is undefined"]);
    echo("[1, 2]", "item > 5").run(&[]).exits_with(4).says(&["`where` left out 2 of 2 items"]);
}
