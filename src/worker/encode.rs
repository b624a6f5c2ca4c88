//! Python values to JSON text.
//!
//! What is plain JSON is written here, the rest is first made simpler by `values.py`. The text has no raw newline and is
//! valid UTF-8. What cannot be written fails with the path to the value, as in `result.rows[3].fn`.

use super::key_cache::KeyCache;
use super::support::{Simpler, Support};
use crate::model::Failure;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// How deep a result may be nested: beyond what anybody writes, well before the stack ends.
const DEPTH: usize = 200;

/// Why a value cannot be written.
#[derive(Debug)]
pub(super) enum EncodeError {
    /// It, or a value inside it, has no form in JSON.
    Unwritable {
        /// The steps to the value, the last one first.
        path: Vec<String>,
        /// What it is, in words that fit behind "is".
        what: String,
    },
    /// Code of the value itself raised while it was read.
    Raised(PyErr),
    /// There is no value: the row cannot be read.
    Bad(Box<Failure>),
}

impl EncodeError {
    fn unwritable(what: impl Into<String>) -> Self {
        Self::Unwritable { path: Vec::new(), what: what.into() }
    }

    /// The same, one level further out.
    pub(super) fn below(mut self, step: impl FnOnce() -> String) -> Self {
        if let Self::Unwritable { path, .. } = &mut self {
            path.push(step());
        }
        self
    }

    /// What to tell the user, or the exception that was raised.
    pub(super) fn into_message(self) -> Result<String, PyErr> {
        match self {
            Self::Raised(error) => Err(error),
            Self::Bad(failure) => Ok(failure.message),
            Self::Unwritable { path, what } => {
                let shown: String = path.iter().rev().take(12).map(String::as_str).collect();
                let more = if path.len() > 12 { "..." } else { "" };
                Ok(format!("result cannot be written as JSON: `result{shown}{more}` is {what}"))
            }
        }
    }
}

impl From<PyErr> for EncodeError {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

/// Writes values to `out`, and counts what became null for not being a number.
pub(super) struct Encoder<'a> {
    /// The text so far.
    pub(super) out: &'a mut Vec<u8>,
    /// How many NaN or infinite numbers were written as null.
    pub(super) nulls: u32,
    support: &'a Support,
    cache: &'a mut EncoderCache,
}

/// What is kept from value to value.
#[derive(Default)]
pub(super) struct EncoderCache {
    keys: KeyCache,
    /// The addresses of the containers around what is being written.
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

    /// Deep data is rare; a value inside itself is the usual reason, and is worth saying.
    fn too_deep(&self) -> EncodeError {
        let inside_itself =
            self.cache.above.iter().enumerate().any(|(at, value)| self.cache.above[..at].contains(value));
        EncodeError::unwritable(if inside_itself {
            "inside itself".to_owned()
        } else {
            format!("nested more than {DEPTH} levels deep")
        })
    }

    fn other(&mut self, value: &Bound<'_, PyAny>) -> Result<(), EncodeError> {
        match self.support.convert(value)? {
            Simpler::Value(simpler) => self.write(&simpler),
            Simpler::Number(text) => {
                self.out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            Simpler::Null => {
                self.nulls += 1;
                self.out.extend_from_slice(b"null");
                Ok(())
            }
            Simpler::Nothing(what) => Err(EncodeError::unwritable(what)),
        }
    }

    fn integer(&mut self, number: &Bound<'_, PyInt>) -> Result<(), EncodeError> {
        match number.extract::<i64>() {
            Ok(number) => self.json(&number),
            // Beyond 64 bits the digits are Python's to write.
            Err(_) => self.out.extend_from_slice(number.str()?.to_str()?.as_bytes()),
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
            .map_err(|_| EncodeError::unwritable("text with a lone surrogate, which UTF-8 cannot hold"))?;
        self.json(text);
        Ok(())
    }

    fn json(&mut self, value: &(impl serde::Serialize + ?Sized)) {
        serde_json::to_writer(&mut *self.out, value).expect("numbers and text can always be written to memory");
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
        for (at, (key, value)) in dict.iter().enumerate() {
            let start = self.out.len();
            if let Some(text) = self.cache.keys.text(&key) {
                self.out.extend_from_slice(text);
            } else {
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
        Ok(())
    }

    /// Keys are text; numbers, truth values and None become their JSON text, as in Python's own `json`.
    fn key(&mut self, key: &Bound<'_, PyAny>) -> Result<(), EncodeError> {
        let start = self.out.len();
        self.write(key).map_err(|error| match error {
            EncodeError::Unwritable { what, .. } => {
                EncodeError::unwritable(format!("a mapping with a key that is {what}"))
            }
            other => other,
        })?;
        match self.out[start] {
            b'"' => {}
            b'[' | b'{' => {
                let kind = key.get_type();
                let kind = kind.name()?;
                let what = format!("a mapping with a `{}` as a key", kind.to_string_lossy());
                return Err(EncodeError::unwritable(what));
            }
            _ => {
                self.out.insert(start, b'"');
                self.out.push(b'"');
            }
        }
        Ok(())
    }
}

/// How a path goes through a mapping: `.name`, or `["any other key"]`.
fn step(key: &Bound<'_, PyAny>) -> String {
    let text = key.str().map_or_else(|_| "?".to_owned(), |text| text.to_string_lossy().into_owned());
    let plain = text.chars().all(|c| c.is_alphanumeric() || c == '_') && !text.starts_with(|c: char| c.is_numeric());
    if plain && !text.is_empty() {
        format!(".{text}")
    } else {
        let text: String = text.chars().take(40).collect();
        format!("[{text:?}]")
    }
}
