//! `echo`: returns its message.

use crate::model::Outcome;
use crate::spec::EchoTask;
use crate::task::context::StepContext;
use crate::task::item_lane::{ItemLane, ItemRun, ItemTask};
use crate::task::lane::Lane;
use crate::task::program::Task;
use crate::template::{CompiledTree, Names, TemplateError};
use std::sync::Arc;

/// An `echo` task, compiled.
#[derive(Debug)]
pub(super) struct Echo {
    message: CompiledTree,
}

impl Echo {
    pub(super) fn compile(task: &EchoTask) -> Result<Self, Vec<TemplateError>> {
        Ok(Self { message: CompiledTree::compile(&task.message)? })
    }
}

impl Task for Echo {
    fn type_name(&self) -> &'static str {
        "echo"
    }

    fn check(&self, names: &Names) -> Vec<TemplateError> {
        self.message.check(names)
    }

    fn lane(self: Arc<Self>, context: StepContext, slot: usize) -> Box<dyn Lane> {
        Box::new(ItemLane::new(self, context, slot))
    }

    fn result_is_message(&self) -> bool {
        true
    }
}

impl ItemTask for Echo {
    fn run(&self, item: &ItemRun<'_>) -> Outcome {
        Ok(self.message.json(item.scope)?)
    }
}
