//! Workflow files: from text to a checked workflow, with diagnostics for everything that is wrong.
//!
//! Owns YAML and its dialects, the table of keys, diagnostics and their rendering, and the retry policy. Reads no other file,
//! renders no template and runs nothing. Reports all errors of a file at once; everyone else can rely on a parsed workflow. A [`Draft`] is
//! a file with errors, as far as it could be read: whoever checks templates and code finds more errors in it.

mod aggregate;
mod batch;
mod diagnostic;
mod dialect;
mod dialect_settings;
mod draft;
mod edit;
mod expression_length;
mod field;
mod http;
mod items;
mod keys;
mod native;
mod node;
mod offsets;
mod output_file;
mod param;
mod parse;
mod protect;
mod render;
mod retry;
mod rows;
mod schema;
mod setting;
mod source_file;
mod task;
mod workflow;
mod yaml;
mod yaml_error;

pub use aggregate::{Aggregate, Over, Reduction, Reductions};
pub use batch::{BatchSize, BatchSpec, MOST_PARALLEL, MaxFailures, MaxParallel};
pub use diagnostic::{Diagnostic, DiagnosticKind, Diagnostics};
pub use dialect_settings::dialect_settings;
pub use draft::{Doubts, Draft};
pub use edit::{EditError, Place, set};
pub use field::Field;
pub use http::{Auth, HttpTask, RequestBody, ResponseUse, TlsFiles};
pub use items::{ItemsSpec, SqlSpec};
pub use keys::{Key, KeyGroup, KeyType, examples, key_groups, nearest};
pub use output_file::OutputFile;
pub use param::{Param, ParamKind};
pub use parse::{RENAME, check_param, draft, is_reserved, parse, reserved, value, values};
pub use render::Style;
pub use retry::{Backoff, RetryOn, RetryPolicy};
pub use rows::{
    Compression, DateFormat, DialectFrom, Header, Names, OnBadRow, OnSchemaDrift, RowFormat, RowsSpec, Types,
};
pub use schema::schema;
pub use setting::{Readable, Setting, ValueError};
pub use source_file::SourceFile;
pub use task::{
    BatchText, Command, EchoTask, MemorySize, PythonProgram, PythonTask, ShellProgram, ShellTask, Stdin, Task, TaskKind,
};
pub use workflow::{OutputTable, Outputs, Single, Step, StepKind, Workflow, names_folder};
