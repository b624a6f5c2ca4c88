//! The tasks that a step can run.

use super::setting::{Readable, ValueError};
use crate::model::{Span, Text, Tree};
use bytesize::ByteSize;
use serde_json::Value;
use std::num::NonZeroUsize;

/// A task of any type.
#[derive(Debug, Clone)]
pub struct Task {
    /// Where its `type:` or `task:` stands.
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
    /// `working_dir`; default the folder where batchmill was started.
    pub working_dir: Option<Text>,
    /// `env`: further variables for this command.
    pub env: Vec<(String, Tree)>,
}

/// The two ways to write a command.
#[derive(Debug, Clone)]
pub enum Command {
    /// A string for the shell.
    Line(Text),
    /// A list: a program and its arguments, no shell. Never empty.
    Argv(Vec<Text>),
}

/// `python`: code, a function, a script or an operation.
#[derive(Debug, Clone)]
pub struct PythonTask {
    /// What to run.
    pub program: PythonProgram,
    /// `setup`: code to run once per worker before its first item.
    pub setup: Option<Text>,
    /// `teardown`: code to run once per worker before it ends.
    pub teardown: Option<Text>,
    /// `max_memory` of a worker.
    pub max_memory: Option<MemorySize>,
    /// `max_items_per_worker`
    pub max_items_per_worker: Option<NonZeroUsize>,
    /// All further inputs by name, in file order.
    pub inputs: Vec<(String, Tree)>,
}

/// What a Python task runs. None of it is a template.
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
        /// Where it stands.
        span: Span,
    },
    /// `script`: a file beside the workflow whose text is run like `code`.
    Script(Text),
    /// `operation`: `multiply`, `add`, `subtract` or `divide`; inputs `item` and `factor` are given.
    Operation {
        /// The operation's name.
        name: String,
        /// Where it stands.
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
            None => Err(ValueError::expected("a number of bytes, or a text such as `512MB` or `1.5GiB`", value)),
            Some(bytes) if bytes < 1 << 20 => {
                Err(ValueError::new("is too little for a Python worker").help("give it a unit, such as `512MB`"))
            }
            Some(bytes) => Ok(Self(bytes)),
        }
    }
}

/// `http_request`
#[derive(Debug, Clone)]
pub struct HttpTask {
    /// `url`
    pub url: Text,
    /// `method`, upper case; default `GET`, with a body `POST`.
    pub method: Option<Text>,
    /// `headers`
    pub headers: Vec<(String, Tree)>,
    /// `params`: the query; a list gives the name several times.
    pub params: Vec<(String, Tree)>,
    /// `json`: a body sent as JSON. Not together with `body`.
    pub json: Option<Tree>,
    /// `body`: a body sent as text.
    pub body: Option<Text>,
    /// `auth`
    pub auth: Option<Auth>,
    /// `save_to`: a file for the body of the answer.
    pub save_to: Option<Text>,
    /// `rate_limit`: requests per second and host, over all slots.
    pub rate_limit: Option<f64>,
}

/// `auth` of an HTTP request.
#[derive(Debug, Clone)]
pub enum Auth {
    /// `{username:, password:}`
    Basic {
        /// `username`
        username: Text,
        /// `password`
        password: Text,
    },
    /// `{bearer:}`
    Bearer(Text),
}

/// `echo`: gives its message back.
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
        assert_eq!(MemorySize::read(&json!(512)).unwrap_err().help, Some("give it a unit, such as `512MB`"));
    }
}
