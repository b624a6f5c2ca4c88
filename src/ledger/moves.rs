//! New indexes for done items: what a resume writes when the list of items has changed.

use super::batches::{BatchHeader, BatchRow, REMOVED_ITEM, encode_indexes};
use super::columns::integer;
use super::history::{FailureChange, FailureMove, RowChange};
use super::ids::StepId;
use super::steps;
use rusqlite::{Connection, params};

/// Writes which indexes done and failed items have now, and deletes failures of items that are gone. A batch that lost all its
/// items is deleted.
pub(super) fn apply(
    db: &Connection,
    step: StepId,
    changes: &[RowChange],
    failures: &[FailureChange],
) -> rusqlite::Result<()> {
    steps::change_revision(db, step)?;
    for FailureChange { id, to } in failures {
        match to {
            FailureMove::Gone => db.execute("DELETE FROM failures WHERE id = ?1", [id])?,
            FailureMove::Index(index) => {
                db.execute("UPDATE failures SET item_index = ?2 WHERE id = ?1", [*id, integer(*index)])?
            }
            FailureMove::Key(key) => {
                db.execute("UPDATE failures SET key = ?2 WHERE id = ?1", params![id, key.to_string()])?
            }
        };
    }
    changes.iter().try_for_each(|change| apply_to_batch(db, step, change))
}

fn apply_to_batch(db: &Connection, step: StepId, change: &RowChange) -> rusqlite::Result<()> {
    let present = change.indexes.iter().flatten();
    let Some(first) = present.clone().min() else {
        return db.execute("DELETE FROM batches WHERE step = ?1 AND id = ?2", [step.0, change.row.id]).map(drop);
    };
    let row = BatchRow::get(db, step, change.row.id)?;
    let indexes = encode_indexes(change.indexes.iter().map(|index| index.unwrap_or(REMOVED_ITEM)));
    let header = BatchHeader { first: *first, count: present.count() as u64, indexes: Some(&indexes), ..row.header() };
    let checksum = header.checksum(row.results_hash());
    let (first, count) = (integer(header.first), integer(header.count));
    db.execute(
        "UPDATE batches SET first = ?3, count = ?4, indexes = ?5, checksum = ?6 WHERE step = ?1 AND id = ?2",
        params![step.0, change.row.id, first, count, indexes, checksum],
    )?;
    Ok(())
}
