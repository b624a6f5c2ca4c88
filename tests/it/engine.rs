//! Batches, slots, retries, failures.

use crate::support::Sandbox;
use serde_json::{Value, json};

/// Each item appends a line when it begins and when it ends; `mark` is atomic, being one short write in append mode.
const MARK: &str = "echo \"begin $1\" >> marks; while [ ! -e go ]; do :; done; echo \"end $1\" >> marks";

fn most_at_once(marks: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for line in marks.lines() {
        if line.starts_with("begin") {
            now += 1
        } else {
            now -= 1
        }
        most = most.max(now);
    }
    most
}

fn slots(settings: &str, items: u32) -> usize {
    let workflow = format!(
        "steps:\n  - name: mark\n    task: batch\n    inputs:\n      items: {{range: {items}}}\n{settings}      task:\n        \
         type: shell\n        command: \"mark {{{{ item }}}}\"\n"
    );
    // Waiting for nothing: every item ends at once, and how many overlap is seen from the order of the marks.
    let sandbox = Sandbox::with(&workflow).script("mark", MARK).file("go", "");
    sandbox.run(&[]).exits_with(0);
    most_at_once(&sandbox.read("marks"))
}

/// A step of items that wait, which finds its width itself.
const AUTO: &str = "
steps:
  - name: wait
    task: batch
    inputs:
      items: {range: 600}
      max_parallel: auto
      task:
        type: python
        setup: import time
        code: |
          time.sleep(0.02)
          return item
";

#[test]
#[ignore = "heavy: takes seconds"]
fn a_step_that_waits_finds_more_workers_than_cores() {
    let sandbox = Sandbox::with(AUTO);
    let plan = sandbox.batchmill(&["plan", "workflow.yaml"]).exits_with(0).stdout;
    assert!(plan.contains("600 items in 600 batches of 1, up to") && plan.contains("found as it runs"), "{plan}");
    let ended = sandbox.run(&["--progress", "json"]).exits_with(0);
    let events: Vec<Value> = ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let started = events.iter().find(|event| event["event"] == "step_started").unwrap();
    let first = started["workers"].as_u64().unwrap();
    let text = |event: &Value| event["text"].as_str().unwrap_or_default().to_owned();
    let found = events.iter().map(text).find(|text| text.starts_with("`max_parallel: auto` chose")).unwrap();
    let chosen: u64 = found.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!(chosen > first, "{first}: {found}");
    // It is in the record, too.
    let report = sandbox.batchmill(&["report", "--format", "json", "--output", "-"]).exits_with(0).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["steps"][0]["chosen_width"], found.as_str());
    let results = sandbox.batchmill(&["results", "--step", "wait"]).stdout;
    assert_eq!(results.lines().count(), 600);
    sandbox.has_no_process();
}

#[test]
#[ignore = "heavy: takes seconds"]
fn jobs_bound_a_width_that_is_found() {
    let sandbox = Sandbox::with(&AUTO.replace("600", "60"));
    let ended = sandbox.run(&["--jobs", "1", "--progress", "json"]).exits_with(0);
    let events = ended.stderr.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let workers: Vec<u64> = events.filter_map(|event| event["workers"].as_u64()).collect();
    assert!(!workers.is_empty() && workers.iter().all(|count| *count == 1), "{workers:?}");
}

#[test]
fn concurrency_never_exceeds_max_parallel() {
    assert_eq!(slots("", 20), 1);
    assert_eq!(slots("      parallel: false\n      max_parallel: 4\n", 20), 1);
    assert!(slots("      max_parallel: 3\n", 60) <= 3);
    assert!(slots("      parallel: true\n      max_parallel: 2\n      batch_size: 3\n", 60) <= 2);
}

#[test]
fn concurrency_reaches_max_parallel() {
    // Four items that wait for each other end only if four run side by side.
    let meet = "touch here.$1; while [ \"$(ls here.* | wc -l)\" -lt 4 ]; do :; done";
    let workflow = "
steps:
  - name: meet
    task: batch
    inputs:
      items: {range: 4}
      max_parallel: 4
      timeout: 60
      task: {type: shell, command: 'meet {{ item }}'}
";
    Sandbox::with(workflow).script("meet", meet).run(&[]).exits_with(0);
}

#[test]
fn a_slow_batch_holds_nobody_else_up() {
    // Item 0 waits until the last item has ended: with a barrier between batches it would wait for ever.
    let workflow = "
steps:
  - name: wait
    task: batch
    inputs:
      items: {range: 40}
      batch_size: 2
      max_parallel: 2
      timeout: 60
      task: {type: shell, command: 'step {{ item }}'}
";
    let step = "if [ $1 = 0 ]; then while [ ! -e last ]; do :; done; fi; if [ $1 = 39 ]; then touch last; fi";
    Sandbox::with(workflow).script("step", step).run(&[]).exits_with(0);
}

#[test]
fn results_are_in_item_order_whatever_the_order_of_completion() {
    let workflow = "
steps:
  - name: order
    task: batch
    inputs:
      items: {range: 30}
      max_parallel: 3
      batch_size: 4
      continue_on_error: true
      retry: {max_attempts: 2, delay: 0}
      task: {type: shell, command: 'flaky {{ item }}'}
";
    // Every third item fails once, every tenth always.
    let flaky = "[ $(($1 % 10)) = 9 ] && exit 9
if [ $(($1 % 3)) = 0 ] && [ ! -e seen.$1 ]; then touch seen.$1; exit 1; fi
echo $1";
    let sandbox = Sandbox::with(workflow).script("flaky", flaky);
    sandbox.run(&[]).exits_with(1);
    let said: Vec<i64> =
        sandbox.results("order").iter().map(|result| result["stdout"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(said, (0..30).filter(|item| item % 10 != 9).collect::<Vec<_>>());
    let failures = sandbox.failures();
    let failed: Vec<(i64, i64)> =
        failures.iter().map(|it| (it["index"].as_i64().unwrap(), it["attempts"].as_i64().unwrap())).collect();
    assert_eq!(failed, [(9, 2), (19, 2), (29, 2)]);
}

const FAILING: &str = "
steps:
  - name: work
    task: batch
    inputs:
      items: {range: 12}
      batch_size: 4
      continue_on_error: CONTINUE
      task: {type: shell, command: 'work {{ item }}'}
  - name: after
    task: echo
    inputs: {message: 'after {{ steps.work.stats.failed }} failed'}
";

#[test]
fn a_failure_stops_the_run_unless_it_goes_on_on_errors() {
    let work = "echo $1 >> ran; [ $1 != 5 ]";
    let stops = Sandbox::with(&FAILING.replace("CONTINUE", "false")).script("work", work);
    stops
        .run(&[])
        .exits_with(3)
        .says(&["work[5] failed: ExitStatus: command exited with status 1", "batchmill failures"]);
    assert_eq!(stops.read("ran"), "0\n1\n2\n3\n4\n5\n");
    let goes_on = Sandbox::with(&FAILING.replace("CONTINUE", "true")).script("work", work);
    goes_on.run(&[]).exits_with(1).says(&["after: after 1 failed"]);
    assert_eq!(goes_on.read("ran").lines().count(), 12);
}

#[test]
fn every_item_is_counted_exactly_once() {
    let sandbox = Sandbox::with(&FAILING.replace("CONTINUE", "false")).script("work", "[ $1 != 5 ]");
    let ended = sandbox.run(&["--format", "json", "--progress", "none"]).exits_with(3);
    let stats = &ended.json()["steps"]["work"]["stats"];
    let counts = ["total", "succeeded", "failed", "skipped", "retried"].map(|name| stats[name].as_u64().unwrap());
    assert_eq!(counts, [12, 5, 1, 6, 0]);
}

#[test]
fn only_the_items_that_failed_are_tried_again() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: [a, b, c, d]
      batch_size: 4
      retry: {max_attempts: 3, delay: 0}
      task: {type: shell, command: 'work {{ item }} {{ batch.attempt }}'}
";
    let work = "echo $1 $2 >> ran; [ $1 != b ] || [ $2 = 3 ]";
    let sandbox = Sandbox::with(workflow).script("work", work);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.read("ran"), "a 1\nb 1\nc 1\nd 1\nb 2\nb 3\n");
}

#[test]
fn retry_of_the_task_wins_over_retry_of_the_step() {
    let workflow = "
steps:
  - name: work
    task: batch
    retry: {max_attempts: 5, delay: 0}
    inputs:
      items: [a]
      retry: {max_attempts: 4, delay: 0}
      task: {type: shell, command: 'work', retry: {max_attempts: 2, delay: 0}}
";
    let sandbox = Sandbox::with(workflow).script("work", "echo >> ran; exit 1");
    sandbox.run(&[]).exits_with(3);
    assert_eq!(sandbox.read("ran").lines().count(), 2);
}

#[test]
fn on_item_error_runs_once_per_failed_item_and_never_hides_the_failure() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: [a, b, c]
      continue_on_error: true
      retry: {max_attempts: 2, delay: 0}
      on_item_error: {type: shell, command: 'note {{ item }} {{ error.type }} {{ error.attempts }}'}
      task: {type: shell, command: '[ {{ item }} = a ]'}
";
    let sandbox =
        Sandbox::with(workflow).script("note", "echo \"$@\" >> notes; [ $1 = b ] || { echo oh >&2; exit 5; }");
    sandbox
        .run(&[])
        .exits_with(1)
        .says(&["work[2] (c) failed after 2 attempts: ExitStatus: command exited with status 1"]);
    assert_eq!(sandbox.read("notes"), "b ExitStatus 2\nc ExitStatus 2\n");
    let handlers: Vec<Value> = sandbox.failures().iter().map(|failure| failure["on_item_error"].clone()).collect();
    assert_eq!(handlers, [json!(null), json!("command exited with status 5: oh")]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_timeout_ends_the_whole_process_tree_of_its_item_alone() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: [quick, slow, quick]
      batch_size: 3
      continue_on_error: true
      timeout: 1500ms
      task: {type: shell, command: 'work {{ item }}'}
";
    let work = "[ $1 = quick ] && exit 0; sleep 600 & echo $! > child; sleep 600";
    let sandbox = Sandbox::with(workflow).script("work", work);
    sandbox.run(&[]).exits_with(1).says(&["work[1] (slow) failed: Timeout: took longer than 1.5s"]);
    assert_eq!(sandbox.results("work").len(), 2);
    let child = sandbox.read("child");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "the grandchild lives: {stat}");
}

#[test]
fn a_step_without_items_ends_the_run_with_its_own_code() {
    for items in ["[]", "{glob: '*.nothing'}", "{range: 0}", "$(true)"] {
        let workflow = format!(
            "steps:\n  - name: none\n    task: batch\n    inputs:\n      items: {items}\n      task: {{type: shell, command: exit 1}}\n"
        );
        Sandbox::with(&workflow).run(&[]).exits_with(4).says(&["no items"]);
    }
}

#[test]
fn later_steps_see_what_earlier_ones_gave() {
    let workflow = "
steps:
  - name: numbers
    task: batch
    inputs:
      items: {range: [2, 11, 3]}
      continue_on_error: true
      task: {type: shell, command: '[ {{ item }} != 5 ] && echo {{ item }}'}
    outputs: said
  - name: again
    task: batch
    inputs:
      items: '{{ said }}'
      task: {type: echo, message: '{{ item.stdout }}/{{ batch.number }} of {{ batch.total }}'}
  - name: end
    task: echo
    inputs:
      message:
        results: '{{ steps.again.results }}'
        failed: '{{ steps.numbers.failed[0].item }}'
        succeeded: '{{ steps.numbers.stats.succeeded }}'
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.results("end"), [json!({ "results": ["2/1 of 2", "8/2 of 2"], "failed": 5, "succeeded": 2 })]);
}

#[test]
fn items_are_read_from_lines_and_globs() {
    let workflow = "
steps:
  - name: lines
    task: batch
    inputs:
      items: {lines: 'names.txt'}
      task: {type: echo, message: '{{ item }}'}
  - name: files
    task: batch
    inputs:
      items: {glob: ['data/*.csv', 'data/b*']}
      task: {type: echo, message: '{{ item | stem }}|{{ item | parent }}|{{ item | with_suffix(\".json\") | name }}'}
";
    let sandbox = Sandbox::with(workflow)
        .file("names.txt", "Ada\r\n\nGr\u{e4}ce\nlast")
        .file("data/b.csv", "")
        .file("data/a b.csv", "")
        .file("data/.hidden.csv", "");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("lines"), ["Ada", "Gr\u{e4}ce", "last"]);
    assert_eq!(sandbox.results("files"), ["a b|data|a b.json", "b|data|b.json"]);
}

#[test]
fn max_items_takes_the_first_ones() {
    let workflow = "
steps:
  - name: few
    task: batch
    inputs:
      items: {range: 1000000000}
      batch_size: 4
      task: {type: echo, message: '{{ item }}'}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&["--max-items", "6"]).exits_with(0);
    assert_eq!(sandbox.results("few"), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn secrets_are_in_no_message_log_or_ledger() {
    let workflow = "
secrets: [TOKEN, password]
steps:
  - name: work
    task: batch
    inputs:
      items: ['x-s3cr3t-x']
      continue_on_error: true
      on_item_error: {task: echo, inputs: {message: 'failed: {{ error.detail }}'}}
      task: {type: shell, command: 'echo $TOKEN {{ params.password }} >&2; exit 1'}
";
    let sandbox = Sandbox::with(workflow).env("TOKEN", "s3cr3t");
    let ended = sandbox.run(&["password=hunter22"]).exits_with(1).says(&["*** ***"]);
    let failures = sandbox.batchmill(&["failures", "--detail"]).exits_with(0);
    let all = format!("{}{}{}{}", ended.stdout, ended.stderr, failures.stdout, sandbox.everything_written(""));
    assert!(!all.contains("s3cr3t") && !all.contains("hunter22"), "{all}");
    Sandbox::with(workflow).run(&[]).exits_with(2).says(&["secret `TOKEN` is not set", "secret `password` is not set"]);
}

#[test]
fn no_child_survives_an_engine_that_is_killed() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: [shell]
      task: {type: shell, command: 'work'}
  - name: python
    task: python
    inputs:
      code: |
        import os, subprocess, time
        child = subprocess.Popen(['sleep', '600'])
        open('children', 'a').write('%d\\n%d\\n' % (os.getpid(), child.pid))
        open('ready2', 'w').close()
        time.sleep(600)
";
    let work =
        "sleep 600 & echo $$ >> children; echo $! >> children; touch ready; while [ ! -e go ]; do :; done; kill $!";
    for ready in ["ready", "ready2"] {
        let sandbox = Sandbox::with(workflow).script("work", work);
        let sandbox = if ready == "ready2" { sandbox.file("go", "") } else { sandbox };
        let mut engine = sandbox.command(&["run", "workflow.yaml", "--progress", "none"]).spawn().unwrap();
        while !sandbox.exists(ready) {
            assert!(engine.try_wait().unwrap().is_none());
        }
        engine.kill().unwrap();
        engine.wait().unwrap();
        for child in sandbox.read("children").lines() {
            // Gone, or a zombie that its new parent has not reaped yet.
            let stat = format!("/proc/{child}/stat");
            while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
                std::thread::yield_now();
            }
        }
    }
}

#[test]
fn no_command_that_lists_items_survives_an_engine_that_is_killed() {
    // The task itself starts no process.
    let workflow = "
steps:
  - name: work
    task: echo
    for_each: {product: {a: $(touch ready; sleep 600), b: [1]}}
    inputs: {message: '{{ item.a }}'}
";
    for workflow in [
        workflow.to_owned(),
        workflow.replace("{product: {a: $(touch ready; sleep 600), b: [1]}}", "$(touch ready; sleep 600)"),
    ] {
        let sandbox = Sandbox::with(&workflow);
        let mut engine = sandbox.command(&["run", "workflow.yaml", "--progress", "none"]).spawn().unwrap();
        while !sandbox.exists("ready") {
            assert!(engine.try_wait().unwrap().is_none());
        }
        engine.kill().unwrap();
        engine.wait().unwrap();
        sandbox.has_no_process();
    }
}

#[test]
fn quick_batches_behind_a_failure_are_neither_run_nor_counted() {
    // So quick that many batches travel together: what follows the failure in its frame must not run either.
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: {range: 20000}
      task: {type: echo, message: '{{ 1 // (item - 10000) }}'}
";
    let sandbox = Sandbox::with(workflow);
    let ended = sandbox.run(&["--format", "json", "--progress", "none"]).exits_with(3);
    let stats = &ended.json()["steps"]["work"]["stats"];
    let counts = ["total", "succeeded", "failed", "skipped"].map(|name| stats[name].as_u64().unwrap());
    assert_eq!(counts, [20_000, 10_000, 1, 9_999]);
    assert_eq!(sandbox.results("work").len(), 10_000);
}

#[test]
fn retry_on_names_what_is_tried_again() {
    let workflow = "
steps:
  - name: shell
    task: batch
    inputs:
      items: [3, 4]
      continue_on_error: true
      retry: {max_attempts: 3, delay: 0, jitter: true, on: [4, ConnectionError]}
      task: {type: shell, command: 'echo x >> ran.{{ item }}; exit {{ item }}'}
  - name: python
    task: batch
    inputs:
      items: [ValueError, KeyError, crash]
      continue_on_error: true
      retry: {max_attempts: 2, delay: 0, backoff: exponential, max_delay: 1m, on: [KeyError, crash]}
      task:
        type: python
        code: |
          open(f'ran.{item}', 'a').write('x\\n')
          if item == 'crash':
              import os
              os._exit(1)
          raise {'ValueError': ValueError, 'KeyError': KeyError}[item]('no')
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(1);
    let runs =
        ["3", "4", "ValueError", "KeyError", "crash"].map(|item| sandbox.read(&format!("ran.{item}")).lines().count());
    assert_eq!(runs, [1, 3, 1, 2, 2]);
}

#[test]
fn wrong_retry_settings_are_named() {
    let workflow = "
steps:
  - name: a
    task: batch
    inputs:
      items: [1]
      retry: {jitter: 2, max_delay: soon, on: [], backof: linear, max_attempts: 0}
      task: {type: shell, command: exit}
";
    Sandbox::with(workflow).run(&[]).exits_with(2).says(&[
        "`jitter` must be a number from 0 to 1; found the number 2",
        "`max_delay` must be a number of seconds",
        "`on` is empty",
        "did you mean `backoff`?",
        "`max_attempts` must be at least 1",
    ]);
}

#[test]
fn latest_is_the_run_that_was_started_last() {
    let workflow =
        |name: &str| format!("name: {name}\nsteps:\n  - {{name: s, task: echo, inputs: {{message: {name}}}}}\n");
    let sandbox = Sandbox::new().file("z.yaml", workflow("zz")).file("a.yaml", workflow("aa"));
    for (file, said) in [("z.yaml", "zz"), ("a.yaml", "aa"), ("z.yaml", "zz"), ("a.yaml", "aa")] {
        sandbox.batchmill(&["run", file]).exits_with(0);
        assert_eq!(sandbox.results("s"), [said]);
    }
}

#[test]
fn without_progress_the_reason_of_a_stop_is_still_told() {
    let step = |items: &str| {
        format!(
            "steps:\n  - name: s\n    task: batch\n    inputs: {{items: {items}, task: {{type: shell, command: exit 3}}}}\n"
        )
    };
    let ended = Sandbox::with(&step("[1]")).run(&["--progress", "none"]).exits_with(3);
    assert_eq!(ended.stderr, "error: step `s` stopped: ExitStatus: command exited with status 3\n");
    let ended = Sandbox::with(&step("[]")).run(&["--progress", "none"]).exits_with(4);
    assert_eq!(ended.stderr, "error: step `s` has no items\n");
}

#[test]
fn an_interrupt_ends_the_command_that_gives_the_items() {
    use rustix::process::{Pid, Signal, kill_process};
    let workflow =
        "steps:\n  - name: s\n    task: batch\n    inputs: {items: $(list), task: {type: shell, command: exit}}\n";
    let sandbox = Sandbox::with(workflow).script("list", "echo $$ > pid; touch began; exec sleep 600");
    let mut engine = sandbox.command(&["run", "workflow.yaml", "--progress", "none"]).spawn().unwrap();
    while !sandbox.exists("began") {
        assert!(engine.try_wait().unwrap().is_none());
    }
    kill_process(Pid::from_child(&engine), Signal::INT).unwrap();
    assert_eq!(engine.wait().unwrap().code(), Some(130));
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", sandbox.read("pid").trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

#[test]
fn the_size_of_batches_is_learnt() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: {range: 3000}
      batch_size: auto
      max_parallel: 2
      task: {type: python, code: 'return [item, batch.size]'}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0);
    let results = sandbox.results("work");
    assert!(results.iter().enumerate().all(|(at, result)| result[0] == at));
    let sizes: Vec<u64> = results.iter().map(|result| result[1].as_u64().unwrap()).collect();
    assert_eq!(sizes[0], 1, "it begins with one item");
    assert!(sizes.iter().max().unwrap() > &32, "quick items are put together: {:?}", sizes.iter().max());
    assert!(sizes.iter().all(|size| *size <= 3000 / 16 + 1), "and left for both workers");
    let plan = sandbox.batchmill(&["plan", "workflow.yaml"]).exits_with(0).stdout;
    assert!(plan.contains("3,000 items in batches whose size adapts"), "{plan}");
}

#[test]
fn the_largest_files_come_first_where_sizes_are_learnt() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: {glob: '*.txt'}
      batch_size: auto
      task: {type: shell, command: 'echo {{ item }} >> ran; cat {{ item }}'}
";
    let sandbox = Sandbox::with(workflow).file("a.txt", "1").file("b.txt", "22222").file("c.txt", "333");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.read("ran"), "b.txt\nc.txt\na.txt\n");
    let said: Vec<_> = sandbox.results("work").iter().map(|result| result["stdout"].clone()).collect();
    assert_eq!(said, ["1", "22222", "333"], "results are in item order all the same");
    let sandbox = sandbox.file("b.txt", "2");
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["1 of 3 items will run"]);
    assert_eq!(sandbox.read("ran").lines().last(), Some("b.txt"));
}
