//! What a commit survives.

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The process being killed at any moment. A power cut may lose the last commits, but never reorders them.
    #[default]
    Normal,
    /// A power cut too: a commit waits until the disk has confirmed it.
    Full,
}

impl Durability {
    /// SQLite's settings for it. A checkpoint waits for the disk. One per 4,000 pages (16 MB) instead of 1,000 makes steps
    /// with many short items wait a quarter as often.
    pub(super) fn pragma(self) -> &'static str {
        match self {
            Self::Normal => "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000",
            Self::Full => "PRAGMA synchronous = FULL",
        }
    }
}
