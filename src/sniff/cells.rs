//! Records of a sample, as a hypothesis reads them.

/// Records that were read by some dialect.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// The texts of all cells.
    pub(super) text: Vec<u8>,
    pub(super) cells: Vec<Cell>,
    pub(super) rows: Vec<Row>,
    /// The lines that are comments.
    pub(super) comments: Vec<usize>,
}

/// Where a cell is in the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) quoted: bool,
}

/// One record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Its first cell.
    pub(super) first: usize,
    /// How many cells it has.
    pub(super) width: usize,
    /// Its first line.
    pub(super) line: usize,
    /// How many lines it has.
    pub(super) lines: usize,
    /// Text after closing quotes, and quotes that are not closed.
    pub(super) odd: usize,
    /// Quotes that were taken for ordinary characters.
    pub(super) mended: usize,
    /// Whether the sample ends within quotes.
    pub(super) open: bool,
    /// Whether an empty line comes before it.
    pub(super) after_blank: bool,
}

impl Records {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The cells of a record.
    pub(super) fn row(&self, at: usize) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        let row = self.rows[at];
        self.cells[row.first..row.first + row.width].iter().map(|cell| &self.text[cell.start..cell.end])
    }

    /// A cell; empty if the record is too short.
    pub(super) fn cell(&self, at: usize, column: usize) -> &[u8] {
        let row = self.rows[at];
        if column >= row.width {
            return b"";
        }
        let cell = self.cells[row.first + column];
        &self.text[cell.start..cell.end]
    }

    /// Whether a cell is quoted.
    pub(super) fn is_quoted(&self, at: usize, column: usize) -> bool {
        let row = self.rows[at];
        column < row.width && self.cells[row.first + column].quoted
    }

    /// How many cells of a record are not empty.
    pub(super) fn filled(&self, at: usize) -> usize {
        self.row(at).filter(|cell| !cell.trim_ascii().is_empty()).count()
    }

    /// The texts of a record.
    pub(super) fn texts(&self, at: usize) -> Vec<String> {
        self.row(at).map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect()
    }

    /// The most frequent number of cells, the greater one of two; 0 if there are none.
    pub(super) fn usual_width(&self) -> usize {
        let mut widths: std::collections::BTreeMap<usize, usize> = std::collections::BTreeMap::new();
        self.rows.iter().for_each(|row| *widths.entry(row.width).or_default() += 1);
        widths.into_iter().max_by_key(|(width, count)| (*count, *width)).map_or(0, |(width, _)| width)
    }
}
