//! Tasks: what is done with an item. Shell, HTTP, echo, and the parent side of the Python lane.
//!
//! Owns the child processes and the connections. A [`Lane`] belongs to one slot and takes batches one after another; it
//! knows nothing of retries, ledgers or other slots. Whatever happens to an item inside a lane is an outcome of that item;
//! only trouble that concerns the whole step (an interpreter that does not start, a `setup` that fails) is an error.

mod cancel;
mod echo;
mod foreground;
pub mod guard;
mod http;
mod invocation;
mod item_files;
mod item_lane;
mod lane;
mod process;
pub mod python;
mod shell;
mod underway;

pub use cancel::{Cancel, Latch};
pub use foreground::{Shown, foreground};
pub use item_files::{Claims, ItemFiles};
pub use lane::{BatchOutcome, Context, Farewell, Frame, Lane, LogLine, Program};
pub use process::capture;
pub use underway::Underway;
