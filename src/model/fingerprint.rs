//! What a result depends on, which decides whether it may be reused.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a step's results depend on: one hash for each part, under the name that the user knows (`task.code`,
/// `params.size`). If fingerprints are equal, a result may be reused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// How the parts are computed. Fingerprints of different versions cannot be compared.
    pub version: u32,
    /// The hash of each part, by its name.
    pub parts: BTreeMap<String, String>,
}

impl Fingerprint {
    /// The version of fingerprints that this version of batchmill computes. Raise it whenever the same workflow would give
    /// other parts; runs with fingerprints of another version cannot be continued.
    pub const VERSION: u32 = 2;

    /// A fingerprint of the current version.
    pub fn new(parts: BTreeMap<String, String>) -> Self {
        Self { version: Self::VERSION, parts }
    }

    /// The names of the parts that differ, including parts that only one of the two has.
    pub fn changed_parts(&self, new: &Self) -> Vec<String> {
        let (old, new) = (&self.parts, &new.parts);
        let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
        names.filter(|name| old.get(*name) != new.get(*name)).cloned().collect()
    }

    /// The parts as JSON: equal parts give equal text.
    pub fn parts_to_json(&self) -> String {
        // A map of strings always has a form in JSON, and its keys are sorted.
        serde_json::to_string(&self.parts).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(parts: &[(&str, &str)]) -> Fingerprint {
        Fingerprint::new(parts.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())).collect())
    }

    #[test]
    fn each_changed_part_is_named_once() {
        let (old, new) = (fingerprint(&[("a", "1"), ("b", "1")]), fingerprint(&[("b", "2"), ("c", "1")]));
        assert_eq!(old.changed_parts(&new), ["a", "b", "c"]);
        assert!(old.changed_parts(&old).is_empty());
    }

    #[test]
    fn its_json_does_not_change() {
        let json = r#"{"version":2,"parts":{"params.size":"00ff","task.code":"a1"}}"#;
        let fingerprint = fingerprint(&[("task.code", "a1"), ("params.size", "00ff")]);
        assert_eq!(serde_json::to_string(&fingerprint).unwrap(), json);
        assert_eq!(serde_json::from_str::<Fingerprint>(json).unwrap(), fingerprint);
        assert_eq!(fingerprint.parts_to_json(), r#"{"params.size":"00ff","task.code":"a1"}"#);
    }
}
