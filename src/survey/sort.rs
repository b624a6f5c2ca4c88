//! Compares files: groups those that are alike, and says what is odd about the others.

use super::look::{FileLook, SeenColumn};
use super::odd::Odd;
use crate::spec::RowFormat;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::cmp::Reverse;

/// What some files hold.
#[derive(Debug)]
pub struct Survey {
    /// Each file, in the order in which they were named.
    pub files: Vec<FileLook>,
    /// Files that are alike, the largest group first.
    pub groups: Vec<Group>,
    /// The files that stand out, in order, and why.
    pub odd: Vec<(usize, Vec<Odd>)>,
}

/// Files with the same columns in the same order, the same delimiter and encoding.
#[derive(Debug, Clone)]
pub struct Group {
    /// Which files.
    pub files: Vec<usize>,
    /// What their rows are.
    pub format: RowFormat,
    /// Between two fields.
    pub delimiter: u8,
    /// Whether their first record is a header.
    pub header: bool,
    /// Their encoding.
    pub encoding: &'static Encoding,
    /// Their columns, with types that hold for all of them.
    pub columns: Vec<SeenColumn>,
    /// All rows.
    pub rows: u64,
    /// All bytes.
    pub bytes: u64,
}

/// Groups what was seen of files.
pub fn sort(files: Vec<FileLook>) -> Survey {
    let mut groups: Vec<Group> = Vec::new();
    // What is ASCII fits files of most encodings, so the others settle the groups first.
    let mut order: Vec<usize> = (0..files.len()).filter(|at| !files[*at].columns.is_empty()).collect();
    order.sort_by_key(|at| is_neutral(&files[*at]));
    for at in order {
        let file = &files[at];
        let own = file.encoding.unwrap_or(UTF_8);
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
    let odd = |(at, file)| {
        let group = groups.iter().find(|group| group.files.contains(&at));
        let odd = oddities(file, group, groups.first());
        (!odd.is_empty()).then_some((at, odd))
    };
    let odd = files.iter().enumerate().filter_map(odd).collect();
    Survey { files, groups, odd }
}

fn is_neutral(file: &FileLook) -> bool {
    file.is_ascii && !file.mark
}

fn is_ascii_like(encoding: &'static Encoding) -> bool {
    encoding != UTF_16LE && encoding != UTF_16BE
}

impl Group {
    fn new(at: usize, file: &FileLook, encoding: &'static Encoding) -> Self {
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

    fn add(&mut self, at: usize, file: &FileLook) {
        self.files.push(at);
        self.rows += file.rows();
        self.bytes += file.bytes;
        for column in &mut self.columns {
            if let Some(other) = file.columns.iter().find(|other| other.name == column.name) {
                column.widen(other);
            }
        }
    }

    /// Whether all but the encoding is the same. The order of names says something in CSV files alone.
    fn is_like(&self, file: &FileLook) -> bool {
        let (mut own, mut other) = (names(&self.columns), names(&file.columns));
        if self.format == RowFormat::JsonLines {
            own.sort_unstable();
            other.sort_unstable();
        }
        let layout = (self.format, self.delimiter, self.header) == (file.format, file.delimiter, file.header);
        // One column has no delimiter.
        let layout = layout || self.format == file.format && self.header == file.header && own.len() == 1;
        layout && own == other
    }
}

fn names(columns: &[SeenColumn]) -> Vec<&str> {
    columns.iter().map(|column| column.name.as_str()).collect()
}

/// What is odd about a file of `group`, next to the largest group.
fn oddities(file: &FileLook, group: Option<&Group>, most: Option<&Group>) -> Vec<Odd> {
    let mut odd = Vec::new();
    match &file.trouble {
        Some(_) if file.cut_short => odd.push(Odd::CutShort),
        Some(why) => odd.push(Odd::Unreadable { why: why.clone() }),
        None if file.rows() == 0 && file.header => odd.push(Odd::HeaderOnly),
        None if file.rows() == 0 => odd.push(Odd::Empty),
        None => {}
    }
    if let (Some(group), Some(most)) = (group, most) {
        compare(file, group, most, &mut odd);
    }
    let (ragged, broken, no_json) = (file.ragged, file.broken, file.no_json);
    if ragged.rows > 0 {
        odd.push(Odd::Ragged { rows: ragged.rows, line: ragged.line });
    }
    if broken.rows > 0 {
        let encoding = file.encoding.unwrap_or(UTF_8).name();
        odd.push(Odd::Undecodable { rows: broken.rows, line: broken.line, encoding });
    }
    if no_json.rows > 0 {
        odd.push(Odd::NoJson { rows: no_json.rows, line: no_json.line });
    }
    odd
}

fn compare(file: &FileLook, group: &Group, most: &Group, odd: &mut Vec<Odd>) {
    if file.format != most.format {
        odd.push(Odd::OtherFormat);
        return;
    }
    if group.encoding != most.encoding {
        odd.push(Odd::OtherEncoding { encoding: group.encoding.name(), most: most.encoding.name() });
    }
    if file.format == RowFormat::Csv && file.delimiter != most.delimiter && file.columns.len() > 1 {
        odd.push(Odd::OtherDelimiter { delimiter: char::from(file.delimiter), most: char::from(most.delimiter) });
    }
    if file.header != most.header {
        // Without a header there are no names to compare.
        odd.push(Odd::OtherHeader { header: file.header });
        return;
    }
    let (own, usual) = (names(&file.columns), names(&most.columns));
    let only = |left: &[&str], right: &[&str]| -> Vec<String> {
        left.iter().filter(|name| !right.contains(name)).map(|name| (*name).to_owned()).collect()
    };
    let (lacks, more) = (only(&usual, &own), only(&own, &usual));
    if !lacks.is_empty() || !more.is_empty() {
        odd.push(Odd::OtherColumns { lacks, more });
    } else if own != usual && file.format == RowFormat::Csv {
        odd.push(Odd::OtherOrder);
    }
}
