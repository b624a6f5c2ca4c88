//! `python`: finds the interpreter, starts workers, and recovers when one dies.
//!
//! From the engine inwards: [`kind`] is the task type, [`lane`] owns a worker, [`frame_run`] tracks what is left of a frame,
//! [`isolation`] decides what to run together after a crash, [`attempt`] handles the events of a running worker, and [`peer`]
//! is the interface to wherever the worker runs. [`local`] is a worker on this machine.

mod attempt;
mod attempt_end;
mod cache;
mod foreground;
mod frame_run;
mod host;
mod isolation;
mod kind;
mod lane;
mod local;
mod memory_limit;
mod outcome;
mod packages;
mod payload;
mod peer;
mod pickled;
mod probe;
mod script;
mod shared_page;
mod stored;
mod task;
#[cfg(test)]
mod tests;
mod warm;
mod work_list;
mod work_unit;
mod worker;
mod worker_env;

pub use host::{Found, Host, HostError, Hosting, Settled, find_interpreter};
pub use pickled::PickledProgram;
pub use probe::{Check, CheckFault};
pub(super) use task::PythonTask;
pub use warm::WarmWorkers;
pub use worker_env::THREAD_VARIABLES;
