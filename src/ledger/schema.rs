//! The tables of `run.db`: their versions, and how a database of an older version is migrated.
//!
//! Always holds: only a run that is opened for writing is migrated. Readers read every schema from [`OLDEST`] on as it is.

use super::database::Database;
use super::error::LedgerError;
use super::ids::StepId;
use super::run_path::RunPath;
use super::seals::{
    self, ATTEMPTS, FAILURES, FINGERPRINTS, SEALED, SEALED_BEFORE_COMMANDS, SEALED_BEFORE_MEASUREMENTS, SealedTable,
};
use super::sqlite_file::{Open, check_objects, connect};
use rusqlite::Connection;
use std::path::Path;

/// The version of the tables.
pub(super) const SCHEMA: u32 = 7;

/// The oldest version that can be read.
pub(super) const OLDEST: u32 = 3;

/// Since this version, batches, failures and attempts record the fingerprint they were made with.
const WITH_FINGERPRINTS: u32 = 4;

/// Since this version, a run records its options.
const WITH_GIVEN: u32 = 5;

/// Since this version, rows have checksums.
const WITH_CHECKSUMS: u32 = 5;

/// Since this version, steps have measurements.
const WITH_MEASUREMENTS: u32 = 6;

/// Since this version, what the user tells a run is recorded.
const WITH_COMMANDS: u32 = 7;

/// The tables.
///
/// A batch has one row, numbered within its step in the order in which batches were written. The number is part of the primary
/// key of the table itself, so a row costs one page and no index. `indexes` is null if `first` and `count` say it all;
/// otherwise it holds the item index of each line as a little-endian u64, and `REMOVED_ITEM` for an item that the workflow no
/// longer has. `offset` and `length` point into the step's results file, `keys_offset` into its keys file (16 bytes an item);
/// `form` says whether the results are lines or a table. `attempts` counts attempts of items that wait to be tried again.
/// `fingerprint` is a row of `fingerprints`: in `steps` the current one, elsewhere the one that the row was made with.
/// `checksum` is one of the row (`seals`), in `batches` also of its results; `keys_checksum` is one of its keys.
pub(super) const TABLES: &str = include_str!("schema.sql");

/// The migrations to each version from the one before.
const MIGRATIONS: &[(u32, &str)] = &[
    (4, include_str!("migrations/0004_fingerprints.sql")),
    (5, include_str!("migrations/0005_given.sql")),
    (5, include_str!("migrations/0005_checksums.sql")),
    (6, include_str!("migrations/0006_measurements.sql")),
    (7, include_str!("migrations/0007_commands.sql")),
];

/// Refuses a ledger that a newer or a much older version wrote, or whose creation never finished.
pub(super) fn check_schema(db: &Connection, path: &Path) -> Result<(), LedgerError> {
    let found = version(db).map_err(|source| LedgerError::sqlite(path, source))?;
    check_objects(db, path)?;
    match found {
        0 => Err(LedgerError::damaged(path.to_path_buf(), "its creation was interrupted".to_owned())),
        found if found < OLDEST => Err(LedgerError::SchemaTooOld { path: path.to_path_buf(), found, known: OLDEST }),
        found if found > SCHEMA => Err(LedgerError::SchemaTooNew { path: path.to_path_buf(), found, known: SCHEMA }),
        _ => Ok(()),
    }
}

/// The version of a database's tables.
fn version(db: &Connection) -> rusqlite::Result<u32> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Whether a database was created but has no tables.
pub(super) fn is_without_tables(path: &RunPath) -> bool {
    connect(path, Open::Read).is_ok_and(|db| version(&db).is_ok_and(|version| version == 0))
}

/// Whether the tables are of the current version.
pub(super) fn is_current(db: &Connection) -> rusqlite::Result<bool> {
    Ok(version(db)? == SCHEMA)
}

/// Whether `unchanged` items of a step have no rows of their own: they were left in the run that did them.
pub(super) fn leaves_unchanged_out(db: &Connection) -> rusqlite::Result<bool> {
    Ok(version(db)? < WITH_GIVEN)
}

/// Whether steps have measurements.
pub(super) fn has_measurements(db: &Connection) -> rusqlite::Result<bool> {
    Ok(version(db)? >= WITH_MEASUREMENTS)
}

/// Whether it is recorded what the user tells a run.
pub(super) fn has_commands(db: &Connection) -> rusqlite::Result<bool> {
    Ok(version(db)? >= WITH_COMMANDS)
}

/// What to select for the fingerprint of a batch, a failure or an attempt.
pub(super) fn fingerprint_column(db: &Connection) -> rusqlite::Result<&'static str> {
    Ok(if version(db)? < WITH_FINGERPRINTS { "NULL" } else { "fingerprint" })
}

/// What to select for the options of a run, and for what makes it a baseline.
pub(super) fn given_columns(db: &Connection) -> rusqlite::Result<&'static str> {
    Ok(if version(db)? < WITH_GIVEN {
        "NULL, NULL, NULL, NULL, NULL, NULL"
    } else {
        "given, python, state, params_hash, max_items, baseline"
    })
}

/// What to select for the checksum of a batch's keys.
pub(super) fn keys_checksum_column(db: &Connection) -> rusqlite::Result<&'static str> {
    Ok(if version(db)? < WITH_CHECKSUMS { "NULL" } else { "keys_checksum" })
}

/// Compares the rows of these tables with their checksums, if they have some.
pub(super) fn check_rows(db: &Connection, tables: &[&SealedTable]) -> rusqlite::Result<()> {
    if version(db)? < WITH_CHECKSUMS {
        return Ok(());
    }
    tables.iter().try_for_each(|table| seals::check(db, table, None))
}

/// Compares what is recorded of the items of all steps with its checksums, once per connection.
pub(super) fn check_items_once(db: &Database) -> Result<(), LedgerError> {
    db.once(|db| check_rows(db, &[&FINGERPRINTS, &FAILURES, &ATTEMPTS]))
}

/// Compares the rows of one step in these tables with their checksums, if they have some: to look at all rows for each step would take time that grows with the square of their
/// number.
pub(super) fn check_rows_of(db: &Connection, step: StepId, tables: &[&SealedTable]) -> rusqlite::Result<()> {
    if version(db)? < WITH_CHECKSUMS {
        return Ok(());
    }
    tables.iter().try_for_each(|table| seals::check(db, table, Some(step)))
}

/// Whether results or failures were recorded before fingerprints were kept with them, so that nothing tells what they depend on.
pub(super) fn has_results_without_fingerprint(db: &Connection) -> rusqlite::Result<bool> {
    let column = fingerprint_column(db)?;
    let exists = |table| format!("EXISTS (SELECT 1 FROM {table} WHERE {column} IS NULL)");
    let query = format!("SELECT {} OR {} OR {}", exists("batches"), exists("failures"), exists("attempts"));
    db.query_row(&query, [], |row| row.get(0))
}

/// Brings the tables up to date, in one transaction.
pub(super) fn migrate(db: &mut Database) -> Result<(), LedgerError> {
    if db.run(version)? == SCHEMA {
        return Ok(());
    }
    db.durable_transaction(|db| {
        let found = version(db)?;
        for (_, migration) in MIGRATIONS.iter().filter(|(version, _)| *version > found) {
            db.execute_batch(migration)?;
        }
        seals::install(db)?;
        db.execute_batch(&format!("PRAGMA user_version = {SCHEMA}"))
    })
}

/// Has SQLite check its pages and indexes: otherwise rows that are missing because of damage would go unnoticed. The quick
/// check does not compare indexes, so a step could have lost its rows. Then compares rows with their checksums.
pub(super) fn check_integrity(db: &Connection, path: &Path) -> Result<(), LedgerError> {
    let found: Result<String, _> = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    let found = found.map_err(|source| LedgerError::sqlite(path, source))?;
    if found == "ok" {
        let sealed = |db| {
            Ok(match (has_measurements(db)?, has_commands(db)?) {
                (false, _) => &SEALED[..SEALED_BEFORE_MEASUREMENTS],
                (true, false) => &SEALED[..SEALED_BEFORE_COMMANDS],
                (true, true) => &SEALED[..],
            })
        };
        let checked = sealed(db).and_then(|tables| check_rows(db, tables));
        return checked.map_err(|source| LedgerError::sqlite(path, source));
    }
    // The first line only names the database.
    let cause = found.lines().find(|line| !line.starts_with("***")).unwrap_or("SQLite gives no details").to_owned();
    Err(LedgerError::damaged(path.to_path_buf(), cause))
}
