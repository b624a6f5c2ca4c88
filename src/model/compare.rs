//! How an incremental run tells whether a file has changed.

/// How two versions of a file are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// Size and modification time.
    Time,
    /// Content.
    Content,
}

impl Compare {
    /// Its name on the command line and in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Content => "content",
        }
    }

    /// The comparison of that name.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Time, Self::Content].into_iter().find(|compare| compare.as_str() == word)
    }
}
