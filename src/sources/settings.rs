//! Settings that may be templates, read once the names that they use are known.

use crate::spec::{Readable, Setting};
use crate::template::{ItemScope, Template};
use std::sync::Arc;

/// The value of a setting. The value of a template is read by the same rules as a value in the workflow file.
///
/// # Errors
/// If the template fails, or its value does not fit. The message names the key.
pub fn resolve<T: Readable + Clone>(key: &str, setting: &Setting<T>, scope: &Arc<ItemScope>) -> Result<T, String> {
    match setting {
        Setting::Fixed(value) => Ok(value.clone()),
        Setting::Template(text) => {
            let json = Template::compile(text).and_then(|template| template.json(scope));
            let json = json.map_err(|error| format!("`{key}`: {error}"))?;
            let value = serde_json::from_slice(&json).map_err(|error| format!("`{key}`: {error}"))?;
            T::read(&value).map_err(|complaint| format!("`{key}` {} (from `{}`)", complaint.text, text.raw.trim()))
        }
    }
}
