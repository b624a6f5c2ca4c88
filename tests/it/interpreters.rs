//! Which Python interpreter is used: the order of the places where one is looked for.

use crate::support::Sandbox;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A folder like the `bin` of an environment that the wheel is installed in: the program, and an interpreter that doesn't work,
/// so that batchmill names it.
fn environment(sandbox: Sandbox, interpreter: &str) -> Sandbox {
    let sandbox = sandbox.script("python3", "exit 1").file(&format!("tool/bin/{interpreter}"), "#!/bin/sh\nexit 1\n");
    let program = sandbox.path().join("tool/bin/batchmill");
    fs::hard_link(env!("CARGO_BIN_EXE_batchmill"), &program)
        .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_batchmill"), &program).map(drop))
        .unwrap();
    sandbox.env("BATCHMILL_PYTHON", "")
}

/// What `doctor` says of the interpreter, without the path of the sandbox.
fn doctor(sandbox: &Sandbox, program: &str) -> String {
    let command = sandbox.command(&["doctor"]);
    let mut again = std::process::Command::new(sandbox.path().join(program));
    again.args(command.get_args()).current_dir(sandbox.path());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => again.env(name, value),
            None => again.env_remove(name),
        };
    }
    let printed = String::from_utf8(again.output().unwrap().stdout).unwrap();
    let line = printed.lines().find(|line| line.starts_with("python ")).unwrap().to_owned();
    line.replace(sandbox.path().canonicalize().unwrap().to_str().unwrap(), "")
}

fn link(sandbox: &Sandbox, target: impl AsRef<Path>, name: &str) {
    let path: PathBuf = sandbox.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

#[test]
fn the_interpreter_next_to_the_program_comes_before_the_one_on_path() {
    let sandbox = environment(Sandbox::new(), "python3");
    let said = doctor(&sandbox, "tool/bin/batchmill");
    assert!(said.contains("`/tool/bin/python3` (from python3 next to batchmill)"), "{said}");
}

#[test]
fn a_link_to_the_program_finds_the_interpreter_where_the_program_is() {
    let sandbox = environment(Sandbox::new(), "python3");
    link(&sandbox, "../tool/bin/batchmill", "links/batchmill");
    link(&sandbox, sandbox.path().join("links"), "more");
    link(&sandbox, "../more/batchmill", "last/batchmill");
    for program in ["links/batchmill", "last/batchmill"] {
        let said = doctor(&sandbox, program);
        assert!(said.contains("`/tool/bin/python3` (from python3 next to batchmill)"), "{program}: {said}");
    }
}

#[test]
fn an_interpreter_that_the_user_chose_or_activated_comes_first() {
    for name in ["BATCHMILL_PYTHON", "VIRTUAL_ENV", "CONDA_PREFIX"] {
        let sandbox = environment(Sandbox::new(), "python3").env(name, "/nowhere");
        let said = doctor(&sandbox, "tool/bin/batchmill");
        assert!(said.contains("`/nowhere") && said.contains(&format!("(from {name})")), "{said}");
    }
    let sandbox = environment(Sandbox::new(), "python3");
    link(&sandbox, "/nowhere", ".venv");
    let said = doctor(&sandbox, "tool/bin/batchmill");
    assert!(said.contains("`.venv/bin/python` (from .venv "), "{said}");
}

#[test]
fn a_link_next_to_the_program_that_leads_nowhere_is_named() {
    let sandbox = environment(Sandbox::new(), "python3.12");
    link(&sandbox, "/nowhere/python3", "tool/bin/python3");
    let said = doctor(&sandbox, "tool/bin/batchmill");
    assert!(said.contains("`/tool/bin/python3` (from python3 next to batchmill): it does not exist"), "{said}");
}

#[test]
fn without_an_interpreter_next_to_the_program_it_is_the_one_on_path() {
    let sandbox = environment(Sandbox::new(), "python3.12");
    let said = doctor(&sandbox, "tool/bin/batchmill");
    assert!(said.contains("`python3` (from python3 on PATH)"), "{said}");
    fs::create_dir(sandbox.path().join("tool/bin/python3")).unwrap();
    let said = doctor(&sandbox, "tool/bin/batchmill");
    assert!(said.contains("`python3` (from python3 on PATH)"), "a directory of that name is none: {said}");
}
