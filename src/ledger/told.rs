//! Items that the user has told an execution to leave out, and that it has not come to: the next one leaves them out.

use super::batches::BatchRow;
use super::columns::{integer, now, unsigned};
use super::history::ToldItems;
use super::ids::StepId;
use crate::model::StepName;
use rusqlite::{Connection, params};

/// Those of this step. Call it before the step is marked as running again.
pub(super) fn load(db: &Connection, (step, name): (StepId, &StepName), execution: i64) -> rusqlite::Result<ToldItems> {
    let mut indexes = Vec::new();
    let query = "SELECT command FROM commands WHERE execution = (SELECT max(id) FROM executions WHERE id < ?1)";
    let mut statement = db.prepare(query)?;
    let commands = statement.query_map([execution], |row| row.get::<_, String>(0))?;
    for command in commands {
        let Some(index) = item_of(&command?, name).filter(|index| !indexes.contains(index)) else { continue };
        let has_failed = "SELECT EXISTS (SELECT 1 FROM failures WHERE step = ?1 AND item_index = ?2)";
        let has_outcome = db.query_row(has_failed, params![step.0, integer(index)], |row| row.get(0))?
            || BatchRow::any_with(db, step.0, index)?;
        if !has_outcome {
            indexes.push(index);
        }
    }
    let total = db.query_row("SELECT total FROM steps WHERE id = ?1", [step.0], |row| row.get(0).map(unsigned))?;
    Ok(ToldItems { indexes, total })
}

/// The item of this step that a command takes out.
fn item_of(command: &str, step: &StepName) -> Option<u64> {
    let item = command.strip_prefix("skip ").or_else(|| command.strip_prefix("cancel "))?;
    item.strip_prefix(step.as_str())?.strip_prefix(':')?.parse().ok()
}

/// Records that this execution leaves items out as well.
pub(super) fn repeat(db: &Connection, (step, execution): (&StepName, i64), indexes: &[u64]) -> rusqlite::Result<()> {
    let mut insert =
        db.prepare("INSERT INTO commands (execution, at, command, answer) VALUES (?1, ?2, ?3, 'as told before')")?;
    indexes
        .iter()
        .try_for_each(|index| insert.execute(params![execution, now(), format!("skip {step}:{index}")]).map(drop))
}
