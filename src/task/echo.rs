//! `echo`: gives its message back.

use super::guard::Cell;
use super::item_lane::ItemTask;
use super::lane::Context;
use crate::model::Outcome;
use crate::spec::EchoTask;
use crate::template::{CompiledTree, ItemScope, Names, TemplateError};
use std::sync::Arc;

/// An `echo` task, compiled.
#[derive(Debug)]
pub struct Echo {
    message: CompiledTree,
}

impl Echo {
    pub(super) fn compile(task: &EchoTask) -> Result<Self, Vec<TemplateError>> {
        Ok(Self { message: CompiledTree::compile(&task.message)? })
    }

    pub(super) fn check(&self, names: &Names) -> Vec<TemplateError> {
        self.message.check(names)
    }
}

impl ItemTask for Echo {
    fn run(&self, scope: &Arc<ItemScope>, _context: &Context, _guard: Option<&Cell>) -> Outcome {
        Ok(self.message.json(scope)?)
    }
}
