//! The table of `outputs`: filled from the ledger when a step has succeeded.
//!
//! The ledger commits first. Then rows go to the table in parts, each with a note of the ledger's rows that it is made of, in
//! one transaction. So whoever goes on after a kill writes the rows of the ledger that the table lacks.

use super::env::StepEnv;
use super::error::EngineError;
use super::output::records_of;
use super::read_error::io_error;
use crate::columnar::{TimeColumn, time_columns};
use crate::database::{ColumnType, NewColumn, Part, quoted};
use crate::export::{Chunk, Place, TableColumns, TableError, TableOutput, TableTarget, open_frames};
use crate::ledger::{LedgerError, Reader, ResultRow, ResultRows, RowId, RowIds};
use crate::model::{Failure, FailureKind, IfExists, Status, StepReport};
use crate::task::Latch;
use std::collections::BTreeMap;
use std::fmt::Display;

/// A part ends once it has this many bytes of JSON.
const PART: usize = 8 << 20;

/// Writes the results of a step that succeeded. If that fails, the step fails.
pub(super) fn write_table(
    env: &mut StepEnv<'_>,
    target: &TableTarget,
    report: &mut StepReport,
) -> Result<(), EngineError> {
    if !matches!(report.status, Status::Succeeded | Status::Partial) {
        return Ok(());
    }
    env.ledger.make_durable()?;
    let reader = Reader::open(env.run.folder.clone())?;
    let Some(step) = reader.step(&report.name)? else { return Ok(()) };
    let rows = step.rows()?;
    let results = Results { rows: &rows, is_batch: env.step.is_batch(), target, stop: &env.run.cancel.stop };
    match fill(target, &results, (&env.run.folder.run.0, report.name.as_str())) {
        Ok(None) => {}
        Ok(Some(written)) => {
            let Written { records, nulls } = written;
            let rows = if records == 1 { "row" } else { "rows" };
            let left_out = match nulls {
                0 => String::new(),
                1 => "; 1 null result has no row".to_owned(),
                nulls => format!("; {nulls} null results have no row"),
            };
            env.notice(format!("{records} {rows} written to {}{left_out}", target.shown()));
        }
        Err(_) if env.run.cancel.stop.is_fired() => report.status = Status::Interrupted,
        Err(error) => {
            report.status = Status::Failed;
            let message = env.run.prepared.secrets.masked(error.one_line());
            report.failure = Some(Failure::new(FailureKind::Output, "OutputError", message));
        }
    }
    Ok(())
}

/// How much was written.
struct Written {
    records: u64,
    nulls: u64,
}

/// What the table has already.
struct Done {
    parts: Vec<Part>,
    /// The first row of neighbours, with the number of the last and the part that they went in with.
    rows: BTreeMap<RowId, (i64, usize)>,
}

impl Done {
    fn of(parts: Vec<Part>) -> Self {
        let mut rows = BTreeMap::new();
        for (at, part) in parts.iter().enumerate() {
            let ids = RowIds::parse(&part.ledger_rows);
            rows.extend(ids.ranges().map(|(first, last)| (first, (last, at))));
        }
        Self { parts, rows }
    }

    /// Which part a row went in with.
    fn part_of(&self, row: &ResultRow) -> Option<usize> {
        let (first, (last, part)) = self.rows.range(..=row.id).next_back()?;
        (first.execution == row.id.execution && row.id.id <= *last).then_some(*part)
    }

    /// The rows that it lacks.
    fn missing(&self, rows: Vec<ResultRow>) -> Vec<ResultRow> {
        rows.into_iter().filter(|row| self.part_of(row).is_none()).collect()
    }

    /// Whether all it has still holds.
    fn holds(&self, rows: &[ResultRow]) -> bool {
        self.parts_that_hold(rows).into_iter().all(|holds| holds)
    }

    /// Splits off the parts that do not hold.
    fn split(self, rows: &[ResultRow]) -> (Self, Vec<Part>) {
        let holds = self.parts_that_hold(rows);
        let (hold, void): (Vec<_>, Vec<_>) = self.parts.into_iter().zip(holds).partition(|(_, holds)| *holds);
        let parts = |of: Vec<(Part, bool)>| of.into_iter().map(|(part, _)| part).collect();
        (Self::of(parts(hold)), parts(void))
    }

    /// Whether each part still holds: the ledger has its rows, with the same results and as many items.
    fn parts_that_hold(&self, rows: &[ResultRow]) -> Vec<bool> {
        let mut left: Vec<(u64, u64, u64)> = self.parts.iter().map(|part| (0, part.items, part.checksum)).collect();
        for (first, (last, part)) in &self.rows {
            left[*part].0 += last.abs_diff(first.id) + 1;
        }
        for row in rows {
            if let Some((count, items, sum)) = self.part_of(row).map(|at| &mut left[at]) {
                (*count, *items) = (count.wrapping_sub(1), items.wrapping_sub(row.items));
                *sum = sum.wrapping_sub(row.hash);
            }
        }
        left.into_iter().map(|left| left == (0, 0, 0)).collect()
    }

    /// Whether it was begun with these columns.
    fn has_columns(&self, columns: &str) -> bool {
        self.parts.first().is_some_and(|part| part.columns == columns)
    }

    /// The number of the next part.
    fn next_number(&self) -> u64 {
        self.parts.last().map_or(0, |part| part.number) + 1
    }
}

/// Writes what the table lacks; none if it lacks nothing.
fn fill(target: &TableTarget, results: &Results<'_>, owner: (&str, &str)) -> Result<Option<Written>, TableError> {
    let mut output = TableOutput::open(target, owner)?;
    let parts = output.check()?;
    let is_there = output.exists(Place::Final)?;
    if target.if_exists == IfExists::Fail && is_there && !parts.is_empty() {
        output.check_own(&parts)?;
    }
    let done = Done::of(parts);
    let appends = target.if_exists == IfExists::Append;
    // What an earlier run has computed, that run has appended.
    let rows: Vec<ResultRow> = results.rows.all().iter().filter(|row| !appends || !row.is_carried()).copied().collect();
    let holds = done.holds(&rows);
    if target.only_grows() && !holds {
        return Err(output.error("some of its rows come from results that the run no longer has"));
    }
    // Rows that are found by their key can be written once more.
    let (done, void) = if appends { done.split(&rows) } else { (done, Vec::new()) };
    output.forget(&void)?;
    let missing = done.missing(rows.clone());
    let is_begun = is_there && (holds && !done.parts.is_empty() || appends);
    if is_begun && missing.is_empty() {
        return Ok(None);
    }
    let columns = results.columns(if appends { &missing } else { &rows })?;
    let nulls = columns.nulls();
    if appends && columns.records() == 0 {
        return Ok(Some(Written { records: 0, nulls }));
    }
    let columns = columns.finish();
    let described = described(&columns);
    let records =
        if appends || target.if_exists == IfExists::Fail && (!is_there || is_begun && done.has_columns(&described)) {
            if !is_there {
                output.create(Place::Final, &columns, &described)?;
            }
            results.write(&mut output, (Place::Final, &columns), (&missing, done.next_number()))?
        } else {
            rebuild(&mut output, results, (&rows, &columns))?
        };
    Ok(Some(Written { records, nulls }))
}

/// Columns as text, to compare them.
fn described(columns: &[NewColumn]) -> String {
    let column = |column: &NewColumn| format!("{} {:?}", quoted(&column.name), column.kind);
    columns.iter().map(column).collect::<Vec<_>>().join(", ")
}

/// Fills a new table, and replaces the existing one with it.
fn rebuild(
    output: &mut TableOutput<'_>,
    results: &Results<'_>,
    (rows, columns): (&[ResultRow], &[NewColumn]),
) -> Result<u64, TableError> {
    let described = described(columns);
    let is_there = output.exists(Place::Beside)?;
    let mut done = Done::of(if is_there { output.parts(Place::Beside)? } else { Vec::new() });
    if !is_there || !done.holds(rows) || !done.has_columns(&described) {
        output.create(Place::Beside, columns, &described)?;
        done = Done::of(Vec::new());
    }
    let before: u64 = done.parts.iter().map(|part| part.records).sum();
    let missing = done.missing(rows.to_vec());
    let written = results.write(output, (Place::Beside, columns), (&missing, done.next_number()))?;
    output.take_place()?;
    Ok(before + written)
}

/// The results of a step as a table needs them.
struct Results<'a> {
    rows: &'a ResultRows<'a>,
    is_batch: bool,
    target: &'a TableTarget,
    stop: &'a Latch,
}

impl<'a> Results<'a> {
    /// The columns of all records in these rows.
    fn columns(&self, rows: &[ResultRow]) -> Result<TableColumns<'a>, TableError> {
        let mut columns = TableColumns::new(self.target);
        let mut lines = Vec::new();
        for row in rows {
            lines.clear();
            let frame = self.read(row, &mut lines)?;
            columns.add(&lines, &frame)?;
        }
        Ok(columns)
    }

    /// Writes the records in these rows, in parts with numbers from `number` on.
    fn write(
        &self,
        output: &mut TableOutput<'_>,
        (place, columns): (Place, &[NewColumn]),
        (rows, mut number): (&[ResultRow], u64),
    ) -> Result<u64, TableError> {
        let there = output.columns(place, columns)?;
        let (mut records, mut rows) = (0, rows.iter().peekable());
        while rows.peek().is_some() {
            let mut lines = Vec::new();
            let (mut ids, mut items, mut checksum) = (RowIds::default(), 0, 0_u64);
            while lines.len() < PART
                && let Some(row) = rows.next()
            {
                self.read(row, &mut lines)?;
                ids.insert(row.id);
                items += row.items;
                checksum = checksum.wrapping_add(row.hash);
            }
            let part = Part { number, ledger_rows: ids.to_string(), items, checksum, ..Part::default() };
            let chunk = Chunk { lines: &lines, first_record: records, part };
            records += output.write(place, (columns, &there), &chunk)?;
            number += 1;
        }
        Ok(records)
    }

    /// Appends the records of a row. Returns the columns of the data frame that they come from.
    fn read(&self, row: &ResultRow, lines: &mut Vec<u8>) -> Result<Vec<(String, Option<ColumnType>)>, TableError> {
        if self.stop.is_fired() {
            return Err(TableError::new(self.target, "the run was stopped"));
        }
        let results = self.rows.read(row).map_err(|error: LedgerError| self.unreadable(&io_error(&error)))?;
        if self.is_batch {
            let mut records = results.lines;
            open_frames(&mut records);
            lines.append(&mut records);
        } else {
            records_of(&results.lines, lines).map_err(|error| self.unreadable(&error))?;
        }
        let frame = results.table.map(|table| time_columns(&table)).transpose();
        let frame = frame.map_err(|error| self.unreadable(&error))?.unwrap_or_default();
        let kind = |time| match time {
            TimeColumn::Date => ColumnType::Date,
            TimeColumn::Local => ColumnType::Timestamp,
            TimeColumn::Zoned => ColumnType::TimestampTz,
        };
        Ok(frame.into_iter().map(|(name, time)| (name, time.map(kind))).collect())
    }

    fn unreadable(&self, error: &dyn Display) -> TableError {
        TableError::new(self.target, format!("the results cannot be read: {error}"))
    }
}
