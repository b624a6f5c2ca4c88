//! Templates and shell commands. No item can be read as a command, wherever it stands.

use crate::support::Sandbox;
use proptest::prelude::*;
use serde_json::{Value, json};

const EVIL: &str = "x'; touch pwned; '$(touch pwned)\" `touch pwned` \\";

/// Runs one command over items and gives the `stdout` of each.
fn stdout_of(command: &str, items: &[&str]) -> Vec<String> {
    let workflow = json!({ "steps": [{ "name": "say", "task": "batch", "inputs": {
        "items": "{{ params.items }}", "task": { "type": "shell", "command": command },
    } }] });
    let sandbox = Sandbox::with(&workflow.to_string()).file("params.json", json!({ "items": items }).to_string());
    sandbox.run(&["--params-file", "params.json", "--progress", "none"]).exits_with(0);
    assert!(!sandbox.exists("pwned"), "an item was run as a command by: {command}");
    sandbox.results("say").iter().map(|result| result["stdout"].as_str().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "heavy: takes seconds"]
fn an_evil_item_creates_nothing_wherever_it_stands() {
    let places = [
        ("printf %s {{ item }}", EVIL.to_owned()),
        ("printf %s '{{ item }}'", EVIL.to_owned()),
        ("printf %s \"{{ item }}\"", EVIL.to_owned()),
        ("printf %s \"a $(printf %s {{ item }}) b\"", format!("a {EVIL} b")),
        ("printf %s \"$(printf %s '{{ item }}')\"", EVIL.to_owned()),
        ("printf %s `printf %s '{{ item }}' | wc -c`", EVIL.len().to_string()),
        ("cat <<EOF\n{{ item }}\nEOF", EVIL.to_owned()),
        ("unset x; printf %s \"${x:-{{ item }}}\"", EVIL.to_owned()),
        ("# it's {{ item }}\nprintf ok", "ok".to_owned()),
        ("X={{ item }}; printf %s \"$X\"", EVIL.to_owned()),
        ("if true; then printf %s '{{ item }}'\"{{ item }}\"; fi", format!("{EVIL}{EVIL}")),
        ("printf %s \"$BATCHMILL_ITEM\"", EVIL.to_owned()),
        ("{% set x = item ~ '!' %}printf %s {{ x }}", format!("{EVIL}!")),
        ("{% set x %}<{{ item }}>{% endset %}printf %s {{ x }}", format!("<{EVIL}>")),
        ("env printf %s {{ item }}", EVIL.to_owned()),
        ("{% for c in [item, item] %}printf %s {{ c }};{% endfor %}", format!("{EVIL}{EVIL}")),
    ];
    for (command, expected) in places {
        assert_eq!(stdout_of(command, &[EVIL]), [expected], "{command}");
    }
}

#[test]
fn a_command_given_as_a_list_runs_without_a_shell() {
    let workflow = "
steps:
  - name: say
    task: batch
    inputs:
      items: ['$HOME; *']
      task: {type: shell, command: [printf, '%s|', '{{ item }}', '$HOME']}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("say")[0]["stdout"], json!("$HOME; *|$HOME|"));
}

#[test]
fn raw_is_the_one_way_to_hand_shell_syntax_over() {
    assert_eq!(stdout_of("echo {{ item | raw }}", &["a; echo b"]), ["a\nb"]);
}

#[test]
fn places_where_no_value_can_stand_are_named_before_the_run() {
    for (command, says) in [
        ("cat <<'EOF'\n{{ item }}\nEOF", "here-document with a quoted delimiter"),
        ("echo \\{{ item }}", "backslash before a substitution"),
        ("bash -c \"echo {{ item }}\"", "inside code for `bash`"),
        ("cd / && eval echo {{ item }}", "inside code for `eval`"),
    ] {
        let workflow = json!({ "steps": [{ "name": "say", "task": "batch", "inputs": {
            "items": [1], "task": { "type": "shell", "command": command },
        } }] });
        Sandbox::with(&workflow.to_string()).run(&[]).exits_with(2).says(&[says]);
    }
}

#[test]
fn children_know_their_item_and_attempt() {
    let said = stdout_of("echo $BATCHMILL_ITEM $BATCHMILL_INDEX $BATCHMILL_ATTEMPT ${#BATCHMILL_RUN_ID}", &["a", "b"]);
    assert!(said[1].starts_with("b 1 1 "), "{said:?}");
}

#[test]
fn variables_of_the_task_go_before_those_of_the_workflow_and_of_the_engine() {
    let workflow = "
env: {B: workflow, C: workflow, BATCHMILL_ATTEMPT: workflow}
steps:
  - name: say
    task: batch
    inputs:
      items: [1]
      task:
        type: shell
        command: [sh, -c, 'echo $A $B $C $BATCHMILL_ATTEMPT; env | grep -c ^C=']
        env: {C: 'task {{ item }}'}
";
    let sandbox = Sandbox::with(workflow).env("A", "engine").env("B", "engine").env("C", "engine");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("say")[0]["stdout"], json!("engine workflow task 1 1\n1"));
}

#[test]
fn a_program_is_looked_up_in_the_path_that_its_command_gets_and_run_in_its_folder() {
    let step = |name: &str, more: &str| {
        format!(
            "
  - name: {name}
    task: batch
    inputs:
      items: [1]
      task: {{type: shell, command: [tool, '{{{{ item }}}}'], {more}}}"
        )
    };
    let workflow = format!(
        "steps:{}{}{}",
        step("engine", "env: {}"),
        step("own", "env: {PATH: 'other:/usr/bin:/bin'}"),
        step("folder", "working_dir: other")
    );
    let sandbox =
        Sandbox::with(&workflow).script("tool", "echo from bin").file("other/tool", "#!/bin/sh\necho other; pwd");
    let tool = sandbox.path().join("other/tool");
    std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.run(&[]).exits_with(0);
    let said = |step: &str| sandbox.results(step)[0]["stdout"].as_str().unwrap().to_owned();
    assert_eq!(said("engine"), "from bin");
    assert!(said("own").starts_with("other\n"), "{}", said("own"));
    assert_eq!(said("folder"), "from bin");
}

#[test]
fn what_cannot_be_started_says_why() {
    for (command, says) in [
        ("[no-such-tool, x]", "command not found: `no-such-tool`"),
        ("[./no-such-tool, x]", "command not found: `./no-such-tool`"),
        ("[./plain, x]", "not executable: `./plain`"),
        ("[./plain]", "not executable: `./plain`"),
    ] {
        let workflow = format!(
            "steps: [{{name: say, task: batch, inputs: {{items: [1], task: {{type: shell, command: {command}}}}}}}]"
        );
        let sandbox = Sandbox::with(&workflow).file("plain", "echo");
        sandbox.run(&[]).exits_with(3);
        assert_eq!(sandbox.failures()[0]["error"], json!(says), "{}", sandbox.failures()[0]);
    }
}

#[test]
fn commands_ignore_the_signals_that_batchmill_was_told_to_ignore_and_no_others() {
    let workflow = "
steps:
  - name: say
    task: batch
    inputs:
      items: [grep SigIgn /proc/self/status, 'kill -HUP $$; echo lives', 'yes | head -1; kill -PIPE $$; echo lives']
      max_parallel: 1
      task: {type: shell, command: [sh, -c, '{{ item | raw }}']}
";
    let sandbox = Sandbox::with(workflow);
    let mut under_nohup = std::process::Command::new("sh");
    let batchmill = sandbox.command(&["run", "workflow.yaml", "--progress", "none"]);
    under_nohup.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(batchmill.get_program()).args(batchmill.get_args());
    under_nohup.current_dir(sandbox.path());
    for (name, value) in batchmill.get_envs() {
        match value {
            Some(value) => under_nohup.env(name, value),
            None => under_nohup.env_remove(name),
        };
    }
    let ended = under_nohup.output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", String::from_utf8_lossy(&ended.stderr));
    let said: Vec<_> = sandbox.results("say").iter().map(|result| result["stdout"].clone()).collect();
    let ignored = said[0].as_str().unwrap().trim_start_matches("SigIgn:").trim();
    let ignored = u64::from_str_radix(ignored, 16).unwrap();
    assert_eq!((ignored & 1, ignored >> 12 & 1), (1, 0), "HUP is, and PIPE is not: {ignored:x}");
    assert_eq!(said[1], "lives");
    assert_eq!(sandbox.failures()[0]["error"], json!("command was killed by signal 13"));
}

#[test]
fn very_long_items_reach_commands_that_do_not_name_them() {
    let long = "x".repeat(300_000);
    assert_eq!(stdout_of("echo ${#BATCHMILL_ITEM}", &[&long]), ["0"]);
}

#[test]
fn a_sole_expression_keeps_its_type() {
    let workflow = "
steps:
  - name: types
    task: echo
    inputs:
      message: ['{{ params.n }}', '{{ params.l }}', '{{ params.b }}', 'n is {{ params.n }}', '{{ params.big }}']
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&["n=3", "l=[1, {a: 2}]", "b=false", "big=12345678901234567890"]).exits_with(0);
    let expected = json!([3, [1, { "a": 2 }], false, "n is 3", 12_345_678_901_234_567_890_u64]);
    assert_eq!(sandbox.results("types"), [expected]);
}

#[test]
fn content_of_items_is_never_rendered() {
    assert_eq!(stdout_of("printf %s {{ item }}", &["{{ 1 + 1 }} {% raw %}"]), ["{{ 1 + 1 }} {% raw %}"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_items_arrive_as_they_are_in_every_place(items in prop::collection::vec("[^\0]{0,40}", 20)) {
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        let command = "printf '%s\\037%s\\037%s\\037' {{ item }} '{{ item }}' \"{{ item }}\"";
        let workflow = json!({ "steps": [{ "name": "say", "task": "batch", "inputs": {
            "items": "{{ params.items }}", "task": { "type": "shell", "command": command },
        } }] });
        let sandbox = Sandbox::with(&workflow.to_string()).file("params.json", json!({ "items": items }).to_string());
        sandbox.run(&["--params-file", "params.json", "--progress", "none"]).exits_with(0);
        for (item, result) in items.iter().zip(sandbox.results("say")) {
            let expected = format!("{item}\u{1f}{item}\u{1f}{item}\u{1f}");
            prop_assert_eq!(&result["stdout"], &Value::from(expected));
        }
    }
}

#[test]
fn output_of_what_outlives_the_command_is_read_to_its_end() {
    let sandbox = Sandbox::with(
        "steps:\n  - name: tee\n    for_each: {range: 100}\n    max_parallel: 2\n    task: shell\n    inputs:\n      \
         command: [bash, -c, 'exec > >(cat | tee -a job.log) 2>&1; echo one; echo two']\n",
    );
    sandbox.run(&[]).exits_with(0);
    assert!(sandbox.results("tee").iter().all(|result| result["stdout"] == "one\ntwo"));
    assert_eq!(sandbox.results("tee").len(), 100);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn what_keeps_the_output_open_is_named_and_does_not_hang_the_item() {
    let sandbox = Sandbox::with(
        "steps:\n  - name: left\n    task: shell\n    inputs:\n      command: 'sleep 7654 & echo $! > pid; echo started'\n",
    );
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("left")[0]["stdout"], "started");
    let pid: i32 = sandbox.read("pid").trim().parse().unwrap();
    let _ = rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL);
    let written = sandbox.everything_written("");
    assert!(written.contains(&format!("but `sleep 7654` (process {pid}) still has its output open")), "{written}");
}

#[test]
#[ignore = "heavy: 64 MiB of output"]
fn output_beyond_the_limit_is_never_a_success() {
    // 64 MiB and a byte, the last of it in the last instant.
    let sandbox = Sandbox::with(
        "steps:\n  - name: flood\n    for_each: [67108865, 67108864]\n    continue_on_error: true\n    task: shell\n    inputs:\n      \
         command: head -c {{ item }} /dev/zero\n",
    );
    sandbox.run(&[]).exits_with(1).says(&["flood[0] failed: OutputTooLong"]);
    assert_eq!(sandbox.failures().len(), 1);
}

#[test]
fn a_command_that_prints_while_it_cleans_up_can_finish() {
    let sandbox = Sandbox::with(
        "steps:\n  - name: trap\n    task: shell\n    inputs:\n      timeout: 300ms\n      \
         command: 'trap \"head -c 300000 /dev/zero; touch cleaned; exit 1\" TERM; sleep 7655 & wait'\n",
    );
    sandbox.run(&[]).exits_with(3).says(&["Timeout"]);
    assert!(sandbox.exists("cleaned"));
}
