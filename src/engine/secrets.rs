//! Keeps secret values out of everything that is written for people.

use crate::model::{BatchReport, Failure};

/// What is shown instead of a secret.
const MASK: &str = "***";

/// The values that must not be shown.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Masks these values. Empty ones, and those of one or two characters, would mask everything and are left out.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<String> = values.into_iter().filter(|value| value.chars().count() > 2).collect();
        // The longest first: a secret may be part of another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self(values)
    }

    /// The text without secrets.
    pub fn mask(&self, text: &mut String) {
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), MASK);
            }
        }
    }

    /// The same, by value.
    pub(super) fn masked(&self, mut text: String) -> String {
        self.mask(&mut text);
        text
    }

    /// A failure without secrets.
    pub fn mask_failure(&self, failure: &mut Failure) {
        self.mask(&mut failure.message);
        failure.detail.iter_mut().for_each(|detail| self.mask(detail));
    }

    /// A report without secrets in what the ledger and the sinks show of it; results stay as they are, being the user's data.
    pub(super) fn mask_report(&self, report: &mut BatchReport) {
        if self.0.is_empty() {
            return;
        }
        for failed in &mut report.failed {
            self.mask_failure(&mut failed.failure);
            failed.handler.iter_mut().for_each(|failure| self.mask_failure(failure));
            let mut item = String::from_utf8_lossy(&failed.item).into_owned();
            self.mask(&mut item);
            failed.item = item.into_bytes();
        }
        report.retries.iter_mut().for_each(|(_, _, failure)| self.mask_failure(failure));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_wherever_it_stands() {
        let secrets = Secrets::new(["hunter2".to_owned(), "hunter2-long".to_owned(), String::new()]);
        let mut text = "a hunter2-long b hunter2".to_owned();
        secrets.mask(&mut text);
        assert_eq!(text, "a *** b ***");
    }
}
