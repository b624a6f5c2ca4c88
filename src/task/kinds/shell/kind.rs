//! `shell` as a task type: a command, with or without a shell.

use super::batch_lane::BatchLane;
use super::command::Shell;
use super::outcome::outcome;
use super::stdin::Stdin;
use crate::model::{Failure, Outcome};
use crate::task::context::StepContext;
use crate::task::foreground::{ForegroundEnd, ForegroundRun};
use crate::task::item_lane::{ItemLane, ItemRun, ItemTask, item_scope};
use crate::task::lane::Lane;
use crate::task::program::{Batching, Task};
use crate::template::{Names, TemplateError};
use std::sync::Arc;

impl Task for Shell {
    fn type_name(&self) -> &'static str {
        "shell"
    }

    fn check(&self, names: &Names) -> Vec<TemplateError> {
        self.errors(names)
    }

    fn lane(self: Arc<Self>, context: StepContext, slot: usize) -> Box<dyn Lane> {
        match self.stdin {
            Some(Stdin::Batch(text)) if context.settings.batched => Box::new(BatchLane::new(self, text, context, slot)),
            _ => Box::new(ItemLane::new(self, context, slot)),
        }
    }

    fn foreground(self: Arc<Self>, run: &ForegroundRun<'_>) -> Result<ForegroundEnd, Failure> {
        let item_dir = run.fresh_item_dir()?;
        let mut scope = item_scope(run.context, run.batch, 0, &run.frame())?;
        scope.item_dir = item_dir;
        let text = match self.stdin {
            Some(Stdin::Batch(text)) => Some(text.encode(&[scope.item.take().unwrap_or_default()])?),
            _ => None,
        };
        let mut command = self.build(&Arc::new(scope), run.context)?;
        text.map(|text| command.read(&text)).transpose()?;
        ForegroundEnd::of(command.command(&run.context.host.env).status())
    }

    fn starts_processes(&self) -> bool {
        true
    }

    fn batching(&self) -> Batching {
        if matches!(self.stdin, Some(Stdin::Batch(_))) { Batching::Always } else { Batching::Never }
    }
}

impl ItemTask for Shell {
    fn run(&self, item: &ItemRun<'_>) -> Outcome {
        let command = self.build(item.scope, item.context)?;
        outcome(&self.follow(command, item)?)
    }
}
