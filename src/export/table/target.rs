//! Which table the results go to.

use crate::database::{Database, TableName};
use crate::model::IfExists;

/// Which table the results of a step go to.
#[derive(Debug, Clone)]
pub struct TableTarget {
    /// The database.
    pub database: Database,
    /// The table.
    pub table: TableName,
    /// The columns that identify a row; empty if every result is a new row.
    pub key: Vec<String>,
    /// What happens if the table exists.
    pub if_exists: IfExists,
}

impl TableTarget {
    /// Table and database in a message.
    pub fn shown(&self) -> String {
        format!("table `{}` of {}", self.table, self.database.name())
    }

    /// Whether rows that are written cannot be taken back: others may have added theirs, and no key tells them apart.
    pub fn only_grows(&self) -> bool {
        self.if_exists == IfExists::Append && self.key.is_empty()
    }
}
