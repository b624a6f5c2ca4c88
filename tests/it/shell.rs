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
        ("echo \\{{ item }}", "a backslash stands right before a substitution"),
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
