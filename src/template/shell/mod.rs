//! Shell commands with substitutions that no value can break out of.
//!
//! A value is never pasted into the command. While the template is rendered each substitution is held back behind a marker;
//! then the command is read as a POSIX shell would read it, and each marker becomes a reference to a variable that carries
//! the value, quoted for the place where it stands: `"${v}"` bare, `${v}` in double quotes or a here-document,
//! `'"${v}"'` in single quotes. A shell does not parse what a variable expands to, so even where this reading of the
//! command were wrong, the worst is a word split in two, never a command run. Where no reference can work (arithmetic,
//! `$'..'`, a quoted here-document) it is an error.
//!
//! A command without any shell syntax is cut into words here and needs no shell at all.

mod command;
mod error;
mod nested;
mod placeholder;
mod split;
mod substitute;

pub use command::{RenderedCommand, ShellCommand};
pub use error::ShellError;
