//! A workflow file, from text to checked values, and the faults found on the way.
//!
//! Owns YAML, the list of keys, the wording and the rendering of faults, and the retry policy. Reads no other file,
//! renders no template, runs nothing. Every fault of a file is reported at once; what comes out is trusted by all.

mod aggregate;
mod fault;
mod keys;
mod parse;
mod place;
mod protect;
mod retry;
mod schema;
mod setting;
mod tree;
mod wording;
mod workflow;
mod yaml;

pub use aggregate::{Aggregate, Field, Over, Reduction, Reductions};
pub use fault::{Fault, Faults};
pub use keys::{Key, KeyGroup, Shape, key_groups, nearest};
pub use parse::{check_param, parse, value, values};
pub use retry::{Backoff, RetryOn, RetryPolicy};
pub use schema::schema;
pub use setting::{Complaint, Readable};
pub use workflow::{
    Auth, BatchSize, BatchSpec, Command, Compression, EchoTask, Header, HttpTask, ItemsSpec, MaxFailures, MaxParallel,
    MemorySize, OnBadRow, OnSchemaDrift, OutputFile, Outputs, Param, ParamKind, PythonProgram, PythonTask, RowFormat,
    RowsSpec, Setting, ShellTask, Single, Source, SqlSpec, Step, StepKind, Task, TaskKind, Types, Workflow,
};
