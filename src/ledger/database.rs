//! A connection to `run.db`. Owns how errors of SQLite become errors of the ledger, and how a transaction begins.
//!
//! Always holds: a transaction that writes takes SQLite's write lock when it begins, so it waits for another connection
//! instead of failing half way.

use super::durability::Durability;
use super::error::LedgerError;
use super::run_path::RunPath;
use super::seals;
use super::sqlite_file::{Open, connect};
use rusqlite::{Connection, Params, Row, Transaction, TransactionBehavior};
use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

/// How long a connection waits for the write lock of another one. A commit takes far less, unless the disk hangs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to the database at this path.
pub(super) struct Database {
    pub(super) connection: Connection,
    path: RunPath,
    durability: Durability,
    /// Whether the check of `once` has run.
    is_checked: Cell<bool>,
}

impl Database {
    /// Wraps a connection to the database at `path`.
    pub(super) fn new(connection: Connection, path: RunPath) -> Result<Self, LedgerError> {
        let database = Self { connection, path, durability: Durability::default(), is_checked: Cell::new(false) };
        database.run(seals::add_hash_function)?;
        Ok(database)
    }

    /// Opens an existing database for writing.
    pub(super) fn open(path: RunPath, durability: Durability) -> Result<Self, LedgerError> {
        let mut database = Self::new(connect(&path, Open::Write)?, path)?;
        database.write_with(durability)?;
        Ok(database)
    }

    /// Makes the connection ready for writing.
    pub(super) fn write_with(&mut self, durability: Durability) -> Result<(), LedgerError> {
        self.durability = durability;
        self.run(|db| {
            db.busy_timeout(BUSY_TIMEOUT)?;
            db.set_prepared_statement_cache_capacity(16);
            db.execute_batch(durability.pragma())
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs statements, each of which is a transaction.
    pub(super) fn run<T>(&self, statements: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, LedgerError> {
        statements(&self.connection).map_err(|source| LedgerError::sqlite(&self.path, source))
    }

    /// Runs a check, if this connection has not done so.
    pub(super) fn once(&self, check: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<(), LedgerError> {
        if !self.is_checked.get() {
            self.run(check)?;
            self.is_checked.set(true);
        }
        Ok(())
    }

    /// Runs statements in one transaction.
    pub(super) fn transaction<T>(
        &mut self,
        statements: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let sqlite = |source| LedgerError::sqlite(&self.path, source);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        let done = statements(&transaction).map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
        Ok(done)
    }

    /// Commits what makes rows void, before their bytes are cut off or overwritten. When it returns, the commit is on disk:
    /// if a power cut lost the commit but kept the new bytes, the old rows would point at the results of other items.
    pub(super) fn durable_transaction<T>(
        &mut self,
        statements: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        self.run(|db| db.execute_batch(Durability::Full.pragma()))?;
        let done = self.transaction(statements)?;
        self.run(|db| db.execute_batch(self.durability.pragma()))?;
        Ok(done)
    }

    /// The rows that a query returns.
    pub(super) fn rows<T>(
        &self,
        query: &str,
        parameters: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, LedgerError> {
        self.run(|db| db.prepare(query)?.query_map(parameters, read)?.collect())
    }
}
