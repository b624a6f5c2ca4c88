//! minijinja set up: delimiters, undefined names as errors, the filters.

use super::error::{TemplateError, syntax_error};
use super::filters::add_filters;
use crate::model::Text;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use std::sync::LazyLock;

/// For plain text: what a value prints as is what it becomes.
pub(super) static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// Begins a comment of a template. Jinja's own `{#` is what shells write for a length, `${#name}`.
pub(super) const COMMENT: &str = "{##";

/// The name under which a template is kept in its own environment.
pub(super) const NAME: &str = "text";

/// A new environment with the filters.
pub(super) fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    let syntax = SyntaxConfig::builder().comment_delimiters(COMMENT, "##}").keep_trailing_newline(true).build();
    env.set_syntax(syntax.expect("the three kinds of delimiters differ"));
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_debug(true);
    add_filters(&mut env);
    env
}

/// A copy of `base` that knows `text` as its one template.
pub(super) fn environment_with(
    base: &Environment<'static>,
    text: &Text,
) -> Result<Environment<'static>, TemplateError> {
    let mut env = base.clone();
    env.add_template_owned(NAME, text.raw.clone()).map_err(|error| syntax_error(text, &error))?;
    Ok(env)
}

pub(super) fn template_of<'env>(env: &'env Environment<'static>) -> minijinja::Template<'env, 'env> {
    env.get_template(NAME).expect("`environment_with` added it")
}
