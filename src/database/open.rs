//! Opens a database for writing.

use super::address::Database;
use super::error::DatabaseError;
use super::postgresql::Server;
use super::sqlite::File;
use super::store::Store;

/// Connects to a database. A file that is missing is created, with its directories.
///
/// # Errors
/// If it cannot be reached.
pub fn open(database: &Database) -> Result<Box<dyn Store>, DatabaseError> {
    Ok(match database {
        Database::Sqlite(path) => Box::new(File::open(path)?),
        Database::Postgresql(config) => Box::new(Server::connect(config)?),
    })
}
