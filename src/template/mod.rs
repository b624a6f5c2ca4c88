//! Templates: minijinja set up for batchmill, the names in scope, and the quoting of shell commands.
//!
//! Owns compiling and rendering of one string or value, the filters, and the quoting that keeps values from being read as
//! shell syntax. Leaves it to its callers who renders what and when, and knows nothing of steps or tasks. An undefined name
//! is always an error, and rendered text is never rendered again.

mod base;
mod bounds;
mod check;
mod compiled;
mod compiled_tree;
mod depth;
mod environment;
mod error;
mod exact_number;
mod filters;
mod foreign;
mod joined;
mod json;
mod measured;
mod names;
mod operators;
mod path_pattern;
mod results_name;
mod scope;
mod shell;
mod step_value;
mod text;
mod tokens;

pub use compiled::Template;
pub use compiled_tree::{CompiledTree, compile_pairs};
pub use error::{TemplateError, TemplateErrorKind};
pub use json::{invalid, json_or_invalid, json_to_value, value_to_json};
pub use names::{NameList, Names, SUMMARY_MEMBERS};
pub use path_pattern::PathPattern;
pub use results_name::ResultsName;
pub use scope::{ErrorValue, ItemScope, Scope};
pub use shell::{RenderedCommand, ShellCommand, ShellError, has_pipe};
pub use step_value::{Lazy, StepValue, StoredResults};
