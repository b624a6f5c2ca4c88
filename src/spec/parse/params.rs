//! `params`: their declarations, and their values on the command line.

use super::names::is_identifier;
use super::section::Field;
use crate::model::{Span, Tree};
use crate::spec::diagnostic::{Diagnostic, Diagnostics, ErrorList};
use crate::spec::keys::{self, PARAM_TYPES, RESERVED_PARAMS, TEMPLATE_KEYWORDS};
use crate::spec::node::{Node, NodeKind, describe, resolve, to_json};
use crate::spec::param::{Param, ParamKind};
use crate::spec::setting::{Readable, ValueError};
use crate::spec::yaml;
use serde_json::Value;
use std::path::Path;

/// Reads the parameters that a file declares.
pub(super) fn params(field: &Field<'_>, errors: &mut ErrorList) -> Vec<Param> {
    if !matches!(field.node.kind, NodeKind::Map(_) | NodeKind::Null) {
        errors
            .push(field.expected("a mapping of names").help("for example `name: default` or `name: {type: integer}`"));
        return Vec::new();
    }
    field.section(errors).rest().iter().map(|field| param(field, errors)).collect()
}

/// Whether a name means something else in templates, so that no parameter can have it.
pub fn is_reserved(name: &str) -> bool {
    RESERVED_PARAMS.contains(&name) || TEMPLATE_KEYWORDS.contains(&name)
}

/// What is wrong with a parameter of a reserved name.
pub fn reserved(name: &str) -> String {
    format!("no parameter can be named `{name}`, because templates use that name for something else")
}

/// What to do about a parameter of a reserved name.
pub const RENAME: &str = "choose another name";

fn param(field: &Field<'_>, errors: &mut ErrorList) -> Param {
    if !is_identifier(field.key) {
        errors.push(
            Diagnostic::at(field.key_span, format!("invalid parameter name `{}`", field.key))
                .within(field.path.clone())
                .help("use letters, digits and `_`, and start with a letter"),
        );
    }
    if is_reserved(field.key) {
        errors.push(Diagnostic::at(field.key_span, reserved(field.key)).within(field.path.clone()).help(RENAME));
    }
    let mut param = Param {
        name: field.key.to_owned(),
        span: field.key_span,
        kind: None,
        default: None,
        required: true,
        description: None,
    };
    match &field.node.kind {
        NodeKind::Map(_) => declaration(field, &mut param, errors),
        NodeKind::Null => {}
        _ => errors.push(field.expected("a mapping or a default")),
    }
    param
}

fn declaration(field: &Field<'_>, param: &mut Param, errors: &mut ErrorList) {
    let mut section = field.section(errors);
    param.kind = section.take("type").and_then(|field| field.one_of(PARAM_TYPES, errors)).map(|word| match word {
        "string" => ParamKind::String,
        "integer" => ParamKind::Integer,
        "number" => ParamKind::Number,
        "boolean" => ParamKind::Boolean,
        "list" => ParamKind::List,
        _ => ParamKind::Mapping,
    });
    if let Some(default) = section.take("default") {
        let tree = default.node.to_tree();
        // What a template renders to is checked when the parameters are put together.
        if !matches!(&tree, Tree::Text(text) if text.is_template())
            && let Err(error) = fits(param.kind, &default.node.to_json())
        {
            errors.push(default.value_error(&error));
        }
        param.default = Some(tree);
    }
    param.required = param.default.is_none();
    if let Some(required) = section.take("required").and_then(|field| field.with(Readable::read, errors)) {
        param.required = required;
    }
    param.description = section.take("description").and_then(|field| field.plain(errors)).map(|text| text.raw);
    section.reject_unknown(&[&keys::PARAM], errors);
}

fn fits(kind: Option<ParamKind>, value: &Value) -> Result<(), ValueError> {
    let Some(kind) = kind else {
        return Ok(());
    };
    let (fit, expected) = match kind {
        ParamKind::String => (value.is_string(), "a string"),
        ParamKind::Integer => (is_integer(value), "an integer"),
        ParamKind::Number => (value.is_number(), "a number"),
        ParamKind::Boolean => return if value.is_boolean() { Ok(()) } else { boolean(value) },
        ParamKind::List => (value.is_array(), "a list"),
        ParamKind::Mapping => (value.is_object(), "a mapping"),
    };
    if fit { Ok(()) } else { Err(ValueError::expected(expected, value)) }
}

fn boolean(value: &Value) -> Result<(), ValueError> {
    match bool::read(value) {
        Err(error) => Err(error),
        Ok(_) => Err(ValueError::expected("`true` or `false`", value)),
    }
}

/// Whether a value is an integer of any size, or a float such as `1.0` and `1e3`.
fn is_integer(value: &Value) -> bool {
    let Value::Number(number) = value else { return false };
    !number.as_str().contains(['.', 'e', 'E']) || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

/// Checks a value against the declared type. The error is, for example, "`n` must be an integer; found the string \"x\"".
pub fn check_param(param: &Param, value: &Value) -> Result<(), String> {
    fits(param.kind, value).map_err(|error| {
        let help = error.help.map_or_else(String::new, |help| format!(": {help}"));
        format!("`{}` {}{help}", param.name, error.message)
    })
}

impl Param {
    /// The default as JSON, with templates as plain strings.
    pub fn default_json(&self) -> Option<Value> {
        self.default.as_ref().map(to_json)
    }
}

/// Reads the value of a `name=value` argument. A parameter of type `string` is what was typed. Any other value is a number, a boolean
/// or null as in a workflow file, or YAML if it begins with `[`, `{` or a quote; else it is the text as it was typed: `|`, `Issue #5`,
/// `*.csv`.
///
/// # Errors
/// If a list, a mapping or a quoted string is not valid YAML.
pub fn value(text: &str, kind: Option<ParamKind>) -> Result<Value, String> {
    if kind == Some(ParamKind::String) {
        return Ok(Value::String(text.to_owned()));
    }
    let trimmed = text.trim();
    if trimmed.starts_with(['[', '{', '"', '\'']) {
        let node = yaml::value(text).map_err(|error| format!("is not valid YAML: {error}"))?;
        return Ok(node.map_or(Value::Null, |node| node.to_json()));
    }
    match resolve(trimmed) {
        Ok(kind @ (NodeKind::Bool(_) | NodeKind::Number(_) | NodeKind::Null)) if !trimmed.is_empty() => {
            Ok(Node::new(Span::default(), kind).to_json())
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Reads a parameter file: a mapping of names to values, as YAML or JSON, by the rules of workflow files.
///
/// # Errors
/// All errors of the file.
pub fn values(path: &Path, bytes: &[u8]) -> Result<serde_json::Map<String, Value>, Diagnostics> {
    let source = yaml::decode(path, bytes)?;
    let (root, errors) = match yaml::load_any(&source, &[]) {
        Ok(loaded) => loaded,
        Err(error) => return Err(Diagnostics::one(source, error)),
    };
    if let Some(errors) = Diagnostics::new(source.clone(), errors.into_vec()) {
        return Err(errors);
    }
    match root.map(|root| (root.span, root.to_json())) {
        None | Some((_, Value::Null)) => Ok(serde_json::Map::new()),
        Some((_, Value::Object(map))) => Ok(map),
        Some((span, other)) => {
            let message = format!("a parameter file must be a mapping of names to values; found {}", describe(&other));
            Err(Diagnostics::one(source, Diagnostic::at(span, message).help("for example `size: 100`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_the_command_line_are_yaml() {
        let value = |text| value(text, None);
        assert_eq!(value("4"), Ok(json!(4)));
        assert_eq!(value("true"), Ok(json!(true)));
        assert_eq!(value("[a, 2]"), Ok(json!(["a", 2])));
        assert_eq!(value("{a: 1}"), Ok(json!({"a": 1})));
        assert_eq!(value("two words"), Ok(json!("two words")));
        assert_eq!(value("'4'"), Ok(json!("4")));
        assert_eq!(value("*.csv"), Ok(json!("*.csv")));
        assert_eq!(value("#fff"), Ok(json!("#fff")));
        assert_eq!(value(".inf"), Ok(json!(".inf")));
        assert_eq!(value("null"), Ok(json!(null)));
        assert_eq!(value(""), Ok(json!("")));
        assert_eq!(value("yes"), Ok(json!("yes")));
        assert!(value("[a, b").is_err() && value("'a").is_err());
        for typed in
            ["|", "-", "?", "x=?", "&a b", "Issue #5", "Report: May", "one\ntwo", "- a", "!x", " a ", "5 # five", ">"]
        {
            assert_eq!(value(typed), Ok(json!(typed)));
        }
    }

    #[test]
    fn a_declared_string_is_what_was_typed() {
        for typed in ["1", "1.10", "true", "null", "'4'", "[a", "{", "|", "", "Issue #5", "0x10"] {
            assert_eq!(value(typed, Some(ParamKind::String)), Ok(json!(typed)));
        }
        assert_eq!(value("1", Some(ParamKind::Integer)), Ok(json!(1)));
    }

    #[test]
    fn a_value_is_checked_against_the_declared_type() {
        let param = |kind| Param {
            name: "n".to_owned(),
            span: crate::model::Span::default(),
            kind,
            default: None,
            required: true,
            description: None,
        };
        let check = |kind, value| check_param(&param(Some(kind)), &value);
        assert_eq!(
            check(ParamKind::Integer, json!("x")).unwrap_err(),
            "`n` must be an integer; found the string \"x\""
        );
        assert_eq!(check(ParamKind::Integer, json!(1.5)).unwrap_err(), "`n` must be an integer; found the number 1.5");
        assert!(check(ParamKind::Boolean, json!("yes")).unwrap_err().ends_with("write `true`"));
        assert!(check(ParamKind::Number, json!(1.5)).is_ok() && check(ParamKind::List, json!([])).is_ok());
        assert!(check(ParamKind::Mapping, json!([])).is_err() && check(ParamKind::String, json!(4)).is_err());
        assert!(check_param(&param(None), &json!(null)).is_ok());
    }
}
