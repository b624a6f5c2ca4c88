//! The environments that templates are compiled in, with one template each.

use super::base::BASE;
use super::bounds::fuel;
use super::depth::check_depth;
use super::error::{TemplateError, syntax_error};
use super::measured::add_measures;
use crate::model::Text;
use minijinja::Environment;
use std::sync::LazyLock;

/// For plain text: a value is inserted as it prints.
pub(super) static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// The name of the only template in an environment.
pub(super) const NAME: &str = "text";

/// A new environment with the filters.
pub(super) fn environment() -> Environment<'static> {
    let mut env = BASE.clone();
    add_measures(&mut env);
    env
}

/// A copy of `base` with `text` as its only template.
pub(super) fn environment_with(
    base: &Environment<'static>,
    text: &Text,
) -> Result<Environment<'static>, TemplateError> {
    check_depth(text)?;
    let mut env = base.clone();
    env.set_fuel(Some(fuel(&text.raw)));
    env.add_template_owned(NAME, text.raw.clone()).map_err(|error| syntax_error(text, &error))?;
    Ok(env)
}

/// The only template of an environment that [`environment_with`] made.
pub(super) fn template_of<'env>(env: &'env Environment<'static>) -> minijinja::Template<'env, 'env> {
    env.get_template(NAME).expect("`environment_with` added it")
}
