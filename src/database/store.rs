//! What each database can do, for those that write tables.

use super::error::DatabaseError;
use super::name::TableName;
use super::table::{ColumnType, Insert, Table};
use super::value::Row;

/// What is to be done with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is created.
    Create,
    /// Rows are added.
    Insert,
    /// Rows are added, or updated.
    Update,
    /// It is deleted, and another one takes its name.
    Replace,
}

/// A connection to a database whose tables can be written.
pub trait Store {
    /// Begins a transaction.
    ///
    /// # Errors
    /// If the database refuses.
    fn begin(&mut self) -> Result<(), DatabaseError>;

    /// Makes sure that no row of another table is deleted or refused because a table that it refers to takes the place of another.
    /// Called outside transactions, when no more rows are inserted.
    ///
    /// # Errors
    /// If the database refuses.
    fn keep_references(&mut self) -> Result<(), DatabaseError>;

    /// What tells the database from all others, whatever its address.
    ///
    /// # Errors
    /// If the database does not say.
    fn identity(&mut self) -> Result<String, DatabaseError>;

    /// Waits, in a transaction, until no other transaction has this number, and has it until its end. A program that was killed
    /// may have left one that the server is about to commit.
    ///
    /// # Errors
    /// If that takes too long.
    fn lock(&mut self, number: i64) -> Result<(), DatabaseError>;

    /// Runs statements without values.
    ///
    /// # Errors
    /// If the database refuses.
    fn execute(&mut self, sql: &str) -> Result<(), DatabaseError>;

    /// What a statement returns, as texts. Its values are `$1`, `$2` and so on, in this order.
    ///
    /// # Errors
    /// If the database refuses.
    fn texts(&mut self, sql: &str, values: &[&str]) -> Result<Vec<Vec<Option<String>>>, DatabaseError>;

    /// The name with the schema in which the table is, or would be created.
    ///
    /// # Errors
    /// If the schema does not exist.
    fn qualified(&mut self, name: &TableName) -> Result<TableName, DatabaseError>;

    /// The table of this name, if there is one. `name` is qualified.
    ///
    /// # Errors
    /// If it is not a table, but a view for instance.
    fn table(&mut self, name: &TableName) -> Result<Option<Table>, DatabaseError>;

    /// Checks that the user may do this with the table. `name` is qualified.
    ///
    /// # Errors
    /// If he may not.
    fn check_access(&mut self, name: &TableName, access: Access) -> Result<(), DatabaseError>;

    /// The name of a type.
    fn type_name(&self, kind: ColumnType) -> &'static str;

    /// Whether two names are those of one column.
    fn is_same(&self, one: &str, other: &str) -> bool;

    /// Refuses the name of a column that the database cannot have.
    ///
    /// # Errors
    /// If it is one.
    fn check_column(&self, name: &str) -> Result<(), DatabaseError>;

    /// Inserts rows, in a transaction. An error says which row it is about, if that is known.
    ///
    /// # Errors
    /// If a row does not fit.
    fn insert<'a>(
        &mut self,
        into: &Insert<'_>,
        rows: &mut dyn Iterator<Item = Result<Row<'a>, DatabaseError>>,
    ) -> Result<(), DatabaseError>;
}
