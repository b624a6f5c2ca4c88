//! Progress of reading files before a run.

use super::format::{bytes, count};
use crate::text::Printable;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, Write as _};

/// Files that are about to be read.
pub struct Scan<'a> {
    /// For instance `counting rows in`.
    pub action: &'a str,
    /// How many files.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// Shows the progress of reading files on stderr.
pub struct ScanProgress(ProgressBar);

const TEMPLATE: &str =
    "{prefix} {wide_bar} {binary_bytes}/{binary_total_bytes} {percent}%  {binary_bytes_per_sec}  eta {eta}";

impl ScanProgress {
    /// A bar, for terminals.
    pub fn bar(scan: &Scan<'_>) -> Self {
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is a constant that a test draws");
        let bar = ProgressBar::new(scan.bytes).with_style(style);
        bar.set_prefix(format!("{} {}", scan.action, count(scan.files, "file")));
        Self(bar)
    }

    /// One line; `help` is what the user can do about it.
    pub fn line(scan: &Scan<'_>, help: &str) -> Self {
        let (files, bytes) = (count(scan.files, "file"), bytes(scan.bytes));
        let line = Printable::line(format!("{} {files}, {bytes}; {help}", scan.action));
        // If stderr is closed, the message has nowhere to go.
        drop(io::stderr().write_all(format!("{line}\n").as_bytes()));
        Self(ProgressBar::hidden())
    }

    /// Reports how many bytes were read so far.
    pub fn read(&self, bytes: u64) {
        // A file is read again if its encoding turns out late.
        self.0.set_position(bytes.min(self.0.length().unwrap_or(bytes)));
    }

    /// All files were read. Clears the screen.
    pub fn end(self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_good() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
