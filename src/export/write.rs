//! From results to files: looks at the records where the format has to, then writes them.

use super::csv::{CsvFile, Header};
use super::error::{ExportError, Trouble};
use super::jsonl::JsonLines;
use super::parquet::{RecordRows, schema_of};
use super::place::Place;
use crate::model::OutputFormat;
use arrow_schema::SchemaRef;
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Where results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The file, or with `parts` the folder.
    pub path: PathBuf,
    /// The format of the file.
    pub format: OutputFormat,
    /// Whether `path` is a folder of files of limited size.
    pub parts: bool,
}

impl Target {
    /// Whether something of that kind stands there.
    pub fn is_there(&self) -> bool {
        if self.parts { self.path.is_dir() } else { self.path.is_file() }
    }
}

/// Results as JSON Lines in item order, to be read as often as a format needs.
pub trait Results {
    /// Goes back to the first one.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn rewind(&mut self) -> io::Result<()>;

    /// Puts the next whole lines, some hundred KiB of them or more, in the place of what `piece` holds; false at the end.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn next_piece(&mut self, piece: &mut Vec<u8>) -> io::Result<bool>;
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// How many records.
    pub records: u64,
}

/// Writes one file, in lines as they come.
pub(super) trait Encoder {
    /// Takes whole lines.
    fn write(&mut self, lines: &[u8]) -> Result<(), Trouble>;

    /// Writes what is left. The file is flushed to the disk by others.
    fn finish(self: Box<Self>) -> Result<(), Trouble>;
}

/// What a format has to know of all records before the first one is written.
enum Layout {
    Jsonl,
    Csv(Header),
    Parquet(SchemaRef),
}

impl Layout {
    fn of(format: OutputFormat, results: &mut dyn Results) -> Result<Self, Trouble> {
        match format {
            OutputFormat::Jsonl => Ok(Self::Jsonl),
            OutputFormat::Csv => Ok(Self::Csv(Header::of(results)?)),
            OutputFormat::Parquet => Ok(Self::Parquet(schema_of(results)?)),
        }
    }

    fn encoder(&self, file: File) -> Result<Box<dyn Encoder + '_>, Trouble> {
        Ok(match self {
            Self::Jsonl => Box::new(JsonLines(file)),
            Self::Csv(header) => Box::new(CsvFile::begin(file, header)?),
            Self::Parquet(schema) => Box::new(RecordRows::begin(file, schema)?),
        })
    }
}

/// How much a file may hold before the next part begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// A part: what reads well at a time, and is no burden as a file.
pub(super) const PART: Limit = Limit { records: 1_000_000, bytes: 128 << 20 };

/// A single file.
pub(super) const NONE: Limit = Limit { records: u64::MAX, bytes: u64::MAX };

impl Limit {
    /// Cuts off the lines that still belong into the file, and takes them off the limit; how many they are.
    fn cut<'l>(&mut self, lines: &'l [u8]) -> (&'l [u8], &'l [u8], u64) {
        let (mut end, mut count) = (0, 0);
        for newline in memchr::memchr_iter(b'\n', lines) {
            (end, count) = (newline + 1, count + 1);
            if count == self.records || end as u64 >= self.bytes {
                break;
            }
        }
        self.take(count, end as u64);
        let (now, later) = lines.split_at(end);
        (now, later, count)
    }

    /// Takes what was written off the limit.
    pub(super) fn take(&mut self, records: u64, bytes: u64) {
        self.records = self.records.saturating_sub(records);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) fn is_used_up(self) -> bool {
        self.records == 0 || self.bytes == 0
    }
}

/// Writes results to where they go, whole or not at all.
///
/// # Errors
/// Where they cannot be read, do not fit the format, or the file cannot be written.
pub fn write(target: &Target, results: &mut dyn Results) -> Result<Written, ExportError> {
    write_by(target, results, if target.parts { PART } else { NONE }).map_err(|trouble| trouble.at(&target.path))
}

fn write_by(target: &Target, results: &mut dyn Results, limit: Limit) -> Result<Written, Trouble> {
    let layout = Layout::of(target.format, results)?;
    let mut place = Place::begin(target)?;
    // Where there are no records, an empty file is written: whoever reads it need not ask whether it is there.
    let mut encoder = layout.encoder(place.next_file()?)?;
    let (mut left, mut records) = (limit, 0);
    each_piece(results, |mut piece| {
        while !piece.is_empty() {
            if left.is_used_up() {
                let next = layout.encoder(place.next_file()?)?;
                std::mem::replace(&mut encoder, next).finish()?;
                left = limit;
            }
            let (now, later, count) = left.cut(piece);
            encoder.write(now)?;
            records += count;
            piece = later;
        }
        Ok(())
    })?;
    encoder.finish()?;
    place.commit()?;
    Ok(Written { records })
}

/// Reads all results, from the first to the last.
pub(super) fn each_piece(
    results: &mut dyn Results,
    mut take: impl FnMut(&[u8]) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    results.rewind().map_err(Trouble::Results)?;
    let mut piece = Vec::new();
    while results.next_piece(&mut piece).map_err(Trouble::Results)? {
        take(&piece)?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::fs;

    /// Results that are held in memory, a few lines a piece.
    pub(in crate::export) struct Held<'a>(pub(in crate::export) &'a str, pub(in crate::export) usize);

    impl Results for Held<'_> {
        fn rewind(&mut self) -> io::Result<()> {
            self.1 = 0;
            Ok(())
        }

        fn next_piece(&mut self, piece: &mut Vec<u8>) -> io::Result<bool> {
            let rest = &self.0[self.1..];
            let end = rest.match_indices('\n').nth(2).map_or(rest.len(), |(at, _)| at + 1);
            piece.clear();
            piece.extend_from_slice(&rest.as_bytes()[..end]);
            self.1 += end;
            Ok(end > 0)
        }
    }

    fn target(folder: &tempfile::TempDir, format: OutputFormat, parts: bool) -> Target {
        Target { path: folder.path().join("out"), format, parts }
    }

    /// The file of these records, or why there is none.
    pub(in crate::export) fn written(format: OutputFormat, records: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let target = target(&folder, format, false);
        write(&target, &mut Held(records, 0)).map_err(|error| error.to_string())?;
        Ok(fs::read_to_string(target.path).unwrap())
    }

    fn parts_of(format: OutputFormat, records: &str, limit: Limit) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let target = target(&folder, format, true);
        let written = write_by(&target, &mut Held(records, 0), limit).unwrap();
        assert_eq!(written.records, records.lines().count() as u64);
        let ending = format.as_str();
        let name = |part: usize| target.path.join(format!("part-{part:05}.{ending}"));
        let count = fs::read_dir(&target.path).unwrap().count();
        (0..count).map(|part| fs::read_to_string(name(part)).unwrap()).collect()
    }

    #[test]
    fn parts_are_cut_between_records() {
        let by_records = Limit { records: 4, bytes: u64::MAX };
        let parts = parts_of(OutputFormat::Jsonl, "1\n2\n3\n4\n5\n6\n7\n8\n", by_records);
        assert_eq!(parts, ["1\n2\n3\n4\n", "5\n6\n7\n8\n"]);
        let by_bytes = Limit { records: u64::MAX, bytes: 5 };
        assert_eq!(parts_of(OutputFormat::Jsonl, "1\n22\n333333\n4\n", by_bytes), ["1\n22\n", "333333\n", "4\n"]);
        assert_eq!(parts_of(OutputFormat::Jsonl, "", by_bytes), [""]);
    }

    #[test]
    fn each_part_has_the_header_of_all() {
        let limit = Limit { records: 1, bytes: u64::MAX };
        assert_eq!(parts_of(OutputFormat::Csv, "{\"a\":1}\n{\"b\":2}\n", limit), ["a,b\n1,\n", "a,b\n,2\n"]);
    }
}
