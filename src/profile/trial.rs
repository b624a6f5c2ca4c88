//! What all trials of a step share.

use crate::compile::{Prepared, PreparedStep, StepSettings};
use crate::model::RunId;
use crate::sources::Sample;
use crate::task::{Cancel, TaskHost};
use crate::template::Scope;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What all trials of a step share.
pub(super) struct Trial<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) step: &'a PreparedStep,
    /// The settings as the file has them.
    pub(super) settings: &'a StepSettings,
    pub(super) sample: &'a Sample,
    pub(super) scope: Arc<Scope>,
    /// Marks the processes of the profile.
    pub(super) run: RunId,
    pub(super) host: Arc<TaskHost>,
    /// Ends all trials.
    pub(super) cancel: Cancel,
    /// For files that items make.
    pub(super) folder: &'a Path,
    /// Whether they make any.
    pub(super) makes_files: bool,
    /// How long it took to open the source and to read the sample.
    pub(super) reading: Duration,
}
