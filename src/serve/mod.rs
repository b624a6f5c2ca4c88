//! Pages about runs over HTTP, live while they run, and their metrics: the process that `ui` starts, and `run --ui` beside a run.
//!
//! Reads ledgers and notes, and steers a run only through its socket, so no client can disturb a run. What a page says of a
//! run is `explain`'s. One thread serves all clients; what it reads of a run is read once for all who look at it.
//!
//! Always holds: nothing is answered to a foreign `Host`, or without the token (metrics need none); nothing is changed by
//! anything but a POST from the page's own origin, or from a program that has the token.

mod access;
mod address;
mod feed;
mod metrics;
mod pages;
mod reply;
mod route;
mod runs;
mod server;
mod site;
mod snapshot;
mod steer;
mod stream;
mod until;

pub use access::Token;
pub use address::Address;
pub use route::run_path;
pub use server::{Content, serve};
pub use until::Until;
