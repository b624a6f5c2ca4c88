//! The values that must not be shown, and the search for them.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use serde_json::Value;
use std::fmt;

/// What is shown instead of a secret.
pub const MASK: &str = "***";

/// The values to mask.
#[derive(Clone, Default)]
pub struct Secrets(Option<AhoCorasick>);

impl Secrets {
    /// Masks these values in all forms in which they appear: as they are, escaped for JSON and Python, URL-encoded, in
    /// base64, and each long line of a value with several lines. Values of one or two characters would mask everything,
    /// so they are ignored.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let values = values.into_iter().filter(|value| value.chars().count() > 2);
        let mut forms: Vec<String> = values.flat_map(|value| forms(&value)).collect();
        forms.sort_unstable();
        forms.dedup();
        // One pass over a text finds all forms, however many lines a secret has.
        let search =
            |forms| AhoCorasick::new(forms).expect("secrets are far shorter than the 2 GiB that a search can hold");
        Self((!forms.is_empty()).then(|| search(forms)))
    }

    /// Whether nothing is secret.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Masks the secrets in a text.
    pub fn mask(&self, text: &mut String) {
        if let Some(search) = self.0.as_ref().filter(|search| search.is_match(text.as_str())) {
            // A form is valid UTF-8, so it begins and ends between characters of the text.
            let masked = replace(search, text.as_bytes());
            *text = String::from_utf8(masked).expect("whole characters of a text are replaced by whole characters");
        }
    }

    /// The text without secrets.
    pub fn masked(&self, mut text: String) -> String {
        self.mask(&mut text);
        text
    }

    /// JSON text without secrets: values are masked before they are encoded, so it stays JSON. A number or a word that is a
    /// secret becomes a string; a number that only has the digits of one in it stays. Text that is not JSON is masked as it is.
    pub fn masked_json(&self, json: &[u8]) -> String {
        match serde_json::from_slice::<Value>(json) {
            Ok(value) if !self.is_empty() => self.masked_value(value).to_string(),
            _ => self.masked(String::from_utf8_lossy(json).into_owned()),
        }
    }

    /// The value without secrets, as for [`masked_json`](Self::masked_json).
    pub fn masked_value(&self, value: Value) -> Value {
        match value {
            Value::Null => value,
            Value::String(text) => Value::String(self.masked(text)),
            Value::Array(values) => values.into_iter().map(|value| self.masked_value(value)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, value)| (self.masked(name), self.masked_value(value))).collect()
            }
            Value::Bool(_) | Value::Number(_) => {
                let secret = self.masked(value.to_string()) == MASK;
                if secret { Value::String(MASK.to_owned()) } else { value }
            }
        }
    }

    /// The bytes without secrets.
    pub fn masked_bytes(&self, text: Vec<u8>) -> Vec<u8> {
        match self.0.as_ref().filter(|search| search.is_match(&text)) {
            Some(search) => replace(search, &text),
            None => text,
        }
    }
}

/// Shows how many there are, and none of them.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} forms)", self.0.as_ref().map_or(0, AhoCorasick::patterns_len))
    }
}

/// Puts one mask in place of each run of secrets that overlap: a secret may be part of another, or begin inside it.
fn replace(search: &AhoCorasick, text: &[u8]) -> Vec<u8> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    // Matches come in the order of their ends.
    for next in search.find_overlapping_iter(text) {
        let mut start = next.start();
        while let Some((begin, _)) = found.pop_if(|(_, end)| start < *end) {
            start = start.min(begin);
        }
        found.push((start, next.end()));
    }
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    for (start, end) in found {
        out.extend_from_slice(&text[at..start]);
        out.extend_from_slice(MASK.as_bytes());
        at = end;
    }
    out.extend_from_slice(&text[at..]);
    out
}

/// Each line of a secret that is at least this long is masked, even without the other lines.
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
    fn secrets_that_overlap_leave_nothing_behind() {
        let secrets = Secrets::new(["abcdef", "defghi", "cde", "xyzxyz"].map(str::to_owned));
        for (text, masked) in [
            ("<abcdefghi>", "<***>"),
            ("abcdefabcdef", "******"),
            ("abcde", "ab***"),
            ("xyzxyzxyz", "***"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(secrets.masked(text.to_owned()), masked);
        }
        let shown = format!("{secrets:?}");
        assert!(shown.starts_with("Secrets(") && !shown.contains("abc"), "{shown}");
    }

    #[test]
    fn masked_json_is_json() {
        let secrets = Secrets::new(["1234", "true", "a\"b\u{e9}"].map(str::to_owned));
        let json = r#"{"pin":1234,"n":51234,"on":true,"text":"<a\"b\u00e9>","a\"b\u00e9":[null]}"#;
        let masked = r#"{"pin":"***","n":51234,"on":"***","text":"<***>","***":[null]}"#;
        assert_eq!(secrets.masked_json(json.as_bytes()), masked);
        assert_eq!(secrets.masked_json(b"{1234"), "{***");
    }

    #[test]
    fn text_that_is_masked_once_stays_as_it_is() {
        let secrets = Secrets::new(["s\u{e9}cret".to_owned()]);
        let once = secrets.masked("\u{e9} s\u{e9}cret \u{e9}".to_owned());
        assert_eq!(once, "\u{e9} *** \u{e9}");
        assert_eq!(secrets.masked(once.clone()), once);
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
