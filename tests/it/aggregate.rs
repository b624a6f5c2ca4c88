//! Aggregates: what is made of all results of a step, by code or by reductions.

use crate::support::{Sandbox, repository};
use serde_json::{Value, json};

/// A month of flights, one result for each, by batches of files.
const FLIGHTS: &str = "
steps:
  - name: flights
    task: batch
    inputs:
      items: {glob: FLIGHTS}
      batch_size: 5
      batched: true
      max_parallel: 2
      task:
        type: python
        setup: import pandas as pd
        code: |
          day = pd.concat(pd.read_csv(path) for path in item)
          day['speed'] = day['distance'] / day['air_time']
          kept = day[['carrier', 'origin', 'dep_delay', 'speed', 'distance', 'time_hour']]
          return [{**row, 'distance': int(row['distance'])} for row in kept.to_dict('records')]
      aggregate:
";

const LOOK: &str = "
  - name: look
    task: python
    inputs:
      code: |
        import glob, math
        import pandas as pd
        flights = pd.concat(pd.read_csv(path) for path in sorted(glob.glob('FLIGHTS')))
        flights['speed'] = flights['distance'] / flights['air_time']
        ours = steps.flights.aggregate
";

fn flights(aggregate: &str, look: &str) -> Value {
    let indented = |text: &str| text.lines().map(|line| format!("        {line}\n")).collect::<String>();
    let workflow = format!("{}{}{}{}", FLIGHTS.trim_end_matches('\n'), "\n", indented(aggregate), "");
    let workflow = format!("{workflow}{}{}", LOOK.trim_start_matches('\n'), indented(look));
    let files = repository().join("fixtures/flights/*.csv");
    let sandbox = Sandbox::with(&workflow.replace("FLIGHTS", files.to_str().unwrap()));
    sandbox.run(&[]).exits_with(0);
    sandbox.results("look").remove(0)
}

#[test]
#[ignore = "heavy: takes seconds"]
fn reductions_of_a_month_of_flights_are_those_of_pandas() {
    let seen = flights(
        "count: true
sum: [dep_delay, distance, speed]
mean: [dep_delay, distance, speed]
min: [dep_delay, speed, time_hour]
max: [dep_delay, speed, time_hour]",
        "fields = ['dep_delay', 'distance', 'speed']
same = [ours['count'] == len(flights), ours['sum']['distance'] == int(flights['distance'].sum())]
same += [ours['sum'][f] == math.fsum(flights[f].dropna()) for f in ('dep_delay', 'speed')]
same += [math.isclose(ours['mean'][f], flights[f].mean(), rel_tol=1e-13) for f in fields]
same += [ours.min[f] == flights[f].min() for f in ours.min] + [ours.max[f] == flights[f].max() for f in ours.max]
return [all(same), list(ours), ours['count'], type(ours.sum.distance).__name__]",
    );
    assert_eq!(seen, json!([true, ["count", "sum", "mean", "min", "max"], 27_004, "int"]));
}

#[test]
#[ignore = "heavy: a month of flights"]
fn groups_of_a_month_of_flights_are_those_of_pandas() {
    let seen = flights(
        "{group_by: [carrier, origin], count: true, sum: [distance, dep_delay], mean: dep_delay, min: speed, max: speed}",
        "groups = list(flights.groupby(['carrier', 'origin'], sort=False))
assert [(group.carrier, group.origin) for group in ours] == [key for key, _ in groups]
for group, (key, rows) in zip(ours, groups):
    assert group['count'] == len(rows) and group.sum.distance == rows['distance'].sum(), key
    assert group.sum.dep_delay == rows['dep_delay'].sum(), key
    assert math.isclose(group.mean.dep_delay, rows['dep_delay'].mean(), rel_tol=1e-13), key
    assert group.min.speed == rows['speed'].min() and group.max.speed == rows['speed'].max(), key
return [len(ours), list(ours[0])]",
    );
    assert_eq!(seen, json!([33, ["carrier", "origin", "count", "sum", "mean", "min", "max"]]));
}

#[test]
#[ignore = "heavy: a month of flights"]
fn the_code_of_an_aggregate_sees_all_results() {
    let seen = flights(
        "code: |
  frame = results.to_pandas()
  means = frame.groupby('carrier')['dep_delay'].mean()
  return {'kind': type(results).__name__, 'n': len(results), 'worst': means.idxmax(), 'stats': stats['total'],
          'failed': failed, 'top': top, 'inputs': inputs.top, 'run': env.get('HOME') is not None}
inputs: {top: 3}",
        "worst = flights.groupby('carrier')['dep_delay'].mean().idxmax()
return [ours.worst == worst, {**ours, 'worst': None}]",
    );
    let expected = json!({"kind": "Results", "n": 27_004, "worst": null, "stats": 31, "failed": [], "top": 3, "inputs": 3, "run": true});
    assert_eq!(seen, json!([true, expected]));
}

fn with_aggregate(items: &str, code: &str, aggregate: &str) -> String {
    format!(
        "steps:
  - name: work
    task: python
    for_each: {items}
    continue_on_error: true
    inputs: {{code: '{code}'}}
    aggregate: {aggregate}
  - {{name: after, task: echo, inputs: {{message: '{{{{ steps.work.aggregate }}}}'}}}}
"
    )
}

#[test]
fn an_aggregate_goes_to_later_steps_and_into_the_json() {
    let sandbox =
        Sandbox::with(&with_aggregate("[1, 2, 0, 4]", "return {\"q\": 8 // item}", "{count: true, sum: q, max: [q]}"));
    let ended = sandbox.run(&["--format", "json"]).exits_with(1);
    let expected = json!({"count": 3, "sum": {"q": 14}, "max": {"q": 8}});
    let json = ended.json();
    assert_eq!(json["steps"]["work"]["aggregate"], expected);
    assert_eq!(json["steps"]["after"].get("aggregate"), None);
    assert_eq!(sandbox.results("after"), [expected], "failures that are tolerated do not matter");
}

#[test]
fn whole_numbers_of_an_aggregate_keep_their_digits_wherever_they_go() {
    let workflow = with_aggregate("[1, 2]", "return 18446744073709551616", "{sum: true}");
    let code = "  - {name: code, task: python, inputs: {code: 'return steps.work.aggregate.sum + 1'}}\n";
    let sandbox = Sandbox::with(&format!("{workflow}{code}"));
    let ended = sandbox.run(&["--format", "json"]).exits_with(0);
    assert!(ended.stdout.contains("{\"sum\":36893488147419103232}"), "{}", ended.stdout);
    let results = |step| sandbox.batchmill(&["results", "--step", step]).exits_with(0).stdout;
    assert_eq!(results("after"), "{\"sum\":36893488147419103232}\n");
    assert_eq!(results("code"), "36893488147419103233\n");
}

#[test]
fn a_field_that_is_no_number_fails_the_step_and_resuming_computes_the_aggregate_alone() {
    let sandbox = Sandbox::with(&with_aggregate(
        "[3, 4]",
        "open(\"ran\", \"a\").write(\"x\"); return {\"p\": item if item == 3 else \"n/a\"}",
        "{sum: p}",
    ));
    let ended = sandbox.run(&["--format", "json"]).exits_with(3);
    let json = ended.json();
    assert_eq!(json["steps"]["work"]["error"]["type"], "AggregateError");
    assert_eq!(json["steps"]["work"]["error"]["message"], "result 1: `p` is \"n/a\", not a number");
    assert_eq!((&json["steps"]["work"]["stats"]["succeeded"], json["steps"].get("after")), (&json!(2), None));
    sandbox.batchmill(&["resume"]).exits_with(3).says(&["work: 0 of 2 items will run", "stopped by AggregateError"]);
    let workflow = sandbox.read("workflow.yaml").replace("sum: p", "count: true, max: p");
    let sandbox = sandbox.file("workflow.yaml", workflow.replace("max: p", "min: other"));
    let resumed = sandbox.batchmill(&["resume"]).exits_with(0);
    resumed.says(&["0 of 2 items will run", "warning: no result has the field `other` of the aggregate"]);
    assert_eq!(sandbox.results("after"), [json!({"count": 2, "min": {"other": null}})]);
    assert_eq!(sandbox.read("ran"), "xx");
}

#[test]
fn an_aggregate_is_computed_again_when_results_or_its_own_text_changed() {
    let work = |items: &str, last: &str| {
        let code = format!(
            "\n      code: |\n        open(\"made\", \"a\").write(\"x\")\n        return [sum(results), {last}]"
        );
        with_aggregate(items, "return item", &code)
    };
    let sandbox = Sandbox::with(&work("[1, 2]", "params.get(\"p\")"));
    sandbox.run(&["p=1"]).exits_with(0);
    assert_eq!(sandbox.results("after"), [json!([3, 1])]);
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["after: 0 of 1 items will run"]);
    assert_eq!(sandbox.read("made"), "x", "nothing changed");
    let sandbox = sandbox.file("workflow.yaml", work("[1, 2, 5]", "params.get(\"p\")"));
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["work: 1 of 3 items will run", "step `work` has new results"]);
    assert_eq!((sandbox.results("after"), sandbox.read("made")), (vec![json!([8, 1])], "xx".to_owned()));
    sandbox.batchmill(&["resume", "latest", "p=2"]).exits_with(0).says(&["work: 0 of 3 items will run"]);
    assert_eq!((sandbox.results("after"), sandbox.read("made")), (vec![json!([8, 2])], "xxx".to_owned()));
    let sandbox = sandbox.file("workflow.yaml", work("[1, 2, 5]", "\"new\""));
    sandbox.batchmill(&["plan", "workflow.yaml", "--resume"]).exits_with(0);
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["work: 0 of 3 items will run", "step `work` has new results"]);
    assert_eq!((sandbox.results("after"), sandbox.read("made")), (vec![json!([8, "new"])], "xxxx".to_owned()));
    let sandbox = sandbox.file("workflow.yaml", work("[1, 2, 5]", "1").split("    aggregate").next().unwrap());
    let ended = sandbox.batchmill(&["resume", "--format", "json"]).exits_with(0);
    assert_eq!(ended.json()["steps"]["work"].get("aggregate"), None, "the workflow has none any more");
}

#[test]
fn an_aggregate_follows_the_earlier_step_that_its_code_reads() {
    let work = |first: usize, code: &str| {
        let first = format!("steps:\n  - {{name: first, task: echo, inputs: {{message: {first}}}}}\n");
        let aggregate = format!("\n      code: {code}\n      inputs: {{given: '{{{{ steps.first.result }}}}'}}");
        with_aggregate("[1, 2]", "return item", &aggregate).replace("steps:\n", &first)
    };
    for code in ["return [sum(results), given]", "return [sum(results), steps.first.result]"] {
        let sandbox = Sandbox::with(&work(1, code));
        sandbox.run(&[]).exits_with(0);
        assert_eq!(sandbox.results("after"), [json!([3, 1])]);
        let sandbox = sandbox.file("workflow.yaml", work(5, code));
        sandbox.batchmill(&["resume"]).exits_with(0).says(&["work: 0 of 2 items will run"]);
        assert_eq!(sandbox.results("after"), [json!([3, 5])], "{code}");
    }
}

#[test]
fn code_of_an_aggregate_that_raises_fails_the_step_with_its_exception() {
    let code = "\n      code: |\n        print(\"here\")\n        return 1 / len(failed)";
    let workflow = format!("name: sums\n{}", with_aggregate("[1, 2]", "open(\"ran\", \"a\").write(\"x\")", code));
    let sandbox = Sandbox::with(&workflow);
    let ended = sandbox.run(&["--format", "json"]).exits_with(3);
    let error = ended.json()["steps"]["work"]["error"].clone();
    assert_eq!(error, json!({"type": "ZeroDivisionError", "message": "division by zero"}));
    ended.says(&["stopped by ZeroDivisionError: division by zero", "next: batchmill resume"]);
    assert!(sandbox.everything_written("").contains("\"text\":\"here\\n\""), "what it prints is in the step's log");
    assert!(sandbox.everything_written("").contains("work.aggregate"), "the traceback names it");
    let sandbox = sandbox.file("workflow.yaml", workflow.replace("1 / len(failed)", "stats[\"succeeded\"]"));
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!((sandbox.results("after"), sandbox.read("ran")), (vec![json!(2)], "xx".to_owned()));
}

#[test]
#[ignore = "heavy: takes seconds"]
fn an_aggregate_that_takes_longer_than_its_step_may_is_ended() {
    let sandbox = Sandbox::with(
        "steps:
  - name: work
    task: echo
    for_each: [1]
    timeout: 2s
    inputs: {message: '{{ item }}'}
    aggregate: |
      import time
      time.sleep(600)
",
    );
    let ended = sandbox.run(&["--format", "json"]).exits_with(3);
    assert_eq!(ended.json()["steps"]["work"]["error"]["type"], "StepTimeout");
    sandbox.has_no_process();
}

#[test]
fn ctrl_c_during_an_aggregate_leaves_the_items_done() {
    let sandbox = Sandbox::with(
        "steps:
  - name: work
    task: echo
    for_each: [1, 2]
    inputs: {message: '{{ item }}'}
    aggregate: |
      import os, time
      if not os.path.exists('again'):
          os.kill(os.getppid(), 2)
          time.sleep(600)
      return sum(results)
",
    );
    sandbox.run(&["--grace", "100ms"]).exits_with(130);
    let sandbox = sandbox.file("again", "");
    let ended = sandbox.batchmill(&["resume", "--format", "json"]).exits_with(0);
    assert_eq!(ended.json()["steps"]["work"]["aggregate"], 3);
    ended.says(&["0 of 2 items will run"]);
}

#[test]
fn wrong_aggregates_are_errors_with_their_place() {
    let cases = [
        ("5", "`aggregate` must be Python code or a mapping; found the number 5"),
        ("''", "`aggregate` is empty"),
        ("{}", "`aggregate` computes nothing"),
        ("{group_by: a}", "`aggregate` computes nothing"),
        ("{count: false}", "`aggregate` computes nothing"),
        ("{summ: a}", "did you mean `sum`?"),
        ("{count: yes}", "`count` must be `true` or `false`; found the string \"yes\""),
        ("{sum: 5}", "`sum` must be a field, a list of fields, or `true`; found the number 5"),
        ("{mean: false}", "`mean` must be a field, a list of fields, or `true`; found `false`"),
        ("{min: []}", "`min` is empty"),
        ("{max: [a, b, a]}", "`max` contains `a` twice"),
        ("{sum: a..b}", "`sum` contains an empty name: \"a..b\""),
        ("{sum: '{{ x }}'}", "`sum` cannot be a template"),
        ("{count: true, group_by: {a: 1}}", "`group_by` must be a field, a list of fields, or `true`"),
        (
            "{count: true, group_by: [count]}",
            "`group_by` cannot contain `count`, which is also the name of a reduction",
        ),
        ("{code: return 1, sum: a}", "`code` and `sum` cannot be used together"),
        ("{count: true, inputs: {a: 1}}", "`inputs` requires `code`"),
        ("{code: return 1, inputs: {results: 1}}", "input name `results` is reserved in an aggregate"),
        ("{code: return 1, inputs: {class: 1}}", "input name `class` is a Python keyword"),
        ("{code: return 1, inputs: {a: '{{ nowhere }}'}}", "`nowhere` is not defined"),
        ("'return ('", "was never closed"),
    ];
    for (aggregate, said) in cases {
        for workflow in [
            format!(
                "steps:\n  - {{name: a, task: echo, for_each: [1], inputs: {{message: 1}}, aggregate: {aggregate}}}\n"
            ),
            format!(
                "steps:\n  - {{name: a, task: batch, inputs: {{items: [1], task: {{type: echo, message: 1}}, aggregate: {aggregate}}}}}\n"
            ),
        ] {
            let ended = Sandbox::with(&workflow).batchmill(&["run", "workflow.yaml"]).exits_with(2);
            ended.says(&[said, "workflow.yaml:2:"]);
        }
    }
    let none = "steps:\n  - {name: a, task: echo, for_each: [1], inputs: {message: 1}}
  - {name: b, task: echo, inputs: {message: '{{ steps.a.aggregate.sum }}'}}\n";
    Sandbox::with(none).run(&[]).exits_with(2).says(&["step `a` has no `aggregate`", "workflow.yaml:3:"]);
    let plain = "steps:\n  - {name: a, task: echo, inputs: {message: 1}, aggregate: {count: true}}\n";
    Sandbox::with(plain).run(&[]).exits_with(2).says(&["`aggregate` requires a step with items", "add `for_each`"]);
}
