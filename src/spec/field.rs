//! Fields of results.

use std::fmt;

/// A field of a result. Dots separate the names of nested mappings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field(pub String);

impl Field {
    /// The names, outermost first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
