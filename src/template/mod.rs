//! Templates: minijinja set up for batchmill, the names in scope, and the shell's quoting rules.
//!
//! Owns compiling and rendering of one string or value, the filters, and the escaping that keeps an item's content from
//! being read as shell syntax. Knows nothing of steps or tasks: who renders what, and when, is decided by its callers.
//! Undefined names are errors everywhere, and what was rendered once is never rendered again.

mod compiled;
mod exact;
mod filters;
mod names;
mod scope;
mod shell;
mod stored;

pub use compiled::{CompiledTree, Template, TemplateError, compile_pairs, json_to_value, value_to_json};
pub use exact::exact_json_to_value;
pub use scope::{ErrorValue, ItemScope, Lazy, Names, Scope, StepValue};
pub use shell::{RenderedCommand, ShellCommand, ShellError};
pub use stored::{ResultsName, StoredResults};
