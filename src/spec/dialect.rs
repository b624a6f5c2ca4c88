//! Dialects of workflow files: other ways to write the same workflow.
//!
//! A dialect turns its tree of nodes into the native one, before keys and types are checked. Nodes keep their places, so
//! errors that are found later still point into the user's file. Everything after this step knows the native form only.

use super::diagnostic::ErrorList;
use super::node::Node;

/// A way to write workflows.
pub(super) trait Dialect {
    /// The delimiters of templates, which may appear in a file without quotes although YAML gives `{` a meaning.
    fn templates(&self) -> &'static [Delimiters];

    /// Rewrites a tree into the native form, in which templates are written `{{ .. }}` and `{% .. %}`. Reports what cannot
    /// be rewritten, and returns what can.
    fn lower(&self, root: Node, errors: &mut ErrorList) -> Node;
}

/// How a template is marked. Both ends are ASCII.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delimiters {
    pub open: &'static str,
    pub close: &'static str,
    pub content: Content,
}

/// What is between the delimiters of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// An expression: strings and brackets in it may contain the closing delimiter.
    Expression,
    /// A statement: it ends at the first closing delimiter.
    Statement,
}
