//! What a command reads from its standard input.

use crate::spec::{self, BatchText};
use crate::template::{CompiledTree, TemplateError};

/// `stdin`, compiled.
#[derive(Debug)]
pub(super) enum Stdin {
    /// A text for each item.
    Text(CompiledTree),
    /// The items of a batch.
    Batch(BatchText),
}

impl Stdin {
    pub(super) fn compile(stdin: &spec::Stdin) -> Result<Self, Vec<TemplateError>> {
        Ok(match stdin {
            spec::Stdin::Text(tree) => Self::Text(CompiledTree::compile(tree)?),
            spec::Stdin::Batch(text, _) => Self::Batch(*text),
        })
    }
}
