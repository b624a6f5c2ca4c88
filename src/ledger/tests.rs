//! Runs written and read back, without an engine.

use super::database::Database;
use super::schema::{SCHEMA, migrate};
use super::*;
use crate::model::{
    BatchReport, Fingerprint, Indexes, ItemAttempt, ItemKey, Keys, Lines, LogEntry, ResultForm, Stats, Status,
    StepName, StepReport,
};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

fn new_run(state: &tempfile::TempDir) -> Ledger {
    let folder = StateFolder(state.path().to_path_buf()).create_run("test").unwrap();
    let (workflow, path, params) = ("test".to_owned(), "test.yaml".into(), "{}".to_owned());
    let given = Given { params: "{}".to_owned(), python: None, state: None };
    Ledger::create(
        folder,
        &RunMeta {
            workflow,
            path,
            params,
            incremental: None,
            given,
            params_hash: String::new(),
            max_items: None,
            source: String::new(),
            machine: String::new(),
        },
        Durability::Normal,
    )
    .unwrap()
}

fn name(name: &str) -> StepName {
    StepName::new(name).unwrap()
}

/// The report of a batch with one item, whose result is its index.
fn succeeded(index: u64) -> BatchReport {
    let mut lines = Lines::default();
    lines.push(index.to_string().as_bytes());
    BatchReport {
        number: index + 1,
        batches: 1,
        attempt: 1,
        succeeded: Indexes::Range(index..index + 1),
        keys: Keys::List(vec![ItemKey::of(index.to_string().as_bytes())]),
        lines,
        form: ResultForm::Lines,
        list: false,
        files: Vec::new(),
        failed: Vec::new(),
        retries: Vec::new(),
        skipped: 0,
        bytes: 0,
        span: crate::model::BatchSpan { took: Duration::from_millis(1), ..Default::default() },
    }
}

/// A fingerprint with one part.
fn fingerprint(code: &str) -> Fingerprint {
    Fingerprint::new([("task.code".to_owned(), code.to_owned())].into())
}

fn ended(name: &StepName) -> StepReport {
    let (stats, failure) = (Stats { total: 100, succeeded: 100, ..Stats::default() }, None);
    StepReport { name: name.clone(), status: Status::Succeeded, stats, failure }
}

#[test]
fn two_steps_record_side_by_side() {
    let state = tempfile::tempdir().unwrap();
    let mut run = new_run(&state);
    let steps = ["left", "right"].map(|step| run.begin_step(&name(step), StepType::Batch).unwrap().0);
    let turn = Barrier::new(2);
    thread::scope(|threads| {
        for mut step in steps {
            let turn = &turn;
            step.use_fingerprint(&fingerprint("1")).unwrap();
            threads.spawn(move || {
                for index in 0..100 {
                    turn.wait();
                    step.record(&[succeeded(index)]).unwrap();
                    let text = format!("{} {index}", step.name());
                    let item = Some(ItemAttempt { index, attempt: 1 });
                    step.log(&LogEntry { item, stream: "stdout".to_owned(), text }).unwrap();
                }
                let report = ended(step.name());
                step.finish(&report).unwrap();
            });
        }
    });
    let folder = run.folder().clone();
    run.finish_run(Status::Succeeded).unwrap();
    let reader = Reader::open(folder.clone()).unwrap();
    for step in ["left", "right"] {
        let log = std::fs::read_to_string(folder.logs().join(&format!("{step}.log")).to_path_buf()).unwrap();
        assert!(log.lines().count() == 100 && log.lines().all(|line| line.contains(step)), "{log}");
        let step = reader.step(&name(step)).unwrap().unwrap();
        let results = step.results().unwrap().into_json_array().unwrap();
        let results: Vec<u64> = serde_json::from_slice(&results).unwrap();
        assert!(results.iter().copied().eq(0..100), "{results:?}");
        let audit = step.audit().unwrap();
        assert!(audit.problems.is_empty(), "{:?}", audit.problems);
    }
}

#[test]
fn an_open_step_keeps_the_run_locked() {
    let state = tempfile::tempdir().unwrap();
    let mut run = new_run(&state);
    let folder = run.folder().clone();
    let (step, _) = run.begin_step(&name("a"), StepType::Batch).unwrap();
    drop(run);
    assert!(folder.is_locked());
    drop(step);
    assert!(!folder.is_locked());
}

/// The indexes of the items that are done in a step, and what they depend on.
#[test]
fn the_key_of_secrets_is_long_its_own_and_kept() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let keys = [&folders[0], &folders[1], &folders[0]].map(|it| StateFolder(it.path().to_path_buf()).key().unwrap());
    assert!(keys.iter().all(|key| key.len() == 32));
    assert_ne!(keys[0], keys[1]);
    assert_eq!(keys[0], keys[2]);
    std::fs::write(folders[0].path().join("key"), "short").unwrap();
    assert_eq!(
        StateFolder(folders[0].path().to_path_buf()).key().unwrap().len(),
        32,
        "one that was cut off is replaced"
    );
}

fn done(history: &StepHistory) -> Vec<(u64, &str)> {
    let part = |batch| history.fingerprint_of(batch).parts["task.code"].as_str();
    history.batches.iter().map(|batch| (batch.indexes.get(0), part(batch))).collect()
}

#[test]
fn results_of_other_fingerprints_are_forgotten_one_by_one() {
    let state = tempfile::tempdir().unwrap();
    let mut run = new_run(&state);
    let (mut step, _) = run.begin_step(&name("a"), StepType::Batch).unwrap();
    for (index, code) in ["old", "new", "old", "new"].into_iter().enumerate() {
        step.use_fingerprint(&fingerprint(code)).unwrap();
        step.record(&[succeeded(index as u64)]).unwrap();
    }
    let before = step.revision().unwrap();
    drop(step);
    let (mut step, mut history) = run.begin_step(&name("a"), StepType::Batch).unwrap();
    assert_eq!(done(&history), [(0, "old"), (1, "new"), (2, "old"), (3, "new")]);
    assert!(history.fingerprints().eq([&fingerprint("old"), &fingerprint("new")]));
    step.use_fingerprint(&fingerprint("old")).unwrap();
    step.forget_where_fingerprint_differs(&mut history).unwrap();
    assert_eq!(done(&history), [(0, "old"), (2, "old")]);
    assert_ne!(step.revision().unwrap(), before);
    step.record(&[succeeded(1)]).unwrap();
    drop(step);
    let (step, history) = run.begin_step(&name("a"), StepType::Batch).unwrap();
    assert_eq!(done(&history), [(0, "old"), (2, "old"), (1, "old")]);
    drop(step);
    let reader = Reader::open(run.folder().clone()).unwrap();
    let results = reader.step(&name("a")).unwrap().unwrap().results().unwrap();
    assert_eq!(results.into_json_array().unwrap(), b"[0,1,2]");
}

#[test]
fn a_step_whose_fingerprints_this_version_does_not_compute_is_refused() {
    for version in [Fingerprint::VERSION - 1, Fingerprint::VERSION + 1] {
        let state = tempfile::tempdir().unwrap();
        let mut run = new_run(&state);
        let (mut step, _) = run.begin_step(&name("a"), StepType::Batch).unwrap();
        step.use_fingerprint(&Fingerprint { version, ..fingerprint("1") }).unwrap();
        drop(step);
        let (mut step, _) = run.begin_step(&name("a"), StepType::Batch).expect("nothing was done");
        step.use_fingerprint(&Fingerprint { version, ..fingerprint("1") }).unwrap();
        step.record(&[succeeded(0)]).unwrap();
        drop(step);
        let refused = run.begin_step(&name("a"), StepType::Batch).err();
        assert!(matches!(refused, Some(LedgerError::OtherFingerprints { version: found, .. }) if found == version));
        run.forget_step(&name("a")).unwrap();
        run.begin_step(&name("a"), StepType::Batch).expect("nothing is left");
    }
}

/// The columns of all tables: name, type, whether they may be null, place in the primary key.
fn columns(database: &Path) -> Vec<(String, String, String, bool, i64)> {
    let query = "SELECT tables.name, columns.name, columns.type, columns.\"notnull\", columns.pk
        FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns ORDER BY tables.name, columns.cid";
    let database = Connection::open(database).unwrap();
    let mut columns = database.prepare(query).unwrap();
    let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
    columns.unwrap().map(Result::unwrap).collect()
}

/// The triggers that keep checksums.
fn triggers(database: &Path) -> Vec<String> {
    let database = Connection::open(database).unwrap();
    let mut triggers = database.prepare("SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name").unwrap();
    triggers.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_migrated_database_has_the_tables_of_a_new_one() {
    let state = tempfile::tempdir().unwrap();
    let run = new_run(&state);
    for (schema, sql) in [
        (3, include_str!("../../fixtures/ledger/schema-3/workflow/run.sql")),
        (3, include_str!("../../fixtures/ledger/schema-3/waiting/run.sql")),
        (4, include_str!("../../fixtures/ledger/schema-4/workflow/run.sql")),
        (5, include_str!("../../fixtures/ledger/schema-5/workflow/run.sql")),
        (6, include_str!("../../fixtures/ledger/schema-6/workflow/run.sql")),
    ] {
        let old = state.path().join("old.db");
        drop(std::fs::remove_file(&old));
        Connection::open(&old).unwrap().execute_batch(sql).unwrap();
        let mut database = Database::open(super::run_path::RunPath::new(old.clone(), 1), Durability::Normal).unwrap();
        migrate(&mut database).unwrap();
        let version: u32 = database.run(|db| db.query_row("PRAGMA user_version", [], |row| row.get(0))).unwrap();
        assert_eq!(version, SCHEMA);
        assert_eq!(columns(&old), columns(&run.folder().database()), "from schema {schema}");
        assert_eq!(triggers(&old), triggers(&run.folder().database()), "from schema {schema}");
    }
}
