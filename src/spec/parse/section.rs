//! Reads one mapping: keys are taken out one by one, and those left at the end are unknown.

use crate::model::{Span, Text, Tree};
use crate::spec::diagnostic::{Diagnostic, DiagnosticKind, ErrorList};
use crate::spec::keys::{self, KeyGroup, either, listed, nearest};
use crate::spec::node::{Node, NodeKind, describe, shorten};
use crate::spec::setting::{Readable, Setting, ValueError};

/// A key of a mapping and its value.
#[derive(Debug, Clone)]
pub(super) struct Field<'n> {
    pub key: &'n str,
    pub key_span: Span,
    pub node: &'n Node,
    /// The path of keys to the value.
    pub path: String,
    /// Whether the key is next to a task's `type` instead of under `inputs`.
    pub inline: bool,
}

impl<'n> Field<'n> {
    /// An error about the value. The message continues after the key.
    pub fn error(&self, message: impl AsRef<str>) -> Diagnostic {
        let span = if self.node.span.start == self.node.span.end || self.node.kind == NodeKind::Null {
            self.key_span
        } else {
            self.node.span
        };
        Diagnostic::at(span, format!("`{}` {}", self.key, message.as_ref())).within(self.path.clone())
    }

    pub fn value_error(&self, error: &ValueError) -> Diagnostic {
        let diagnostic = self.error(&error.message);
        match error.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }

    pub fn expected(&self, expected: &str) -> Diagnostic {
        self.value_error(&ValueError::expected(expected, &self.node.to_json()))
    }

    /// An element of a list value.
    pub fn element(&self, index: usize, node: &'n Node) -> Self {
        Self { key: self.key, key_span: node.span, node, path: format!("{}[{index}]", self.path), inline: self.inline }
    }

    pub fn is_template(&self) -> bool {
        self.node.as_text().is_some_and(|text| text.is_template())
    }

    /// A value or a template for it.
    pub fn setting<T: Readable>(&self, errors: &mut ErrorList) -> Option<Setting<T>> {
        match self.node.as_text() {
            Some(text) if text.is_template() => Some(Setting::Template(text)),
            _ => self.with(T::read, errors).map(Setting::Fixed),
        }
    }

    /// A value that cannot be a template.
    pub fn with<T>(
        &self,
        read: impl FnOnce(&serde_json::Value) -> Result<T, ValueError>,
        errors: &mut ErrorList,
    ) -> Option<T> {
        if self.is_template() {
            errors.push(self.error("cannot be a template"));
            return None;
        }
        read(&self.node.to_json()).map_err(|error| errors.push(self.value_error(&error))).ok()
    }

    /// A string or a template.
    pub fn text(&self, errors: &mut ErrorList) -> Option<Text> {
        let text = self.node.as_text();
        if text.is_none() {
            let error = self.expected("a string");
            let scalar = matches!(self.node.kind, NodeKind::Number(_) | NodeKind::Bool(_));
            errors.push(if scalar { error.help("quote the value") } else { error });
        }
        text
    }

    /// A string that is not empty, or a template.
    pub fn non_empty(&self, errors: &mut ErrorList) -> Option<Text> {
        let text = self.text(errors)?;
        if text.raw.trim().is_empty() {
            errors.push(self.error("is empty"));
            return None;
        }
        Some(text)
    }

    /// A string taken literally, braces included.
    pub fn plain(&self, errors: &mut ErrorList) -> Option<Text> {
        self.text(errors)
    }

    /// A string that is neither empty nor a template.
    pub fn literal(&self, errors: &mut ErrorList) -> Option<Text> {
        let text = self.non_empty(errors)?;
        if text.is_template() {
            errors.push(self.error("cannot be a template"));
            return None;
        }
        Some(text)
    }

    /// One of these words.
    pub fn one_of(&self, words: &[&'static str], errors: &mut ErrorList) -> Option<&'static str> {
        let text = self.literal(errors)?;
        let word = words.iter().find(|word| **word == text.raw).copied();
        if word.is_none() {
            errors.push(self.unknown_value(&text.raw, words));
        }
        word
    }

    /// The error for a value that is none of these words.
    pub fn unknown_value(&self, value: &str, words: &[&'static str]) -> Diagnostic {
        let message = format!("unknown value `{}` for `{}`", shorten(value), self.key);
        let error = Diagnostic::at(self.node.span, message).within(self.path.clone());
        match nearest(value, words.iter().copied()) {
            Some(meant) => error.label(format!("did you mean `{meant}`?")),
            None => error.help(format!("use {}", either(words.iter().copied()))),
        }
    }

    /// A list of strings.
    pub fn literals(&self, errors: &mut ErrorList) -> Vec<Text> {
        let NodeKind::List(list) = &self.node.kind else {
            errors.push(self.expected("a list of names"));
            return Vec::new();
        };
        list.iter().enumerate().filter_map(|(index, node)| self.element(index, node).literal(errors)).collect()
    }

    /// A list of strings; other scalars are read as strings.
    pub fn texts(&self, list: &'n [Node], errors: &mut ErrorList) -> Vec<Text> {
        let read = |(index, node): (usize, &'n Node)| match &node.kind {
            NodeKind::Number(raw) => Some(Text { raw: raw.clone(), span: node.span }),
            NodeKind::Bool(value) => Some(Text { raw: value.to_string(), span: node.span }),
            _ => self.element(index, node).text(errors),
        };
        list.iter().enumerate().filter_map(read).collect()
    }

    /// A string, or a list of strings, none of them empty.
    pub fn patterns(&self, errors: &mut ErrorList) -> Option<Vec<Text>> {
        match &self.node.kind {
            NodeKind::List(list) if !list.is_empty() => Some(
                list.iter()
                    .enumerate()
                    .filter_map(|(index, node)| self.element(index, node).non_empty(errors))
                    .collect(),
            ),
            NodeKind::Text(_) => self.non_empty(errors).map(|pattern| vec![pattern]),
            _ => {
                errors.push(self.expected("a pattern or a list of patterns"));
                None
            }
        }
    }

    /// A mapping of names to scalars.
    pub fn scalars(&self, errors: &mut ErrorList) -> Vec<(String, Tree)> {
        let mut section = self.section(errors);
        let mut out = Vec::new();
        for field in section.rest() {
            match field.node.kind {
                NodeKind::Text(_) | NodeKind::Number(_) | NodeKind::Bool(_) => {
                    out.push((field.key.to_owned(), field.node.to_tree()));
                }
                _ => errors.push(field.expected("a string, number or boolean")),
            }
        }
        out
    }

    /// The value as a mapping. Empty if the value is null, or is reported not to be a mapping.
    pub fn section(&self, errors: &mut ErrorList) -> Section<'n> {
        if !matches!(self.node.kind, NodeKind::Map(_) | NodeKind::Null) {
            errors.push(self.expected("a mapping"));
        }
        Section::new(self.node, &self.path, self.key_span)
    }
}

/// A mapping whose keys are taken out one by one.
#[derive(Debug)]
pub(super) struct Section<'n> {
    /// What an error about the whole mapping underlines.
    pub span: Span,
    pub path: String,
    left: Vec<Field<'n>>,
}

impl<'n> Section<'n> {
    /// A mapping without keys.
    pub fn empty(path: &str, span: Span) -> Self {
        Self { span, path: path.to_owned(), left: Vec::new() }
    }

    pub fn new(node: &'n Node, path: &str, span: Span) -> Self {
        let entries = match &node.kind {
            NodeKind::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        let mut left: Vec<Field<'n>> = Vec::with_capacity(entries.len());
        let mut seen = std::collections::HashSet::new();
        for entry in entries {
            // A duplicate key has been reported already.
            if seen.insert(entry.key.as_str()) {
                left.push(Field {
                    key: &entry.key,
                    key_span: entry.key_span,
                    node: &entry.value,
                    path: if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) },
                    inline: false,
                });
            }
        }
        Self { span, path: path.to_owned(), left }
    }

    pub fn take(&mut self, key: &str) -> Option<Field<'n>> {
        let at = self.left.iter().position(|field| field.key == key)?;
        Some(self.left.remove(at))
    }

    /// Takes a key, or reports it as missing.
    pub fn require(&mut self, key: &'static str, errors: &mut ErrorList) -> Option<Field<'n>> {
        let field = self.take(key);
        if field.is_none() && !self.has_similar(key) {
            errors.push(self.missing(key));
        }
        field
    }

    /// Whether an unknown key is similar to this one. Its error will suggest this key, so this one need not be reported.
    pub fn has_similar(&self, key: &'static str) -> bool {
        self.left.iter().any(|field| nearest(field.key, [key]).is_some())
    }

    pub fn missing(&self, key: &str) -> Diagnostic {
        Diagnostic::at(self.span, format!("missing key `{key}`")).within(self.path.clone())
    }

    /// Like [`Self::has_similar`], but only for keys next to a task's `type`.
    pub fn has_similar_inline(&self, key: &'static str) -> bool {
        self.left.iter().any(|field| field.inline && nearest(field.key, [key]).is_some())
    }

    pub fn has(&self, key: &str) -> bool {
        self.left.iter().any(|field| field.key == key)
    }

    pub fn names(&self) -> impl Iterator<Item = &'n str> + '_ {
        self.left.iter().map(|field| field.key)
    }

    /// Takes all remaining keys, in file order.
    pub fn rest(&mut self) -> Vec<Field<'n>> {
        std::mem::take(&mut self.left)
    }

    /// Puts keys back.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Field<'n>>) {
        self.left.extend(more);
    }

    /// Marks all keys as being next to a task's `type`.
    pub fn mark_inline(&mut self) {
        self.left.iter_mut().for_each(|field| field.inline = true);
    }

    /// Takes all remaining keys but extensions, in file order.
    pub fn rest_of_ours(&mut self) -> Vec<Field<'n>> {
        self.rest().into_iter().filter(|field| !field.key.starts_with(keys::EXTENSION)).collect()
    }

    /// Reports all remaining keys as unknown.
    pub fn reject_unknown(&mut self, groups: &[&'static KeyGroup], errors: &mut ErrorList) {
        for field in self.rest_of_ours() {
            errors.push(unknown(&field, groups));
        }
    }
}

/// The error for a key that is in none of the groups.
pub(super) fn unknown(field: &Field<'_>, groups: &[&'static KeyGroup]) -> Diagnostic {
    let name = field.key;
    let known = || groups.iter().flat_map(|group| group.names());
    let meant = nearest(name, known());
    let error = Diagnostic::at(field.key_span, format!("unknown key `{name}`")).within(field.path.clone());
    let error = error.kind(DiagnosticKind::UnknownKey(meant));
    match meant {
        Some(meant) => error.label(format!("did you mean `{meant}`?")),
        None => error.help(format!("valid keys: {}", listed(known()))),
    }
}

/// Describes a node that has no key.
pub(super) fn describe_node(node: &Node) -> String {
    describe(&node.to_json())
}
