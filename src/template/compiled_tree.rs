//! A value of the workflow with its strings compiled.
//!
//! JSON is written by hand because a `serde_json::Value` would lose the digits of long numbers.

use super::compiled::Template;
use super::error::TemplateError;
use super::names::Names;
use super::results_name::ResultsName;
use super::scope::ItemScope;
use crate::model::Tree;
use std::sync::Arc;

/// A value of the workflow file with its strings compiled.
#[derive(Debug, Clone)]
pub enum CompiledTree {
    /// No template: JSON text, ready to use.
    Json(Vec<u8>),
    /// A string that is a template.
    Text(Template),
    /// A list that contains a template.
    List(Vec<CompiledTree>),
    /// A mapping that contains a template.
    Map(Vec<(String, CompiledTree)>),
}

impl CompiledTree {
    /// Compiles every string. Reports all errors, not only the first.
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
            Tree::Null | Tree::Bool(_) | Tree::Number(_) => unreachable!("only strings are templates"),
        }
    }

    /// Calls `visit` for every template.
    pub fn templates<'a>(&'a self, visit: &mut dyn FnMut(&'a Template)) {
        match self {
            Self::Json(_) => {}
            Self::Text(template) => visit(template),
            Self::List(list) => list.iter().for_each(|tree| tree.templates(visit)),
            Self::Map(map) => map.iter().for_each(|(_, tree)| tree.templates(visit)),
        }
    }

    /// Errors that can be found before anything runs.
    pub fn check(&self, names: &Names) -> Vec<TemplateError> {
        let mut errors = Vec::new();
        self.templates(&mut |template| errors.extend(template.check(names)));
        errors
    }

    /// Whether the value depends on the item.
    pub fn uses_item(&self) -> bool {
        let mut uses = false;
        self.templates(&mut |template| uses |= template.uses_item());
        uses
    }

    /// Whether the value is exactly `{{ item }}`.
    pub fn is_item(&self) -> bool {
        matches!(self, Self::Text(template) if template.is_item())
    }

    /// The results it refers to, if it is exactly a reference to the results of a step.
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

    /// The value as a string: strings as they are, anything else as JSON text.
    pub fn string(&self, scope: &Arc<ItemScope>) -> Result<String, TemplateError> {
        match self {
            Self::Text(template) => template.string(scope),
            _ => {
                let json = self.json(scope)?;
                // JSON text that starts with a quote is a string.
                let text = if json.starts_with(b"\"") { serde_json::from_slice(&json).ok() } else { None };
                Ok(text.unwrap_or_else(|| String::from_utf8_lossy(&json).into_owned()))
            }
        }
    }
}

/// Compiles named values. Reports all errors, not only the first.
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
