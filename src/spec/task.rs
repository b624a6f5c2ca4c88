//! The tasks that a step can run.

use super::http::HttpTask;
use super::keys::SHELLS;
use super::setting::{Readable, Setting, ValueError};
use crate::model::{Span, Text, Tree};
use bytesize::ByteSize;
use serde_json::Value;
use std::num::NonZeroUsize;

/// A task of any type.
#[derive(Debug, Clone)]
pub struct Task {
    /// The place of `type` or `task`.
    pub span: Span,
    /// What it does.
    pub kind: TaskKind,
}

/// What a task does.
#[derive(Debug, Clone)]
pub enum TaskKind {
    /// `shell`
    Shell(ShellTask),
    /// `python`
    Python(PythonTask),
    /// `http_request`
    Http(Box<HttpTask>),
    /// `echo`
    Echo(EchoTask),
}

/// `shell`: a command.
#[derive(Debug, Clone)]
pub struct ShellTask {
    /// `command`
    pub command: Command,
    /// `working_dir`. Default: the directory in which batchmill was started.
    pub working_dir: Option<Text>,
    /// `env`: additional variables for this command.
    pub env: Vec<(String, Tree)>,
    /// `shell`: what runs a command line. Default: that of the step, or of the workflow, or `/bin/sh -c`.
    pub shell: Option<ShellProgram>,
    /// `stdin`: what the command reads. Default: nothing.
    pub stdin: Option<Stdin>,
    /// `max_memory` of the command and what it starts.
    pub max_memory: Option<MemorySize>,
}

/// `shell`: a program and its options. The command line is its last argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellProgram(pub Vec<String>);

impl ShellProgram {
    /// A shell by its name. Those that can do so stop at the first command that fails, wherever it is in a pipe.
    pub fn named(name: &str) -> Self {
        let words: &[&str] = match name {
            "sh" => &["/bin/sh", "-c"],
            "dash" => &["dash", "-c"],
            name => &[name, "-e", "-o", "pipefail", "-c"],
        };
        Self(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// Its program, as the user wrote it.
    pub fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Whether it reads quotes as `sh` does.
    pub fn quotes_as_sh(&self) -> bool {
        let name = self.program().rsplit('/').next().unwrap_or_default();
        SHELLS.contains(&name)
    }
}

/// `stdin` of a command.
#[derive(Debug, Clone)]
pub enum Stdin {
    /// A text.
    Text(Tree),
    /// `{batch:}`: the items of the batch, for one command. The lines that it prints are their results.
    Batch(BatchText, Span),
}

/// How the items of a batch are written as text, and how its results are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchText {
    /// `jsonl`: a JSON value per line.
    JsonLines,
    /// `csv`: a record per item, below a header.
    Csv,
    /// `lines`: a line per item.
    Lines,
}

impl Task {
    /// What takes the place of a task that could not be read.
    pub(super) fn unread(span: Span) -> Self {
        Self { span, kind: TaskKind::Echo(EchoTask { message: Tree::Null }) }
    }

    /// Whether it always takes whole batches.
    pub(super) fn always_takes_batches(&self) -> bool {
        self.batch_as_text().is_some()
    }

    /// The place of `batch` in `stdin`, if a command gets whole batches.
    pub(super) fn batch_as_text(&self) -> Option<Span> {
        match &self.kind {
            TaskKind::Shell(ShellTask { stdin: Some(Stdin::Batch(_, span)), .. }) => Some(*span),
            _ => None,
        }
    }

    /// The task, if it runs Python code.
    pub(super) fn python(&self) -> Option<&PythonTask> {
        match &self.kind {
            TaskKind::Python(task) => Some(task),
            _ => None,
        }
    }

    /// Gives commands that do not name a shell this one.
    pub(super) fn default_shell(&mut self, shell: &ShellProgram) {
        if let TaskKind::Shell(task) = &mut self.kind {
            task.shell.get_or_insert_with(|| shell.clone());
        }
    }
}

/// The two ways to write a command.
#[derive(Debug, Clone)]
pub enum Command {
    /// A string for the shell.
    Line(Text),
    /// A program and its arguments, started without a shell. Never empty.
    Argv(Vec<Text>),
}

/// `python`: code, a function, a script or an operation.
#[derive(Debug, Clone)]
pub struct PythonTask {
    /// What to run.
    pub program: PythonProgram,
    /// `setup`: code that each worker runs before its first item.
    pub setup: Option<Text>,
    /// `teardown`: code that each worker runs before it exits.
    pub teardown: Option<Text>,
    /// `max_memory` of a worker
    pub max_memory: Option<MemorySize>,
    /// `max_items_per_worker`
    pub max_items_per_worker: Option<NonZeroUsize>,
    /// `seed` of the step or of the workflow. A template for it is rendered when the step starts.
    pub seed: Option<Setting<i64>>,
    /// All other inputs, in file order.
    pub inputs: Vec<(String, Tree)>,
}

/// What a Python task runs. Never a template.
#[derive(Debug, Clone)]
pub enum PythonProgram {
    /// `code`
    Code(Text),
    /// `function: module:name`
    Function {
        /// Dotted module name.
        module: String,
        /// Dotted name inside the module.
        name: String,
        /// The place in the file.
        span: Span,
    },
    /// `script`: a file to run like `code`, relative to the workflow file.
    Script(Text),
    /// `operation`: `multiply`, `add`, `subtract` or `divide`, on the inputs `item` and `factor`.
    Operation {
        /// The operation's name.
        name: String,
        /// The place in the file.
        span: Span,
    },
}

/// A number of bytes, at least a MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySize(pub u64);

impl Readable for MemorySize {
    fn read(value: &Value) -> Result<Self, ValueError> {
        let bytes = match value {
            Value::String(text) => text.trim().parse::<ByteSize>().ok().map(|size| size.as_u64()),
            _ => value.as_u64(),
        };
        match bytes {
            None => Err(ValueError::expected("a number of bytes, or a size such as `512MB` or `1.5GiB`", value)),
            Some(bytes) if bytes < 1 << 20 => {
                Err(ValueError::new("is too small").help("add a unit, for example `512MB`"))
            }
            Some(bytes) => Ok(Self(bytes)),
        }
    }
}

/// `echo`: returns its message.
#[derive(Debug, Clone)]
pub struct EchoTask {
    /// `message`, of any type.
    pub message: Tree,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn memory_has_a_unit() {
        assert_eq!(MemorySize::read(&json!("512MB")), Ok(MemorySize(512_000_000)));
        assert_eq!(MemorySize::read(&json!("1.5 GiB")), Ok(MemorySize(3 << 29)));
        assert_eq!(MemorySize::read(&json!(1 << 30)), Ok(MemorySize(1 << 30)));
        assert!(MemorySize::read(&json!("much")).is_err());
        assert_eq!(MemorySize::read(&json!(512)).unwrap_err().help, Some("add a unit, for example `512MB`"));
    }
}
