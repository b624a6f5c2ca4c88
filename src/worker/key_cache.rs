//! Caches the JSON text of keys.
//!
//! Records of a task mostly have the same keys, and mostly as the same objects: constants in the task's code. So keys are
//! identified by address; holding the key keeps its address from being reused. Entries are never replaced, and there are few
//! buckets, so keys that differ from record to record cost a lookup, but no memory.

use pyo3::prelude::*;
use pyo3::types::PyString;

const BUCKETS: usize = 64;
/// The maximum length of a cached text, in bytes.
const LONGEST: usize = 128;

/// Keys and their JSON texts.
pub(super) struct KeyCache {
    buckets: [Option<CachedKey>; BUCKETS],
}

struct CachedKey {
    key: Py<PyString>,
    text: Box<[u8]>,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self { buckets: [const { None }; BUCKETS] }
    }
}

impl KeyCache {
    /// The cached text of `key`.
    pub(super) fn text(&self, key: &Bound<'_, PyAny>) -> Option<&[u8]> {
        let known = self.buckets[bucket(key)].as_ref()?;
        (known.key.as_ptr() == key.as_ptr()).then_some(&*known.text)
    }

    /// Caches a text, if its bucket is free.
    pub(super) fn keep(&mut self, key: &Bound<'_, PyAny>, text: &[u8]) {
        let bucket = &mut self.buckets[bucket(key)];
        if let (None, true, Ok(key)) = (&bucket, text.len() <= LONGEST, key.cast_exact::<PyString>()) {
            *bucket = Some(CachedKey { key: key.clone().unbind(), text: text.into() });
        }
    }
}

/// The bucket of a key. Python objects are at least 16 bytes apart.
fn bucket(key: &Bound<'_, PyAny>) -> usize {
    (key.as_ptr() as usize / 16) % BUCKETS
}
