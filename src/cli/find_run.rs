//! Finding a run by its ID.

use super::stderr::tell;
use crate::ledger::{LedgerError, RunFolder, StateFolder};
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
    state.find(name)
}
