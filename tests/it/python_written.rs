//! Python as people write it: threads, errors outside of items, scripts in their encodings, code that does not compile, and what lies
//! around it.

use crate::support::{Sandbox, python};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

fn code(code: &str) -> String {
    let lines: String = code.lines().map(|line| format!("        {line}\n")).collect();
    format!("steps:\n  - name: work\n    task: python\n    for_each: [1, 2]\n    inputs:\n      code: |\n{lines}")
}

fn with_part(part: &str, lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("        {line}\n")).collect();
    format!("{}      {part}: |\n{lines}", code("return item"))
}

const SCRIPT: &str =
    "steps:\n  - name: work\n    task: python\n    for_each: [1]\n    inputs:\n      script: work.py\n";

#[test]
fn an_error_in_setup_has_its_place_and_traceback_wherever_one_looks() {
    let sandbox = Sandbox::with(&with_part("setup", "print('got here')\nrate = 1\nrate / 0"));
    let words =
        ["work stopped by ZeroDivisionError: division by zero (in `setup`, line 3)", "File \"work.setup\", line 3"];
    sandbox.run(&[]).exits_with(3).says(&words);
    let logs = sandbox.batchmill(&["logs"]).exits_with(0).stdout;
    assert!(logs.contains("got here") && logs.contains("File \"work.setup\", line 3"), "{logs}");
    let stopped = "step `work` was stopped by ZeroDivisionError: division by zero (in `setup`, line 3)";
    sandbox.batchmill(&["failures"]).exits_with(0).says(&["no item of run", stopped]);
    sandbox.batchmill(&["failures", "--detail"]).exits_with(0).says(&[stopped, "File \"work.setup\", line 3"]);
    sandbox.batchmill(&["repro", "latest", "0"]).exits_with(2).says(&[stopped, "`batchmill failures --detail`"]);
    // An error below it counts for the line of `setup` that leads there.
    let nested = Sandbox::with(&with_part("setup", "import json\njson.loads('[')"));
    nested.run(&[]).exits_with(3).says(&["(in `setup`, line 2)", "stopped by json.decoder.JSONDecodeError"]);
}

#[test]
fn an_error_in_teardown_has_its_place_and_fails_no_item() {
    let sandbox = Sandbox::with(&with_part("teardown", "x = 1\n[][x]"));
    sandbox.run(&[]).exits_with(0).says(&[
        "Python worker exited with status 1 after its last item: IndexError: list index out of range (in `teardown`, line 2)",
    ]);
    let logs = sandbox.batchmill(&["logs"]).exits_with(0).stdout;
    assert!(logs.contains("File \"work.teardown\", line 2") && !logs.contains("<batchmill"), "{logs}");
    assert_eq!(sandbox.results("work"), [json!(1), json!(2)]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_thread_that_is_left_running_is_named_after_a_second_and_ended_after_a_grace() {
    for left in ["threading.Thread(target=time.sleep, args=[600]).start()", "atexit.register(time.sleep, 600)"] {
        let sandbox = Sandbox::with(&code(&format!("import atexit, threading, time\n{left}\nreturn item")));
        sandbox.run(&[]).exits_with(0).says(&[
            "work: waiting 4 s for a thread or an `atexit` function of a Python worker, which is killed then",
            "killed, because a thread or an `atexit` function had not ended 5 s after its last item",
        ]);
        assert_eq!(sandbox.results("work").len(), 2);
        sandbox.has_no_process();
    }
    let daemon = Sandbox::with(&code(
        "import threading, time\nthreading.Thread(target=time.sleep, args=[600], daemon=True).start()\nreturn item",
    ));
    let ended = daemon.run(&[]).exits_with(0);
    assert!(!ended.stderr.contains("waiting"), "a daemon is not waited for: {}", ended.stderr);
}

#[test]
fn a_script_is_read_in_its_own_encoding() {
    for (script, result) in [
        (&b"\xef\xbb\xbfreturn 'caf\xc3\xa9'\n"[..], "café"),
        (b"# -*- coding: latin-1 -*-\nreturn 'caf\xe9'\n", "café"),
        (b"#!/usr/bin/env python3\r\n# vim: set fileencoding=cp1252 :\r\nreturn '\x80'\r\n", "€"),
        (b"# coding: utf-8\nreturn 'caf\xc3\xa9'\n", "café"),
    ] {
        let sandbox = Sandbox::with(SCRIPT).file("work.py", script);
        sandbox.run(&[]).exits_with(0);
        assert_eq!(sandbox.results("work"), [json!(result)]);
    }
    let said = |script: &[u8], words: &str| {
        Sandbox::with(SCRIPT)
            .file("work.py", script)
            .batchmill(&["validate", "workflow.yaml"])
            .exits_with(2)
            .says(&[words])
    };
    said(b"x = 1\nreturn '\xe9'\n", "line 2 is not UTF-8; save it as UTF-8, or name its encoding in the first line");
    said(b"# coding: klingon\nreturn 1\n", "line 1 names the encoding `klingon`, which is unknown");
}

#[test]
fn a_change_in_a_script_that_is_not_utf_8_runs_its_items_again() {
    let sandbox = Sandbox::with(SCRIPT).file("work.py", b"# coding: latin-1\nreturn '\xe9'\n");
    sandbox.run(&[]).exits_with(0);
    fs::write(sandbox.path().join("work.py"), b"# coding: latin-1\nreturn '\xe8'\n").unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.results("work"), [json!("è")]);
}

#[test]
fn an_error_in_a_script_names_the_line_of_the_script() {
    let sandbox = Sandbox::with(SCRIPT).file("work.py", "x = 1\n\nreturn item +\n");
    let words = ["`./work.py:3`: SyntaxError: invalid syntax", "workflow.yaml:6:15", "the line is `return item +`"];
    sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&words);
    let awaits = Sandbox::with(SCRIPT).file("work.py", "\nawait item\n");
    let words = ["`./work.py:2`: SyntaxError: `await` is not allowed at the top level", "the line is `await item`"];
    awaits.batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&words);
}

#[test]
fn code_that_cannot_be_compiled_is_found_before_any_item() {
    for (wrong, word) in [
        ("for x in [1]:\n  yield x", "8:11: `yield` is not allowed"),
        ("x = 1\nawait x", "8:9: `await` is not allowed"),
        ("return [await x for x in item]", "`await` is not allowed"),
        ("async with item: pass", "`async with` is not allowed"),
        ("if item:\n  break", "'break' outside loop"),
        ("nonlocal x", "no binding for nonlocal 'x' found"),
        ("class A:\n  return 1", "'return' outside function"),
    ] {
        let ended = Sandbox::with(&code(wrong)).batchmill(&["validate", "workflow.yaml"]).exits_with(2);
        let text = word.split_once(": ").map_or(word, |(place, text)| {
            assert!(ended.stderr.contains(&format!("workflow.yaml:{place}")), "{}", ended.stderr);
            text
        });
        assert!(ended.stderr.contains(&format!("SyntaxError: {text}")), "{}", ended.stderr);
    }
    for part in ["setup", "teardown"] {
        let workflow = with_part(part, "x = 1\nreturn x");
        let words = ["SyntaxError: 'return' outside function", "workflow.yaml:10:9"];
        Sandbox::with(&workflow).batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&words);
    }
    for right in [
        "return",
        "async def f():\n  await x\nreturn 1",
        "def f():\n  yield 1\nreturn list(f())",
        "from __future__ import annotations\nreturn 1",
        "from math import *\nreturn pi",
    ] {
        Sandbox::with(&code(right)).batchmill(&["validate", "workflow.yaml"]).exits_with(0);
    }
}

#[test]
fn code_with_letters_beyond_ascii_runs_in_every_locale() {
    for (name, value) in [("PYTHONUTF8", "0"), ("PYTHONUTF8", "1"), ("LC_ALL", "POSIX"), ("PYTHONCOERCECLOCALE", "0")] {
        let sandbox = Sandbox::with(&code("return 'é' + str(item)")).env("LC_ALL", "C").env(name, value);
        // Asked, not remembered.
        let sandbox = sandbox.env("XDG_CACHE_HOME", "cache");
        sandbox.run(&[]).exits_with(0);
        assert_eq!(sandbox.results("work"), [json!("é1"), json!("é2")]);
    }
}

#[test]
fn files_and_their_names_are_utf_8_where_the_locale_names_no_encoding() {
    let source = "open('é' + str(item), 'w').write('ä')\nreturn open('é' + str(item)).read()";
    for (name, value) in [("LC_ALL", "C"), ("LC_ALL", "POSIX"), ("LC_ALL", ""), ("PYTHONUTF8", "1")] {
        let sandbox =
            Sandbox::with(&code(source)).env("LANG", "").env("LC_CTYPE", "").env("LC_ALL", "C").env(name, value);
        let sandbox = sandbox.env("XDG_CACHE_HOME", "cache");
        sandbox.run(&[]).exits_with(0);
        assert_eq!(sandbox.results("work"), [json!("ä"), json!("ä")], "{name}={value}");
    }
}

#[test]
fn a_file_with_the_name_of_a_module_does_not_hide_it_from_the_probe() {
    let mut sandbox = Sandbox::with(&code("return item")).env("XDG_CACHE_HOME", "cache");
    for module in ["json", "re", "types", "enum", "collections", "ast", "warnings", "importlib", "site", "linecache"] {
        sandbox = sandbox.file(&format!("elsewhere/{module}.py"), "raise RuntimeError('not this one')");
    }
    let elsewhere = sandbox.path().join("elsewhere");
    let run = |variable: &str| {
        let mut command = sandbox.command(&["run", "../workflow.yaml"]);
        crate::support::ended(command.current_dir(&elsewhere).env("PYTHONPATH", variable))
    };
    run("").exits_with(0);
    run(".").exits_with(2).says(&["it does not behave like Python 3", ".py` may hide a module of Python"]);
}

#[test]
fn a_virtual_environment_that_leads_nowhere_is_said() {
    let sandbox = Sandbox::with(&code("return item"));
    symlink("/nowhere", sandbox.path().join(".venv")).unwrap();
    let run = || crate::support::ended(sandbox.command(&["run", "workflow.yaml"]).env_remove("BATCHMILL_PYTHON"));
    run().exits_with(2).says(&["`./.venv/bin/python`", ".venv next to the workflow", "it does not exist"]);
    fs::remove_file(sandbox.path().join(".venv")).unwrap();
    fs::create_dir_all(sandbox.path().join(".venv/bin")).unwrap();
    symlink("/nowhere/python3", sandbox.path().join(".venv/bin/python")).unwrap();
    run().exits_with(2).says(&["it does not exist"]);
    fs::remove_file(sandbox.path().join(".venv/bin/python")).unwrap();
    symlink(python(), sandbox.path().join(".venv/bin/python")).unwrap();
    run().exits_with(0);
}
