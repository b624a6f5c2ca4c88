//! Going on with a run: what has a result stays, what has none runs, what changed runs again and says so.

use crate::support::{Ended, Sandbox};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const COUNT: &str = "echo \"$1\" >> ran; [ ! -e \"bad.$1\" ] && echo \"did $1\"";

fn counting(items: &str, settings: &str) -> String {
    format!(
        "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: {items}\n{settings}      task: {{type: shell, command: 'count {{{{ item }}}}'}}\n"
    )
}

impl Sandbox {
    fn rewrite(self, workflow: &str) -> Self {
        self.file("workflow.yaml", workflow)
    }

    fn resume(&self) -> Ended {
        self.batchmill(&["resume"])
    }

    /// What ran since the last look.
    fn ran(&self) -> Vec<String> {
        let ran = if self.exists("ran") { self.read("ran") } else { String::new() };
        let _ = std::fs::remove_file(self.path().join("ran"));
        ran.lines().map(str::to_owned).collect()
    }

    fn said(&self) -> Vec<String> {
        self.results("work").iter().map(|result| result["stdout"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_run_that_stopped_goes_on_where_it_ended() {
    let sandbox =
        Sandbox::with(&counting("[a, b, c, d]", "      batch_size: 2\n")).script("count", COUNT).file("bad.b", "");
    sandbox.run(&[]).exits_with(3).says(&["next: batchmill failures"]);
    assert_eq!(sandbox.ran(), ["a", "b"]);
    std::fs::remove_file(sandbox.path().join("bad.b")).unwrap();
    let resumed = sandbox.resume().exits_with(0);
    resumed.says(&["work: 3 of 4 items will run: 1 failed before, 2 not run yet", "4 items, 1 already done"]);
    assert_eq!(sandbox.ran(), ["b", "c", "d"]);
    assert_eq!(sandbox.said(), ["did a", "did b", "did c", "did d"]);
    assert!(sandbox.failures().is_empty());
    sandbox.resume().exits_with(0).says(&["0 of 4 items will run"]);
    assert!(sandbox.ran().is_empty());
    assert_eq!(sandbox.batchmill(&["runs"]).stdout.lines().count(), 2, "one run, however often it went on");
}

#[test]
fn a_list_that_grows_runs_what_is_new_and_a_reordered_one_nothing() {
    let sandbox = Sandbox::with(&counting("[a, b, c]", "      batch_size: 2\n")).script("count", COUNT);
    sandbox.run(&[]).exits_with(0);
    sandbox.ran();
    let sandbox = sandbox.rewrite(&counting("[c, x, a, b, y]", "      batch_size: 2\n"));
    sandbox.resume().exits_with(0).says(&["2 of 5 items will run: 2 new\n"]);
    assert_eq!(sandbox.ran(), ["x", "y"]);
    assert_eq!(sandbox.said(), ["did c", "did x", "did a", "did b", "did y"]);
    let sandbox = sandbox.rewrite(&counting("[y, b, c]", "      batch_size: 2\n"));
    sandbox.resume().exits_with(0).says(&["0 of 3 items will run"]);
    assert!(sandbox.ran().is_empty());
    assert_eq!(sandbox.said(), ["did y", "did b", "did c"]);
}

#[test]
fn items_that_are_alike_are_counted() {
    let sandbox = Sandbox::with(&counting("[a, a]", "")).script("count", COUNT);
    sandbox.run(&[]).exits_with(0);
    sandbox.ran();
    let sandbox = sandbox.rewrite(&counting("[a, a, a]", ""));
    sandbox.resume().exits_with(0);
    assert_eq!(sandbox.ran(), ["a"]);
    assert_eq!(sandbox.said(), ["did a", "did a", "did a"]);
}

#[test]
fn a_changed_task_runs_everything_again_and_says_why() {
    let workflow = "
params: {size: {default: 1}, other: {default: 1}}
env: {MODE: fast}
steps:
  - name: work
    task: batch
    inputs:
      items: [a, b]
      task: {type: shell, command: 'count {{ item }} {{ params.size }}'}
  - name: after
    task: shell
    inputs: {command: 'echo {{ steps.work.result | length }} >> after'}
  - name: apart
    task: shell
    inputs: {command: echo >> apart}
";
    let sandbox = Sandbox::with(workflow).script("count", COUNT);
    sandbox.run(&[]).exits_with(0);
    sandbox.ran();
    let sandbox = sandbox.rewrite(&workflow.replace("count {{ item }}", "count {{ item }}!"));
    sandbox.resume().exits_with(0).says(&[
        "work: everything runs again, because `task.command` changed",
        "after: everything runs again, because step `work` has new results",
    ]);
    assert_eq!(sandbox.ran(), ["a!", "b!"]);
    assert_eq!(sandbox.said(), ["did a!", "did b!"]);
    let sandbox = sandbox.rewrite(&workflow.replace("fast", "slow").replace("count {{ item }}", "count {{ item }}!"));
    sandbox.resume().exits_with(0).says(&["work: everything runs again, because `env.MODE` changed"]);
    sandbox.batchmill(&["resume", "latest", "size=2"]).exits_with(0).says(&["because `params.size` changed"]);
    assert_eq!(sandbox.read("after").lines().count(), 4);
    assert_eq!(sandbox.read("apart").lines().count(), 2, "only the environment concerned it");
}

#[test]
fn files_that_were_touched_run_again() {
    for items in ["{glob: 'data/*.csv'}", "$(ls data/*.csv)"] {
        let mut sandbox = Sandbox::with(&counting(items, "")).script("count", COUNT);
        for number in 10..30 {
            sandbox = sandbox.file(&format!("data/{number}.csv"), "old");
        }
        sandbox.run(&[]).exits_with(0);
        sandbox.ran();
        let sandbox = sandbox.file("data/12.csv", "changed").file("data/29.csv", "changed").file("data/99.csv", "new");
        sandbox.resume().exits_with(0).says(&["3 of 21 items will run"]);
        assert_eq!(sandbox.ran(), ["data/12.csv", "data/29.csv", "data/99.csv"]);
        assert_eq!(sandbox.said().len(), 21);
    }
}

#[test]
fn retry_runs_the_failed_items_alone() {
    let settings = "      continue_on_error: true\n";
    let sandbox = Sandbox::with(&counting("[a, b, c, d]", settings)).script("count", COUNT);
    let sandbox = sandbox.file("bad.b", "").file("bad.d", "");
    sandbox.run(&[]).exits_with(1);
    sandbox.ran();
    std::fs::remove_file(sandbox.path().join("bad.b")).unwrap();
    std::fs::remove_file(sandbox.path().join("bad.d")).unwrap();
    sandbox
        .batchmill(&["retry", "latest", "--only", "3"])
        .exits_with(1)
        .says(&["1 of 4 items will run: 1 failed before"]);
    assert_eq!(sandbox.ran(), ["d"]);
    let failures = sandbox.failures();
    assert_eq!((failures.len(), &failures[0]["item"]), (1, &json!("b")));
    let key = failures[0]["key"].as_str().unwrap()[..8].to_owned();
    sandbox.batchmill(&["retry", "latest", "--only", &key]).exits_with(0);
    assert_eq!(sandbox.ran(), ["b"]);
    sandbox.batchmill(&["retry"]).exits_with(0).says(&["nothing to retry"]);
    assert_eq!(sandbox.said(), ["did a", "did b", "did c", "did d"]);
}

#[test]
fn a_batch_that_lost_an_item_is_made_anew() {
    let workflow = |items: &str| {
        format!(
            "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: {items}\n      batch_size: 2\n      task:\n        \
             type: python\n        code: return [[r['n'] for r in item], index]\n"
        )
    };
    let sandbox = Sandbox::with(&workflow("[{n: 1}, {n: 2}, {n: 3}, {n: 4}]"));
    sandbox.run(&[]).exits_with(0);
    let sandbox = sandbox.rewrite(&workflow("[{n: 1}, {n: 3}, {n: 4}]"));
    sandbox
        .resume()
        .exits_with(0)
        .says(&["3 of 3 items will run: 2 moved to another index, 1 part of a changed batch"]);
    assert_eq!(sandbox.results("work"), [json!([1, 3]), json!(0), json!([4]), json!(2)], "as a fresh run would");
}

#[test]
fn run_resume_goes_on_with_the_newest_run_of_the_file() {
    let sandbox = Sandbox::with(&counting("[a, b]", "")).script("count", COUNT);
    sandbox.run(&["--resume"]).exits_with(0);
    sandbox.run(&["--resume"]).exits_with(0).says(&["0 of 2 items will run"]);
    assert_eq!(sandbox.ran(), ["a", "b"]);
    assert_eq!(sandbox.batchmill(&["runs"]).stdout.lines().count(), 2);
}

#[test]
fn a_run_goes_on_from_another_folder_with_its_parameters() {
    let workflow = "
secrets: [token]
steps:
  - name: work
    task: batch
    inputs:
      items: {lines: '{{ file }}'}
      task: {type: shell, command: 'count {{ item }}-{{ token }}'}
";
    let sandbox = Sandbox::with(workflow).script("count", COUNT).file("list.txt", "a\nb\n").file("bad.b-s3cret", "");
    sandbox.run(&["file=list.txt", "token=s3cret"]).exits_with(3);
    sandbox.ran();
    std::fs::remove_file(sandbox.path().join("bad.b-s3cret")).unwrap();
    let state = sandbox.path().join(".batchmill").display().to_string();
    let elsewhere = tempfile::tempdir().unwrap();
    let again = |arguments: &[&str]| {
        let arguments = [&["resume", "--state-dir", &state], arguments].concat();
        let output = sandbox.command(&arguments).current_dir(elsewhere.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = again(&[]);
    assert!(code == Some(2) && said.contains("pass them again: token=VALUE"), "{said}");
    assert_eq!(again(&["token=s3cret"]).0, Some(0));
    assert_eq!(sandbox.ran(), ["b-s3cret"]);
}

#[test]
fn a_run_that_is_under_way_is_held() {
    let sandbox = Sandbox::with(&counting("[a]", "")).script("count", "touch began; while [ ! -e go ]; do :; done");
    let mut running = sandbox.command(&["run", "workflow.yaml", "--progress", "none"]).spawn().unwrap();
    while !sandbox.exists("began") {
        assert!(running.try_wait().unwrap().is_none());
    }
    sandbox.resume().exits_with(5).says(&["is in use by another process", "help:"]);
    std::fs::write(sandbox.path().join("go"), "").unwrap();
    assert!(running.wait().unwrap().success());
}

#[test]
fn attempts_of_a_waiting_item_are_remembered() {
    let workflow = |delay: &str| counting("[a, b]", &format!("      retry: {{max_attempts: 3, delay: {delay}}}\n"));
    let sandbox = Sandbox::with(&workflow("1h")).script("count", COUNT).file("bad.a", "");
    let mut engine = sandbox.command(&["run", "workflow.yaml", "--progress", "json"]);
    let mut engine = engine.stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(engine.stderr.take().unwrap()).lines();
    // Both batches have ended: `b` is done, `a` waits for its second attempt.
    assert_eq!(lines.map(Result::unwrap).filter(|line| line.contains("batch_finished")).take(2).count(), 2);
    engine.kill().unwrap();
    engine.wait().unwrap();
    assert_eq!(sandbox.ran(), ["a", "b"]);
    let sandbox = sandbox.rewrite(&workflow("0"));
    sandbox.resume().exits_with(3).says(&["1 of 2 items will run: 1 waiting for a retry", "failed after 3 attempts"]);
    assert_eq!(sandbox.ran(), ["a", "a"]);
}

#[test]
fn an_audit_finds_results_that_were_cut_or_overwritten() {
    let sandbox = Sandbox::with(&counting("[a, b, c]", "      batch_size: 2\n")).script("count", COUNT);
    sandbox.run(&[]).exits_with(0);
    let good = sandbox.batchmill(&["audit"]).exits_with(0);
    assert_eq!(good.stdout, "work: 3 succeeded, 0 failed; every item has one outcome and every result is intact\n");
    let runs = sandbox.path().join(".batchmill/runs");
    let run = std::fs::read_dir(runs).unwrap().next().unwrap().unwrap().path();
    let results = run.join("results/work.jsonl");
    let text = std::fs::read_to_string(&results).unwrap();
    std::fs::write(&results, text.replacen('{', "x", 1)).unwrap();
    let bad = sandbox.batchmill(&["audit"]).exits_with(1);
    assert!(bad.stdout.contains("batch at item 0: results are not complete lines of JSON"), "{}", bad.stdout);
    std::fs::write(&results, &text[..text.len() - 3]).unwrap();
    let bad = sandbox.batchmill(&["audit"]).exits_with(1);
    assert!(bad.stdout.contains("batch at item 2: results are truncated"), "{}", bad.stdout);
}

#[test]
fn failures_that_are_alike_are_counted() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: {range: 12}
      continue_on_error: true
      task: {type: shell, command: 'echo cannot read block {{ item }} >&2; exit $(({{ item }} / 10 + 1))'}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(1);
    let groups = sandbox.batchmill(&["failures", "--group", "--format", "json"]).exits_with(0).json();
    assert_eq!(
        groups,
        json!([{
            "count": 12, "step": "work", "type": "ExitStatus",
            "message": "command exited with status …: cannot read block …", "indexes": [0, 1, 2],
            "example": "command exited with status 1: cannot read block 0",
        }])
    );
    let table = sandbox.batchmill(&["failures", "--group"]).exits_with(0).stdout;
    assert!(
        table.contains("12     work  ExitStatus: command exited with status …: cannot read block …  0, 1, 2, …"),
        "{table}"
    );
}

#[test]
fn items_that_are_alike_fail_each_for_itself() {
    let sandbox = Sandbox::with(&counting(
        "[bad, bad, ok]",
        "      continue_on_error: true\n      retry: {max_attempts: 2, delay: 0}\n",
    ));
    let sandbox = sandbox.script("count", "[ $1 = ok ] || [ -e good ] && [ ! -e once ] && touch once");
    sandbox.run(&[]).exits_with(1);
    let indexes =
        |sandbox: &Sandbox| sandbox.failures().iter().map(|it| it["index"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(indexes(&sandbox), [0, 1]);
    // One of the two succeeds now, once.
    let _ = std::fs::remove_file(sandbox.path().join("once"));
    let sandbox = sandbox.file("good", "");
    sandbox.batchmill(&["retry"]).exits_with(1).says(&["2 of 3 items will run: 2 failed before"]);
    assert_eq!(indexes(&sandbox).len(), 1);
}

#[test]
fn later_steps_follow_what_became_of_earlier_ones() {
    let workflow = |items: &str| {
        format!(
            "{}  - name: two\n    task: echo\n    inputs: {{message: '{{{{ steps.work.result | map(attribute=\"stdout\") | list }}}}'}}\n",
            counting(items, "      continue_on_error: true\n")
        )
    };
    let sandbox = Sandbox::with(&workflow("[a, b, c]")).script("count", COUNT).file("bad.b", "");
    sandbox.run(&[]).exits_with(1);
    std::fs::remove_file(sandbox.path().join("bad.b")).unwrap();
    sandbox
        .batchmill(&["retry"])
        .exits_with(0)
        .says(&["two: everything runs again, because step `work` has new results"]);
    assert_eq!(sandbox.results("two"), [json!(["did a", "did b", "did c"])]);
    let sandbox = sandbox.rewrite(&workflow("[c, a]"));
    sandbox.resume().exits_with(0).says(&["0 of 2 items will run"]);
    assert_eq!(sandbox.results("two"), [json!(["did c", "did a"])]);
}

#[test]
fn failures_of_items_that_are_gone_are_forgotten() {
    let sandbox =
        Sandbox::with(&counting("[a, b]", "      continue_on_error: true\n")).script("count", COUNT).file("bad.b", "");
    sandbox.run(&[]).exits_with(1);
    let sandbox = sandbox.rewrite(&counting("[a]", "      continue_on_error: true\n"));
    sandbox.resume().exits_with(0);
    assert!(sandbox.failures().is_empty());
}

#[test]
fn the_value_of_a_batch_goes_with_its_batch() {
    let workflow = |items: &str| {
        let code = "return sum(r['n'] for r in item)";
        format!(
            "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: {items}\n      batch_size: 2\n      task: {{type: python, code: \"{code}\"}}\n"
        )
    };
    let sandbox = Sandbox::with(&workflow("[{n: 1}, {n: 2}, {n: 3}, {n: 4}]"));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [3, 7]);
    let sandbox = sandbox.rewrite(&workflow("[{n: 1}, {n: 2}, {n: 3}, {n: 5}]"));
    sandbox.batchmill(&["retry"]).exits_with(0);
    assert_eq!(sandbox.results("work"), [3, 7], "retry leaves what it was not asked for");
    sandbox.resume().exits_with(0).says(&["2 of 4 items will run: 1 new or changed, 1 part of a changed batch"]);
    assert_eq!(sandbox.results("work"), [3, 8]);
}

#[test]
fn a_parameter_that_was_masked_has_to_be_given_again() {
    let workflow = "
secrets: [PW]
steps:
  - {name: a, task: shell, inputs: {command: 'echo {{ params.url }} >> ran; false'}}
";
    let sandbox = Sandbox::with(workflow).env("PW", "hunter2");
    sandbox.run(&["url=http://me:hunter2@h/"]).exits_with(3);
    sandbox.resume().exits_with(2).says(&["contain a secret", "url=VALUE"]);
    sandbox.batchmill(&["resume", "latest", "url=http://me:hunter2@h/"]).exits_with(3);
    assert_eq!(sandbox.read("ran"), "http://me:hunter2@h/\n".repeat(2));
}

#[test]
fn a_run_whose_ledger_was_never_made_hides_no_other() {
    let sandbox = Sandbox::with(&counting("[a]", "")).script("count", COUNT);
    sandbox.run(&[]).exits_with(0);
    let sandbox = sandbox.file(".batchmill/runs/99999999-000000000-torn-0000/run.db", "");
    sandbox.batchmill(&["runs"]).exits_with(0).says(&["cannot read run `99999999-000000000-torn-0000`"]);
    sandbox.run(&["--resume"]).exits_with(0).says(&["0 of 1 items will run"]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_task_that_changes_or_makes_the_file_of_its_item_has_done_it_once() {
    // `sed -i` on files of a glob; files that do not exist before; files of a command; a batched Python task.
    let python = "{type: python, code: \"for name in (item if BATCHED else [item]):\\n  if name == 'd/b' and not __import__('os').path.exists('go'): raise ValueError(name)\\n  open(name, 'a').write('x')\\nreturn item\"}";
    for (items, task, more) in [
        ("{glob: d/*}", "{type: shell, command: 'test -e go -o {{ item }} != d/b && sed -i s/^/x/ {{ item }}'}", ""),
        (
            "$(ls d/*)",
            "{type: shell, command: 'test -e go -o {{ item }} != d/b && sed -i s/^/x/ {{ item }}'}",
            "batch_size: 2, ",
        ),
        ("$(cat names)", "{type: shell, command: 'test -e go -o {{ item }} != d/b && echo x >> {{ item }}'}", ""),
        ("{glob: d/*}", &python.replace("BATCHED", "False"), "batch_size: 2, "),
        ("{glob: d/*}", &python.replace("BATCHED", "True"), "batch_size: 1, batched: true, "),
    ] {
        let text = format!(
            "steps:\n  - {{name: work, task: batch, inputs: {{items: {items}, {more}continue_on_error: true, task: {task}}}}}\n"
        );
        let sandbox = Sandbox::with(&text)
            .file("names", "d/a\nd/b\nd/new\n")
            .file("d/a", "1\n")
            .file("d/b", "2\n")
            .file("d/c", "3\n");
        let ended = sandbox.run(&[]).exits_with(1);
        ended.says(&["items changed while their tasks ran; the items are done with the files as they are now"]);
        let marks = |sandbox: &Sandbox| sandbox.read("d/a").matches('x').count();
        assert_eq!(marks(&sandbox), 1, "{items}");
        let sandbox = sandbox.file("go", "");
        let again = sandbox.batchmill(&["resume"]).exits_with(0);
        assert_eq!((marks(&sandbox), sandbox.read("d/b").matches('x').count()), (1, 1), "{items}: {}", again.stderr);
        sandbox.batchmill(&["resume"]).exits_with(0).says(&["0 of 3 items will run"]);
        // Whoever changes it later has it run again.
        let sandbox = sandbox.file("d/a", "another\n");
        sandbox.batchmill(&["resume"]).exits_with(0).says(&["1 of 3 items will run"]);
        assert_eq!(marks(&sandbox), 1, "{items}");
        sandbox.batchmill(&["audit"]).exits_with(0);
    }
}

/// An item that has changed leaves the old one behind, so where nothing is gone, all others are new.
#[test]
fn reasons_tell_new_items_and_how_often_others_have_failed() {
    let workflow = |items: &str| {
        format!(
            "steps:\n  - name: work\n    for_each: {items}\n    continue_on_error: true\n    retry: {{max_attempts: 3, delay: 0}}\n    task: shell\n    inputs: {{command: 'test -e ok || test {{{{ item }}}} != bad'}}\n"
        )
    };
    let sandbox = Sandbox::with(&workflow("[a, bad, c]"));
    sandbox.run(&[]).exits_with(1);
    let why = "1 failed before (3 times)";
    let plan = sandbox.batchmill(&["plan", "workflow.yaml", "--resume"]).stdout;
    assert!(plan.contains(&format!("1 of 3 items will run: {why}\n")), "{plan}");
    let sandbox = sandbox.rewrite(&workflow("[a, bad, c, d]"));
    let plan = sandbox.batchmill(&["plan", "workflow.yaml", "--resume"]).stdout;
    assert!(plan.contains(&format!("2 of 4 items will run: {why}, 1 new\n")), "{plan}");
    let sandbox = sandbox.rewrite(&workflow("[a, bad, x, d]"));
    sandbox.batchmill(&["retry"]).exits_with(1).says(&[why]);
    let sandbox = sandbox.file("ok", "");
    sandbox.resume().exits_with(0).says(&[why, "2 new or changed"]);
}
