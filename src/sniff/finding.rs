//! What was found out about how a file is written, and why.

use crate::model::{CsvDialect, Delimiter};
use std::fmt;

/// How a file is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The dialect.
    pub dialect: CsvDialect,
    /// Where the names of the columns come from.
    pub header: FoundHeader,
    /// How many columns there are.
    pub columns: usize,
    /// Words that stand for a missing value in columns of other types.
    pub null: Vec<String>,
    /// Why it is so, in the order of the lines.
    pub reasons: Vec<Reason>,
    /// How sure that is, from 0 to 1.
    pub confidence: f64,
    /// Other delimiters that gave tables, the best first.
    pub alternatives: Vec<Alternative>,
}

/// Where the names of columns come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundHeader {
    /// From the first record.
    InFile,
    /// Nowhere.
    Missing,
    /// From here: the file has no record with them all. A line that has some is among those that the dialect skips.
    Named(Vec<String>),
}

/// Another delimiter.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    /// The delimiter.
    pub delimiter: Delimiter,
    /// How good a table it gives, from 0 to 1.
    pub score: f64,
}

/// Something that was found, and the line that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The line.
    pub line: Option<usize>,
    /// What was found.
    pub what: Found,
}

/// Something that was found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The first line tells the delimiter to Excel.
    SeparatorLine,
    /// This many lines come before the table.
    Preamble(usize),
    /// Lines begin with this text.
    Comments(String),
    /// The header consists of this many lines.
    HeaderLines(usize),
    /// The line after the header has units.
    Units,
    /// This many records come after the table.
    Footer(usize),
    /// Another table begins, this many records before the end.
    SecondTable(usize),
    /// The header is repeated.
    RepeatedHeader,
    /// A line is written with another delimiter.
    OtherDelimiter(Delimiter),
    /// A quote is neither at the beginning nor at the end of a field.
    StrayQuote,
    /// A quote is never closed, as quotes are not quotes.
    NoQuotes,
    /// Fields are quoted with this character.
    Quote(u8),
    /// This character comes before quotes inside of quotes.
    Escape(u8),
    /// This many records are too short, and none is too long.
    Short(usize),
    /// This many records are too long.
    Long(usize),
    /// Every record ends with a delimiter.
    TrailingDelimiter,
    /// Blanks stand around values.
    Padding,
    /// There are NUL bytes.
    Nul,
    /// Why there is a header.
    Header(HeaderSign),
    /// Why there is none.
    NoHeader(NoHeaderSign),
}

/// What shows that a record is a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderSign {
    /// This column has values of another type below.
    OtherType(String),
    /// The first name is empty, as R and pandas write it.
    EmptyFirst,
    /// There is one name fewer than fields, as R writes it.
    OneFewer,
    /// There is a name too many, which is empty.
    OneMore,
    /// Its numbers go up step by step.
    Sequence,
    /// Other files of its directory have the same names.
    Elsewhere,
    /// Its texts are all different and occur nowhere below.
    Distinct,
}

/// What shows that the first record is not a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoHeaderSign {
    /// It is like those below.
    Alike,
}

impl Reason {
    /// The key that it is about.
    pub fn key(&self) -> &'static str {
        match &self.what {
            Found::SeparatorLine | Found::Preamble(_) => "skip_lines",
            Found::Comments(_) => "comment",
            Found::HeaderLines(_) => "header_lines",
            Found::Units => "skip_after_header",
            Found::Footer(_) | Found::SecondTable(_) | Found::RepeatedHeader => "skip_footer",
            Found::OtherDelimiter(_) => "delimiter",
            Found::StrayQuote => "stray_quotes",
            Found::NoQuotes | Found::Quote(_) => "quote",
            Found::Escape(_) => "escape",
            Found::Short(_) | Found::Long(_) => "ragged",
            Found::TrailingDelimiter => "trailing_delimiter",
            Found::Padding => "trim",
            Found::Nul => "nul",
            Found::Header(_) | Found::NoHeader(_) => "header",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.unwrap_or(1);
        match &self.what {
            Found::SeparatorLine => write!(f, "line {line} names the delimiter"),
            Found::Preamble(1) => write!(f, "line {line} comes before the table"),
            Found::Preamble(lines) => write!(f, "the first {lines} lines come before the table"),
            Found::Comments(prefix) => write!(f, "line {line} begins with `{prefix}`"),
            Found::HeaderLines(lines) => write!(f, "the header takes {lines} lines, from line {line} on"),
            Found::Units => write!(f, "line {line} has units"),
            Found::Footer(1) => write!(f, "line {line} comes after the table"),
            Found::Footer(records) => write!(f, "{records} records come after the table, from line {line} on"),
            Found::SecondTable(_) => write!(f, "another table begins at line {line}"),
            Found::RepeatedHeader => write!(f, "line {line} repeats the header"),
            Found::OtherDelimiter(delimiter) => write!(f, "line {line} is written with {}", named(delimiter)),
            Found::StrayQuote => {
                write!(f, "line {line} has a quote in the middle of a field, or one that is not closed")
            }
            Found::NoQuotes => write!(f, "quotes are characters like others, as line {line} shows"),
            Found::Quote(quote) => write!(f, "fields are quoted with `{}`, as in line {line}", char::from(*quote)),
            Found::Escape(0) => write!(f, "a NUL byte comes before quotes, as in line {line}"),
            Found::Escape(escape) => write!(f, "`{}` comes before quotes, as in line {line}", char::from(*escape)),
            Found::Short(1) => write!(f, "line {line} has too few fields"),
            Found::Short(records) => write!(f, "{records} records have too few fields, the first at line {line}"),
            Found::Long(1) => write!(f, "line {line} has too many fields"),
            Found::Long(records) => write!(f, "{records} records have too many fields, the first at line {line}"),
            Found::TrailingDelimiter => f.write_str("every record ends with a delimiter"),
            Found::Padding => write!(f, "blanks stand around values, as in line {line}"),
            Found::Nul => write!(f, "line {line} has a NUL byte"),
            Found::Header(sign) => sign.fmt(f),
            Found::NoHeader(NoHeaderSign::Alike) => write!(f, "line {line} is like those below it"),
        }
    }
}

impl fmt::Display for HeaderSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherType(name) => write!(f, "the values of `{name}` are of another type than its name"),
            Self::EmptyFirst => f.write_str("the first name is empty, as R and pandas write row names"),
            Self::OneFewer => f.write_str("there is one name fewer than fields, as R writes row names"),
            Self::OneMore => f.write_str("there is one empty name more than fields"),
            Self::Sequence => f.write_str("the names are numbers that go up"),
            Self::Elsewhere => f.write_str("other files have the same names"),
            Self::Distinct => f.write_str("the first record has different texts, which no column repeats"),
        }
    }
}

fn named(delimiter: &Delimiter) -> String {
    match delimiter {
        Delimiter::Byte(b'\t') => "tabs".to_owned(),
        Delimiter::Byte(b' ') | Delimiter::Whitespace => "blanks".to_owned(),
        Delimiter::Byte(byte) => format!("`{}`", char::from(*byte)),
        Delimiter::Text(text) => format!("`{text}`"),
    }
}
