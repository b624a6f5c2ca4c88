//! How minijinja is set up: delimiters, filters, and undefined names as errors.

use super::bounds::fuel;
use super::filters::add_filters;
use super::text::insert;
use super::tokens::COMMENT;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use std::sync::LazyLock;

/// The filters and tests before anything measures what they get.
pub(super) static BASE: LazyLock<Environment<'static>> = LazyLock::new(unmeasured);

fn unmeasured() -> Environment<'static> {
    let mut env = Environment::new();
    let syntax = SyntaxConfig::builder().comment_delimiters(COMMENT, "##}").keep_trailing_newline(true).build();
    env.set_syntax(syntax.expect("the three kinds of delimiters differ"));
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_formatter(insert);
    env.set_debug(true);
    env.set_fuel(Some(fuel("")));
    add_filters(&mut env);
    // It writes whatever there is, however much that is.
    env.remove_global("debug");
    env
}
