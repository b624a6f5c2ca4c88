//! The JSON text of keys that come again and again.
//!
//! Records of one task mostly have the same keys, and mostly as the same objects: constants of the task's code. So a key is
//! known by its address, and is held, which keeps the address its own. What is known stays known, and there are few places:
//! keys that differ from record to record cost a look, and no more memory.

use pyo3::prelude::*;
use pyo3::types::PyString;

const PLACES: usize = 64;
/// Longer keys are not worth their room.
const LONGEST: usize = 128;

/// Keys and their texts.
pub(super) struct KnownKeys {
    places: [Option<Known>; PLACES],
}

struct Known {
    key: Py<PyString>,
    text: Box<[u8]>,
}

impl Default for KnownKeys {
    fn default() -> Self {
        Self { places: [const { None }; PLACES] }
    }
}

impl KnownKeys {
    /// The text that was kept for `key`.
    pub(super) fn text(&self, key: &Bound<'_, PyAny>) -> Option<&[u8]> {
        let known = self.places[place(key)].as_ref()?;
        (known.key.as_ptr() == key.as_ptr()).then_some(&*known.text)
    }

    /// Keeps a text, where there is a place for it.
    pub(super) fn keep(&mut self, key: &Bound<'_, PyAny>, text: &[u8]) {
        let place = &mut self.places[place(key)];
        if let (None, true, Ok(key)) = (&place, text.len() <= LONGEST, key.cast_exact::<PyString>()) {
            *place = Some(Known { key: key.clone().unbind(), text: text.into() });
        }
    }
}

/// Objects lie at least 16 bytes apart.
fn place(key: &Bound<'_, PyAny>) -> usize {
    (key.as_ptr() as usize / 16) % PLACES
}
