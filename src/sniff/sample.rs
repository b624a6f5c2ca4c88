//! What a finding is made from: the beginning of a file, and what is known already.

use crate::model::Delimiter;

/// The beginning of a file as text, which ends with a whole line.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The text. Without byte order mark, but not necessarily UTF-8.
    pub text: &'a [u8],
    /// Whether nothing follows.
    pub whole: bool,
}

/// What is known of a file before it is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// The delimiter, if it is known.
    pub delimiter: Option<Delimiter>,
    /// The quote character, or that there is none, if it is known.
    pub quote: Option<Option<u8>>,
    /// Whether there is a header, if it is known.
    pub header: Option<bool>,
    /// The column names of other files in its directory.
    pub names: Vec<String>,
}
