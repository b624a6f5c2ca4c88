//! The name of an item on the command line.

use crate::model::StepName;
use std::str::FromStr;

/// An item of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemName {
    /// The step.
    pub step: StepName,
    /// The index of the item.
    pub item: u64,
}

impl FromStr for ItemName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.strip_suffix(']').and_then(|text| text.rsplit_once('[')).or_else(|| text.rsplit_once(':'));
        let (step, item) = parts.ok_or("an item is `STEP:INDEX` or `STEP[INDEX]`, such as `load:5`")?;
        let step = StepName::new(step).ok_or_else(|| format!("`{step}` is not the name of a step"))?;
        let item = item.parse().map_err(|_| format!("`{item}` is not an index; the first item is 0"))?;
        Ok(Self { step, item })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_named_with_a_colon_or_in_brackets() {
        let name = |step: &str, item| Ok(ItemName { step: StepName::new(step).unwrap(), item });
        assert_eq!("load:5".parse(), name("load", 5));
        assert_eq!("load-2.b[17]".parse(), name("load-2.b", 17));
        for wrong in ["load", "load:", "load:x", ":5", "load[5", "load[-1]", "a b:1", ""] {
            assert!(wrong.parse::<ItemName>().is_err(), "{wrong}");
        }
    }
}
