//! Items from pipes and FIFOs, which are read once, and from files that change while they are read.

use crate::support::{Ended, Sandbox};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// A workflow whose step gives its items back.
fn workflow(items: &str) -> Sandbox {
    Sandbox::with(&format!(
        "steps:\n  - {{name: one, for_each: {items}, batch_size: 1000, task: echo, inputs: {{message: '{{{{ item }}}}'}}}}\n"
    ))
}

/// Runs a verb with this text on its standard input, through a pipe.
fn with_stdin(sandbox: &Sandbox, arguments: &[&str], text: &str) -> Ended {
    let mut engine = sandbox.command(arguments);
    let engine = engine.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut engine = engine.spawn().unwrap();
    let (mut stdin, text) = (engine.stdin.take().unwrap(), text.to_owned());
    let writer = std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    let output = engine.wait_with_output().unwrap();
    writer.join().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn numbers(count: usize) -> String {
    (1..=count).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{number}");
        text
    })
}

#[test]
#[ignore = "heavy: takes seconds"]
fn every_row_of_a_pipe_is_an_item() {
    let text = numbers(100_000);
    for (items, header, first, last) in [
        ("{lines: /dev/stdin}", "", json!("1"), json!("100000")),
        ("{lines: /dev/fd/0}", "", json!("1"), json!("100000")),
        ("{jsonl: /dev/stdin}", "", json!(1), json!(100_000)),
        ("{csv: /dev/stdin}", "n\n", json!({"n": "1"}), json!({"n": "100000"})),
        ("{csv: /proc/self/fd/0, types: infer}", "n\n", json!({"n": 1}), json!({"n": 100_000})),
        ("{csv: /dev/stdin, header: [n]}", "", json!({"n": "1"}), json!({"n": "100000"})),
    ] {
        let sandbox = workflow(items);
        let ended = with_stdin(&sandbox, &["run", "workflow.yaml"], &format!("{header}{text}"));
        assert_eq!(ended.code, Some(0), "{items}: {ended:?}");
        let results = sandbox.results("one");
        assert_eq!((results.len(), &results[0], &results[99_999]), (100_000, &first, &last), "{items}");
        let few = with_stdin(&workflow(items), &["run", "workflow.yaml"], &format!("{header}7\n"));
        assert_eq!(few.code, Some(0), "{items}: {few:?}");
    }
}

#[test]
fn a_fifo_is_opened_once() {
    for (items, text) in [("{lines: fifo}", "a\nb\n"), ("{csv: [a.csv, fifo]}", "n\na\nb\n")] {
        let sandbox = workflow(items).file("a.csv", "n\n");
        let fifo = sandbox.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // The writer waits for a reader, writes, and is gone.
        let writer = std::thread::spawn(move || fs::write(fifo, text).unwrap());
        sandbox.run(&[]).exits_with(0);
        writer.join().unwrap();
        assert_eq!(sandbox.results("one").len(), 2, "{items}");
    }
}

#[test]
fn a_stream_cannot_be_compared_or_read_again() {
    let sandbox = Sandbox::with(
        "steps:\n  - {name: one, for_each: {lines: /dev/stdin}, continue_on_error: true, task: shell, inputs: {command: 'test {{ item }} != 3'}}\n",
    );
    let ended = with_stdin(&sandbox, &["run", "workflow.yaml"], &numbers(5));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for verb in [&["resume"][..], &["retry"], &["run", "workflow.yaml", "--resume"]] {
        let again = with_stdin(&sandbox, verb, &numbers(5));
        assert_eq!(again.code, Some(2), "{again:?}");
        again.says(&["the items come from a stream, which cannot be read again", "start a new run"]);
    }
    assert_eq!(sandbox.results("one").len(), 4, "what was done is still there");
    let parquet = workflow("{parquet: /dev/stdin}");
    with_stdin(&parquet, &["run", "workflow.yaml"], "PAR1").says(&["it is a stream", "use a regular file"]);
    let plan = with_stdin(&workflow("{csv: /dev/stdin}"), &["plan", "workflow.yaml"], "n\n1\n2\n");
    assert_eq!(plan.code, Some(0), "{plan:?}");
    let inspected = with_stdin(&Sandbox::new(), &["inspect", "/dev/stdin"], "n,m\n1,2\n2,3\n");
    assert!(inspected.stdout.contains("2 rows"), "{inspected:?}");
}

#[test]
fn a_run_that_waits_for_a_stream_can_be_stopped() {
    let sandbox = workflow("{csv: /dev/stdin}");
    let mut engine = sandbox.command(&["run", "workflow.yaml"]);
    let mut engine = engine.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = engine.stdin.take().unwrap();
    stdin.write_all(b"n\n1\n").unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(engine.stderr.take().unwrap()));
    lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("started"))).unwrap().unwrap();
    let pid = rustix::process::Pid::from_child(&engine);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(engine.wait().unwrap().code(), Some(130));
}

/// A step that changes the file of its own items while it reads them: the first item does so.
fn changing(source: &str, how: &str) -> Sandbox {
    let mut text = "n,pad\n".to_owned();
    for number in 0..40_000 {
        let _ = writeln!(text, "{number},{}", "x".repeat(40));
    }
    let workflow = format!(
        "
steps:
  - name: one
    for_each: {source}
    batch_size: 100
    batched: false
    max_parallel: 1
    task: python
    inputs:
      code: |
        import os, gzip
        if index == 0:
            {how}
        return index
"
    );
    Sandbox::with(&workflow).file("a.csv", text)
}

#[test]
fn a_file_is_read_to_the_size_that_it_had() {
    for source in ["{csv: a.csv}", "{lines: a.csv}"] {
        let sandbox = changing(source, "open('a.csv', 'a').write('new,row\\n' * 1000)");
        let ended = sandbox.run(&[]).exits_with(0);
        let ended = ended.says(&["`a.csv` has grown since it was opened"]);
        assert_eq!(ended.stderr.matches("has grown").count(), 1);
        let rows = if source.contains("csv: ") { 40_000 } else { 40_001 };
        assert_eq!(sandbox.results("one").len(), rows);
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_no_success() {
    let cut = "os.truncate('a.csv', 200_000)";
    let over = "text = open('a.csv').read(); open('a.csv', 'w').write(text.replace('x', 'y'))";
    for (how, says) in [(cut, "truncated after it was opened"), (over, "after it was opened")] {
        let sandbox = changing("{csv: a.csv}", how);
        let ended = sandbox.run(&[]).exits_with(3);
        ended.says(&[says]);
        let failures = sandbox.failures();
        assert_eq!((failures.len(), &failures[0]["type"]), (1, &Value::from("BadFile")), "{failures:?}");
        let lines = changing("{lines: a.csv}", how);
        let ended = lines.run(&[]);
        assert!(matches!(ended.code, Some(2 | 3)), "{ended:?}");
        ended.says(&["cannot read `a.csv`", says]);
    }
}

#[test]
fn a_later_file_that_changed_since_the_start_is_no_success() {
    let sandbox =
        changing("{csv: [a.csv, b.csv]}", "open('b.csv', 'w').write('m\\n1\\n2\\n')").file("b.csv", "n,pad\n1,2\n");
    sandbox.run(&[]).exits_with(3).says(&["b.csv: it was"]);
    let same = changing("{csv: [a.csv, b.csv]}", "os.path.exists('b.csv')").file("b.csv", "n,pad\n1,2\n");
    same.run(&[]).exits_with(0);
    assert_eq!(same.results("one").len(), 40_001);
}

#[test]
fn a_mark_of_the_encoding_is_no_part_of_the_first_line() {
    let sandbox = workflow("{lines: a.txt}").file("a.txt", "\u{feff}one\ntwo \u{feff}\n");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("one"), ["one", "two \u{feff}"]);
}

#[test]
fn gzip_may_end_with_zeros_and_with_nothing_else() {
    let sandbox = workflow("{csv: a.csv.gz}").file("a.csv", "n\n1\n2\n");
    let gzip = std::process::Command::new("gzip").arg("a.csv").current_dir(sandbox.path()).status().unwrap();
    assert!(gzip.success());
    let mut file = OpenOptions::new().append(true).open(sandbox.path().join("a.csv.gz")).unwrap();
    file.write_all(&[0; 512]).unwrap();
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("one").len(), 2);
    file.write_all(b"garbage").unwrap();
    sandbox.run(&[]).exits_with(3).says(&["followed by bytes that are not gzip"]);
    let file = File::options().write(true).open(sandbox.path().join("a.csv.gz")).unwrap();
    file.set_len(20).unwrap();
    sandbox.run(&[]).says(&["truncated"]);
}

/// A FIFO in the folder, held open at both ends: nobody who opens it waits, and nobody finds its end.
fn fifo(sandbox: &Sandbox, name: &str) -> File {
    let path = sandbox.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

#[test]
#[ignore = "heavy: thousands of commands"]
fn rows_that_are_here_run_while_the_next_ones_are_awaited_and_failures_do_too() {
    for (items, size, header) in [
        ("{lines: in}", 1, ""),
        ("{jsonl: in}", 1, ""),
        ("{csv: in}", 1, "n\n"),
        ("{csv: in, header: [n]}", 2, ""),
        ("{jsonl: in}", 3, ""),
    ] {
        let sandbox = Sandbox::with(&format!(
            "steps:
  - name: one
    for_each: {items}
    batch_size: {size}
    max_parallel: 2
    retry: {{max_attempts: 2, delay: 0}}
    task: shell
    inputs: {{command: 'echo {{{{ index }}}} > said; test $BATCHMILL_ATTEMPT = 2'}}
"
        ));
        let (mut rows, said) = (fifo(&sandbox, "in"), fifo(&sandbox, "said"));
        let mut said = BufReader::new(said).lines();
        let mut engine = sandbox.command(&["run", "workflow.yaml"]).stderr(Stdio::null()).spawn().unwrap();
        rows.write_all(header.as_bytes()).unwrap();
        // Many at first, so that frames have become large when only one batch comes at a time.
        let mut next = 0;
        for count in [300, 1, 1, 1] {
            let batch = next..next + count * size;
            batch.clone().for_each(|row| writeln!(rows, "{row}").unwrap());
            // Each row is tried twice before the next one comes.
            let mut heard: Vec<usize> =
                (0..2 * batch.len()).map(|_| said.next().unwrap().unwrap().parse().unwrap()).collect();
            heard.sort_unstable();
            assert!(heard.into_iter().eq(batch.clone().flat_map(|row| [row, row])), "{items}: {batch:?}");
            next = batch.end;
        }
        drop(rows);
        assert_eq!(engine.wait().unwrap().code(), Some(0), "{items}");
        assert_eq!(sandbox.results("one").len(), next, "{items}");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_step_whose_source_waits_ends_with_its_time_or_with_a_failure() {
    let slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n";
    for items in [
        "{lines: in}".to_owned(),
        "{csv: in}".to_owned(),
        "{jsonl: in}".to_owned(),
        "$(sleep 600)".to_owned(),
        "{command: 'cat in'}".to_owned(),
        format!("{{sql: '{slow}', url: 'sqlite:///db'}}"),
    ] {
        let sandbox = Sandbox::with(&format!(
            "steps:\n  - {{name: one, for_each: {items}, timeout: 300ms, task: echo, inputs: {{message: hi}}}}\n"
        ))
        .file("db", "");
        let mut rows = fifo(&sandbox, "in");
        sandbox.run(&[]).exits_with(3).says(&["StepTimeout: took longer than 300ms, the step's `timeout`"]);
        // Also when some rows are here, and in the middle of one.
        rows.write_all(b"0\n1\n2\n3").unwrap();
        sandbox.run(&[]).exits_with(3).says(&["StepTimeout"]);
        sandbox.has_no_process();
    }
    for items in ["{lines: in}", "{jsonl: in}"] {
        let sandbox = Sandbox::with(&format!(
            "steps:\n  - {{name: one, for_each: {items}, task: shell, inputs: {{command: 'exit {{{{ item }}}}'}}}}\n"
        ));
        let mut rows = fifo(&sandbox, "in");
        rows.write_all(b"0\n7\n").unwrap();
        sandbox.run(&[]).exits_with(3).says(&["one[1]", "failed: ExitStatus: command exited with status 7"]);
    }
}
