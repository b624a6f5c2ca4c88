//! `--events` and `--metrics`: what programs are told, and who may write where.

use crate::event_files::check;
use crate::support::{Ended, Sandbox};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;

fn events(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    sandbox.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A workflow of one step, whose command is this, for the items 0 to 2.
fn three(command: &str, more: &str) -> Sandbox {
    Sandbox::with(&format!(
        "steps:\n  - name: work\n    for_each: {{range: 3}}\n    task: shell\n    inputs: {{command: '{command}'}}\n{more}"
    ))
}

/// Each kind of event with each key that it had, and the types of its values.
fn kinds(events: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in events {
        let keys = kinds.entry(event["event"].as_str().unwrap().to_owned()).or_default();
        let nested = event["failure"].as_object().into_iter().flatten();
        for (key, value) in event.as_object().unwrap().iter().chain(nested) {
            keys.insert(format!("{key} {}", if value.is_null() { "null" } else { "set" }));
        }
    }
    kinds
}

#[test]
#[ignore = "heavy: takes seconds"]
fn every_kind_of_event_has_its_keys_whether_they_are_null_or_not() {
    let rows = "steps:\n  - name: rows\n    task: batch\n    inputs: {items: {csv: a.csv}, task: {type: echo, message: '{{ item.x }}'}}\n  - name: last\n    task: shell\n    inputs: {command: 'echo no >&2; exit 3'}\n";
    let sandbox = Sandbox::with(rows).file("a.csv", "x\n1\n2\n");
    sandbox.run(&["--events", "rows.jsonl"]).exits_with(3);
    sandbox.batchmill(&["resume", "--events", "again.jsonl"]).exits_with(3);
    let waits = three(
        "[ {{ item }} != 0 ] || until [ -e go ]; do :; done; [ {{ item }} != 2 ]",
        "    continue_on_error: true\n  - name: say\n    task: echo\n    inputs: {message: hi}\n",
    );
    let running = waits.run_until(&["--events", "slow.jsonl", "--slow-after", "100ms"], "has been running for");
    while !waits.read("slow.jsonl").contains("step_load") {
        std::thread::yield_now();
    }
    fs::write(waits.path().join("go"), "").unwrap();
    assert_eq!(running.ends_with(), Some(1));
    let limit = three("exit 1", "    continue_on_error: true\n    max_failures: 1\n");
    limit.run(&["--events", "limit.jsonl"]).exits_with(3);

    let all = [(&sandbox, "rows.jsonl"), (&sandbox, "again.jsonl"), (&waits, "slow.jsonl"), (&limit, "limit.jsonl")];
    let all: Vec<Value> = all.iter().flat_map(|(sandbox, name)| events(sandbox, name)).collect();
    let kinds = kinds(&all);
    let schema: Value = Sandbox::new().batchmill(&["schema", "--events"]).exits_with(0).json();
    let promised: BTreeSet<&str> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["$ref"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(kinds.keys().map(String::as_str).collect::<BTreeSet<_>>(), promised);
    for (kind, key) in [
        ("step_started", "total"),
        ("step_started", "bytes"),
        ("step_finished", "failure"),
        ("step_finished", "detail"),
        ("step_finished", "code"),
    ] {
        for is in ["null", "set"] {
            assert!(kinds[kind].contains(&format!("{key} {is}")), "no {kind} with `{key}` {is}");
        }
    }
    assert!(kinds["item_slow"].contains("item set"));
    all.iter().for_each(|event| check(event, &schema).unwrap());
    let text = sandbox.read("again.jsonl");
    assert!(text.starts_with("{\"event\":\"run_started\",\"time\":") && text.ends_with("}\n"), "{text}");
    assert_eq!(text.matches("run_started").count(), 1);
}

#[test]
fn files_that_are_items_have_a_size() {
    let workflow = "steps:\n  - name: load\n    for_each: {glob: data/*}\n    batch_size: SIZE\n    continue_on_error: true\n    task: shell\n    inputs: {command: 'work {{ item }}'}\n";
    for size in ["1", "2", "auto"] {
        let mut sandbox = Sandbox::with(&workflow.replace("SIZE", size)).script("work", "case $1 in *b) exit 1;; esac");
        for (name, size) in [("a", 10), ("b", 200), ("c", 3000)] {
            sandbox = sandbox.file(&format!("data/{name}"), vec![b'x'; size]);
        }
        let sizes = |sandbox: &Sandbox, name: &str| {
            let events = events(sandbox, name);
            let started = events.iter().find(|event| event["event"] == "step_started").unwrap();
            let last = events.iter().rfind(|event| event["event"] == "batch_finished").unwrap();
            (started["bytes"].clone(), started["total"].clone(), last["bytes_done"].clone())
        };
        sandbox.run(&["--events", "first.jsonl"]).exits_with(1);
        assert_eq!(sizes(&sandbox, "first.jsonl"), (3210.into(), 3.into(), 3210.into()), "{size}");
        sandbox.batchmill(&["retry", "--events", "again.jsonl"]).exits_with(1);
        assert_eq!(sizes(&sandbox, "again.jsonl"), (3210.into(), 3.into(), 3210.into()), "{size}");
        sandbox.run(&["--events", "few.jsonl", "--max-items", "2"]).exits_with(1);
        assert_eq!(sizes(&sandbox, "few.jsonl").0, Value::Null, "not all of them are read");
    }
}

#[test]
fn the_schema_refuses_what_no_event_is() {
    let schema: Value = Sandbox::new().batchmill(&["schema", "--events"]).exits_with(0).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let event = |text: &str| check(&serde_json::from_str(text).unwrap(), &schema);
    event(r#"{"event":"run_finished","time":1,"run":"r","status":"empty"}"#).unwrap();
    event(r#"{"event":"notice","time":1,"step":null,"text":""}"#).unwrap();
    for wrong in [
        r#"{"event":"run_finished","time":1,"run":"r","status":"over"}"#,
        r#"{"event":"run_finished","time":1,"run":"r"}"#,
        r#"{"event":"run_finished","time":1,"run":"r","status":"empty","more":1}"#,
        r#"{"event":"run_finished","time":1.5,"run":"r","status":"empty"}"#,
        r#"{"event":"run_finished","time":-1,"run":"r","status":"empty"}"#,
        r#"{"event":"run_ended","time":1,"run":"r","status":"empty"}"#,
        r#"{"event":"notice","time":1,"step":7,"text":""}"#,
        "[]",
    ] {
        assert!(event(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn progress_and_events_are_the_same_lines() {
    let sandbox = three("echo {{ item }}", "");
    let lines = |text: &str| {
        let line = |line: &str| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            event.as_object_mut().unwrap().remove("time").unwrap();
            event
        };
        text.lines().map(line).collect::<Vec<_>>()
    };
    let ended = sandbox.run(&["--progress", "json", "--events", "-"]).exits_with(0);
    assert_eq!(lines(&ended.stderr), lines(&ended.stdout));
    let ended = sandbox.run(&["--events", "new/deep/e.jsonl", "--format", "json", "--progress", "none"]).exits_with(0);
    assert_eq!(ended.json()["status"], "succeeded");
    assert_eq!(lines(&sandbox.read("new/deep/e.jsonl")).len(), 7);
    // The file has the events of the latest execution.
    sandbox.batchmill(&["resume", "--events", "new/deep/e.jsonl"]).exits_with(0);
    assert_eq!(sandbox.read("new/deep/e.jsonl").matches("run_started").count(), 1);
    assert_eq!(fs::read_dir(sandbox.path().join("new/deep")).unwrap().count(), 1, "nothing else is left");
}

/// Refused, before anything ran.
#[track_caller]
fn refused(sandbox: &Sandbox, arguments: &[&str], says: &[&str]) {
    let ended: Ended = sandbox.run(arguments).exits_with(2).says(says).says(&["help:"]);
    assert!(ended.stdout.is_empty() && !sandbox.exists(".batchmill") && !sandbox.exists("ran"), "{arguments:?}");
}

#[test]
fn each_place_has_one_owner() {
    let outputs = "    outputs: {path: 'out/{{ params.day }}.csv'}\n  - name: parts\n    for_each: [1]\n    task: echo\n    inputs: {message: x}\n    outputs: {path: parts, format: jsonl, parts: true}\nparams: {day: {type: string, default: mon}}\n";
    let sandbox = three("echo >> ran", outputs).file("data.csv", "a,b\n").file("bytes", [0xff, 0xfe]);
    std::os::unix::fs::symlink("out/mon.csv", sandbox.path().join("link")).unwrap();
    let both = "both write to stdout";
    refused(&sandbox, &["--events", "-", "--format", "json"], &["`--events -` and `--format json`", both]);
    refused(
        &sandbox,
        &["--events", "/dev/stdout", "--format", "json"],
        &["`--events /dev/stdout` and `--format json`", both],
    );
    refused(&sandbox, &["--metrics", "-"], &["`--metrics` cannot be stdout"]);
    for option in ["--events", "--metrics"] {
        let names = [option, "`outputs` of step `work`", "`out/mon.csv`"];
        for same in ["out/mon.csv", "./out/../out/mon.csv"] {
            refused(&sandbox, &[option, same], &names);
        }
        refused(
            &sandbox,
            &["day=tue", option, "out/tue.csv"],
            &["`outputs` of step `work` both write to `out/tue.csv`"],
        );
        refused(&sandbox, &[option, "parts/part-9"], &["`outputs` of step `parts`"]);
        for mine in ["workflow.yaml", "data.csv", "bytes"] {
            refused(&sandbox, &[option, mine], &["has other content, which", option]);
        }
        refused(&sandbox, &[option, "link"], &["cannot write", "broken symbolic link"]);
        refused(&sandbox, &[option, "."], &["cannot write", "directory"]);
        refused(&sandbox, &[option, "data.csv/x"], &["cannot write", "`data.csv/x`"]);
    }
    refused(&sandbox, &["--metrics", "/dev/null"], &["cannot write metrics to `/dev/null`", "not a regular file"]);
    refused(&sandbox, &["--events", "x", "--metrics", "./x"], &["`--events` and `--metrics` are the same file"]);
    assert_eq!(sandbox.read("data.csv"), "a,b\n");
    assert!(!sandbox.exists("out") && !sandbox.exists("x"));
    sandbox.run(&["--events", "/dev/null", "--metrics", "parts.prom"]).exits_with(0);
    sandbox.run(&["--events", "out/mon.jsonl", "--metrics", "parts.prom"]).exits_with(0);
}

#[test]
fn an_output_that_turns_out_to_be_the_file_of_events_is_refused_when_its_step_starts() {
    let later = "  - name: write\n    for_each: [1]\n    task: echo\n    inputs: {message: x}\n    outputs: {path: '{{ steps.work.results[0].stdout }}', format: jsonl}\n";
    let sandbox = three("echo e.jsonl", later);
    for option in ["--events", "--metrics"] {
        let ended = sandbox.run(&[option, "e.jsonl"]);
        let ended = ended.says(&[&format!("`path`: `{option}` of this run also writes to `e.jsonl`")]);
        assert!(matches!(ended.code, Some(2 | 3)), "{ended:?}");
        fs::remove_file(sandbox.path().join("e.jsonl")).unwrap();
    }
}

#[test]
fn two_runs_at_a_time_do_not_share_a_file() {
    let sandbox = three("until [ -e go ]; do :; done", "");
    let running = sandbox.run_until(&["--events", "e.jsonl", "--metrics", "m.prom"], "step work");
    for options in [["--events", "e.jsonl"], ["--metrics", "./m.prom"], ["--events", "m.prom"]] {
        let ended = sandbox.batchmill(&[&["run", "workflow.yaml"], &options[..]].concat());
        ended.exits_with(2).says(&["help: "]);
    }
    fs::write(sandbox.path().join("go"), "").unwrap();
    assert_eq!(running.ends_with(), Some(0));
    let text = sandbox.read("e.jsonl");
    assert!(text.contains("run_started") && text.contains("run_finished"), "{text}");
}

#[test]
fn what_cannot_be_written_any_more_is_one_warning_and_the_run_goes_on() {
    // The metrics may be written at any moment, which makes the directory again.
    let sandbox =
        three("until rm -rf m && echo > m; do :; done", "  - name: next\n    task: echo\n    inputs: {message: hi}\n");
    for progress in ["plain", "none", "json"] {
        let full = sandbox.run(&["--progress", progress, "--events", "/dev/full"]).exits_with(0);
        let warning = "warning: cannot write any more events to `/dev/full`: No space left on device";
        assert_eq!(full.stderr.matches(warning).count(), 1, "{}", full.stderr);
        fs::remove_file(sandbox.path().join("m")).unwrap();
        let gone = sandbox.run(&["--progress", progress, "--metrics", "m/x.prom", "--events", "e.jsonl"]).exits_with(0);
        let warning = "warning: cannot write metrics to `m/x.prom`";
        assert_eq!(gone.stderr.matches(warning).count(), 1, "{}", gone.stderr);
        fs::remove_file(sandbox.path().join("m")).unwrap();
    }
    let mut command = sandbox.command(&["run", "workflow.yaml", "--events", "-", "--progress", "none"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.matches("any more events to `stdout`").count() <= 1, "{stderr}");
}

/// The samples of a file of metrics by name and labels, after a check of the rules that both formats have in common.
#[track_caller]
fn metrics(text: &str) -> BTreeMap<String, f64> {
    let lines = text.strip_suffix("# EOF\n").expect("it ends with the mark of OpenMetrics").lines();
    let (mut family, mut kind, mut seen) = ("", "", BTreeSet::new());
    let mut samples = BTreeMap::new();
    for line in lines {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                assert!(seen.insert(name), "{name} twice");
                assert!(!help.contains(['"', '\\']), "only OpenMetrics knows this escape: {line}");
                (family, kind) = (name, "");
            }
            ["#", "TYPE", name, of] => {
                // `node_exporter` refuses a file with any type that only OpenMetrics has.
                assert!(name == family && ["counter", "gauge"].contains(&of), "{line}");
                kind = of;
            }
            ["#", "UNIT", name, unit] => assert!(name == family && name.ends_with(&format!("_{unit}")), "{line}"),
            _ => {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let (name, labels) = sample.split_once('{').unwrap();
                let suffix = if kind == "counter" { "_total" } else { "" };
                assert_eq!(name, format!("{family}{suffix}"), "{line}");
                assert!(labels.starts_with("workflow=\"") && labels.ends_with("\"}"), "{line}");
                assert!(samples.insert(sample.to_owned(), value.parse().unwrap()).is_none(), "{line}");
            }
        }
    }
    samples
}

#[test]
fn metrics_tell_how_far_a_run_is_and_how_it_ended() {
    let next = "    continue_on_error: true\n  - name: rows\n    task: batch\n    inputs: {items: {csv: a.csv}, task: {type: shell, command: 'until grep -q outcome=.succeeded.*2$ m.prom; do :; done; cp m.prom seen'}}\n";
    let sandbox = three("[ {{ item }} != 1 ] || [ -e good ]", next).file("a.csv", "x\n1\n");
    sandbox.run(&["--metrics", "m.prom"]).exits_with(1);
    let seen = metrics(&sandbox.read("seen"));
    let of = |samples: &BTreeMap<String, f64>, name: &str| samples.get(name).copied();
    let step = |metric: &str, step: &str| format!("batchmill_{metric}{{workflow=\"workflow\",step=\"{step}\"}}");
    let items =
        |outcome: &str| format!("batchmill_items_total{{workflow=\"workflow\",step=\"work\",outcome=\"{outcome}\"}}");
    let run = |metric: &str| format!("batchmill_{metric}{{workflow=\"workflow\"}}");
    let status = |status: &str| format!("batchmill_run_status{{workflow=\"workflow\",status=\"{status}\"}}");
    assert_eq!((of(&seen, &items("succeeded")), of(&seen, &items("failed"))), (Some(2.0), Some(1.0)));
    assert_eq!(
        (of(&seen, &step("step_workers", "work")), of(&seen, &step("step_workers", "rows"))),
        (Some(0.0), Some(1.0))
    );
    assert_eq!((of(&seen, &status("running")), of(&seen, &run("exit_code"))), (Some(1.0), None));
    assert_eq!(of(&seen, &step("step_size_bytes", "rows")), Some(4.0));

    let end = metrics(&sandbox.read("m.prom"));
    assert_eq!((of(&end, &status("partial")), of(&end, &run("exit_code"))), (Some(1.0), Some(1.0)));
    assert_eq!((of(&end, &status("running")), of(&end, &run("last_success_timestamp_seconds"))), (Some(0.0), None));
    assert_eq!(of(&end, &step("input_bytes_total", "rows")), Some(4.0));
    assert_eq!(of(&end, &step("step_items", "work")), Some(3.0));

    let sandbox = sandbox.file("good", "");
    sandbox.batchmill(&["retry", "--metrics", "m.prom"]).exits_with(0);
    let good = metrics(&sandbox.read("m.prom"));
    let last = of(&good, &run("last_success_timestamp_seconds")).unwrap();
    assert_eq!((of(&good, &items("succeeded")), of(&good, &run("exit_code"))), (Some(3.0), Some(0.0)));
    assert!(last >= of(&good, &run("run_start_timestamp_seconds")).unwrap(), "{good:#?}");

    // A run that fails does not forget when the last one succeeded.
    fs::remove_file(sandbox.path().join("good")).unwrap();
    sandbox.run(&["--metrics", "m.prom"]).exits_with(1);
    let failed = metrics(&sandbox.read("m.prom"));
    let again = of(&failed, &run("last_success_timestamp_seconds")).unwrap();
    assert!(again <= of(&failed, &run("run_start_timestamp_seconds")).unwrap() && again > 1.6e9, "{failed:#?}");
}

#[test]
fn a_run_that_is_refused_has_its_exit_code_in_the_metrics() {
    let sandbox = three("true", "").file("state", "a file");
    sandbox.run(&["--state-dir", "state/x", "--metrics", "m.prom"]).exits_with(2);
    let samples = metrics(&sandbox.read("m.prom"));
    assert_eq!(samples["batchmill_exit_code{workflow=\"workflow\"}"], 2.0);
    assert_eq!(samples["batchmill_run_status{workflow=\"workflow\",status=\"failed\"}"], 1.0);
}

#[test]
fn hostile_text_and_secrets_stay_out_of_events_and_metrics() {
    let workflow = "name: \"a\\\"b\\\\c\\n\\e[31m\"\nsecrets: [pin]\nparams: {pin: {type: string}}\nsteps:\n  - name: work\n    for_each: [\"x\\e]0;t\\a\\u202e\"]\n    continue_on_error: true\n    task: shell\n    inputs: {command: 'echo {{ item }} {{ params.pin }} >&2; exit 1'}\n  - name: say\n    task: echo\n    inputs: {message: 'pin {{ params.pin }}'}\n";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&["pin=Tr0ub4dor", "--events", "e.jsonl", "--metrics", "m.prom"]).exits_with(1);
    let (events, text) = (sandbox.read("e.jsonl"), sandbox.read("m.prom"));
    assert!(events.contains("pin ***"), "{events}");
    assert!(!text.contains("x]") && metrics(&text).len() > 10, "{text}");
    for text in [events, text] {
        let live = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(live) && !text.contains("Tr0ub4dor"), "{text}");
    }
}
