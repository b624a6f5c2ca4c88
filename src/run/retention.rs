//! `keep_runs`: how many good runs of a workflow are kept for a set of parameters. Each incremental run holds the whole, so nightly
//! ones would fill a disk.

use super::incremental::{find_baseline, is_baseline};
use crate::compile::Prepared;
use crate::ledger::{Reader, RunFolder, RunPlace, RunRecord};
use crate::model::Status;

/// How many incremental runs are kept if the workflow says nothing; all others are kept then.
const INCREMENTAL: usize = 20;

/// Deletes the oldest runs that succeeded with the same parameters beyond those that are kept, and says so. A run that failed, is
/// unfinished or in use is never deleted, nor is the one that the next incremental run will build on.
pub(super) fn delete_old_runs(prepared: &Prepared, this: &RunFolder) -> Option<String> {
    let Prepared { workflow, options, .. } = prepared;
    let (most, all) = match workflow.keep_runs {
        Some(most) => (most.get(), true),
        None if options.incremental.is_some() => (INCREMENTAL, false),
        None => return None,
    };
    let (state, hash) = (&options.state, prepared.params_hash());
    let wanted = workflow.source.path.canonicalize().ok()?;
    let counts = |record: &RunRecord| {
        record.status == Status::Succeeded
            && record.params_hash.as_deref() == Some(&*hash)
            && (all || record.incremental.is_some())
            && RunPlace::of(record, state).file().canonicalize().is_ok_and(|file| file == wanted)
    };
    let baseline = find_baseline(state, &workflow.source.path, &hash, this).map(|folder| folder.run);
    let is_whole = Reader::open(this.clone()).and_then(|reader| reader.run()).is_ok_and(|record| is_baseline(&record));
    let older = state.runs_by_age().ok()?.into_iter().rev().filter(|folder| folder.run != this.run);
    let older = older.filter(|folder| Reader::open(folder.clone()).and_then(|it| it.run()).is_ok_and(|it| counts(&it)));
    let mut deleted = Vec::new();
    // This run is the first of those that are kept.
    for folder in older.skip(most - 1) {
        let needed = !is_whole && baseline.as_ref() == Some(&folder.run);
        if !needed && folder.delete().is_ok() {
            deleted.push(folder.run.0);
        }
    }
    (!deleted.is_empty()).then(|| {
        let kept = if most == 1 { "1 is kept".to_owned() } else { format!("{most} are kept") };
        format!("deleted old runs, because {kept}: {}", deleted.join(", "))
    })
}
