//! Compares files: groups those that are alike, and tells how the others stand out.

use super::anomaly::Anomaly;
use super::profile::{ColumnProfile, FileProfile};
use crate::spec::RowFormat;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::cmp::Reverse;

/// What some files hold.
#[derive(Debug)]
pub struct Survey {
    /// The profile of each file, in the order in which the files were named.
    pub files: Vec<FileProfile>,
    /// Files that are alike, the largest group first.
    pub groups: Vec<Group>,
    /// The files that stand out, in the order of the files.
    pub outliers: Vec<Outlier>,
}

/// A file that stands out.
#[derive(Debug, Clone)]
pub struct Outlier {
    /// The position of the file.
    pub file: usize,
    /// How it stands out.
    pub anomalies: Vec<Anomaly>,
}

/// Files with the same columns in the same order, the same delimiter and encoding.
#[derive(Debug, Clone)]
pub struct Group {
    /// The positions of the files.
    pub files: Vec<usize>,
    /// The format of their rows.
    pub format: RowFormat,
    /// Their delimiter.
    pub delimiter: u8,
    /// Whether the first record of each is a header.
    pub header: bool,
    /// Their encoding.
    pub encoding: &'static Encoding,
    /// Their columns, with types that hold for all files.
    pub columns: Vec<ColumnProfile>,
    /// Rows of all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Groups files by their profiles.
pub fn group(files: Vec<FileProfile>) -> Survey {
    let mut groups: Vec<Group> = Vec::new();
    // ASCII files fit groups of most encodings, so the others form the groups first.
    let mut order: Vec<usize> = (0..files.len()).filter(|at| !files[*at].columns.is_empty()).collect();
    order.sort_by_key(|at| is_neutral(&files[*at]));
    for at in order {
        let file = &files[at];
        let own = file.text.encoding.unwrap_or(UTF_8);
        let fits = |group: &Group| {
            let encoding = group.encoding == own || is_neutral(file) && is_ascii_like(group.encoding);
            encoding && group.is_like(file)
        };
        let candidates = groups.iter_mut().filter(|group| fits(group));
        match candidates.max_by_key(|group| (group.files.len(), Reverse(group.files[0]))) {
            Some(group) => group.add(at, file),
            None => groups.push(Group::new(at, file, own)),
        }
    }
    groups.iter_mut().for_each(|group| group.files.sort_unstable());
    groups.sort_by_key(|group| (Reverse(group.files.len()), Reverse(group.rows), group.files[0]));
    let outlier = |(at, file)| {
        let group = groups.iter().find(|group| group.files.contains(&at));
        let anomalies = anomalies(file, group, groups.first());
        (!anomalies.is_empty()).then_some(Outlier { file: at, anomalies })
    };
    let outliers = files.iter().enumerate().filter_map(outlier).collect();
    Survey { files, groups, outliers }
}

fn is_neutral(file: &FileProfile) -> bool {
    file.text.is_ascii && !file.text.mark
}

fn is_ascii_like(encoding: &'static Encoding) -> bool {
    encoding != UTF_16LE && encoding != UTF_16BE
}

impl Group {
    fn new(at: usize, file: &FileProfile, encoding: &'static Encoding) -> Self {
        Self {
            files: vec![at],
            format: file.format,
            delimiter: file.delimiter,
            header: file.header,
            encoding,
            columns: file.columns.clone(),
            rows: file.rows(),
            bytes: file.bytes,
        }
    }

    fn add(&mut self, at: usize, file: &FileProfile) {
        self.files.push(at);
        self.rows += file.rows();
        self.bytes += file.bytes;
        for column in &mut self.columns {
            if let Some(other) = file.columns.iter().find(|other| other.name == column.name) {
                column.widen(other);
            }
        }
    }

    /// Whether all but the encoding is the same. The order of names matters in CSV files only.
    fn is_like(&self, file: &FileProfile) -> bool {
        let (mut own, mut other) = (names(&self.columns), names(&file.columns));
        if self.format == RowFormat::JsonLines {
            own.sort_unstable();
            other.sort_unstable();
        }
        let layout = (self.format, self.delimiter, self.header) == (file.format, file.delimiter, file.header);
        // A single column has no delimiter.
        let layout = layout || self.format == file.format && self.header == file.header && own.len() == 1;
        layout && own == other
    }
}

fn names(columns: &[ColumnProfile]) -> Vec<&str> {
    columns.iter().map(|column| column.name.as_str()).collect()
}

/// How a file of `group` stands out next to the largest group.
fn anomalies(file: &FileProfile, group: Option<&Group>, largest: Option<&Group>) -> Vec<Anomaly> {
    let mut anomalies = Vec::new();
    match &file.error {
        Some(error) if error.is_truncated => anomalies.push(Anomaly::CutShort),
        Some(error) => anomalies.push(Anomaly::Unreadable { why: error.message.clone() }),
        None if file.rows() == 0 && file.header => anomalies.push(Anomaly::HeaderOnly),
        None if file.rows() == 0 => anomalies.push(Anomaly::Empty),
        None => {}
    }
    if let (Some(group), Some(largest)) = (group, largest) {
        compare(file, group, largest, &mut anomalies);
    }
    let (ragged, undecodable, invalid) = (file.bad_rows.ragged, file.bad_rows.undecodable, file.bad_rows.invalid_json);
    if ragged.rows > 0 {
        anomalies.push(Anomaly::Ragged { rows: ragged.rows, line: ragged.first_line });
    }
    if undecodable.rows > 0 {
        let encoding = file.text.encoding.unwrap_or(UTF_8).name();
        anomalies.push(Anomaly::Undecodable { rows: undecodable.rows, line: undecodable.first_line, encoding });
    }
    if invalid.rows > 0 {
        anomalies.push(Anomaly::NoJson { rows: invalid.rows, line: invalid.first_line });
    }
    anomalies
}

fn compare(file: &FileProfile, group: &Group, largest: &Group, anomalies: &mut Vec<Anomaly>) {
    if file.format != largest.format {
        anomalies.push(Anomaly::OtherFormat);
        return;
    }
    if group.encoding != largest.encoding {
        anomalies.push(Anomaly::OtherEncoding { encoding: group.encoding.name(), most: largest.encoding.name() });
    }
    if file.format == RowFormat::Csv && file.delimiter != largest.delimiter && file.columns.len() > 1 {
        let (delimiter, most) = (char::from(file.delimiter), char::from(largest.delimiter));
        anomalies.push(Anomaly::OtherDelimiter { delimiter, most });
    }
    if file.header != largest.header {
        // Without a header there are no names to compare.
        anomalies.push(Anomaly::OtherHeader { header: file.header });
        return;
    }
    let (own, usual) = (names(&file.columns), names(&largest.columns));
    let only = |left: &[&str], right: &[&str]| -> Vec<String> {
        left.iter().filter(|name| !right.contains(name)).map(|name| (*name).to_owned()).collect()
    };
    let (lacks, more) = (only(&usual, &own), only(&own, &usual));
    if !lacks.is_empty() || !more.is_empty() {
        anomalies.push(Anomaly::OtherColumns { lacks, more });
    } else if own != usual && file.format == RowFormat::Csv {
        anomalies.push(Anomaly::OtherOrder);
    }
}
