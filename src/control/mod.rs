//! Steering a run from another process: commands and answers, and the socket in the run's folder that carries them.
//!
//! One line of JSON each way. Who may connect is up to the system: the socket belongs to the user of the run, and the server
//! asks the kernel who is calling. What commands do is up to the run.

mod address;
mod client;
mod command;
mod server;

pub use client::{AskError, ask};
pub use command::{Answer, Command, RunState, RunningItem, StepState};
pub use server::{Obey, Server};
