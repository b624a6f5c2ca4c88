//! A task: `http_request` and `echo`. `python` and `shell` are in their own files.

use super::python::python;
use super::retry::RetryAndTimeout;
use super::section::{Field, Section};
use super::shell::shell;
use super::task_type::{Level, Runs, TaskHead, TaskType, task_head};
use crate::model::{Text, Tree};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::keys;
use crate::spec::node::{NodeKind, shorten};
use crate::spec::setting::rate;
use crate::spec::task::{Auth, EchoTask, HttpTask, Task, TaskKind};

/// Adds the keys under `inputs` to those next to `type`.
pub(super) fn merge_inputs<'n>(fields: &mut Section<'n>, inputs: Option<Field<'n>>, errors: &mut ErrorList) {
    let Some(inputs) = inputs else {
        return;
    };
    for field in inputs.section(errors).rest() {
        if fields.has(field.key) {
            let error = Diagnostic::at(field.key_span, format!("duplicate input `{}`", field.key));
            errors.push(error.within(field.path).help("define it either next to `type` or under `inputs`"));
        } else {
            fields.extend([field]);
        }
    }
}

/// Reads a task in a mapping, with its inputs next to `type`, under `inputs`, or both.
pub(super) fn inner_task(field: &Field<'_>, errors: &mut ErrorList) -> (Option<Task>, RetryAndTimeout) {
    let none = (None, RetryAndTimeout::default());
    if !matches!(field.node.kind, NodeKind::Map(_)) {
        let error = field.expected("a mapping with `type`");
        errors.push(error.help("for example `{type: shell, command: ls}`"));
        return none;
    }
    let mut fields = field.section(errors);
    let head = task_head(&mut fields, Level::Nested, errors);
    let inputs = fields.take("inputs");
    fields.mark_inline();
    merge_inputs(&mut fields, inputs, errors);
    match head {
        Some(head) => task(TaskHead { runs: Runs::PerItem, ..head }, &mut fields, errors),
        None => none,
    }
}

/// Reads a task's inputs.
pub(super) fn task(
    head: TaskHead,
    fields: &mut Section<'_>,
    errors: &mut ErrorList,
) -> (Option<Task>, RetryAndTimeout) {
    let TaskHead { kind, span, runs } = head;
    let settings = RetryAndTimeout::take(fields, errors);
    let done = match kind {
        TaskType::Shell => shell(fields, runs, errors).map(TaskKind::Shell),
        TaskType::Python => python(fields, runs, errors).map(TaskKind::Python),
        TaskType::Http => http(fields, errors).map(|http| TaskKind::Http(Box::new(http))),
        TaskType::Echo => {
            fields.require("message", errors).map(|field| TaskKind::Echo(EchoTask { message: field.node.to_tree() }))
        }
        TaskType::Batch => None,
    };
    if kind != TaskType::Python {
        fields.reject_unknown(&[kind.keys(), &keys::TASK], errors);
    }
    (done.map(|kind| Task { span, kind }), settings)
}

fn http(fields: &mut Section<'_>, errors: &mut ErrorList) -> Option<HttpTask> {
    let url = fields.require("url", errors).and_then(|field| field.non_empty(errors));
    let method = fields.take("method").and_then(|field| method(&field, errors));
    let headers = fields.take("headers").map(|field| field.scalars(errors)).unwrap_or_default();
    let params = fields.take("params").map(|field| query(&field, errors)).unwrap_or_default();
    let (json, body) = (fields.take("json"), fields.take("body"));
    if let (Some(json), Some(body)) = (&json, &body) {
        let error = Diagnostic::at(body.key_span, "`body` and `json` cannot be used together");
        errors.push(error.also(json.key_span, "conflicts with this").within(body.path.clone()));
    }
    let body = body.and_then(|field| field.plain(errors));
    let auth = fields.take("auth").and_then(|field| auth(&field, errors));
    let save_to = fields.take("save_to").and_then(|field| field.non_empty(errors));
    let rate_limit = fields.take("rate_limit").and_then(|field| field.with(rate, errors));
    Some(HttpTask {
        url: url?,
        method,
        headers,
        params,
        json: json.map(|field| field.node.to_tree()),
        body,
        auth,
        save_to,
        rate_limit,
    })
}

fn method(field: &Field<'_>, errors: &mut ErrorList) -> Option<Text> {
    let mut text = field.non_empty(errors)?;
    if !text.is_template() {
        if !text.raw.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') {
            let error = field.error(format!("must be an HTTP method; found \"{}\"", shorten(&text.raw)));
            errors.push(error.help("for example `GET` or `POST`"));
            return None;
        }
        text.raw = text.raw.to_ascii_uppercase();
    }
    Some(text)
}

fn query(field: &Field<'_>, errors: &mut ErrorList) -> Vec<(String, Tree)> {
    let mut out = Vec::new();
    for field in field.section(errors).rest() {
        let scalar = |kind: &NodeKind| !matches!(kind, NodeKind::Map(_) | NodeKind::List(_));
        let fit = match &field.node.kind {
            NodeKind::List(list) => list.iter().all(|node| scalar(&node.kind)),
            kind => scalar(kind),
        };
        if fit {
            out.push((field.key.to_owned(), field.node.to_tree()));
        } else {
            errors.push(field.expected("a string, number or boolean, or a list of them"));
        }
    }
    out
}

fn auth(field: &Field<'_>, errors: &mut ErrorList) -> Option<Auth> {
    let mut section = field.section(errors);
    let bearer = section.take("bearer");
    let (username, password) = (section.take("username"), section.take("password"));
    section.reject_unknown(&[&keys::AUTH], errors);
    match (bearer, username, password) {
        (Some(bearer), None, None) => bearer.non_empty(errors).map(Auth::Bearer),
        (None, Some(username), Some(password)) => {
            let (username, password) = (username.text(errors), password.text(errors));
            Some(Auth::Basic { username: username?, password: password? })
        }
        _ => {
            let error = field.error("requires either `bearer`, or `username` and `password`");
            errors.push(error.help("for example `bearer: '{{ env.API_TOKEN }}'`"));
            None
        }
    }
}
