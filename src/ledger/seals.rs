//! Checksums of rows. SQLite's pages have none, so a flipped bit in a value would go unnoticed and decide what runs
//! again.
//!
//! Triggers keep the checksum of each row in these tables, so code that writes rows need not know about it. `batches` is
//! different: its checksums also cover the bytes that its rows point at, and it is written too often for a trigger.

use super::ids::StepId;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error};
use std::fmt::Write;
use xxhash_rust::xxh3::Xxh3;

/// A table whose rows have a checksum.
pub(super) struct SealedTable {
    name: &'static str,
    /// What identifies a row.
    key: &'static [&'static str],
    /// The column with the step that a row belongs to, if it belongs to one.
    step: Option<&'static str>,
    /// What the checksum covers.
    columns: &'static str,
}

pub(super) const RUN: SealedTable = SealedTable {
    name: "run",
    key: &["rowid"],
    step: None,
    columns:
        "id, workflow, path, folder, params, batchmill, status, started, finished, incremental, given, python, state,
        params_hash, max_items, baseline",
};
pub(super) const STEPS: SealedTable = SealedTable {
    name: "steps",
    key: &["id"],
    step: Some("id"),
    columns:
        "id, name, is_batch, status, moves, total, succeeded, failed, skipped, retried, duration_us, failure, started,
        finished, ledger_us, bad_rows, unchanged, fingerprint",
};
pub(super) const FINGERPRINTS: SealedTable =
    SealedTable { name: "fingerprints", key: &["id"], step: Some("step"), columns: "id, step, version, parts" };
pub(super) const FAILURES: SealedTable = SealedTable {
    name: "failures",
    key: &["id"],
    step: Some("step"),
    columns: "id, step, item_index, key, item, attempts, kind, type, message, detail, handler, execution, duration_us,
        left_out, fingerprint",
};
pub(super) const ATTEMPTS: SealedTable =
    SealedTable { name: "attempts", key: &["id"], step: Some("step"), columns: "id, step, key, attempts, fingerprint" };
pub(super) const ITEM_FILES: SealedTable =
    SealedTable { name: "item_files", key: &["step", "path"], step: Some("step"), columns: "step, path, key, state" };

pub(super) const EXECUTIONS: SealedTable = SealedTable {
    name: "executions",
    key: &["id"],
    step: None,
    columns: "id, pid, started, finished, source, machine",
};
const MEASUREMENTS: SealedTable = SealedTable {
    name: "measurements",
    key: &["step", "execution", "part", "number"],
    step: Some("step"),
    columns: "step, execution, part, number, data",
};
pub(super) const COMMANDS: SealedTable =
    SealedTable { name: "commands", key: &["id"], step: None, columns: "id, execution, at, command, answer" };

/// All of them, in the order in which they came.
pub(super) const SEALED: [&SealedTable; 9] =
    [&RUN, &STEPS, &FINGERPRINTS, &FAILURES, &ATTEMPTS, &ITEM_FILES, &EXECUTIONS, &MEASUREMENTS, &COMMANDS];

/// How many of them there were before `measurements`, and before `commands`.
pub(super) const SEALED_BEFORE_MEASUREMENTS: usize = 6;
pub(super) const SEALED_BEFORE_COMMANDS: usize = 8;

/// What changes a row.
const EVENTS: [&str; 2] = ["insert", "update"];

/// Adds the function that the triggers call to a connection.
pub(super) fn add_hash_function(db: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    db.create_scalar_function("row_hash", -1, flags, |row| Ok(hash(row)))
}

/// The hash of values: of each its type, its length and its bytes.
fn hash(row: &Context<'_>) -> i64 {
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

/// Computes the checksums of all rows in these tables.
pub(super) fn seal(db: &Connection, tables: &[&SealedTable]) -> rusqlite::Result<()> {
    tables.iter().try_for_each(|table| db.execute(&table.seal(), []).map(drop))
}

/// Adds the triggers to a new database, for whoever opens it next. They are added as rows of the schema: `CREATE TRIGGER` would parse each of
/// them twice, which takes a twentieth of the time that a run with one item takes.
pub(super) fn add_triggers(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch("PRAGMA writable_schema = ON")?;
    let mut insert = db
        .prepare("INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('trigger', ?1, ?2, 0, ?3)")?;
    for table in SEALED {
        for event in EVENTS {
            insert.execute([&format!("{}_{event}", table.name), table.name, &table.trigger(event)])?;
        }
    }
    db.execute_batch("PRAGMA writable_schema = OFF")
}

/// Computes the checksums of all rows, and installs triggers for rows that are written later.
pub(super) fn install(db: &Connection) -> rusqlite::Result<()> {
    for table in SEALED {
        let mut statements = format!("{};", table.seal());
        for event in EVENTS {
            let _ = write!(statements, "DROP TRIGGER IF EXISTS {}_{event}; {};", table.name, table.trigger(event));
        }
        db.execute_batch(&statements)?;
    }
    Ok(())
}

impl SealedTable {
    /// The statement that computes checksums: of all rows, unless a condition follows.
    fn seal(&self) -> String {
        format!("UPDATE {} SET checksum = row_hash({})", self.name, self.columns)
    }

    /// The statement that creates the trigger for an event.
    fn trigger(&self, event: &str) -> String {
        let (begin, end) = self.around_columns(event);
        format!("{begin}{}{end}", self.columns)
    }

    /// What comes before and after the columns in a trigger.
    fn around_columns(&self, event: &str) -> (String, String) {
        let Self { name, key, .. } = self;
        let row = key.iter().map(|column| format!("{column} = new.{column}")).collect::<Vec<_>>().join(" AND ");
        let begin = format!(
            "CREATE TRIGGER {name}_{event} AFTER {event} ON {name} BEGIN UPDATE {name} SET checksum = row_hash("
        );
        (begin, format!(") WHERE {row}; END"))
    }
}

/// Whether the SQL of a trigger is of those that some version of batchmill installs: it updates the checksum of the row, and does
/// nothing else.
pub(super) fn is_own_trigger(sql: &str) -> bool {
    let words = sql.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let is_column = |c: char| c.is_ascii_lowercase() || c == '_' || c == ',' || c == ' ';
    let is_trigger = |table: &SealedTable, event| {
        let (begin, end) = table.around_columns(event);
        let columns = words.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(&end));
        columns.is_some_and(|columns| columns.chars().all(is_column))
    };
    SEALED
        .iter()
        .filter(|table| words.starts_with(&format!("CREATE TRIGGER {}_", table.name)))
        .any(|table| EVENTS.iter().any(|event| is_trigger(table, event)))
}

/// Checks the rows of a table: those of a step, or all of them.
pub(super) fn check(db: &Connection, table: &SealedTable, step: Option<StepId>) -> rusqlite::Result<()> {
    let SealedTable { name, columns, .. } = table;
    let own = match (table.step, step) {
        (Some(column), Some(StepId(step))) => format!("{column} = {step} AND "),
        _ => String::new(),
    };
    let query = format!("SELECT EXISTS (SELECT 1 FROM {name} WHERE {own}checksum <> row_hash({columns}))");
    if db.query_row(&query, [], |row| row.get(0))? {
        return Err(Error::UserFunctionError(format!("a row of `{name}` does not match its checksum").into()));
    }
    Ok(())
}
