//! The rows of a step's files, counted.

use crate::cli::odd_files::{odd_json, odd_lines};
use crate::compile::{OpenBatch, Prepared};
use crate::report::{ScanProgress, bytes, count};
use crate::spec::BatchSize;
use crate::survey::{FileProfile, Survey, Totals, survey, totals};
use serde_json::{Value, json};
use std::io::{self, IsTerminal};

/// What files of rows come to.
pub struct RowCount {
    survey: Survey,
    /// Items and batches.
    pub totals: Totals,
}

impl RowCount {
    /// Reads the files of a step through, if its items are rows of files; says so on stderr, because it may take long.
    pub fn of(batch: &OpenBatch, prepared: &Prepared) -> Option<Self> {
        let request = batch.items.source.survey()?;
        let request = request.limited(prepared.options.max_items.unwrap_or(u64::MAX));
        let how = (io::stderr().is_terminal(), "; `--no-count` leaves this out");
        let bar = ScanProgress::new("counting the rows of", (request.len() as u64, request.bytes()), how);
        let survey = survey(&request, &mut |read| bar.read(read));
        bar.end();
        let totals = match batch.settings.batch_size {
            BatchSize::Exactly(size) => totals(&request, &survey.files, size.get() as u64),
            // How many batches there will be depends on the time that they take.
            BatchSize::Auto => Totals { batches: None, ..totals(&request, &survey.files, 1) },
        };
        Some(Self { survey, totals })
    }

    fn bytes(&self) -> u64 {
        self.survey.files.iter().map(|file| file.bytes).sum()
    }

    /// `27,004 rows of 31 files, 2.3 MiB,`
    pub fn text(&self) -> String {
        let files = count(self.survey.files.len() as u64, "file");
        format!("{} of {files}, {},", count(self.totals.items, "row"), bytes(self.bytes()))
    }

    /// A line for each file that stands out.
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
