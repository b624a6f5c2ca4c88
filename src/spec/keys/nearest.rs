//! Suggestions for misspelt names, and lists of names for messages.

use super::aliases;

/// The candidate that was most likely meant: one that other tools call so, or one that is similar enough.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
    let name = plain(name);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(meant) = aliases::meant(&name, &candidates) {
        return Some(meant);
    }
    let distance = |candidate: &str| {
        let candidate = plain(candidate);
        if name.len() >= 3 && (candidate.starts_with(&name) || name.starts_with(&candidate)) {
            return 1;
        }
        strsim::damerau_levenshtein(&name, &candidate)
    };
    // A third of the letters may differ. Two short words that share a letter are not similar.
    let most = (name.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, _)| *distance <= most && name.chars().count() > 1)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The names in backticks, separated by commas.
pub fn listed(names: impl IntoIterator<Item = &'static str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// The names in backticks as alternatives: "`a`, `b` or `c`".
pub fn either(names: impl IntoIterator<Item = &'static str>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match (names.pop(), names.is_empty()) {
        (Some(last), false) => format!("{} or {last}", names.join(", ")),
        (last, _) => last.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::keys::{BATCH, TASK_TYPES};

    #[test]
    fn a_similar_key_is_suggested_and_a_different_one_is_not() {
        assert_eq!(nearest("max_paralel", BATCH.names()), Some("max_parallel"));
        assert_eq!(nearest("maxParallel", BATCH.names()), Some("max_parallel"));
        assert_eq!(nearest("itmes", BATCH.names()), Some("items"));
        assert_eq!(nearest("http", TASK_TYPES.iter().copied()), Some("http_request"));
        assert_eq!(nearest("colour", BATCH.names()), None);
        assert_eq!(nearest("x", BATCH.names()), None);
    }
}
