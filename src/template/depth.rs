//! How deep the expressions of a template may be nested.
//!
//! minijinja reads, compiles and drops an expression by recursion. It bounds brackets, but not operators: `1 + 1 + 1 ..` is as deep
//! as it is long, so a long one would overflow the stack, which no program survives.

use super::error::{TemplateError, TemplateErrorKind};
use super::tokens::{Token, Tokens};
use crate::model::Text;

/// The most operators that may depend on each other.
const DEEPEST: usize = 500;

/// A bracket takes as much of the stack as so many operators, since an operator of any precedence may follow it.
const BRACKET: usize = 20;

/// The same for `elif`, which is a statement in a statement.
const ELIF: usize = 5;

/// Words that are operators.
const OPERATORS: [&str; 8] = ["and", "or", "not", "in", "is", "if", "else", "elif"];

/// Refuses a template with an expression that is nested too deeply.
pub(super) fn check_depth(text: &Text) -> Result<(), TemplateError> {
    if text.raw.len() <= DEEPEST / BRACKET || depth(&text.raw) <= DEEPEST {
        return Ok(());
    }
    let message = format!("invalid template: more than {DEEPEST} operators in one expression");
    let help = "split it with `{% set name = .. %}`, or write it in Python";
    Err(TemplateError::new(TemplateErrorKind::Syntax, text.span, message).help(help))
}

/// Parts of an expression that a comma separates don't depend on each other.
struct Bracket {
    /// The depth outside.
    before: usize,
    /// The deepest part that has ended.
    deepest: usize,
}

/// How many operators of an expression may depend on each other at most.
fn depth(raw: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    let (mut brackets, mut elifs): (Vec<Bracket>, usize) = (Vec::new(), 0);
    for token in Tokens::new(raw) {
        match token {
            Token::Border => {
                now = elifs;
                brackets.clear();
            }
            Token::Sign('(' | '[' | '{') => {
                now += BRACKET;
                brackets.push(Bracket { before: now, deepest: now });
            }
            Token::Sign(',') => {
                if let Some(bracket) = brackets.last_mut() {
                    bracket.deepest = bracket.deepest.max(now);
                    now = bracket.before;
                }
            }
            Token::Sign(')' | ']' | '}') => {
                if let Some(bracket) = brackets.pop() {
                    now = bracket.deepest.max(now);
                }
            }
            Token::Word("elif") => {
                // Each one is nested in the one before.
                elifs += ELIF;
                now += ELIF;
            }
            Token::Word("endif") => elifs = 0,
            Token::Sign(':') | Token::String => {}
            Token::Word(word) => now += usize::from(OPERATORS.contains(&word)),
            Token::Sign(_) => now += 1,
        }
        deepest = deepest.max(now);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    /// Expressions of so many operators, one in the other.
    fn expressions(operators: usize) -> Vec<String> {
        let repeated =
            |before: &str, text: &str, after: &str| format!("{{{{ {before}{}{after} }}}}", text.repeat(operators));
        let mut all: Vec<String> = ["not ", "-", "+", "- -"].iter().map(|text| repeated("", text, "item")).collect();
        all.extend(
            [
                "|string",
                ".a",
                "[0]",
                "(1)",
                "+1",
                "~1",
                "-1",
                "*1",
                "/1",
                "//1",
                "%1",
                "**1",
                " and 1",
                " or 1",
                " in 1",
                " not in 1",
                "==1",
                "<1",
                " if 1",
                " if 1 else 2",
                " is defined",
            ]
            .iter()
            .map(|text| repeated("item", text, "")),
        );
        all.push(format!("{{% if item %}}{}{{% endif %}}", "{% elif item %}".repeat(operators)));
        all.push(format!("{{{{ {}item{} }}}}", "[".repeat(operators), ", 1]".repeat(operators)));
        all.push(format!("{{{{ {}item{} }}}}", "(".repeat(operators), "+1)".repeat(operators)));
        all.push(format!("{{% set x = {}item{} %}}", "{'a': ".repeat(operators), "}".repeat(operators)));
        all
    }

    #[test]
    fn what_is_not_refused_fits_on_a_small_stack() {
        let compile = || {
            for text in [1, ELIF, BRACKET].into_iter().flat_map(|weight| expressions(DEEPEST / weight - 1)) {
                if let Ok(template) = Template::compile(&Text::new(text)) {
                    template.uses();
                }
            }
        };
        // Slots have 2 MiB.
        std::thread::Builder::new().stack_size(1 << 20).spawn(compile).unwrap().join().unwrap();
    }

    #[test]
    fn however_many_operators_there_are_the_stack_holds() {
        for text in expressions(100_000) {
            let error = Template::compile(&Text::new(&text)).unwrap_err();
            assert!(
                error.message.contains("operators in one expression") || error.message.contains("recursion"),
                "{:.80}: {error}",
                text
            );
        }
    }

    #[test]
    fn long_lists_and_texts_are_not_deep() {
        let list = format!("{{{{ [{}] }}}}", "item.a|int + 1, ".repeat(5_000));
        let map = format!("{{{{ {{{}}} }}}}", "'a': [item.a, (1, 2)], ".repeat(5_000));
        let text = "{{ item.a }}-{% if item %}(.+){% endif %}".repeat(5_000);
        for text in [list, map, text] {
            Template::compile(&Text::new(&text)).unwrap();
        }
    }
}
