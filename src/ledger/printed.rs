//! What was printed during certain attempts, put together from the pieces of a step's log.

use super::error::LedgerError;
use super::log::LogReader;
use super::records::FailureRecord;
use std::collections::HashMap;

/// An attempt: the index of its item, the execution, and its number.
type Attempt = (u64, i64, u32);

/// What was printed during some attempts.
#[derive(Debug, Default)]
pub struct PrintedTexts {
    /// The text, and the stream of its last piece.
    texts: HashMap<Attempt, (String, String)>,
}

impl PrintedTexts {
    /// Reads what a log has of these attempts.
    pub(super) fn read(attempts: Vec<Attempt>, mut log: LogReader) -> Result<Self, LedgerError> {
        let mut texts: HashMap<Attempt, (String, String)> =
            attempts.into_iter().map(|attempt| (attempt, Default::default())).collect();
        while let Some(record) = log.next_record()? {
            let attempt = record.item.map(|item| (item.index, record.execution, item.attempt));
            if let Some((text, stream)) = attempt.and_then(|attempt| texts.get_mut(&attempt)) {
                if *stream != record.stream && !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(&record.text);
                *stream = record.stream;
            }
        }
        Ok(Self { texts })
    }

    /// What was printed during the last attempt of a failed item.
    pub fn of(&self, failure: &FailureRecord) -> String {
        let attempt = (failure.index, failure.execution, failure.attempts);
        self.texts.get(&attempt).map(|(text, _)| text.clone()).unwrap_or_default()
    }
}
