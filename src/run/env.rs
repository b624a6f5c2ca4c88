//! What the steps of a run share, and what each one works with.

use super::control::Control;
use super::mode::StepMode;
use super::output_paths::OutputPaths;
use crate::compile::{OpenStep, Prepared, PreparedStep};
use crate::ledger::{RunFolder, StepLedger};
use crate::measure::SlotClocks;
use crate::model::{Form, LaneSettings, StepName};
use crate::pipeline::Announcer;
use crate::resume::ItemSelection;
use crate::task::{Cancel, CurrentItems, ItemFiles, StepContext, TaskHost, Withdrawn};
use crate::template::Scope;
use std::io;
use std::sync::Arc;

/// What the steps of a run share.
pub(super) struct RunEnv<'a> {
    pub(super) prepared: &'a Prepared,
    /// The run's directory.
    pub(super) folder: RunFolder,
    pub(super) host: Arc<TaskHost>,
    pub(super) control: &'a Control,
    /// Ends the run early.
    pub(super) cancel: Cancel,
    /// The items to run.
    pub(super) selection: ItemSelection,
}

/// What a step works with.
pub(super) struct StepEnv<'a> {
    pub(super) run: &'a RunEnv<'a>,
    pub(super) step: &'a PreparedStep,
    /// Ends the step early. A step that stops because an item failed must not stop the run's closing steps.
    pub(super) cancel: Cancel,
    /// The names in scope.
    pub(super) scope: Arc<Scope>,
    pub(super) ledger: &'a mut StepLedger,
    /// Which of its items run.
    pub(super) mode: StepMode,
    /// Where the steps of the run write.
    pub(super) output_paths: &'a mut OutputPaths,
    pub(super) announcer: Announcer<'a>,
}

impl StepEnv<'_> {
    pub(super) fn name(&self) -> &StepName {
        self.step.name()
    }

    /// Tells the user something about the step.
    pub(super) fn notice(&mut self, text: impl Into<String>) {
        self.announcer.notice(self.step.name(), text);
    }

    /// What the lanes of the step get, with what the run lends to them.
    pub(super) fn context(
        &self,
        open: &OpenStep,
        (item_files, host): (Option<Arc<ItemFiles>>, Arc<TaskHost>),
    ) -> io::Result<StepContext> {
        let settings = Arc::clone(&open.settings.lane);
        let (cancel, file_keys) = (self.cancel.clone(), open.source.file_keys());
        Ok(StepContext { cancel, file_keys, host, ..self.context_of(settings, open.source.forms(), item_files)? })
    }

    /// What a lane gets if it runs a task of the step once, without an item.
    pub(super) fn context_once(&self, settings: LaneSettings) -> io::Result<StepContext> {
        self.context_of(Arc::new(settings), Arc::new([Form::Json]), None)
    }

    fn context_of(
        &self,
        settings: Arc<LaneSettings>,
        forms: Arc<[Form]>,
        item_files: Option<Arc<ItemFiles>>,
    ) -> io::Result<StepContext> {
        Ok(StepContext {
            run: self.run.folder.run.clone(),
            step: self.step.name().clone(),
            scope: Arc::clone(&self.scope),
            withdrawn: Arc::new(Withdrawn::new()?),
            current_items: Arc::new(CurrentItems::new(settings.width)),
            clocks: Arc::new(SlotClocks::new(settings.width)),
            settings,
            forms,
            file_keys: None,
            host: Arc::clone(&self.run.host),
            cancel: self.run.cancel.inner()?,
            item_files,
        })
    }
}

/// What a run lends to the tasks of all its steps.
pub(super) fn task_host(prepared: &Prepared, folder: &RunFolder) -> TaskHost {
    TaskHost {
        env: Arc::clone(&prepared.own_env),
        guard: None,
        python: prepared.python.clone(),
        warm: None,
        remote: None,
        logs: folder.logs().to_path_buf(),
        samples: None,
        secrets: Arc::clone(&prepared.secrets),
        source: Arc::new(prepared.workflow.source.clone()),
    }
}
