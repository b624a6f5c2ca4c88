//! A workflow file, from text to checked values, and the errors found on the way.
//!
//! Owns YAML, the list of keys, the wording and the rendering of errors, and the retry policy. Reads no other file,
//! renders no template, runs nothing. Every error of a file is reported at once; what comes out is trusted by all.

mod aggregate;
mod diagnostic;
mod keys;
mod parse;
mod position;
mod protect;
mod retry;
mod schema;
mod setting;
mod tree;
mod workflow;
mod yaml;
mod yaml_error;

pub use aggregate::{Aggregate, Field, Over, Reduction, Reductions};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use keys::{Key, KeyGroup, KeyType, key_groups, nearest};
pub use parse::{check_param, parse, value, values};
pub use retry::{Backoff, RetryOn, RetryPolicy};
pub use schema::schema;
pub use setting::{Readable, ValueError};
pub use workflow::{
    Auth, BatchSize, BatchSpec, Command, Compression, EchoTask, Header, HttpTask, ItemsSpec, MaxFailures, MaxParallel,
    MemorySize, OnBadRow, OnSchemaDrift, OutputFile, Outputs, Param, ParamKind, PythonProgram, PythonTask, RowFormat,
    RowsSpec, Setting, ShellTask, Single, SourceFile, SqlSpec, Step, StepKind, Task, TaskKind, Types, Workflow,
};
