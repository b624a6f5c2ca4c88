//! The inputs of an `http_request` task.

use super::aggregate::result_field;
use super::section::{Field, Section};
use crate::model::{Text, Tree};
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::field::Field as ResultField;
use crate::spec::http::{Auth, HttpTask, RequestBody, ResponseUse, TlsFiles};
use crate::spec::keys::{self, RESPONSE_PARTS, either, nearest};
use crate::spec::node::{NodeKind, shorten};
use crate::spec::setting::{Readable, ValueError, rate};
use std::ops::RangeInclusive;

pub(super) fn http(fields: &mut Section<'_>, errors: &mut ErrorList) -> Option<HttpTask> {
    let url = fields.require("url", errors).and_then(|field| field.non_empty(errors));
    let method = fields.take("method").and_then(|field| method(&field, errors));
    let headers = fields.take("headers").map(|field| field.scalars(errors)).unwrap_or_default();
    let params = fields.take("params").map(|field| query(&field, errors)).unwrap_or_default();
    let body = body(fields, errors);
    let auth = fields.take("auth").and_then(|field| auth(&field, errors));
    let rate_limit = fields.take("rate_limit").and_then(|field| field.with(rate, errors));
    let response = response(fields, errors);
    let tls = tls(fields, errors);
    let cookies = switch(fields, "cookies", errors).unwrap_or(false);
    let forward_body = switch(fields, "forward_body", errors).unwrap_or(false);
    let url = url?;
    Some(HttpTask { url, method, headers, params, body, auth, rate_limit, response, tls, cookies, forward_body })
}

fn switch(fields: &mut Section<'_>, key: &str, errors: &mut ErrorList) -> Option<bool> {
    fields.take(key).and_then(|field| field.with(bool::read, errors))
}

/// The body. `form` and `files` go together; no others do.
fn body(fields: &mut Section<'_>, errors: &mut ErrorList) -> RequestBody {
    let (json, body) = (fields.take("json"), fields.take("body"));
    let (form, files) = (fields.take("form"), fields.take("files"));
    let given = [&json, &body, form.as_ref().map_or(&files, |_| &form)];
    let mut given: Vec<&Field<'_>> = given.into_iter().flatten().collect();
    // In the order of the messages so far: `body` first, if it is there.
    given.sort_by_key(|field| field.key != "body");
    if let [first, second, ..] = given.as_slice() {
        let message = format!("`{}` and `{}` cannot be used together", first.key, second.key);
        let error = Diagnostic::at(first.key_span, message).also(second.key_span, "conflicts with this");
        errors.push(error.within(first.path.clone()));
    }
    let text = body.and_then(|field| field.plain(errors));
    let form = form.map(|field| query(&field, errors));
    let files = files.map(|field| paths(&field, errors));
    match (json, text, form, files) {
        (Some(json), ..) => RequestBody::Json(json.node.to_tree()),
        (None, Some(text), ..) => RequestBody::Text(text),
        (None, None, fields, Some(files)) => RequestBody::Multipart { fields: fields.unwrap_or_default(), files },
        (None, None, Some(fields), None) => RequestBody::Form(fields),
        (None, None, None, None) => RequestBody::None,
    }
}

/// The paths of files to send, by the names of their fields.
fn paths(field: &Field<'_>, errors: &mut ErrorList) -> Vec<(String, Tree)> {
    let mut out = Vec::new();
    for field in field.section(errors).rest() {
        if field.patterns(errors).is_some() {
            out.push((field.key.to_owned(), field.node.to_tree()));
        }
    }
    out
}

fn response(fields: &mut Section<'_>, errors: &mut ErrorList) -> ResponseUse {
    let save_to = fields.take("save_to").and_then(|field| field.non_empty(errors));
    let ok_statuses = fields.take("ok_statuses").and_then(|field| field.with(statuses, errors)).unwrap_or_default();
    let chosen = fields.take("fields").map(|field| chosen(&field, errors)).unwrap_or_default();
    ResponseUse { save_to, ok_statuses, fields: chosen }
}

/// A list of statuses and ranges of them, or a single one.
fn statuses(value: &serde_json::Value) -> Result<Vec<RangeInclusive<u16>>, ValueError> {
    match value {
        serde_json::Value::Array(list) if list.is_empty() => {
            Err(ValueError::new("is empty").help("remove it: then all below 400 are a success"))
        }
        serde_json::Value::Array(list) => list.iter().map(status).collect(),
        single => Ok(vec![status(single)?]),
    }
}

/// `404`, `2xx` or `200-299`
fn status(value: &serde_json::Value) -> Result<RangeInclusive<u16>, ValueError> {
    let text = match value {
        serde_json::Value::String(text) => text.trim().to_ascii_lowercase(),
        other => other.to_string(),
    };
    let one = |text: &str| text.trim().parse().ok().filter(|status| (100..=599).contains(status));
    let range = match (text.strip_suffix("xx"), text.split_once('-')) {
        (Some(hundred), _) => one(&format!("{hundred}00")).map(|first: u16| first..=first + 99),
        (None, Some((first, last))) => one(first).zip(one(last)).map(|(first, last)| first..=last),
        (None, None) => one(&text).map(|only| only..=only),
    };
    range
        .filter(|range| !range.is_empty())
        .ok_or_else(|| ValueError::expected("HTTP statuses such as `[200, 404]`, `2xx` or `200-299`", value))
}

/// The fields of a response that are the result: a list of them, or names for them.
fn chosen(field: &Field<'_>, errors: &mut ErrorList) -> Vec<(String, ResultField)> {
    let help = "for example `[status, json.id]`, or `{code: status, id: json.id}`";
    let mut out: Vec<(String, ResultField)> = Vec::new();
    match &field.node.kind {
        NodeKind::List(list) if !list.is_empty() => {
            for (index, node) in list.iter().enumerate() {
                let element = field.element(index, node);
                let Some(part) = part(&element, errors) else { continue };
                if out.iter().any(|(name, _)| *name == part.0) {
                    errors.push(element.error(format!("contains `{part}` twice")));
                }
                out.push((part.0.clone(), part));
            }
        }
        NodeKind::Map(pairs) if !pairs.is_empty() => {
            for field in field.section(errors).rest() {
                out.extend(part(&field, errors).map(|part| (field.key.to_owned(), part)));
            }
        }
        NodeKind::List(_) | NodeKind::Map(_) => errors.push(field.error("is empty").help(help)),
        _ => errors.push(field.expected("a list of fields, or a mapping of names to fields").help(help)),
    }
    out
}

/// A field of a response. What is in the body is not known here, but its first name is.
fn part(field: &Field<'_>, errors: &mut ErrorList) -> Option<ResultField> {
    let part = result_field(field, errors)?;
    let first = part.names().next().unwrap_or_default();
    if RESPONSE_PARTS.contains(&first) {
        return Some(part);
    }
    let error = field.error(format!("names `{}`, which a response does not have", shorten(first)));
    errors.push(match nearest(first, RESPONSE_PARTS.iter().copied()) {
        Some(meant) => error.help(format!("did you mean `{meant}`?")),
        None => {
            let parts = either(RESPONSE_PARTS.iter().copied());
            error.help(format!("begin with {parts}, for example `json.{}`", shorten(&part.0)))
        }
    });
    None
}

fn tls(fields: &mut Section<'_>, errors: &mut ErrorList) -> TlsFiles {
    let verify = fields.take("verify");
    let ca_file = fields.take("ca_file");
    let client_cert = fields.take("client_cert").and_then(|field| field.non_empty(errors));
    let client_key = fields.take("client_key");
    if let (Some(key), None) = (&client_key, &client_cert) {
        let error = key.error("needs `client_cert`, the certificate that the key belongs to");
        errors.push(error.help("add `client_cert: FILE`"));
    }
    let is_off = verify.as_ref().and_then(|field| field.with(bool::read, errors)) == Some(false);
    if let (Some(file), Some(verify), true) = (&ca_file, &verify, is_off) {
        let error = Diagnostic::at(verify.key_span, "`verify: false` and `ca_file` cannot be used together");
        errors
            .push(error.also(file.key_span, "conflicts with this").within(verify.path.clone()).help("remove `verify`"));
    }
    TlsFiles {
        ca_file: ca_file.and_then(|field| field.non_empty(errors)),
        verify: !is_off,
        client_cert,
        client_key: client_key.and_then(|field| field.non_empty(errors)),
    }
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
