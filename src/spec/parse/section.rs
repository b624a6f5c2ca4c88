//! Reading one mapping: keys are taken out one by one, what is left at the end is unknown.

use crate::model::{Span, Text, Tree};
use crate::spec::keys::{KeyGroup, listed, nearest};
use crate::spec::setting::{Readable, ValueError};
use crate::spec::tree::{Node, NodeKind, found};
use crate::spec::{Diagnostic, Setting};

/// Where errors go.
pub(super) struct Sink {
    pub errors: Vec<Diagnostic>,
}

impl Sink {
    pub fn push(&mut self, error: Diagnostic) {
        self.errors.push(error);
    }
}

/// A value, with the key it stands under.
#[derive(Debug, Clone)]
pub(super) struct Given<'n> {
    pub key: &'n str,
    pub key_span: Span,
    pub node: &'n Node,
    /// Where it is in the file's tree.
    pub path: String,
    /// Whether it stands beside a task's `type`, not under `inputs`.
    pub flat: bool,
}

impl<'n> Given<'n> {
    /// An error about the value; the message goes on behind the key's name.
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

    pub fn wrong(&self, expected: &str) -> Diagnostic {
        self.value_error(&ValueError::wrong(expected, &self.node.to_json()))
    }

    /// An element of the list that this value is.
    pub fn element(&self, index: usize, node: &'n Node) -> Self {
        Self { key: self.key, key_span: node.span, node, path: format!("{}[{index}]", self.path), flat: self.flat }
    }

    pub fn is_template(&self) -> bool {
        self.node.as_text().is_some_and(|text| text.is_template())
    }

    /// A value that a template may stand for.
    pub fn setting<T: Readable>(&self, sink: &mut Sink) -> Option<Setting<T>> {
        match self.node.as_text() {
            Some(text) if text.is_template() => Some(Setting::Template(text)),
            _ => self.with(T::read, sink).map(Setting::Fixed),
        }
    }

    /// A value that is given outright.
    pub fn with<T>(
        &self,
        read: impl FnOnce(&serde_json::Value) -> Result<T, ValueError>,
        sink: &mut Sink,
    ) -> Option<T> {
        if self.is_template() {
            sink.push(self.error("cannot be a template"));
            return None;
        }
        read(&self.node.to_json()).map_err(|error| sink.push(self.value_error(&error))).ok()
    }

    /// A string, perhaps a template.
    pub fn text(&self, sink: &mut Sink) -> Option<Text> {
        let text = self.node.as_text();
        if text.is_none() {
            let error = self.wrong("a string");
            let scalar = matches!(self.node.kind, NodeKind::Number(_) | NodeKind::Bool(_));
            sink.push(if scalar { error.help("put it in quotes") } else { error });
        }
        text
    }

    /// A string that is not empty, perhaps a template.
    pub fn filled(&self, sink: &mut Sink) -> Option<Text> {
        let text = self.text(sink)?;
        if text.raw.trim().is_empty() {
            sink.push(self.error("is empty"));
            return None;
        }
        Some(text)
    }

    /// A string taken as it is, braces and all.
    pub fn plain(&self, sink: &mut Sink) -> Option<Text> {
        self.text(sink)
    }

    /// A string that is not empty and no template.
    pub fn word(&self, sink: &mut Sink) -> Option<Text> {
        let text = self.filled(sink)?;
        if text.is_template() {
            sink.push(self.error("cannot be a template"));
            return None;
        }
        Some(text)
    }

    /// A list of strings.
    pub fn words(&self, sink: &mut Sink) -> Vec<Text> {
        let NodeKind::List(list) = &self.node.kind else {
            sink.push(self.wrong("a list of names"));
            return Vec::new();
        };
        list.iter().enumerate().filter_map(|(index, node)| self.element(index, node).word(sink)).collect()
    }

    /// A list of strings or of other scalars, read as they are written.
    pub fn texts(&self, list: &'n [Node], sink: &mut Sink) -> Vec<Text> {
        let read = |(index, node): (usize, &'n Node)| match &node.kind {
            NodeKind::Number(raw) => Some(Text { raw: raw.clone(), span: node.span }),
            NodeKind::Bool(value) => Some(Text { raw: value.to_string(), span: node.span }),
            _ => self.element(index, node).text(sink),
        };
        list.iter().enumerate().filter_map(read).collect()
    }

    /// A mapping of names to scalars.
    pub fn scalars(&self, sink: &mut Sink) -> Vec<(String, Tree)> {
        let mut section = self.section(sink);
        let mut out = Vec::new();
        for given in section.rest() {
            match given.node.kind {
                NodeKind::Text(_) | NodeKind::Number(_) | NodeKind::Bool(_) => {
                    out.push((given.key.to_owned(), given.node.to_tree()));
                }
                _ => sink.push(given.wrong("a string, a number or a boolean")),
            }
        }
        out
    }

    /// The value as a mapping to read; empty where nothing is given, or something else.
    pub fn section(&self, sink: &mut Sink) -> Section<'n> {
        if !matches!(self.node.kind, NodeKind::Map(_) | NodeKind::Null) {
            sink.push(self.wrong("a mapping"));
        }
        Section::new(self.node, &self.path, self.key_span)
    }
}

/// A mapping whose keys are taken out one by one.
#[derive(Debug)]
pub(super) struct Section<'n> {
    /// What errors about the mapping as a whole underline.
    pub span: Span,
    pub path: String,
    left: Vec<Given<'n>>,
}

impl<'n> Section<'n> {
    /// A mapping without keys, to be filled.
    pub fn empty(path: &str, span: Span) -> Self {
        Self { span, path: path.to_owned(), left: Vec::new() }
    }

    pub fn new(node: &'n Node, path: &str, span: Span) -> Self {
        let entries = match &node.kind {
            NodeKind::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        let mut left: Vec<Given<'n>> = Vec::with_capacity(entries.len());
        let mut seen = std::collections::HashSet::new();
        for entry in entries {
            // A key that is given twice is reported already.
            if seen.insert(entry.key.as_str()) {
                left.push(Given {
                    key: &entry.key,
                    key_span: entry.key_span,
                    node: &entry.value,
                    path: if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) },
                    flat: false,
                });
            }
        }
        Self { span, path: path.to_owned(), left }
    }

    pub fn take(&mut self, key: &str) -> Option<Given<'n>> {
        let at = self.left.iter().position(|given| given.key == key)?;
        Some(self.left.remove(at))
    }

    /// Takes a key, or reports that it is missing.
    pub fn need(&mut self, key: &'static str, sink: &mut Sink) -> Option<Given<'n>> {
        let given = self.take(key);
        if given.is_none() && !self.has_nearly(key) {
            sink.push(self.missing(key));
        }
        given
    }

    /// Whether an unknown key looks like this one; it is reported with what was meant, and that is enough.
    pub fn has_nearly(&self, key: &'static str) -> bool {
        self.left.iter().any(|given| nearest(given.key, [key]).is_some())
    }

    pub fn missing(&self, key: &str) -> Diagnostic {
        Diagnostic::at(self.span, format!("`{key}` is missing")).within(self.path.clone())
    }

    /// As [`Self::has_nearly`], for keys beside a task's `type` only.
    pub fn has_nearly_flat(&self, key: &'static str) -> bool {
        self.left.iter().any(|given| given.flat && nearest(given.key, [key]).is_some())
    }

    pub fn has(&self, key: &str) -> bool {
        self.left.iter().any(|given| given.key == key)
    }

    pub fn names(&self) -> impl Iterator<Item = &'n str> + '_ {
        self.left.iter().map(|given| given.key)
    }

    /// Takes all that is left, in file order.
    pub fn rest(&mut self) -> Vec<Given<'n>> {
        std::mem::take(&mut self.left)
    }

    /// Puts keys back, for another to read.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Given<'n>>) {
        self.left.extend(more);
    }

    /// Notes that all keys so far stand beside a task's `type`.
    pub fn mark_flat(&mut self) {
        self.left.iter_mut().for_each(|given| given.flat = true);
    }

    /// Reports every key that is left as unknown.
    pub fn finish(&mut self, groups: &[&'static KeyGroup], sink: &mut Sink) {
        for given in self.rest() {
            sink.push(unknown(&given, groups));
        }
    }
}

/// The error of a key that is in none of the groups.
pub(super) fn unknown(given: &Given<'_>, groups: &[&'static KeyGroup]) -> Diagnostic {
    let name = given.key;
    let known = || groups.iter().flat_map(|group| group.names());
    let error = Diagnostic::at(given.key_span, format!("unknown key `{name}`")).within(given.path.clone());
    match nearest(name, known()) {
        Some(meant) => error.label(format!("did you mean `{meant}`?")),
        None => error.help(format!("known keys here: {}", listed(known()))),
    }
}

/// What was found, for a message about a node that has no key.
pub(super) fn found_node(node: &Node) -> String {
    found(&node.to_json())
}
