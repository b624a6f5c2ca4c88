//! Finding a run by its ID.

use super::stderr::tell;
use crate::ledger::{LedgerError, RunFolder, StateFolder, was_refused};
use crate::text::Printable;

/// The run that `name` means: an ID, the beginning or end of one, or `latest`.
pub fn find_run(state: &StateFolder, name: &str) -> Result<RunFolder, LedgerError> {
    if name == "latest" {
        let newest = state.runs_by_age()?.into_iter().rev().take_while(RunFolder::is_half_made);
        for folder in newest {
            let run = Printable::line(&folder.run.0);
            tell(format!("note: ignoring run `{run}`, which never started; delete it with `batchmill runs clean`"));
        }
    }
    if name == "latest"
        && let Some(folder) = latest_begun(state)?
    {
        return state.find(&folder.run.0);
    }
    state.find(name)
}

/// The newest run that began, if a newer one was refused.
fn latest_begun(state: &StateFolder) -> Result<Option<RunFolder>, LedgerError> {
    let begun = state.runs_by_age()?.into_iter().rev().filter(|folder| !folder.is_half_made());
    for (refused, folder) in begun.enumerate() {
        if !was_refused(&folder) {
            return Ok((refused > 0).then_some(folder));
        }
        let run = Printable::line(&folder.run.0);
        tell(format!("note: ignoring run `{run}`, which was refused because another run was writing to its output"));
    }
    Ok(None)
}
