//! The names that Python code sees, and those that it only believes to see.

use crate::support::Sandbox;
use serde_json::json;

#[test]
fn code_knows_outputs_and_parameters_by_their_names_as_templates_do() {
    let text = "
params: {rate: {default: 3}, table: {default: {a: 1}}, max: {default: 9}, mine: {default: 1}}
steps:
  - {name: first, for_each: {range: 4}, task: python, inputs: {code: 'return item * rate'}, outputs: scaled}
  - {name: many, for_each: {range: 1200}, batch_size: 600, task: python, inputs: {code: return item}, outputs: lots}
  - name: work
    for_each: [1, 2]
    task: python
    inputs:
      given: '{{ item }}'
      setup: |
        total = sum(scaled)
        mine = 'of setup'
      code: |
        def inner():
            return [total, scaled[item], table['a'], len(lots), lots[-1]]
        return [inner(), max(1, 2), mine, given, sorted(inputs)]
";
    let sandbox = Sandbox::with(text);
    sandbox.run(&[]).exits_with(0);
    let of = |item: u64| json!([[18, item * 3, 1, 1200, 1199], 2, "of setup", item, ["given"]]);
    assert_eq!(sandbox.results("work"), [of(1), of(2)]);
}

#[test]
fn names_that_code_tries_out_or_declares_stay_its_own() {
    let text = "
params: {cache: {default: wrong}, legacy: {default: wrong}}
steps:
  - name: work
    for_each: [1, 2]
    batch_size: 2
    task: python
    inputs:
      code: |
        global cache
        try:
            cache.append(item)
        except NameError:
            cache = [item]
        try:
            found = legacy
        except NameError:
            found = None
        return [list(cache), found]
";
    let sandbox = Sandbox::with(text);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [json!([[1], null]), json!([[1, 2], null])]);
}

/// A step with this code, after one whose output is `per_file`.
fn after_per_file(code: &str, more: &str) -> Sandbox {
    let code: String = code.lines().map(|line| format!("        {line}\n")).collect();
    Sandbox::with(&format!(
        "params: {{rate: {{default: 3}}}}\nsteps:\n  - {{name: first, for_each: [1], task: python, inputs: {{code: return item}}, outputs: per_file}}\n  - name: work\n    for_each: [1]\n    task: python\n    inputs:\n      code: |\n{code}{more}"
    ))
}

#[test]
fn an_unknown_name_is_found_before_the_first_item() {
    for (code, line, says) in [
        ("return sum(per_fil)", 9, ["`per_fil` is not defined", "help: did you mean `per_file`?"]),
        (
            "x = 1\nreturn [json.dumps(y) for y in per_file]",
            10,
            ["`json` is not defined", "add `import json`, in the code"],
        ),
        ("def f():\n    return lenght(item)\nreturn f()", 10, ["`lenght` is not defined", "give the task an input"]),
        ("if item > 5:\n    return itm", 10, ["`itm` is not defined", "did you mean `item`?"]),
    ] {
        let sandbox = after_per_file(code, "");
        let place = format!("workflow.yaml:{line}:");
        sandbox.run(&[]).exits_with(2).says(&[says[0], says[1], &place]);
        sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&says);
    }
    let sandbox = after_per_file("return x", "      setup: x = item\n");
    sandbox.run(&[]).exits_with(2).says(&["`item` is not defined"]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_name_that_code_may_have_all_the_same_is_left_to_the_run() {
    for code in [
        "exec('y = 5', globals())\nreturn y",
        "from os.path import *\nreturn basename('a/b')",
        "globals()['later'] = 1\nreturn later",
        "try:\n    return unicode\nexcept NameError:\n    return 1",
        "from __future__ import annotations\ndef f(x: Missing) -> 'Other':\n    y: Missing = x\n    return y\nreturn f(1)",
        "import os.path as p, json\nmatch {'a': 1, 'b': 2}:\n    case {'a': a, **rest}:\n        return [a, rest, p.sep, json.dumps(1), __name__]",
        "class A:\n    x = 1\n    y = x\nreturn [A.y, (lambda *a, **k: [a, k])(1, b=2), rate, [z for z in per_file if (w := z)], w]",
    ] {
        let sandbox = after_per_file(code, "");
        sandbox.run(&[]).exits_with(0);
        sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(0);
    }
}

#[test]
fn an_aggregate_and_a_handler_know_their_own_names() {
    let text = "
steps:
  - name: work
    task: batch
    inputs:
      items: [1, 2]
      continue_on_error: true
      task: {type: python, code: 'return 1 / (item - 1)'}
      on_item_error: {type: python, code: 'return [item, error.message]'}
      aggregate: {code: 'return [len(results), failed, len(stats) > 0]'}
";
    let sandbox = Sandbox::with(text);
    sandbox.run(&[]).exits_with(1);
    let wrong = text.replace("len(results)", "len(reslts)");
    Sandbox::with(&wrong).run(&[]).exits_with(2).says(&["`reslts` is not defined", "did you mean `results`?"]);
}

#[test]
fn validate_warns_of_a_name_that_may_come_from_elsewhere() {
    for (code, says) in [
        (
            "from math import *\nreturn sqrt(item) + lrr",
            Some("workflow.yaml:9: `lrr` may not be defined; did you mean `lr`?"),
        ),
        ("from helpers import *\nreturn rates", Some("`rates` may not be defined; did you mean `rate`?")),
        ("from helpers import *\nreturn something_else", None),
        ("exec('x = 1')\nreturn x", Some("`x` may not be defined; assign it")),
        ("return globals() and per_file", Some("`per_file` may not be defined")),
        ("from math import *\nfrom os.path import *\nreturn join('a', str(sqrt(item)))", None),
        ("exec('x = 1')\ntry:\n    return x\nexcept NameError:\n    return 0", None),
    ] {
        let code: String = code.lines().map(|line| format!("        {line}\n")).collect();
        let text = format!(
            "params: {{lr: 1, rate: 2}}\nsteps:\n  - name: a\n    for_each: [1]\n    task: python\n    inputs:\n      code: |\n{code}"
        );
        let sandbox = Sandbox::with(&text).file("helpers.py", "something_else = rates = 1\n");
        let ended = sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(0);
        assert_eq!(ended.stdout.contains("warning: "), says.is_some(), "{code}: {}", ended.stdout);
        assert!(says.is_none_or(|says| ended.stdout.contains(says)), "{code}: {}", ended.stdout);
    }
}
