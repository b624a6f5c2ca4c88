//! `batchmill profile`: what runs, what is asked, what it says. Whether causes and gains are right is for `make bench-profile`.

use crate::support::{Request, Sandbox, Server};
use serde_json::Value;
use std::time::Duration;
use std::{fs, thread};

/// A step that waits, with one worker.
const WAITS: &str = "
name: fetch
steps:
  - name: fetch
    task: batch   # one at a time
    inputs:
      # what
      items: {range: 40}
      task:
        type: python
        code: |
          import time
          time.sleep(0.1)
          return item
    outputs: {name: fetched, path: out.jsonl}
";

fn profile(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let all = [&["profile", "workflow.yaml", "--budget", "4s", "--format", "json"], arguments].concat();
    serde_json::from_str(&sandbox.batchmill(&all).exits_with(0).stdout).unwrap()
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_step_that_waits_gets_more_workers_and_the_file_keeps_its_comments() {
    let sandbox = Sandbox::with(WAITS);
    let found = profile(&sandbox, &["--yes", "--apply"]);
    assert_eq!(found["cause"], "waiting", "{found:#}");
    let advice = &found["advice"];
    assert_eq!(advice["changes"][0]["key"], "max_parallel", "{found:#}");
    assert!(advice["gain"]["low"].as_f64().unwrap() > 1.5, "{advice:#}");
    let line =
        format!("      items: {{range: 40}}\n      max_parallel: {}\n", advice["changes"][0]["to"].as_str().unwrap());
    assert_eq!(sandbox.read("workflow.yaml"), WAITS.replace("      items: {range: 40}\n", &line));
    // Nothing but the file has changed.
    assert!(!sandbox.exists("out.jsonl") && !sandbox.exists(".batchmill"));
    sandbox.run(&[]).exits_with(0);
    let rows = found["rows"].as_array().unwrap();
    for row in rows {
        let [on_cpu, runnable, blocked] = ["on_cpu", "runnable", "blocked"].map(|part| row[part].as_f64().unwrap());
        assert!((0.0..1.1).contains(&(on_cpu + runnable + blocked)), "{row:#}");
        let throughput = &row["throughput"];
        assert!(throughput["low"].as_f64() <= throughput["median"].as_f64(), "{row:#}");
    }
    let widths: Vec<u64> = rows.iter().map(|row| row["width"].as_u64().unwrap()).collect();
    assert!(widths.is_sorted() && widths[0] == 1 && widths.len() >= 2, "{widths:?}");
}

#[test]
#[ignore = "heavy: profiles three times"]
fn a_profile_is_compared_with_an_earlier_one() {
    let sandbox = Sandbox::with(WAITS);
    let before = profile(&sandbox, &["--yes"]);
    let sandbox = sandbox
        .file("before.json", before.to_string())
        .file("other.json", "{}")
        .file("workflow.yaml", WAITS.replace("0.1", "0.4"));
    let ended = sandbox
        .batchmill(&["profile", "workflow.yaml", "--yes", "--budget", "8s", "--against", "before.json"])
        .exits_with(0);
    let line = ended.stdout.lines().find(|line| line.contains("1 worker, against then")).unwrap();
    assert!(line.ends_with("slower") && line.contains("x ("), "{line}");
    for (file, words) in [("none.json", "cannot read `none.json`"), ("other.json", "it isn't a profile")] {
        let ended = sandbox
            .batchmill(&["profile", "workflow.yaml", "--yes", "--budget", "8s", "--against", file])
            .exits_with(2);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn the_answer_comes_first_for_people() {
    let sandbox = Sandbox::with(WAITS);
    let ended = sandbox.batchmill(&["profile", "workflow.yaml", "--yes", "--budget", "4s"]).exits_with(0);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("fetch waits for something outside: its worker is on the CPU"), "{}", ended.stdout);
    assert!(lines[1].starts_with("Use ") && lines[1].contains("x ("), "{}", ended.stdout);
    for part in [
        "  - max_parallel: 1\n  + max_parallel: ",
        "batchmill profile workflow.yaml --step fetch --apply",
        "speed-up",
        "Amdahl",
    ] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
}

/// A step whose time goes into one function.
const COMPUTES: &str = "
steps:
  - name: sums
    task: batch
    inputs:
      items: {range: 40}
      task:
        type: python
        code: |
          def squares(n):
              return sum(i * i for i in range(n))
          return squares(200000)
";

#[test]
#[ignore = "heavy: profiles"]
fn the_functions_that_used_the_cpu_are_found() {
    let sandbox = Sandbox::with(COMPUTES);
    let found = profile(&sandbox, &["--yes", "--output", "page.html", "--flame", "flame.json"]);
    let code = &found["sampled"]["code"];
    assert_eq!(code[0][0], "Python", "{found:#}");
    assert!(code[0][1].as_f64().unwrap() > 0.5, "{code:#}");
    let flame: Value = serde_json::from_str(&sandbox.read("flame.json")).unwrap();
    let frames = flame["shared"]["frames"].as_array().unwrap();
    let number = |name: &str| {
        let at = frames.iter().position(|frame| frame["name"].as_str().unwrap().starts_with(name));
        at.unwrap_or_else(|| panic!("no {name}: {frames:?}")) as u64
    };
    // The generator is below the function that calls it.
    let (squares, inner) = (number("squares"), number("squares.<locals>.<genexpr>"));
    let profile = &flame["profiles"][0];
    let weights = profile["weights"].as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap());
    let samples = profile["samples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sample| sample.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect::<Vec<_>>());
    let within = |sample: &[u64]| sample.ends_with(&[squares, inner]);
    let share: f64 = samples.zip(weights).filter(|(sample, _)| within(sample)).map(|(_, weight)| weight).sum();
    assert!(share > 0.5 * profile["endValue"].as_f64().unwrap(), "{profile:#}");
    let page = sandbox.read("page.html");
    assert!(page.contains("squares.&lt;locals&gt;.&lt;genexpr&gt;") && !page.contains("<genexpr>"));
}

#[test]
#[ignore = "heavy: profiles"]
fn the_time_of_requests_is_divided() {
    let server = Server::start(|request: &Request| {
        thread::sleep(Duration::from_millis(20));
        (200, Vec::new(), request.url.clone())
    });
    let url = server.url("/{{ item }}");
    let flow = format!(
        "steps:\n  - name: get\n    task: http_request\n    for_each: {{range: 100}}\n    inputs: {{url: '{url}'}}\n"
    );
    let found = profile(&Sandbox::with(&flow), &[]);
    for row in found["rows"].as_array().unwrap() {
        let parts: Vec<f64> = row["requests"].as_array().unwrap().iter().map(|part| part.as_f64().unwrap()).collect();
        assert!(parts[1] > 0.8 && (parts.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{row:#}");
    }
}

#[test]
fn files_that_a_profile_cannot_write_are_refused_before_anything_runs() {
    let sandbox =
        Sandbox::with("steps:\n  - name: a\n    task: shell\n    for_each: [1]\n    inputs: {command: touch ran}\n");
    for (arguments, words) in [
        (&["--output", "a.json", "--flame", "a.json"][..], "`--output` and `--flame` cannot both be `a.json`"),
        (&["--flame", "a.json"][..], "is not Python code"),
        (&["--output", "none/page.html"][..], "cannot write `none/page.html`: the directory `none` does not exist"),
        (&["--output", "."][..], "cannot write `.`: it is a directory"),
        (&["--output", "workflow.yaml"][..], "`workflow.yaml` is the workflow file"),
        (&["--flame", "./workflow.yaml"][..], "`./workflow.yaml` is the workflow file"),
        (&["--output", "a.json", "--flame", "./a.json"][..], "`--output` and `--flame` cannot both be `a.json`"),
    ] {
        let all = [&["profile", "workflow.yaml", "--yes"], arguments].concat();
        let ended = sandbox.batchmill(&all).exits_with(2);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    assert!(!sandbox.exists("ran") && !sandbox.exists("a.json"));
}

#[test]
fn nothing_runs_that_was_not_allowed() {
    for (task, words) in [
        ("type: shell\n        command: touch ran-{{ item }}", "touch ran-{{ item }}"),
        ("type: python\n        code: open('ran', 'w')", "open('ran', 'w')"),
        ("type: http_request\n        url: http://127.0.0.1:9/\n        method: POST", "POST http://127.0.0.1:9/"),
        ("type: http_request\n        url: http://localhost.example.com/", "http://localhost.example.com/"),
        ("type: http_request\n        url: http://localhost@example.com/", "http://localhost@example.com/"),
        ("type: http_request\n        url: http://127.0.0.1:9/\n        json: {a: 1}", "http://127.0.0.1:9/"),
        ("type: http_request\n        url: http://localhost{{ item }}/", "http://localhost{{ item }}/"),
    ] {
        let flow = format!(
            "steps:\n  - name: a\n    task: batch\n    inputs:\n      items: [1, 2]\n      task:\n        {task}\n"
        );
        let sandbox = Sandbox::with(&flow);
        let ended = sandbox.batchmill(&["profile", "workflow.yaml"]).exits_with(2);
        assert!(ended.stderr.contains(words) && ended.stderr.contains("pass `--yes`"), "{}", ended.stderr);
        let names: Vec<String> = fs::read_dir(sandbox.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names, ["workflow.yaml"], "{task}");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn what_does_no_harm_runs_without_a_question() {
    let marked = "
steps:
  - name: a
    task: shell
    for_each: {range: 20}
    repeatable: true
    inputs: {command: 'true'}
";
    let echo = "steps:\n  - name: a\n    task: echo\n    for_each: {range: 20}\n    inputs: {message: '{{ item }}'}\n";
    for flow in [marked, echo] {
        let sandbox = Sandbox::with(flow);
        assert!(profile(&sandbox, &[])["trials"].as_u64() > Some(0));
        sandbox.has_no_process();
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn files_of_items_and_earlier_runs_stay_as_they_are() {
    let flow = "
steps:
  - name: list
    task: batch
    inputs: {items: [10, 20, 30], task: {type: echo, message: '{{ item }}'}}
    outputs: numbers
  - name: write
    task: batch
    inputs:
      items: '{{ numbers }}'
      repeatable: true
      task: {type: shell, command: 'sleep 0.01; echo {{ item }} > \"$BATCHMILL_ITEM_DIR/{{ item }}.txt\"'}
    outputs: {item_files: made}
";
    let sandbox = Sandbox::with(flow);
    let ended = sandbox.batchmill(&["profile", "workflow.yaml", "--step", "write"]).exits_with(2);
    assert!(ended.stderr.contains("run the workflow first"), "{}", ended.stderr);
    sandbox.run(&[]).exits_with(0);
    fs::write(sandbox.path().join("made/10.txt"), "mine").unwrap();
    let before = sandbox.batchmill(&["runs", "--format", "json"]).stdout;
    let found = profile(&sandbox, &["--step", "write"]);
    assert_eq!((found["sample"].as_u64(), found["is_whole"].as_bool()), (Some(3), Some(true)));
    let found = profile(&sandbox, &["--step", "write", "--max-items", "2", "--jobs", "1"]);
    assert_eq!((found["sample"].as_u64(), found["own"]["width"].as_u64()), (Some(2), Some(1)));
    assert_eq!(sandbox.read("made/10.txt"), "mine");
    assert_eq!(sandbox.batchmill(&["runs", "--format", "json"]).stdout, before);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn wrong_use_gets_a_clear_answer() {
    let flow = "
params: {items: {type: list, default: [1, 2, 3, 4, 5, 6]}}
secrets: [TOKEN]
steps:
  - name: a
    task: batch
    inputs:
      items: '{{ params.items }}'
      task: {type: python, code: \"raise ValueError('no ' + env['TOKEN'])\"}
  - name: slow
    task: batch
    inputs: {items: '{{ params.items }}', task: {type: shell, command: sleep 600}}
  - name: once
    task: echo
    inputs: {message: x}
";
    let sandbox = Sandbox::with(flow).env("TOKEN", "s3cr3t-token");
    for (arguments, words) in [
        (&["--yes"][..], "several steps have items: `a`, `slow`"),
        (&["--step", "nope"], "the workflow has no step `nope`"),
        (&["--step", "once"], "step `once` has no items"),
        (&["--step", "a", "--yes"], "items of step `a` failed; the first: ValueError: no ***"),
        (&["--step", "a", "--yes", "items=[]"], "step `a` has no items"),
        (&["--step", "slow", "--yes", "--budget", "1s"], "too short"),
        (&["--step", "a", "--budget", "soon"], "soon"),
    ] {
        let ended = sandbox.batchmill(&[&["profile", "workflow.yaml"], arguments].concat()).exits_with(2);
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("s3cr3t"), "{}", ended.stderr);
    }
    let plain = Sandbox::with("steps:\n  - {name: once, task: echo, inputs: {message: x}}\n");
    let ended = plain.batchmill(&["profile", "workflow.yaml"]).exits_with(2);
    assert!(ended.stderr.contains("no step of the workflow has items"), "{}", ended.stderr);
    sandbox.has_no_process();
}
