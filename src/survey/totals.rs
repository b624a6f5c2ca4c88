//! What a source will give, counted beforehand.

use super::look::FileLook;
use crate::sources::Request;

/// Items and batches of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Items: rows, and one for each file that cannot be read.
    pub items: u64,
    /// Batches; none where gaps cut the rows into too many pieces.
    pub batches: Option<u64>,
}

impl Request {
    /// What the source gives in batches of this size, if it gives no more than `most` items. It cuts as the source does: a
    /// batch spans neither two files nor a gap, and a file that cannot be read, or not to its end, is an item of its own.
    pub fn totals(&self, looks: &[FileLook], batch_size: u64, most: u64) -> Totals {
        let mut left = self.limit.min(most);
        let mut skip = self.skip;
        let (mut items, mut batches) = (0, Some(0));
        let mut give = |rows: u64, left: &mut u64| {
            let given = rows.min(*left);
            *left -= given;
            items += given;
            given.div_ceil(batch_size)
        };
        for (at, look) in looks.iter().enumerate() {
            let troubled = self.troubled.get(at).copied().unwrap_or(false);
            match look.runs.lengths().filter(|_| !troubled) {
                Some(runs) => {
                    for run in runs {
                        let skipped = run.min(skip);
                        skip -= skipped;
                        let cut = give(run - skipped, &mut left);
                        batches = batches.map(|batches| batches + cut);
                    }
                }
                None if !troubled => {
                    let skipped = look.rows().min(skip);
                    skip -= skipped;
                    give(look.rows() - skipped, &mut left);
                    batches = None;
                }
                None => {}
            }
            if troubled || look.trouble.is_some() {
                let cut = give(1, &mut left);
                batches = batches.map(|batches| batches + cut);
            }
        }
        Totals { items, batches }
    }
}
