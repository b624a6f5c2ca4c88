//! Where the steps of a run write their results. Each path belongs to one step, and no other run uses it at the same
//! time.

use crate::export::{Claim, Target};
use crate::model::StepName;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The paths of the steps so far.
#[derive(Debug, Default)]
pub(super) struct OutputPaths {
    results: Vec<(PathBuf, StepName)>,
    /// The files that items have made.
    files: BTreeMap<PathBuf, StepName>,
}

impl OutputPaths {
    /// Claims the path of a step until the claim is dropped. The error says who else writes there.
    pub(super) fn claim(&mut self, target: &Target, step: &StepName) -> Result<Claim, String> {
        let claim = Claim::take(target)
            .map_err(|busy| format!("`path`: {busy}; wait until it has finished, or choose another path"))?;
        let real = claim.real_path();
        let other = self.results.iter().find(|(path, owner)| {
            // A folder of parts is replaced as a whole.
            owner != step && (path.starts_with(real) || real.starts_with(path))
        });
        if let Some((_, owner)) = other {
            let path = target.path.display();
            return Err(format!("`path`: step `{owner}` of this run also writes to `{path}`; choose another path"));
        }
        self.results.push((real.to_path_buf(), step.clone()));
        Ok(claim)
    }

    /// The files that items of other steps have made in this directory, relative to it.
    pub(super) fn files_of_others(&self, into: &Path, step: &StepName) -> BTreeMap<PathBuf, StepName> {
        let Ok(into) = into.canonicalize() else { return BTreeMap::new() };
        let within = self.files.range(into.clone()..).take_while(|(path, _)| path.starts_with(&into));
        let others = within.filter(|(_, owner)| *owner != step);
        others.filter_map(|(path, owner)| Some((path.strip_prefix(&into).ok()?.to_path_buf(), owner.clone()))).collect()
    }

    /// Notes the files that items of a step have made in this directory, relative to it.
    pub(super) fn add_files(&mut self, into: &Path, files: Vec<PathBuf>, step: &StepName) {
        if let Ok(into) = into.canonicalize() {
            self.files.extend(files.into_iter().map(|file| (into.join(file), step.clone())));
        }
    }
}
