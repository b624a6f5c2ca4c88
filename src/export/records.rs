//! What the records of a file are: its results, without those that are null if the file has no place for them. A data frame
//! is its rows.
//!
//! Every format takes its records from here, so that the same results are the same records in each of them.

use super::results::Results;
use super::target::Target;
use crate::model::OutputFormat;
use memchr::memmem;
use serde_json::value::RawValue;
use std::io;

/// A result that is null, as a line.
const NULL: &[u8] = b"null\n";

/// How a data frame begins that is the result of one item. Nothing else that is written as a result has a blank there.
const FRAME: &[u8] = b"[ ";

/// The records that results are.
pub(super) struct Records<'a> {
    results: &'a mut dyn Results,
    /// Whether null results are left out.
    drops_nulls: bool,
    /// How many of them were left out since the last rewind.
    pub(super) nulls: u64,
}

impl<'a> Records<'a> {
    /// The records of a target.
    pub(super) fn of(results: &'a mut dyn Results, target: &Target) -> Self {
        let drops_nulls = target.format != OutputFormat::Jsonl || target.options.drop_null;
        Self { results, drops_nulls, nulls: 0 }
    }
}

impl Results for Records<'_> {
    fn rewind(&mut self) -> io::Result<()> {
        self.nulls = 0;
        self.results.rewind()
    }

    fn next_piece(&mut self, piece: &mut Vec<u8>) -> io::Result<bool> {
        while self.results.next_piece(piece)? {
            open_frames(piece);
            if self.drops_nulls {
                self.nulls += drop_nulls(piece);
            }
            if !piece.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Replaces each line that is a data frame by its rows.
pub fn open_frames(lines: &mut Vec<u8>) {
    let within = |at: usize| lines.get(at.wrapping_sub(1)) == Some(&b'\n');
    if !lines.starts_with(FRAME) && !memmem::find_iter(lines, FRAME).any(within) {
        return;
    }
    let mut opened = Vec::with_capacity(lines.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let Some(rows) = rows(line) else {
            opened.extend_from_slice(line);
            continue;
        };
        for row in rows {
            opened.extend_from_slice(row.get().as_bytes());
            opened.push(b'\n');
        }
    }
    *lines = opened;
}

/// The rows of a result that is a data frame; none for any other.
pub(super) fn rows(line: &[u8]) -> Option<Vec<&RawValue>> {
    line.starts_with(FRAME).then(|| serde_json::from_slice(line).ok())?
}

/// Removes the lines that are null; how many they were.
fn drop_nulls(piece: &mut Vec<u8>) -> u64 {
    // A null within a value is followed by something else than the end of the line.
    let nulls: Vec<usize> = memmem::find_iter(piece, NULL).collect();
    let (mut kept, mut read) = (0, 0);
    for at in &nulls {
        piece.copy_within(read..*at, kept);
        kept += at - read;
        read = at + NULL.len();
    }
    if !nulls.is_empty() {
        piece.copy_within(read.., kept);
        piece.truncate(kept + piece.len() - read);
    }
    nulls.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_frame_is_its_rows_and_a_list_is_one_record() {
        for (lines, expected) in [
            ("[1]\n[{\"a\":\"[ \"}]\n", "[1]\n[{\"a\":\"[ \"}]\n"),
            ("[ {\"a\":[1,2]},{\"b\":\"x\"}]\n7\n[ ]\n[ {}]\n", "{\"a\":[1,2]}\n{\"b\":\"x\"}\n7\n{}\n"),
            ("7\n[ {}]\n[{}]\n", "7\n{}\n[{}]\n"),
        ] {
            let mut piece = lines.as_bytes().to_vec();
            open_frames(&mut piece);
            assert_eq!(String::from_utf8(piece).unwrap(), expected);
        }
    }

    #[test]
    fn only_results_that_are_null_are_dropped() {
        for (lines, expected, count) in [
            ("1\n2\n", "1\n2\n", 0),
            ("null\n", "", 1),
            (
                "null\nnull\n1\nnull\n{\"a\":null}\n[null]\n\"null\"\nnull\n2\n",
                "1\n{\"a\":null}\n[null]\n\"null\"\n2\n",
                4,
            ),
            ("", "", 0),
        ] {
            let mut piece = lines.as_bytes().to_vec();
            assert_eq!(drop_nulls(&mut piece), count, "{lines}");
            assert_eq!(piece, expected.as_bytes());
        }
    }
}
