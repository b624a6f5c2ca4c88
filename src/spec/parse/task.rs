//! A task: `shell`, `http_request` and `echo`; `python` has a file of its own.

use super::python::python;
use super::section::{Given, Section, Sink};
use super::settings::Settings;
use crate::model::{Span, Text, Tree};
use crate::spec::keys::{self, KeyGroup, TASK_TYPES, listed, nearest};
use crate::spec::setting::rate;
use crate::spec::tree::NodeKind;
use crate::spec::{Auth, Command, Diagnostic, EchoTask, HttpTask, ShellTask, Task, TaskKind};

/// The types that `task` and `type` name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskType {
    Shell,
    Python,
    Http,
    Echo,
    Batch,
}

impl TaskType {
    fn new(name: &str) -> Option<Self> {
        Some(match name {
            "shell" => Self::Shell,
            "python" => Self::Python,
            "http_request" => Self::Http,
            "echo" => Self::Echo,
            "batch" => Self::Batch,
            _ => return None,
        })
    }

    pub fn keys(self) -> &'static KeyGroup {
        match self {
            Self::Shell => &keys::SHELL,
            Self::Python => &keys::PYTHON,
            Self::Http => &keys::HTTP,
            Self::Echo => &keys::ECHO,
            Self::Batch => &keys::BATCH,
        }
    }

    pub fn name(self) -> &'static str {
        self.keys().name
    }
}

/// Takes `type` or `task`, and where it stands.
pub(super) fn task_type(section: &mut Section<'_>, at_step: bool, sink: &mut Sink) -> Option<(TaskType, Span)> {
    let known = || TASK_TYPES.iter().copied().chain(at_step.then_some("batch"));
    let given = match (section.take("type"), section.take("task")) {
        (Some(given), Some(other)) | (Some(other), Some(given)) if given.key_span.start > other.key_span.start => {
            let error = Diagnostic::at(given.key_span, "`type` and `task` mean the same: give one of them");
            sink.push(error.also(other.key_span, "first given here").within(given.path));
            other
        }
        (Some(given), _) | (None, Some(given)) => given,
        (None, None) => {
            let (key, what) = if at_step { ("task", "a step") } else { ("type", "a task") };
            sink.push(section.missing(key).help(format!("{what} has a `{key}`: one of {}", listed(known()))));
            return None;
        }
    };
    let name = given.word(sink)?;
    let kind = TaskType::new(&name.raw);
    match kind {
        Some(TaskType::Batch) if !at_step => {
            let error = given.error("cannot be `batch` inside a batch");
            sink.push(error.help("give the inner batch a step of its own"));
            None
        }
        Some(kind) => Some((kind, name.span)),
        None => {
            let error = given.error(format!("names no task type: \"{}\"", name.raw));
            sink.push(match nearest(&name.raw, known()) {
                Some(meant) => error.label(format!("did you mean `{meant}`?")),
                None => error.help(format!("known types: {}", listed(known()))),
            });
            None
        }
    }
}

/// Adds what stands under `inputs` to what stands beside `type`.
pub(super) fn merge_inputs<'n>(fields: &mut Section<'n>, inputs: Option<Given<'n>>, sink: &mut Sink) {
    let Some(inputs) = inputs else {
        return;
    };
    for given in inputs.section(sink).rest() {
        if fields.has(given.key) {
            let error = Diagnostic::at(
                given.key_span,
                format!("`{}` is given twice: beside `type` and under `inputs`", given.key),
            );
            sink.push(error.within(given.path));
        } else {
            fields.extend([given]);
        }
    }
}

/// Reads a task in a mapping: its inputs beside `type`, under `inputs`, or both.
pub(super) fn inner_task(given: &Given<'_>, sink: &mut Sink) -> (Option<Task>, Settings) {
    let none = (None, Settings::default());
    if !matches!(given.node.kind, NodeKind::Map(_)) {
        let error = given.wrong("a mapping with `type`");
        sink.push(error.help("write the type and its inputs below, for instance `type: shell` and `command: ...`"));
        return none;
    }
    let mut fields = given.section(sink);
    let kind = task_type(&mut fields, false, sink);
    let inputs = fields.take("inputs");
    fields.mark_flat();
    merge_inputs(&mut fields, inputs, sink);
    match kind {
        Some(kind) => task(kind, &mut fields, true, sink),
        None => none,
    }
}

/// Reads a task's inputs; `in_loop` says whether there is an item.
pub(super) fn task(
    (kind, span): (TaskType, Span),
    fields: &mut Section<'_>,
    in_loop: bool,
    sink: &mut Sink,
) -> (Option<Task>, Settings) {
    let settings = Settings::take(fields, sink);
    let done = match kind {
        TaskType::Shell => shell(fields, sink).map(TaskKind::Shell),
        TaskType::Python => python(fields, in_loop, sink).map(TaskKind::Python),
        TaskType::Http => http(fields, sink).map(|http| TaskKind::Http(Box::new(http))),
        TaskType::Echo => {
            fields.need("message", sink).map(|given| TaskKind::Echo(EchoTask { message: given.node.to_tree() }))
        }
        TaskType::Batch => None,
    };
    if kind != TaskType::Python {
        fields.finish(&[kind.keys(), &keys::TASK], sink);
    }
    (done.map(|kind| Task { span, kind }), settings)
}

fn shell(fields: &mut Section<'_>, sink: &mut Sink) -> Option<ShellTask> {
    let command = fields.need("command", sink).and_then(|given| match &given.node.kind {
        NodeKind::List(list) if !list.is_empty() => Some(Command::Argv(given.texts(list, sink))),
        NodeKind::List(_) => {
            sink.push(given.error("is empty").help("the first of the list is the program"));
            None
        }
        NodeKind::Text(_) => given.filled(sink).map(Command::Line),
        _ => {
            sink.push(given.wrong("a string, or a list of a program and its arguments"));
            None
        }
    });
    let working_dir = fields.take("working_dir").and_then(|given| given.filled(sink));
    let env = fields.take("env").map(|given| given.scalars(sink)).unwrap_or_default();
    Some(ShellTask { command: command?, working_dir, env })
}

fn http(fields: &mut Section<'_>, sink: &mut Sink) -> Option<HttpTask> {
    let url = fields.need("url", sink).and_then(|given| given.filled(sink));
    let method = fields.take("method").and_then(|given| method(&given, sink));
    let headers = fields.take("headers").map(|given| given.scalars(sink)).unwrap_or_default();
    let params = fields.take("params").map(|given| query(&given, sink)).unwrap_or_default();
    let (json, body) = (fields.take("json"), fields.take("body"));
    if let (Some(json), Some(body)) = (&json, &body) {
        let error = Diagnostic::at(body.key_span, "`body` and `json` cannot stand together");
        sink.push(error.also(json.key_span, "the other body").within(body.path.clone()));
    }
    let body = body.and_then(|given| given.plain(sink));
    let auth = fields.take("auth").and_then(|given| auth(&given, sink));
    let save_to = fields.take("save_to").and_then(|given| given.filled(sink));
    let rate_limit = fields.take("rate_limit").and_then(|given| given.with(rate, sink));
    Some(HttpTask {
        url: url?,
        method,
        headers,
        params,
        json: json.map(|given| given.node.to_tree()),
        body,
        auth,
        save_to,
        rate_limit,
    })
}

fn method(given: &Given<'_>, sink: &mut Sink) -> Option<Text> {
    let mut text = given.filled(sink)?;
    if !text.is_template() {
        if !text.raw.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') {
            sink.push(given.error("must be a method such as `GET` or `POST`"));
            return None;
        }
        text.raw = text.raw.to_ascii_uppercase();
    }
    Some(text)
}

fn query(given: &Given<'_>, sink: &mut Sink) -> Vec<(String, Tree)> {
    let mut out = Vec::new();
    for given in given.section(sink).rest() {
        let scalar = |kind: &NodeKind| !matches!(kind, NodeKind::Map(_) | NodeKind::List(_));
        let fit = match &given.node.kind {
            NodeKind::List(list) => list.iter().all(|node| scalar(&node.kind)),
            kind => scalar(kind),
        };
        if fit {
            out.push((given.key.to_owned(), given.node.to_tree()));
        } else {
            sink.push(given.wrong("a string, a number, a boolean or a list of these"));
        }
    }
    out
}

fn auth(given: &Given<'_>, sink: &mut Sink) -> Option<Auth> {
    let mut section = given.section(sink);
    let bearer = section.take("bearer");
    let (username, password) = (section.take("username"), section.take("password"));
    section.finish(&[&keys::AUTH], sink);
    match (bearer, username, password) {
        (Some(bearer), None, None) => bearer.filled(sink).map(Auth::Bearer),
        (None, Some(username), Some(password)) => {
            let (username, password) = (username.text(sink), password.text(sink));
            Some(Auth::Basic { username: username?, password: password? })
        }
        _ => {
            let error = given.error("must have `bearer`, or `username` and `password`");
            sink.push(error.help("keep the values in the environment: `{{ env.API_TOKEN }}`"));
            None
        }
    }
}
