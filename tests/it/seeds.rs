//! `seed`: each item draws the same random numbers wherever and whenever it runs.

use crate::support::Sandbox;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What each item drew, by the item.
fn drawn(sandbox: &Sandbox) -> BTreeMap<String, Value> {
    let results = sandbox.results("work");
    results.into_iter().map(|result| (result["item"].to_string(), result["drawn"].clone())).collect()
}

fn workflow(items: &str, options: &str, code: &str) -> String {
    format!(
        "
params: {{seed: 1}}
steps:
  - name: work
    for_each: {items}
{options}
    task: python
    inputs:
      code: |
{code}
"
    )
}

const DRAW: &str =
    "        import random\n        return {'item': item, 'drawn': [random.random(), random.gauss(0, 1)]}\n";

#[test]
fn an_item_draws_the_same_numbers_in_any_order_batch_and_worker() {
    let expected = Sandbox::with(&workflow("[a, b, c, d, e, f]", "    seed: 7", DRAW));
    expected.run(&[]).exits_with(0);
    let expected = drawn(&expected);
    assert_eq!(expected.values().map(Value::to_string).collect::<std::collections::BTreeSet<_>>().len(), 6);
    for (items, options) in [
        ("[f, e, d, c, b, a]", "    seed: 7"),
        ("[a, b, c, d, e, f]", "    seed: 7\n    max_parallel: 3"),
        ("[a, x, b, c, y, d, e, f]", "    seed: 7\n    batch_size: 4"),
        ("[a, b, c, d, e, f]", "    seed: \"{{ params.seed + 6 }}\""),
    ] {
        let other = Sandbox::with(&workflow(items, options, DRAW));
        other.run(&[]).exits_with(0);
        let mut found = drawn(&other);
        found.retain(|item, _| expected.contains_key(item));
        assert_eq!(found, expected, "{items} {options}");
    }
    let other = Sandbox::with(&workflow("[a, b, c, d, e, f]", "    seed: 8", DRAW));
    other.run(&[]).exits_with(0);
    assert!(drawn(&other).iter().all(|(item, drawn)| *drawn != expected[item]));
}

#[test]
fn equal_items_draw_equal_numbers_and_a_step_without_a_seed_does_not() {
    let sandbox = Sandbox::with(&workflow("[a, a, b]", "    seed: 7", DRAW));
    sandbox.run(&[]).exits_with(0);
    let found = sandbox.results("work");
    assert_eq!(found[0], found[1]);
    assert_ne!(found[0]["drawn"], found[2]["drawn"]);
    let sandbox = Sandbox::with(&workflow("[a, a]", "", DRAW));
    sandbox.run(&[]).exits_with(0);
    let found = sandbox.results("work");
    assert_ne!(found[0], found[1]);
}

#[test]
fn another_attempt_and_a_resumed_run_draw_the_same_numbers() {
    let code = "
        import random
        from pathlib import Path
        drawn = random.random()
        seen = Path(f'seen-{item}')
        with seen.open('a') as file:
            print(drawn, file=file)
        if len(seen.read_text().split()) < 3:
            raise ValueError('not yet')
        return {'item': item, 'drawn': drawn}
";
    let options = "    seed: 7\n    max_failures: 9\n    retry: {max_attempts: 2, delay: 0}";
    let sandbox = Sandbox::with(&workflow("[a, b]", options, code));
    sandbox.run(&[]).exits_with(1);
    sandbox.batchmill(&["resume", "latest"]).exits_with(0);
    for item in ["a", "b"] {
        let seen = sandbox.read(&format!("seen-{item}"));
        let seen: Vec<&str> = seen.lines().collect();
        assert!(seen.len() == 3 && seen.iter().all(|drawn| *drawn == seen[0]), "{seen:?}");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn numpy_is_seeded_too_even_where_the_item_itself_imports_it() {
    let draw = "        import numpy\n        return {'item': item, 'drawn': numpy.random.rand(2).tolist()}\n";
    let expected = Sandbox::with(&workflow("[a, b, c, d]", "    seed: 7", draw));
    expected.run(&[]).exits_with(0);
    let expected = drawn(&expected);
    for options in ["    seed: 7\n    batch_size: 4", "    seed: 7\n    max_parallel: 4"] {
        let other = Sandbox::with(&workflow("[d, c, b, a]", options, draw));
        other.run(&[]).exits_with(0);
        assert_eq!(drawn(&other), expected, "{options}");
    }
    let in_setup = format!("{draw}      setup: import numpy\n");
    let other = Sandbox::with(&workflow("[d, c, b, a]", "    seed: 7", &in_setup));
    other.run(&[]).exits_with(0);
    assert_eq!(drawn(&other), expected);
}

#[test]
fn a_batch_draws_the_same_numbers_again() {
    let code = "        import random\n        return {'item': item, 'drawn': random.random()}\n";
    let options = "    seed: 7\n    batch_size: 2\n    batched: true";
    let expected = Sandbox::with(&workflow("[a, b, c, d]", options, code));
    expected.run(&[]).exits_with(0);
    let expected = drawn(&expected);
    assert_eq!(expected.len(), 2);
    let other = Sandbox::with(&workflow("[c, d, a, b]", &format!("{options}\n    max_parallel: 2"), code));
    other.run(&[]).exits_with(0);
    assert_eq!(drawn(&other), expected);
}

#[test]
fn the_last_row_of_a_file_draws_the_same_numbers_with_and_without_a_line_break() {
    let text = workflow("{csv: rows.csv}", "    seed: 7", DRAW);
    let with = |rows: &str| {
        let sandbox = Sandbox::with(&text).file("rows.csv", rows);
        sandbox.run(&[]).exits_with(0);
        drawn(&sandbox)
    };
    let expected = with("id\n1\n2\n");
    assert_eq!(with("id\n1\n2"), expected);
    assert_eq!(with("id\r\n2\r\n1\r\n"), expected);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn setup_plain_steps_aggregates_and_later_steps_have_numbers_of_their_own() {
    let text = "
seed: 3
steps:
  - name: plain
    task: python
    inputs: {code: 'import random; return random.random()'}
  - name: again
    task: python
    inputs: {code: 'import random; return random.random()'}
  - name: work
    for_each: [a, b, c]
    max_parallel: 3
    aggregate: |
      import random
      return random.random()
    task: python
    inputs:
      setup: 'import random; base = random.random()'
      code: return [base, random.random()]
";
    let found = |text: &str| {
        let sandbox = Sandbox::with(text);
        let ended = sandbox.run(&["--format", "json"]).exits_with(0).json();
        let steps = &ended["steps"];
        let work = sandbox.results("work");
        assert!(work.iter().all(|result| result[0] == work[0][0]), "{work:?}");
        json!([sandbox.results("plain"), sandbox.results("again"), work, steps[2]["aggregate"]])
    };
    let first = found(text);
    assert_eq!(first, found(text));
    assert_ne!(first[0], first[1]);
    assert_ne!(first, found(&text.replace("seed: 3", "seed: 4")));
    // The seed of a step takes precedence.
    let own = text.replace("  - name: again\n", "  - name: again\n    seed: 9\n");
    let own = found(&own);
    assert_eq!(own[0], first[0]);
    assert_ne!(own[1], first[1]);
}

#[test]
fn another_seed_runs_the_step_again_and_the_same_one_does_not() {
    let sandbox = Sandbox::with(&workflow("[a, b]", "    seed: \"{{ params.seed }}\"", DRAW));
    sandbox.run(&[]).exits_with(0);
    let first = drawn(&sandbox);
    sandbox.batchmill(&["resume", "latest"]).exits_with(0);
    assert_eq!(drawn(&sandbox), first);
    sandbox.batchmill(&["resume", "latest", "seed=2"]).exits_with(0).says(&["`params.seed` changed"]);
    assert_ne!(drawn(&sandbox), first);
}

#[test]
fn repro_draws_the_numbers_of_the_run() {
    let code = "
        import random
        drawn = random.random()
        print('drew', drawn)
        raise ValueError(f'drew {drawn}')
";
    for items in ["[a]", "{csv: rows.csv}"] {
        let sandbox = Sandbox::with(&workflow(items, "    seed: 7", code)).file("rows.csv", "id\n1\n");
        sandbox.run(&[]).exits_with(3);
        let message = sandbox.failures()[0]["error"].as_str().unwrap().to_owned();
        sandbox.batchmill(&["repro", "latest", "0"]).exits_with(1).says(&[&message]);
    }
}

#[test]
fn an_input_of_the_name_is_a_variable_as_before() {
    let code = "        return {'item': item, 'drawn': seed}\n      seed: \"{{ item }}\"\n";
    let sandbox = Sandbox::with(&workflow("[a, b]", "    seed: 7", code));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(drawn(&sandbox)["\"b\""], "b");
}

#[test]
fn a_seed_that_cannot_be_one_is_refused_where_it_is() {
    let python = "task: python, inputs: {code: return 1}";
    let shell = "task: shell, inputs: {command: echo}";
    let echo = "task: batch, inputs: {items: [1], seed: 1, task: {type: echo, message: a}}";
    for (step, says) in [
        (format!("{{name: a, seed: x, {python}}}"), "`seed` must be an integer; found the string \"x\""),
        (format!("{{name: a, seed: 1.5, {python}}}"), "`seed` must be an integer; found the number 1.5"),
        (format!("{{name: a, seed: [1], {python}}}"), "`seed` must be an integer; found a list"),
        (format!("{{name: a, seed: 1, {shell}}}"), "`seed` requires a Python task"),
        (format!("{{name: a, seed: 1, for_each: [1], {shell}}}"), "`seed` requires a Python task"),
        (format!("{{name: a, {echo}}}"), "`seed` requires a Python task"),
    ] {
        let sandbox = Sandbox::with(&format!("steps:\n  - {step}\n"));
        sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&[says, "workflow.yaml:2:"]);
    }
    let sandbox = Sandbox::with(&format!("params: {{s: x}}\nsteps:\n  - {{name: a, seed: '{{{{ s }}}}', {python}}}\n"));
    sandbox.run(&[]).says(&["`seed` must be an integer; found the string \"x\" (from `{{ s }}`)"]);
}
