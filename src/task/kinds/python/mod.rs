//! The parent side of the Python lane: which interpreter, how a worker is started, and what happens when it dies.

mod cache;
mod host;
mod lane;
mod load;
mod memory;
mod outcome;
mod probe;
mod stored;
mod task;
mod worker;

pub use host::{Found, Host, HostError, Hosting, find_interpreter};
pub(in crate::task) use lane::PythonLane;
pub use probe::{Check, CheckFault};
pub use task::PythonTask;
