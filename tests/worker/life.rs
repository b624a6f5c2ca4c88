//! How a worker lives and dies, and what it keeps apart from the conversation.

use crate::host::{Worker, batch, code, json, run_code};
use batchmill::wire::{WorkerMessage, page};
use std::process::{Command, Stdio};

#[test]
fn printed_text_comes_with_its_item_and_stream() {
    let mut start = code(
        "import logging, sys\nprint('out', item)\nprint('err', file=sys.stderr)\nif item == 2: logging.warning('careful')\nsys.stdout.buffer.write(b'raw\\n')\nreturn item",
    );
    start.setup = Some("import logging".to_owned());
    let answer = Worker::ready(start).run(batch(&["1", "2"]));
    assert_eq!(answer.printed("stdout", Some(0)), "out 1\nraw\n");
    assert_eq!(answer.printed("stdout", Some(1)), "out 2\nraw\n");
    assert_eq!(answer.printed("stderr", Some(0)), "err\n");
    assert!(answer.printed("stderr", Some(1)).contains("careful"));
}

#[test]
fn children_of_user_code_never_reach_the_protocol() {
    let mut worker = Worker::ready(code(
        "import os, sys\nos.system('echo hi; cat')\nreturn [sys.stdin.read(), os.read(0, 10).decode(), os.write(1, b'raw')]",
    ));
    assert_eq!(worker.run(batch(&["1", "2"])).lines(), [r#"["","",3]"#, r#"["","",3]"#]);
    assert!(worker.log_text().contains("hi\nraw"), "{}", worker.log_text());
}

#[test]
fn a_forked_child_neither_speaks_nor_takes_over() {
    let answer = run_code(
        "import os\nif os.fork() == 0:\n    print('child')\n    return 'child'\nos.wait()\nreturn 'parent'",
        &["1", "2"],
    );
    assert_eq!(answer.lines(), ["\"parent\"", "\"parent\""]);
}

#[test]
fn a_worker_that_dies_leaves_its_position_behind() {
    let mut start = code("import os\nif item == 7: os._exit(3)\nreturn item");
    start.items.clock = true;
    let mut worker = Worker::ready(start);
    let (answer, alive) = worker.try_run(batch(&["5", "6", "7", "8"]));
    assert!(!alive && answer.executed == 0);
    assert_eq!(worker.cell(page::POSITION), 3);
    assert_ne!(worker.cell(page::STARTED), 0);
    assert_eq!(worker.wait().code(), Some(3));
}

#[test]
fn an_idle_worker_is_on_no_item() {
    let mut worker = Worker::ready(code("return item"));
    assert_eq!(worker.run(batch(&["1"])).executed, 1);
    assert_eq!(worker.cell(page::POSITION), 0);
}

#[test]
fn finished_items_are_not_held_back_by_a_slow_one() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("gate");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut start = code("if item == 2:\n    print('waiting')\n    open(params['gate']).read()\nreturn item");
    start.scope.params = json(&format!("{{\"gate\": {fifo:?}}}"));
    let mut worker = Worker::ready(start);
    worker.send(&WorkerMessage::Run(batch(&["1", "2"])));
    let mut lines = Vec::new();
    let mut printed = String::new();
    while lines.is_empty() || printed.is_empty() {
        match worker.next() {
            Some(WorkerMessage::Results(results)) => lines.extend(results.lines),
            Some(WorkerMessage::Log(log)) => printed.push_str(&log.text),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((lines.as_slice(), printed.as_str()), (b"1\n".as_slice(), "waiting\n"));
    std::fs::write(&fifo, "go").unwrap();
    let Some(WorkerMessage::Results(rest)) = worker.next() else { panic!("no second result") };
    assert_eq!((rest.first, rest.lines.as_slice()), (1, b"2\n".as_slice()));
}

#[test]
fn halt_lets_no_further_item_begin() {
    let mut worker = Worker::ready(code("return item"));
    rustix::io::pwrite(&worker.page, &1_u64.to_ne_bytes(), page::HALT as u64).unwrap();
    assert_eq!(worker.run(batch(&["1", "2"])).executed, 0);
    rustix::io::pwrite(&worker.page, &0_u64.to_ne_bytes(), page::HALT as u64).unwrap();
    assert_eq!(worker.run(batch(&["1", "2"])).executed, 2);
}

#[test]
fn halt_on_failure_stops_after_the_failed_position() {
    let mut worker = Worker::ready(code("return 1 / item"));
    let mut run = batch(&["1", "0", "2"]);
    run.halt_on_failure = true;
    let answer = worker.run(run);
    assert_eq!(answer.executed, 2);
    assert_eq!(answer.failure().class, "ZeroDivisionError");
}

#[test]
fn output_beyond_a_mebibyte_is_dropped_and_said_so() {
    let answer = run_code("print('x' * 2_000_000)\nreturn 1", &["1"]);
    assert!(answer.printed("stdout", Some(0)).strip_suffix('…').unwrap().len() == 1 << 20);
    assert!(answer.printed("stderr", Some(0)).contains("951425 more bytes"), "{}", answer.printed("stderr", Some(0)));
}

#[test]
fn the_end_of_the_socket_runs_teardown_and_ends_the_worker() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let mut start = code("return 1");
    start.teardown = Some("open(params['mark'], 'w').close()".to_owned());
    start.scope.params = json(&format!("{{\"mark\": {mark:?}}}"));
    assert!(Worker::ready(start).wait().success());
    assert!(mark.exists());
}

#[test]
fn a_failing_teardown_is_told_in_the_log_and_the_status() {
    let mut start = code("return 1");
    start.teardown = Some("raise ValueError('stuck')".to_owned());
    let (logs, status) = Worker::ready(start).stop();
    assert!(logs.iter().any(|log| log.text.contains("ValueError: stuck") && log.position.is_none()), "{logs:?}");
    assert_eq!(status.code(), Some(1));
}

#[test]
fn started_by_hand_it_says_so() {
    let output = Command::new(env!("CARGO_BIN_EXE_batchmill-python")).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("only batchmill itself runs this"));
    let output = Command::new(env!("CARGO_BIN_EXE_batchmill-python")).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("batchmill-python 0.1.0 (CPython 3."), "{text}");
}

#[test]
fn a_virtual_environment_is_what_user_code_sees() {
    if std::env::var_os("BATCHMILL_TEST_WORKER_PYTHON").is_some() {
        return; // An interpreter with the wheel needs no telling what it is.
    }
    let paths = run_code("import sys\nreturn [sys.base_prefix, sys.path]", &["1"]).lines();
    let (home, path): (String, Vec<String>) = serde_json::from_str(&paths[0]).unwrap();
    let packages = tempfile::tempdir().unwrap();
    let more = tempfile::tempdir().unwrap();
    std::fs::write(packages.path().join("more.pth"), more.path().to_str().unwrap()).unwrap();
    std::fs::write(more.path().join("only_here.py"), "X = 5").unwrap();
    let site = serde_json::json!({
        "executable": "/venv/bin/python", "prefix": "/venv", "base_prefix": home, "exec_prefix": "/venv",
        "path": path, "site_packages": [packages.path()],
    });
    let mut worker = Worker::spawn_with(&[("PYTHONHOME", &home), ("BATCHMILL_PYTHON_SITE", &site.to_string())]);
    let source = "
import only_here, os, sys
left = [name for name in ('PYTHONHOME', 'BATCHMILL_PYTHON_SITE') if name in os.environ]
return [only_here.X, sys.executable, sys.prefix, sys.base_prefix == params['home'], left, os.system('test -z \"$PYTHONHOME\"')]
";
    let mut start = code(source);
    start.scope.params = json(&serde_json::json!({ "home": home }).to_string());
    worker.send(&WorkerMessage::Start(Box::new(start)));
    assert!(matches!(worker.next(), Some(WorkerMessage::Ready)));
    assert_eq!(worker.run(batch(&["1"])).lines(), [r#"[5,"/venv/bin/python","/venv",true,[],0]"#]);
}

/// `cargo test --release --features python --test worker -- --ignored --nocapture`
#[test]
#[ignore = "heavy: a measurement, for release builds"]
fn a_million_trivial_items_take_well_under_a_second() {
    let items: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    for (name, source, clock) in [
        ("item * 2", "return item * 2", false),
        ("item * 2, clock", "return item * 2", true),
        ("item + index", "return item + index + batch.size", false),
        ("record", "return {'id': item, 'name': 'x', 'score': 1.5}", false),
    ] {
        let mut start = code(source);
        start.items.clock = clock;
        let mut worker = Worker::ready(start);
        let run = batch(&items);
        worker.run(run.clone());
        let began = std::time::Instant::now();
        for _ in 0..100 {
            assert_eq!(worker.run(run.clone()).executed, 10_000);
        }
        println!("{name}: {} ns/item", began.elapsed().as_nanos() / 1_000_000);
    }
}
