//! Templates that are exactly a reference to the results of a step: the results need not become a list in memory.

use super::scope::Scope;
use super::step_value::StepValue;

/// The results that an expression refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultsName {
    /// `steps.NAME.result` or `steps.NAME.results`
    Step(String),
    /// A name defined by `outputs`.
    Output(String),
}

impl ResultsName {
    /// Reads an expression; `None` unless it is exactly such a reference.
    pub(super) fn read(expression: &str) -> Option<Self> {
        let expression = expression.trim();
        let Some(rest) = expression.strip_prefix("steps") else { return output(expression) };
        let Some((name, rest)) = member(rest) else { return output(expression) };
        match member(rest)? {
            ("result" | "results", "") => Some(Self::Step(name.to_owned())),
            _ => None,
        }
    }

    /// Reads an expression that may end in `| list`, which changes nothing where a list is wanted.
    pub(super) fn read_listed(expression: &str) -> Option<Self> {
        let expression = expression.trim();
        let listed = expression.strip_suffix("list").and_then(|rest| rest.trim_end().strip_suffix('|'));
        Self::read(listed.unwrap_or(expression))
    }

    /// The batch step with these results.
    pub fn of<'a>(&self, scope: &'a Scope) -> Option<&'a StepValue> {
        let name = match self {
            Self::Step(name) => name,
            Self::Output(name) => scope.outputs.get(name)?,
        };
        scope.steps.get(name).filter(|step| step.batch.is_some())
    }
}

fn output(expression: &str) -> Option<ResultsName> {
    is_identifier(expression).then(|| ResultsName::Output(expression.to_owned()))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The first member, `.name` or `['name']`, and the rest.
fn member(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix('.') {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        return (end > 0).then(|| (&rest[..end], rest[end..].trim_start()));
    }
    let rest = text.strip_prefix('[')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (name, rest) = rest[1..].split_once(quote)?;
    let rest = rest.trim_start().strip_prefix(']')?;
    (!name.contains('\\')).then_some((name, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_reference_is_one() {
        let step = |name: &str| Some(ResultsName::Step(name.to_owned()));
        assert_eq!(ResultsName::read(" steps.a.result "), step("a"));
        assert_eq!(ResultsName::read("steps['a-b'].results"), step("a-b"));
        assert_eq!(ResultsName::read("steps[ \"a.b\" ]['result']"), step("a.b"));
        assert_eq!(ResultsName::read("rows"), Some(ResultsName::Output("rows".to_owned())));
        for other in
            ["steps.a.failed", "steps.a.result[0]", "steps.a.result | length", "rows | list", "rows[1:]", "a.b", ""]
        {
            assert_eq!(ResultsName::read(other), None, "{other}");
        }
        assert_eq!(ResultsName::read_listed("rows|list"), Some(ResultsName::Output("rows".to_owned())));
        assert_eq!(ResultsName::read_listed("steps.a.result | list "), step("a"));
        for other in ["rows | length", "rows | map('upper') | list", "rows | list | list", "rows || list", "| list"] {
            assert_eq!(ResultsName::read_listed(other), None, "{other}");
        }
    }
}
