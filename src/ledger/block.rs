//! Pieces of a results file.

use super::batches::{BatchRow, REMOVED_ITEM, hash_results};
use crate::model::ResultForm;

/// A piece of a results file: consecutive lines of consecutive items, or the results of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// Index of the first item.
    pub(super) first: u64,
    /// Which attempt it was.
    pub(super) attempt: u32,
    /// How many items. Each has a line, unless the results belong to a batch as a whole.
    pub(super) count: u64,
    /// Whether the results belong to a batch as a whole.
    pub(super) is_list: bool,
    /// Whether the results are lines or a table.
    pub(super) form: ResultForm,
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// How many bytes it has.
    pub(super) length: u64,
    /// The hash of its bytes.
    pub(super) hash: u64,
}

impl Block {
    /// The bytes of a block in a file of blocks.
    pub(super) const SIZE: usize = 46;

    /// The block of a batch whose items are neighbours, or whose results belong to it as a whole.
    pub(super) fn of_row(row: &BatchRow) -> Self {
        Self {
            first: row.first,
            attempt: row.attempt,
            count: row.count,
            is_list: row.is_list,
            form: row.form,
            offset: row.offset,
            length: row.length,
            hash: row.results_hash(),
        }
    }

    /// What blocks are sorted by: their items, and those of one item as they were written.
    pub(super) fn place(&self) -> (u64, u64) {
        (self.first, self.offset)
    }

    /// Where it ends in the file.
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// Appends it to a file of blocks.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for number in [self.first, self.count, self.offset, self.length, self.hash] {
            out.extend(number.to_le_bytes());
        }
        out.extend(self.attempt.to_le_bytes());
        out.push(self.is_list.into());
        out.push(match self.form {
            ResultForm::Lines => 0,
            ResultForm::Arrow => 1,
            ResultForm::Pickle => 2,
        });
    }

    /// The block in these bytes of a file of blocks.
    pub(super) fn read(bytes: &[u8; Self::SIZE]) -> Self {
        let number = |at: usize| u64::from_le_bytes(*bytes[8 * at..].first_chunk().expect("five numbers"));
        Self {
            first: number(0),
            count: number(1),
            offset: number(2),
            length: number(3),
            hash: number(4),
            attempt: u32::from_le_bytes(*bytes[40..].first_chunk().expect("four bytes")),
            is_list: bytes[44] != 0,
            form: match bytes[45] {
                0 => ResultForm::Lines,
                1 => ResultForm::Arrow,
                _ => ResultForm::Pickle,
            },
        }
    }
}

/// Splits the lines of a batch whose items are not neighbours into blocks of neighbours. The lines begin at `offset`.
pub(super) fn split(offset: u64, indexes: &[u64], lines: &[u8]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut start = 0;
    for (index, end) in indexes.iter().zip(memchr::memchr_iter(b'\n', lines)) {
        let (from, length) = (offset + start as u64, (end + 1 - start) as u64);
        start = end + 1;
        match blocks.last_mut() {
            _ if *index == REMOVED_ITEM => {}
            Some(last) if last.first + last.count == *index && last.end() == from => {
                last.count += 1;
                last.length += length;
            }
            _ => blocks.push(Block {
                first: *index,
                attempt: 0,
                count: 1,
                is_list: false,
                form: ResultForm::Lines,
                offset: from,
                length,
                hash: 0,
            }),
        }
    }
    for block in &mut blocks {
        let start = usize::try_from(block.offset - offset).expect("it is within the lines");
        let length = usize::try_from(block.length).expect("it is within the lines");
        block.hash = hash_results(&lines[start..start + length]);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_where_items_are_missing() {
        let block = |first, count, offset, lines: &[u8]| Block {
            first,
            attempt: 0,
            count,
            is_list: false,
            form: ResultForm::Lines,
            offset,
            length: lines.len() as u64,
            hash: hash_results(lines),
        };
        assert_eq!(split(100, &[3, 4, 9], b"1\n22\n3 \n"), [block(3, 2, 100, b"1\n22\n"), block(9, 1, 105, b"3 \n")]);
    }
}
