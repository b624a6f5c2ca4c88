//! Keeps secret values out of everything that is written for people.

use crate::model::{BatchReport, Failure};
use base64::Engine as _;

/// What is shown instead of a secret.
pub const MASK: &str = "***";

/// The values that must not be shown.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Masks these values, in the forms in which they turn up: as they are, escaped for JSON and for Python, encoded for URLs
    /// and in base64, and each long line of one that has several. Values of one or two characters would mask everything and
    /// are left out.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut forms: Vec<String> =
            values.into_iter().filter(|value| value.chars().count() > 2).flat_map(|value| forms(&value)).collect();
        // The longest first: a secret may be part of another.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        Self(forms)
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
    pub fn masked(&self, mut text: String) -> String {
        self.mask(&mut text);
        text
    }

    /// A failure without secrets.
    pub fn mask_failure(&self, failure: &mut Failure) {
        self.mask(&mut failure.message);
        failure.detail.iter_mut().for_each(|detail| self.mask(detail));
    }

    /// A report without secrets in what the ledger and the listeners show of it; results stay as they are, being the user's data.
    pub fn mask_report(&self, report: &mut BatchReport) {
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

/// A line of a secret is masked by itself when it is at least so long.
const LONG_LINE: usize = 8;

fn forms(value: &str) -> Vec<String> {
    let json = serde_json::to_string(value).unwrap_or_default();
    let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or_default().to_owned();
    let ascii = |c: char| {
        if c.is_ascii() {
            c.to_string()
        } else {
            c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        }
    };
    let mut forms = vec![
        value.to_owned(),
        json.chars().map(ascii).collect(),
        json,
        value.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t"),
        value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t"),
        percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string(),
        base64::engine::general_purpose::STANDARD.encode(value),
    ];
    forms.extend(value.lines().filter(|line| line.len() >= LONG_LINE).map(str::to_owned));
    forms
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

    #[test]
    fn a_secret_is_masked_in_every_form_in_which_it_turns_up() {
        let secret = "ab\"cd\\ef\u{e9}SEC\nBEGIN PRIVATE KEY";
        let secrets = Secrets::new([secret.to_owned()]);
        let forms = [
            secret.to_owned(),
            serde_json::to_string(secret).unwrap(),
            "'ab\"cd\\\\ef\u{e9}SEC\\nBEGIN PRIVATE KEY'".to_owned(),
            "ab\\\"cd\\\\ef\\u00e9SEC\\nBEGIN PRIVATE KEY".to_owned(),
            "BEGIN PRIVATE KEY".to_owned(),
            base64::engine::general_purpose::STANDARD.encode(secret),
        ];
        for form in forms {
            let masked = secrets.masked(format!("<{form}>"));
            assert!(!masked.contains("SEC") && !masked.contains("PRIVATE") && masked.contains(MASK), "{form} {masked}");
        }
    }
}
