//! One hostile text in every place that others can fill, and every verb: stdout and stderr for people have no control character.

use crate::source_tree::source_files;
use crate::support::{Ended, Sandbox};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};

/// What a terminal would obey, hide, or take for another line: sets the clipboard, clears the screen, colours, moves the cursor, C1
/// controls, a backspace, a bidi override, an invisible character, a line of its own.
const HOSTILE: &str =
    "x\u{1b}]52;c;aGk=\u{7}\u{1b}[2J\u{1b}[31m\u{9b}1A\u{85}\u{8}\r\u{202e}\u{2066}\u{200b}\u{2028}\nerror: faked";

fn step(name: &str, task: &str, items: Value, inputs: Value) -> Value {
    json!({"name": name, "task": task, "for_each": items, "continue_on_error": true, "inputs": inputs})
}

/// A workflow whose tasks, items, names and files are hostile.
fn workflow() -> Value {
    let (h, shell) = (json!([HOSTILE]), |command: &str| json!({"command": command}));
    let literal = serde_json::to_string(HOSTILE).unwrap();
    let raises = format!("print({literal})\nraise type({literal}, (Exception,), {{}})({literal})");
    let mut steps = vec![
        step("raise", "python", json!([HOSTILE, {HOSTILE: HOSTILE}]), json!({"code": raises})),
        step("print", "shell", h.clone(), shell("printf %s {{ item }} >&2; printf %s {{ item }}; exit 3")),
        step("program", "shell", h.clone(), shell("{{ item }} a")),
        step("folder", "shell", h.clone(), json!({"command": "true", "working_dir": "{{ item }}"})),
        step("say", "echo", h.clone(), json!({"message": "{{ item }}"})),
        step("template", "echo", h.clone(), json!({"message": "{{ item.a.b }}"})),
        step("request", "http_request", h.clone(), json!({"url": "http://127.0.0.1:1/{{ item }}", "timeout": 1})),
        step(
            "columns",
            "echo",
            json!({"csv": "data/*.csv", "on_schema_drift": "union"}),
            json!({"message": "{{ item }}"}),
        ),
        step("files", "echo", json!({"glob": "data/*.csv"}), json!({"message": "{{ item }}"})),
        step(
            "setup",
            "python",
            json!([1]),
            json!({"setup": format!("print({literal})"), "code": "return item",
            "teardown": format!("raise ValueError({literal})")}),
        ),
        step("handled", "shell", h.clone(), shell("exit 1")),
        step("written", "echo", h, json!({"message": "{{ {'a': item} }}"})),
    ];
    steps[10]["on_item_error"] = json!({"type": "echo", "message": "{{ item }} {{ error.message }}"});
    steps[11]["outputs"] = json!({"path": format!("out/{HOSTILE}.jsonl")});
    json!({"name": HOSTILE, "description": HOSTILE, "params": {"p": {"default": HOSTILE, "description": HOSTILE}}, "steps": steps})
}

fn sandbox() -> Sandbox {
    let header = HOSTILE.replace('\n', " ");
    Sandbox::with(&workflow().to_string())
        .file(&format!("data/{HOSTILE}.csv"), format!("a,\"{header}\"\n1,\"{header}\"\n2\n"))
        .file("data/b.csv", "a,b\n1,2\n")
}

fn is_hostile(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[track_caller]
fn assert_inert(arguments: &[&str], text: &str) {
    let faked = text.lines().any(|line| line.starts_with("error: faked"));
    assert!(!text.contains(is_hostile) && !faked, "{arguments:?}: {text:?}");
}

/// The verbs that read a run, or a workflow, and print for people.
const VERBS: &[&[&str]] = &[
    &["run", "workflow.yaml"],
    &["run", "workflow.yaml", "--progress", "bar"],
    &["run", "workflow.yaml", "--progress", "json"],
    &["run", "workflow.yaml", "--resume"],
    &["run", "workflow.yaml", "--help"],
    &["plan", "workflow.yaml"],
    &["plan", "workflow.yaml", "--resume"],
    &["validate", "workflow.yaml"],
    &["resume"],
    &["retry"],
    &["runs"],
    &["status"],
    &["failures"],
    &["failures", "--detail"],
    &["failures", "--group"],
    &["audit"],
    &["report"],
    &["doctor"],
    &["ctl", "latest", "pause"],
    &["inspect", "data/*.csv"],
    &["profile", "workflow.yaml", "--step", "say", "--budget", "1s"],
    &["repro", "latest", "0", "--step", "folder"],
    &["repro", "latest", "0", "--step", "template"],
];

#[test]
#[ignore = "heavy: takes seconds"]
fn whatever_others_write_no_verb_prints_a_control_character() {
    let sandbox = sandbox();
    for arguments in VERBS {
        let Ended { stdout, stderr, code } = sandbox.batchmill(arguments);
        assert!(code.is_some(), "{arguments:?}: {stderr}");
        assert_inert(arguments, &stdout);
        assert_inert(arguments, &stderr);
    }
}

#[test]
fn whatever_is_typed_as_an_argument_no_error_repeats_it_raw() {
    let sandbox = sandbox();
    sandbox.run(&[]);
    let verbs = [
        "run",
        "resume",
        "retry",
        "repro",
        "validate",
        "plan",
        "profile",
        "inspect",
        "runs",
        "status",
        "ctl",
        "ui",
        "results",
        "failures",
        "logs",
        "report",
        "audit",
        "doctor",
        "schema",
        "init",
        "completions",
        "man",
    ];
    let option = format!("--{HOSTILE}");
    let mut lines: Vec<Vec<&str>> = vec![vec![HOSTILE]];
    // More than any verb takes, so that it does nothing.
    verbs.iter().for_each(|verb| lines.extend([vec![*verb, &option], vec![*verb, HOSTILE, HOSTILE, HOSTILE, HOSTILE]]));
    for verb in
        ["run", "plan", "validate", "resume", "inspect", "results", "failures", "logs", "status", "report", "audit"]
    {
        lines.push(vec![verb, HOSTILE]);
    }
    let typed = format!("{HOSTILE}=1");
    for option in
        ["-j", "--max-items", "--progress", "--python", "--params-file", "--state-dir", "--grace", "--slow-after"]
    {
        lines.push(vec!["run", "workflow.yaml", option, HOSTILE, "--no-such-option"]);
    }
    lines.extend([
        vec!["run", "workflow.yaml", HOSTILE],
        vec!["run", "workflow.yaml", &typed],
        vec!["results", "--step", HOSTILE],
    ]);
    lines.extend([
        vec!["run", "workflow.yaml", "--params-file", HOSTILE],
        vec!["completions", HOSTILE],
        vec!["ui", "--addr", HOSTILE],
    ]);
    lines.extend([
        vec!["runs", "clean", "--older-than", HOSTILE],
        vec!["repro", "latest", HOSTILE],
        vec!["report", "--against", HOSTILE],
    ]);
    for line in &lines {
        let ended = sandbox.batchmill(line);
        assert_inert(line, &ended.stderr);
    }
}

#[test]
fn errors_that_quote_a_hostile_file_are_inert() {
    let one_line = HOSTILE.replace(['\n', '\r'], " ");
    let task = |key: &str, value: Value| json!({"steps": [{"name": "a", "task": "echo", key: value}]}).to_string();
    for text in [
        format!("steps:\n  - {{name: a, task: echo, \"{one_line}\": 1}}\n"),
        task("name", json!(HOSTILE)),
        task("task", json!(HOSTILE)),
        task(HOSTILE, json!(1)),
        task("inputs", json!({"message": format!("{{{{ {HOSTILE} }}}}")})),
        task("for_each", json!({"glob": format!("{HOSTILE}[")})),
        task("for_each", json!({"csv": HOSTILE})),
        task("for_each", json!(format!("$(printf {HOSTILE:?} >&2; exit 3)"))),
        json!({"secrets": [HOSTILE], "env": {HOSTILE: "{{ env.x }}"}, "params": {HOSTILE: 1}, "steps": []}).to_string(),
        format!("- \"{one_line}\" {one_line}\n: {one_line}"),
        format!("x\u{85}: [\u{9b}, {one_line}"),
        format!("{one_line}: 1\n{one_line}: 2\n"),
    ] {
        let sandbox = Sandbox::with(&text).file(&format!("{HOSTILE}.yaml"), &text);
        let named = format!("{HOSTILE}.yaml");
        for arguments in
            [["validate", "workflow.yaml"], ["run", "workflow.yaml"], ["validate", &named], ["run", &named]]
        {
            let ended = sandbox.batchmill(&arguments);
            assert_inert(&arguments, &(ended.stdout + &ended.stderr));
        }
        let ended = sandbox.batchmill(&["validate", "workflow.yaml", "--format", "github"]);
        assert_inert(&["github"], &(ended.stdout + &ended.stderr));
    }
}

/// Without the colours and the cursor movements of the bar, which `script` records as they are.
fn without_our_own(text: &str) -> String {
    let own = regex_lite::Regex::new(
        "\u{1b}\\[(?:0|1|2|3[1-6]|9[0-7]|38;5;[0-9]+)?m|\u{1b}\\[[0-9]*[ABCDGK]|\u{1b}\\[\\?25[lh]|\r",
    )
    .unwrap();
    own.replace_all(text, "").into_owned()
}

#[test]
fn on_a_terminal_nothing_but_our_own_colours_and_the_movements_of_the_bar_is_written() {
    let sandbox = sandbox();
    let program = env!("CARGO_BIN_EXE_batchmill");
    for verb in [
        "run workflow.yaml",
        "run workflow.yaml --progress bar",
        "failures --detail",
        "failures --group",
        "status",
        "logs",
        "x",
    ] {
        let plain = sandbox.command(&[]);
        let typescript = sandbox.path().join("typescript");
        let mut command = Command::new("script");
        command.args(["-qec", &format!("{program} {verb}")]).arg(&typescript).current_dir(sandbox.path());
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        let ran = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(ran.is_ok(), "`script` of util-linux is missing");
        let text = fs::read(typescript).unwrap();
        let text = without_our_own(&String::from_utf8_lossy(&text));
        assert_inert(&[verb], &text);
    }
}

/// The places where text leaves the program for people. Each escapes, or writes what is no text of others.
const WAYS_OUT: &[&str] = &[
    // Escape everything.
    "src/cli/stdout.rs",
    "src/cli/stderr.rs",
    "src/report/audience.rs",
    "src/report/bar.rs",
    "src/report/scan.rs",
    "src/worker/foreground.rs",
    // Choose where progress goes; what writes it takes only printable text.
    "src/cli/execute.rs",
    // Escapes on a terminal; a pipe gets the text as it was printed.
    "src/cli/verbs/logs.rs",
    // JSON and HTML, which escape for themselves.
    "src/cli/save.rs",
    // Uses stdout as a descriptor of its own.
    "src/task/guard.rs",
    // Data for programs, escaped on a terminal.
    "src/export/staged.rs",
    // Only before a worker works: messages of batchmill about itself.
    "src/worker/host.rs",
    "src/worker/serve.rs",
    // A fixed text, written by a signal handler's thread.
    "src/run/signals.rs",
    // Messages for a program, which never reach a terminal.
    "src/host/serve.rs",
];

#[test]
fn text_leaves_the_program_in_few_places() {
    let words = [
        "println!(",
        "print!(",
        "io::stdout().",
        "io::stderr()",
        "stdout().lock",
        "stderr().lock",
        "Term::stdout().write",
    ];
    let mut found = Vec::new();
    for file in source_files() {
        let writes = |line: &str| words.iter().any(|word| line.contains(word)) && !line.contains("is_terminal()");
        if file.code.lines().any(writes) && !WAYS_OUT.iter().any(|known| file.path.ends_with(known)) {
            found.push(file.path);
        }
    }
    assert!(found.is_empty(), "these write past `cli/stdout.rs` and `cli/stderr.rs`: {found:#?}");
}
