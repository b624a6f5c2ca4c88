//! Runs that never began, because another run was writing to their output.

use super::error::LedgerError;
use super::folder::RunFolder;
use super::reader::Reader;

/// The class of the failure of a step that did not begin because another run was writing to its output.
pub const OUTPUT_BUSY: &str = "OutputBusy";

/// Whether a run was refused like this before it had done anything. It is not what anybody means by the latest run.
pub fn was_refused(folder: &RunFolder) -> bool {
    !folder.is_locked() && has_done_nothing(folder).unwrap_or(false)
}

fn has_done_nothing(folder: &RunFolder) -> Result<bool, LedgerError> {
    let reader = Reader::open(folder.clone())?;
    let steps = reader.steps()?;
    if !steps.iter().any(|step| step.failure.as_ref().is_some_and(|failure| failure.class == OUTPUT_BUSY)) {
        return Ok(false);
    }
    let executions = reader.executions()?;
    let [only] = executions.as_slice() else { return Ok(false) };
    // What an incremental run has taken over began in another one.
    Ok(steps.iter().all(|step| step.stats.settled() == 0 || step.started < only.started))
}
