//! The Python worker, spoken to as the engine does: a socket, a shared page, frames.
#![cfg(feature = "python")]

mod host;
mod life;
mod programs;
mod values;
