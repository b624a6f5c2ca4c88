//! Files of the user are neither destroyed nor mixed: who owns a path, and what is never replaced.

use crate::support::Sandbox;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

/// Two steps that write to these paths, with the parameter `x` for `a`.
fn two_steps(first: &str, second: &str) -> Sandbox {
    Sandbox::with(&format!(
        "
params: {{x: a}}
steps:
  - {{name: one, for_each: [1], task: echo, inputs: {{message: first}}, outputs: {{path: {first}, format: jsonl}}}}
  - {{name: two, for_each: [1], task: echo, inputs: {{message: second}}, outputs: {{path: {second}, format: jsonl}}}}
"
    ))
}

#[test]
fn two_steps_that_write_to_one_path_are_refused_whatever_they_call_it() {
    for (first, second) in [
        ("out/a.jsonl", "./out/a.jsonl"),
        ("out/a.jsonl", "'out/{{ x }}.jsonl'"),
        ("'{{ x }}.jsonl'", "out/../a.jsonl"),
        ("real/a.jsonl", "link/a.jsonl"),
        ("real/b.jsonl", "real/a.jsonl"),
        ("out/data", "out/data/part-00000.jsonl"),
    ] {
        let sandbox = two_steps(first, second).file("real/a.jsonl", "");
        symlink("real", sandbox.path().join("link")).unwrap();
        symlink("a.jsonl", sandbox.path().join("real/b.jsonl")).unwrap();
        if first == "out/data" {
            let workflow = sandbox.read("workflow.yaml").replace("out/data, format", "out/data, parts: true, format");
            fs::write(sandbox.path().join("workflow.yaml"), workflow).unwrap();
        }
        sandbox.run(&[]).exits_with(3).says(&["step `one` of this run also writes to `", "choose another path"]);
        sandbox.batchmill(&["resume"]).exits_with(3).says(&["step `one` of this run also writes to `"]);
    }
    two_steps("out/a.jsonl", "out/b.jsonl").run(&[]).exits_with(0);
}

#[test]
fn a_second_run_is_refused_while_the_first_one_writes_to_its_path() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: work
    for_each: [1, 2]
    max_parallel: 1
    task: shell
    inputs: {command: 'echo begun >&2; while test ! -e go; do sleep 0.01; done'}
    outputs: {path: out/a.jsonl}
",
    );
    let first = sandbox.run_until(&["--state-dir", "first"], "step work");
    // Not even the state folder is shared.
    for _ in 0..2 {
        let second = sandbox.run(&["--state-dir", "second"]).exits_with(2);
        second.says(&["another run is writing to `out/a.jsonl`", "wait until it has finished"]);
    }
    let sandbox = sandbox.file("go", "");
    assert_eq!(first.ends_with(), Some(0));
    assert_eq!(sandbox.read("out/a.jsonl").lines().count(), 2);
    sandbox.run(&["--state-dir", "second"]).exits_with(0);
    let names: Vec<_> = fs::read_dir(sandbox.path().join("out")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn a_step_that_writes_nothing_leaves_no_folder() {
    let sandbox = two_steps("deep/out/a.jsonl", "b.jsonl");
    let workflow = sandbox.read("workflow.yaml").replace("message: first", "message: '{{ 1 / 0 }}'");
    let sandbox = sandbox.file("workflow.yaml", workflow);
    sandbox.run(&[]).exits_with(3);
    assert!(!sandbox.exists("deep"));
}

#[test]
fn the_name_of_a_directory_is_no_name_for_a_file() {
    for path in ["o/", "o/.", ".", "'{{ x }}/'", "'{{ x }}/..'"] {
        let sandbox = two_steps("first.jsonl", path);
        let code = if path.contains('{') { 3 } else { 2 };
        sandbox.run(&[]).exits_with(code).says(&["the name of a directory"]);
        assert_eq!(sandbox.exists("first.jsonl"), path.contains('{'), "{path}: literal ones are refused beforehand");
    }
}

#[test]
fn devices_sockets_and_links_to_nowhere_are_not_replaced() {
    let sandbox = Sandbox::new();
    let _socket = UnixListener::bind(sandbox.path().join("socket")).unwrap();
    symlink("/dev/null", sandbox.path().join("device")).unwrap();
    symlink("nowhere", sandbox.path().join("dangling")).unwrap();
    for (path, says) in
        [("socket", "not a regular file"), ("device", "not a regular file"), ("dangling", "a broken symbolic link")]
    {
        let workflow = two_steps(path, "b.jsonl").read("workflow.yaml");
        fs::write(sandbox.path().join("workflow.yaml"), workflow).unwrap();
        sandbox.run(&[]).exits_with(3).says(&["OutputError: cannot write `", says]);
        assert!(!fs::symlink_metadata(sandbox.path().join(path)).unwrap().is_file());
    }
}

#[test]
fn files_of_items_do_not_leave_their_folder_through_a_link() {
    let workflow = |command: &str| {
        Sandbox::with(&format!(
            "
steps:
  - name: make
    for_each: [link, file]
    max_parallel: 1
    continue_on_error: true
    task: shell
    inputs: {{command: 'cd {{{{ item_dir }}}}; {command}'}}
    outputs: {{item_files: out/files}}
"
        ))
    };
    let command = "if test {{ item }} = link; then ln -s ../.. sub; else mkdir sub; echo mine > sub/precious; fi";
    let sandbox = workflow(command).file("precious", "yours");
    sandbox
        .run(&[])
        .exits_with(1)
        .says(&["cannot move `sub/precious` to `out/files/sub/precious`", "`sub` is a symbolic link"]);
    assert_eq!(sandbox.read("precious"), "yours");
    assert_eq!(sandbox.failures()[0]["type"], "ItemFileError");
    // The folder that the workflow names may be one.
    let sandbox = workflow("mkdir {{ item }}; echo a > {{ item }}/file").file("elsewhere/x", "").file("out/x", "");
    symlink("../elsewhere", sandbox.path().join("out/files")).unwrap();
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.read("elsewhere/link/file"), "a\n");
}

#[test]
fn a_file_of_an_item_is_not_replaced_by_an_item_of_another_step() {
    let step = |name: &str, into: &str, file: &str| {
        format!(
            "  - {{name: {name}, for_each: [1, 2], continue_on_error: true, task: shell, inputs: {{command: 'mkdir -p {{{{ item_dir }}}}/sub; \
             echo {name} > {{{{ item_dir }}}}/{file}'}}, outputs: {{item_files: {into}}}}}\n"
        )
    };
    for (into, file) in
        [("out", "f{{ item }}"), ("./out/", "f{{ item }}"), ("out/../out", "f{{ item }}"), ("link", "f{{ item }}")]
    {
        let text = format!(
            "steps:\n{}{}{}",
            step("a", "out", "f{{ item }}"),
            step("b", into, file),
            step("c", "out", "g{{ item }}")
        );
        let sandbox = Sandbox::with(&text);
        std::fs::create_dir(sandbox.path().join("out")).unwrap();
        std::os::unix::fs::symlink("out", sandbox.path().join("link")).unwrap();
        for arguments in [&["run", "workflow.yaml"][..], &["resume"]] {
            let ended = sandbox.batchmill(arguments).exits_with(1);
            ended.says(&[
                "b[0] failed: ItemFileClash: item 0 wrote `",
                "but step `a` of this run already wrote that file",
            ]);
            assert_eq!((sandbox.read("out/f1"), sandbox.read("out/g2")), ("a\n".to_owned(), "c\n".to_owned()));
        }
    }
    // A directory within the other one.
    let text = format!("steps:\n{}{}", step("a", "out", "sub/f{{ item }}"), step("b", "out/sub", "f{{ item }}"));
    Sandbox::with(&text).run(&[]).exits_with(1).says(&["ItemFileClash"]);
}
