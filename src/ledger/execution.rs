//! One start or resume of a run: what the run and its steps share while they write.

use super::columns::now;
use super::durability::Durability;
use super::folder::RunFolder;
use rusqlite::{Connection, params};
use std::fs::File;
use std::sync::Arc;

/// One start or resume of a run. The run stays locked as long as anybody has it.
#[derive(Debug, Clone)]
pub(super) struct Execution {
    /// The row in `executions`.
    pub(super) id: i64,
    pub(super) folder: RunFolder,
    pub(super) durability: Durability,
    _lock: Arc<File>,
}

impl Execution {
    /// Notes that an execution begins, with the workflow's text and the machine.
    pub(super) fn begin(db: &Connection, (source, machine): (&str, &str)) -> rusqlite::Result<i64> {
        db.execute(
            "INSERT INTO executions (pid, started, source, machine) VALUES (?1, ?2, ?3, ?4)",
            params![std::process::id(), now(), source, machine],
        )?;
        Ok(db.last_insert_rowid())
    }

    /// The execution in this row; `lock` is the lock on the run.
    pub(super) fn new(id: i64, folder: RunFolder, durability: Durability, lock: File) -> Self {
        Self { id, folder, durability, _lock: Arc::new(lock) }
    }
}
