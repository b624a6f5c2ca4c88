//! Shell commands with substitutions that no value can break out of.
//!
//! batchmill never pastes a value into a command. Rendering the template leaves a placeholder for each value. Then the command
//! is read as a POSIX shell would read it, and each placeholder becomes a reference to a variable that carries the value,
//! quoted for its context: `"${v}"` outside quotes, `${v}` in double quotes or a here-document, `'"${v}"'` in single quotes.
//! A shell does not parse what a variable expands to. So even if a command were misread, the worst outcome is a word split
//! in two; a value is never run as a command. Where no reference can work (arithmetic, `$'..'`, a quoted here-document),
//! the substitution is an error.
//!
//! A command without shell syntax is split into words and needs no shell.
//!
//! No crate fits: `shlex` only splits words, `brush-parser` and `conch-parser` build syntax trees that would have to be
//! printed again without changing the command, and `yash-syntax` is under the GPL.

mod command;
mod error;
mod nested;
mod placeholder;
mod programs;
mod split;
mod substitute;
mod words;

pub use command::{RenderedCommand, ShellCommand, has_pipe};
pub use error::ShellError;
