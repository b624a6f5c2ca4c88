//! Calls of a Python client: a function that it has pickled, for items that it sends.
//!
//! Owns the engine's end of the connection with a client. Each call is a step like any other, without a run: its
//! [source](given) reads the items from a socket, its [recorder](kept) sends the results to it. If the client wants, it [keeps](kept)
//! them first, so that the same call finds them after any of the processes was killed. What crosses the socket is in
//! [`wire`](crate::wire). A client that dies, or closes the socket of a call, ends what it has started.

mod call;
mod given;
mod kept;
mod sender;
mod serve;
mod settings;
mod shared;

pub use serve::{VERB, serve};
