//! `retry`: the failed items of a step, and nothing else of it.

use crate::support::Sandbox;
use serde_json::{Value, json};

/// Runs `go {{ item }}` for each item; a script of the sandbox says what that does.
fn workflow(items: &str, command: &str) -> String {
    format!(
        "
steps:
  - name: work
    task: batch
    inputs:
      items: {items}
      continue_on_error: true
      task: {{type: shell, command: \"{command}\"}}
  - name: count
    task: python
    inputs: {{code: 'return len(steps.work.result)'}}
"
    )
}

/// Notes that it ran, and fails while the item's file says `bad`.
const CHECK: &str = "echo $1 >> ran; ! grep -q bad $1";

fn ran(sandbox: &Sandbox) -> Vec<String> {
    let ran = if sandbox.exists("ran") { sandbox.read("ran") } else { String::new() };
    let _ = std::fs::remove_file(sandbox.path().join("ran"));
    let mut ran: Vec<String> = ran.lines().map(str::to_owned).collect();
    ran.sort();
    ran
}

fn touch(sandbox: &Sandbox, name: &str) {
    let file = std::fs::File::options().append(true).open(sandbox.path().join(name)).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400)).unwrap();
}

#[test]
fn nothing_to_retry_is_a_success_and_changes_nothing() {
    let items = "{glob: 'd/*'}";
    let alert = "on_failure: {type: shell, inputs: {command: 'touch alerted'}}\n";
    let sandbox = Sandbox::with(&(workflow(items, "go {{ item }}") + alert)).script("go", CHECK);
    let sandbox = (0..5).fold(sandbox, |sandbox, number| sandbox.file(&format!("d/{number}"), "good"));
    sandbox.run(&[]).exits_with(0);
    let before = sandbox.results("work");
    ran(&sandbox);
    // A file was touched, and one was added.
    touch(&sandbox, "d/1");
    let sandbox = sandbox.file("d/9", "new");
    sandbox.batchmill(&["retry"]).exits_with(0).says(&["nothing to retry"]);
    assert_eq!((ran(&sandbox), sandbox.results("work"), sandbox.exists("alerted")), (vec![], before, false));
    assert!(sandbox.batchmill(&["runs"]).stdout.contains("succeeded"));
    sandbox.batchmill(&["audit"]).exits_with(0);
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["2 of 6 items will run: 2 new or changed"]);
    assert_eq!(ran(&sandbox), ["d/1", "d/9"]);
}

#[test]
fn a_failed_item_is_found_again_however_it_was_mended() {
    // The file of the item was mended; the others were touched.
    for items in ["{glob: 'd/*'}", "$(ls d/*)"] {
        let sandbox = Sandbox::with(&workflow(items, "go {{ item }}")).script("go", CHECK);
        let sandbox = (0..5).fold(sandbox, |sandbox, number| sandbox.file(&format!("d/{number}"), "good"));
        let sandbox = sandbox.file("d/2", "bad");
        sandbox.run(&[]).exits_with(1);
        ran(&sandbox);
        ["d/0", "d/4"].into_iter().for_each(|name| touch(&sandbox, name));
        let sandbox = sandbox.file("d/2", "mended");
        sandbox.batchmill(&["retry"]).exits_with(0).says(&["1 of 5 items will run: 1 failed before"]);
        assert_eq!((ran(&sandbox), sandbox.results("work").len()), (vec!["d/2".to_owned()], 5));
        assert_eq!((sandbox.failures(), sandbox.results("count")), (vec![], vec![json!(5)]));
        sandbox.batchmill(&["audit"]).exits_with(0);
    }
    // The row of the item was mended.
    let sandbox = Sandbox::with(&workflow("{jsonl: rows.jsonl}", "go {{ item.n }}"))
        .script("go", "echo $1 >> ran; [ $1 != bad ]");
    let sandbox = sandbox.file("rows.jsonl", "{\"n\":1}\n{\"n\":\"bad\"}\n{\"n\":3}\n");
    sandbox.run(&[]).exits_with(1);
    ran(&sandbox);
    let sandbox = sandbox.file("rows.jsonl", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    sandbox.batchmill(&["retry"]).exits_with(0);
    assert_eq!((ran(&sandbox), sandbox.failures()), (vec!["2".to_owned()], vec![]));
    assert_eq!(sandbox.results("work").len(), 3);
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn items_that_are_alike_are_told_apart_by_their_index() {
    for failing in 0..3_usize {
        let task = format!("echo {{{{ index }}}} >> ran; test {{{{ index }}}} != {failing} -o -e go");
        let sandbox = Sandbox::with(&workflow("[x, x, x, y]", &task));
        sandbox.run(&[]).exits_with(1);
        ran(&sandbox);
        let sandbox = sandbox.file("go", "");
        sandbox.batchmill(&["retry"]).exits_with(0);
        assert_eq!(ran(&sandbox), [failing.to_string()]);
        assert!(sandbox.failures().is_empty());
        sandbox.batchmill(&["audit"]).exits_with(0);
        sandbox.batchmill(&["resume"]).exits_with(0).says(&["0 of 4 items will run"]);
    }
}

#[test]
fn an_index_of_only_is_that_of_the_failure_wherever_the_item_is_now() {
    let sandbox = Sandbox::with(&workflow("[a, b, c]", "go {{ item }}")).script("go", "echo $1 >> ran; [ -e ok.$1 ]");
    let sandbox = sandbox.file("ok.a", "").file("ok.b", "");
    sandbox.run(&[]).exits_with(1);
    ran(&sandbox);
    let sandbox =
        sandbox.file("ok.c", "").file("ok.z", "").file("workflow.yaml", workflow("[z, a, b, c]", "go {{ item }}"));
    sandbox.batchmill(&["retry", "latest", "--only", "2"]).exits_with(0);
    assert_eq!(ran(&sandbox), ["c"]);
    sandbox.batchmill(&["audit"]).exits_with(0);
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["1 of 4 items will run: 1 new\n"]);
    assert_eq!(ran(&sandbox), ["z"]);
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn a_mended_expression_runs_the_failed_items_alone_and_resume_brings_the_others_up_to_date() {
    let workflow = |code: &str| {
        format!(
            "steps:\n  - name: work\n    for_each: {{range: 50}}\n    continue_on_error: true\n    task: python\n    inputs: {{code: '{code}'}}\n"
        )
    };
    let sandbox = Sandbox::with(&workflow("return 100 // (item - 7)"));
    sandbox.run(&[]).exits_with(1);
    let sandbox = sandbox.file("workflow.yaml", workflow("return 100 // (item - 7 or 1)"));
    sandbox.batchmill(&["retry"]).exits_with(0).says(&[
        "1 of 50 items will run",
        "existing results are from before `task.code` changed",
        "`batchmill resume`",
    ]);
    assert_eq!((sandbox.results("work")[7].clone(), sandbox.results("work").len()), (json!(100), 50));
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["will run"]);
    assert_eq!(sandbox.results("work").len(), 50);
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn items_that_change_their_own_files_are_not_done_twice() {
    let sandbox = Sandbox::with(&workflow("{glob: 'd/*'}", "sed -i s/^/x/ {{ item }} && ! grep -q bad {{ item }}"));
    let sandbox =
        (0..4).fold(sandbox, |sandbox, number| sandbox.file(&format!("d/{number}"), "good\n")).file("d/2", "bad\n");
    sandbox.run(&[]).exits_with(1);
    let sandbox = sandbox.file("d/2", "mended\n");
    sandbox.batchmill(&["retry"]).exits_with(0).says(&["1 of 4 items will run"]);
    let texts: Vec<String> = (0..4).map(|number| sandbox.read(&format!("d/{number}"))).collect();
    assert_eq!(texts, ["xgood\n", "xgood\n", "xmended\n", "xgood\n"]);
    assert_eq!(sandbox.results("work").len(), 4);
}

#[test]
fn items_that_were_never_begun_wait_for_resume_and_later_steps_wait_with_them() {
    let stopping = workflow("[a, b, c, d]", "go {{ item }}").replace("      continue_on_error: true\n", "");
    let sandbox = Sandbox::with(&stopping).script("go", "echo $1 >> ran; [ -e ok.$1 ]").file("ok.a", "");
    sandbox.run(&[]).exits_with(3);
    assert_eq!(ran(&sandbox), ["a", "b"]);
    let sandbox = sandbox.file("ok.b", "").file("ok.c", "").file("ok.d", "");
    sandbox.batchmill(&["retry"]).exits_with(3);
    assert_eq!(ran(&sandbox), ["b"]);
    sandbox.batchmill(&["results", "--step", "count"]).exits_with(2);
    sandbox.batchmill(&["retry"]).exits_with(3).says(&["have not run yet", "batchmill resume"]);
    assert_eq!(ran(&sandbox), Vec::<String>::new());
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!((ran(&sandbox), sandbox.results("count")), (vec!["c".to_owned(), "d".to_owned()], vec![json!(4)]));
}

#[test]
fn later_steps_take_in_what_a_retry_has_changed_and_no_others_run() {
    let workflow = "
steps:
  - name: work
    for_each: [a, b, c]
    continue_on_error: true
    task: shell
    inputs: {command: 'test -e ok.{{ item }} && echo {{ item }}'}
  - name: apart
    task: shell
    inputs: {command: 'echo apart >> ran'}
  - name: each
    for_each: '{{ steps.work.result }}'
    task: shell
    inputs: {command: 'echo each-{{ item.stdout }} >> ran'}
  - name: failed
    task: echo
    inputs: {message: '{{ steps.work.failed | length }}'}
    outputs: {path: failed.jsonl}
";
    let sandbox = Sandbox::with(workflow).file("ok.a", "").file("ok.b", "");
    sandbox.run(&[]).exits_with(1);
    assert_eq!(ran(&sandbox), ["apart", "each-a", "each-b"]);
    let sandbox = sandbox.file("ok.c", "");
    sandbox.batchmill(&["retry"]).exits_with(0);
    assert_eq!(ran(&sandbox), ["each-c"]);
    assert_eq!((sandbox.results("failed"), sandbox.read("failed.jsonl").trim()), (vec![json!(0)], "0"));
}

#[test]
fn a_failure_that_differs_reaches_the_steps_that_look_at_it() {
    let workflow = "
steps:
  - name: one
    for_each: [a]
    continue_on_error: true
    task: shell
    inputs: {command: 'cat said >&2; exit 1'}
  - name: two
    task: echo
    inputs: {message: '{{ steps.one.failed }}'}
";
    let sandbox = Sandbox::with(workflow).file("said", "FIRST");
    sandbox.run(&[]).exits_with(1);
    let sandbox = sandbox.file("said", "SECOND");
    sandbox.batchmill(&["retry"]).exits_with(1);
    let two: Vec<Value> = sandbox.results("two");
    assert!(two[0].to_string().contains("SECOND"), "{two:?}");
}

#[test]
fn a_bad_row_that_was_mended_has_one_outcome() {
    let workflow = "
steps:
  - name: work
    for_each: {csv: rows.csv, on_bad_row: skip, types: {n: integer}}
    task: shell
    inputs: {command: 'echo {{ item.n }}'}
";
    let sandbox = Sandbox::with(workflow).file("rows.csv", "n\n1\nx\n3\n");
    sandbox.run(&[]).exits_with(0);
    let sandbox = sandbox.file("rows.csv", "n\n1\n2\n3\n");
    sandbox.batchmill(&["resume"]).exits_with(0);
    sandbox.batchmill(&["audit"]).exits_with(0);
    assert_eq!(sandbox.results("work").len(), 3);
}

#[test]
fn a_limited_resume_takes_no_results_away() {
    let sandbox = Sandbox::with(&workflow("{range: 100}", "echo {{ item }}"));
    sandbox.run(&[]).exits_with(0);
    sandbox.run(&["--resume", "--max-items", "10"]).exits_with(0);
    assert_eq!(sandbox.results("work").len(), 100);
    sandbox.batchmill(&["audit"]).exits_with(0);
    // And it limits what runs.
    let sandbox = Sandbox::with(&workflow("{range: 100}", "echo {{ item }} >> ran"));
    sandbox.run(&["--max-items", "3"]).exits_with(0);
    sandbox.run(&["--resume", "--max-items", "5"]).exits_with(0);
    assert_eq!((ran(&sandbox).len(), sandbox.results("work").len()), (5, 5));
    sandbox.batchmill(&["audit"]).exits_with(0);
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!((ran(&sandbox).len(), sandbox.results("work").len()), (95, 100));
}

#[test]
fn a_file_that_is_listed_twice_is_done_twice() {
    let sandbox = Sandbox::with(&workflow("{csv: [a.csv, ./a.csv]}", "go {{ item.n }}"))
        .script("go", "echo $1 >> ran; [ -e ok ]");
    let sandbox = sandbox.file("a.csv", "n\n1\n2\n");
    sandbox.run(&[]).exits_with(1);
    assert_eq!(ran(&sandbox).len(), sandbox.failures().len());
    let sandbox = sandbox.file("ok", "");
    sandbox.batchmill(&["resume"]).exits_with(0);
    sandbox.batchmill(&["audit"]).exits_with(0);
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["0 of"]);
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_retry_that_was_killed_before_its_output_was_written_is_finished_by_the_next_one() {
    let workflow = "
steps:
  - name: work
    for_each: [1, 2, 3]
    continue_on_error: true
    task: shell
    inputs: {command: 'test {{ item }} != 2 -o -e go && echo {{ item }}'}
    aggregate: |
      import os, time
      if os.path.exists('go') and not os.path.exists('on'):
          open('waits', 'w').close()
          time.sleep(600)
      return len(results)
    outputs: {path: out.jsonl}
";
    for verb in ["retry", "resume"] {
        let sandbox = Sandbox::with(workflow);
        sandbox.run(&[]).exits_with(1);
        assert_eq!(sandbox.read("out.jsonl").lines().count(), 2);
        let sandbox = sandbox.file("go", "");
        let mut engine = sandbox.command(&["retry", "--progress", "none"]).spawn().unwrap();
        while !sandbox.exists("waits") {
            assert!(engine.try_wait().unwrap().is_none());
        }
        engine.kill().unwrap();
        engine.wait().unwrap();
        sandbox.has_no_process();
        let sandbox = sandbox.file("on", "");
        let ended = sandbox.batchmill(&[verb]).exits_with(0);
        assert!(!ended.stderr.contains("nothing to retry"), "{}", ended.stderr);
        assert_eq!(sandbox.read("out.jsonl").lines().count(), 3, "{verb}");
        sandbox.batchmill(&["retry"]).exits_with(0).says(&["nothing to retry"]);
    }
}

#[test]
fn equal_items_keep_their_results_wherever_they_go() {
    for (before, after) in
        [("[x, x, y]", "[y, x, x]"), ("[x, x, x, y]", "[y, z, x, x, x]"), ("[a, x, x]", "[x, a, x, x]")]
    {
        let sandbox = Sandbox::with(&workflow(before, "echo {{ item }} >> ran"));
        sandbox.run(&[]).exits_with(0);
        ran(&sandbox);
        let sandbox = sandbox.file("workflow.yaml", workflow(after, "echo {{ item }} >> ran"));
        sandbox.batchmill(&["resume"]).exits_with(0);
        let new = after.matches([',', '[']).count() - before.matches([',', '[']).count();
        assert_eq!(ran(&sandbox).len(), new, "{before} {after}");
        sandbox.batchmill(&["audit"]).exits_with(0);
    }
}

#[test]
fn what_failed_beyond_a_limit_is_still_counted() {
    let sandbox = Sandbox::with(&workflow("{range: 10}", "[ {{ item }} -lt 8 ]"));
    sandbox.run(&[]).exits_with(1);
    let ended = sandbox.run(&["--resume", "--max-items", "9", "--format", "json"]).exits_with(1).json();
    let stats = &ended["steps"]["work"]["stats"];
    assert_eq!((&stats["succeeded"], &stats["failed"]), (&json!(8), &json!(2)));
    assert_eq!(sandbox.failures().len(), 2);
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn a_failed_item_that_is_gone_is_no_reason_to_run() {
    let sandbox = Sandbox::with(&workflow("[good, bad]", "[ {{ item }} = good ]"));
    sandbox.run(&[]).exits_with(1);
    let sandbox = sandbox.file("workflow.yaml", workflow("[good]", "[ {{ item }} = good ]"));
    let ended = sandbox.batchmill(&["retry"]);
    assert!(!ended.stderr.contains("failed before"), "{}", ended.stderr);
}
