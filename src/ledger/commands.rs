//! What the user has told a run while it ran.

use super::columns::now;
use super::database::Database;
use super::durability::Durability;
use super::error::LedgerError;
use super::execution::Execution;
use super::reader::Reader;
use super::run::Ledger;
use super::run_path::RunPath;
use super::schema::{check_rows, has_commands};
use super::seals::COMMANDS;
use rusqlite::params;

/// Records the commands of an execution. Each opens a connection: one that stayed open would keep SQLite from folding its WAL
/// into the database when the run closes it.
pub struct CommandLog {
    database: RunPath,
    durability: Durability,
    execution: i64,
}

/// A command that a run has obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRecord {
    /// The execution of the run, by its number.
    pub execution: i64,
    /// When: milliseconds since 1970, UTC.
    pub at: i64,
    /// The command as it is typed.
    pub command: String,
    /// What the run has answered.
    pub answer: String,
}

impl Ledger {
    /// The record of commands of this execution.
    pub fn command_log(&self) -> CommandLog {
        let Execution { id, durability, folder, .. } = self.execution();
        CommandLog { database: folder.database(), durability: *durability, execution: *id }
    }
}

impl CommandLog {
    /// Records a command that is obeyed.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn add(&self, command: &str, answer: &str) -> Result<(), LedgerError> {
        let execution = self.execution;
        Database::open(self.database.clone(), self.durability)?.transaction(|db| {
            db.execute(
                "INSERT INTO commands (execution, at, command, answer) VALUES (?1, ?2, ?3, ?4)",
                params![execution, now(), command, answer],
            )
            .map(drop)
        })
    }
}

impl Reader {
    /// The commands that the run has obeyed, in order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn commands(&self) -> Result<Vec<CommandRecord>, LedgerError> {
        let db = self.database();
        if !db.run(has_commands)? {
            return Ok(Vec::new());
        }
        db.run(|db| check_rows(db, &[&COMMANDS]))?;
        db.rows("SELECT execution, at, command, answer FROM commands ORDER BY id", [], |row| {
            Ok(CommandRecord { execution: row.get(0)?, at: row.get(1)?, command: row.get(2)?, answer: row.get(3)? })
        })
    }
}
