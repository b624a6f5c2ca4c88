//! The reading side: works beside the writer, and after it.

use super::batches::{BatchRow, Files, u64s};
use super::error::LedgerError;
use super::folder::{RunFolder, io_error};
use super::health::{check_pages, check_schema};
use super::history::{self, StepHistory};
use super::results::{Piece, ResultLines};
use super::writer::{REMOVED_ITEM, StepKey};
use crate::model::{Failure, ResultForm, Stats, Status, StepName};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, OpenFlags, Row};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A run, as the ledger knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// Name of the workflow.
    pub workflow: String,
    /// Path of the workflow file.
    pub path: PathBuf,
    /// The folder where the run was started.
    pub folder: PathBuf,
    /// The parameters as JSON; secrets are masked.
    pub params: String,
    /// By what files are compared, where only what is new since the last good run is run.
    pub incremental: Option<String>,
    /// Where it stands. A run whose process was killed is `Interrupted`.
    pub status: Status,
    /// Milliseconds since 1970, UTC.
    pub started: i64,
    /// Milliseconds since 1970, UTC.
    pub finished: Option<i64>,
}

/// A step, as the ledger knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRecord {
    id: i64,
    /// Its name.
    pub name: StepName,
    /// Whether it has items.
    pub is_batch: bool,
    /// Where it stands.
    pub status: Status,
    /// Its counts; of a step under way what is committed so far.
    pub stats: Stats,
    /// What stopped it.
    pub failure: Option<Failure>,
}

/// A failed item, as the ledger knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureRecord {
    /// Where it stands in the source.
    pub index: u64,
    /// Knows it by its content.
    pub key: String,
    /// The item, as JSON text.
    pub item: String,
    /// How often it was run.
    pub attempts: u32,
    /// Whether it is a bad row that was left out, as the workflow wants.
    pub left_out: bool,
    /// How long the last attempt took, where that is known.
    pub took: Option<Duration>,
    /// The number of the execution of the run in which it failed.
    pub execution: i64,
    /// An exception's class or the like.
    pub class: String,
    /// One line.
    pub message: String,
    /// A traceback or the like.
    pub detail: Option<String>,
    /// Why `on_item_error` failed.
    pub handler: Option<String>,
}

impl FailureRecord {
    /// Whether `name` means it: its index, or at least four characters of the beginning of its key.
    pub fn is_called(&self, name: &str) -> bool {
        name.parse() == Ok(self.index) || name.len() >= 4 && self.key.starts_with(name)
    }
}

/// A line of a step's log.
#[derive(serde::Deserialize)]
struct LogEntry {
    index: Option<u64>,
    attempt: Option<u32>,
    execution: i64,
    text: String,
}

/// A run's ledger, open for reading.
pub struct Reader {
    db: Connection,
    folder: RunFolder,
}

impl Reader {
    /// Opens the ledger of a run.
    ///
    /// # Errors
    /// Where it cannot be read, or was written by a newer version.
    pub fn open(folder: RunFolder) -> Result<Self, LedgerError> {
        let path = folder.database();
        let db = connect(&path).or_else(|error| match error {
            LedgerError::Sqlite { .. } | LedgerError::Io { .. } if !has_wal(&path) => {
                connect_immutable(&path).map_err(|_| error)
            }
            error => Err(error),
        })?;
        Ok(Self { db, folder })
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    fn sqlite(&self, source: rusqlite::Error) -> LedgerError {
        LedgerError::sqlite(&self.folder.database(), source)
    }

    /// Has SQLite look over the database. Reading alone finds only what it comes by: rows can be missing without a word.
    ///
    /// # Errors
    /// Where it is damaged, or cannot be read.
    pub fn check(&self) -> Result<(), LedgerError> {
        check_pages(&self.db, &self.folder.database())
    }

    fn rows<T>(
        &self,
        query: &str,
        parameter: i64,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, LedgerError> {
        let mut statement = self.db.prepare(query).map_err(|error| self.sqlite(error))?;
        let rows = statement.query_map([parameter], read).map_err(|error| self.sqlite(error))?;
        rows.collect::<Result<_, _>>().map_err(|error| self.sqlite(error))
    }

    /// The run.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn run(&self) -> Result<RunRecord, LedgerError> {
        let query =
            "SELECT workflow, path, status, started, finished, folder, params, incremental FROM run WHERE ?1 = 0";
        let mut runs = self.rows(query, 0, |row| {
            Ok(RunRecord {
                workflow: row.get(0)?,
                path: PathBuf::from(row.get::<_, String>(1)?),
                status: from_word(&row.get::<_, String>(2)?).unwrap_or(Status::Interrupted),
                started: row.get(3)?,
                finished: row.get(4)?,
                folder: PathBuf::from(row.get::<_, String>(5)?),
                params: row.get(6)?,
                incremental: row.get(7)?,
            })
        })?;
        let mut run = runs.pop().ok_or_else(|| self.sqlite(rusqlite::Error::QueryReturnedNoRows))?;
        if run.status == Status::Running && !self.folder.is_locked() {
            run.status = Status::Interrupted;
        }
        Ok(run)
    }

    /// The steps that were started, in order.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn steps(&self) -> Result<Vec<StepRecord>, LedgerError> {
        let query = "SELECT id, name, is_batch, status, failure, duration_us,
            coalesce(succeeded, (SELECT coalesce(sum(count), 0) FROM batches WHERE step = steps.id)),
            coalesce(failed, (SELECT count(*) FROM failures WHERE step = steps.id AND NOT left_out)),
            total, skipped, retried, ledger_us,
            coalesce(bad_rows, (SELECT count(*) FROM failures WHERE step = steps.id AND left_out)), unchanged FROM steps WHERE ?1 = 0 ORDER BY id";
        let locked = self.folder.is_locked();
        self.rows(query, 0, |row| {
            let (succeeded, failed) = (unsigned(row.get(6)?).unwrap_or(0), unsigned(row.get(7)?).unwrap_or(0));
            let status = from_word(&row.get::<_, String>(3)?).unwrap_or(Status::Interrupted);
            let killed = status == Status::Running && !locked;
            Ok(StepRecord {
                id: row.get(0)?,
                name: StepName::new(&row.get::<_, String>(1)?).ok_or(rusqlite::Error::InvalidQuery)?,
                is_batch: row.get(2)?,
                status: if killed { Status::Interrupted } else { status },
                failure: row.get::<_, Option<String>>(4)?.and_then(|json| serde_json::from_str(&json).ok()),
                stats: Stats {
                    total: unsigned(row.get(8)?).unwrap_or(succeeded.saturating_add(failed)),
                    succeeded,
                    failed,
                    bad_rows: unsigned(row.get(12)?).unwrap_or(0),
                    unchanged: unsigned(row.get(13)?).unwrap_or(0),
                    skipped: unsigned(row.get(9)?).unwrap_or(0),
                    retried: unsigned(row.get(10)?).unwrap_or(0),
                    // Bytes are for those who watch.
                    bytes_done: 0,
                    duration: Duration::from_micros(unsigned(row.get(5)?).unwrap_or(0)),
                    ledger: Duration::from_micros(unsigned(row.get(11)?).unwrap_or(0)),
                },
            })
        })
    }

    /// The failed items of a step, in item order.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn failures(&self, step: &StepRecord) -> Result<Vec<FailureRecord>, LedgerError> {
        let query =
            "SELECT item_index, key, item, attempts, type, message, detail, handler, duration_us, execution, left_out
            FROM failures
            WHERE step = ?1 ORDER BY item_index";
        self.rows(query, step.id, |row| {
            Ok(FailureRecord {
                index: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
                key: row.get(1)?,
                item: row.get(2)?,
                attempts: row.get(3)?,
                left_out: row.get(10)?,
                took: unsigned(row.get(8)?).map(Duration::from_micros),
                execution: row.get(9)?,
                class: row.get(4)?,
                message: row.get(5)?,
                detail: row.get(6)?,
                handler: row.get(7)?,
            })
        })
    }

    /// What was done of a step.
    ///
    /// # Errors
    /// Where ledger or keys file cannot be read.
    pub fn past(&self, step: &StepRecord) -> Result<StepHistory, LedgerError> {
        history::load(&self.db, StepKey(step.id), &self.folder, &step.name)
    }

    /// What changes whenever the results or failures of a step do; empty where it was not started.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn revision(&self, step: &StepName) -> Result<String, LedgerError> {
        history::revision(&self.db, step).map_err(|error| self.sqlite(error))
    }

    /// What was printed while failed items were run for the last time, by place in `failures`.
    ///
    /// # Errors
    /// Where the log is there but cannot be read.
    pub fn printed(&self, step: &StepName, failures: &[FailureRecord]) -> Result<Vec<String>, LedgerError> {
        let path = self.folder.logs().join(format!("{step}.log"));
        let log = match std::fs::read(&path) {
            Ok(log) => log,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(vec![String::new(); failures.len()]);
            }
            Err(source) => return Err(io_error("read", &path, source)),
        };
        let mut texts: HashMap<(u64, i64, u32), String> = HashMap::new();
        let wanted = |failure: &FailureRecord| (failure.index, failure.execution, failure.attempts);
        failures.iter().for_each(|failure| drop(texts.insert(wanted(failure), String::new())));
        for line in log.split(|byte| *byte == b'\n') {
            // A torn last line is none.
            let Ok(line) = serde_json::from_slice::<LogEntry>(line) else { continue };
            let place = line.index.zip(line.attempt).map(|(index, attempt)| (index, line.execution, attempt));
            if let Some(text) = place.and_then(|place| texts.get_mut(&place)) {
                text.push_str(&line.text);
            }
        }
        Ok(failures.iter().map(|failure| texts.get(&wanted(failure)).cloned().unwrap_or_default()).collect())
    }

    pub(super) fn batch_rows(&self, step: &StepRecord) -> Result<Vec<BatchRow>, LedgerError> {
        BatchRow::all(&self.db, step.id).map_err(|error| self.sqlite(error))
    }

    /// The results of a step, in item order.
    ///
    /// # Errors
    /// Where ledger or results file cannot be read, or the results are not those that were written.
    pub fn results(&self, step: &StepRecord) -> Result<ResultLines, LedgerError> {
        let rows = self.batch_rows(step)?;
        let files = Files::open(&self.folder, &step.name)?;
        let mut pieces = Vec::with_capacity(rows.len());
        let mut lines = Vec::new();
        for row in rows {
            let BatchRow { first, count, list, form, offset, length, .. } = row;
            let piece = Piece { first, count, list, form, offset, length, hash: Some(row.lines_hash()) };
            match &row.indexes {
                Some(indexes) if !list => {
                    let why = files.lines(&row, &mut lines)?;
                    if let Some(why) = why {
                        return Err(LedgerError::ResultsGone { path: files.results_path().to_path_buf(), why });
                    }
                    pieces.extend(split(piece, indexes, &lines));
                }
                _ => pieces.push(piece),
            }
        }
        ResultLines::open(files.results_path(), pieces)
    }
}

fn unsigned(value: Option<i64>) -> Option<u64> {
    u64::try_from(value?).ok()
}

fn connect(path: &Path) -> Result<Connection, LedgerError> {
    let sqlite = |source| LedgerError::sqlite(path, source);
    // Read-write where possible: the WAL of a killed run is folded in by its next reader.
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .or_else(|_| Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
        .map_err(sqlite)?;
    db.busy_timeout(Duration::from_secs(5)).map_err(sqlite)?;
    check_schema(&db, path)?;
    Ok(db)
}

/// For a folder that cannot be written, or has no room: SQLite needs files beside a database in WAL mode even to read it,
/// unless it is told that nobody changes it, which holds where no WAL is left.
fn connect_immutable(path: &Path) -> Result<Connection, LedgerError> {
    let encoded = percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(format!("file:{encoded}?immutable=1"), flags);
    let db = db.map_err(|source| LedgerError::sqlite(path, source))?;
    check_schema(&db, path)?;
    Ok(db)
}

fn has_wal(database: &Path) -> bool {
    database.with_file_name("run.db-wal").metadata().is_ok_and(|wal| wal.len() > 0)
}

/// Cuts a piece whose items are no neighbours into pieces whose items are.
fn split(piece: Piece, indexes: &[u8], lines: &[u8]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut start = 0;
    for (index, end) in u64s(indexes).into_iter().zip(memchr::memchr_iter(b'\n', lines)) {
        let (offset, length) = (piece.offset + start as u64, (end + 1 - start) as u64);
        start = end + 1;
        match pieces.last_mut() {
            _ if index == REMOVED_ITEM => {}
            Some(last) if last.first + last.count == index && last.offset + last.length == offset => {
                last.count += 1;
                last.length += length;
            }
            _ => pieces.push(Piece {
                first: index,
                count: 1,
                list: false,
                form: ResultForm::Lines,
                offset,
                length,
                hash: None,
            }),
        }
    }
    pieces
}

fn from_word<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::from(word)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_with_holes_is_cut_where_they_are() {
        let piece =
            Piece { first: 3, count: 3, list: false, form: ResultForm::Lines, offset: 100, length: 8, hash: Some(7) };
        let indexes: Vec<u8> = [3_u64, 4, 9].iter().flat_map(|index| index.to_le_bytes()).collect();
        let expected = [
            Piece { first: 3, count: 2, list: false, form: ResultForm::Lines, offset: 100, length: 5, hash: None },
            Piece { first: 9, count: 1, list: false, form: ResultForm::Lines, offset: 105, length: 3, hash: None },
        ];
        assert_eq!(split(piece, &indexes, b"1\n22\n3 \n"), expected);
    }
}
