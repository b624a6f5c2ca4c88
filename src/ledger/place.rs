//! Where a run is continued: in the directory where it was started. If that directory was moved or copied together with
//! the state directory in it, in the one that contains the state directory now.

use super::folder::StateFolder;
use super::records::RunRecord;
use std::path::{Path, PathBuf};

/// Where a run is continued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPlace {
    /// The working directory.
    pub folder: PathBuf,
    /// The workflow file, absolute or seen from `folder`.
    pub workflow: PathBuf,
}

impl RunPlace {
    /// The place of a run whose state directory is `state` now.
    pub fn of(record: &RunRecord, state: &StateFolder) -> Self {
        let folder = record.state.as_deref().and_then(|inside| holder(&state.0, inside));
        let folder = folder.unwrap_or_else(|| record.folder.clone());
        let workflow = match record.path.strip_prefix(&record.folder) {
            Ok(inside) => folder.join(inside),
            Err(_) => record.path.clone(),
        };
        Self { folder, workflow }
    }

    /// The workflow file, wherever the process is.
    pub fn file(&self) -> PathBuf {
        self.folder.join(&self.workflow)
    }
}

/// The directory that holds `state` at `inside`.
fn holder(state: &Path, inside: &Path) -> Option<PathBuf> {
    let state = std::path::absolute(state).ok()?;
    if !state.ends_with(inside) {
        return None;
    }
    Some(state.ancestors().nth(inside.components().count())?.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Status;

    fn place(state: Option<&str>, path: &str, now: &str) -> RunPlace {
        let record = RunRecord {
            workflow: "w".to_owned(),
            path: path.into(),
            folder: "/old".into(),
            params: "{}".to_owned(),
            incremental: None,
            given: None,
            python: None,
            params_hash: None,
            max_items: None,
            baseline: None,
            state: state.map(PathBuf::from),
            status: Status::Failed,
            started: 0,
            finished: None,
        };
        RunPlace::of(&record, &StateFolder(now.into()))
    }

    #[test]
    fn a_run_follows_its_state_directory_if_the_working_directory_held_it() {
        let at = |folder: &str, workflow: &str| RunPlace { folder: folder.into(), workflow: workflow.into() };
        assert_eq!(place(Some(".batchmill"), "w.yaml", "/new/.batchmill"), at("/new", "w.yaml"));
        assert_eq!(place(Some("a/b"), "/old/w.yaml", "/new/a/b"), at("/new", "/new/w.yaml"));
        assert_eq!(place(Some(".batchmill"), "/other/w.yaml", "/new/.batchmill"), at("/new", "/other/w.yaml"));
        assert_eq!(place(None, "w.yaml", "/new/.batchmill"), at("/old", "w.yaml"), "the state was elsewhere");
        assert_eq!(place(Some(".batchmill"), "w.yaml", "/new/renamed"), at("/old", "w.yaml"), "nothing tells");
    }
}
