//! Tasks: what is done with an item. Shell, HTTP, echo, and the parent side of the Python lane.
//!
//! Owns the child processes and the connections. A [`Lane`] belongs to one slot and takes batches one after another; it
//! knows nothing of retries, ledgers or other slots. Whatever happens to an item inside a lane is an outcome of that item;
//! only trouble that concerns the whole step (an interpreter that does not start, a `setup` that fails) is an error.

mod cancel;
mod context;
mod current_items;
mod foreground;
pub mod guard;
mod invocation;
mod item_files;
mod item_lane;
mod kinds;
mod lane;
mod process;
mod program;
mod wait;

pub use cancel::{Cancel, Latch};
pub use context::{LaneSettings, StepContext, TaskHost};
pub use current_items::CurrentItems;
pub use foreground::{ForegroundEnd, ForegroundRun};
pub use item_files::{Claims, ItemFiles};
pub use kinds::python;
pub use lane::{BatchOutcome, Frame, FrameOutcome, Lane, LogLine, ShutdownReport};
pub use process::capture;
pub use program::{Program, PythonNeeds, Task};
