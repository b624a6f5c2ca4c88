//! Calls of a Python client: a function that it has pickled, for items that it sends.
//!
//! Owns the engine's end of the connection with a client. Each call is a step like any other, without a ledger: its
//! [source](given) reads the items from a socket, its [recorder](sender) writes the results to it. What crosses the socket is in
//! [`wire`](crate::wire). A client that dies, or closes the socket of a call, ends what it has started.

mod call;
mod given;
mod sender;
mod serve;
mod settings;
mod shared;

pub use serve::{VERB, serve};
