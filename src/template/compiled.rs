//! A string of the workflow, compiled once and rendered many times.

use super::bounds::rendered;
use super::check::{check, check_names, render_error, used_names};
use super::depth::check_depth;
use super::environment::{NAME, PLAIN, environment_with};
use super::error::{TemplateError, TemplateErrorKind, shorten, syntax_error};
use super::json::value_to_json;
use super::names::Names;
use super::operators::{self, Operands, Wanted};
use super::path_pattern::{PathPattern, write_marked};
use super::results_name::ResultsName;
use super::scope::ItemScope;
use super::text::text_of;
use crate::model::Text;
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, Expression};
use std::sync::Arc;

/// A compiled string.
#[derive(Debug, Clone)]
pub struct Template {
    kind: Kind,
    text: Text,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Not a template.
    Plain,
    /// A single `{{ expression }}`. Its value keeps its type.
    Expression(Arc<Expression<'static, 'static>>),
    /// The same, with operators whose operands are measured.
    Measured(Arc<Environment<'static>>),
    /// Text with expressions or statements. Its value is a string.
    Mixed(Arc<Environment<'static>>, Operands),
}

impl Template {
    /// Compiles a string.
    pub fn compile(text: &Text) -> Result<Self, TemplateError> {
        check_depth(text)?;
        let kind = if !text.is_template() {
            Kind::Plain
        } else if let Some(expression) = sole_expression(&text.raw) {
            // With blanks in front, so that the places in errors are those in the text.
            let before = text.raw.find("{{").map_or(0, |at| at + 2)
                + usize::from(text.raw.trim_start().starts_with("{{-") || text.raw.trim_start().starts_with("{{+"));
            let expression = PLAIN.compile_expression_owned(format!("{}{expression}", " ".repeat(before)));
            let expression = expression.map_err(|error| syntax_error(text, &error))?;
            let env = environment_with(&PLAIN, text)?;
            match Operands::of(&env) {
                Operands::Measured => Kind::Measured(Arc::new(env)),
                Operands::Free => Kind::Expression(Arc::new(expression)),
            }
        } else {
            let env = environment_with(&PLAIN, text)?;
            let operands = Operands::of(&env);
            Kind::Mixed(Arc::new(env), operands)
        };
        Ok(Self { kind, text: text.clone() })
    }

    /// The string it was compiled from.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Whether the string is not a template, and so the same for every item and step.
    pub fn is_plain(&self) -> bool {
        matches!(self.kind, Kind::Plain)
    }

    /// Whether the string is a single expression.
    fn is_expression(&self) -> bool {
        matches!(self.kind, Kind::Expression(_) | Kind::Measured(_))
    }

    /// Whether the string is exactly `{{ item }}`.
    pub fn is_item(&self) -> bool {
        self.is_expression() && sole_expression(&self.text.raw).is_some_and(|it| it.trim() == "item")
    }

    /// The results it refers to, if it is exactly a reference to the results of a step.
    pub fn results_name(&self) -> Option<ResultsName> {
        match self.kind {
            Kind::Expression(_) => ResultsName::read(sole_expression(&self.text.raw)?),
            Kind::Plain | Kind::Measured(_) | Kind::Mixed(..) => None,
        }
    }

    /// The same, also if the results are made a list: `{{ rows | list }}`.
    pub fn listed_results_name(&self) -> Option<ResultsName> {
        match self.kind {
            Kind::Expression(_) => ResultsName::read_listed(sole_expression(&self.text.raw)?),
            Kind::Plain | Kind::Measured(_) | Kind::Mixed(..) => None,
        }
    }

    /// Whether it uses `item`, `index`, `batch` or `error`.
    pub fn uses_item(&self) -> bool {
        self.uses()
            .iter()
            .any(|name| matches!(name.split('.').next(), Some("item" | "item_dir" | "index" | "batch" | "error")))
    }

    /// The names it uses, sorted and with members (`params.size`), without the names it defines itself.
    pub fn uses(&self) -> Vec<String> {
        let names = match &self.kind {
            Kind::Plain => return Vec::new(),
            Kind::Expression(expression) => expression.undeclared_variables(true),
            Kind::Measured(env) | Kind::Mixed(env, _) => {
                env.get_template(NAME).map_or_else(|_| Default::default(), |it| it.undeclared_variables(true))
            }
        };
        used_names(names)
    }

    /// Errors that can be found before anything runs: undefined names and unknown filters.
    pub fn check(&self, names: &Names) -> Vec<TemplateError> {
        check(&self.text, &self.uses(), names)
    }

    /// The value. A single expression keeps its type.
    pub fn value(&self, scope: &Arc<ItemScope>) -> Result<Value, TemplateError> {
        let context = || Value::from_dyn_object(Arc::clone(scope));
        let value = match &self.kind {
            Kind::Plain => return Ok(Value::from(self.text.raw.clone())),
            Kind::Mixed(..) => return self.string(scope).map(Value::from),
            Kind::Expression(expression) => expression.eval(context()),
            Kind::Measured(env) => {
                operators::render((env, Operands::Measured), context(), &Wanted::Value, |_, value, _| {
                    value.expect("the text is a single expression, so its value is left")
                })
            }
        };
        let value = value.map_err(|error| self.failed(&error, scope))?;
        if value.is_undefined() { Err(self.undefined(scope)) } else { Ok(value) }
    }

    /// The value as a string. Blanks around a single expression stay.
    pub fn string(&self, scope: &Arc<ItemScope>) -> Result<String, TemplateError> {
        match &self.kind {
            Kind::Plain => Ok(self.text.raw.clone()),
            Kind::Mixed(env, operands) => self.render((env, *operands), scope),
            Kind::Expression(_) | Kind::Measured(_) => {
                let value = self.value(scope)?;
                let text = text_of(&value).map_err(|message| self.unusable(&message))?;
                let (before, after) = blanks(&self.text.raw);
                Ok(if before.len() + after.len() == 0 { text.into_owned() } else { format!("{before}{text}{after}") })
            }
        }
    }

    /// The value as paths that may have wildcards: those of the text itself. A single expression over `params` or `env` may
    /// bring its own. One that gives a list gives a path with each element.
    pub fn patterns(&self, scope: &Arc<ItemScope>) -> Result<Vec<PathPattern>, TemplateError> {
        match &self.kind {
            Kind::Plain => Ok(vec![PathPattern::new(&self.text.raw)]),
            Kind::Expression(_) | Kind::Measured(_) => {
                let is_given = |name: &String| {
                    let root = name.split('.').next().unwrap_or(name);
                    matches!(root, "params" | "env") || scope.step.params.contains_key(root)
                };
                let brings_wildcards = self.uses().iter().all(is_given);
                let pattern = |path: &str| match brings_wildcards {
                    true => PathPattern::new(path),
                    false => PathPattern::of_name(path),
                };
                let value = self.value(scope)?;
                match value.kind() {
                    ValueKind::Seq | ValueKind::Iterable => self.elements(&value, &pattern),
                    ValueKind::Map => Err(self.unusable("it is a mapping, not a path or a list of paths")),
                    _ => Ok(vec![pattern(&self.string(scope)?)]),
                }
            }
            Kind::Mixed(env, operands) => {
                let mut env = Environment::clone(env);
                env.set_formatter(write_marked);
                self.render((&env, *operands), scope).map(|marked| vec![PathPattern::of_marked(&marked)])
            }
        }
    }

    fn elements(&self, list: &Value, pattern: &dyn Fn(&str) -> PathPattern) -> Result<Vec<PathPattern>, TemplateError> {
        let elements = list.try_iter().map_err(|error| self.unusable(&error.to_string()))?;
        let path =
            |(at, element): (usize, Value)| match element.as_str() {
                Some(path) if !path.trim().is_empty() => Ok(pattern(path)),
                _ => Err(self
                    .unusable(&format!("element {at} of the list is not a path: {}", shorten(&element.to_string())))),
            };
        elements.enumerate().map(path).collect()
    }

    /// The value as JSON text.
    pub fn json(&self, scope: &Arc<ItemScope>) -> Result<Vec<u8>, TemplateError> {
        if self.is_item()
            && let Some(item) = &scope.item
        {
            return Ok(item.clone());
        }
        value_to_json(&self.value(scope)?).map_err(|message| self.unusable(&message))
    }

    fn render(&self, env: (&Environment<'static>, Operands), scope: &Arc<ItemScope>) -> Result<String, TemplateError> {
        // An error holds the values that it is about, so it must not leave the stack that they may need.
        let render = || {
            let context = Value::from_dyn_object(Arc::clone(scope));
            let text = operators::render(env, context, &Wanted::Text, |text, _, _| text);
            text.map_err(|error| self.failed(&error, scope))
        };
        rendered(&self.text.raw, render).unwrap_or_else(|error| Err(self.unusable(&error.to_string())))
    }

    fn error(&self, message: String) -> TemplateError {
        TemplateError::new(TemplateErrorKind::Render, self.text.span, message)
    }

    fn unusable(&self, message: &str) -> TemplateError {
        self.error(format!("cannot render `{}`: {message}", shorten(self.text.raw.trim())))
    }

    fn undefined(&self, scope: &ItemScope) -> TemplateError {
        let errors = check_names(&self.text, &self.uses(), &scope.names());
        errors.into_iter().next().unwrap_or_else(|| self.error(format!("`{}` is not defined", self.text.raw.trim())))
    }

    fn failed(&self, error: &Error, scope: &ItemScope) -> TemplateError {
        render_error(&self.text, &self.uses(), error, &scope.names())
    }
}

/// The blanks before and after a single expression, without those that `{{-` and `-}}` take away.
fn blanks(raw: &str) -> (&str, &str) {
    let (before, after) = (&raw[..raw.len() - raw.trim_start().len()], &raw[raw.trim_end().len()..]);
    let trimmed = raw.trim();
    (if trimmed.starts_with("{{-") { "" } else { before }, if trimmed.ends_with("-}}") { "" } else { after })
}

/// The expression, if the whole string is a single `{{ expression }}`.
fn sole_expression(raw: &str) -> Option<&str> {
    let inner = raw.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let inner = inner.strip_suffix(['-', '+']).unwrap_or(inner);
    // `{{ a }} and {{ b }}` starts and ends the same way, but what is between does not compile.
    (!inner.contains("}}") || PLAIN.compile_expression(inner).is_ok()).then_some(inner)
}
