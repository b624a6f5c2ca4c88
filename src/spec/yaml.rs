//! Reads the bytes of a file into a tree of nodes.
//!
//! Owns encoding, limits, anchors, aliases and merge keys. Any bytes give a tree or an error. An alias that would exceed the
//! limits is refused before it is copied.
//!
//! The tree is built by hand from the events of saphyr-parser: crates that read YAML into types (`serde-saphyr`, `yaml_serde`)
//! stop at the first error, and batchmill reports every error of a file with its place.

use super::diagnostic::{Diagnostic, Diagnostics, ErrorList};
use super::dialect::Delimiters;
use super::node::{Entry, Node, NodeKind, resolve};
use super::offsets::{ByteOffsets, block_span};
use super::protect::{protect, restore};
use super::source_file::SourceFile;
use super::yaml_error::YamlError;
use crate::model::Span;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};
use std::collections::HashMap;
use std::path::Path;

/// The largest file.
const LARGEST: usize = 64 * 1024 * 1024;
/// The most values in a file, including copies made by aliases.
const MOST_NODES: usize = 1_000_000;
/// The deepest nesting.
const DEEPEST: usize = 100;

/// The text of a file, without a byte order mark.
pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<SourceFile, Diagnostics> {
    let path = path.to_owned();
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let empty = |path| SourceFile { path, text: String::new() };
    if bytes.len() > LARGEST {
        let error = Diagnostic::of_file(format!("the file is too large: {} MiB (limit: 64 MiB)", bytes.len() >> 20))
            .help("move long lists of items to a separate file: `items: {lines: FILE}`");
        return Err(Diagnostics::one(empty(path), error));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile { path, text: text.to_owned() }),
        Err(error) => {
            // Only the text before the invalid byte can be shown.
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            let at = good.len();
            let error = Diagnostic::at(Span::new(at, at), "the file is not valid UTF-8").help("save it as UTF-8");
            Err(Diagnostics::one(SourceFile { path, text: good }, error))
        }
    }
}

/// Reads a workflow into a tree whose top level is a mapping.
pub(super) fn load(source: &SourceFile, delimiters: &'static [Delimiters]) -> Result<(Node, ErrorList), Diagnostic> {
    match load_any(source, delimiters)? {
        (None, _) => Err(Diagnostic::of_file("the file is empty").help("run `batchmill init` for an example")),
        (Some(node), errors) if matches!(node.kind, NodeKind::Map(_)) => Ok((node, errors)),
        (Some(node), _) => Err(Diagnostic::at(
            node.span,
            format!("a workflow must be a mapping with `steps`; found {}", super::node::describe(&node.to_json())),
        )),
    }
}

/// Reads a text into a tree; none if it holds no value.
pub(super) fn load_any(
    source: &SourceFile,
    delimiters: &'static [Delimiters],
) -> Result<(Option<Node>, ErrorList), Diagnostic> {
    let text = source.text.as_str();
    if let Some(at) = memchr::memchr(0, text.as_bytes()) {
        return Err(Diagnostic::at(Span::new(at, at), "the file contains a NUL byte").help("it must be a text file"));
    }
    let protected = protect(text, delimiters);
    if let Some(span) = protected.unclosed {
        let message = format!("unclosed `{}`", &text[span.start..span.end]);
        return Err(Diagnostic::at(span, message).help("close it on the same line, or quote the whole value"));
    }
    let mut builder = Builder {
        offsets: ByteOffsets::new(text),
        restore: protected.changed,
        stack: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        errors: ErrorList::default(),
    };
    let root = builder.read(Parser::new_from_str(&protected.text))?;
    Ok((root, builder.errors))
}

/// Reads a value that is not a workflow, such as a parameter, by the rules of a workflow file. Nothing in it is a template.
/// `None` if there is none, or it is null.
pub(super) fn value(text: &str) -> Result<Option<Node>, String> {
    let mut builder = Builder {
        offsets: ByteOffsets::new(text),
        restore: false,
        stack: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        errors: ErrorList::default(),
    };
    let root = builder.read(Parser::new_from_str(text)).map_err(|error| error.message)?;
    match builder.errors.first() {
        Some(error) => Err(error.message.clone()),
        None => Ok(root),
    }
}

/// A list or mapping that is being read.
struct Open {
    anchor: usize,
    start: usize,
    /// The number of nodes before this one.
    before: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Span)> },
}

/// How a node reads if it turns out to be a key.
#[derive(Clone, Copy)]
enum AsKey<'a> {
    /// A plain scalar.
    Plain(&'a str),
    /// Another scalar, or an alias.
    Other(&'a str),
    /// A collection, which cannot be a key.
    None,
}

/// Builds the tree from the parser's events.
struct Builder<'a> {
    offsets: ByteOffsets<'a>,
    restore: bool,
    stack: Vec<Open>,
    /// Each anchored node and its number of nodes.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    errors: ErrorList,
}

impl Builder<'_> {
    fn read(&mut self, mut parser: Parser<'_, StrInput<'_>>) -> Result<Option<Node>, Diagnostic> {
        let mut root = None;
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| self.yaml_error(&error))?;
            let span = self.offsets.span(span);
            let done = match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Diagnostic::at(span, "the file contains more than one YAML document")
                            .help("put each workflow in a separate file"));
                    }
                    None
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let span = match style {
                        ScalarStyle::Literal | ScalarStyle::Folded => block_span(self.offsets.text, span),
                        _ => span,
                    };
                    let node = self.scalar(&text, style, tag.as_deref(), span);
                    self.count(1 + text.len() / 100, span)?;
                    self.store_anchor(anchor, &node, 1 + text.len() / 100)?;
                    match style {
                        ScalarStyle::Plain => self.attach(node, AsKey::Plain(&text)),
                        _ => self.attach(node, AsKey::Other(&text)),
                    }
                }
                Event::Alias(anchor) => {
                    let node = self.alias(anchor, span)?;
                    let text = node.as_text().map(|text| text.raw).unwrap_or_default();
                    match node.kind {
                        NodeKind::List(_) | NodeKind::Map(_) => self.attach(node, AsKey::None),
                        _ => self.attach(node, AsKey::Other(&text)),
                    }
                }
                Event::SequenceStart(anchor, tag) => {
                    self.open(anchor, tag.as_deref(), span, OpenKind::List(Vec::new()))?;
                    None
                }
                Event::MappingStart(anchor, tag) => {
                    let (entries, key) = (Vec::new(), None);
                    self.open(anchor, tag.as_deref(), span, OpenKind::Map { entries, key })?;
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(span)?,
                _ => None,
            };
            root = done.or(root);
        }
        Ok(root.filter(|node| documents > 0 && node.kind != NodeKind::Null))
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Diagnostic> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= MOST_NODES {
            return Ok(());
        }
        Err(Diagnostic::at(span, "the file contains more than 1,000,000 values, including aliases")
            .help("move long lists of items to a separate file: `items: {lines: FILE}`"))
    }

    fn store_anchor(&mut self, anchor: usize, node: &Node, nodes: usize) -> Result<(), Diagnostic> {
        if anchor > 0 {
            self.count(nodes, node.span)?;
            self.anchors.insert(anchor, (node.clone(), nodes));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Diagnostic> {
        let Some(&(_, nodes)) = self.anchors.get(&anchor) else {
            return Err(Diagnostic::at(span, "the alias refers to the value that contains it"));
        };
        self.count(nodes, span)?;
        let deep = self.stack.len();
        let (node, _) = &self.anchors[&anchor];
        if deep + depth(node) > DEEPEST {
            return Err(too_deep(span));
        }
        Ok(node.clone())
    }

    fn open(&mut self, anchor: usize, tag: Option<&Tag>, span: Span, kind: OpenKind) -> Result<(), Diagnostic> {
        if self.stack.len() >= DEEPEST {
            return Err(too_deep(span));
        }
        let known = match kind {
            OpenKind::List(_) => "seq",
            OpenKind::Map { .. } => "map",
        };
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == known)) {
            self.errors.push(unknown_tag(tag, span));
        }
        let before = self.nodes;
        self.count(1, span)?;
        let start = span.start;
        self.stack.push(Open { anchor, start, before, kind });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<Option<Node>, Diagnostic> {
        let open = self.stack.pop().expect("the parser closes only what it opened");
        let (kind, last) = match open.kind {
            OpenKind::List(list) => {
                let last = list.last().map_or(open.start, |node| node.span.end);
                (NodeKind::List(list), last)
            }
            OpenKind::Map { entries, .. } => {
                let last = entries.last().map_or(open.start, |entry| entry.value.span.end);
                (NodeKind::Map(self.merge(entries)), last)
            }
        };
        // The parser ends a block collection far below with an empty span, and a flow collection with its bracket.
        let end = if span.end > span.start { span.end } else { last };
        let node = Node::new(Span::new(open.start, end.max(open.start)), kind);
        self.store_anchor(open.anchor, &node, self.nodes - open.before)?;
        Ok(self.attach(node, AsKey::None))
    }

    /// Adds a node to the open list or mapping. Returns it if it is the root.
    fn attach(&mut self, node: Node, as_key: AsKey<'_>) -> Option<Node> {
        let Some(open) = self.stack.last_mut() else {
            return Some(node);
        };
        match &mut open.kind {
            OpenKind::List(list) => list.push(node),
            OpenKind::Map { entries, key } => match key.take() {
                Some((key, key_span)) => entries.push(Entry { key, key_span, value: node }),
                None => {
                    let text = match as_key {
                        AsKey::Plain("<<") => MERGE.to_owned(),
                        AsKey::Plain(text) | AsKey::Other(text) if self.restore => restore(text),
                        AsKey::Plain(text) | AsKey::Other(text) => text.to_owned(),
                        AsKey::None => {
                            self.errors.push(
                                Diagnostic::at(node.span, "a key must be a string")
                                    .help("for a template, write `{{ name }}` without a colon after it"),
                            );
                            NO_KEY.to_owned()
                        }
                    };
                    *key = Some((text, node.span));
                }
            },
        }
        None
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Node {
        let text = if self.restore { restore(text) } else { text.to_owned() };
        let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
        let plain = match (tag, core) {
            (None, _) => style == ScalarStyle::Plain,
            (Some(_), Some("str")) => false,
            (Some(_), Some("int" | "float" | "bool" | "null")) => true,
            (Some(tag), _) => {
                // A lone `!` marks a string.
                if !(tag.handle.is_empty() && tag.suffix == "!" || tag.handle == "!" && tag.suffix.is_empty()) {
                    self.errors.push(unknown_tag(tag, span));
                }
                false
            }
        };
        if !plain {
            return Node::new(span, NodeKind::Text(text));
        }
        let kind = resolve(&text).unwrap_or_else(|wrong| {
            let error = Diagnostic::at(span, format!("`{text}` {wrong}")).help("quote it if it is a string");
            self.errors.push(error);
            NodeKind::Text(text)
        });
        Node::new(span, kind)
    }

    /// Resolves `<<`, and reports duplicate keys.
    fn merge(&mut self, mut entries: Vec<Entry>) -> Vec<Entry> {
        entries.retain(|entry| entry.key != NO_KEY);
        let mut seen: HashMap<String, Span> = HashMap::new();
        for entry in entries.iter().filter(|entry| entry.key != MERGE) {
            if let Some(first) = seen.insert(entry.key.clone(), entry.key_span) {
                self.errors.push(
                    Diagnostic::at(entry.key_span, format!("duplicate key `{}`", entry.key))
                        .also(first, "first defined here"),
                );
            }
        }
        if !entries.iter().any(|entry| entry.key == MERGE) {
            return entries;
        }
        let mut out: Vec<Entry> = Vec::with_capacity(entries.len());
        for entry in entries {
            if entry.key != MERGE {
                out.push(entry);
                continue;
            }
            let parts = match entry.value.kind {
                NodeKind::List(list) => list,
                kind => vec![Node::new(entry.value.span, kind)],
            };
            for part in parts {
                let NodeKind::Map(merged) = part.kind else {
                    let error = Diagnostic::at(entry.key_span, "`<<` takes a mapping or a list of mappings");
                    self.errors.push(error.help("write `<<: *name`, and mark a mapping above with `&name`"));
                    continue;
                };
                for from in merged {
                    if !seen.contains_key(&from.key) {
                        seen.insert(from.key.clone(), from.key_span);
                        out.push(from);
                    }
                }
            }
        }
        out
    }

    /// Rewords an error of the parser.
    fn yaml_error(&self, error: &ScanError) -> Diagnostic {
        let mut at = self.offsets.byte(error.marker().index());
        let YamlError { message, help, is_tab } = YamlError::new(error.info());
        if is_tab {
            // The parser may name the end of the line before.
            at = memchr::memchr(b'\t', &self.offsets.text.as_bytes()[at..]).map_or(at, |tab| at + tab);
        }
        let error = Diagnostic::at(Span::new(at, at + 1), message);
        match help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}

/// Replaces a key that is not a string and has been reported.
const NO_KEY: &str = "\u{10FFFD}";

/// Replaces a plain `<<`, to tell it from a quoted one.
const MERGE: &str = "\u{10FFFD}<<";

fn depth(node: &Node) -> usize {
    match &node.kind {
        NodeKind::List(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        NodeKind::Map(map) => 1 + map.iter().map(|entry| depth(&entry.value)).max().unwrap_or(0),
        _ => 0,
    }
}

fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::at(span, format!("the file is nested more than {DEEPEST} levels deep"))
}

fn unknown_tag(tag: &Tag, span: Span) -> Diagnostic {
    Diagnostic::at(span, format!("unsupported YAML tag `{}{}`", tag.handle, tag.suffix)).help("remove the tag")
}
