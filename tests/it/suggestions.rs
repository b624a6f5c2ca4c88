//! Words of other tools, keys of the user's own, and braces that belong to a command.

use crate::support::Sandbox;

/// What `validate` says of a workflow.
fn refused(workflow: &str, says: &[&str]) {
    Sandbox::with(workflow).batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(says);
}

#[test]
fn the_keys_of_other_tools_are_suggestions() {
    let step = |keys: &str| format!("steps:\n  - name: a\n    for_each: [1]\n    task: shell\n    {keys}\n");
    for (keys, meant) in [
        ("workers: 4\n    inputs: {command: ls}", "did you mean `max_parallel`?"),
        ("n_jobs: 4\n    inputs: {command: ls}", "did you mean `max_parallel`?"),
        ("parallel: 4\n    inputs: {command: ls}", "to set the number of workers, write `max_parallel: 4`"),
        ("parallel: auto\n    inputs: {command: ls}", "write `max_parallel: auto`"),
        ("on_error: continue\n    inputs: {command: ls}", "did you mean `continue_on_error`?"),
        ("retry: {attempts: 3}\n    inputs: {command: ls}", "did you mean `max_attempts`?"),
        ("retries: 3\n    inputs: {command: ls}", "did you mean `retry`?"),
        ("when: item > 1\n    inputs: {command: ls}", "did you mean `where`?"),
        ("inputs: {cmd: ls}", "did you mean `command`?"),
        ("inputs: {script: ls}", "did you mean `command`?"),
        ("inputs: {command: ls, cwd: /tmp}", "did you mean `working_dir`?"),
    ] {
        refused(&step(keys), &[meant]);
    }
    refused("vars: {a: 1}\nsteps: {a: {task: echo, inputs: {message: 1}}}\n", &["did you mean `params`?"]);
    refused(
        "steps:\n  - name: a\n    for_each: {csv: a.csv, types: auto}\n    task: echo\n    inputs: {message: 1}\n",
        &["unknown value `auto` for `types`", "did you mean `infer`?"],
    );
}

#[test]
fn a_task_without_a_type_is_named_by_its_inputs() {
    for (input, name) in [("url: http://x/", "http_request"), ("command: ls", "shell"), ("code: return 1", "python")] {
        let says = format!("add `type: {name}`");
        refused(&format!("steps: {{a: {{type: echo, inputs: {{message: 1}}}}}}\nfinally: {{{input}}}\n"), &[&says]);
    }
}

#[test]
fn keys_of_the_users_own_hold_anchors_everywhere() {
    let sandbox = Sandbox::with(
        "
x-common: &common {timeout: 5, x-note: for all of them}
params:
  first: [1, 2]
  second: {default: 3, x-why: because}
steps:
  - name: a
    x-owner: me
    <<: *common
    for_each: {range: 2, x-of: a}
    outputs: {path: a.jsonl, x-seen-by: [b]}
    retry: {max_attempts: 2, x-y: 1}
    task: python
    inputs: {code: 'return [item, first, second]', x-z: 1, first: '{{ first }}', second: '{{ second }}'}
  - name: b
    task: batch
    inputs:
      x-a: 1
      items: [1]
      task: {type: shell, x-b: {c: 1}, command: echo}
finally: {type: echo, message: 1, x-c: []}
",
    );
    sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(0);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("a"), [serde_json::json!([0, [1, 2], 3]), serde_json::json!([1, [1, 2], 3])]);
}

#[test]
fn a_list_of_parameters_is_a_default() {
    let sandbox = Sandbox::with("params: {lr: [1, 2]}\nsteps: {a: {task: echo, inputs: {message: '{{ lr }}'}}}\n");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("a"), [serde_json::json!([1, 2])]);
    sandbox.run(&["lr=[3]"]).exits_with(0);
    assert_eq!(sandbox.results("a"), [serde_json::json!([3])]);
}

#[test]
fn braces_of_a_command_are_shown_as_they_should_be_written() {
    let refused = |command: &str, fixed: &str| {
        let workflow = format!(
            "steps:\n  - name: a\n    for_each: [1]\n    task: shell\n    inputs:\n      command: |\n        {command}\n"
        );
        Sandbox::with(&workflow).batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&[&format!("`{fixed}`")]);
        // What the message says works.
        let workflow = workflow.replace(command, &format!("echo {}", fixed.split_once(' ').unwrap().1));
        Sandbox::with(&workflow).run(&[]).exits_with(0);
    };
    refused("docker ps --format '{{.Names}}'", "docker ps --format '{% raw %}{{.Names}}{% endraw %}'");
    refused("awk '{{print $1}}' {{ item }}", "awk '{% raw %}{{print $1}}{% endraw %}' {{ item }}");
    refused("git log --format='{%h%}'", "git log --format='{% raw %}{%h%}{% endraw %}'");
    refused(
        "kubectl get -o go-template='{{range .items}}{{.name}}{{end}}'",
        "kubectl get -o go-template='{% raw %}{{range .items}}{{.name}}{{end}}{% endraw %}'",
    );
    // As a list.
    Sandbox::with("steps: {a: {task: shell, inputs: {command: [docker, ps, --format, '{{.Names}}']}}}\n")
        .batchmill(&["validate", "workflow.yaml"])
        .exits_with(2)
        .says(&["`docker ps --format {% raw %}{{.Names}}{% endraw %}`"]);
}
