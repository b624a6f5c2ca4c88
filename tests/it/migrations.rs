//! Runs that earlier versions made: read, continued or refused. They are kept as text in `fixtures/ledger`.

use crate::support::{Sandbox, repository};
use rusqlite::Connection;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// A sandbox with a run of this schema, and the workflow that it is a run of.
pub fn stored(schema: u32, workflow: &str) -> Sandbox {
    let fixtures = repository().join("fixtures/ledger");
    let sandbox = Sandbox::with(&fs::read_to_string(fixtures.join(format!("{workflow}.yaml"))).unwrap());
    fs::rename(sandbox.path().join("workflow.yaml"), sandbox.path().join(format!("{workflow}.yaml"))).unwrap();
    let (from, to) = (fixtures.join(format!("schema-{schema}/{workflow}")), run_folder(&sandbox));
    fs::create_dir_all(to.join("logs")).unwrap();
    fs::create_dir_all(to.join("results")).unwrap();
    for entry in fs::read_dir(from.join("results")).unwrap().map(Result::unwrap) {
        let bytes = fs::read(entry.path()).unwrap();
        let name = entry.file_name().into_string().unwrap();
        match name.strip_suffix(".hex") {
            Some(name) => fs::write(to.join("results").join(name), from_hex(&bytes)).unwrap(),
            None => fs::write(to.join("results").join(name), bytes).unwrap(),
        }
    }
    let sql = fs::read_to_string(from.join("run.sql")).unwrap();
    let database = Connection::open(to.join("run.db")).unwrap();
    database.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    database.execute_batch(&sql.replace("{folder}", sandbox.path().to_str().unwrap())).unwrap();
    sandbox
}

fn run_folder(sandbox: &Sandbox) -> PathBuf {
    sandbox.path().join(".batchmill/runs/20260101-000000000-fixture-0000")
}

fn from_hex(text: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn schema(run: &Path) -> u32 {
    let database = Connection::open(run.join("run.db")).unwrap();
    database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// Results, failures and the rest can be read.
fn is_read(sandbox: &Sandbox) {
    let printed: Vec<_> =
        sandbox.results("words").iter().map(|result| result["stdout"].as_str().unwrap().to_owned()).collect();
    assert_eq!(printed, ["fig!", "plum!", "pear!", "apple!"]);
    assert_eq!(sandbox.results("count"), [json!("4 words")]);
    let failures = sandbox.failures();
    assert_eq!((failures.len(), &failures[0]["item"], &failures[0]["index"]), (1, &json!("bad"), &json!(1)));
    sandbox.batchmill(&["audit"]).exits_with(0);
    let runs = sandbox.batchmill(&["runs"]).exits_with(0);
    assert!(runs.stdout.contains("ledger-fixture  partial"), "{}", runs.stdout);
}

#[test]
fn runs_of_earlier_schemas_are_read_as_they_are() {
    for version in [3, 4, 5, 6, 7] {
        let sandbox = stored(version, "workflow");
        is_read(&sandbox);
        assert_eq!(schema(&run_folder(&sandbox)), version, "readers change nothing");
    }
}

#[test]
fn a_run_whose_results_cannot_be_compared_is_refused_and_left_as_it_is() {
    let sandbox = stored(3, "workflow");
    for arguments in
        [&["resume"][..], &["retry"], &["run", "workflow.yaml", "--resume"], &["plan", "workflow.yaml", "--resume"]]
    {
        let refused = sandbox.batchmill(arguments).exits_with(2);
        refused.says(&[
            "cannot resume run `20260101-000000000-fixture-0000`: batchmill 0.1.0 started it, before fingerprints \
             had a fixed format",
            "batchmill run FILE",
            "`batchmill results 20260101-000000000-fixture-0000` still prints the results",
        ]);
    }
    assert_eq!(schema(&run_folder(&sandbox)), 3, "the version that made it can still continue it");
    is_read(&sandbox);
}

#[test]
fn an_earlier_run_in_which_nothing_was_done_is_continued() {
    for version in [3, 4, 5, 6, 7] {
        let sandbox = stored(version, "waiting").file("items.txt", "a\nb\n");
        sandbox.batchmill(&["resume"]).exits_with(0);
        assert_eq!(sandbox.results("lines"), ["a", "b"]);
        assert_eq!(schema(&run_folder(&sandbox)), 7);
        sandbox.batchmill(&["audit"]).exits_with(0);
        sandbox.batchmill(&["resume"]).exits_with(0).says(&["0 of 2 items will run"]);
    }
}

/// If this fails because everything runs again, the workflow's fingerprints have changed, and no user can continue a run that was
/// made before: raise `Fingerprint::VERSION`, or give the same fingerprints as before.
#[test]
fn an_earlier_run_is_continued_where_it_stopped() {
    for version in [4, 5, 6, 7] {
        let sandbox = stored(version, "workflow").file("good", "");
        sandbox.batchmill(&["resume"]).exits_with(0).says(&[
            "words: 1 of 5 items will run: 1 failed before",
            "count: everything runs again, because step `words` has new results",
        ]);
        assert_eq!(sandbox.results("words")[1]["stdout"], "bad!");
        assert_eq!(sandbox.results("count"), [json!("5 words")]);
        assert!(sandbox.failures().is_empty());
        sandbox.batchmill(&["audit"]).exits_with(0);
    }
}

#[test]
fn schemas_that_are_older_or_newer_are_refused() {
    for (version, says) in [(2, "older batchmill (schema 2"), (8, "newer batchmill (schema 8")] {
        let sandbox = stored(7, "workflow");
        let database = Connection::open(run_folder(&sandbox).join("run.db")).unwrap();
        database.execute_batch(&format!("PRAGMA user_version = {version}")).unwrap();
        for verb in ["results", "failures", "audit", "resume"] {
            sandbox.batchmill(&[verb]).exits_with(2).says(&[says]);
        }
    }
}
