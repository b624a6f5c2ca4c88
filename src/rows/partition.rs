//! Parts of a path that say what all rows of a file have in common, as Hive writes them: `year=2024/month=01/a.csv`.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// What Hive writes for null.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The names of the parts of a path, each once.
pub fn partition_names(path: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in parts(path) {
        if !names.iter().any(|known| *known == name) {
            names.push(name.into_owned());
        }
    }
    names
}

/// The value of a part of a path; the innermost, if several have the name.
pub fn partition_value<'a>(path: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let value = parts(path).filter(|(known, _)| known == name).last().map(|(_, value)| value)?;
    (value != NULL).then(|| decoded(value))
}

/// Names and values of the directories of a path.
fn parts(path: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let directories = path.rsplit_once('/').map_or("", |(directories, _)| directories);
    let parts = directories.split('/').filter_map(|part| part.split_once('='));
    parts.filter(|(name, _)| !name.is_empty()).map(|(name, value)| (decoded(name), value))
}

/// Hive writes characters that a path cannot have, and some more, as `%3A`.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_a_path_are_columns() {
        let path = "a/year=2024/month=01/at=10%3A30/x=__HIVE_DEFAULT_PARTITION__/y=/b=c.csv";
        assert_eq!(partition_names(path), ["year", "month", "at", "x", "y"]);
        let of = |name| partition_value(path, name).map(Cow::into_owned);
        assert_eq!(
            (of("month").as_deref(), of("at").as_deref(), of("y").as_deref()),
            (Some("01"), Some("10:30"), Some(""))
        );
        assert_eq!([of("x"), of("b"), of("z")], [None, None, None]);
        assert_eq!(partition_names("y=1/y=2/a.csv"), ["y"]);
        assert_eq!(partition_value("y=1/y=2/a.csv", "y").as_deref(), Some("2"));
        assert!(partition_names("=1/a.csv").is_empty() && partition_names("y=1").is_empty());
    }
}
