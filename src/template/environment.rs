//! How minijinja is set up: delimiters, filters, and undefined names as errors.

use super::bounds::fuel;
use super::depth::check_depth;
use super::error::{TemplateError, syntax_error};
use super::filters::add_filters;
use super::text::insert;
use super::tokens::COMMENT;
use crate::model::Text;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use std::sync::LazyLock;

/// For plain text: a value is inserted as it prints.
pub(super) static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// The name of the only template in an environment.
pub(super) const NAME: &str = "text";

/// A new environment with the filters.
pub(super) fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    let syntax = SyntaxConfig::builder().comment_delimiters(COMMENT, "##}").keep_trailing_newline(true).build();
    env.set_syntax(syntax.expect("the three kinds of delimiters differ"));
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_formatter(insert);
    env.set_debug(true);
    env.set_fuel(Some(fuel("")));
    add_filters(&mut env);
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
