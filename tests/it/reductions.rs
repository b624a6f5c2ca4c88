//! Reductions of many results, against Python's own and numpy's.

use crate::support::Sandbox;
use serde_json::{Value, json};

/// Numbers in groups, and words that are more or less frequent.
fn workflow(width: usize, aggregate: &str) -> String {
    format!(
        "
steps:
  - name: make
    for_each: {{range: 30000}}
    batch_size: 700
    max_parallel: {width}
    task: python
    continue_on_error: true
    inputs:
      code: |
        import os
        if item == 17000 and not os.path.exists('mended'):
            raise ValueError('not yet')
        return {{'g': item % 3, 'x': ((item * 7919) % 10007) / 7 - 400, 'n': item if item % 5 else None,
                'w': 'w' + str(min(item % 97, item % 13))}}
    aggregate: {aggregate}
"
    )
}

const ALL: &str = "{count: true, group_by: g, sum: x, mean: [x, n], std: [x, n], min: n, max: x, quantiles: [x, n], \
                   at: [0, 0.1, 0.5, 0.999, 1], distinct: [x, w], top: w, top_size: 4, first: [n, w], last: [n, w]}";

const LOOK: &str = "
  - name: look
    task: python
    inputs:
      code: |
        import math, statistics, collections
        import numpy as np
        for group in steps.make.aggregate:
            rows = [row for row in steps.make.result if row['g'] == group['g']]
            of = {name: [row[name] for row in rows if row[name] is not None] for name in ('x', 'n', 'w')}
            assert group['count'] == len(rows)
            assert math.isclose(group['sum']['x'], math.fsum(of['x']), rel_tol=1e-13, abs_tol=1e-9)
            for name in ('x', 'n'):
                assert math.isclose(group['mean'][name], statistics.fmean(of[name]), rel_tol=1e-12), name
                assert math.isclose(group['std'][name], statistics.stdev(of[name]), rel_tol=1e-12), name
                quantiles = [float(np.quantile(of[name], float(at))) for at in group['quantiles'][name]]
                assert list(group['quantiles'][name].values()) == quantiles, (name, quantiles)
            assert list(group['quantiles']['x']) == ['0', '0.1', '0.5', '0.999', '1']
            assert group['min']['n'] == min(of['n']) and group['max']['x'] == max(of['x'])
            assert group['distinct'] == {name: len(set(of[name])) for name in ('x', 'w')}
            assert group['top']['w'] == [{'value': v, 'count': c} for v, c in collections.Counter(of['w']).most_common(4)]
            assert group['first'] == {'n': of['n'][0], 'w': of['w'][0]} and group['last'] == {'n': of['n'][-1], 'w': of['w'][-1]}
        return len(steps.make.aggregate)
";

fn aggregate(sandbox: &Sandbox) -> Value {
    let ended = sandbox.batchmill(&["resume", "--format", "json"]).exits_with(0);
    ended.json()["steps"]["make"]["aggregate"].clone()
}

#[test]
#[ignore = "heavy: takes seconds"]
fn reductions_are_those_of_statistics_and_numpy_and_have_the_same_digits_at_any_width() {
    let sandbox = Sandbox::with(&(workflow(1, ALL) + LOOK)).file("mended", "");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("look"), [json!(3)]);
    let digits = aggregate(&sandbox).to_string();
    let wide = Sandbox::with(&workflow(2, ALL).replace("batch_size: 700", "batch_size: 13"));
    wide.run(&[]).exits_with(1);
    let wide = wide.file("mended", "");
    wide.batchmill(&["retry"]).exits_with(0);
    assert_eq!(aggregate(&wide).to_string(), digits);
}

#[test]
fn a_value_that_does_not_fit_is_named_wherever_it_is() {
    let code = "return {'x': 'late' if item == 25000 else item, 'y': [item]}";
    for (aggregate, said) in [
        ("{std: x}", "result 25000: `x` is \"late\", not a number"),
        ("{max: x}", "result 25000: `x` is \"late\", but earlier values are numbers"),
        ("{quantiles: y}", "result 0: `y` is [0], not a number"),
        ("{distinct: y}", "result 0: `y` is [0], but only text, numbers and booleans can be counted"),
    ] {
        let workflow = format!(
            "steps:\n  - name: make\n    for_each: {{range: 30000}}\n    batch_size: 1000\n    task: python\n    inputs: {{code: \"{code}\"}}\n    aggregate: {aggregate}\n"
        );
        Sandbox::with(&workflow).run(&[]).exits_with(3).says(&["AggregateError", said]);
    }
}

#[test]
fn an_aggregate_has_a_file_of_its_own() {
    let workflow = |path: &str, more: &str| {
        format!(
            "
steps:
  - name: make
    for_each: [1, 2, 3, 4]
    task: python
    inputs: {{code: \"return {{'k': 'odd' if item % 2 else 'even', 'x': item / 2}}\"}}
    aggregate: {{group_by: k, count: true, sum: x, top: x, path: {path}}}{more}
"
        )
    };
    let sandbox = Sandbox::with(&workflow("out/all.csv", ""));
    sandbox.run(&[]).exits_with(0).says(&["make: aggregate written to `out/all.csv`"]);
    let top =
        |one: &str, other: &str| format!(r#""[{{""value"":{one},""count"":1}},{{""value"":{other},""count"":1}}]""#);
    let expected = format!("k,count,sum.x,top.x\nodd,2,2.0,{}\neven,2,3.0,{}\n", top("0.5", "1.5"), top("1.0", "2.0"));
    assert_eq!(sandbox.read("out/all.csv"), expected);
    let again = |sandbox: &Sandbox| sandbox.batchmill(&["resume"]).exits_with(0).stderr.contains("aggregate written");
    assert!(!again(&sandbox));
    std::fs::write(sandbox.path().join("out/all.csv"), "mine").unwrap();
    assert!(again(&sandbox));
    assert_eq!(sandbox.read("out/all.csv"), expected);
    let sandbox = sandbox.file("workflow.yaml", workflow("all.jsonl", ""));
    assert!(again(&sandbox) && !again(&sandbox));
    assert!(sandbox.read("all.jsonl").starts_with(r#"{"k":"odd","count":2,"sum":{"x":2.0},"top":{"x":[{"value":0.5"#));
    // Where it cannot go.
    let sandbox = sandbox.file("workflow.yaml", workflow("o.csv", "\n    outputs: {path: ./o.csv}"));
    sandbox.batchmill(&["resume"]).exits_with(2).says(&["`outputs` of the step also writes to `./o.csv`"]);
    let sandbox = sandbox.file("workflow.yaml", workflow("workflow.yaml/o.csv", ""));
    sandbox.batchmill(&["resume"]).exits_with(3).says(&["OutputError: cannot write `workflow.yaml/o.csv`"]);
}

#[test]
fn wrong_options_of_reductions_are_errors_with_a_way_out() {
    for (aggregate, said, help) in [
        ("{mean: x, at: [0.5]}", "`at` requires `quantiles`", ""),
        ("{mean: x, top_size: 3}", "`top_size` requires `top`", ""),
        ("{quantiles: x, at: 0.5}", "`at` must be a list of numbers from 0 to 1", "[0.5, 0.99]"),
        ("{quantiles: x, at: [50]}", "`at` must be a list of numbers from 0 to 1; found the number 50", "[0.5, 0.99]"),
        ("{quantiles: x, at: [0.5, 0.50]}", "`at` contains 0.5 twice", ""),
        ("{quantiles: x, at: []}", "`at` is empty", "[0.5, 0.99]"),
        ("{top: x, top_size: 0}", "`top_size` must be", ""),
        ("{mean: x, path: '-'}", "`path` is stdout, which an aggregate cannot be written to", "name a file"),
        ("{mean: x, path: o.txt}", "`path` has no known file extension", "use `.jsonl`, `.csv` or `.parquet`"),
        ("{mean: x, path: o.parquet.zst}", "`path` ends in `.zst`", "`.parquet`"),
        ("{path: o.csv}", "`aggregate` computes nothing", "`count: true`"),
        ("{quantile: x}", "did you mean `quantiles`?", ""),
        ("{code: return 1, at: [0.5]}", "`code` and `at` cannot be used together", ""),
    ] {
        let workflow = format!(
            "steps:\n  - {{name: a, task: echo, for_each: [1], inputs: {{message: 1}}, aggregate: {aggregate}}}\n"
        );
        Sandbox::with(&workflow).batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&[said, help]);
    }
}
