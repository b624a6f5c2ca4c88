//! A bar for reading files through beforehand.

use super::format::{bytes, count};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, Write as _};

/// Shows on stderr that files are read through: a bar on a terminal, elsewhere one line.
pub struct ScanProgress(ProgressBar);

const TEMPLATE: &str =
    "{prefix} {bar:30} {binary_bytes}/{binary_total_bytes} {percent}%  {binary_bytes_per_sec}  eta {eta}";

impl ScanProgress {
    /// Begins with `files` files of `all` bytes; `how` is what can be done about it.
    pub fn new(what: &str, (files, all): (u64, u64), (terminal, how): (bool, &str)) -> Self {
        if !terminal {
            // With stderr gone there is nobody to tell.
            drop(writeln!(io::stderr(), "{what} {}, {}{how}", count(files, "file"), bytes(all)));
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is a constant that a test draws");
        let bar = ProgressBar::new(all).with_style(style);
        bar.set_prefix(format!("{what} {}", count(files, "file")));
        Self(bar)
    }

    /// So many bytes were read so far.
    pub fn read(&self, bytes: u64) {
        // A file is read a second time where its encoding shows late.
        self.0.set_position(bytes.min(self.0.length().unwrap_or(bytes)));
    }

    /// All were read; nothing of it stays on the screen.
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
