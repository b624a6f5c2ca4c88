//! The rows of a step's files, counted.

use crate::cli::odd_files::{odd_json, odd_lines};
use crate::compile::{OpenBatch, Prepared};
use crate::report::{Scan, ScanProgress, bytes, count};
use crate::spec::BatchSize;
use crate::survey::{FileProfile, Survey, Totals, survey, totals};
use serde_json::{Value, json};
use std::io::{self, IsTerminal};

/// The rows of a step's files.
pub struct RowCount {
    survey: Survey,
    /// Items and batches.
    pub totals: Totals,
}

impl RowCount {
    /// Reads the files of a step if its items are rows of files. Shows its progress on stderr, because it may take long.
    pub fn of(batch: &OpenBatch, prepared: &Prepared) -> Option<Self> {
        let request = batch.items.source.survey()?;
        let request = request.limited(prepared.options.max_items.unwrap_or(u64::MAX));
        let scan = Scan { action: "counting rows in", files: request.len() as u64, bytes: request.bytes() };
        let progress = if io::stderr().is_terminal() {
            ScanProgress::bar(&scan)
        } else {
            ScanProgress::line(&scan, "skip this with `--no-count`")
        };
        let survey = survey(&request, &mut |read| progress.read(read));
        progress.end();
        let totals = match batch.settings.batch_size {
            BatchSize::Exactly(size) => totals(&request, &survey.files, size.get() as u64),
            // The number of batches depends on the time that they take.
            BatchSize::Auto => Totals { batches: None, ..totals(&request, &survey.files, 1) },
        };
        Some(Self { survey, totals })
    }

    fn bytes(&self) -> u64 {
        self.survey.files.iter().map(|file| file.bytes).sum()
    }

    /// `27,004 rows from 31 files (2.3 MiB)`
    pub fn text(&self) -> String {
        let files = count(self.survey.files.len() as u64, "file");
        format!("{} from {files} ({})", count(self.totals.items, "row"), bytes(self.bytes()))
    }

    /// A line for each odd file.
    pub fn odd_text(&self) -> String {
        let odd = odd_lines(&self.survey, "     ");
        if odd.is_empty() { odd } else { format!("   odd files:\n{odd}") }
    }

    pub fn to_json(&self) -> Value {
        json!({
            "count": self.survey.files.len(), "bytes": self.bytes(), "odd": odd_json(&self.survey),
            "rows": self.survey.files.iter().map(FileProfile::rows).sum::<u64>(),
        })
    }
}
