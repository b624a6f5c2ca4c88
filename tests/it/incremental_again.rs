//! The second day of an incremental run, and the third: what was kept is seen by everything that looks at results.

use crate::support::{Ended, Sandbox};
use serde_json::{Value, json};

const WORKFLOW: &str = "
params: {region: {default: us}}
steps:
  - name: work
    task: batch
    inputs:
      items: {glob: 'data/*.txt'}
      max_parallel: 2
      continue_on_error: true
      task: {type: shell, command: 'work {{ item }}'}
      aggregate: {reduce: {count: count}}
    outputs: {path: out.csv}
  - name: next
    for_each: '{{ steps.work.result }}'
    task: shell
    inputs: {command: 'echo {{ item.stdout }} >> next'}
  - name: sum
    task: python
    inputs: {code: 'return sorted(r[\"stdout\"] for r in steps.work.result)'}
";

fn sandbox(count: usize) -> Sandbox {
    let workflow = WORKFLOW.replace("      aggregate: {reduce: {count: count}}\n", "");
    let sandbox = Sandbox::with(&workflow).script("work", "echo $1 >> ran; cat $1; ! grep -q bad $1");
    (0..count).fold(sandbox, |sandbox, number| sandbox.file(&format!("data/{number:03}.txt"), format!("text {number}")))
}

fn take(sandbox: &Sandbox, file: &str) -> Vec<String> {
    let text = if sandbox.exists(file) { sandbox.read(file) } else { String::new() };
    let _ = std::fs::remove_file(sandbox.path().join(file));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn remove(sandbox: &Sandbox, file: &str) {
    std::fs::remove_file(sandbox.path().join(file)).unwrap();
}

fn day(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    sandbox.run(&[&["--incremental"], arguments].concat())
}

/// What a fresh run in a copy of the folder gives: results and the output file.
fn fresh(sandbox: &Sandbox) -> (Vec<Value>, String) {
    let other = Sandbox::new();
    let script = "cp -r \"$1/.\" . && rm -rf .batchmill out.csv next ran";
    let mut copy = std::process::Command::new("sh");
    let copy = copy.args(["-c", script, "sh"]).arg(sandbox.path()).current_dir(other.path());
    assert!(copy.status().unwrap().success());
    other.run(&[]);
    (printed(&other), other.read("out.csv"))
}

/// What the items printed, in item order: the durations differ.
fn printed(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.results("work").into_iter().map(|result| result["stdout"].clone()).collect()
}

fn columns(csv: &str) -> Vec<String> {
    csv.lines().map(|line| line.split(',').next().unwrap_or_default().to_owned()).collect()
}

#[track_caller]
fn is_whole(sandbox: &Sandbox) {
    let (results, output) = fresh(sandbox);
    assert_eq!(printed(sandbox), results);
    assert_eq!(columns(&sandbox.read("out.csv")), columns(&output));
    assert_eq!(sandbox.results("sum")[0].as_array().unwrap().len(), results.len());
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn outputs_results_and_later_steps_see_the_whole_each_day() {
    let sandbox = sandbox(5);
    day(&sandbox, &[]).exits_with(0);
    is_whole(&sandbox);
    assert_eq!((take(&sandbox, "ran").len(), take(&sandbox, "next").len()), (5, 5));
    // Nothing new.
    let ended = day(&sandbox, &[]).exits_with(0).says(&["0 of 5 items will run"]);
    let row = |step: &str| ended.stderr.lines().rfind(|line| line.trim_start().starts_with(step)).unwrap().to_owned();
    let words = |line: &str| line.split_whitespace().take(4).map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!([words(&row("step ")), words(&row("work "))], ["step items ok unchanged", "work 5 5 5"]);
    is_whole(&sandbox);
    assert_eq!((take(&sandbox, "ran").len(), take(&sandbox, "next").len()), (0, 0));
    // A new file, a mended one, a vanished one.
    let sandbox = sandbox.file("data/002.txt", "mended").file("data/900.txt", "new");
    remove(&sandbox, "data/000.txt");
    day(&sandbox, &[]).exits_with(0).says(&["2 of 5 items will run"]);
    is_whole(&sandbox);
    assert_eq!(take(&sandbox, "ran"), ["data/002.txt", "data/900.txt"]);
    assert_eq!(take(&sandbox, "next"), ["mended", "new"]);
    // The run before can go: each holds the whole.
    sandbox.batchmill(&["runs", "clean", "--keep", "1"]).exits_with(0);
    day(&sandbox, &[]).exits_with(0).says(&["0 of 5 items will run"]);
    is_whole(&sandbox);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_bad_night_takes_nothing_away() {
    let sandbox = sandbox(4).file("data/001.txt", "bad");
    day(&sandbox, &[]).exits_with(1);
    take(&sandbox, "ran");
    // The bad one again, and nothing else.
    day(&sandbox, &[]).exits_with(1).says(&["1 of 4 items will run: 1 failed before"]);
    assert_eq!(take(&sandbox, "ran"), ["data/001.txt"]);
    // An unmounted folder.
    std::fs::rename(sandbox.path().join("data"), sandbox.path().join("away")).unwrap();
    let output = sandbox.read("out.csv");
    day(&sandbox, &[]).exits_with(4).says(&["allow_empty: true"]);
    assert_eq!((sandbox.read("out.csv"), printed(&sandbox).len()), (output, 3));
    std::fs::rename(sandbox.path().join("away"), sandbox.path().join("data")).unwrap();
    day(&sandbox, &[]).exits_with(1);
    assert_eq!(take(&sandbox, "ran"), ["data/001.txt"]);
    let sandbox = sandbox.file("data/001.txt", "mended");
    day(&sandbox, &["--max-items", "1"]).exits_with(0);
    assert_eq!((take(&sandbox, "ran"), printed(&sandbox).len()), (vec![], 3), "a limit takes nothing away");
    day(&sandbox, &[]).exits_with(0);
    assert_eq!(take(&sandbox, "ran"), ["data/001.txt"]);
    is_whole(&sandbox);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn ordinary_and_resumed_runs_that_ended_are_baselines_too() {
    let sandbox = sandbox(3);
    sandbox.run(&[]).exits_with(0);
    take(&sandbox, "ran");
    day(&sandbox, &[]).exits_with(0).says(&["0 of 3 items will run"]);
    let sandbox = sandbox.file("data/100.txt", "new");
    sandbox.run(&["--max-items", "2"]).exits_with(0);
    take(&sandbox, "ran");
    day(&sandbox, &[]).exits_with(0).says(&["1 of 4 items will run"]);
    assert_eq!(take(&sandbox, "ran"), ["data/100.txt"], "a limited run is none");
    // A run that stopped, and came to a good end when it was resumed.
    let sandbox = sandbox.file("data/100.txt", "bad");
    sandbox.run(&[]).exits_with(1);
    let sandbox = sandbox.file("data/100.txt", "good");
    sandbox.run(&["--resume"]).exits_with(0);
    take(&sandbox, "ran");
    day(&sandbox, &[]).exits_with(0).says(&["0 of 4 items will run"]);
    is_whole(&sandbox);
}

#[test]
fn each_set_of_parameters_has_a_baseline() {
    let workflow = WORKFLOW.replace("      aggregate: {reduce: {count: count}}\n", "");
    let sandbox =
        Sandbox::with(&workflow.replace("data/*", "data/{{ region }}-*")).script("work", "echo $1 >> ran; cat $1");
    let sandbox = ["us-1", "us-2", "eu-1"]
        .into_iter()
        .fold(sandbox, |sandbox, name| sandbox.file(&format!("data/{name}.txt"), name));
    day(&sandbox, &["region=us"]).exits_with(0);
    day(&sandbox, &["region=eu"]).exits_with(0);
    assert_eq!(take(&sandbox, "ran").len(), 3);
    for region in ["us", "eu", "us"] {
        day(&sandbox, &[&format!("region={region}")]).exits_with(0).says(&["0 of"]);
    }
    assert_eq!((take(&sandbox, "ran"), printed(&sandbox)), (vec![], vec![json!("us-1"), json!("us-2")]));
}

#[test]
fn an_output_that_is_missing_or_was_edited_is_written_again_and_another_is_left_alone() {
    let sandbox = sandbox(3);
    day(&sandbox, &[]).exits_with(0);
    let written = sandbox.read("out.csv");
    let state = |sandbox: &Sandbox| std::fs::metadata(sandbox.path().join("out.csv")).unwrap().modified().unwrap();
    let before = state(&sandbox);
    day(&sandbox, &[]).exits_with(0);
    assert_eq!(state(&sandbox), before, "it is as it was");
    take(&sandbox, "ran");
    remove(&sandbox, "out.csv");
    day(&sandbox, &[]).exits_with(0);
    assert_eq!(sandbox.read("out.csv"), written);
    let sandbox = sandbox.file("out.csv", "edited");
    day(&sandbox, &[]).exits_with(0);
    assert_eq!(sandbox.read("out.csv"), written);
    let sandbox = sandbox.file("out.csv", "edited");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!((sandbox.read("out.csv"), take(&sandbox, "ran")), (written, vec![]));
}

#[test]
fn only_new_results_are_asked_for_by_name() {
    let workflow = "
steps:
  - name: work
    for_each: {glob: 'data/*'}
    task: python
    inputs: {code: 'return {\"name\": item}'}
    outputs: {path: new.csv, only_new: true}
";
    let sandbox = Sandbox::with(workflow).file("data/a", "").file("data/b", "");
    day(&sandbox, &[]).exits_with(0);
    assert_eq!(sandbox.read("new.csv"), "name\ndata/a\ndata/b\n");
    let sandbox = sandbox.file("data/c", "");
    day(&sandbox, &[]).exits_with(0);
    assert_eq!(sandbox.read("new.csv"), "name\ndata/c\n");
    assert_eq!(sandbox.results("work").len(), 3);
    let twice = "steps: {a: {type: echo, inputs: {message: 1}, outputs: {only_new: true}}}";
    Sandbox::with(twice).run(&[]).exits_with(2).says(&["`only_new` requires `path`"]);
}

#[test]
fn no_items_are_a_success_where_they_are_allowed() {
    let workflow = |allow: &str| {
        format!(
            "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: {{glob: 'd/*'}}\n{allow}      task: {{type: shell, command: 'cat {{{{ item }}}}'}}\n    outputs: {{path: out.jsonl}}\n"
        )
    };
    let sandbox = Sandbox::with(&workflow(""));
    sandbox.run(&[]).exits_with(4);
    sandbox.run(&["--resume"]).exits_with(4);
    let sandbox = sandbox.file("workflow.yaml", workflow("      allow_empty: true\n"));
    sandbox.run(&[]).exits_with(0);
    let sandbox = sandbox.file("d/a", "x");
    day(&sandbox, &[]).exits_with(0);
    remove(&sandbox, "d/a");
    day(&sandbox, &[]).exits_with(0);
    assert_eq!((sandbox.results("work").len(), sandbox.read("out.jsonl")), (0, String::new()));
    let wrong = workflow("      allow_empty: maybe\n");
    Sandbox::with(&wrong).run(&[]).exits_with(2).says(&["`allow_empty`", "`true` or `false`"]);
}

#[test]
fn a_plain_step_that_gives_something_else_reaches_the_batch_that_reads_it() {
    let workflow = "
params: {v: {default: 1}}
steps:
  - {name: a, task: echo, inputs: {message: '{{ v }}'}}
  - name: b
    for_each: [x, y]
    task: shell
    inputs: {command: 'echo {{ item }} {{ steps.a.result }}'}
";
    let sandbox = Sandbox::with(workflow);
    day(&sandbox, &["v=1"]).exits_with(0);
    day(&sandbox, &["v=2"]).exits_with(0).says(&["step `a` has new results"]);
    assert_eq!(sandbox.results("b")[0]["stdout"], "x 2");
    day(&sandbox, &["v=1"]).exits_with(0).says(&["0 of 2 items will run"]);
    assert_eq!(sandbox.results("b")[0]["stdout"], "x 1");
}

#[test]
fn much_that_vanishes_is_not_carried_along() {
    let workflow = "
steps:
  - name: work
    for_each: {glob: 'd/*'}
    task: python
    inputs: {code: 'return [item, \"x\" * 10000]'}
";
    let sandbox = (0..20).fold(Sandbox::with(workflow), |sandbox, number| sandbox.file(&format!("d/{number:02}"), ""));
    day(&sandbox, &[]).exits_with(0);
    (0..18).for_each(|number| remove(&sandbox, &format!("d/{number:02}")));
    day(&sandbox, &[]).exits_with(0);
    day(&sandbox, &[]).exits_with(0).says(&["0 of 2 items will run"]);
    let runs = std::fs::read_dir(sandbox.path().join(".batchmill/runs")).unwrap().map(|entry| entry.unwrap().path());
    let sizes: Vec<u64> = runs.map(|run| std::fs::metadata(run.join("results/work.jsonl")).unwrap().len()).collect();
    assert!(sizes.iter().any(|size| *size < 60_000), "{sizes:?}");
    assert_eq!(sandbox.results("work")[0][0], "d/18");
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn what_is_left_between_much_that_vanished_is_carried_along() {
    let workflow = "
steps:
  - name: work
    for_each: {glob: 'd/*'}
    task: shell
    inputs: {command: 'cat {{ item }}; head -c 5000 /dev/zero | tr \\\\0 x'}
";
    let file = |number: usize| format!("d/{number:02}");
    let sandbox = (0..30).fold(Sandbox::with(workflow), |sandbox, number| sandbox.file(&file(number), file(number)));
    day(&sandbox, &[]).exits_with(0);
    let left = [3, 4, 11, 12, 20, 29];
    (0..30).filter(|number| !left.contains(number)).for_each(|number| remove(&sandbox, &file(number)));
    for _ in 0..2 {
        day(&sandbox, &[]).exits_with(0).says(&["0 of 6 items will run"]);
        let results = sandbox.results("work");
        let found: Vec<&str> = results.iter().map(|result| &result["stdout"].as_str().unwrap()[..4]).collect();
        assert_eq!(found, left.map(file));
        sandbox.batchmill(&["audit"]).exits_with(0);
    }
}

#[test]
fn files_of_items_are_kept_with_their_claims() {
    let workflow = "
steps:
  - name: work
    for_each: {glob: 'd/*'}
    continue_on_error: true
    task: shell
    inputs: {command: 'cat {{ item }} > {{ item_dir }}/$(cat {{ item }}).out'}
    outputs: {item_files: out}
";
    let sandbox = Sandbox::with(workflow).file("d/1", "a").file("d/2", "b");
    day(&sandbox, &[]).exits_with(0);
    // A new item that wants the file of one that was kept.
    let sandbox = sandbox.file("d/3", "a");
    day(&sandbox, &[]).exits_with(1);
    assert_eq!((sandbox.read("out/a.out"), sandbox.failures().len()), ("a".to_owned(), 1));
}

fn runs(sandbox: &Sandbox) -> usize {
    std::fs::read_dir(sandbox.path().join(".batchmill/runs")).unwrap().count()
}

#[test]
fn old_runs_that_succeeded_are_deleted_and_the_others_kept() {
    let workflow = |keep: &str| {
        format!(
            "{keep}steps:\n  - name: work\n    for_each: {{glob: 'd/*'}}\n    continue_on_error: true\n    task: shell\n    inputs: {{command: '! grep bad {{{{ item }}}}'}}\n"
        )
    };
    let sandbox = Sandbox::with(&workflow("keep_runs: 2\n")).file("d/a", "bad");
    day(&sandbox, &[]).exits_with(1);
    let sandbox = sandbox.file("d/a", "good");
    for _ in 0..2 {
        day(&sandbox, &[]).exits_with(0);
    }
    assert_eq!(runs(&sandbox), 3);
    day(&sandbox, &[]).exits_with(0).says(&["deleted old runs, keeping the latest 2: "]);
    sandbox.run(&[]).exits_with(0).says(&["deleted old runs"]);
    assert_eq!(runs(&sandbox), 3, "two good ones, and the one with a failure");
    sandbox.run(&["x=1"]).exits_with(0);
    assert_eq!(runs(&sandbox), 4, "other parameters");
    day(&sandbox, &[]).exits_with(0).says(&["0 of 1 items will run"]);
    for wrong in ["0", "-1", "many", "1.5"] {
        Sandbox::with(&workflow(&format!("keep_runs: {wrong}\n"))).run(&[]).exits_with(2).says(&["`keep_runs`"]);
    }
}

#[test]
fn cleaning_says_what_will_run_again() {
    let sandbox = sandbox(3);
    day(&sandbox, &[]).exits_with(0);
    day(&sandbox, &[]).exits_with(0);
    let ended = sandbox.batchmill(&["runs", "clean", "--keep", "1"]).exits_with(0);
    assert!(!ended.stderr.contains("runs again"), "{}", ended.stderr);
    sandbox
        .batchmill(&["runs", "clean", "--keep", "0"])
        .exits_with(0)
        .says(&["held the results of", "will run them again"]);
    day(&sandbox, &[]).exits_with(0);
    assert_eq!(take(&sandbox, "ran").len(), 6);
}

#[test]
fn a_file_of_an_item_that_is_missing_or_was_edited_is_made_again() {
    let workflow = |more: &str| {
        format!(
            "steps:\n  - name: work\n    for_each: {{glob: 'd/*'}}\n    task: shell\n    inputs: {{command: 'echo $(basename {{{{ item }}}}) >> ran; cat {{{{ item }}}} > {{{{ item_dir }}}}/$(basename {{{{ item }}}}).out'}}\n    outputs: {{item_files: out{more}}}\n"
        )
    };
    for again in [&["resume"][..], &["run", "workflow.yaml", "--incremental"]] {
        let sandbox = Sandbox::with(&workflow("")).file("d/a", "1").file("d/b", "2").file("d/c", "3");
        day(&sandbox, &[]).exits_with(0);
        take(&sandbox, "ran");
        remove(&sandbox, "out/a.out");
        let sandbox = sandbox.file("out/b.out", "edited");
        sandbox.batchmill(again).exits_with(0).says(&["2 of 3 items will run: 2 with missing or edited files"]);
        assert_eq!(take(&sandbox, "ran"), ["a", "b"]);
        assert_eq!((sandbox.read("out/a.out"), sandbox.read("out/b.out")), ("1".to_owned(), "2".to_owned()));
        sandbox.batchmill(again).exits_with(0).says(&["0 of 3 items will run"]);
        remove(&sandbox, "out/a.out");
        let sandbox = sandbox.file("workflow.yaml", workflow(", on_missing: ignore"));
        sandbox.batchmill(again).exits_with(0).says(&["0 of 3 items will run"]);
    }
    for items in ["", "for_each: [1], "] {
        let useless = format!(
            "steps:\n  - {{name: a, {items}task: echo, inputs: {{message: a}}, outputs: {{on_missing: run}}}}\n"
        );
        let ended = Sandbox::with(&useless).run(&[]).exits_with(2);
        ended.says(&["`on_missing` has no effect, because the items of the step make no files", "help: remove it"]);
    }
    let wrong = workflow(", on_missing: cry");
    Sandbox::with(&wrong).run(&[]).exits_with(2).says(&["`on_missing`", "`run`", "`ignore`"]);
}

#[test]
fn a_plan_says_what_an_incremental_run_would_run() {
    let sandbox = sandbox(3);
    let plan = |sandbox: &Sandbox| sandbox.batchmill(&["plan", "workflow.yaml", "--incremental"]).exits_with(0);
    assert!(plan(&sandbox).stderr.contains("everything would run"));
    day(&sandbox, &[]).exits_with(0);
    let sandbox = sandbox.file("data/900.txt", "new");
    assert!(plan(&sandbox).stdout.contains("work: 1 of 4 items will run: 1 new\n"), "{}", plan(&sandbox).stdout);
    let dry = sandbox.run(&["--incremental", "--dry-run"]).exits_with(0);
    assert_eq!(dry.stdout, plan(&sandbox).stdout);
    assert_eq!((take(&sandbox, "ran").len(), runs(&sandbox)), (3, 1), "nothing ran");
}

#[test]
fn a_step_that_is_gone_or_has_another_name_is_said() {
    let sandbox = sandbox(2);
    sandbox.run(&[]).exits_with(0);
    let workflow = sandbox.read("workflow.yaml").replace("name: sum", "name: total");
    let sandbox = sandbox.file("workflow.yaml", format!("# edited\n{workflow}"));
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["no longer has step `sum`", "0 of 2 items will run"]);
    assert_eq!(sandbox.results("total").len(), 1);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_run_that_was_refused_beside_another_one_is_not_built_on() {
    let sandbox = sandbox(2).script("work", "echo $1 >> ran; while test -e hold; do sleep 0.01; done; cat $1");
    day(&sandbox, &[]).exits_with(0);
    let sandbox = sandbox.file("data/100.txt", "new").file("hold", "");
    let first = sandbox.run_until(&["--incremental"], "step work");
    for _ in 0..2 {
        day(&sandbox, &[]).exits_with(2).says(&["another run is writing to `out.csv`"]);
    }
    remove(&sandbox, "hold");
    assert_eq!(first.ends_with(), Some(0));
    // Nor is it the latest run: it has never begun.
    assert_eq!(sandbox.batchmill(&["runs"]).stdout.lines().count(), 5);
    let latest = sandbox.batchmill(&["results", "--step", "work"]).exits_with(0);
    assert_eq!(latest.stdout.lines().count(), 3);
    latest.says(&["note: ignoring run", "which was refused because another run was writing to its output"]);
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["0 of 3 items will run"]);
    sandbox.run(&["--resume"]).exits_with(0).says(&["0 of 3 items will run"]);
    take(&sandbox, "ran");
    day(&sandbox, &[]).exits_with(0).says(&["0 of 3 items will run"]);
    assert_eq!(take(&sandbox, "ran"), [""; 0]);
    is_whole(&sandbox);
}
