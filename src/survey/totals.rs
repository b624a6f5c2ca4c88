//! How many items and batches a source will give, counted before it runs.

use super::profile::FileProfile;
use crate::sources::SurveyRequest;

/// Items and batches of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Items: rows, and one for each file that cannot be read.
    pub items: u64,
    /// Batches; none if gaps cut the rows into too many pieces to count them.
    pub batches: Option<u64>,
}

/// What the source gives in batches of this size, cut as the source cuts: a batch spans neither two files nor a gap, and a file
/// that cannot be read, or only in part, is a separate item.
pub fn totals(request: &SurveyRequest, profiles: &[FileProfile], batch_size: u64) -> Totals {
    let window = request.window();
    let (mut left, mut skip) = (window.limit, window.skip);
    let (mut items, mut batches) = (0, Some(0));
    let mut give = |rows: u64, left: &mut u64| {
        let given = rows.min(*left);
        *left -= given;
        items += given;
        given.div_ceil(batch_size)
    };
    for (position, profile) in profiles.iter().enumerate() {
        let unreadable = request.is_unreadable(position);
        match profile.runs.lengths().filter(|_| !unreadable) {
            Some(runs) => {
                for run in runs {
                    let skipped = run.min(skip);
                    skip -= skipped;
                    let cut = give(run - skipped, &mut left);
                    batches = batches.map(|batches| batches + cut);
                }
            }
            None if !unreadable => {
                let skipped = profile.rows().min(skip);
                skip -= skipped;
                give(profile.rows() - skipped, &mut left);
                batches = None;
            }
            None => {}
        }
        if unreadable || profile.error.is_some() {
            let cut = give(1, &mut left);
            batches = batches.map(|batches| batches + cut);
        }
    }
    Totals { items, batches }
}
