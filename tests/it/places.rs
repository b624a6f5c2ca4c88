//! Where errors are shown in a workflow file, and names beyond ASCII.

use crate::support::Sandbox;
use serde_json::json;

#[test]
fn an_undefined_name_is_underlined_in_its_braces() {
    let sandbox = Sandbox::with(
        "params: {n: 1}
steps:
  - name: a
    for_each: [1]
    task: shell
    inputs:
      command: >
        echo nope
        {{ n }} {{ nope }}
  - name: b
    task: echo
    inputs: {message: 'gone {{ n }} or {{ gone }}'}
",
    );
    let words = ["`nope` is not defined", "workflow.yaml:9:20", "`gone` is not defined", "workflow.yaml:12:43"];
    sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&words);
}

#[test]
fn a_setting_that_turns_out_wrong_is_shown_where_it_is() {
    for (setting, place) in [
        ("max_parallel: '{{ 1 / 0 }}'", "5:19"),
        ("batch_timeout: '{{ \"soon\" }}'", "5:20"),
        ("timeout: '{{ steps }}'", "5:14"),
        ("max_failures: '{{ \"many\" }}'", "5:19"),
    ] {
        let steps = format!(
            "steps:\n  - name: a\n    for_each: [1]\n    task: shell\n    {setting}\n    inputs: {{command: 'true'}}\n"
        );
        let key = setting.split(':').next().unwrap();
        let words = [&format!("`{key}`")[..], &format!("workflow.yaml:{place}")];
        Sandbox::with(&steps).run(&[]).exits_with(2).says(&words);
    }
}

#[test]
fn every_broken_template_of_a_command_is_reported_at_once() {
    let sandbox = Sandbox::with(
        "params: {n: 1}
steps:
  - name: a
    for_each: [1]
    task: shell
    inputs:
      command: '{{ x'
      working_dir: '{{ y'
      env: {A: '{{ z', B: '{{ item '}
  - name: b
    task: shell
    inputs: {command: 'echo {{ nope }}'}
",
    );
    let places = ["7:20", "8:24", "9:20", "9:31", "12:32"].map(|place| format!("workflow.yaml:{place}"));
    let ended = sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(2);
    assert_eq!(ended.stderr.matches("error: ").count(), 5, "{}", ended.stderr);
    places.iter().for_each(|place| assert!(ended.stderr.contains(place), "{place}: {}", ended.stderr));
}

#[test]
fn a_file_is_valid_without_the_values_of_its_parameters_and_secrets() {
    let workflow = "params: {rate: {type: integer}}
env: {RATE: '{{ rate + 1 }}', TWICE: '{{ env.RATE }}{{ env.RATE }}'}
secrets: [NO_SUCH_TOKEN]
steps: [{name: a, for_each: [1], task: shell, inputs: {command: 'echo {{ rate }} $TWICE'}}]
";
    let sandbox = Sandbox::with(workflow);
    sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(0);
    let ended =
        sandbox.run(&[]).exits_with(2).says(&["parameter `rate` is required", "secret `NO_SUCH_TOKEN` is not set"]);
    assert!(!ended.stderr.contains("is not defined"), "{}", ended.stderr);
    let given = sandbox.env("NO_SUCH_TOKEN", "s3cret");
    given.run(&["rate=1"]).exits_with(0);
    assert_eq!(given.results("a")[0]["stdout"], "1 22");
    // What is wrong with any value is an error all the same.
    let wrong = workflow.replace("rate + 1", "rat");
    Sandbox::with(&wrong).batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&["`rat` is not defined"]);
}

#[test]
fn names_beyond_ascii_can_be_used_wherever_they_can_be_given() {
    let sandbox = Sandbox::with(
        "params: {größe: 2, 名前: x}
steps:
  - name: zählen
    for_each: [1, 2]
    task: python
    inputs: {code: 'return item * größe * faktor', größe: '{{ größe }}', faktor: '{{ params.größe }}'}
    outputs: länge
  - name: sagen
    task: shell
    inputs: {command: 'echo {{ länge | length }} {{ steps.zählen.result }} {{ 名前 }}'}
",
    );
    sandbox.run(&["größe=3"]).exits_with(0);
    assert_eq!(sandbox.results("zählen"), [json!(9), json!(18)]);
    assert_eq!(sandbox.results("sagen")[0]["stdout"], "2 [9,18] x");
}

#[test]
fn an_error_in_folded_code_is_shown_at_its_line() {
    for (code, place) in [
        ("x = 1\n\ny = undefined_name\n+ 2", "`undefined_name` is not defined\n --> workflow.yaml:9:9"),
        ("x = 1\n\n\nif x:\n  y = 2\n  z = nowhere\nw = 3", "`nowhere` is not defined\n  --> workflow.yaml:12:11"),
        ("\nx = [1,\n2]\n\nreturn (", "SyntaxError: '(' was never closed\n  --> workflow.yaml:11:9"),
    ] {
        for indicator in [">", ">-", ">+"] {
            let code: String =
                code.lines().map(|line| format!("        {line}").trim_end().to_owned() + "\n").collect();
            let text = format!(
                "params: {{}}\nsteps:\n  - name: a\n    task: python\n    inputs:\n      code: {indicator}\n{code}"
            );
            let sandbox = Sandbox::with(&text);
            sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&[place]);
        }
    }
}

/// Where a word is in a text, as `line:column`.
fn place(text: &str, word: &str) -> String {
    let before = text.split(word).next().unwrap();
    let line = before.rsplit('\n').next().unwrap();
    format!("{}:{}", before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[test]
fn a_template_that_fails_in_a_run_says_where_it_is() {
    for task in [
        "shell\n    inputs:\n      command: |\n        echo one\n        echo {{ item.y.z }}",
        "shell\n    inputs: {command: [echo, '{{ item.y.z }}']}",
        "shell\n    inputs: {command: ls, env: {A: '{{ item.y.z }}'}}",
        "echo\n    inputs: {message: 'ä {{ item.y.z }}'}",
        "python\n    inputs: {code: return k, k: '{{ item.y.z }}'}",
        "http_request\n    inputs: {url: 'http://127.0.0.1:9/{{ item.y.z }}'}",
    ] {
        let steps =
            format!("steps:\n  - name: a\n    for_each: [{{x: 1}}]\n    continue_on_error: true\n    task: {task}\n");
        let sandbox = Sandbox::with(&steps);
        sandbox.run(&[]).exits_with(1);
        let message = sandbox.failures()[0]["error"].as_str().unwrap().to_owned();
        let place = place(&steps, ".y.z");
        assert_eq!(
            message,
            format!("cannot render `.y.z`: undefined value: `item.y` is undefined (workflow.yaml:{place})"),
            "{task}"
        );
    }
}

#[test]
fn a_template_that_stops_a_step_says_where_it_is() {
    for (step, word) in [
        ("task: echo\n    inputs: {message: '{{ [1] | first | items }}'}", "items }}"),
        ("for_each: [{x: 1}]\n    where: item.y.z\n    task: echo\n    inputs: {message: 1}", ".y.z"),
        (
            "for_each: [{x: 1}]\n    task: python\n    on_item_error: {type: echo, message: '{{ item.y.z }}'}\n    inputs: {code: return 1 / 0}",
            ".y.z",
        ),
    ] {
        let steps = format!("steps:\n  - name: a\n    {step}\n");
        let ended = Sandbox::with(&steps).run(&[]);
        let place = format!("workflow.yaml:{}", place(&steps, word));
        assert!(ended.code != Some(0) && ended.stderr.contains(&place), "{step}: {place} is not in\n{}", ended.stderr);
    }
}
