//! What a result depends on: a resumed run gives what a fresh one would, whichever way a task looks at things.

use crate::support::Sandbox;

/// Two items, each of which a task makes something of.
fn work(task: &str) -> String {
    format!("steps:\n  - name: work\n    for_each: [a, b]\n{task}")
}

fn shell(command: &str) -> String {
    work(&format!("    task: shell\n    inputs: {{command: {command:?}}}\n"))
}

fn python(code: &str) -> String {
    work(&format!("    task: python\n    inputs: {{code: {code:?}}}\n"))
}

/// Whether a resume says that nothing runs.
#[track_caller]
fn runs_again(sandbox: &Sandbox, expected: bool, about: &str) {
    let ended = sandbox.batchmill(&["resume"]).exits_with(0);
    let nothing = ended.stderr.contains("0 of 2 items will run");
    assert_eq!(!nothing, expected, "{about}\n{}", ended.stderr);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_variable_of_the_environment_counts_where_its_name_stands_in_the_task() {
    let tasks = [
        python("import os; return os.environ['SOME_X']"),
        python("import os; return os.getenv('SOME_X')"),
        python("return env['SOME_X']"),
        python("return env.get('SOME_X')"),
        python("return getattr(env, 'SOME_X')"),
        python("return env.SOME_X"),
        shell("echo $SOME_X"),
        shell("echo ${SOME_X:-none}"),
        shell("printenv SOME_X"),
        shell("echo {{ env['SOME_X'] }}"),
        shell("echo {{ env.SOME_X }}"),
    ];
    for task in tasks {
        let sandbox = Sandbox::with(&task).env("SOME_X", "1");
        sandbox.run(&[]).exits_with(0);
        runs_again(&sandbox, false, &task);
        let sandbox = sandbox.env("OTHER_X", "1");
        runs_again(&sandbox, false, &task);
        let sandbox = sandbox.env("SOME_X", "2");
        runs_again(&sandbox, true, &task);
        runs_again(&sandbox, false, &task);
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn results_of_earlier_steps_count_however_they_are_reached() {
    for code in [
        "return steps.first.result",
        "return steps['first'].result",
        "return [s.result for s in steps.values()]",
        "return dict(steps)['first'].result",
        "return steps['fi' + 'rst'].result",
        "name = 'first'; return steps[name].result",
        "return globals()['ste' + 'ps']['first'].result",
        "return eval('st' + 'eps').first.result",
        "s = steps; return s.first.result",
        "return value_of_first",
    ] {
        let workflow = |value: u8| {
            format!(
                "steps:\n  - {{name: first, task: echo, inputs: {{message: {value}}}, outputs: value_of_first}}\n{}",
                python(code).replace("steps:\n", "")
            )
        };
        let sandbox = Sandbox::with(&workflow(1));
        // Some of these do not run at all, which is as good.
        sandbox.run(&[]);
        let sandbox = sandbox.file("workflow.yaml", workflow(2));
        let ended = sandbox.batchmill(&["resume"]);
        assert!(!ended.stderr.contains("0 of 2 items will run"), "{code}\n{}", ended.stderr);
    }
    let template = |value: u8| {
        format!(
            "steps:\n  - {{name: first, task: echo, inputs: {{message: {value}}}}}\n{}",
            shell("echo {% for s in steps %}{{ steps[s].result }}{% endfor %}").replace("steps:\n", "")
        )
    };
    let sandbox = Sandbox::with(&template(1));
    sandbox.run(&[]).exits_with(0);
    let sandbox = sandbox.file("workflow.yaml", template(2));
    runs_again(&sandbox, true, "a loop in a template");
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_reordered_list_runs_again_where_the_task_looks_at_the_place_of_an_item() {
    let looking = [
        shell("echo {{ index }}"),
        shell("echo $BATCHMILL_INDEX"),
        shell("echo {{ batch.total }}"),
        python("return index"),
        python("return batch.index"),
        python("return globals()['in' + 'dex']"),
    ];
    for (task, looks) in looking.into_iter().map(|task| (task, true)).chain([
        (shell("echo {{ item }}"), false),
        (python("return df_index.index if False else item"), false),
        (python("return item.index('a') if False else item"), false),
    ]) {
        let sandbox = Sandbox::with(&task);
        sandbox.run(&[]);
        let sandbox = sandbox.file("workflow.yaml", task.replace("[a, b]", "[b, a]"));
        let ended = sandbox.batchmill(&["resume"]);
        assert_eq!(!ended.stderr.contains("0 of 2 items will run"), looks, "{task}\n{}", ended.stderr);
    }
}

#[test]
fn an_item_in_front_of_the_list_does_not_overwrite_what_another_wrote_by_its_index() {
    let workflow = |items: &str| {
        format!(
            "steps:\n  - name: work\n    for_each: {items}\n    continue_on_error: true\n    task: shell\n    inputs: {{command: 'echo {{{{ index }}}}:{{{{ item }}}} > out-{{{{ index }}}}; [ {{{{ item }}}} != c -o -e go ]'}}\n"
        )
    };
    let sandbox = Sandbox::with(&workflow("[b, c]"));
    sandbox.run(&[]).exits_with(1);
    let sandbox = sandbox.file("go", "").file("workflow.yaml", workflow("[a, b, c]"));
    sandbox.batchmill(&["resume"]).exits_with(0);
    let written: Vec<String> = (0..3).map(|index| sandbox.read(&format!("out-{index}"))).collect();
    assert_eq!(written, ["0:a\n", "1:b\n", "2:c\n"]);
}

#[test]
fn batches_stay_as_they_were_cut_unless_the_task_looks_at_them() {
    let workflow = |size: usize, code: &str| {
        format!(
            "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: [{{n: 1}}, {{n: 2}}, {{n: 3}}, {{n: 4}}]\n      batch_size: {size}\n      task: {{type: python, code: {code:?}}}\n"
        )
    };
    for (code, again) in [("return [r['n'] for r in item]", false), ("return [batch.size for r in item]", true)] {
        let sandbox = Sandbox::with(&workflow(2, code));
        sandbox.run(&[]).exits_with(0);
        let sandbox = sandbox.file("workflow.yaml", workflow(4, code));
        let ended = sandbox.batchmill(&["resume"]).exits_with(0);
        assert_eq!(!ended.stderr.contains("0 of 4 items will run"), again, "{}", ended.stderr);
        // New items form batches of their own.
        let more = workflow(4, code).replace("{n: 4}]", "{n: 4}, {n: 5}]");
        let sandbox = sandbox.file("workflow.yaml", more);
        let ended = sandbox.batchmill(&["resume"]).exits_with(0);
        assert!(again || ended.stderr.contains("1 of 5 items will run"), "{}", ended.stderr);
        sandbox.batchmill(&["audit"]).exits_with(0);
    }
}

#[test]
fn the_name_of_the_run_and_the_version_of_python_count_where_they_are_seen() {
    let named = |name: &str| format!("name: {name}\n{}", shell("echo {{ run.name }}"));
    let sandbox = Sandbox::with(&named("one"));
    sandbox.run(&[]).exits_with(0);
    let sandbox = sandbox.file("workflow.yaml", named("two"));
    runs_again(&sandbox, true, "run.name");
    let unseen = |name: &str| format!("name: {name}\n{}", shell("echo {{ item }}"));
    let sandbox = Sandbox::with(&unseen("one"));
    sandbox.run(&[]).exits_with(0);
    let sandbox = sandbox.file("workflow.yaml", unseen("two"));
    runs_again(&sandbox, false, "a name that nobody sees");
}

#[test]
fn types_that_were_inferred_from_other_files_count() {
    let workflow = "
steps:
  - name: work
    for_each: {csv: 'd/*.csv', types: infer}
    task: python
    inputs: {code: 'return item[\"v\"]'}
";
    let sandbox = Sandbox::with(workflow).file("d/b.csv", "v\n1\n20\n");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [1, 20]);
    let sandbox = sandbox.file("d/a.csv", "v\n1010\nx\n");
    sandbox.batchmill(&["resume"]).exits_with(0);
    let (resumed, fresh) = (sandbox.results("work"), Sandbox::with(workflow));
    let fresh = fresh.file("d/b.csv", "v\n1\n20\n").file("d/a.csv", "v\n1010\nx\n");
    fresh.run(&[]).exits_with(0);
    assert_eq!(resumed, fresh.results("work"));
}

#[test]
fn a_secret_that_is_another_one_now_counts_and_is_kept_nowhere() {
    let workflow = "secrets: [key]\nsteps:\n  - name: work\n    for_each: [a, b]\n    task: shell\n    inputs: {command: 'echo {{ key }} | tr a-z n-za-m'}\n";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&["key=abcdefgh"]).exits_with(0);
    let ended = sandbox.batchmill(&["resume", "latest", "key=ijklmnop"]).exits_with(0);
    ended.says(&["`params.key` changed"]);
    assert_eq!(sandbox.results("work")[0]["stdout"], "vwxyzabc");
    let written = sandbox.everything_written("");
    assert!(!written.contains("abcdefgh") && !written.contains("ijklmnop"));
}

#[test]
#[ignore = "heavy: takes seconds"]
fn lists_and_mappings_without_elements_are_not_the_same() {
    for (one, other) in [("[]", "{}"), ("[1, [2]]", "[1, 2, []]"), ("null", "'null'"), ("1", "'1'"), ("'a'", "'a '")] {
        let workflow =
            |value: &str| work(&format!("    task: python\n    inputs: {{code: return value, value: {value}}}\n"));
        let sandbox = Sandbox::with(&workflow(one));
        sandbox.run(&[]).exits_with(0);
        let sandbox = sandbox.file("workflow.yaml", workflow(other));
        runs_again(&sandbox, true, other);
    }
}
