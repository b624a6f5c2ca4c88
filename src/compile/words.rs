//! The words of a task's text. Results depend on everything that a task may see, so a word that only looks like the name
//! of something counts. If code can build names, everything counts.

use std::collections::HashSet;

/// Words with which Python code can reach names that are not in its text.
const DYNAMIC: [&str; 7] = ["globals", "locals", "vars", "eval", "exec", "_getframe", "inspect"];

/// The words of a text: runs of letters, digits and `_`.
pub(super) struct Words<'a> {
    text: &'a str,
    words: HashSet<&'a str>,
}

/// Which members of a mapping a text uses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Uses<'a> {
    /// The members that the text names; empty if it does not mention the mapping.
    Members(Vec<&'a str>),
    /// Any: the text iterates over the mapping, passes it on, or builds a name.
    Any,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, words: text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect() }
    }

    /// All words.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.words.iter().copied()
    }

    /// Whether the text has `name`, with no letter, digit or `_` directly before or after it.
    pub(super) fn has(&self, name: &str) -> bool {
        if name.chars().all(is_word) {
            return self.words.contains(name);
        }
        self.places(name).next().is_some()
    }

    /// Whether the text has `name` as a separate name, not as an attribute of something else.
    pub(super) fn has_name(&self, name: &str) -> bool {
        self.has(name) && self.places(name).any(|at| !self.text[..at].trim_end().ends_with('.'))
    }

    /// Whether Python code may reach names that are not in it.
    pub(super) fn is_dynamic(&self) -> bool {
        DYNAMIC.iter().any(|word| self.words.contains(word))
    }

    /// Which members of the mapping `name` the text uses.
    pub(super) fn uses(&self, name: &str) -> Uses<'a> {
        let mut members = Vec::new();
        if !self.has(name) {
            return Uses::Members(members);
        }
        for at in self.places(name).filter(|at| !self.text[..*at].trim_end().ends_with('.')) {
            match member(&self.text[at + name.len()..]) {
                Some(member) => members.push(member),
                None => return Uses::Any,
            }
        }
        Uses::Members(members)
    }

    /// Where the text has `name`, with no letter, digit or `_` directly before or after it.
    fn places<'b>(&self, name: &'b str) -> impl Iterator<Item = usize> + use<'a, 'b> {
        let text = self.text;
        text.match_indices(name).map(|(at, _)| at).filter(move |at| {
            let before = text[..*at].chars().next_back();
            let after = text[at + name.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    }
}

/// The member after a mapping: `.name`, `['name']` or `["name"]`.
fn member(after: &str) -> Option<&str> {
    let after = after.trim_start();
    if let Some(rest) = after.strip_prefix('.') {
        let rest = rest.trim_start();
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        return (end > 0).then(|| &rest[..end]);
    }
    let rest = after.strip_prefix('[')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (name, rest) = rest[1..].split_once(quote)?;
    // If a name is concatenated, it continues after the quote.
    (rest.trim_start().starts_with(']') && !name.contains(['{', '\\'])).then_some(name)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole() {
        let has = |text: &str, word: &str| Words::of(text).has(word);
        assert!(has("params.size + 1", "size") && has("size", "size"));
        assert!(!has("resize sizes", "size"));
        assert!(has("steps['load-all'].result", "load-all") && !has("reload-all", "load-all"));
    }

    #[test]
    fn an_attribute_is_no_name() {
        let has = |text: &str| Words::of(text).has_name("index");
        assert!(has("return index") && has("f(index)") && has("df.index + index") && has("{{ index }}"));
        assert!(!has("df.index") && !has("df . index") && !has("reset_index()"));
    }

    #[test]
    fn members_are_found_where_they_stand_in_the_text() {
        let uses = |text: &'static str| Words::of(text).uses("steps");
        assert_eq!(uses("nothing"), Uses::Members(vec![]));
        assert_eq!(uses("steps.a.result + steps['b'].x + steps [ \"c\" ]"), Uses::Members(vec!["a", "b", "c"]));
        assert_eq!(uses("workflow.steps"), Uses::Members(vec![]));
        for any in ["dict(steps)", "for s in steps:", "steps[name]", "steps['a' + b]", "steps[f'{x}']", "x = steps"] {
            assert_eq!(uses(any), Uses::Any, "{any}");
        }
    }
}
