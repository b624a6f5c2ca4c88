//! The JSON text of keys that come again and again.
//!
//! Records of one task mostly have the same keys, and mostly as the same objects: constants of the task's code. So a key is
//! known by its address, and is held, which keeps the address its own. What is known stays known, and there are few buckets:
//! keys that differ from record to record cost a look, and no more memory.

use pyo3::prelude::*;
use pyo3::types::PyString;

const BUCKETS: usize = 64;
/// Longer keys are not worth their room.
const LONGEST: usize = 128;

/// Keys and their texts.
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
    /// The text that was kept for `key`.
    pub(super) fn text(&self, key: &Bound<'_, PyAny>) -> Option<&[u8]> {
        let known = self.buckets[bucket(key)].as_ref()?;
        (known.key.as_ptr() == key.as_ptr()).then_some(&*known.text)
    }

    /// Keeps a text, where there is a bucket for it.
    pub(super) fn keep(&mut self, key: &Bound<'_, PyAny>, text: &[u8]) {
        let bucket = &mut self.buckets[bucket(key)];
        if let (None, true, Ok(key)) = (&bucket, text.len() <= LONGEST, key.cast_exact::<PyString>()) {
            *bucket = Some(CachedKey { key: key.clone().unbind(), text: text.into() });
        }
    }
}

/// Objects lie at least 16 bytes apart.
fn bucket(key: &Bound<'_, PyAny>) -> usize {
    (key.as_ptr() as usize / 16) % BUCKETS
}
