//! A run is steered from another process, over the socket in its folder, for each kind of task.

use crate::support::{Answer, Ended, Request, Sandbox, Server, ended};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A task that says that it has begun with an item, and ends once it may go on with it.
const SHELL: &str = "{type: shell, command: 'touch began-{{ item }}; while [ ! -e go ] && [ ! -e go-{{ item }} ]; do sleep 0.02; done; \
                     [ ! -e fails-{{ item }} ]'}";

const PYTHON: &str = "
        type: python
        code: |
          import os, time
          for x in (item if isinstance(item, list) else [item]):
              open(f'began-{x}', 'w').close()
              while not os.path.exists('go') and not os.path.exists(f'go-{x}'): time.sleep(0.02)
              if os.path.exists(f'fails-{x}'): raise ValueError(x)
          return item";

/// A run that waits for files, and the folder it waits in.
struct Steered {
    // Ends before the folder is deleted.
    engine: Engine,
    sandbox: Sandbox,
    _server: Option<Server>,
}

/// An engine that does not outlive a test that fails.
struct Engine(Child);

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Steered {
    fn start(sandbox: Sandbox) -> Self {
        Self::start_with(sandbox, &["run", "workflow.yaml", "--progress", "none"])
    }

    fn start_with(sandbox: Sandbox, arguments: &[&str]) -> Self {
        let mut engine = sandbox.command(arguments);
        let engine = engine.stderr(Stdio::null()).spawn().unwrap();
        Self { sandbox, engine: Engine(engine), _server: None }
    }

    /// A run of one step over so many items, with these settings.
    fn of(task: &str, items: usize, settings: &str) -> Self {
        Self::start(sandbox(task, items, settings))
    }

    fn touch(&self, name: &str) {
        fs::write(self.sandbox.path().join(name), "").unwrap();
    }

    /// Waits until something is so.
    #[track_caller]
    fn until(&mut self, what: &str, is_so: impl Fn(&Sandbox) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_so(&self.sandbox) {
            assert!(self.engine.0.try_wait().unwrap().is_none(), "it ended before {what}");
            assert!(Instant::now() < deadline, "waiting for {what}");
        }
    }

    #[track_caller]
    fn until_begun(&mut self, item: usize) {
        self.until(&format!("item {item} begins"), |sandbox| sandbox.exists(&format!("began-{item}")));
    }

    fn ctl(&self, arguments: &[&str]) -> Ended {
        self.sandbox.batchmill(&[&["ctl"], arguments].concat())
    }

    /// Waits until this line is in what `ctl state` prints.
    #[track_caller]
    fn until_state(&mut self, what: &str) {
        self.until(what, |sandbox| {
            let state = sandbox.batchmill(&["ctl", "state"]);
            state.code == Some(0) && state.stdout.contains(what)
        });
    }

    #[track_caller]
    fn ends_with(mut self, code: i32) -> Sandbox {
        assert_eq!(self.engine.0.wait().unwrap().code(), Some(code));
        self.sandbox
    }
}

fn sandbox(task: &str, items: usize, settings: &str) -> Sandbox {
    Sandbox::with(&format!(
        "steps:\n  - name: load\n    task: batch\n    inputs:\n      items: {{range: {items}}}\n      max_parallel: 2\n\
         {settings}      continue_on_error: true\n      task: {task}\n"
    ))
}

/// The same steered run for each kind of task: six items, each of which waits for its file.
fn of_each_kind() -> Vec<(&'static str, Steered)> {
    let single = "      batch_size: 1\n";
    let mut all = vec![
        ("shell", Steered::of(SHELL, 6, single)),
        ("python", Steered::of(PYTHON, 6, single)),
        ("batches of one", Steered::of(PYTHON, 6, "      batch_size: 1\n      batched: true\n")),
    ];
    let folder = sandbox(SHELL, 6, single);
    let path = folder.path().to_owned();
    let server = Server::start(move |request| wait_for(&path, request));
    let task = format!("{{type: http_request, url: '{}'}}", server.url("/{{ item }}"));
    let mut http = Steered::start(folder.file("workflow.yaml", workflow(&task, 6, single)));
    http._server = Some(server);
    all.push(("http", http));
    all
}

fn workflow(task: &str, items: usize, settings: &str) -> String {
    sandbox(task, items, settings).read("workflow.yaml")
}

/// An answer that comes once its file is there, or once the folder is gone.
fn wait_for(folder: &Path, request: &Request) -> Answer {
    let item = request.url.trim_start_matches('/');
    let _ = fs::write(folder.join(format!("began-{item}")), "");
    while folder.exists() && !folder.join("go").exists() && !folder.join(format!("go-{item}")).exists() {
        std::thread::yield_now();
    }
    (if folder.join(format!("fails-{item}")).exists() { 500 } else { 200 }, vec![], "ok".to_owned())
}

/// Status, items with a result, failed and cancelled items of the step.
fn counts(sandbox: &Sandbox) -> (String, u64, u64, u64) {
    let status = sandbox.batchmill(&["status", "--format", "json"]).exits_with(0).json();
    let (run, stats) = (&status["status"], &status["steps"][0]);
    let count = |name: &str| stats[name].as_u64().unwrap();
    (run.as_str().unwrap().to_owned(), count("succeeded"), count("failed"), count("cancelled"))
}

fn types(sandbox: &Sandbox) -> Vec<(u64, String)> {
    let of = |failure: &Value| (failure["index"].as_u64().unwrap(), failure["type"].as_str().unwrap().to_owned());
    sandbox.failures().iter().map(of).collect()
}

#[test]
#[ignore = "heavy: takes seconds"]
fn an_item_that_runs_is_cancelled_and_one_that_has_not_begun_is_skipped_and_the_others_run() {
    for (kind, mut run) in of_each_kind() {
        run.touch("go-1");
        run.until_begun(0);
        run.until_begun(2);
        run.until_state("load:0");
        run.ctl(&["skip", "load:5"]).exits_with(0);
        run.ctl(&["cancel", "load[0]"]).exits_with(0);
        run.until("it is recorded", |sandbox| counts(sandbox).3 >= 1);
        run.touch("go");
        let sandbox = run.ends_with(1);
        assert_eq!(counts(&sandbox), ("partial".to_owned(), 4, 0, 2), "{kind}");
        assert_eq!(types(&sandbox), [(0, "Cancelled".to_owned()), (5, "Skipped".to_owned())], "{kind}");
        assert!(!sandbox.exists("began-5"), "{kind}");
        sandbox.batchmill(&["audit"]).exits_with(0);
        // They are left alone until they are asked for.
        fs::remove_file(sandbox.path().join("began-0")).unwrap();
        for verb in ["resume", "retry"] {
            sandbox.batchmill(&[verb]).exits_with(1);
            assert_eq!(counts(&sandbox), ("partial".to_owned(), 4, 0, 2), "{kind}, {verb}");
        }
        assert!(!sandbox.exists("began-0"), "{kind}");
        if kind != "http" {
            sandbox
                .batchmill(&["retry", "--cancelled"])
                .exits_with(0)
                .says(&["2 of 6 items will run: 2 cancelled before"]);
            assert_eq!(counts(&sandbox), ("succeeded".to_owned(), 6, 0, 0), "{kind}");
            assert!(sandbox.exists("began-0") && sandbox.exists("began-5"), "{kind}");
        }
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn of_a_batch_the_other_items_run_again_without_the_one_that_is_cancelled() {
    let mut run = Steered::of(PYTHON, 12, "      batch_size: 4\n      batched: true\n");
    run.until_begun(0);
    run.until_begun(4);
    run.until_state("load:0");
    run.ctl(&["skip", "load:10"]).exits_with(0);
    run.ctl(&["cancel", "load:2"]).exits_with(0);
    run.until("it is recorded", |sandbox| counts(sandbox).3 >= 1);
    run.touch("go");
    let sandbox = run.ends_with(1);
    assert_eq!(counts(&sandbox), ("partial".to_owned(), 10, 0, 2));
    let mut results: Vec<u64> = sandbox.results("load").iter().map(|value| value.as_u64().unwrap()).collect();
    results.sort_unstable();
    assert_eq!(results, [0, 1, 3, 4, 5, 6, 7, 8, 9, 11]);
    assert!(!sandbox.exists("began-2") && !sandbox.exists("began-10"));
    sandbox.batchmill(&["retry", "--cancelled"]).exits_with(0);
    assert_eq!(counts(&sandbox), ("succeeded".to_owned(), 12, 0, 0));
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn an_item_that_a_worker_has_got_already_is_skipped_before_it_begins() {
    // Quick items travel together, so the worker has got many more by the time one of them hangs.
    let task = "
        type: python
        code: |
          import os, time
          if item >= 3000: open(f'began-{item}', 'w').close()
          while item == 3000 and not os.path.exists('go'): time.sleep(0.02)
          return item";
    // With one worker, no other one can have got the next item.
    let one_worker = workflow(task, 3300, "").replace("max_parallel: 2", "max_parallel: 1");
    let mut run = Steered::start(Sandbox::with(&one_worker));
    run.until_begun(3000);
    run.until_state("load:3000");
    run.ctl(&["skip", "load:3001"]).exits_with(0);
    run.touch("go");
    let sandbox = run.ends_with(1);
    assert_eq!(counts(&sandbox), ("partial".to_owned(), 3299, 0, 1));
    assert!(!sandbox.exists("began-3001") && sandbox.exists("began-3002"));
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn an_item_that_waits_for_its_retry_is_skipped_at_once() {
    let mut run = Steered::of(SHELL, 2, "      batch_size: 1\n      retry: {max_attempts: 2, delay: 3000s}\n");
    run.touch("fails-0");
    run.touch("go");
    run.until("item 0 has failed", |sandbox| {
        let state = sandbox.batchmill(&["ctl", "state"]);
        sandbox.exists("began-0")
            && sandbox.exists("began-1")
            && state.code == Some(0)
            && !state.stdout.contains("load:0")
            && !state.stdout.contains("load:1")
    });
    run.ctl(&["skip", "load:0"]).exits_with(0);
    let sandbox = run.ends_with(1);
    assert_eq!(counts(&sandbox), ("partial".to_owned(), 1, 0, 1));
}

#[test]
#[ignore = "heavy: takes seconds"]
fn failed_items_run_again_while_the_step_runs() {
    for (kind, mut run) in of_each_kind() {
        run.touch("fails-1");
        run.touch("go-1");
        run.until_begun(0);
        run.until_begun(2);
        run.until("item 1 has failed", |sandbox| counts(sandbox).2 == 1);
        fs::remove_file(run.sandbox.path().join("fails-1")).unwrap();
        let said = run.ctl(&["retry-failed"]).exits_with(0).stdout;
        assert_eq!(said, "running 1 failed item of `load` again\n", "{kind}");
        run.ctl(&["retry-failed"]).exits_with(2).says(&["error: no item of `load` has failed"]);
        run.touch("go");
        let sandbox = run.ends_with(0);
        assert_eq!(counts(&sandbox), ("succeeded".to_owned(), 6, 0, 0), "{kind}");
        sandbox.batchmill(&["audit"]).exits_with(0);
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_paused_run_starts_nothing_until_it_continues() {
    let mut run = Steered::of(SHELL, 4, "      batch_size: 1\n");
    run.until_begun(0);
    run.until_begun(1);
    run.ctl(&["pause"]).exits_with(0);
    run.ctl(&["pause"]).exits_with(2).says(&["error: the run is paused already"]);
    run.touch("go");
    run.until("both are done", |sandbox| counts(sandbox).1 == 2);
    let state = run.ctl(&["state"]).exits_with(0).stdout;
    assert!(state.contains(" is paused\n") && !state.contains("load:2"), "{state}");
    run.until("`status` says so", |sandbox| sandbox.batchmill(&["status"]).stdout.contains(" paused"));
    assert!(!run.sandbox.exists("began-2"));
    run.ctl(&["continue"]).exits_with(0);
    run.ctl(&["continue"]);
    let sandbox = run.ends_with(0);
    assert_eq!(counts(&sandbox).1, 4);
}

#[test]
fn the_width_goes_down_and_up_again() {
    let mut run = Steered::of(SHELL, 6, "      batch_size: 1\n");
    run.until_begun(0);
    run.until_begun(1);
    run.ctl(&["jobs", "3"])
        .exits_with(2)
        .says(&["error: `load` runs at most 2 items at a time", "help: start the run with `-j 3`"]);
    run.ctl(&["jobs", "1"]).exits_with(0);
    run.touch("go-1");
    run.touch("go-0");
    run.until_begun(2);
    let state = run.ctl(&["state"]).exits_with(0).stdout;
    assert!(state.contains("load: up to 1 at a time; at most 2\n"), "{state}");
    // One slot is parked: the other one has to do this item before the next.
    run.touch("go-2");
    run.until_begun(3);
    assert!(!run.sandbox.exists("began-4"));
    run.ctl(&["jobs", "2"]).exits_with(0);
    run.until_begun(4);
    run.touch("go");
    run.ends_with(0);
}

#[test]
fn a_step_that_finds_its_width_itself_keeps_the_one_it_is_given() {
    let sandbox = sandbox(SHELL, 6, "      batch_size: 1\n");
    let text = sandbox.read("workflow.yaml").replace("max_parallel: 2", "max_parallel: auto");
    let mut run = Steered::start(sandbox.file("workflow.yaml", text));
    run.until_begun(0);
    let state = run.ctl(&["state"]).exits_with(0).stdout;
    assert!(state.contains(", chosen by `max_parallel: auto`"), "{state}");
    run.ctl(&["jobs", "1"]).exits_with(0);
    let state = run.ctl(&["state"]).exits_with(0).stdout;
    assert!(state.contains("load: up to 1 at a time; at most"), "{state}");
    run.touch("go");
    run.ends_with(0);
}

#[test]
fn a_run_is_stopped_and_resumed() {
    let mut run = Steered::of(SHELL, 6, "      batch_size: 1\n");
    run.until_begun(1);
    run.until_state("load:0");
    run.ctl(&["stop"]).exits_with(0);
    run.ctl(&["stop"]).exits_with(2).says(&["error: the run is stopping already"]);
    run.touch("go");
    let sandbox = run.ends_with(130);
    let done = counts(&sandbox).1;
    assert!((1..6).contains(&done), "{done}");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(counts(&sandbox), ("succeeded".to_owned(), 6, 0, 0));
}

#[test]
fn a_run_that_is_paused_is_stopped_and_its_closing_steps_run() {
    let sandbox = sandbox(SHELL, 6, "      batch_size: 1\n");
    let text = sandbox.read("workflow.yaml");
    let closing = "finally: {task: shell, inputs: {command: touch closed}}\n";
    let mut run = Steered::start(sandbox.file("workflow.yaml", text + closing));
    run.until_begun(1);
    run.until_state("load:0");
    run.ctl(&["pause"]).exits_with(0);
    run.ctl(&["stop"]).exits_with(0);
    run.touch("go");
    assert!(run.ends_with(130).exists("closed"));
}

#[test]
fn an_incremental_run_takes_cancelled_items_for_new() {
    let mut run = Steered::of(SHELL, 4, "      batch_size: 1\n");
    run.until_begun(1);
    run.until_state("load:0");
    run.ctl(&["skip", "load:3"]).exits_with(0);
    run.ctl(&["cancel", "load:0"]).exits_with(0);
    run.until("it is recorded", |sandbox| counts(sandbox).3 >= 1);
    run.touch("go");
    let sandbox = run.ends_with(1);
    sandbox.run(&["--incremental"]).exits_with(0).says(&["2 of 4 items will run"]);
    assert_eq!(counts(&sandbox), ("succeeded".to_owned(), 4, 0, 0));
}

#[test]
fn what_was_cancelled_before_a_kill_is_left_alone_afterwards() {
    let mut run = Steered::of(SHELL, 4, "      batch_size: 1\n");
    run.until_begun(0);
    run.until_state("load:0");
    run.ctl(&["cancel", "load:0"]).exits_with(0);
    run.until("it is recorded", |sandbox| counts(sandbox).3 >= 1);
    run.engine.0.kill().unwrap();
    run.engine.0.wait().unwrap();
    run.ctl(&["pause"]).exits_with(2).says(&["error: no run is running in `.batchmill`"]);
    let Steered { sandbox, .. } = run;
    let sandbox = sandbox.file("go", "");
    sandbox.has_no_process();
    sandbox.batchmill(&["resume"]).exits_with(1);
    assert_eq!(counts(&sandbox), ("partial".to_owned(), 3, 0, 1));
}

#[test]
fn an_item_that_was_skipped_before_its_turn_is_skipped_however_the_run_ends_and_goes_on() {
    for (ends, code) in [("stop", Some(130)), ("kill", None)] {
        let mut run = Steered::of(SHELL, 6, "      batch_size: 1\n");
        run.until_begun(1);
        run.until_state("load:0");
        run.ctl(&["skip", "load:5"]).exits_with(0);
        if ends == "stop" {
            run.ctl(&["stop"]).exits_with(0);
            run.touch("go");
        } else {
            run.engine.0.kill().unwrap();
        }
        assert_eq!(run.engine.0.wait().unwrap().code(), code);
        let Steered { sandbox, .. } = run;
        let sandbox = sandbox.file("go", "");
        sandbox.has_no_process();
        sandbox.batchmill(&["resume"]).exits_with(1).says(&["load: skipping items 5, as told before"]);
        assert_eq!(counts(&sandbox), ("partial".to_owned(), 5, 0, 1), "{ends}");
        assert!(!sandbox.exists("began-5"));
        // It has an outcome now; what was told before is over.
        sandbox.batchmill(&["retry", "--cancelled"]).exits_with(0);
        assert_eq!(counts(&sandbox), ("succeeded".to_owned(), 6, 0, 0), "{ends}");
    }
}

#[test]
fn an_item_that_was_skipped_before_its_turn_runs_if_the_items_have_changed() {
    let mut run = Steered::of(SHELL, 6, "      batch_size: 1\n");
    run.until_begun(1);
    run.until_state("load:0");
    run.ctl(&["skip", "load:5"]).exits_with(0);
    run.ctl(&["stop"]).exits_with(0);
    run.touch("go");
    let sandbox = run.ends_with(130);
    let text = sandbox.read("workflow.yaml").replace("range: 6", "range: 7");
    let sandbox = sandbox.file("workflow.yaml", text);
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["items 5 were to be skipped, but the items have changed"]);
    assert_eq!(counts(&sandbox), ("succeeded".to_owned(), 7, 0, 0));
}

#[test]
fn what_makes_no_sense_is_refused_with_what_to_do_instead() {
    let mut run = Steered::of(SHELL, 4, "      batch_size: 1\n");
    run.touch("go-0");
    run.until_begun(1);
    run.until_begun(2);
    run.until("item 0 is done", |sandbox| counts(sandbox).1 == 1);
    run.until_state("load:2");
    for (arguments, says) in [
        (&["cancel", "load:0"][..], &["error: item 0 of `load` has succeeded"][..]),
        (
            &["cancel", "load:3"],
            &["error: item 3 of `load` has not begun", "help: leave it out: `batchmill ctl skip load:3`"],
        ),
        (&["skip", "load:2"], &["error: item 2 of `load` is running", "help: end it: `batchmill ctl cancel load:2`"]),
        (&["skip", "load:4"], &["error: `load` has no item 4: it has 4 items, counted from 0"]),
        (&["skip", "other:1"], &["error: `other` is not running; `load` is"]),
        (&["continue"], &["error: the run is not paused"]),
        (&["skip", "load"], &["an item is `STEP:INDEX` or `STEP[INDEX]`"]),
        (&["cancel", "load:x"], &["`x` is not an index; the first item is 0"]),
        (&["jobs", "0"], &["invalid value '0'", "expected a number from 1 up"]),
        (&["pause", "--state-dir", "elsewhere"], &["error: no run is running in `elsewhere`"]),
        (&["dance"], &["requires a subcommand", "pause, continue, jobs"]),
        (&["nosuch", "pause"], &["error: no run `nosuch`"]),
    ] {
        run.ctl(arguments).exits_with(2).says(says);
    }
    run.ctl(&["skip", "load:3"]).exits_with(0);
    run.ctl(&["skip", "load:3"]).exits_with(2).says(&["error: item 3 of `load` is skipped already"]);
    run.touch("go");
    let sandbox = run.ends_with(1);
    sandbox.batchmill(&["ctl", "pause"]).exits_with(2).says(&["help: name its folder with `--state-dir`"]);
    let id = sandbox.batchmill(&["status", "--format", "json"]).json()["run_id"].as_str().unwrap().to_owned();
    sandbox.batchmill(&["ctl", &id, "pause"]).exits_with(2).says(&["is not running", "help: `batchmill status "]);
}

#[test]
fn a_plain_step_has_no_items_to_cancel() {
    let mut run = Steered::start(Sandbox::with(
        "steps:\n  - name: wait\n    task: shell\n    inputs: {command: 'touch began-0; while [ ! -e go ]; do sleep 0.02; done'}\n",
    ));
    run.until_begun(0);
    run.ctl(&["cancel", "wait:0"]).exits_with(2).says(&["error: `wait` has no items: it is one task", "help: `stop`"]);
    run.touch("go");
    run.ends_with(0);
}

#[test]
fn a_run_in_a_deep_folder_is_steered_too() {
    let deep = "state/".repeat(30);
    let sandbox = sandbox(SHELL, 2, "      batch_size: 1\n").env("BATCHMILL_STATE_DIR", deep);
    let mut run = Steered::start(sandbox);
    run.until_begun(0);
    run.until_state("load:0");
    run.ctl(&["cancel", "load:0"]).exits_with(0);
    run.until("it is recorded", |sandbox| counts(sandbox).3 >= 1);
    run.touch("go");
    run.ends_with(1);
}

#[test]
fn a_run_whose_socket_cannot_be_made_goes_on_and_says_so() {
    let sandbox = sandbox(SHELL, 2, "      batch_size: 1\n").file("go", "").file("fails-0", "");
    sandbox.run(&[]).exits_with(1);
    let folder = sandbox.run_folder();
    // As a file system without sockets would: there is no room for one.
    fs::create_dir(folder.join("ctl")).unwrap();
    fs::remove_file(sandbox.path().join("fails-0")).unwrap();
    let sandbox = sandbox.env("XDG_RUNTIME_DIR", "/nonexistent");
    sandbox
        .batchmill(&["retry"])
        .exits_with(0)
        .says(&["`batchmill ctl` cannot reach this run: cannot create its socket"]);
}

#[test]
fn a_run_whose_folder_takes_no_socket_is_steered_over_one_in_the_users_runtime_folder() {
    let sandbox = sandbox(SHELL, 2, "      batch_size: 1\n").file("go", "").file("fails-0", "");
    sandbox.run(&[]).exits_with(1);
    fs::create_dir(sandbox.run_folder().join("ctl")).unwrap();
    for name in ["go", "fails-0", "began-0"] {
        fs::remove_file(sandbox.path().join(name)).unwrap();
    }
    let runtime = sandbox.path().join("runtime");
    fs::create_dir(&runtime).unwrap();
    let sandbox = sandbox.env("XDG_RUNTIME_DIR", runtime.to_str().unwrap());
    let mut run = Steered::start_with(sandbox, &["retry", "--progress", "none"]);
    run.until_begun(0);
    run.until_state("load:0");
    run.ctl(&["cancel", "load:0"]).exits_with(0);
    run.until("it is recorded", |sandbox| counts(sandbox).3 >= 1);
    run.touch("go");
    let sandbox = run.ends_with(1);
    assert_eq!(fs::read_dir(sandbox.path().join("runtime/batchmill")).unwrap().count(), 0, "it is removed");
}

/// What it takes for a process of another user: a test that runs as root.
fn as_nobody(sandbox: &Sandbox, arguments: &[&str]) -> Option<Ended> {
    let plain = sandbox.command(arguments);
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(plain.get_program());
    command.args(plain.get_args()).current_dir(sandbox.path()).env("HOME", "/nonexistent");
    // Otherwise it would not even ask.
    command.env("BATCHMILL_TRUST", sandbox.path());
    rustix::process::geteuid().is_root().then(|| ended(&mut command))
}

#[test]
fn a_process_of_another_user_is_turned_away() {
    let mut run = Steered::of(SHELL, 2, "      batch_size: 1\n");
    run.until_begun(0);
    run.until_state("load:0");
    let id = run.sandbox.batchmill(&["status", "--format", "json"]).json()["run_id"].as_str().unwrap().to_owned();
    let folder = run.sandbox.path().join(".batchmill/runs").join(&id);
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    // The folder keeps others out, then the mode of the socket, then the server.
    folder.ancestors().take(4).collect::<Vec<_>>().into_iter().rev().for_each(|path| open(path, 0o755));
    for says in [
        "error: the run belongs to another user\n  caused by: Permission denied",
        "error: the run belongs to another user\n",
    ] {
        match as_nobody(&run.sandbox, &["ctl", &id, "pause"]) {
            Some(ended) => drop(ended.exits_with(2).says(&[says])),
            None => eprintln!("not tested: only root can become another user"),
        }
        open(&folder.join("ctl"), 0o666);
    }
    let state = run.ctl(&["state"]).exits_with(0).stdout;
    assert!(state.contains(" is running\n"), "{state}");
    run.touch("go");
    run.ends_with(0);
}

#[test]
fn what_was_done_by_hand_is_in_the_report() {
    let mut run = Steered::of(SHELL, 3, "      batch_size: 1\n");
    run.until_begun(0);
    run.until_state("load:0");
    run.ctl(&["pause"]).exits_with(0);
    run.ctl(&["skip", "load:2"]).exits_with(0);
    run.ctl(&["continue"]).exits_with(0);
    run.touch("go");
    let sandbox = run.ends_with(1);
    let report = sandbox.batchmill(&["report", "--format", "json", "-o", "-"]).exits_with(0).json();
    let of =
        |key: &str| report["commands"].as_array().unwrap().iter().map(|it| it[key].to_string()).collect::<Vec<_>>();
    assert_eq!(of("command"), ["\"pause\"", "\"skip load:2\"", "\"continue\""]);
    assert_eq!(of("answer")[1], "\"skipping item 2 of `load`\"");
    assert_eq!(report["steps"][0]["counts"]["cancelled"], 1);
    sandbox.batchmill(&["report", "-o", "report.html"]).exits_with(0);
    let page = sandbox.read("report.html");
    assert!(
        page.contains("What was done by hand") && page.contains("skip load:2") && page.contains("cancelled by hand")
    );
}
