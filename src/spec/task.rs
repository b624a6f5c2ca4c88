//! The tasks that a step can run.

use super::setting::{Readable, ValueError};
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

/// `http_request`
#[derive(Debug, Clone)]
pub struct HttpTask {
    /// `url`
    pub url: Text,
    /// `method`, in upper case. Default: `POST` with a body, else `GET`.
    pub method: Option<Text>,
    /// `headers`
    pub headers: Vec<(String, Tree)>,
    /// `params`: the query. A list repeats the name.
    pub params: Vec<(String, Tree)>,
    /// `json`: a body to send as JSON. Never together with `body`.
    pub json: Option<Tree>,
    /// `body`: a body to send as text.
    pub body: Option<Text>,
    /// `auth`
    pub auth: Option<Auth>,
    /// `save_to`: a file for the body of the response.
    pub save_to: Option<Text>,
    /// `rate_limit`: requests per second and host, for all slots together.
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
