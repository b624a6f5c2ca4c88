//! A file of rows that was edited: its rows are known by their content, and only what differs runs.

use crate::support::{Sandbox, python};
use serde_json::json;

fn workflow(items: &str, more: &str) -> String {
    format!(
        "
steps:
  - name: work
    task: batch
    inputs:
      items: {items}
      continue_on_error: true
{more}      task:
        type: shell
        command: 'echo {{{{ item.id }}}}-{{{{ item.v }}}} >> ran; echo {{{{ item.id }}}}-{{{{ item.v }}}}; [ {{{{ item.v }}}} != bad ]'
"
    )
}

fn ran(sandbox: &Sandbox) -> Vec<String> {
    let ran = if sandbox.exists("ran") { sandbox.read("ran") } else { String::new() };
    let _ = std::fs::remove_file(sandbox.path().join("ran"));
    let mut ran: Vec<String> = ran.lines().map(str::to_owned).collect();
    ran.sort();
    ran
}

fn said(sandbox: &Sandbox) -> Vec<String> {
    sandbox.results("work").iter().map(|result| result["stdout"].as_str().unwrap().to_owned()).collect()
}

/// A file of these rows, and what each of them prints.
fn rows(form: &str, rows: &[(usize, &str)]) -> (String, Vec<String>) {
    let said = rows.iter().map(|(id, v)| format!("{id}-{v}")).collect();
    let text = match form {
        "csv" => rows.iter().fold("id,v\n".to_owned(), |text, (id, v)| text + &format!("{id},{v}\n")),
        _ => rows.iter().fold(String::new(), |text, (id, v)| text + &format!("{{\"id\":{id},\"v\":\"{v}\"}}\n")),
    };
    (text, said)
}

#[test]
#[ignore = "heavy: takes seconds"]
fn only_the_rows_that_differ_run_again() {
    for form in ["csv", "jsonl"] {
        for way in [&["resume"][..], &["run", "workflow.yaml", "--incremental"]] {
            for more in ["", "      batch_size: 7\n", "      max_parallel: 2\n      batch_size: 3\n"] {
                let sandbox = Sandbox::with(&workflow(&format!("{{{form}: rows.{form}}}"), more));
                let mut list: Vec<(usize, &str)> = (0..40).map(|id| (id, "good")).collect();
                list[20].1 = "bad";
                let sandbox = sandbox.file(&format!("rows.{form}"), rows(form, &list).0);
                sandbox.run(&[]).exits_with(1);
                ran(&sandbox);
                // One mended, one edited, one inserted in front, one taken away, and two that changed places.
                list[20].1 = "mended";
                list[5].1 = "edited";
                list.swap(30, 31);
                list.remove(35);
                list.insert(0, (100, "new"));
                let (text, expected) = rows(form, &list);
                let sandbox = sandbox.file(&format!("rows.{form}"), text);
                sandbox.batchmill(way).exits_with(0).says(&["3 of 40 items will run"]);
                assert_eq!(ran(&sandbox), ["100-new", "20-mended", "5-edited"], "{form} {way:?} {more}");
                assert_eq!(said(&sandbox), expected);
                sandbox.batchmill(&["audit"]).exits_with(0);
                sandbox.batchmill(way).exits_with(0).says(&["0 of 40 items will run"]);
                assert_eq!(said(&sandbox), expected);
            }
        }
    }
}

#[test]
fn rows_that_are_equal_are_counted() {
    let sandbox = Sandbox::with(&workflow("{csv: rows.csv}", ""));
    let sandbox = sandbox.file("rows.csv", "id,v\n1,a\n1,a\n2,b\n");
    sandbox.run(&[]).exits_with(0);
    ran(&sandbox);
    let sandbox = sandbox.file("rows.csv", "id,v\n1,a\n1,a\n1,a\n2,b\n");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!((ran(&sandbox), said(&sandbox).len()), (vec!["1-a".to_owned()], 4));
    let sandbox = sandbox.file("rows.csv", "id,v\n1,a\n2,b\n");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!((ran(&sandbox), said(&sandbox)), (vec![], vec!["1-a".to_owned(), "2-b".to_owned()]));
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn a_row_means_what_its_header_says() {
    let sandbox = Sandbox::with(&workflow("{csv: rows.csv}", "")).file("rows.csv", "id,v\n1,2\n3,4\n");
    sandbox.run(&[]).exits_with(0);
    ran(&sandbox);
    let sandbox = sandbox.file("rows.csv", "v,id\n1,2\n3,4\n");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(said(&sandbox), ["2-1", "4-3"]);
    // A column with the name of the file makes equal rows of two files different.
    let items = "{csv: 'd/*.csv', where_from: v}";
    let sandbox = Sandbox::with(&workflow(items, "")).file("d/a.csv", "id\n1\n");
    sandbox.run(&[]).exits_with(0);
    std::fs::rename(sandbox.path().join("d/a.csv"), sandbox.path().join("d/b.csv")).unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(said(&sandbox), ["1-d/b.csv"]);
}

#[test]
fn rows_that_move_to_another_file_keep_their_results() {
    let sandbox = Sandbox::with(&workflow("{csv: 'd/*.csv'}", "")).file("d/a.csv", "id,v\n1,a\n2,b\n3,c\n");
    sandbox.run(&[]).exits_with(0);
    ran(&sandbox);
    let sandbox = sandbox.file("d/a.csv", "id,v\n1,a\n").file("d/b.csv", "id,v\n3,c\n2,b\n4,d\n");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(
        (ran(&sandbox), said(&sandbox)),
        (vec!["4-d".to_owned()], ["1-a", "3-c", "2-b", "4-d"].map(str::to_owned).into())
    );
}

#[test]
fn rows_of_parquet_files_are_known_too() {
    let sandbox = Sandbox::with(&workflow("{parquet: rows.parquet}", ""));
    let write = |values: &str| {
        let code = format!(
            "import pyarrow as a, pyarrow.parquet as p; p.write_table(a.table({{'id': list(range(4)), 'v': {values}}}), 'rows.parquet')"
        );
        let written = std::process::Command::new(python()).args(["-c", &code]).current_dir(sandbox.path()).status();
        assert!(written.unwrap().success());
    };
    write("['a', 'b', 'c', 'd']");
    sandbox.run(&[]).exits_with(0);
    ran(&sandbox);
    write("['a', 'x', 'c', 'd']");
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["1 of 4 items will run"]);
    assert_eq!((ran(&sandbox), said(&sandbox)[1].clone()), (vec!["1-x".to_owned()], "1-x".to_owned()));
}

#[test]
fn a_batched_task_runs_again_for_the_batches_that_changed() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: {csv: rows.csv}
      batch_size: 10
      task: {type: python, code: 'return sum(int(r[\"v\"]) for r in item)'}
";
    let text = |changed: usize| {
        (0..40).fold("v\n".to_owned(), |text, row| text + &format!("{}\n", if row == changed { 1000 } else { row }))
    };
    let sandbox = Sandbox::with(workflow).file("rows.csv", text(99));
    sandbox.run(&[]).exits_with(0);
    let sandbox = sandbox.file("rows.csv", text(15));
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["10 of 40 items will run"]);
    assert_eq!(sandbox.results("work"), [json!(45), json!(145 + 985), json!(245), json!(345)]);
}

#[test]
fn a_row_that_failed_does_not_take_the_result_of_an_equal_one() {
    let task = "'echo {{ item.id }} >> ran; [ $(wc -l < ran) -gt 1 ]'";
    let workflow = workflow("{csv: [a.csv, b.csv]}", "");
    let begin = workflow.find("'echo").unwrap();
    let workflow = format!("{}{task}\n", &workflow[..begin]);
    let sandbox = Sandbox::with(&workflow).file("a.csv", "id,v\n7,x\n").file("b.csv", "id,v\n7,x\n8,x\n");
    sandbox.run(&["--jobs", "1"]).exits_with(1);
    assert_eq!(ran(&sandbox), ["7", "7", "8"]);
    // The row in the second file goes; its result is not that of the row in the first one, which failed.
    let sandbox = sandbox.file("b.csv", "id,v\n8,x\n").file("ran", "before\n");
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["1 of 2 items will run: 1 failed before"]);
    assert_eq!(ran(&sandbox), ["7", "before"]);
    sandbox.batchmill(&["audit"]).exits_with(0);
}
