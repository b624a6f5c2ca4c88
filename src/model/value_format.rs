//! How values are written in a CSV file.

use serde::{Deserialize, Serialize};

/// How values are written. The default is `1234.5`, `true` and `false`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueFormat {
    /// What stands before the fraction of a number; a full stop if it is none.
    pub decimal: Option<char>,
    /// What may stand between groups of digits.
    pub thousands: Option<char>,
    /// Texts that mean `true`, besides `true`.
    pub true_values: Vec<String>,
    /// Texts that mean `false`, besides `false`.
    pub false_values: Vec<String>,
}

impl ValueFormat {
    /// Whether values are written as usual.
    pub fn is_usual(&self) -> bool {
        // Asked for each value, so it compares no more than it must.
        self.decimal.is_none()
            && self.thousands.is_none()
            && self.true_values.is_empty()
            && self.false_values.is_empty()
    }
}
