//! `{sql:, url:}`: each row that a database gives for a query is an item, a mapping of its columns.
//!
//! A thread runs the query and hands the rows over in blocks, through a bounded channel: memory stays flat, and whoever waits
//! for rows can be told to stop. When nobody wants more rows, the query is cancelled and the thread joined. What all databases
//! share is in [`query`] and [`reader`]; each database has a file that sends the query and makes JSON of the rows.
//!
//! No message contains the address of the database, because the password is part of it.

mod address;
mod block;
mod cancellation;
mod postgresql;
mod query;
mod reader;
mod sqlite;
mod statement;

pub(super) use query::open;
