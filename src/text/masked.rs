//! Text that may contain a secret, and text that does not.

use super::{Printable, Secrets};
use std::fmt;

/// Text from a task, a file or an error, which may contain a secret.
///
/// It cannot be printed, written or cut. The only way to use it is [`masked`](Self::masked).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MaybeSecret(Vec<u8>);

impl MaybeSecret {
    /// Text that may hold a secret.
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(text.into())
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds text at the end.
    pub fn push(&mut self, text: impl AsRef<[u8]>) {
        self.0.extend_from_slice(text.as_ref());
    }

    /// Whether there is a secret in it.
    pub fn has_secret(&self, secrets: &Secrets) -> bool {
        !secrets.is_empty() && secrets.masked_bytes(self.0.clone()) != self.0
    }

    /// The text without secrets.
    pub fn masked(self, secrets: &Secrets) -> Masked {
        Masked(secrets.masked_bytes(self.0))
    }
}

impl From<String> for MaybeSecret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for MaybeSecret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<Vec<u8>> for MaybeSecret {
    fn from(text: Vec<u8>) -> Self {
        Self::new(text)
    }
}

/// Shows only the length, because debug output ends up in logs.
impl fmt::Debug for MaybeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MaybeSecret({} bytes)", self.0.len())
    }
}

/// Text without secrets, for programs and the ledger. Before people see it, it becomes [`Printable`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Masked(Vec<u8>);

impl Masked {
    /// For a person, on one line.
    pub fn line(&self) -> Printable {
        Printable::line(&self.0)
    }

    /// For a person, on several lines.
    pub fn lines(&self) -> Printable {
        Printable::lines(&self.0)
    }

    /// For a person, the first line, at most `columns` wide.
    pub fn excerpt(&self, columns: usize) -> Printable {
        Printable::excerpt(&self.0, columns)
    }

    /// The text as it is.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text as it is.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The text as it is; bytes that are not UTF-8 become U+FFFD.
    pub fn into_string(self) -> String {
        String::from_utf8(self.0).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_masked_before_it_is_cut() {
        let secrets = Secrets::new(["tok\u{1b}en-1234567".to_owned()]);
        let text = MaybeSecret::from("login tok\u{1b}en-1234567 \u{1b}[2J".to_owned());
        assert_eq!(format!("{text:?}"), "MaybeSecret(25 bytes)");
        let masked = text.masked(&secrets);
        assert_eq!(masked.line().as_str(), "login *** \\x1b[2J");
        assert_eq!(masked.excerpt(8).as_str(), "login *…");
        assert_eq!(masked.into_string(), "login *** \u{1b}[2J");
    }

    #[test]
    fn text_is_the_same_however_it_came_and_goes() {
        let secrets = Secrets::new(["hunter2".to_owned()]);
        for text in [MaybeSecret::from(b"a hunter2".to_vec()), "a hunter2".into(), "a hunter2".to_owned().into()] {
            assert!((text.len(), text.is_empty(), text.has_secret(&secrets)) == (9, false, true));
            assert!(!text.has_secret(&Secrets::default()));
            let masked = text.masked(&secrets);
            assert_eq!((masked.as_bytes(), masked.lines().as_str()), (&b"a ***"[..], "a ***"));
        }
        let mut text = MaybeSecret::default();
        assert!(text.is_empty() && !text.has_secret(&secrets));
        text.push("hunter");
        assert!(!text.is_empty() && !text.has_secret(&secrets));
        text.push("2");
        assert!(text.has_secret(&secrets));
    }

    #[test]
    fn a_secret_is_found_in_text_that_is_not_utf_8() {
        let secrets = Secrets::new(["hunter2".to_owned()]);
        assert_eq!(MaybeSecret::new(b"\xffhunter2\xff").masked(&secrets).into_bytes(), b"\xff***\xff");
    }
}
