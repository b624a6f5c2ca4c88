//! What a step gives to its lanes, in three groups: per run, per step, and per execution of a step.
//!
//! Plain data. Each lane holds a clone, which copies a few pointers.

use super::cancel::Cancel;
use super::current_items::CurrentItems;
use super::guard::Guard;
use super::item_files::ItemFiles;
use super::python::{Host, WarmWorkers};
use super::remote::RemoteStep;
use super::withdrawn::Withdrawn;
use crate::measure::SlotClocks;
use crate::model::{About, Compare, Failure, Form, LaneSettings, RunId, Span, StepName};
use crate::spec::SourceFile;
use crate::template::Scope;
use crate::text::Secrets;
use std::path::PathBuf;
use std::sync::Arc;

/// What the lanes of a step share.
#[derive(Debug, Clone)]
pub struct StepContext {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepName,
    /// The names in scope of the step.
    pub scope: Arc<Scope>,
    /// The step's settings, as far as lanes need them.
    pub settings: Arc<LaneSettings>,
    /// How to read items: [`Batch::form`](crate::model::Batch::form) is an index into this.
    pub forms: Arc<[Form]>,
    /// How the files that items name are compared, if items name files.
    pub file_keys: Option<Compare>,
    /// What the run lends to all its steps.
    pub host: Arc<TaskHost>,
    /// Ends the work early.
    pub cancel: Cancel,
    /// The files of items, if the step has an output for them.
    pub item_files: Option<Arc<ItemFiles>>,
    /// The items that the user takes out of the step.
    pub withdrawn: Arc<Withdrawn>,
    /// Where lanes note the item they are on.
    pub current_items: Arc<CurrentItems>,
    /// Where lanes note what their slot is doing.
    pub clocks: Arc<SlotClocks>,
}

/// What a run lends to the tasks of all its steps.
#[derive(Debug, Clone)]
pub struct TaskHost {
    /// Variables to set for every child process.
    pub env: Arc<Vec<(String, String)>>,
    /// Kills child processes if the engine dies.
    pub guard: Option<Arc<Guard>>,
    /// The Python interpreter, if the workflow needs one.
    pub python: Option<Arc<Host>>,
    /// Python workers that outlive the step, if there are calls to come.
    pub warm: Option<Arc<WarmWorkers>>,
    /// Where frames run, if not here. Only of a batch step.
    pub remote: Option<Arc<RemoteStep>>,
    /// Directory for what workers print outside an item.
    pub logs: PathBuf,
    /// Directory for what Python workers are found to do while they use the CPU, if that is wanted.
    pub samples: Option<PathBuf>,
    /// What no log may show.
    pub secrets: Arc<Secrets>,
    /// The workflow file.
    pub source: Arc<SourceFile>,
}

impl TaskHost {
    /// Has failures of templates say where in the workflow file these are.
    pub fn locate<'a>(&self, failures: impl IntoIterator<Item = &'a mut Failure>) {
        for failure in failures {
            let Some(About { span, needle }) = failure.about.take().map(|about| *about) else { continue };
            // A template that batchmill has made has no place.
            if span == Span::default() {
                continue;
            }
            let span = needle.map_or(span, |needle| self.source.locate(span, &needle));
            let (line, column) = self.source.line_column(span.start);
            failure.message.push_str(&format!(" ({}:{line}:{column})", self.source.path.display()));
        }
    }
}

impl StepContext {
    /// The same for `on_item_error`, which takes one item at a time, as long as it needs, and always here.
    pub fn for_handler(&self) -> Self {
        let settings = LaneSettings { batched: false, item_timeout: None, width: 1, ..*self.settings };
        let host = match &self.host.remote {
            Some(_) => Arc::new(TaskHost { remote: None, ..(*self.host).clone() }),
            None => Arc::clone(&self.host),
        };
        Self { settings: Arc::new(settings), host, item_files: None, ..self.clone() }
    }
}
