//! How much a file may hold before the next part begins.

use super::target::Target;

/// How much more a file may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct SizeLimit {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// Lines, split where a file is full.
pub(super) struct CutLines<'a> {
    /// The lines that the file still takes, and how many they are.
    pub(super) now: &'a [u8],
    pub(super) records: u64,
    /// The lines for the next file.
    pub(super) later: &'a [u8],
}

impl SizeLimit {
    /// The limit of a part: quick to read at once, and large enough to keep the number of files low.
    pub(super) const PART: Self = Self { records: 1_000_000, bytes: 128 << 20 };

    /// The limit of a single file.
    pub(super) const NONE: Self = Self { records: u64::MAX, bytes: u64::MAX };

    /// The limit of each file of a target.
    pub(super) fn of(target: &Target) -> Self {
        if target.parts { Self::PART } else { Self::NONE }
    }

    /// Splits off the lines that the file still takes, and lowers the limit by their size.
    pub(super) fn cut<'a>(&mut self, lines: &'a [u8]) -> CutLines<'a> {
        let (mut end, mut records) = (0, 0);
        for newline in memchr::memchr_iter(b'\n', lines) {
            (end, records) = (newline + 1, records + 1);
            if records == self.records || end as u64 >= self.bytes {
                break;
            }
        }
        self.lower(records, end as u64);
        let (now, later) = lines.split_at(end);
        CutLines { now, records, later }
    }

    /// Lowers the limit by what was written.
    pub(super) fn lower(&mut self, records: u64, bytes: u64) {
        self.records = self.records.saturating_sub(records);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Whether the file is full.
    pub(super) fn is_reached(self) -> bool {
        self.records == 0 || self.bytes == 0
    }
}
