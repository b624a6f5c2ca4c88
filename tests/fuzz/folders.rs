//! Run folders: whatever is in their files, reading and continuing a run ends with what was recorded or with an error.

use crate::fuzzer::fuzz;
use crate::mutation::{Mutation, mutated, mutations};
use crate::program::{batchmill, folder};
use batchmill::ledger::{LedgerError, Reader, RunFolder, StateFolder};
use batchmill::model::RunId;
use proptest::prelude::*;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use std::fs;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// What a reader of these files pays attention to.
const WORDS: &[&str] = &[
    "\0\0\0\0\0\0\0\0",
    "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}",
    "\n",
    "{",
    "\"",
    "null",
    "SQLite format 3\0",
];

const WORKFLOW: &str = "
steps:
  - name: work
    for_each: [a, b, c, d, e, f, g]
    batch_size: 2
    continue_on_error: true
    task: shell
    inputs: {command: 'echo {{ item }}; test {{ item }} != d'}
  - {name: rows, for_each: {csv: rows.csv}, batch_size: 4, task: echo, inputs: {message: '{{ item.n }}'}}
  - {name: counted, for_each: {range: 7}, task: echo, inputs: {message: '{{ item }}'}, aggregate: {count: true}}
";

/// A run that has ended, and what is in its files.
struct Whole {
    folder: tempfile::TempDir,
    run: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Whole {
    fn new() -> Self {
        let folder = folder(&[("workflow.yaml", WORKFLOW), ("rows.csv", "n\n1\n2\n3\n4\n5\n6\n7\n8\n9\n")]);
        batchmill(folder.path(), &["run", "workflow.yaml", "--progress", "none"]);
        let runs = fs::read_dir(folder.path().join(".batchmill/runs")).unwrap();
        let run = runs.map(|entry| entry.unwrap().path()).next().unwrap();
        let files = files(&run).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        Self { folder, run, files }
    }

    fn restore(&self) {
        files(&self.run).iter().for_each(|file| fs::remove_file(file).unwrap());
        self.files.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    }

    /// Reads everything, as the verbs do.
    fn survive(&self) -> Result<(), TestCaseError> {
        let id = RunId(self.run.file_name().unwrap().to_string_lossy().into_owned());
        let state = StateFolder(self.folder.path().join(".batchmill"));
        drop(state.find("latest"));
        if let Err(error) = read(state.run(id)) {
            prop_assert!(!error.to_string().is_empty());
            drop(error.hint());
        }
        Ok(())
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { found.extend(files(&entry)) } else { found.push(entry) }
    }
    found.sort();
    found
}

fn read(folder: RunFolder) -> Result<(), LedgerError> {
    let reader = Reader::open(folder)?;
    drop((reader.check(), reader.run(), reader.executions(), reader.commands()));
    for record in reader.steps()? {
        let step = reader.open_step(record);
        drop((step.failures(), step.failure_keys(), step.measurements(), step.output(), step.aggregate(None)));
        drop((step.revision(), step.printed(), step.history(), step.sorted_results(), step.done_lately()));
        let results = step.results().and_then(|results| results.size());
        drop((results, step.results().and_then(|results| results.copy_to(&mut std::io::sink()))));
        let mut log = step.log();
        while log.next_record()?.is_some() {}
    }
    Ok(())
}

#[test]
fn mutated_files_of_a_run_are_read_or_refused() {
    let whole = Whole::new();
    let input = (any::<prop::sample::Index>(), mutations(WORDS), 0..12_u8);
    fuzz(60, &input, |(file, changes, resumes): (prop::sample::Index, Vec<Mutation>, u8)| {
        whole.restore();
        let (path, bytes) = file.get(&whole.files);
        fs::write(path, mutated(bytes, &changes)).unwrap();
        whole.survive()?;
        // The program takes longer, so it continues only some of them.
        if resumes == 0 {
            let ended = batchmill(whole.folder.path(), &["resume", "--progress", "none"]);
            prop_assert!(ended.is_proper(), "{}: {ended:?}", path.display());
        }
        Ok(())
    });
}

/// The checksum that the ledger gives its rows, so that strange values come with a right one.
fn row_hash(row: &Context<'_>) -> i64 {
    let mut hash = Xxh3::new();
    let mut add = |kind: u8, bytes: &[u8]| {
        hash.update(&[kind]);
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for at in 0..row.len() {
        match row.get_raw(at) {
            ValueRef::Null => add(0, &[]),
            ValueRef::Integer(number) => add(1, &number.to_le_bytes()),
            ValueRef::Real(number) => add(2, &number.to_le_bytes()),
            ValueRef::Text(text) => add(3, text),
            ValueRef::Blob(bytes) => add(4, bytes),
        }
    }
    hash.digest().cast_signed()
}

/// Tables and columns of a database.
fn columns(database: &Connection) -> Vec<(String, String)> {
    let query = "SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c
        WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY 1, 2";
    let mut statement = database.prepare(query).unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

#[test]
fn strange_values_in_the_database_of_a_run_are_read_or_refused() {
    let whole = Whole::new();
    let numbers = prop_oneof![any::<i64>(), -2..10_i64, Just(i64::MAX), Just(i64::MIN), Just(1 << 32), Just(1 << 62)];
    let change = (any::<prop::sample::Index>(), numbers, prop::option::of("[a-z{}\\[\\]\"0-9/.~]{0,12}"));
    let input = (prop::collection::vec(change, 1..4), 0..12_u8);
    fuzz(60, &input, |(changes, resumes): (Vec<(prop::sample::Index, i64, Option<String>)>, u8)| {
        whole.restore();
        let database = Connection::open(whole.run.join("run.db")).unwrap();
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
        database.create_scalar_function("row_hash", -1, flags, |row| Ok(row_hash(row))).unwrap();
        let columns = columns(&database);
        for (column, number, text) in &changes {
            let (table, column) = column.get(&columns);
            let sql = format!("UPDATE {table} SET {column} = ?1");
            // Some are refused by the database itself.
            drop(match text {
                Some(text) => database.execute(&sql, params![text]),
                None => database.execute(&sql, params![number]),
            });
        }
        database.close().unwrap();
        whole.survive()?;
        // Whatever the run names is not there, so nothing but the workflow can run.
        if resumes == 0 {
            let ended = batchmill(whole.folder.path(), &["resume", "--progress", "none"]);
            prop_assert!(ended.is_proper(), "{changes:?}: {ended:?}");
        }
        Ok(())
    });
}
