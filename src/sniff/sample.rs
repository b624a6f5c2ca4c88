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
    /// What separates two fields, if that is told.
    pub delimiter: Option<Delimiter>,
    /// The character around fields, or that there is none, if that is told.
    pub quote: Option<Option<u8>>,
    /// Whether there is a header, if that is told.
    pub header: Option<bool>,
    /// The names of columns in files beside this one.
    pub names: Vec<String>,
}
