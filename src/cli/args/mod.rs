//! Arguments that several verbs share, one group per file.

mod compare;
mod display;
mod durability;
mod executor;
mod file;
mod item_name;
mod number;
mod resume;
mod run;
mod state;
mod time;
mod workflow;

pub use compare::CompareBy;
pub use display::{DisplayArgs, Format, Progress};
pub use durability::DurabilityArgs;
pub use executor::ExecutorArgs;
pub use file::FileArg;
pub use item_name::ItemName;
pub use number::{at_least_one, count, index, items, process};
pub use resume::ResumeArgs;
pub use run::RunSelector;
pub use state::StateArgs;
pub use time::time;
pub use workflow::WorkflowArgs;
