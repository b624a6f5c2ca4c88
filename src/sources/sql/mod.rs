//! `{sql:, url:}`: each row that a database returns for a query is an item, a mapping of its columns.
//!
//! A thread runs the query and hands over the rows in blocks, through a bounded channel. So memory stays flat, and the
//! reader can be interrupted. When no more rows are needed, the query is cancelled and the thread joined. What all
//! databases share is in [`query`] and [`reader`]; each database has a file that sends the query and converts rows to
//! JSON.
//!
//! No message contains the address of the database, because the password is part of it.

mod block;
mod cancellation;
mod postgresql;
mod query;
mod reader;
mod sqlite;
mod statement;

pub(super) use query::open;
