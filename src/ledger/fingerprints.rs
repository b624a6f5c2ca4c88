//! Rows of `fingerprints`: what the results of a step depend on. Batches, failures and attempts point at them.

use super::ids::{FingerprintId, StepId};
use crate::model::Fingerprint;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// Notes that a step has this fingerprint now.
pub(super) fn set(db: &Connection, step: StepId, fingerprint: &Fingerprint) -> rusqlite::Result<FingerprintId> {
    let row = params![step.0, fingerprint.version, fingerprint.parts_to_json()];
    db.execute("INSERT OR IGNORE INTO fingerprints (step, version, parts) VALUES (?1, ?2, ?3)", row)?;
    let query = "UPDATE steps SET fingerprint =
        (SELECT id FROM fingerprints WHERE step = ?1 AND version = ?2 AND parts = ?3) WHERE id = ?1 RETURNING fingerprint";
    db.query_row(query, row, |row| row.get(0))
}

/// The fingerprints that a step has had.
pub(super) fn all(db: &Connection, step: StepId) -> rusqlite::Result<BTreeMap<FingerprintId, Fingerprint>> {
    let mut statement = db.prepare("SELECT id, version, parts FROM fingerprints WHERE step = ?1")?;
    let rows = statement.query_map([step.0], |row| {
        // Parts that cannot be read were damaged, and equal no others.
        let parts = serde_json::from_str(&row.get::<_, String>(2)?).unwrap_or_default();
        Ok((row.get(0)?, Fingerprint { version: row.get(1)?, parts }))
    })?;
    rows.collect()
}
