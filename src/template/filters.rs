//! The filters that batchmill adds to those of minijinja.

use super::exact_number::ExactNumber;
use super::json::value_to_json;
use super::text::text_of;
use minijinja::value::{Kwargs, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The result of the `raw` filter: text to insert into a shell command without quoting.
#[derive(Debug)]
pub(super) struct Raw(pub(super) String);

impl Object for Raw {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How deep a value may be nested that `pprint` prints.
const DEEPEST_PRINTED: usize = 120;

/// How many values `pprint` prints at most.
const MOST_PRINTED: usize = 1 << 22;

/// Why a value is too large for `pprint`, if it is; `left` is how many more values it may hold.
fn excess(value: &Value, levels: usize, left: &mut usize) -> Option<String> {
    if levels == 0 {
        return Some(format!("is nested more than {DEEPEST_PRINTED} levels deep"));
    }
    let Some(less) = left.checked_sub(1) else { return Some(format!("holds more than {MOST_PRINTED} values")) };
    *left = less;
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().ok()?.find_map(|value| excess(&value, levels - 1, left))
        }
        ValueKind::Map => value.try_iter().ok()?.find_map(|key| excess(&value.get_item(&key).ok()?, levels - 1, left)),
        _ => None,
    }
}

/// Adds the filters.
pub(super) fn add_filters(env: &mut Environment<'static>) {
    env.add_filter("quote", |value: Value| {
        let text = text_of(&value).map_err(|message| Error::new(ErrorKind::InvalidOperation, message))?;
        let quoted =
            shlex::try_quote(&text).map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?;
        Ok(quoted.into_owned())
    });
    env.add_filter("raw", |value: String| Value::from_object(Raw(value)));
    // minijinja's own filter escapes for HTML; here JSON goes to shells, files and requests.
    env.add_filter("tojson", |value: Value| {
        let json = value_to_json(&value).map_err(|message| Error::new(ErrorKind::BadSerialization, message))?;
        String::from_utf8(json).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
    });
    // minijinja's own indents each level further, so what it writes grows with the square of the depth.
    env.add_filter("pprint", |value: Value| {
        if let Some(excess) = excess(&value, DEEPEST_PRINTED, &mut { MOST_PRINTED }) {
            return Err(Error::new(ErrorKind::InvalidOperation, format!("the value {excess}")));
        }
        Ok(minijinja::filters::pprint(&value))
    });
    // minijinja's own does not know numbers of any size.
    env.add_filter("float", |state: &State<'_, '_>, value: Value, default: Option<Value>, options: Kwargs| {
        match value.downcast_object_ref::<ExactNumber>() {
            Some(number) => Ok(Value::from(number.to_float())),
            None => minijinja::filters::float(state, &value, default, options),
        }
    });
    env.add_filter("name", |path: String| part(Path::new(&path).file_name()));
    env.add_filter("stem", |path: String| part(Path::new(&path).file_stem()));
    env.add_filter("suffix", |path: String| {
        Path::new(&path).extension().map_or(String::new(), |suffix| format!(".{}", suffix.to_string_lossy()))
    });
    env.add_filter("parent", |path: String| match Path::new(&path).parent() {
        Some(parent) if parent.as_os_str().is_empty() => ".".to_owned(),
        Some(parent) => parent.to_string_lossy().into_owned(),
        None => path,
    });
    env.add_filter("with_suffix", with_suffix);
}

fn part(part: Option<&std::ffi::OsStr>) -> String {
    part.map_or(String::new(), |part| part.to_string_lossy().into_owned())
}

fn with_suffix(path: String, suffix: String) -> Result<String, Error> {
    let bare = suffix.strip_prefix('.').unwrap_or_default();
    if !suffix.is_empty() && bare.is_empty() || suffix.contains('/') {
        let text =
            format!("invalid suffix `{suffix}`: `with_suffix` takes a suffix such as `.json`, or an empty string");
        return Err(Error::new(ErrorKind::InvalidOperation, text));
    }
    let path = Path::new(&path);
    if path.file_name().is_none() {
        let text = format!("cannot add a suffix to `{}`: it has no file name", path.display());
        return Err(Error::new(ErrorKind::InvalidOperation, text));
    }
    Ok(path.with_extension(bare).to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_is_one_and_belongs_to_a_name() {
        let with = |path: &str, suffix: &str| with_suffix(path.to_owned(), suffix.to_owned()).ok();
        assert_eq!(with("in/a.csv", ".json").as_deref(), Some("in/a.json"));
        assert_eq!(with("in/a.csv", "").as_deref(), Some("in/a"));
        for (path, suffix) in [("a", "json"), ("a", "."), ("a", "./b"), ("a", "/"), ("..", ".json"), ("/", "")] {
            assert_eq!(with(path, suffix), None, "{path} {suffix}");
        }
    }

    #[test]
    fn what_is_printed_is_neither_too_deep_nor_too_large() {
        let list = Value::from(vec![Value::from(vec![1])]);
        let map = Value::from_pairs([("a", Value::from_pairs([("b", Value::from(1))]))]);
        for value in [list, map] {
            assert_eq!(excess(&value, 3, &mut 3), None);
            assert!(excess(&value, 2, &mut 3).unwrap().contains("levels deep"));
            assert!(excess(&value, 3, &mut 2).unwrap().contains("values"));
        }
    }
}
