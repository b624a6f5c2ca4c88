//! Checks the names and filters that a template uses, before anything runs and after it fails.

use super::bounds::exhausted;
use super::environment::PLAIN;
use super::error::{TemplateError, TemplateErrorKind, shorten};
use super::names::{NameError, Names};
use super::tokens::{Token, Tokens};
use crate::model::Text;
use minijinja::{Error, ErrorKind};

/// Checks a template that uses these names.
pub(super) fn check(text: &Text, uses: &[String], names: &Names) -> Vec<TemplateError> {
    let mut errors = check_names(text, uses, names);
    errors.extend(unknown_filters(text));
    errors
}

/// Filters that do not exist. minijinja looks a filter up only when it applies it.
fn unknown_filters(text: &Text) -> impl Iterator<Item = TemplateError> {
    let unknown = filter_names(&text.raw).into_iter().filter(|name| {
        let tried = PLAIN.compile_expression_owned(format!("1|{name}")).and_then(|expression| expression.eval(()));
        tried.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter)
    });
    unknown.map(|name| {
        TemplateError::new(TemplateErrorKind::UnknownFilter, text.span, format!("unknown filter `{name}`"))
            .needle(Some(name.to_owned()))
    })
}

/// The names after a `|` inside `{{ }}` and `{% %}`, outside strings.
pub(super) fn filter_names(raw: &str) -> Vec<&str> {
    let tokens: Vec<Token> = Tokens::new(raw).collect();
    let names = tokens.windows(2).filter_map(|pair| match pair {
        [Token::Sign('|'), Token::Word(name)] => Some(*name),
        _ => None,
    });
    names.collect()
}

/// The names without the functions of minijinja; sorted, so that messages are stable.
pub(super) fn used_names(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let own = |name: &String| {
        let root = name.split('.').next().unwrap_or_default();
        PLAIN.globals().all(|(global, _)| global != root)
    };
    let mut names: Vec<String> = names.into_iter().filter(own).collect();
    names.sort();
    names
}

/// Checks names. A template that tests `is defined` or sets a `default` may use names that are not defined.
pub(super) fn check_names(text: &Text, uses: &[String], names: &Names) -> Vec<TemplateError> {
    if text.raw.contains("defined") || text.raw.contains("default") {
        return Vec::new();
    }
    let error = |name: &String| {
        let NameError { kind, message, help } = names.check(name).err()?;
        Some(TemplateError::new(kind, text.span, message).help(help).needle(Some(name.clone())))
    };
    uses.iter().filter_map(error).collect()
}

/// The error of a template that cannot be rendered.
pub(super) fn render_error(text: &Text, uses: &[String], error: &Error, names: &Names) -> TemplateError {
    if error.kind() == ErrorKind::UndefinedError
        && let Some(error) = check_names(text, uses, names).into_iter().next()
    {
        return error;
    }
    let what = match error.detail() {
        _ if error.kind() == ErrorKind::OutOfFuel => exhausted(&text.raw),
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    let needle = error.range().and_then(|range| text.raw.get(range)).map(str::to_owned);
    let place = needle.as_ref().map_or_else(|| text.raw.trim().to_owned(), |needle| needle.trim().to_owned());
    let message = format!("cannot render `{}`: {what}", shorten(&place));
    let rendered = TemplateError::new(TemplateErrorKind::Render, text.span, message).needle(needle);
    if error.kind() == ErrorKind::OutOfFuel { rendered.help("do this in a Python task") } else { rendered }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{NameList, Template};

    #[test]
    fn filters_are_found_outside_strings_only() {
        let raw = "a | b {{ item | upper|default('x | y') }} {% if x | length %}{{ \"\\\"|no\" }}{% endif %} | c";
        assert_eq!(filter_names(raw), ["upper", "default", "length"]);
    }

    #[test]
    fn an_unknown_filter_is_found_before_it_runs() {
        let errors = |raw: &str| {
            let names = Names { item: true, params: Some(NameList::default()), ..Names::default() };
            Template::compile(&Text::new(raw)).unwrap().check(&names)
        };
        let [error] = errors("{{ item | nofilter }}").try_into().unwrap();
        assert_eq!((error.message.as_str(), error.needle.as_deref()), ("unknown filter `nofilter`", Some("nofilter")));
        for good in
            ["{{ item | stem }}", "{{ item | map('upper') | list }}", "{{ item | round(2) }}", "{{ item | raw }}"]
        {
            assert_eq!(errors(good), [], "{good}");
        }
    }
}
