//! How the values of a group of files are written, where that is not the usual way.

use super::profile::{ColumnProfile, Kinds};
use crate::model::{Kind, ValueFormat};
use crate::rows::Styles;

/// How values are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValuesFound {
    /// Numbers.
    pub numbers: ValueFormat,
    /// The `strftime` formats of columns with dates.
    pub dates: Vec<(String, &'static str)>,
}

impl ValuesFound {
    /// Finds it out from all texts of some columns, and gives the columns the types that they have then.
    pub(super) fn of(columns: &mut [ColumnProfile]) -> Self {
        let mut found = Self::default();
        let odd = |column: &ColumnProfile| column.text_kind() == Some(Kind::Text) && column.styles.may_be_numbers();
        if columns.iter().any(odd) {
            // Numbers in the usual way must be numbers in the other one too.
            let usual = |column: &&ColumnProfile| odd(column) || column.text_kind() == Some(Kind::Number);
            found.numbers =
                Styles::numbers(columns.iter().filter(usual).map(|column| column.styles)).unwrap_or_default();
        }
        for column in columns {
            if column.text_kind() != Some(Kind::Text) {
                continue;
            }
            if let Some((format, kind)) = column.styles.date() {
                found.dates.push((column.name.clone(), format));
                column.kinds = Kinds::Told(kind);
            } else if column.styles.may_be_numbers() && !found.numbers.is_usual() {
                column.kinds = Kinds::Told(Kind::Number);
            }
        }
        found
    }
}
