//! Values in code for another program.

use crate::support::Sandbox;

fn sandbox(command: &str) -> Sandbox {
    let workflow = serde_json::json!({ "steps": [{
        "name": "say", "for_each": ["$(touch broken)", "it's; touch broken", "a b *"], "task": "shell", "inputs": { "command": command },
    }] });
    Sandbox::with(&workflow.to_string())
}

#[test]
fn a_value_in_code_is_refused_before_anything_runs_and_the_message_names_the_program() {
    for (command, program) in [
        ("touch ran; bash -c -- 'echo {{ item }}'", "`bash`"),
        ("touch ran; python3.11 -c \"print('{{ item }}')\"", "`python3.11`"),
        ("touch ran; bash <<EOF\necho {{ item }}\nEOF", "`bash`"),
        ("touch ran; echo 'echo {{ item }}' | sh", "`sh`"),
        ("touch ran; $SHELL -c 'echo {{ item }}'", "a program whose name is in a variable"),
        ("touch ran; cat <<EOF\n$(eval echo {{ item }})\nEOF", "`eval`"),
    ] {
        let sandbox = sandbox(command);
        let ended = sandbox.run(&[]);
        assert_eq!(ended.code, Some(2), "{command}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(&format!("substitution inside code for {program}")),
            "{command}: {}",
            ended.stderr
        );
        assert!(ended.stderr.contains("BATCHMILL_ITEM") && !sandbox.exists("ran"), "{command}: {}", ended.stderr);
    }
}

#[test]
fn the_filter_quote_makes_a_value_a_word_of_code_for_a_shell() {
    for command in [
        "sh -c 'printf %s {{ item | quote }}'",
        "eval printf %s {{ item | quote }}",
        "sh <<EOF\nprintf %s {{ item | quote }}\nEOF",
        "echo \"printf %s {{ item | quote }}\" | sh",
    ] {
        let sandbox = sandbox(command);
        sandbox.run(&[]).exits_with(0);
        let said: Vec<_> = sandbox.results("say").iter().map(|it| it["stdout"].as_str().unwrap().to_owned()).collect();
        assert_eq!(said, ["$(touch broken)", "it's; touch broken", "a b *"], "{command}");
        assert!(!sandbox.exists("broken"), "{command}");
    }
}
