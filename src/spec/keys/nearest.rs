//! What a misspelt name was meant to be.

/// The candidate that was most likely meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
    let name = plain(name);
    let distance = |candidate: &str| {
        let candidate = plain(candidate);
        if name.len() >= 3 && (candidate.starts_with(&name) || name.starts_with(&candidate)) {
            return 1;
        }
        strsim::damerau_levenshtein(&name, &candidate)
    };
    // A third of the letters may be wrong; one of two words in three letters is no similarity.
    let most = (name.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, _)| *distance <= most && name.chars().count() > 1)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The names in backticks, with commas.
pub fn listed(names: impl IntoIterator<Item = &'static str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::keys::table::{BATCH, TASK_TYPES};

    #[test]
    fn the_nearest_key_is_found_and_strangers_are_not() {
        assert_eq!(nearest("max_paralel", BATCH.names()), Some("max_parallel"));
        assert_eq!(nearest("maxParallel", BATCH.names()), Some("max_parallel"));
        assert_eq!(nearest("itmes", BATCH.names()), Some("items"));
        assert_eq!(nearest("http", TASK_TYPES.iter().copied()), Some("http_request"));
        assert_eq!(nearest("colour", BATCH.names()), None);
        assert_eq!(nearest("x", BATCH.names()), None);
    }
}
