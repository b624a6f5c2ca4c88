//! Completion in real shells on a terminal, and manual pages.

use crate::support::Sandbox;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const WORKFLOW: &str = r#"
name: greetings
params:
  greeting: {type: string, default: Hello, description: the word before each name}
  loud: {type: boolean, default: false}
steps:
  - name: greet
    for_each: [Ada, Grace]
    task: shell
    inputs: {command: 'echo {{ params.greeting }} {{ item }} {{ params.loud }}'}
  - name: report
    task: echo
    inputs: {message: done}
"#;

/// A shell on a terminal, in which `batchmill` shows what was typed.
struct Shell {
    child: Child,
    stdin: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Shell {
    /// None if the shell is not there.
    fn start(sandbox: &Sandbox, name: &str) -> Option<Self> {
        if Command::new(name).arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: `{name}` is not installed");
            return None;
        }
        let plain = sandbox.command(&[]);
        let program = plain.get_program().display();
        let (start, set_up) = match name {
            "bash" => ("bash --norc --noprofile -i", format!("source <({program} completions bash)")),
            "zsh" => {
                ("zsh -f -i", format!("autoload -U compinit; compinit -u -D; source <({program} completions zsh)"))
            }
            _ => ("fish --no-config -i", format!("{program} completions fish | source")),
        };
        let shows = match name {
            "fish" => "function batchmill; echo TYPED $argv; end",
            _ => "batchmill() { echo \"TYPED $*\"; }",
        };
        let mut command = Command::new("script");
        // The width keeps a line from being broken, and `dumb` the shell from drawing.
        command.args(["-qefc", &format!("stty cols 200; exec {start}"), "/dev/null"]);
        command.current_dir(sandbox.path()).env("TERM", "dumb").env("HOME", sandbox.path()).env("PS1", "> ");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, lines) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut shell = Self { child, stdin, lines };
        // The quotes keep the echo of what is typed from passing for the answer.
        shell.send(&format!("{set_up}; {shows}; echo REA''DY\r"));
        shell.line_with("READY");
        Some(shell)
    }

    fn send(&mut self, keys: &str) {
        self.stdin.write_all(keys.as_bytes()).unwrap();
        self.stdin.flush().unwrap();
    }

    /// What follows these words in the next line that has them.
    fn line_with(&mut self, words: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = Vec::new();
            assert!(self.lines.read_until(b'\n', &mut line).unwrap() > 0, "the shell has ended:\n{seen}");
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some((_, rest)) = line.split_once(words) {
                return rest.trim().to_owned();
            }
            seen.push_str(&line);
        }
    }

    /// Types keys, and gives what `batchmill` got.
    fn types(&mut self, keys: &str) -> String {
        self.send(&format!("{keys}\r"));
        self.line_with("TYPED ")
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn completes(name: &str) {
    let sandbox = Sandbox::with(WORKFLOW).file("works.txt", "");
    sandbox.run(&["-q"]).exits_with(0);
    let run = fs::read_dir(sandbox.path().join(".batchmill/runs")).unwrap().next().unwrap().unwrap().file_name();
    let Some(mut shell) = Shell::start(&sandbox, name) else { return };
    assert_eq!(shell.types("batchmill valid\two\t"), "validate workflow.yaml");
    assert_eq!(shell.types("batchmill run wo\tgr\tHe\tlou\ttr\t"), "run workflow.yaml greeting=Hello loud=true");
    assert_eq!(shell.types("batchmill run workflow.yaml greeting=\t"), "run workflow.yaml greeting=Hello");
    // Of two parameters, one is left.
    assert_eq!(shell.types("batchmill run workflow.yaml loud=true gr\tHi"), "run workflow.yaml loud=true greeting=Hi");
    assert_eq!(shell.types("batchmill results la\t--step rep\t"), "results latest --step report");
    assert_eq!(shell.types("batchmill logs 2\t"), format!("logs {}", run.display()));
    assert_eq!(shell.types("batchmill report --against la\t"), "report --against latest");
    assert_eq!(shell.types("batchmill retry latest gr\tHi"), "retry latest greeting=Hi");
    assert_eq!(shell.types("batchmill profile workflow.yaml --step gre\t"), "profile workflow.yaml --step greet");
    assert_eq!(shell.types("batchmill run workflow.yaml --prog\tpl\t"), "run workflow.yaml --progress plain");
}

#[test]
fn bash_completes_files_parameters_runs_and_steps() {
    completes("bash");
}

#[test]
fn zsh_completes_files_parameters_runs_and_steps() {
    completes("zsh");
}

#[test]
fn fish_completes_files_parameters_runs_and_steps() {
    completes("fish");
}

#[test]
fn a_word_that_nothing_completes_leaves_stderr_silent() {
    let sandbox = Sandbox::with("steps: 3\n").file(".batchmill/runs/20260101-000000000-x-abcd/run.db", "damaged");
    for words in [
        &["run", "workflow.yaml", "a"][..],
        &["run", "gone.yaml", "a"],
        &["results", "latest", "--step", ""],
        &["results", "nosuch", "--step", ""],
        &["results", "2"],
        &["retry", "latest", ""],
        &["nosuch", "a"],
        &["runs", "clean", "--keep", ""],
        &["--", "--", ""],
    ] {
        let mut command = sandbox.command(&[]);
        let index = words.len().to_string();
        command
            .env("BATCHMILL_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", index)
            .args(["--", "batchmill"])
            .args(words);
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
    }
}

#[test]
fn an_unknown_shell_is_refused() {
    Sandbox::new().batchmill(&["completions", "tcsh"]).exits_with(2).says(&["invalid value 'tcsh'", "bash, zsh, fish"]);
    Sandbox::new().batchmill(&["completions"]).exits_with(2).says(&["<SHELL>"]);
    let sandbox = Sandbox::new().env("BATCHMILL_COMPLETE", "tcsh");
    sandbox.batchmill(&["runs"]).exits_with(2).says(&["`BATCHMILL_COMPLETE` is set to `tcsh`", "help: type `unset"]);
    Sandbox::new().env("BATCHMILL_COMPLETE", "").batchmill(&["--version"]).exits_with(0);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn man_shows_every_page_without_a_warning() {
    let sandbox = Sandbox::new();
    sandbox
        .batchmill(&["man", "-o", "pages"])
        .exits_with(0)
        .says(&["wrote the manual pages to pages", "next: man pages/batchmill.1"]);
    let pages: Vec<_> = fs::read_dir(sandbox.path().join("pages")).unwrap().map(|page| page.unwrap().path()).collect();
    let help = sandbox.batchmill(&["--help"]).exits_with(0).stdout;
    let verbs =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).map_while(|line| line.split_whitespace().next());
    for verb in verbs.filter(|verb| *verb != "help") {
        assert!(pages.iter().any(|page| page.ends_with(format!("batchmill-{verb}.1"))), "no page for {verb}");
    }
    assert!(pages.iter().any(|page| page.ends_with("batchmill-runs-clean.1")));
    assert!(!pages.iter().any(|page| page.to_string_lossy().contains("guard")), "it is hidden");
    if Command::new("man").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: `man` is not installed");
        return;
    }
    for page in pages {
        let output =
            Command::new("man").args(["-l", "--warnings"]).arg(&page).env("LC_ALL", "C.UTF-8").output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}: {output:?}", page.display());
        assert!(String::from_utf8_lossy(&output.stdout).contains("SYNOPSIS"), "{}", page.display());
    }
}

#[test]
fn a_single_page_is_printed() {
    let sandbox = Sandbox::new();
    assert!(sandbox.batchmill(&["man", "run"]).exits_with(0).stdout.contains(".TH batchmill-run 1"));
    assert!(sandbox.batchmill(&["man"]).exits_with(0).stdout.contains(".TH batchmill 1"));
    sandbox.batchmill(&["man", "nosuch"]).exits_with(2).says(&["unknown command `nosuch`", "help:"]);
    sandbox
        .batchmill(&["man", "-o", "/proc/x"])
        .exits_with(2)
        .says(&["cannot write manual pages to `/proc/x`", "help:"]);
}
