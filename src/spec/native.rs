//! The native dialect: the short forms that batchmill itself accepts, written out.

use super::diagnostic::{Diagnostic, ErrorList};
use super::dialect::{Content, Delimiters, Dialect};
use super::node::{Entry, Node, NodeKind};
use std::collections::HashSet;

/// The native dialect.
///
/// `steps` as a mapping becomes a list of steps with names, and a parameter that is just its default becomes a mapping with
/// `default`. Short forms whose errors must quote the key that the user wrote, such as `for_each`, are left to the parser.
pub(super) struct Native;

impl Dialect for Native {
    fn templates(&self) -> &'static [Delimiters] {
        &[
            Delimiters { open: "{{", close: "}}", content: Content::Expression },
            Delimiters { open: "{%", close: "%}", content: Content::Statement },
        ]
    }

    fn lower(&self, mut root: Node, errors: &mut ErrorList) -> Node {
        let NodeKind::Map(entries) = &mut root.kind else { return root };
        for entry in entries {
            match (entry.key.as_str(), &mut entry.value.kind) {
                ("steps", NodeKind::Map(steps)) if !steps.is_empty() => {
                    let steps = std::mem::take(steps);
                    entry.value.kind = NodeKind::List(named_steps(steps, errors));
                }
                ("params", NodeKind::Map(params)) => params.iter_mut().for_each(declare),
                _ => {}
            }
        }
        root
    }
}

/// The steps of a mapping, each with its key as `name`.
fn named_steps(entries: Vec<Entry>, errors: &mut ErrorList) -> Vec<Node> {
    let mut seen = HashSet::new();
    // A duplicate key has been reported already.
    entries.into_iter().filter(|entry| seen.insert(entry.key.clone())).map(|entry| named(entry, errors)).collect()
}

fn named(entry: Entry, errors: &mut ErrorList) -> Node {
    let Entry { key, key_span, mut value } = entry;
    let name = Entry { key: "name".to_owned(), key_span, value: Node::new(key_span, NodeKind::Text(key.clone())) };
    match &mut value.kind {
        NodeKind::Null => value.kind = NodeKind::Map(vec![name]),
        NodeKind::Map(fields) => {
            if let Some(at) = fields.iter().position(|field| field.key == "name") {
                let second = fields.remove(at);
                errors.push(
                    Diagnostic::at(second.key_span, format!("step `{key}` has a second name"))
                        .also(key_span, "this key is the name")
                        .within(format!("steps.{key}.name"))
                        .help("remove `name`"),
                );
            }
            fields.insert(0, name);
        }
        // The parser reports that this is not a step.
        NodeKind::Bool(_) | NodeKind::Number(_) | NodeKind::Text(_) | NodeKind::List(_) => {}
    }
    value
}

/// Turns a plain default into `{default: ..}`.
fn declare(param: &mut Entry) {
    // A mapping is a declaration.
    if !matches!(param.value.kind, NodeKind::Map(_) | NodeKind::Null) {
        let span = param.value.span;
        let default = Node::new(span, std::mem::replace(&mut param.value.kind, NodeKind::Null));
        let entry = Entry { key: "default".to_owned(), key_span: param.key_span, value: default };
        param.value.kind = NodeKind::Map(vec![entry]);
    }
}
