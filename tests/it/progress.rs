//! What a terminal shows of a run.

use crate::support::Sandbox;
use std::fs;
use std::process::{Command, Stdio};

/// Three items that fail for one cause, with text that no terminal may obey.
const HOSTILE: &str = r#"
steps:
  - name: load
    task: batch
    inputs:
      items: ["a\e[2J", "b\u202e", c]
      max_parallel: 1
      continue_on_error: true
      task: {type: shell, command: 'printf "no row 1%s of \047%s\047 \033[2J\033]0;title\007" {{ index }} {{ item }} >&2; exit 1'}
  - name: sign
    for_each: [1, 2]
    task: shell
    inputs: {command: 'true'}
"#;

/// What is written to a terminal of this width while the workflow runs.
fn recorded(sandbox: &Sandbox, columns: u16, more: &str) -> String {
    on_terminal(sandbox, columns, (more, "run workflow.yaml"))
}

/// What the program writes to a terminal of this width, with variables set before it.
pub fn on_terminal(sandbox: &Sandbox, columns: u16, (more, arguments): (&str, &str)) -> String {
    let plain = sandbox.command(&[]);
    let program = plain.get_program().display();
    let command = format!("stty cols {columns} rows 40; {more} {program} {arguments}");
    let mut script = Command::new("script");
    script.args(["-qec", &command, "record"]).current_dir(sandbox.path());
    script.stdin(Stdio::null()).stdout(Stdio::null()).env("TERM", "xterm").env_remove("NO_COLOR");
    script.status().unwrap();
    let record = fs::read(sandbox.path().join("record")).unwrap();
    let lines: Vec<&[u8]> = record.split_inclusive(|byte| *byte == b'\n').collect();
    // `script` says first and last that it was there.
    String::from_utf8(lines[1..lines.len() - 1].concat()).unwrap()
}

/// What is on the screen in the end.
pub fn screen(record: &str, columns: u16) -> String {
    let mut terminal = vt100::Parser::new(40, columns, 0);
    terminal.process(record.as_bytes());
    terminal.screen().contents()
}

#[test]
fn a_terminal_of_any_width_shows_a_run_and_obeys_none_of_its_text() {
    let sandbox = Sandbox::with(HOSTILE);
    for columns in [40, 80, 160] {
        let record = recorded(&sandbox, columns, "");
        assert!(record.contains("  0/3") && record.contains('─'), "no bar:\n{record}");
        assert!(!record.contains("\u{1b}[2J") && !record.contains("\u{1b}]0"), "{record:?}");
        assert!(!record.contains('\u{202e}'), "{record:?}");
        let screen = screen(&record, columns);
        assert!(!screen.contains('─') && !screen.contains('━'), "the bar is left:\n{screen}");
        let joined = screen.replace('\n', "");
        for part in [
            r"load[0] (a\x1b[2J) failed: ExitStatus: command exited with status 1: no row 10 of 'a",
            r"\x1b[2J",
            "load: more items fail like this (`batchmill failures --group` counts them): ExitStatus: command exited with status 1: no row … of '…'",
            "3 failures, 1 cause",
            "next: batchmill failures --group",
        ] {
            assert!(joined.contains(part), "`{part}` is not on the screen:\n{screen}");
        }
    }
}

#[test]
fn colours_are_left_out_if_the_user_says_so() {
    let sandbox = Sandbox::with(HOSTILE);
    let coloured = recorded(&sandbox, 80, "");
    assert!(coloured.contains("\u{1b}[2m"), "{coloured:?}");
    let plain = recorded(&sandbox, 80, "NO_COLOR=1");
    assert!(plain.contains("  0/3") && !plain.contains("\u{1b}[2m") && !plain.contains("\u{1b}[3"), "{plain:?}");
}

#[test]
fn a_terminal_that_cannot_draw_gets_lines() {
    let record = recorded(&Sandbox::with(HOSTILE), 80, "TERM=dumb");
    assert!(record.contains("step load: 3 items, 1 worker") && !record.contains('\u{1b}'), "{record:?}");
}
