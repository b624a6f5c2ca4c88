//! Values of a workflow file that people write and that used to be taken in silence, or refused without need.

use crate::support::Sandbox;
use serde_json::json;

#[test]
fn a_key_that_is_written_as_a_template_is_refused() {
    for (task, place) in [
        ("task: echo, inputs: {message: {\"{{ n }}\": 1}}", "3:40"),
        ("task: echo, inputs: {message: [{a: {\"x{{ n }}\": 1}}]}", "3:45"),
        ("task: shell, inputs: {command: env, env: {\"{{ n }}\": 1}}", "3:51"),
        ("task: http_request, inputs: {url: 'http://h', headers: {\"X-{{ n }}\": 1}}", "3:65"),
    ] {
        let sandbox = Sandbox::with(&format!("params: {{n: 1}}\nsteps:\n- {{name: a, {task}}}\n"));
        let ended = sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(2);
        ended.says(&[
            "a key cannot be a template",
            "write the whole mapping as a template",
            &format!("workflow.yaml:{}", &place[..2]),
        ]);
    }
    let text = "x-mine: {\"{{ n }}\": 1}\nparams: {n: k}\nsteps:\n- {name: a, task: echo, inputs: {message: \"{{ {n: 1, 'l{': 2} }}\"}}\n";
    let sandbox = Sandbox::with(text);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("a"), [json!({"k": 1, "l{": 2})]);
}

#[test]
fn a_default_with_a_type_may_be_a_template() {
    for (param, value) in [
        ("{type: integer, default: '{{ 1 + 1 }}'}", json!(2)),
        ("{type: integer, default: '{{ env.GIVEN_NUMBER }}'}", json!(42)),
        ("{type: number, default: '{{ 1 / 2 }}'}", json!(0.5)),
        ("{type: list, default: '{{ [1, 2] }}'}", json!([1, 2])),
        ("{type: boolean, default: '{{ 1 > 2 }}'}", json!(false)),
        ("{type: string, default: '{{ env.GIVEN_NUMBER }}'}", json!("42")),
    ] {
        let text =
            format!("params: {{n: {param}}}\nsteps: [{{name: a, task: echo, inputs: {{message: '{{{{ n }}}}'}}}}]\n");
        let sandbox = Sandbox::with(&text).env("GIVEN_NUMBER", "42");
        sandbox.run(&[]).exits_with(0);
        assert_eq!(sandbox.results("a"), [value], "{param}");
    }
    let text = "params: {n: {type: integer, default: '{{ \"x\" }}'}}\nsteps: [{name: a, task: echo, inputs: {message: '{{ n }}'}}]\n";
    let words = ["`n` must be an integer; found the string \"x\"", "workflow.yaml:1:"];
    Sandbox::with(text).batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&words);
}

#[test]
fn a_workflow_is_valid_where_its_secrets_are_not_set() {
    for task in [
        "task: shell, inputs: {command: 'echo {{ env.NOT_SET_HERE }}'}",
        "task: http_request, inputs: {url: 'http://h', auth: {bearer: '{{ env.NOT_SET_HERE }}'}}",
        "task: python, inputs: {code: 'return token', token: '{{ env.NOT_SET_HERE }}'}",
    ] {
        let text = format!(
            "secrets: [NOT_SET_HERE]\nenv: {{TOKEN: 'a {{{{ env.NOT_SET_HERE }}}}'}}\nsteps:\n- {{name: a, {task}}}\n"
        );
        let sandbox = Sandbox::with(&text);
        sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(0);
        sandbox.run(&[]).exits_with(2).says(&["environment variable `NOT_SET_HERE` is not set"]);
    }
    let text = "secrets: [OTHER]\nsteps: [{name: a, task: shell, inputs: {command: 'echo {{ env.NOT_SET_HERE }}'}}]\n";
    Sandbox::with(text).batchmill(&["validate", "workflow.yaml"]).exits_with(2);
}
