//! Where the steps of a run write their results. Each path belongs to one step, and no other run uses it at the same
//! time.

use crate::export::{Claim, Target};
use crate::model::StepName;
use std::path::PathBuf;

/// The paths of the steps so far.
#[derive(Debug, Default)]
pub(super) struct OutputPaths(Vec<(PathBuf, StepName)>);

impl OutputPaths {
    /// Claims the path of a step until the claim is dropped. The error says who else writes there.
    pub(super) fn claim(&mut self, target: &Target, step: &StepName) -> Result<Claim, String> {
        let claim = Claim::take(target)
            .map_err(|busy| format!("`path`: {busy}; wait until it has finished, or choose another path"))?;
        let real = claim.real_path();
        let other = self.0.iter().find(|(path, owner)| {
            // A folder of parts is replaced as a whole.
            owner != step && (path.starts_with(real) || real.starts_with(path))
        });
        if let Some((_, owner)) = other {
            let path = target.path.display();
            return Err(format!("`path`: step `{owner}` of this run also writes to `{path}`; choose another path"));
        }
        self.0.push((real.to_path_buf(), step.clone()));
        Ok(claim)
    }
}
