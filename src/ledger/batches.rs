//! Rows of `batches`.
//!
//! A row counts only after it was compared with the files it points into (`step_files`): a number that was damaged on
//! disk must become an error, not a huge allocation or the result of another item.

use super::columns::{integer, unsigned};
use super::ids::{FingerprintId, StepId};
use super::schema::{fingerprint_column, keys_checksum_column};
use crate::model::{Indexes, ItemKey, ResultForm};
use rusqlite::{Connection, Row, params};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Stands in `batches.indexes` for an item that the workflow no longer has.
pub(super) const REMOVED_ITEM: u64 = u64::MAX;

/// Stands in `batches.execution` for an execution of an earlier run, whose results this one took over.
pub(super) const CARRIED: i64 = 0;

/// A row of `batches`.
#[derive(Debug, Clone, PartialEq, Eq)]
// More than 12 fields: one for each column.
pub(super) struct BatchRow {
    pub(super) id: i64,
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) indexes: Option<Vec<u8>>,
    pub(super) is_list: bool,
    pub(super) form: ResultForm,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) keys_offset: u64,
    /// Whether its keys are consecutive, so that only the first is stored.
    pub(super) keys_are_run: bool,
    pub(super) checksums: Checksums,
    /// The execution that wrote it, or [`CARRIED`].
    pub(super) execution: i64,
    /// Which attempt it was, from 1.
    pub(super) attempt: u32,
    /// What its results depend on; none if an older version wrote it.
    pub(super) fingerprint: Option<FingerprintId>,
}

/// The checksums in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checksums {
    /// Of the row and its results.
    row: i64,
    /// Of its keys; none if an older version wrote it.
    pub(super) keys: Option<i64>,
}

/// What a row says about its results: which items they belong to, and how they are stored.
pub(super) struct BatchHeader<'a> {
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) indexes: Option<&'a [u8]>,
    pub(super) is_list: bool,
    pub(super) form: ResultForm,
    pub(super) keys_offset: u64,
    pub(super) keys_are_run: bool,
    pub(super) fingerprint: Option<FingerprintId>,
}

impl BatchHeader<'_> {
    /// The checksum of a row with this header whose results have this hash. It is the hash of both, combined by XOR: the hash
    /// of the results can be computed back from it, so a row can get a new header without its results being read.
    pub(super) fn checksum(&self, results_hash: u64) -> i64 {
        let mut hash = Xxh3::new();
        for number in [self.first, self.count, self.is_list.into(), self.keys_offset, self.keys_are_run.into()] {
            hash.update(&number.to_le_bytes());
        }
        if self.form == ResultForm::Arrow {
            hash.update(b"arrow");
        }
        hash.update(self.indexes.unwrap_or(b"range"));
        if let Some(FingerprintId(fingerprint)) = self.fingerprint {
            hash.update(b"fingerprint");
            hash.update(&fingerprint.to_le_bytes());
        }
        (hash.digest() ^ results_hash).cast_signed()
    }
}

/// How long the results file and the keys file of a step are, or how much of them counts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FileEnds {
    pub(super) results: u64,
    pub(super) keys: u64,
}

/// The hash of a batch's results.
pub(super) fn hash_results(results: &[u8]) -> u64 {
    xxh3_64(results)
}

/// The checksum of a batch's keys, as they are stored.
pub(super) fn hash_keys(keys: &[u8]) -> i64 {
    xxh3_64(keys).cast_signed()
}

const COLUMNS: &str = "id, first, count, indexes, is_list, offset, length, keys_offset, keys_run, checksum, form";

impl BatchRow {
    /// The rows of a step, in the order in which they were written.
    pub(super) fn all(db: &Connection, step: StepId) -> rusqlite::Result<Vec<Self>> {
        let mut rows = Vec::new();
        Self::each(db, step, &mut |row| rows.push(row))?;
        Ok(rows)
    }

    /// The same one by one.
    pub(super) fn each(db: &Connection, step: StepId, take: &mut dyn FnMut(Self)) -> rusqlite::Result<()> {
        let fingerprint = fingerprint_column(db)?;
        let keys = keys_checksum_column(db)?;
        let query = format!(
            "SELECT {COLUMNS}, {fingerprint}, {keys}, execution, attempt FROM batches WHERE step = ?1 ORDER BY id"
        );
        let mut statement = db.prepare(&query)?;
        statement.query_map([step.0], Self::read)?.try_for_each(|row| row.map(&mut *take))
    }

    /// Whether a step has a row with the item of this index.
    pub(super) fn any_with(db: &Connection, step: i64, index: u64) -> rusqlite::Result<bool> {
        let mut statement = db.prepare(
            "SELECT indexes FROM batches WHERE step = ?1 AND (indexes IS NOT NULL OR first <= ?2 AND ?2 < first + count)",
        )?;
        let mut rows = statement.query(params![step, integer(index)])?;
        while let Some(row) = rows.next()? {
            let indexes = row.get_ref(0)?.as_blob_or_null()?;
            if indexes.is_none_or(|indexes| indexes.chunks_exact(8).any(|bytes| bytes == index.to_le_bytes())) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One row.
    pub(super) fn get(db: &Connection, step: StepId, id: i64) -> rusqlite::Result<Self> {
        let query = format!(
            "SELECT {COLUMNS}, fingerprint, keys_checksum, execution, attempt FROM batches WHERE step = ?1 AND id = ?2"
        );
        db.prepare_cached(&query)?.query_row([step.0, id], Self::read)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        // A negative number was never written; as the largest one it fits no file.
        let number = |at: usize| row.get(at).map(|value| unsigned(Some(value)).unwrap_or(u64::MAX));
        Ok(Self {
            id: row.get(0)?,
            first: number(1)?,
            count: number(2)?,
            indexes: row.get(3)?,
            is_list: row.get(4)?,
            offset: number(5)?,
            length: number(6)?,
            keys_offset: number(7)?,
            keys_are_run: row.get(8)?,
            checksums: Checksums { row: row.get(9)?, keys: row.get(12)? },
            // Any other word was never written, and does not match the checksum.
            form: if row.get::<_, String>(10)? == "arrow" { ResultForm::Arrow } else { ResultForm::Lines },
            fingerprint: row.get(11)?,
            execution: row.get(13)?,
            attempt: row.get(14)?,
        })
    }

    pub(super) fn header(&self) -> BatchHeader<'_> {
        BatchHeader {
            first: self.first,
            count: self.count,
            indexes: self.indexes.as_deref(),
            is_list: self.is_list,
            form: self.form,
            keys_offset: self.keys_offset,
            keys_are_run: self.keys_are_run,
            fingerprint: self.fingerprint,
        }
    }

    /// The hash that its results must have.
    pub(super) fn results_hash(&self) -> u64 {
        // XOR with the header's hash again gives the other operand.
        self.header().checksum(self.checksums.row.cast_unsigned()).cast_unsigned()
    }

    /// Its checksum if its keys began elsewhere.
    pub(super) fn checksum_at(&self, keys_offset: u64) -> i64 {
        BatchHeader { keys_offset, ..self.header() }.checksum(self.results_hash())
    }

    /// How many bytes its keys have.
    pub(super) fn keys_size(&self) -> u64 {
        let keys = if self.keys_are_run { 1 } else { self.items() };
        keys.saturating_mul(ItemKey::SIZE as u64)
    }

    /// Whether it claims more items than there can be: each has a line, or a position of 32 bits in the messages of workers.
    pub(super) fn claims_too_many(&self) -> bool {
        let has_lines = !self.is_list && self.form == ResultForm::Lines;
        self.count.max(self.items()) > if has_lines { self.length } else { u32::MAX.into() }
    }

    /// How many items it had when it was written.
    pub(super) fn items(&self) -> u64 {
        self.indexes.as_ref().map_or(self.count, |indexes| indexes.len() as u64 / 8)
    }

    /// The indexes of its items, [`REMOVED_ITEM`] for items that no longer exist. Call it only after the row was checked:
    /// otherwise the number of items may be anything.
    pub(super) fn indexes(&self) -> Vec<u64> {
        match &self.indexes {
            Some(bytes) => decode_indexes(bytes),
            None => (self.first..self.first.saturating_add(self.count)).collect(),
        }
    }

    /// The same without a list where the items are neighbours.
    pub(super) fn packed_indexes(&self) -> Indexes {
        match &self.indexes {
            Some(bytes) => Indexes::List(decode_indexes(bytes)),
            None => Indexes::Range(self.first..self.first.saturating_add(self.count)),
        }
    }
}

/// How far the remaining rows of a step reach into its files.
pub(super) fn file_ends(db: &Connection, step: StepId) -> rusqlite::Result<FileEnds> {
    let query = format!(
        "SELECT coalesce(max(offset + length), 0), coalesce(max(keys_offset + {size} *
         CASE WHEN keys_run THEN 1 WHEN indexes IS NULL THEN count ELSE length(indexes) / 8 END), 0)
         FROM batches WHERE step = ?1",
        size = ItemKey::SIZE
    );
    let end = |row: &Row<'_>, at| row.get(at).map(|end| unsigned(Some(end)).unwrap_or(0));
    db.query_row(&query, [step.0], |row| Ok(FileEnds { results: end(row, 0)?, keys: end(row, 1)? }))
}

/// Indexes of items, as they are stored.
pub(super) fn encode_indexes(indexes: impl IntoIterator<Item = u64>) -> Vec<u8> {
    indexes.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// Indexes of items, from how they are stored.
pub(super) fn decode_indexes(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes"))).collect()
}

/// Indexes without those of items that no longer exist.
pub(super) fn present(indexes: Vec<u64>) -> impl Iterator<Item = u64> {
    indexes.into_iter().filter(|index| *index != REMOVED_ITEM)
}
