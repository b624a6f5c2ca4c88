//! How a CSV file is laid out: as the workflow says, or as its beginning shows.

use super::decode::decode;
use super::encoding::DetectedEncoding;
use crate::model::CsvDialect;
use crate::sniff::{FoundHeader, Hints, Sample, sniff};
use crate::spec::{DialectFrom, Header, RowsSpec, dialect_settings};
use encoding_rs::Encoding;
use std::io::{self, Read};

/// How much of a file's beginning is looked at.
pub(crate) const HEAD: u64 = 128 << 10;

/// How a CSV file is laid out.
#[derive(Debug, Clone)]
pub(crate) struct CsvLayout {
    pub(crate) dialect: CsvDialect,
    /// Where the names of the columns come from.
    pub(crate) header: Header,
    pub(crate) encoding: &'static Encoding,
    /// Texts that mean null.
    pub(crate) null: Vec<String>,
    /// What was found out, as keys of a workflow; none if the workflow says it all.
    pub(crate) found: Option<String>,
}

impl CsvLayout {
    /// Whether records are rewritten before they are cut.
    pub(super) fn rewrites(&self) -> bool {
        self.dialect.as_plain().is_none() || self.found.is_some() && self.dialect != CsvDialect::default()
    }

    /// The layout that the workflow gives.
    pub(super) fn given(spec: &RowsSpec) -> Self {
        Self {
            dialect: spec.dialect.clone(),
            header: spec.header.clone(),
            encoding: spec.encoding,
            null: spec.null.clone(),
            found: None,
        }
    }

    /// The layout that the beginning of a file shows.
    pub(super) fn find(spec: &RowsSpec, input: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut head = Vec::new();
        input.take(HEAD).read_to_end(&mut head)?;
        let whole = (head.len() as u64) < HEAD;
        let encoding = match spec.dialect_from {
            DialectFrom::File { encoding: true } => DetectedEncoding::of(&head),
            _ => DetectedEncoding::given(spec.encoding, &head),
        };
        let mut text = Vec::new();
        decode(Box::new(io::Cursor::new(head)), encoding.encoding)?.read_to_end(&mut text)?;
        if !whole {
            text.truncate(memchr::memrchr2(b'\n', b'\r', &text).map_or(0, |end| end + 1));
        }
        let finding = sniff(&Sample { text: &text, whole }, &Hints::default());
        let header = match finding.header {
            FoundHeader::InFile => Header::First,
            FoundHeader::Missing => Header::Missing,
            FoundHeader::Named(names) => Header::Named(names),
        };
        let null = if spec.null.is_empty() { finding.null } else { spec.null.clone() };
        let found = Some(described(&finding.dialect, &header, encoding.encoding));
        Ok(Self { dialect: finding.dialect, header, encoding: encoding.encoding, null, found })
    }
}

/// What was found, as keys of a workflow.
fn described(dialect: &CsvDialect, header: &Header, encoding: &'static Encoding) -> String {
    let names = match header {
        Header::Named(names) => Some(names.as_slice()),
        _ => None,
    };
    let mut keys: Vec<String> =
        dialect_settings(dialect, names).into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
    if *header == Header::Missing {
        keys.push("header: false".to_owned());
    }
    if encoding != encoding_rs::UTF_8 {
        keys.push(format!("encoding: {}", encoding.name().to_lowercase()));
    }
    keys.join(", ")
}
