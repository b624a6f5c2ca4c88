//! Tables of text, laid out by comfy-table to fit the terminal.

use crate::text::Printable;
use comfy_table::{ColumnConstraint, ContentArrangement, presets};
use console::{Term, measure_text_width};
use std::fmt;
use std::io::{self, IsTerminal};

/// The minimum width of a column whose cells are wrapped.
const NARROWEST: usize = 20;

/// A table whose cells are printable.
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Printable>>,
    /// The column whose cells may break into lines.
    wide: Option<usize>,
}

impl Table {
    /// A table with these headings.
    pub fn new<const N: usize>(headings: [&'static str; N]) -> Self {
        Self { headings: headings.into(), rows: Vec::new(), wide: None }
    }

    /// Lets the cells of this column break into lines. Those of the others do not, so that they can be copied.
    pub fn wrap(mut self, heading: &str) -> Self {
        self.wide = self.headings.iter().position(|other| *other == heading);
        self
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [Printable; N]) {
        self.rows.push(cells.into());
    }

    /// Leaves out those of these columns that have only empty cells.
    pub fn without_empty(mut self, headings: &[&str]) -> Self {
        for heading in headings {
            let Some(at) = self.headings.iter().position(|other| other == heading) else { continue };
            if self.rows.iter().any(|row| !row[at].as_str().is_empty()) {
                continue;
            }
            self.headings.remove(at);
            self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
            self.wide = self.wide.filter(|wide| *wide != at).map(|wide| wide - usize::from(wide > at));
        }
        self
    }

    /// The minimum width of the terminal for this table.
    fn narrowest(&self) -> usize {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| measure_text_width(row[column].as_str()));
            let content = cells.chain([self.headings[column].len()]).max().unwrap_or(0);
            if self.wide == Some(column) { content.min(NARROWEST) } else { content }
        };
        // Two spaces separate columns.
        (0..self.headings.len()).map(|column| width(column) + 2).sum::<usize>().saturating_sub(2)
    }

    /// The table as text, for a terminal of this width, or of any width.
    fn render(&self, columns: Option<u16>) -> String {
        match columns {
            Some(columns) if self.narrowest() > usize::from(columns) => self.records(columns),
            _ => self.grid(columns),
        }
    }

    fn grid(&self, columns: Option<u16>) -> String {
        let mut grid = comfy_table::Table::new();
        grid.load_style(presets::NOTHING).set_header(&self.headings);
        self.rows.iter().for_each(|row| {
            grid.add_row(row);
        });
        if let Some(columns) = columns {
            fit(&mut grid, columns, self.wide);
        }
        lines(&grid)
    }

    /// A row as a list, with one line per cell.
    fn records(&self, columns: u16) -> String {
        let records = self.rows.iter().map(|row| {
            let mut record = comfy_table::Table::new();
            record.load_style(presets::NOTHING);
            for (heading, cell) in self.headings.iter().zip(row) {
                record.add_row([*heading, cell.as_str()]);
            }
            fit(&mut record, columns, Some(1));
            lines(&record)
        });
        records.collect::<Vec<_>>().join("\n")
    }
}

/// Breaks the cells of the column `wide` into lines.
fn fit(table: &mut comfy_table::Table, columns: u16, wide: Option<usize>) {
    // The spaces at the edges are not printed.
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns.saturating_add(2));
    for (index, column) in table.column_iter_mut().enumerate() {
        if wide != Some(index) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// The lines of a table without the spaces at their edges.
fn lines(table: &comfy_table::Table) -> String {
    let trimmed = |line: String| {
        let line = line.trim_end();
        format!("{}\n", line.strip_prefix(' ').unwrap_or(line))
    };
    table.lines().map(trimmed).collect()
}

/// A table for a file or a pipe whose rows are too many to hold: they are measured first, and then given line by line. Looks like
/// a [`Table`] of any width.
pub struct TableLines<const N: usize> {
    headings: [&'static str; N],
    widths: [usize; N],
}

impl<const N: usize> TableLines<N> {
    /// A table with these headings.
    pub fn new(headings: [&'static str; N]) -> Self {
        Self { headings, widths: headings.map(measure_text_width) }
    }

    /// Makes room for the cells of a row.
    pub fn measure(&mut self, cells: &[Printable; N]) {
        for (width, cell) in self.widths.iter_mut().zip(cells) {
            *width = (*width).max(measure_text_width(cell.as_str()));
        }
    }

    /// The line with the headings.
    pub fn heading(&self) -> String {
        self.padded(self.headings)
    }

    /// The line of a row.
    pub fn line(&self, cells: &[Printable; N]) -> String {
        self.padded(cells.each_ref().map(Printable::as_str))
    }

    fn padded(&self, cells: [&str; N]) -> String {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(self.widths) {
            let space = (width + 2).saturating_sub(measure_text_width(cell));
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', space));
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(io::stdout().is_terminal().then(|| Term::stdout().size().1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["step", "item", "error"]).wrap("error");
        table.row(["load", "7", "command exited with status 3: no such order"].map(Printable::from));
        table.row(["load", "47", "bad\u{1b}[2J"].map(Printable::from));
        table
    }

    #[test]
    fn a_table_of_any_width_has_a_line_for_each_row() {
        insta::assert_snapshot!(table().render(None), @r"
        step  item  error
        load  7     command exited with status 3: no such order
        load  47    bad\x1b[2J
        ");
    }

    #[test]
    fn a_table_given_line_by_line_looks_the_same() {
        let rows = [["load", "7", ""], ["load\u{200b}", "4.711", "a  日本 b"], ["", "x", "bad\u{1b}[2J"]];
        let rows = rows.map(|row| row.map(Printable::from));
        let headings = ["step", "item", "error"];
        let (mut table, mut lines) = (Table::new(headings), TableLines::new(headings));
        rows.iter().for_each(|row| {
            table.row(row.clone());
            lines.measure(row);
        });
        let text = rows.iter().fold(lines.heading(), |text, row| text + &lines.line(row));
        assert_eq!(text, table.render(None));
    }

    #[test]
    fn a_narrow_table_breaks_its_widest_column_and_no_other() {
        insta::assert_snapshot!(table().render(Some(40)), @r"
        step  item  error
        load  7     command exited with status
                    3: no such order
        load  47    bad\x1b[2J
        ");
    }

    #[test]
    fn a_table_that_does_not_fit_becomes_records() {
        insta::assert_snapshot!(table().render(Some(30)), @r"
        step   load
        item   7
        error  command exited with
               status 3: no such order

        step   load
        item   47
        error  bad\x1b[2J
        ");
    }
}
