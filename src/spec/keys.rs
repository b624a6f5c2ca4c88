//! The one table of keys of a workflow file: what is known, what it takes, what it means.
//!
//! The parser's unknown-key errors, the JSON Schema and the test that the documentation is complete all read it.
//! A key that is not in this table does not exist.

mod table;

pub use table::{
    AGGREGATE, AUTH, BACKOFFS, BATCH, BATCH_FORMATS, COMPRESSIONS, ECHO, FORMATS, HTTP, KINDS, ON_BAD_ROW,
    ON_SCHEMA_DRIFT, OPERATIONS, OUTPUTS, PARAM, PARAM_TYPES, PYTHON, RANGE, RETRY, ROWS, SHELL, SOURCES, SQL, STEP,
    TASK, TASK_TYPES, WORKFLOW,
};

/// A group of keys that may stand in one mapping.
#[derive(Debug)]
pub struct KeyGroup {
    /// The group's name, for instance `step` or `shell`.
    pub name: &'static str,
    /// What the mapping is.
    pub doc: &'static str,
    /// Its keys in the order of the documentation.
    pub keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As it is written in the file.
    pub name: &'static str,
    /// What values it takes.
    pub key_type: KeyType,
    /// What holds where it is left out, in words; `None` where nothing holds.
    pub default: Option<&'static str>,
    /// What it means, in one line.
    pub doc: &'static str,
}

/// What values a key takes.
#[derive(Debug, Clone, Copy)]
pub enum KeyType {
    /// Any value.
    Any,
    /// A string, perhaps with templates.
    Text,
    /// A string without templates.
    Word,
    /// `true`, `false` or a template.
    Bool,
    /// `true` or `false`.
    PlainBool,
    /// An integer, at least 1, or a template.
    Count,
    /// Any integer, or a template.
    Integer,
    /// An integer, at least 1, or `auto`, or a template.
    CountOrAuto,
    /// Seconds, or a text such as `500ms`, or a template.
    Duration,
    /// A number per second, or a text such as `10/s`.
    Rate,
    /// A number from 0 to 1.
    Share,
    /// `infer`, or a mapping of names to types.
    Types,
    /// `true`, `false` or a list of names.
    Header,
    /// A number of items, or a share such as `5%`, or a template.
    Tolerance,
    /// A number of bytes, or a text such as `512MB`.
    Size,
    /// A list of names and integers, or one of them.
    RetryOn,
    /// An `aggregate`: Python code or a mapping.
    Aggregate,
    /// A field of a result, a list of them, or `true`.
    Fields,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of strings.
    Texts,
    /// A string or a list of strings.
    TextOrTexts,
    /// A mapping of names to strings, numbers and booleans.
    Scalars,
    /// A mapping of names to any values.
    Mapping,
    /// A list of any values.
    List,
    /// A list, a template, `$(command)` or a source.
    Items,
    /// A number of attempts, or a `retry` mapping.
    Retry,
    /// A `range`: the end, a list or a mapping.
    Range,
    /// An `auth` mapping.
    Auth,
    /// A name, or an `outputs` mapping.
    Outputs,
    /// A mapping of parameters.
    Params,
    /// A list or a mapping of steps.
    Steps,
    /// A task in a mapping.
    Task,
}

/// Every group of keys.
pub fn key_groups() -> [&'static KeyGroup; 17] {
    [
        &WORKFLOW, &PARAM, &STEP, &OUTPUTS, &BATCH, &AGGREGATE, &SOURCES, &ROWS, &SQL, &RANGE, &TASK, &RETRY, &SHELL,
        &PYTHON, &HTTP, &AUTH, &ECHO,
    ]
}

impl KeyGroup {
    /// The names of all keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.keys.iter().map(|key| key.name)
    }
}

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

    #[test]
    fn the_nearest_key_is_found_and_strangers_are_not() {
        assert_eq!(nearest("max_paralel", BATCH.names()), Some("max_parallel"));
        assert_eq!(nearest("maxParallel", BATCH.names()), Some("max_parallel"));
        assert_eq!(nearest("itmes", BATCH.names()), Some("items"));
        assert_eq!(nearest("http", TASK_TYPES.iter().copied()), Some("http_request"));
        assert_eq!(nearest("colour", BATCH.names()), None);
        assert_eq!(nearest("x", BATCH.names()), None);
    }

    #[test]
    fn every_key_has_a_line_of_documentation() {
        for group in key_groups() {
            for key in group.keys {
                assert!(!key.doc.is_empty() && !key.doc.ends_with('.') && !key.doc.contains('\n'), "{}", key.name);
            }
        }
    }
}
