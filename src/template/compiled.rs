//! A string or value of the workflow, compiled once and rendered many times.

use super::filters::PLAIN;
use super::names::{check, check_names, used_names};
use super::scope::{ItemScope, Names};
use super::stored::ResultsName;
use crate::model::{Span, Text, Tree};
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, Expression};
use std::sync::Arc;

/// What is wrong with a template, where it stands and which text of it is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// One line.
    pub message: String,
    /// The string of the file that holds the template.
    pub span: Span,
    /// The part of it that is to blame, if that is known.
    pub needle: Option<String>,
}

/// A compiled string.
#[derive(Debug, Clone)]
pub struct Template {
    kind: Kind,
    text: Text,
}

#[derive(Debug, Clone)]
enum Kind {
    /// No template in it.
    Plain,
    /// One `{{ expression }}`: its value keeps its type.
    Expression(Arc<Expression<'static, 'static>>),
    /// Text and expressions: a string.
    Mixed(Arc<Environment<'static>>),
}

/// The name under which a template is kept in its own environment.
const NAME: &str = "text";

impl Template {
    /// Compiles a string.
    pub fn compile(text: &Text) -> Result<Self, TemplateError> {
        let kind = if !text.is_template() {
            Kind::Plain
        } else if let Some(expression) = sole_expression(&text.raw) {
            let expression = PLAIN.compile_expression_owned(expression.to_owned());
            Kind::Expression(Arc::new(expression.map_err(|error| syntax_error(text, &error))?))
        } else {
            Kind::Mixed(Arc::new(environment_with(&PLAIN, text)?))
        };
        Ok(Self { kind, text: text.clone() })
    }

    /// The string it was compiled from.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Whether it is the same for every item and step.
    pub fn is_plain(&self) -> bool {
        matches!(self.kind, Kind::Plain)
    }

    /// Whether it is nothing but `{{ item }}`.
    pub fn is_item(&self) -> bool {
        matches!(self.kind, Kind::Expression(_))
            && sole_expression(&self.text.raw).is_some_and(|it| it.trim() == "item")
    }

    /// The results that it refers to, where it is nothing but a reference to the results of a step.
    pub fn results_name(&self) -> Option<ResultsName> {
        match self.kind {
            Kind::Expression(_) => ResultsName::read(sole_expression(&self.text.raw)?),
            Kind::Plain | Kind::Mixed(_) => None,
        }
    }

    /// Whether it uses `item`, `index`, `batch` or `error`.
    pub fn uses_item(&self) -> bool {
        self.uses()
            .iter()
            .any(|name| matches!(name.split('.').next(), Some("item" | "item_dir" | "index" | "batch" | "error")))
    }

    /// The names it uses, dotted where members are known, without those it defines itself; sorted.
    pub fn uses(&self) -> Vec<String> {
        let names = match &self.kind {
            Kind::Plain => return Vec::new(),
            Kind::Expression(expression) => expression.undeclared_variables(true),
            Kind::Mixed(env) => {
                env.get_template(NAME).map_or_else(|_| Default::default(), |it| it.undeclared_variables(true))
            }
        };
        used_names(names)
    }

    /// Errors that can be known before anything runs: names and filters that will not be there.
    pub fn check(&self, names: &Names) -> Vec<TemplateError> {
        check(&self.text, &self.uses(), names)
    }

    /// The value, with its type where the string is a sole expression.
    pub fn value(&self, scope: &Arc<ItemScope>) -> Result<Value, TemplateError> {
        let context = || Value::from_dyn_object(Arc::clone(scope));
        match &self.kind {
            Kind::Plain => Ok(Value::from(self.text.raw.clone())),
            Kind::Expression(expression) => {
                let value = expression.eval(context()).map_err(|error| self.failed(&error, scope))?;
                if value.is_undefined() { Err(self.undefined(scope)) } else { Ok(value) }
            }
            Kind::Mixed(_) => self.string(scope).map(Value::from),
        }
    }

    /// The value as a string.
    pub fn string(&self, scope: &Arc<ItemScope>) -> Result<String, TemplateError> {
        match &self.kind {
            Kind::Plain => Ok(self.text.raw.clone()),
            Kind::Mixed(env) => env
                .get_template(NAME)
                .and_then(|template| template.render(Value::from_dyn_object(Arc::clone(scope))))
                .map_err(|error| self.failed(&error, scope)),
            Kind::Expression(_) => {
                self.value(scope).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            }
        }
    }

    /// The value as JSON text.
    pub fn json(&self, scope: &Arc<ItemScope>) -> Result<Vec<u8>, TemplateError> {
        if self.is_item()
            && let Some(item) = &scope.item
        {
            return Ok(item.clone());
        }
        value_to_json(&self.value(scope)?).map_err(|message| self.error(message))
    }

    fn error(&self, message: String) -> TemplateError {
        TemplateError { message, span: self.text.span, needle: None }
    }

    fn undefined(&self, scope: &ItemScope) -> TemplateError {
        let errors = check_names(&self.text, &self.uses(), &scope.names());
        errors.into_iter().next().unwrap_or_else(|| self.error(format!("`{}` is undefined", self.text.raw.trim())))
    }

    fn failed(&self, error: &Error, scope: &ItemScope) -> TemplateError {
        failed(&self.text, &self.uses(), error, &scope.names())
    }
}

/// A copy of `base` that knows `text` as its one template.
pub(super) fn environment_with(
    base: &Environment<'static>,
    text: &Text,
) -> Result<Environment<'static>, TemplateError> {
    let mut env = base.clone();
    env.add_template_owned(NAME, text.raw.clone()).map_err(|error| syntax_error(text, &error))?;
    Ok(env)
}

pub(super) fn template_of<'env>(env: &'env Environment<'static>) -> minijinja::Template<'env, 'env> {
    env.get_template(NAME).expect("`environment_with` added it")
}

pub(super) fn failed(text: &Text, uses: &[String], error: &Error, names: &Names) -> TemplateError {
    if error.kind() == ErrorKind::UndefinedError
        && let Some(error) = check_names(text, uses, names).into_iter().next()
    {
        return error;
    }
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    let needle = error.range().and_then(|range| text.raw.get(range)).map(str::to_owned);
    let place = needle.as_ref().map_or_else(|| text.raw.trim().to_owned(), |needle| needle.trim().to_owned());
    TemplateError { message: format!("template `{}` failed: {what}", shorten(&place)), span: text.span, needle }
}

fn syntax_error(text: &Text, error: &Error) -> TemplateError {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let needle = error.range().and_then(|range| text.raw.get(range)).map(str::to_owned);
    TemplateError { message: format!("bad template: {what}"), span: text.span, needle }
}

fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= 80 { line.to_owned() } else { line.chars().take(79).chain(['…']).collect() }
}

/// The expression inside, where the whole string is one `{{ expression }}`.
fn sole_expression(raw: &str) -> Option<&str> {
    let inner = raw.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let inner = inner.strip_suffix(['-', '+']).unwrap_or(inner);
    // A `{{ a }} and {{ b }}` begins and ends alike; only one that compiles by itself is a sole expression.
    (!inner.contains("}}") || PLAIN.compile_expression(inner).is_ok()).then_some(inner)
}

/// A value of the workflow file with its strings compiled.
#[derive(Debug, Clone)]
pub enum CompiledTree {
    /// No template in it: JSON text, ready.
    Json(Vec<u8>),
    /// A string that is a template.
    Text(Template),
    /// A sequence with a template in it.
    List(Vec<CompiledTree>),
    /// A mapping with a template in it.
    Map(Vec<(String, CompiledTree)>),
}

impl CompiledTree {
    /// Compiles every string; reports all that are wrong.
    pub fn compile(tree: &Tree) -> Result<Self, Vec<TemplateError>> {
        if !tree.is_template() {
            let mut json = Vec::new();
            write_tree(tree, &mut json);
            return Ok(Self::Json(json));
        }
        match tree {
            Tree::Text(text) => Template::compile(text).map(Self::Text).map_err(|error| vec![error]),
            Tree::List(list) => all(list.iter().map(Self::compile)).map(Self::List),
            Tree::Map(map) => {
                let pairs = map.iter().map(|(key, value)| Self::compile(value).map(|value| (key.clone(), value)));
                all(pairs).map(Self::Map)
            }
            Tree::Null | Tree::Bool(_) | Tree::Number(_) => unreachable!("these hold no template"),
        }
    }

    /// Calls `visit` with every template in it.
    pub fn templates<'a>(&'a self, visit: &mut dyn FnMut(&'a Template)) {
        match self {
            Self::Json(_) => {}
            Self::Text(template) => visit(template),
            Self::List(list) => list.iter().for_each(|tree| tree.templates(visit)),
            Self::Map(map) => map.iter().for_each(|(_, tree)| tree.templates(visit)),
        }
    }

    /// Errors that can be known before anything runs.
    pub fn check(&self, names: &Names) -> Vec<TemplateError> {
        let mut errors = Vec::new();
        self.templates(&mut |template| errors.extend(template.check(names)));
        errors
    }

    /// Whether it differs by item.
    pub fn uses_item(&self) -> bool {
        let mut uses = false;
        self.templates(&mut |template| uses |= template.uses_item());
        uses
    }

    /// Whether it is nothing but `{{ item }}`.
    pub fn is_item(&self) -> bool {
        matches!(self, Self::Text(template) if template.is_item())
    }

    /// The results that it refers to, where it is nothing but a reference to the results of a step.
    pub fn results_name(&self) -> Option<ResultsName> {
        if let Self::Text(template) = self { template.results_name() } else { None }
    }

    /// Appends the value as JSON text.
    pub fn write_json(&self, scope: &Arc<ItemScope>, out: &mut Vec<u8>) -> Result<(), TemplateError> {
        match self {
            Self::Json(json) => out.extend_from_slice(json),
            Self::Text(template) => out.extend_from_slice(&template.json(scope)?),
            Self::List(list) => {
                out.push(b'[');
                for (position, tree) in list.iter().enumerate() {
                    out.extend_from_slice(if position == 0 { b"" } else { b"," });
                    tree.write_json(scope, out)?;
                }
                out.push(b']');
            }
            Self::Map(map) => {
                out.push(b'{');
                for (position, (key, tree)) in map.iter().enumerate() {
                    out.extend_from_slice(if position == 0 { b"" } else { b"," });
                    write_string(key, out);
                    out.push(b':');
                    tree.write_json(scope, out)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }

    /// The value as JSON text.
    pub fn json(&self, scope: &Arc<ItemScope>) -> Result<Vec<u8>, TemplateError> {
        let mut out = Vec::new();
        self.write_json(scope, &mut out)?;
        Ok(out)
    }

    /// The value as a string: a string as it is, anything else as JSON text.
    pub fn string(&self, scope: &Arc<ItemScope>) -> Result<String, TemplateError> {
        match self {
            Self::Text(template) => template.string(scope),
            _ => {
                let json = self.json(scope)?;
                Ok(match serde_json::from_slice(&json) {
                    Ok(serde_json::Value::String(text)) => text,
                    _ => String::from_utf8_lossy(&json).into_owned(),
                })
            }
        }
    }
}

/// Compiles named values; reports all that are wrong.
pub fn compile_pairs(pairs: &[(String, Tree)]) -> Result<Vec<(String, CompiledTree)>, Vec<TemplateError>> {
    all(pairs.iter().map(|(name, tree)| CompiledTree::compile(tree).map(|tree| (name.clone(), tree))))
}

fn all<T>(results: impl Iterator<Item = Result<T, Vec<TemplateError>>>) -> Result<Vec<T>, Vec<TemplateError>> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(errors) => bad.extend(errors),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string is always JSON and a vector takes it");
}

fn write_tree(tree: &Tree, out: &mut Vec<u8>) {
    match tree {
        Tree::Null => out.extend_from_slice(b"null"),
        Tree::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Tree::Number(number) => out.extend_from_slice(number.as_bytes()),
        Tree::Text(text) => write_string(&text.raw, out),
        Tree::List(list) => {
            out.push(b'[');
            for (position, tree) in list.iter().enumerate() {
                out.extend_from_slice(if position == 0 { b"" } else { b"," });
                write_tree(tree, out);
            }
            out.push(b']');
        }
        Tree::Map(map) => {
            out.push(b'{');
            for (position, (key, tree)) in map.iter().enumerate() {
                out.extend_from_slice(if position == 0 { b"" } else { b"," });
                write_string(key, out);
                out.push(b':');
                write_tree(tree, out);
            }
            out.push(b'}');
        }
    }
}

/// JSON text as a template's value. Whole numbers beyond 64 bits keep their digits at the top level.
pub fn json_to_value(json: &[u8]) -> Value {
    let digits = json.strip_prefix(b"-").unwrap_or(json);
    if digits.len() > 18 && digits.iter().all(u8::is_ascii_digit) {
        let text = String::from_utf8_lossy(json);
        return text.parse::<i128>().map_or_else(|_| Value::from(text.into_owned()), Value::from);
    }
    serde_json::from_slice(json).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(json).into_owned()))
}

/// A template's value as JSON text.
pub fn value_to_json(value: &Value) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| format!("the value cannot be written as JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_keep_their_digits() {
        assert_eq!(
            value_to_json(&json_to_value(b"-123456789012345678901234567890")).unwrap(),
            b"-123456789012345678901234567890"
        );
        assert_eq!(json_to_value(b"12").to_string(), "12");
    }
}
