//! Databases outside of batchmill: their addresses, connections to them, and their tables.
//!
//! Owns how a database is reached and how its errors are told, and writing to tables: what is there, and rows in
//! transactions. Leaves to others what is read, which rows are written, and when. Always holds: no message contains the
//! address of a database, because the password is part of it; every name in a statement is quoted.

mod address;
mod books;
mod connect;
mod error;
mod name;
mod open;
mod postgresql;
mod sqlite;
mod store;
mod table;
mod value;

pub use address::Database;
pub use books::{Books, Part};
pub use connect::{connect, describe};
pub use error::{DatabaseError, with_position};
pub use name::{TableName, quoted};
pub use open::open;
pub use store::{Access, Store};
pub use table::{ColumnType, Insert, NewColumn, Table, TableColumn};
pub use value::{Row, Value};
