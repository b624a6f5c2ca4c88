//! Encodes Python values as JSON.
//!
//! Writes plain JSON values directly; `values.py` converts others to something simpler first. The text is valid UTF-8 without
//! raw newlines. If a value cannot be encoded, the error has the path to it, as in `result.rows[3].fn`.

use super::key_cache::KeyCache;
use super::support::{Converted, Support};
use crate::model::Failure;
use crate::text::CUT;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use std::collections::HashSet;

/// How deep a result may be nested: more than real data is, and less than any reader of results takes.
const DEPTH: usize = 120;

/// The most digits of an integer that Python reads without being told to.
const MOST_DIGITS: usize = 4300;

/// Why a value cannot be encoded.
#[derive(Debug)]
pub(super) enum EncodeError {
    /// The value, or a value inside it, has no JSON form.
    Unsupported {
        /// The path to the value, innermost step first.
        path: Vec<String>,
        /// What the value is, in words that follow "is".
        what: String,
    },
    /// Code of the value raised an exception.
    Raised(PyErr),
    /// There is no value, because its row is bad.
    Bad(Box<Failure>),
}

impl EncodeError {
    fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { path: Vec::new(), what: what.into() }
    }

    /// The same error, seen one level further out.
    pub(super) fn below(mut self, step: impl FnOnce() -> String) -> Self {
        if let Self::Unsupported { path, .. } = &mut self {
            path.push(step());
        }
        self
    }

    /// The message for the user, or the exception that was raised.
    pub(super) fn into_message(self) -> Result<String, PyErr> {
        match self {
            Self::Raised(error) => Err(error),
            Self::Bad(failure) => Ok(failure.message),
            Self::Unsupported { path, what } => {
                let shown: String = path.iter().rev().take(12).map(String::as_str).collect();
                let more = if path.len() > 12 { "..." } else { "" };
                Ok(format!("cannot encode the result as JSON: `result{shown}{more}` is {what}"))
            }
        }
    }
}

impl From<PyErr> for EncodeError {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

/// Writes values to `out`, and counts the numbers that become null.
pub(super) struct Encoder<'a> {
    /// The text so far.
    pub(super) out: &'a mut Vec<u8>,
    /// The number of NaN and infinite values written as null.
    pub(super) nulls: u32,
    support: &'a Support,
    cache: &'a mut EncoderCache,
}

/// What the encoder keeps between values.
#[derive(Default)]
pub(super) struct EncoderCache {
    keys: KeyCache,
    /// The addresses of the containers around the current value.
    above: Vec<usize>,
}

impl<'a> Encoder<'a> {
    /// An encoder that appends to `out`.
    pub(super) fn new(support: &'a Support, cache: &'a mut EncoderCache, out: &'a mut Vec<u8>) -> Self {
        Self { out, nulls: 0, support, cache }
    }

    /// Appends `value`.
    pub(super) fn write(&mut self, value: &Bound<'_, PyAny>) -> Result<(), EncodeError> {
        if let Ok(number) = value.cast_exact::<PyInt>() {
            return self.integer(number);
        }
        if let Ok(text) = value.cast_exact::<PyString>() {
            return self.text(text);
        }
        if value.is_none() {
            self.out.extend_from_slice(b"null");
            return Ok(());
        }
        if let Ok(boolean) = value.cast_exact::<PyBool>() {
            let text: &[u8] = if boolean.is_true() { b"true" } else { b"false" };
            self.out.extend_from_slice(text);
            return Ok(());
        }
        if let Ok(number) = value.cast_exact::<PyFloat>() {
            self.float(number.value());
            return Ok(());
        }
        self.container(value)
    }

    fn container(&mut self, value: &Bound<'_, PyAny>) -> Result<(), EncodeError> {
        if self.cache.above.len() >= DEPTH {
            return Err(self.too_deep());
        }
        self.cache.above.push(value.as_ptr() as usize);
        let written = if let Ok(dict) = value.cast::<PyDict>() {
            self.object(dict)
        } else if let Ok(list) = value.cast::<PyList>() {
            self.array(list.iter())
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            self.array(tuple.iter())
        } else if let Ok(number) = value.cast::<PyFloat>() {
            self.float(number.value());
            Ok(())
        } else {
            self.other(value)
        };
        self.cache.above.pop();
        written
    }

    /// Deep data is rare. Usually the value contains itself, so the message says that.
    fn too_deep(&self) -> EncodeError {
        let inside_itself =
            self.cache.above.iter().enumerate().any(|(at, value)| self.cache.above[..at].contains(value));
        EncodeError::unsupported(if inside_itself {
            "a circular reference".to_owned()
        } else {
            format!("nested more than {DEPTH} levels deep")
        })
    }

    fn other(&mut self, value: &Bound<'_, PyAny>) -> Result<(), EncodeError> {
        match self.support.convert(value)? {
            Converted::Value(simpler) => self.write(&simpler),
            Converted::Number(text) => {
                self.out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            Converted::Null => {
                self.nulls += 1;
                self.out.extend_from_slice(b"null");
                Ok(())
            }
            Converted::Unsupported(what) => Err(EncodeError::unsupported(what)),
        }
    }

    fn integer(&mut self, number: &Bound<'_, PyInt>) -> Result<(), EncodeError> {
        match number.extract::<i64>() {
            Ok(number) => self.json(&number),
            // Python writes integers beyond 64 bits.
            Err(_) => {
                let text = number.str()?;
                let text = text.to_str()?;
                let digits = text.trim_start_matches('-').len();
                if digits > MOST_DIGITS {
                    let what = format!("an integer of {digits} digits (limit: {MOST_DIGITS})");
                    return Err(EncodeError::unsupported(what));
                }
                self.out.extend_from_slice(text.as_bytes());
            }
        }
        Ok(())
    }

    fn float(&mut self, number: f64) {
        if !number.is_finite() {
            self.nulls += 1;
        }
        self.json(&number);
    }

    fn text(&mut self, text: &Bound<'_, PyString>) -> Result<(), EncodeError> {
        let text = text
            .to_str()
            .map_err(|_| EncodeError::unsupported("a string with a lone surrogate, which UTF-8 cannot encode"))?;
        self.json(text);
        Ok(())
    }

    fn json(&mut self, value: &(impl serde::Serialize + ?Sized)) {
        serde_json::to_writer(&mut *self.out, value).expect("numbers and strings can always be encoded");
    }

    fn array<'py>(&mut self, values: impl Iterator<Item = Bound<'py, PyAny>>) -> Result<(), EncodeError> {
        self.out.push(b'[');
        for (at, value) in values.enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            self.write(&value).map_err(|error| error.below(|| format!("[{at}]")))?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, dict: &Bound<'_, PyDict>) -> Result<(), EncodeError> {
        if dict.is_empty() {
            self.out.extend_from_slice(b"{}");
            return Ok(());
        }
        let mut only_strings = true;
        for (at, (key, value)) in dict.iter().enumerate() {
            let start = self.out.len();
            if let Some(text) = self.cache.keys.text(&key) {
                self.out.extend_from_slice(text);
            } else {
                only_strings &= key.is_exact_instance_of::<PyString>();
                self.out.push(b',');
                self.key(&key)?;
                self.out.push(b':');
                self.cache.keys.keep(&key, &self.out[start..]);
            }
            if at == 0 {
                self.out[start] = b'{';
            }
            self.write(&value).map_err(|error| error.below(|| step(&key)))?;
        }
        self.out.push(b'}');
        if only_strings { Ok(()) } else { self.check_keys(dict) }
    }

    /// Refuses a mapping with keys that are different in Python and equal in JSON, such as `1` and `"1"`.
    fn check_keys(&mut self, dict: &Bound<'_, PyDict>) -> Result<(), EncodeError> {
        let (end, nulls) = (self.out.len(), self.nulls);
        let mut seen = HashSet::with_capacity(dict.len());
        for (key, _) in dict.iter() {
            self.key(&key)?;
            let text = String::from_utf8_lossy(&self.out[end..]).into_owned();
            self.out.truncate(end);
            if let Some(text) = seen.replace(text) {
                return Err(EncodeError::unsupported(format!("a mapping with two keys that become {text}")));
            }
        }
        self.nulls = nulls;
        Ok(())
    }

    /// Writes a key. Numbers, booleans and None become strings, as in Python's `json`.
    fn key(&mut self, key: &Bound<'_, PyAny>) -> Result<(), EncodeError> {
        let start = self.out.len();
        self.write(key).map_err(|error| match error {
            EncodeError::Unsupported { what, .. } => {
                EncodeError::unsupported(format!("a mapping with a key that is {what}"))
            }
            other => other,
        })?;
        match self.out[start] {
            b'"' => {}
            b'[' | b'{' => {
                let kind = key.get_type();
                let kind = kind.name()?;
                let what = format!("a mapping with a `{}` key", kind.to_string_lossy());
                return Err(EncodeError::unsupported(what));
            }
            _ => {
                self.out.insert(start, b'"');
                self.out.push(b'"');
            }
        }
        Ok(())
    }
}

/// A step of a path through a mapping: `.name`, or `["any other key"]`.
fn step(key: &Bound<'_, PyAny>) -> String {
    let text = key.str().map_or_else(|_| "?".to_owned(), |text| text.to_string_lossy().into_owned());
    let plain = text.chars().all(|c| c.is_alphanumeric() || c == '_') && !text.starts_with(|c: char| c.is_numeric());
    if plain && !text.is_empty() {
        format!(".{text}")
    } else {
        let cut = if text.chars().count() > 40 { CUT } else { "" };
        let text: String = text.chars().take(40).collect();
        format!("[{:?}]", text + cut)
    }
}
