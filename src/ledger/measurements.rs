//! What was measured of a step: a row for its samples, a row for its items, a row for the machines of
//! a cluster, and a row for each stretch of frames.
//!
//! Each is compressed JSON, so that any tool can read it: `zlib` and a JSON parser. Frames are only appended, so what is
//! written while a step runs does not grow with the square of its length.

use super::database::Database;
use super::error::LedgerError;
use super::ids::StepId;
use crate::measure::{FrameSpan, HostLog, ItemStats, Measurements, Series};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Write};

const SERIES: &str = "series";
const ITEMS: &str = "items";
const FRAMES: &str = "frames";
const HOSTS: &str = "hosts";
const WIDTH: &str = "width";

/// What was written of the measurements of a step in this execution.
#[derive(Debug, Default)]
pub(super) struct MeasurementWriter {
    /// How many frames.
    frames: usize,
    /// How many rows of frames.
    rows: i64,
}

impl MeasurementWriter {
    /// Writes what is new.
    pub(super) fn save(
        &mut self,
        db: &mut Database,
        (step, execution): (StepId, i64),
        measurements: &Measurements,
    ) -> Result<(), LedgerError> {
        let frames = measurements.frames.frames();
        let (written, rows) = (self.frames, self.rows);
        db.transaction(|db| {
            let row = Row { db, step, execution };
            row.put((SERIES, 0), &measurements.series)?;
            row.put((ITEMS, 0), &measurements.items)?;
            if !measurements.hosts.is_empty() {
                row.put((HOSTS, 0), &measurements.hosts)?;
            }
            if let Some(width) = &measurements.width {
                row.put((WIDTH, 0), width)?;
            }
            if frames.len() > written {
                row.put((FRAMES, rows), &frames[written..])?;
            } else if frames.len() < written {
                // There are too many, so none is kept.
                let delete = "DELETE FROM measurements WHERE step = ?1 AND execution = ?2 AND part = ?3";
                db.execute(delete, params![step.0, execution, FRAMES])?;
            }
            Ok(())
        })?;
        self.rows += i64::from(frames.len() > written);
        self.frames = frames.len();
        Ok(())
    }
}

/// Where a part is written.
struct Row<'a> {
    db: &'a Transaction<'a>,
    step: StepId,
    execution: i64,
}

impl Row<'_> {
    fn put<T: Serialize + ?Sized>(&self, (part, number): (&str, i64), value: &T) -> rusqlite::Result<()> {
        let data = pack(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        let mut insert = self.db.prepare_cached(
            "INSERT OR REPLACE INTO measurements (step, execution, part, number, data) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        insert.execute(params![self.step.0, self.execution, part, number, data])?;
        Ok(())
    }
}

fn pack<T: Serialize + ?Sized>(value: &T) -> io::Result<Vec<u8>> {
    // In one piece: the encoder clears its whole buffer for each write, and JSON comes in tiny ones.
    let json = serde_json::to_vec(value)?;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&json)?;
    packed.finish()
}

fn unpack<T: DeserializeOwned>(data: &[u8]) -> Option<T> {
    serde_json::from_reader(io::BufReader::new(ZlibDecoder::new(data))).ok()
}

/// The records of a step: the number of each execution that has one, with its record. Parts that are damaged are left out.
pub(super) fn read(db: &Connection, step: StepId) -> rusqlite::Result<Vec<(i64, Measurements)>> {
    let mut executions =
        db.prepare("SELECT DISTINCT execution FROM measurements WHERE step = ?1 ORDER BY execution")?;
    let executions: Vec<i64> = executions.query_map([step.0], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut records = Vec::new();
    for execution in executions {
        let one = |part: &str| {
            let query = "SELECT data FROM measurements WHERE step = ?1 AND execution = ?2 AND part = ?3 AND number = 0";
            db.query_row(query, params![step.0, execution, part], |row| row.get::<_, Vec<u8>>(0)).optional()
        };
        let series: Series = one(SERIES)?.and_then(|data| unpack(&data)).unwrap_or_default();
        let items: ItemStats = one(ITEMS)?.and_then(|data| unpack(&data)).unwrap_or_default();
        let hosts: HostLog = one(HOSTS)?.and_then(|data| unpack(&data)).unwrap_or_default();
        let query = "SELECT data FROM measurements WHERE step = ?1 AND execution = ?2 AND part = ?3 ORDER BY number";
        let mut frames = db.prepare(query)?;
        let frames = frames.query_map(params![step.0, execution, FRAMES], |row| row.get::<_, Vec<u8>>(0))?;
        let width = one(WIDTH)?.and_then(|data| unpack(&data));
        let mut record = Measurements { series, items, hosts, width, ..Measurements::default() };
        for data in frames {
            let stretch: Vec<FrameSpan> = unpack(&data?).unwrap_or_default();
            stretch.into_iter().for_each(|frame| record.frames.push(frame));
        }
        records.push((execution, record));
    }
    Ok(records)
}
