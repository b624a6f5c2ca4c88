//! Compares files: groups those that are alike, and tells how the others stand out.

use super::anomaly::Anomaly;
use super::profile::{ColumnProfile, FileProfile};
use super::values_found::ValuesFound;
use crate::model::{CsvDialect, Ragged, StrayQuotes};
use crate::sniff::{Finding, Found, FoundHeader};
use crate::spec::RowFormat;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// What some files hold.
#[derive(Debug)]
pub struct Survey {
    /// The profile of each file, in the order in which the files were named.
    pub files: Vec<FileProfile>,
    /// Files that are alike, the largest group first.
    pub groups: Vec<Group>,
    /// The files that stand out, in the order of the files.
    pub outliers: Vec<Outlier>,
    /// The group of each file, if it has one.
    group_of: Vec<Option<usize>>,
}

impl Survey {
    /// The position of the group that the file at this position belongs to; none if its columns are unknown.
    pub fn group_of(&self, file: usize) -> Option<usize> {
        self.group_of[file]
    }
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
    /// How they are written.
    pub dialect: CsvDialect,
    /// Whether the first record of each is a header.
    pub header: bool,
    /// What was found out about how the first file is written, and the words for missing values in all of them.
    pub finding: Option<Finding>,
    /// Their encoding.
    pub encoding: &'static Encoding,
    /// Their columns, with types that hold for all files.
    pub columns: Vec<ColumnProfile>,
    /// How values are written in other ways than the usual one.
    pub values: ValuesFound,
    /// Rows of all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Groups files by their profiles.
pub fn group(files: Vec<FileProfile>) -> Survey {
    let mut groups: Vec<Group> = Vec::new();
    // The groups of each layout, which differ in their encodings.
    let mut by_layout: HashMap<Layout<'_>, Vec<usize>> = HashMap::new();
    // ASCII files fit groups of most encodings, so the others form the groups first.
    let mut order: Vec<usize> = (0..files.len()).filter(|at| !files[*at].columns.is_empty()).collect();
    order.sort_by_key(|at| is_neutral(&files[*at]));
    for at in order {
        let file = &files[at];
        let own = file.text.encoding.unwrap_or(UTF_8);
        let alike = by_layout.entry(Layout::of(file)).or_default();
        let fits = |group: &Group| group.encoding == own || is_neutral(file) && is_ascii_like(group.encoding);
        let candidates = alike.iter().copied().filter(|group| fits(&groups[*group]));
        match candidates.max_by_key(|group| (groups[*group].files.len(), Reverse(groups[*group].files[0]))) {
            Some(group) => groups[group].add(at, file),
            None => {
                alike.push(groups.len());
                groups.push(Group::new(at, file, own));
            }
        }
    }
    for group in &mut groups {
        group.files.sort_unstable();
        group.values = ValuesFound::of(&mut group.columns);
    }
    groups.sort_by_key(|group| (Reverse(group.files.len()), Reverse(group.rows), group.files[0]));
    let mut group_of = vec![None; files.len()];
    for (number, group) in groups.iter().enumerate() {
        group.files.iter().for_each(|file| group_of[*file] = Some(number));
    }
    let outlier = |(at, file): (usize, &FileProfile)| {
        let group = group_of[at].map(|group| &groups[group]);
        let anomalies = anomalies(file, group, groups.first());
        (!anomalies.is_empty()).then_some(Outlier { file: at, anomalies })
    };
    let outliers = files.iter().enumerate().filter_map(outlier).collect();
    Survey { files, groups, outliers, group_of }
}

/// Everything but the encoding that the files of a group have in common.
#[derive(PartialEq, Eq, Hash)]
struct Layout<'a> {
    is_csv: bool,
    header: bool,
    /// A single column has no delimiter.
    dialect: Option<CsvDialect>,
    /// Names that the files do not give as they are.
    names_are_told: bool,
    /// The order of names matters in CSV files only.
    names: Vec<&'a str>,
}

impl<'a> Layout<'a> {
    fn of(file: &'a FileProfile) -> Self {
        let is_csv = file.format == RowFormat::Csv;
        let mut names = names(&file.columns);
        if !is_csv {
            names.sort_unstable();
        }
        let matters = names.len() > 1 || file.dialect.as_plain().is_none();
        let dialect = matters.then(|| without_repairs(&file.dialect));
        Self {
            is_csv,
            header: file.header,
            dialect,
            names_are_told: told_names(file.finding.as_ref()).is_some(),
            names,
        }
    }
}

/// What the dialect says but for records that do not fit: what mends some does no harm to others.
fn without_repairs(dialect: &CsvDialect) -> CsvDialect {
    CsvDialect { ragged: Ragged::Fail, stray_quotes: StrayQuotes::Python, ..dialect.clone() }
}

/// The names of columns that a source must tell.
fn told_names(finding: Option<&Finding>) -> Option<&[String]> {
    match finding.map(|finding| &finding.header) {
        Some(FoundHeader::Named(names)) => Some(names),
        _ => None,
    }
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
            dialect: file.dialect.clone(),
            header: file.header,
            finding: file.finding.clone(),
            encoding,
            columns: file.columns.clone(),
            values: ValuesFound::default(),
            rows: file.rows(),
            bytes: file.bytes,
        }
    }

    /// The names of columns that a source must tell, as the files do not give them as they are.
    pub fn told_names(&self) -> Option<&[String]> {
        told_names(self.finding.as_ref())
    }

    /// Whether the same settings read the files of both, but for records that do not fit.
    pub fn is_written_like(&self, other: &Self) -> bool {
        without_repairs(&self.dialect) == without_repairs(&other.dialect) && self.told_names() == other.told_names()
    }

    /// Takes over what mends the records of another file, and its words for missing values.
    pub fn mend(&mut self, dialect: &CsvDialect, finding: Option<&Finding>) {
        if dialect.stray_quotes == StrayQuotes::Literal {
            self.dialect.stray_quotes = StrayQuotes::Literal;
        }
        if self.dialect.ragged == Ragged::Fail || dialect.ragged == Ragged::Truncate {
            self.dialect.ragged = dialect.ragged;
        }
        if let (Some(own), Some(other)) = (&mut self.finding, finding) {
            let new: Vec<String> = other.null.iter().filter(|word| !own.null.contains(word)).cloned().collect();
            own.null.extend(new);
        }
    }

    fn add(&mut self, at: usize, file: &FileProfile) {
        self.files.push(at);
        self.rows += file.rows();
        self.bytes += file.bytes;
        self.mend(&file.dialect, file.finding.as_ref());
        // Its columns are the same, in another order perhaps.
        let in_order = self.columns.iter().zip(&file.columns).all(|(own, other)| own.name == other.name);
        if in_order {
            self.columns.iter_mut().zip(&file.columns).for_each(|(own, other)| own.widen(other));
            return;
        }
        let by_name: HashMap<&str, &ColumnProfile> =
            file.columns.iter().map(|column| (column.name.as_str(), column)).collect();
        for column in &mut self.columns {
            by_name.get(column.name.as_str()).into_iter().for_each(|other| column.widen(other));
        }
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
    if let Some(named) = file.compression.named {
        anomalies.push(Anomaly::WrongEnding { named: named.name(), is: file.compression.is.name() });
    }
    let (ragged, undecodable, invalid) = (file.bad_rows.ragged, file.bad_rows.undecodable, file.bad_rows.invalid_json);
    if ragged.rows > 0 {
        anomalies.push(Anomaly::Ragged { rows: ragged.rows, line: ragged.first_line });
    }
    let reasons = file.finding.iter().flat_map(|finding| &finding.reasons);
    let stray = reasons.filter(|reason| reason.what == Found::StrayQuote).filter_map(|reason| reason.line);
    anomalies.extend(stray.map(|line| Anomaly::StrayQuote { line: line as u64 }));
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
    if file.format == RowFormat::Csv && file.dialect.delimiter != largest.dialect.delimiter && file.columns.len() > 1 {
        let (delimiter, most) = (file.dialect.delimiter.clone(), largest.dialect.delimiter.clone());
        anomalies.push(Anomaly::OtherDelimiter { delimiter, most });
    }
    if file.header != largest.header {
        // Without a header there are no names to compare.
        anomalies.push(Anomaly::OtherHeader { header: file.header });
        return;
    }
    let (own, usual) = (names(&file.columns), names(&largest.columns));
    if own == usual {
        return;
    }
    let only = |left: &[&str], right: &[&str]| -> Vec<String> {
        let right: HashSet<&str> = right.iter().copied().collect();
        left.iter().filter(|name| !right.contains(**name)).map(|name| (*name).to_owned()).collect()
    };
    let (lacks, more) = (only(&usual, &own), only(&own, &usual));
    if !lacks.is_empty() || !more.is_empty() {
        anomalies.push(Anomaly::OtherColumns { lacks, more });
    } else if file.format == RowFormat::Csv {
        anomalies.push(Anomaly::OtherOrder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{Inference, Styles};
    use crate::sources::{ReadingOptions, SurveyRequest};
    use crate::survey::profile::Kinds;

    /// The profile of a file whose columns hold these texts.
    fn file(path: &str, columns: &[(&str, &str)]) -> FileProfile {
        let request = SurveyRequest::of_paths(&[path.to_owned()]).unwrap();
        let column = |(name, text): &(&str, &str)| {
            let mut texts = Inference::default();
            texts.add(text.as_bytes(), &[]);
            ColumnProfile { name: (*name).to_owned(), kinds: Kinds::Texts(texts), styles: Styles::default() }
        };
        let mut profile = FileProfile::new(request.file(0), &ReadingOptions::unknown());
        (profile.columns, profile.header) = (columns.iter().map(column).collect(), true);
        profile
    }

    fn kinds(group: &Group) -> Vec<(&str, &str)> {
        group.columns.iter().map(|column| (column.name.as_str(), column.kind())).collect()
    }

    #[test]
    fn files_with_the_same_columns_share_a_group_whose_types_hold_for_all() {
        let files = vec![
            file("a.csv", &[("x", "1"), ("y", "1")]),
            file("b.csv", &[("y", "1"), ("x", "1")]),
            file("c.csv", &[("x", "2.5"), ("y", "-")]),
            file("d.csv", &[]),
        ];
        let survey = group(files);
        assert_eq!(kinds(&survey.groups[0]), [("x", "number"), ("y", "text")]);
        assert_eq!([0, 1, 2, 3].map(|file| survey.group_of(file)), [Some(0), Some(1), Some(0), None]);
        let outlier = survey.outliers.iter().find(|outlier| outlier.file == 1).unwrap();
        assert!(outlier.anomalies.contains(&Anomaly::OtherOrder), "{outlier:?}");
    }

    #[test]
    fn json_lines_with_the_same_keys_share_a_group_in_any_order() {
        let files = vec![
            file("a.jsonl", &[("x", "1"), ("y", "1")]),
            file("b.jsonl", &[("y", "a"), ("x", "1")]),
            file("c.jsonl", &[("x", "1")]),
        ];
        let survey = group(files);
        assert_eq!(kinds(&survey.groups[0]), [("x", "integer"), ("y", "text")]);
        assert_eq!([0, 1, 2].map(|file| survey.group_of(file)), [Some(0), Some(0), Some(1)]);
    }
}
