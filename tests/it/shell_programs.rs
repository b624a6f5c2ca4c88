//! `shell:`, the program that runs command lines.

use crate::support::Sandbox;
use serde_json::json;

/// What the first item of step `a` printed.
fn printed(sandbox: &Sandbox) -> String {
    sandbox.results("a")[0]["stdout"].as_str().unwrap().to_owned()
}

#[test]
fn a_failure_in_a_pipe_fails_the_command_with_bash_and_is_noted_with_sh() {
    let workflow = |shell: &str| {
        format!(
            "{shell}steps:\n  - name: a\n    for_each: [1]\n    task: shell\n    inputs: {{command: 'false | cat'}}\n"
        )
    };
    let note = "note: workflow.yaml:5: in a pipe, `sh` reports only the failure of the last command; `shell: bash` at \
                the top of the file reports all of them, and `shell: sh` removes this note";
    let hidden = Sandbox::with(&workflow(""));
    hidden.run(&[]).exits_with(0).says(&[note]);
    let valid = hidden.batchmill(&["validate", "workflow.yaml"]).exits_with(0);
    assert!(valid.stdout.contains(note), "{}", valid.stdout);
    for shell in ["shell: bash\n", "shell: [bash, -euo, pipefail, -c]\n"] {
        Sandbox::with(&workflow(shell)).run(&[]).exits_with(3).says(&["command exited with status 1"]);
    }
    let silent = Sandbox::with(&workflow("shell: sh\n")).run(&[]).exits_with(0);
    assert!(!silent.stderr.contains("note:"), "{}", silent.stderr);
}

#[test]
fn only_a_pipe_is_noted_and_once_for_a_file() {
    let note = |commands: &[&str]| {
        let steps: String = commands
            .iter()
            .enumerate()
            .map(|(at, command)| format!("  - {{name: s{at}, task: shell, inputs: {{command: {}}}}}\n", json!(command)))
            .collect();
        let said = Sandbox::with(&format!("steps:\n{steps}")).batchmill(&["validate", "workflow.yaml"]).exits_with(0);
        (said.stdout + &said.stderr).matches("note:").count()
    };
    assert_eq!(note(&["true || false", "echo 'a | b'", "echo \"|\" # |", "case x in a|b) ;; esac; echo x >| f"]), 0);
    assert_eq!(note(&["ls", "ls | wc -l", "ls|cat"]), 1);
    assert_eq!(note(&["echo $(ls | wc -l)"]), 1);
}

#[test]
fn the_shell_of_a_task_comes_before_those_of_its_step_and_of_the_file() {
    let name =
        "command: 'test -n \"$ZSH_VERSION\" && echo zsh || { test -n \"$BASH_VERSION\" && echo bash; } || echo sh'";
    let run = |top: &str, step: &str, task: &str| {
        let sandbox = Sandbox::with(&format!(
            "{top}\nsteps:\n  - name: a\n    {step}\n    for_each: [1]\n    task: shell\n    inputs:\n      {name}\n      {task}\n"
        ));
        sandbox.run(&[]).exits_with(0);
        printed(&sandbox)
    };
    assert_eq!(run("", "", ""), "sh");
    assert_eq!(run("shell: bash", "", ""), "bash");
    assert_eq!(run("shell: sh", "shell: bash", ""), "bash");
    assert_eq!(run("shell: sh", "shell: sh", "shell: [bash, -c]"), "bash");
    let closing = Sandbox::with(
        "shell: bash\nsteps: {a: {task: echo, inputs: {message: 1}}}\nfinally: {type: shell, command: 'echo $BASH > f; [[ 1 ]]'}\n",
    );
    closing.run(&[]).exits_with(0);
    assert!(closing.read("f").ends_with("bash\n"));
}

#[test]
fn values_are_quoted_for_every_shell_that_reads_as_sh_does() {
    let hostile = "a'b\"c $(touch pwned) `touch pwned` ; touch pwned # é *";
    for shell in ["sh", "bash", "[bash, -euo, pipefail, -c]"] {
        let sandbox = Sandbox::with(&format!(
            "shell: {shell}\nsteps:\n  - name: a\n    for_each: [{}]\n    task: shell\n    inputs: {{command: \"printf %s {{{{ item }}}}; echo \\\"-{{{{ item }}}}\\\"\"}}\n",
            json!(hostile)
        ));
        sandbox.run(&[]).exits_with(0);
        assert_eq!(printed(&sandbox), format!("{hostile}-{hostile}"), "{shell}");
        assert!(!sandbox.exists("pwned"));
    }
}

#[test]
fn a_program_with_other_quotes_gets_no_values_in_its_command() {
    let workflow = |command: &str| {
        format!(
            "steps:\n  - name: a\n    for_each: [5]\n    task: shell\n    inputs: {{shell: [python3, -c], command: {}}}\n",
            json!(command)
        )
    };
    let refused = ["print({{ item }})", "print('{{ item }}')", "{% if item %}print(1){% endif %}"];
    for command in refused {
        Sandbox::with(&workflow(command))
            .batchmill(&["validate", "workflow.yaml"])
            .exits_with(2)
            .says(&["substitution in a command for `python3`, whose rules of quoting batchmill does not know"]);
    }
    let sandbox = Sandbox::with(&workflow("import os; print(int(os.environ['BATCHMILL_ITEM']) + 1)"));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(printed(&sandbox), "6");
}

#[test]
fn a_wrong_shell_is_refused_with_what_to_write() {
    for (shell, says) in [
        ("fish", "for another program, write a list that ends with the option for a command: `[fish, -c]`"),
        ("bsh", "did you mean `sh`?"),
        ("[bash]", "`shell` must end with the option that takes a command"),
        ("[bash, -c, x]", "`shell` must end with the option that takes a command"),
        ("3", "`shell` must be the name of a shell, or a list with a program and its options"),
        ("'{{ item }}'", "`shell` cannot be a template"),
    ] {
        let workflow = format!("steps: {{a: {{task: shell, shell: {shell}, inputs: {{command: ls}}}}}}\n");
        Sandbox::with(&workflow).batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&[says]);
    }
    Sandbox::with("steps: {a: {task: shell, inputs: {command: [ls, -l], shell: bash}}}\n")
        .batchmill(&["validate", "workflow.yaml"])
        .exits_with(2)
        .says(&["`shell` has no effect: a command that is a list runs without a shell"]);
}

#[test]
fn another_shell_runs_the_items_again() {
    let workflow = |shell: &str| {
        format!("steps: {{a: {{shell: {shell}, for_each: [1], task: shell, inputs: {{command: 'echo $0'}}}}}}\n")
    };
    let sandbox = Sandbox::with(&workflow("sh"));
    sandbox.run(&[]).exits_with(0);
    let sandbox = sandbox.file("workflow.yaml", workflow("bash"));
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(printed(&sandbox), "bash");
}
