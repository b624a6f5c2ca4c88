//! What the ledger keeps of a run from its start on.

use super::path_column::PathColumn;
use std::path::PathBuf;

/// What the ledger keeps of a new run.
#[derive(Debug, Clone)]
pub struct RunMeta {
    /// The workflow's name.
    pub workflow: String,
    /// Path of the workflow file.
    pub path: PathBuf,
    /// The parameters as JSON, secrets masked.
    pub params: String,
    /// How an incremental run compares files.
    pub incremental: Option<&'static str>,
    /// The options it was started with.
    pub given: Given,
    /// A hash of its parameters.
    pub params_hash: String,
    /// `--max-items`
    pub max_items: Option<u64>,
    /// The text of the workflow file, secrets masked.
    pub source: String,
    /// The machine, as JSON.
    pub machine: String,
}

/// The options of an execution of a run. The next execution takes them over, unless it gets others.
#[derive(Debug, Clone)]
pub struct Given {
    /// Parameters as JSON, without secrets.
    pub params: String,
    /// `--python`
    pub python: Option<PathBuf>,
    /// The state folder, seen from the working folder, if that holds it.
    pub state: Option<PathBuf>,
}

impl Given {
    pub(super) fn paths(&self) -> [Option<PathColumn>; 2] {
        [&self.python, &self.state].map(|path| path.clone().map(PathColumn))
    }
}

/// Where the process works.
pub(super) fn working_folder() -> PathColumn {
    PathColumn(std::env::current_dir().unwrap_or_default())
}
