//! What bounds a step: tolerated failures, times, memory; and what halves a batch.

use crate::support::Sandbox;
use serde_json::{Value, json};

fn batch(items: &str, settings: &str, task: &str) -> String {
    let settings: String = settings.lines().map(|line| format!("      {line}\n")).collect();
    format!(
        "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: {items}\n{settings}      task: {task}\n"
    )
}

fn python(items: &str, settings: &str, keys: &str, code: &str) -> String {
    let lines = |text: &str, indent: &str| text.lines().map(|line| format!("{indent}{line}\n")).collect::<String>();
    let task =
        format!("\n        type: python\n{}        code: |\n{}", lines(keys, "        "), lines(code, "          "));
    batch(items, settings, &task)
}

#[test]
fn failures_are_tolerated_up_to_a_number_and_the_step_stops_behind_it() {
    let odd = "{type: shell, command: 'test $(({{ item }} % 2)) = 0'}";
    let sandbox = Sandbox::with(&batch("{range: 20}", "max_failures: 3", odd));
    let ended = sandbox.run(&["--format", "json"]).exits_with(3);
    let ended = ended.says(&["stopped by TooManyFailures:", "items failed; `max_failures` is 3"]);
    let step = &ended.json()["steps"]["work"];
    // What a slot has begun when the step stops still ends.
    let failed = step["stats"]["failed"].as_u64().unwrap();
    assert!((4..10).contains(&failed) && step["error"]["type"] == "TooManyFailures", "{step}");
    let tolerated = Sandbox::with(&batch("{range: 6}", "max_failures: 3", odd));
    tolerated.run(&[]).exits_with(1);
    assert_eq!(tolerated.results("work").len(), 3);
    Sandbox::with(&batch("{range: 6}", "max_failures: 0", odd)).run(&[]).exits_with(3).says(&["`max_failures` is 0"]);
}

#[test]
fn failures_are_tolerated_up_to_a_share() {
    let task = "{type: shell, command: 'test {{ item }} -ge 2'}";
    Sandbox::with(&batch("{range: 40}", "max_failures: 5%", task)).run(&[]).exits_with(1);
    Sandbox::with(&batch("{range: 40}", "max_failures: 2.5%", task))
        .run(&[])
        .exits_with(3)
        .says(&["`max_failures` is 2.5%"]);
    // Lines are counted while they are read, so the share is known at the end.
    let sandbox = Sandbox::with(&batch("{lines: list}", "max_failures: 5%", task)).file("list", "0\n1\n2\n3\n");
    sandbox.run(&[]).exits_with(3).says(&["2 items failed; `max_failures` is 5%"]);
    assert_eq!(sandbox.results("work").len(), 2, "all of them ran");
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_batch_that_has_used_up_its_time_fails_with_what_it_has_not_done() {
    let shell = batch(
        "[quick, slow, never]",
        "batch_size: 3\nbatch_timeout: 1s\ncontinue_on_error: true",
        "{type: shell, command: 'work {{ item }}'}",
    );
    let sandbox = Sandbox::with(&shell).script("work", "echo $1 >> ran; [ $1 = quick ] || exec sleep 600");
    sandbox
        .run(&[])
        .exits_with(1)
        .says(&["work[1] (slow) failed: BatchTimeout: its batch took longer than 1s", "work[2]"]);
    assert_eq!((sandbox.results("work").len(), sandbox.read("ran").as_str()), (1, "quick\nslow\n"));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let settings = "batch_size: 2\nbatch_timeout: 1s\ntimeout: 1h\ncontinue_on_error: true";
    let sandbox = Sandbox::with(&batch("[1, 2]", settings, &format!("{{type: http_request, url: '{url}'}}")));
    sandbox.run(&[]).exits_with(1).says(&["work[0] failed: BatchTimeout", "work[1] failed: BatchTimeout"]);
    let code = "while item == 1: pass\nreturn item";
    let settings = "batch_size: 2\nbatch_timeout: 1s\ncontinue_on_error: true";
    let sandbox = Sandbox::with(&python("{range: 6}", settings, "", code));
    sandbox.run(&[]).exits_with(1).says(&["work[1] failed: BatchTimeout"]);
    assert_eq!(sandbox.results("work"), [0, 2, 3, 4, 5]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_step_that_has_used_up_its_time_ends_with_all_its_children() {
    let workflow = |timeout: &str| {
        let step = batch("[1, 2, 3]", "max_parallel: 2", "{type: shell, command: 'work {{ item }}'}");
        step.replace("    task: batch\n", &format!("    task: batch\n    timeout: {timeout}\n"))
    };
    let sandbox = Sandbox::with(&workflow("1s")).script("work", "echo $$ >> pids; [ -e quick ] || exec sleep 600");
    sandbox.run(&[]).exits_with(3).says(&[
        "stopped by StepTimeout: took longer than 1s, the step's `timeout`",
        "3 items, 3 skipped",
        "next: batchmill resume",
    ]);
    sandbox.has_no_process();
    let sandbox = sandbox.file("quick", "").file("workflow.yaml", workflow("1h"));
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.results("work").len(), 3);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn the_time_of_a_step_covers_waits_and_plain_steps() {
    let workflow = "
steps:
  - {name: wait, type: shell, timeout: 1s, retry: {max_attempts: 9, delay: 1h}, inputs: {command: 'false'}}
";
    Sandbox::with(workflow).run(&[]).exits_with(3).says(&["StepTimeout"]);
    let workflow = "steps: {stuck: {type: python, timeout: 1s, inputs: {code: 'while True: pass'}}}";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(3).says(&["StepTimeout"]);
    sandbox.has_no_process();
}

#[test]
fn a_failed_batch_is_halved_until_the_bad_items_stand_alone() {
    let code = "print(item, file=open('ran', 'a'))\nif 5 in item or 6 in item: raise ValueError('bad')\nreturn [x * 2 for x in item]";
    let settings = "batch_size: 8\nbatched: true\nbisect_on_error: true\ncontinue_on_error: true";
    let sandbox = Sandbox::with(&python("{range: 16}", settings, "", code));
    sandbox.run(&[]).exits_with(1).says(&["work[5] failed: ValueError: bad", "work[6] failed: ValueError: bad"]);
    let expected: Vec<Value> = (0..16).filter(|item| ![5, 6].contains(item)).map(|item| json!(item * 2)).collect();
    assert_eq!(sandbox.results("work"), expected);
    let mut ran: Vec<String> = sandbox.read("ran").lines().map(str::to_owned).collect();
    ran.sort();
    let mut batches = [
        "[0, 1, 2, 3, 4, 5, 6, 7]",
        "[8, 9, 10, 11, 12, 13, 14, 15]",
        "[0, 1, 2, 3]",
        "[4, 5, 6, 7]",
        "[4, 5]",
        "[6, 7]",
        "[4]",
        "[5]",
        "[6]",
        "[7]",
    ];
    batches.sort_unstable();
    assert_eq!(ran, batches);
    sandbox.batchmill(&["audit"]).exits_with(0);
    // A half is no attempt, so nothing was tried again.
    let ended = sandbox.run(&["--format", "json"]).exits_with(1);
    assert_eq!(ended.json()["steps"]["work"]["stats"]["retried"], 0);
}

#[test]
fn halving_is_no_attempt_and_crashes_are_halved_too() {
    let code = "import os\nif 3 in item and batch.attempt < 3: os._exit(9)\nreturn [[x, batch.attempt] for x in item]";
    let settings = "batch_size: 4\nbatched: true\nbisect_on_error: true\nretry: {max_attempts: 3, delay: 0}";
    let sandbox = Sandbox::with(&python("{range: 4}", settings, "", code));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [json!([0, 1]), json!([1, 1]), json!([2, 1]), json!([3, 3])]);
}

#[test]
fn an_item_that_takes_too_much_memory_is_charged_alone() {
    let code = "import time\nif item == 4:\n    x = bytearray(300_000_000)\n    time.sleep(600)\nreturn item";
    let settings = "batch_size: 10\ncontinue_on_error: true";
    let sandbox = Sandbox::with(&python("{range: 10}", settings, "max_memory: 200MB", code));
    sandbox
        .run(&[])
        .exits_with(1)
        .says(&["work[4] failed: MemoryLimit: Python worker used", "`max_memory` is 200.0 MB"]);
    assert_eq!(sandbox.results("work"), [0, 1, 2, 3, 5, 6, 7, 8, 9]);
    assert_eq!(sandbox.failures().len(), 1);
}

#[test]
fn an_item_that_prints_all_the_time_is_watched_too() {
    // What it prints must not put the check off.
    let code = "import time\nx = bytearray(300_000_000)\nwhile True:\n    print(1)\n    time.sleep(0.001)";
    for size in [1, 5] {
        let settings = format!("batch_size: {size}\ncontinue_on_error: true");
        let sandbox = Sandbox::with(&python("[1]", &settings, "max_memory: 200MB", code));
        sandbox.run(&[]).exits_with(1).says(&["work[0] failed: MemoryLimit: Python worker used"]);
    }
}

#[test]
fn an_item_that_frees_its_memory_at_once_has_exceeded_it_all_the_same() {
    // `setup` may need more for a moment.
    let keys = "max_memory: 200MB\nsetup: |\n  x = bytearray(300_000_000)\n  del x";
    let code = "if item == 4:\n    x = bytearray(300_000_000)\n    del x\nreturn item";
    let settings = "batch_size: 10\ncontinue_on_error: true";
    let sandbox = Sandbox::with(&python("{range: 10}", settings, keys, code));
    sandbox.run(&[]).exits_with(1).says(&["work[4] failed: MemoryLimit: Python worker used"]);
    assert_eq!(sandbox.results("work"), [0, 1, 2, 3, 5, 6, 7, 8, 9]);
}

/// CPython keeps the frames of such a recursion outside of the stack, so it takes all the memory there is.
#[test]
fn a_recursion_whose_limit_was_raised_ends_at_the_memory_limit() {
    let code = "import sys\nsys.setrecursionlimit(10**9)\ndef deeper(): return deeper()\ndeeper()";
    let sandbox = Sandbox::with(&python("[1]", "continue_on_error: true", "max_memory: 200MB", code));
    let ended = sandbox.run(&[]).exits_with(1);
    assert!(ended.stderr.contains("work[0] failed: MemoryLimit") || ended.stderr.contains("work[0] failed: Crash"));
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_thread_or_an_exit_function_that_hangs_holds_the_end_of_the_step_up_for_seconds_only() {
    let hangs = "open('hangs', 'w').close(); time.sleep(600)";
    let thread = format!("def hang(): {hangs}\nthreading.Thread(target=hang).start()");
    let at_exit = format!("@atexit.register\ndef hang(): {hangs}");
    for code in [thread, at_exit] {
        let code = format!("import atexit, threading, time\n{code}\nreturn 1");
        let sandbox = Sandbox::with(&python("[1]", "", "", &code));
        let notice =
            "Python worker was killed, because a thread or an `atexit` function had not ended 5 s after its last item";
        let ended = sandbox.run(&[]).exits_with(0).says(&[&format!("work: warning: {notice}")]);
        assert!(sandbox.exists("hangs"), "{}", ended.stderr);
        assert_eq!(sandbox.results("work"), [1]);
        sandbox.has_no_process();
    }
}

#[test]
fn an_item_in_a_worker_that_others_have_filled_gets_a_fresh_one() {
    let code = "
global kept
kept = globals().get('kept', [])
kept.append(bytearray(60_000_000))
if item == 4 and len(kept) > 1:
    import time
    kept.append(bytearray(200_000_000))
    time.sleep(600)
return [item, len(kept)]";
    let sandbox = Sandbox::with(&python("{range: [3, 6]}", "batch_size: 10", "max_memory: 250MB", code));
    sandbox.run(&[]).exits_with(0);
    let results = sandbox.results("work");
    assert_eq!((results.len(), &results[1]), (3, &json!([4, 1])), "item 4 was first in its worker");
}

#[test]
fn a_worker_that_is_too_large_before_its_first_item_stops_the_step() {
    let keys = "max_memory: 100MB\nsetup: model = bytearray(200_000_000)";
    let sandbox = Sandbox::with(&python("[1]", "continue_on_error: true", keys, "return 1"));
    sandbox.run(&[]).exits_with(3).says(&["stopped by MemoryLimit: Python worker used", "`max_memory` is 100.0 MB"]);
}

#[test]
fn a_worker_is_replaced_after_so_many_items() {
    let code = "import os\nreturn os.getpid()";
    let keys = "max_items_per_worker: 3\nteardown: open('ended', 'a').write('x')";
    for size in ["1", "4"] {
        let sandbox = Sandbox::with(&python("{range: 10}", &format!("batch_size: {size}"), keys, code));
        sandbox.run(&[]).exits_with(0);
        let pids = sandbox.results("work");
        let of_each: Vec<usize> = pids.chunk_by(|left, right| left == right).map(<[Value]>::len).collect();
        assert_eq!((of_each, sandbox.read("ended").as_str()), (vec![3, 3, 3, 1], "xxxx"));
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_slow_item_is_named_while_it_runs() {
    let shell = "{type: shell, command: 'while [ ! -e go ]; do :; done'}";
    let code = "import os\nwhile not os.path.exists('go'): pass";
    for workflow in [batch("[7, 8]", "max_parallel: 2", shell), python("[7, 8]", "max_parallel: 2", "", code)] {
        let sandbox = Sandbox::with(&workflow);
        let named = sandbox.run_until(&["--slow-after", "100ms"], "has been running for");
        assert!(named.line.starts_with("work[0]") || named.line.starts_with("work[1]"), "{}", named.line);
        std::fs::write(sandbox.path().join("go"), "").unwrap();
        assert_eq!(named.ends_with(), Some(0));
    }
}

#[test]
fn an_item_is_slow_compared_with_those_that_have_finished() {
    // One worker: the item that runs now is most of the time that the step has taken, however long it takes.
    let shell = "{type: shell, command: 'case {{ item }} in *slow*) until [ -e go ]; do :; done;; esac'}";
    let items = r#"[a, b, "{{ env.TOKEN }}/slow\e[2J.csv"]"#;
    let workflow = format!("secrets: [TOKEN]\n{}", batch(items, "max_parallel: 1", shell).trim_start());
    let sandbox = Sandbox::with(&workflow).env("TOKEN", "hush-hush");
    let named = sandbox.run_until(&["--slow-after", "1ms"], "work[2]");
    assert!(named.line.starts_with(r"work[2] ***/slow\x1b[2J.csv has been running for "), "{}", named.line);
    std::fs::write(sandbox.path().join("go"), "").unwrap();
    assert_eq!(named.ends_with(), Some(0));
}

#[test]
fn wrong_limits_are_named() {
    let wrong = [
        ("max_failures: -1", "`max_failures` must not be negative"),
        ("max_failures: 0.5", "add `%` for a percentage"),
        ("max_failures: 120%", "`max_failures` must be between `0%` and `100%`"),
        ("max_failures: 1\ncontinue_on_error: false", "`max_failures` cannot be used with `continue_on_error: false`"),
        ("batch_timeout: 0", "`batch_timeout` must be greater than 0"),
        ("bisect_on_error: yes", "`bisect_on_error` must be `true` or `false`"),
        ("bisect_on_error: true", "`bisect_on_error` has no effect: `item` is one item, because `batch_size` is 1"),
        ("bisect_on_error: true\nbatched: false", "`bisect_on_error` requires a batched Python task"),
    ];
    for (settings, message) in wrong {
        Sandbox::with(&python("[1]", settings, "", "return 1")).run(&[]).exits_with(2).says(&[message]);
    }
    for (keys, message) in [
        ("max_memory: 512", "`max_memory` is too small"),
        ("max_memory: lots", "`max_memory` must be a number of bytes, or a size such as `512MB`"),
        ("max_items_per_worker: 0", "`max_items_per_worker` must be at least 1"),
    ] {
        Sandbox::with(&python("[1]", "", keys, "return 1")).run(&[]).exits_with(2).says(&[message]);
    }
    let shell = batch("[1]", "bisect_on_error: true", "{type: shell, command: exit}");
    Sandbox::with(&shell).run(&[]).exits_with(2).says(&["only a Python task with `batched: true` can fail as a batch"]);
}

#[test]
fn settings_have_upper_bounds_that_their_messages_name() {
    let shell = |settings: &str| batch("[1]", settings, "{type: shell, command: 'true'}");
    for (settings, says) in [
        ("queue_size: 1000000000", "`queue_size` must be at most 1000000; found the number 1000000000"),
        ("queue_size: 99999999999999999999", "`queue_size` must be at most 9223372036854775807; found the number"),
        ("max_parallel: 10001", "`max_parallel` must be at most 10000; found the number 10001"),
        ("batch_size: 20000000000000000000", "`batch_size` must be at most 9223372036854775807"),
        ("max_failures: 99999999999999999999", "`max_failures` must be at most 9223372036854775807"),
        ("timeout: 1.5e19", "`timeout` must be at most `36500d`, which is 100 years; found the number 1.5e+19"),
        ("batch_timeout: 1e300", "`batch_timeout` must be at most `36500d`"),
        ("timeout: 99999999999d", "`timeout` must be at most `36500d`"),
        ("retry: {max_attempts: 2, delay: 1.5e19}", "`delay` must be at most `36500d`"),
        ("retry: {max_attempts: 2, max_delay: 36501d}", "`max_delay` must be at most `36500d`"),
        ("retry: 5000000000", "`retry` must be at most 4294967295; found the number 5000000000"),
        ("batch_size: '{{ 2000000 * 10000000000000000000 }}'", "`batch_size` must be at most"),
        ("queue_size: '{{ 2000000 }}'", "`queue_size` must be at most 1000000"),
        ("timeout: '{{ 1.5e19 }}'", "`timeout` must be at most `36500d`"),
    ] {
        Sandbox::with(&shell(settings)).run(&[]).exits_with(2).says(&[says]);
    }
    // The largest ones work.
    let most = "queue_size: 1000000\nmax_parallel: 10000\ntimeout: 36500d\nbatch_timeout: 36500d\n\
        batch_size: 9223372036854775807\nmax_failures: 9223372036854775807\n\
        retry: {max_attempts: 4294967295, delay: 36500d, max_delay: 36500d, backoff: exponential}";
    Sandbox::with(&format!("{}    timeout: 36500d\n", shell(most))).run(&[]).exits_with(0);
    let http = |rate: &str| {
        batch("[1]", "", &format!("{{type: http_request, url: 'http://127.0.0.1:1/', rate_limit: {rate}}}"))
    };
    for rate in ["1e-30", "0.00001", "1e-30/s"] {
        Sandbox::with(&http(rate)).run(&[]).exits_with(2).says(&["`rate_limit` must be at least one request per day"]);
    }
    let keep = Sandbox::with("keep_runs: 0\nsteps:\n  - {name: a, task: echo, inputs: {message: a}}\n");
    keep.run(&[]).exits_with(2).says(&["`keep_runs` must be at least 1", "help: write how many runs"]);
}
