//! Where the steps of a run write their results. Each path belongs to one step, and no other run uses it at the same
//! time.

use super::scope::step_scope;
use crate::compile::{Prepared, aggregate_target_of, saved_target_of, target_of};
use crate::export::{Claim, TableTarget, Target, is_stdout, real_path};
use crate::measure::wall_clock;
use crate::model::{IfExists, RunId, StepName};
use crate::template::ItemScope;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that the run writes besides its outputs.
#[derive(Debug, Clone)]
pub struct SideFile {
    /// The option that names it.
    pub option: &'static str,
    /// Its path without links, or `-` for stdout.
    pub path: PathBuf,
}

impl SideFile {
    /// Whether it is what an output replaces, or a file in a folder of parts, which is replaced as a whole.
    fn is_in(&self, target: &Target) -> bool {
        if target.is_stdout() || is_stdout(&self.path) {
            return target.is_stdout() && is_stdout(&self.path);
        }
        self.path.starts_with(real_path(&target.path))
    }
}

/// An output of a step is a file that the run writes for another purpose.
#[derive(Debug, thiserror::Error)]
#[error("`{option}` and `outputs` of step `{step}` both write to {path}")]
pub struct SharedPath {
    option: &'static str,
    step: StepName,
    /// As messages name it.
    path: String,
}

/// Checks that no output goes to one of these files, as far as the paths of outputs are known before the run.
///
/// # Errors
/// If one does.
pub fn check_outputs(prepared: &Prepared, files: &[SideFile]) -> Result<(), SharedPath> {
    let scope = step_scope(prepared, &RunId("check".to_owned()), wall_clock());
    let scope = Arc::new(ItemScope::of_step(Arc::new(scope)));
    for step in prepared.steps.iter().chain(&prepared.closing) {
        // What is wrong with a path, and what it will be if an earlier step says so, turns out when the step starts.
        let of = &step.step;
        let targets = [target_of(of, &scope), aggregate_target_of(of, &scope), saved_target_of(of, &scope)];
        for target in targets.into_iter().filter_map(|target| target.ok().flatten()) {
            if let Some(file) = files.iter().find(|file| file.is_in(&target)) {
                return Err(SharedPath { option: file.option, step: step.name().clone(), path: target.shown() });
            }
        }
    }
    Ok(())
}

/// Why a path cannot be claimed.
pub(super) enum Refused {
    /// Another run is writing there.
    Busy(String),
    /// This run writes there too.
    Taken(String),
}

/// The paths of the steps so far.
#[derive(Debug, Default)]
pub(super) struct OutputPaths {
    /// What no step may write to.
    taken: Vec<SideFile>,
    results: Vec<(PathBuf, StepName)>,
    /// Tables, as messages name them.
    tables: Vec<(String, IfExists, StepName)>,
    /// The files that items have made.
    files: BTreeMap<PathBuf, StepName>,
}

impl OutputPaths {
    /// No step may write to these files.
    pub(super) fn beside(taken: &[SideFile]) -> Self {
        Self { taken: taken.to_vec(), ..Self::default() }
    }

    /// Claims the path of a step until the claim is dropped. The error says who else writes there.
    /// Stdout needs no claim: it is the run's own.
    pub(super) fn claim(&mut self, target: &Target, step: &StepName) -> Result<Option<Claim>, Refused> {
        if let Some(file) = self.taken.iter().find(|file| file.is_in(target)) {
            let path = target.shown();
            let option = file.option;
            return Err(Refused::Taken(format!("`{option}` of this run also writes to {path}; choose another path")));
        }
        let claim = if target.is_stdout() { Ok(None) } else { Claim::take(target).map(Some) };
        let claim = claim
            .map_err(|busy| Refused::Busy(format!("{busy}; wait until it has finished, or choose another path")))?;
        let real = claim.as_ref().map_or(&*target.path, Claim::real_path);
        let other = self.results.iter().find(|(path, owner)| {
            // A folder of parts is replaced as a whole.
            owner != step && (path.starts_with(real) || real.starts_with(path))
        });
        if let Some((_, owner)) = other {
            let path = target.shown();
            return Err(Refused::Taken(format!(
                "step `{owner}` of this run also writes to {path}; choose another path"
            )));
        }
        self.results.push((real.to_path_buf(), step.clone()));
        Ok(claim)
    }

    /// Claims the table of a step for the rest of the run. Several may append to one. The error says who else writes there.
    pub(super) fn claim_table(
        &mut self,
        (target, identity): (&TableTarget, String),
        step: &StepName,
    ) -> Result<(), String> {
        let (shown, how) = (target.shown(), target.if_exists);
        let appends = |other: IfExists| (other, how) == (IfExists::Append, IfExists::Append);
        let clash = |(table, other, owner): &&(String, IfExists, StepName)| {
            *table == identity && owner != step && !appends(*other)
        };
        if let Some((_, _, owner)) = self.tables.iter().find(clash) {
            return Err(format!("step `{owner}` of this run also writes to {shown}; choose another table"));
        }
        self.tables.push((identity, how, step.clone()));
        Ok(())
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
