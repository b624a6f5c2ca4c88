//! The body of a request: bytes, or a form with files, which are read from disk while they are sent.

use super::address::{pairs, values_of};
use super::message::settings;
use crate::model::{Failure, FailureKind};
use crate::spec::RequestBody;
use crate::template::{CompiledTree, ItemScope, Names, Template, TemplateError, compile_pairs};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use ureq::unversioned::multipart::{Form, Part};

/// The templates of a body.
#[derive(Debug)]
pub(super) enum BodyTemplates {
    None,
    Json(CompiledTree),
    Text(Template),
    Form(Vec<(String, CompiledTree)>),
    Multipart { fields: Vec<(String, CompiledTree)>, files: Vec<(String, CompiledTree)> },
}

/// The body of a request.
#[derive(Debug)]
pub(super) enum Payload {
    Bytes(Vec<u8>),
    Multipart(Multipart),
}

/// A form with files.
#[derive(Debug)]
pub(super) struct Multipart {
    fields: Vec<(String, String)>,
    files: Vec<(String, String)>,
}

impl BodyTemplates {
    pub(super) fn compile(body: &RequestBody) -> Result<Self, Vec<TemplateError>> {
        Ok(match body {
            RequestBody::None => Self::None,
            RequestBody::Json(tree) => Self::Json(CompiledTree::compile(tree)?),
            RequestBody::Text(text) => Self::Text(Template::compile(text).map_err(|error| vec![error])?),
            RequestBody::Form(fields) => Self::Form(compile_pairs(fields)?),
            RequestBody::Multipart { fields, files } => {
                let (fields, files) = match (compile_pairs(fields), compile_pairs(files)) {
                    (Ok(fields), Ok(files)) => (fields, files),
                    (fields, files) => {
                        return Err([fields.err(), files.err()].into_iter().flatten().flatten().collect());
                    }
                };
                Self::Multipart { fields, files }
            }
        })
    }

    pub(super) fn check(&self, names: &Names) -> Vec<TemplateError> {
        let all = |pairs: &[(String, CompiledTree)]| pairs.iter().flat_map(|(_, tree)| tree.check(names)).collect();
        match self {
            Self::None => Vec::new(),
            Self::Json(tree) => tree.check(names),
            Self::Text(template) => template.check(names),
            Self::Form(fields) => all(fields),
            Self::Multipart { fields, files } => [all(fields), all(files)].concat(),
        }
    }

    /// Whether there is a body.
    pub(super) fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The `Content-Type` of the body, unless the user gives one. That of a form with files depends on what is sent.
    pub(super) fn content_type(&self) -> Option<&'static str> {
        match self {
            Self::Json(_) => Some("application/json"),
            Self::Form(_) => Some("application/x-www-form-urlencoded"),
            Self::None | Self::Text(_) | Self::Multipart { .. } => None,
        }
    }

    /// The body for an item.
    pub(super) fn render(&self, scope: &Arc<ItemScope>) -> Result<Payload, Failure> {
        Ok(Payload::Bytes(match self {
            Self::None => Vec::new(),
            Self::Json(tree) => tree.json(scope)?,
            Self::Text(template) => template.string(scope)?.into_bytes(),
            // Forms of HTML write a space as `+`.
            Self::Form(fields) => pairs(&values("form", fields, scope)?).replace("%20", "+").into_bytes(),
            Self::Multipart { fields, files } => {
                let quotable = |(name, value): (String, String)| (escaped(&name), value);
                let fields = values("form", fields, scope)?.into_iter().map(quotable).collect();
                let files = values("files", files, scope)?.into_iter().map(quotable).collect();
                return Ok(Payload::Multipart(Multipart { fields, files }));
            }
        }))
    }
}

/// Names and values as text. A list repeats its name, null leaves it out.
pub(super) fn values(
    key: &str,
    pairs: &[(String, CompiledTree)],
    scope: &Arc<ItemScope>,
) -> Result<Vec<(String, String)>, Failure> {
    let mut out = Vec::new();
    for (name, tree) in pairs {
        let value: Result<Value, _> = serde_json::from_slice(&tree.json(scope)?);
        let value = value.map_err(|error| settings(format!("`{key}.{name}` cannot be read: {error}")))?;
        out.extend(values_of(name, value));
    }
    Ok(out)
}

impl Payload {
    /// Removes the body.
    pub(super) fn clear(&mut self) {
        *self = Self::Bytes(Vec::new());
    }

    /// Whether there is a body.
    pub(super) fn is_some(&self) -> bool {
        !matches!(self, Self::Bytes(bytes) if bytes.is_empty())
    }
}

impl Multipart {
    /// The form, with its files opened. Each time that it is sent, it is read again from the beginning.
    pub(super) fn form(&self) -> Result<Form<'_>, Failure> {
        let mut form = self.fields.iter().fold(Form::new(), |form, (name, value)| form.text(name, value));
        for (name, path) in &self.files {
            let failed = |why: &dyn std::fmt::Display| {
                let message = format!("cannot send the file `{path}` (`files.{name}`): {why}");
                Failure::new(FailureKind::Start, "UploadError", message).permanent()
            };
            if !std::fs::metadata(path).map_err(|error| failed(&error))?.is_file() {
                return Err(failed(&"it is not a regular file"));
            }
            let shown = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
            let part = Part::file(path).map_err(|error| failed(&error))?;
            form = form.part(name, part.file_name(&escaped(&shown)));
        }
        Ok(form)
    }
}

/// A name in quotes, as browsers write it (WHATWG HTML, multipart/form-data encoding algorithm).
fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
