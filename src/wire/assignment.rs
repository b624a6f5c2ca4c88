//! `Assign`: what a host runs for each item, and what is in scope.

use crate::model::{Form, LaneSettings};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A step of a workflow, for a host that runs some of its items.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assignment {
    /// The run.
    pub run: String,
    /// The step.
    pub step: String,
    /// The path of the workflow file, as messages show it.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// The folder of scripts and modules.
    pub imports: PathBuf,
    /// The working directory.
    pub folder: PathBuf,
    /// The [token](super::token).
    pub token: PathBuf,
    /// Why a host must share the file system, if it must.
    pub needs_files: Option<String>,
    /// The step's settings.
    pub settings: HostSettings,
    /// How to read items: [`RunBatch::form`](super::RunBatch::form) is an index into this.
    pub forms: Vec<Form>,
    /// The names in scope.
    pub scope: HostScope,
}

/// The settings of a step, as far as a host needs them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSettings {
    /// Those of its lane. `width` counts the frames that run side by side on all hosts together.
    pub lane: LaneSettings,
    /// Variables to set for every child process.
    pub env: Vec<(String, String)>,
    /// What no text may show.
    pub secrets: Vec<String>,
    /// Where to create directories for files of items, if the step has an output for them.
    pub item_files: Option<PathBuf>,
}

/// The names in scope of a step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HostScope {
    /// `params`
    pub params: BTreeMap<String, serde_json::Value>,
    /// `env`: the variables that the step names.
    pub env: BTreeMap<String, String>,
    /// `run`
    pub run: BTreeMap<String, String>,
    /// `steps`: the earlier steps that the step reads.
    pub steps: BTreeMap<String, HostStep>,
    /// Named outputs, and the step that each refers to.
    pub outputs: BTreeMap<String, String>,
}

/// An earlier step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HostStep {
    /// `result`, unless it is in the file.
    pub result: Option<Box<RawValue>>,
    /// `failed` and `stats`, if it is a batch step.
    pub batch: Option<(Box<RawValue>, Box<RawValue>)>,
    /// The results of a batch step.
    pub file: Option<HostFile>,
    /// `aggregate`
    pub aggregate: Option<Box<RawValue>>,
}

/// A file with the results of a step, one per line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFile {
    /// Its path.
    pub path: PathBuf,
    /// How many results there are.
    pub count: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}
