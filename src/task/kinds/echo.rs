//! `echo`: gives its message back.

use crate::model::Outcome;
use crate::spec::EchoTask;
use crate::task::item_lane::{ItemRun, ItemTask};
use crate::template::{CompiledTree, Names, TemplateError};

/// An `echo` task, compiled.
#[derive(Debug)]
pub struct Echo {
    message: CompiledTree,
}

impl Echo {
    pub(in crate::task) fn compile(task: &EchoTask) -> Result<Self, Vec<TemplateError>> {
        Ok(Self { message: CompiledTree::compile(&task.message)? })
    }

    pub(in crate::task) fn check(&self, names: &Names) -> Vec<TemplateError> {
        self.message.check(names)
    }
}

impl ItemTask for Echo {
    fn run(&self, item: &ItemRun<'_>) -> Outcome {
        Ok(self.message.json(item.scope)?)
    }
}
