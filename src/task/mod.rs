//! Tasks: what a step does with each item.
//!
//! Owns child processes and connections. A [`Task`] is a compiled task of one type. Its [`Lane`]s belong to one slot each and
//! run one frame of batches after another. Lanes know nothing about retries, the ledger or other slots. Whatever happens to an
//! item is an outcome of that item. Only what affects the whole step is a fatal failure, such as an interpreter that does not
//! start or an error in `setup`.

mod beneath;
mod cancel;
mod context;
mod current_items;
mod doomed;
mod file_limit;
mod foreground;
pub mod guard;
mod hunt;
mod invocation;
mod item_files;
mod item_lane;
mod kinds;
mod lane;
mod pipe_holders;
mod process;
mod processes;
mod program;
mod remote;
mod shortage;
mod stream;
mod usage;
mod wait;
mod withdrawn;

pub use cancel::{Cancel, Latch};
pub use context::{StepContext, TaskHost};
pub use current_items::CurrentItems;
pub use file_limit::{FileRoom, make_room};
pub use foreground::{ForegroundEnd, ForegroundRun};
pub use invocation::is_ignored;
pub use item_files::{Claims, ItemFiles};
pub use kinds::python;
pub use lane::{BatchOutcome, Frame, FrameOutcome, Lane, LogLine, ShutdownReport};
pub use process::capture;
pub use program::{Batching, Program, PythonNeeds, Task};
pub use remote::{Driver, DriverError, RemoteStep};
pub use usage::{ThreadId, ThreadTimes, UsageMeter, available_memory, load_average};
pub use withdrawn::{Withdrawal, Withdrawn};
