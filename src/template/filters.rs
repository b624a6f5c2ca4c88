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

/// Whether a value is nested deeper than so many levels.
fn is_deeper(value: &Value, levels: usize) -> bool {
    match value.kind() {
        _ if levels == 0 => true,
        ValueKind::Seq => value.try_iter().is_ok_and(|mut values| values.any(|it| is_deeper(&it, levels - 1))),
        ValueKind::Map => value
            .try_iter()
            .is_ok_and(|mut keys| keys.any(|key| value.get_item(&key).is_ok_and(|it| is_deeper(&it, levels - 1)))),
        _ => false,
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
        if is_deeper(&value, DEEPEST_PRINTED) {
            let text = format!("the value is nested more than {DEEPEST_PRINTED} levels deep");
            return Err(Error::new(ErrorKind::InvalidOperation, text));
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
