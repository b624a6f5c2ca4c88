//! How a CSV file is written.

use serde::{Deserialize, Serialize};

/// How a CSV file is written: what stands between and around its fields, what surrounds the table, and what to do with
/// records that do not fit. The default is what Python's `csv` module reads by default.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CsvDialect {
    /// What separates two fields.
    pub delimiter: Delimiter,
    /// The character around fields; none if fields are not quoted.
    pub quote: Option<u8>,
    /// The character that makes the next one ordinary. Doubled quotes are one quote with it too.
    pub escape: Option<u8>,
    /// Quotes in unexpected places.
    pub stray_quotes: StrayQuotes,
    /// Records with more or fewer fields than the table has columns.
    pub ragged: Ragged,
    /// Every record ends with a delimiter, which begins no further field.
    pub trailing_delimiter: bool,
    /// Blanks around values are dropped. Those inside quotes stay.
    pub trim: bool,
    /// NUL bytes are dropped.
    pub drop_nul: bool,
    /// What surrounds the table.
    pub bounds: TableBounds,
}

/// What separates two fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delimiter {
    /// One ASCII character.
    Byte(u8),
    /// Several characters.
    Text(String),
    /// One or more blanks and tabs. Those at the ends of a line do not count.
    Whitespace,
}

/// What to do with a quote inside a field that does not begin with one, or after a closing quote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrayQuotes {
    /// What Python's `csv` module does: text after a closing quote belongs to the field.
    #[default]
    Python,
    /// The row is bad.
    Fail,
    /// A quote that neither opens nor closes a field is a character like others. One that would open a field is too, if
    /// another field opens before this one is closed.
    Literal,
}

/// What to do with a record that has more or fewer fields than the table has columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ragged {
    /// The row is bad.
    #[default]
    Fail,
    /// A short one gets empty fields.
    Pad,
    /// A short one gets empty fields, a long one loses the surplus.
    Truncate,
    /// A short one gets empty fields; the surplus of a long one becomes the text of a column `_rest`.
    Fill,
}

/// What surrounds a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TableBounds {
    /// Lines to skip at the beginning.
    pub skip_lines: u32,
    /// Records that make up the header, if there is one: their texts are joined by blanks.
    pub header_lines: u32,
    /// Lines to skip after the header.
    pub skip_after_header: u32,
    /// Records to skip at the end.
    pub skip_footer: u32,
    /// What a line begins with that is not a record.
    pub comment: Option<String>,
}

impl Default for CsvDialect {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::Byte(b','),
            quote: Some(b'"'),
            escape: None,
            stray_quotes: StrayQuotes::Python,
            ragged: Ragged::Fail,
            trailing_delimiter: false,
            trim: false,
            drop_nul: false,
            bounds: TableBounds::default(),
        }
    }
}

impl Default for TableBounds {
    fn default() -> Self {
        Self { skip_lines: 0, header_lines: 1, skip_after_header: 0, skip_footer: 0, comment: None }
    }
}

impl CsvDialect {
    /// A plain dialect with this delimiter and quote character.
    pub fn plain(delimiter: u8, quote: Option<u8>) -> Self {
        Self { delimiter: Delimiter::Byte(delimiter), quote, ..Self::default() }
    }

    /// The delimiter of a plain dialect, which differs from the default in delimiter and quote character alone; none for any
    /// other dialect.
    pub fn as_plain(&self) -> Option<u8> {
        let Delimiter::Byte(delimiter) = self.delimiter else { return None };
        (*self == Self::plain(delimiter, self.quote)).then_some(delimiter)
    }
}

impl Delimiter {
    /// Its text in a record: a blank for [`Self::Whitespace`].
    pub fn text(&self) -> &[u8] {
        match self {
            Self::Byte(byte) => std::slice::from_ref(byte),
            Self::Text(text) => text.as_bytes(),
            Self::Whitespace => b" ",
        }
    }
}
