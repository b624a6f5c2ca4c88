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
    /// What happens to NaN and infinities.
    // Left out by default, so that what is made of the others, such as fingerprints, stays as it was.
    #[serde(default, skip_serializing_if = "Nan::is_usual")]
    pub nan: Nan,
}

/// `nan`: what happens to NaN and infinities, which JSON has not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nan {
    /// They are not numbers.
    #[default]
    Fail,
    /// They are null.
    Drop,
    /// They stay what they are, wherever that can be.
    Keep,
}

impl Nan {
    /// Whether it is the default.
    pub fn is_usual(&self) -> bool {
        *self == Self::Fail
    }
}

impl ValueFormat {
    /// Whether values are written as usual.
    pub fn is_usual(&self) -> bool {
        // Asked for each value, so it compares no more than it must.
        self.decimal.is_none()
            && self.thousands.is_none()
            && self.nan.is_usual()
            && self.true_values.is_empty()
            && self.false_values.is_empty()
    }
}
