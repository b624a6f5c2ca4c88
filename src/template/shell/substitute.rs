//! Reads a command as a POSIX shell would, and replaces placeholders by quoted references to variables.
//!
//! Understands quotes, `$(..)`, `${..}`, `$((..))`, backquotes, comments and here-documents. If it misreads a command, a
//! reference ends up in the wrong quotes. That may split a word; it never runs a value as a command.

use super::error::ShellError;
use super::placeholder::{PLACEHOLDER, variable};

/// The lexical context at a position in a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    /// Outside quotes, or inside `$(..)`: the number of open parentheses.
    Bare(u32),
    /// Inside double quotes.
    Double,
    /// Inside `${..}`.
    Parameter,
    /// Inside `$((..))`: the number of open parentheses.
    Arithmetic(u32),
    /// Inside backquotes.
    Backquote,
}

struct Heredoc {
    delimiter: String,
    quoted: bool,
    tabs: bool,
}

/// Replaces the placeholders of a command by references. Also returns the numbers of the values that are used.
pub(super) fn substitute(command: &str, values: &[String]) -> Result<(String, Vec<usize>), ShellError> {
    let mut substituter = Substituter { rest: command, out: String::new(), used: Vec::new(), values };
    substituter.substitute()?;
    Ok((substituter.out, substituter.used))
}

struct Substituter<'a> {
    rest: &'a str,
    out: String,
    used: Vec<usize>,
    values: &'a [String],
}

impl Substituter<'_> {
    fn substitute(&mut self) -> Result<(), ShellError> {
        let mut contexts = vec![Context::Bare(0)];
        let mut heredocs: Vec<Heredoc> = Vec::new();
        let mut word_start = true;
        while let Some(c) = self.next() {
            let context = *contexts.last().expect("the outermost context is never left");
            let in_double =
                contexts.iter().rev().find(|context| **context != Context::Parameter) == Some(&Context::Double);
            match (c, context) {
                (PLACEHOLDER, Context::Arithmetic(_)) => self.number()?,
                (PLACEHOLDER, _) => self.reference(if in_double { ["${", "}"] } else { ["\"${", "}\""] })?,
                ('\\', _) => self.escaped()?,
                ('\'', Context::Bare(_) | Context::Backquote) => self.single_quoted()?,
                ('\'', Context::Parameter) if !in_double => self.single_quoted()?,
                ('"', Context::Double) => _ = contexts.pop(),
                ('"', _) => contexts.push(Context::Double),
                ('`', Context::Backquote) => _ = contexts.pop(),
                ('`', _) => contexts.push(Context::Backquote),
                ('$', _) if self.take("((") => contexts.push(Context::Arithmetic(2)),
                ('$', _) if self.take("(") => contexts.push(Context::Bare(1)),
                ('$', _) if self.take("{") => contexts.push(Context::Parameter),
                ('$', Context::Bare(_)) if self.take("'") => self.dollar_quoted()?,
                ('}', Context::Parameter) => _ = contexts.pop(),
                ('(', Context::Arithmetic(open)) => replace(&mut contexts, Context::Arithmetic(open + 1)),
                (')', Context::Arithmetic(1)) => _ = contexts.pop(),
                (')', Context::Arithmetic(open)) => replace(&mut contexts, Context::Arithmetic(open - 1)),
                ('(', Context::Bare(open)) if open > 0 => replace(&mut contexts, Context::Bare(open + 1)),
                (')', Context::Bare(1)) => _ = contexts.pop(),
                (')', Context::Bare(open)) if open > 1 => replace(&mut contexts, Context::Bare(open - 1)),
                ('#', Context::Bare(_)) if word_start => self.comment()?,
                ('<', Context::Bare(_)) if self.rest.starts_with("<<") => _ = self.take("<<"),
                ('<', Context::Bare(_)) if self.take("<") => heredocs.extend(self.heredoc_start()),
                ('\n', Context::Bare(_)) => {
                    for heredoc in heredocs.drain(..) {
                        self.heredoc_body(&heredoc)?;
                    }
                }
                _ => {}
            }
            let substitution = c == '$' && self.out.ends_with("$(");
            word_start = substitution || c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')');
        }
        Ok(())
    }

    /// Takes the next character and copies it, unless it starts a placeholder.
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c != PLACEHOLDER {
            self.out.push(c);
        }
        Some(c)
    }

    /// Copies `text` if it is next.
    fn take(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else {
            return false;
        };
        self.out.push_str(text);
        self.rest = rest;
        true
    }

    /// The number in a placeholder whose first character was taken.
    fn placeholder(&mut self) -> Result<usize, ShellError> {
        let (number, rest) = self.rest.split_once(PLACEHOLDER).ok_or(ShellError::Nul)?;
        self.rest = rest;
        number.parse().ok().filter(|number| *number < self.values.len()).ok_or(ShellError::Nul)
    }

    fn reference(&mut self, [open, close]: [&str; 2]) -> Result<(), ShellError> {
        let number = self.placeholder()?;
        if self.values[number].contains(PLACEHOLDER) {
            return Err(ShellError::Nul);
        }
        if !self.used.contains(&number) {
            self.used.push(number);
        }
        self.out.push_str(open);
        self.out.push_str(&variable(number));
        self.out.push_str(close);
        Ok(())
    }

    fn number(&mut self) -> Result<(), ShellError> {
        let number = self.placeholder()?;
        let value = &self.values[number];
        if value.parse::<i64>().is_err() || value.starts_with('+') {
            return Err(ShellError::Arithmetic(value.clone()));
        }
        self.out.push_str(value);
        Ok(())
    }

    fn escaped(&mut self) -> Result<(), ShellError> {
        if self.next() == Some(PLACEHOLDER) { Err(ShellError::Backslash) } else { Ok(()) }
    }

    fn single_quoted(&mut self) -> Result<(), ShellError> {
        while let Some(c) = self.next() {
            match c {
                '\'' => break,
                PLACEHOLDER => self.reference(["'\"${", "}\"'"])?,
                _ => {}
            }
        }
        Ok(())
    }

    fn dollar_quoted(&mut self) -> Result<(), ShellError> {
        while let Some(c) = self.next() {
            match c {
                '\'' => break,
                '\\' => _ = self.next(),
                PLACEHOLDER => return Err(ShellError::DollarQuote),
                _ => {}
            }
        }
        Ok(())
    }

    /// Drops values in a comment, because a newline in a value would end it.
    fn comment(&mut self) -> Result<(), ShellError> {
        while !self.rest.is_empty() && !self.rest.starts_with('\n') {
            if self.next() == Some(PLACEHOLDER) {
                self.placeholder()?;
            }
        }
        Ok(())
    }

    fn heredoc_start(&mut self) -> Option<Heredoc> {
        let tabs = self.take("-");
        while self.take(" ") || self.take("\t") {}
        let end = self.rest.find(|c: char| c.is_whitespace() || ";&|<>()".contains(c)).unwrap_or(self.rest.len());
        let word = self.rest[..end].to_owned();
        if word.is_empty() || word.contains(PLACEHOLDER) {
            return None;
        }
        self.take(&word);
        let delimiter: String = word.chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect();
        Some(Heredoc { quoted: delimiter != word, delimiter, tabs })
    }

    fn heredoc_body(&mut self, heredoc: &Heredoc) -> Result<(), ShellError> {
        while !self.rest.is_empty() {
            let line = self.rest.split('\n').next().unwrap_or_default();
            let bare = if heredoc.tabs { line.trim_start_matches('\t') } else { line };
            let last = bare == heredoc.delimiter;
            while let Some(c) = self.next() {
                match c {
                    '\n' => break,
                    PLACEHOLDER if heredoc.quoted => return Err(ShellError::QuotedHeredoc(heredoc.delimiter.clone())),
                    PLACEHOLDER => self.reference(["${", "}"])?,
                    '\\' if !heredoc.quoted && self.rest.starts_with(PLACEHOLDER) => return Err(ShellError::Backslash),
                    _ => {}
                }
            }
            if last {
                break;
            }
        }
        Ok(())
    }
}

fn replace(contexts: &mut [Context], context: Context) {
    *contexts.last_mut().expect("the outermost context is never left") = context;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn substituted(command: &str) -> Result<String, ShellError> {
        substitute(&command.replace('@', "\u{0}0\u{0}"), &["7".to_owned()])
            .map(|(script, _)| script.replace("BATCHMILL_V0", "v"))
    }

    #[test]
    fn a_reference_is_quoted_for_its_context() {
        for (command, expected) in [
            ("cat @", r#"cat "${v}""#),
            ("cat \"a @ b\"", r#"cat "a ${v} b""#),
            ("cat 'a @ b'", r#"cat 'a '"${v}"' b'"#),
            ("x=\"$(cat @ | wc)\" @", r#"x="$(cat "${v}" | wc)" "${v}""#),
            ("echo \"$(echo \"@\")@\"", r#"echo "$(echo "${v}")${v}""#),
            ("echo `cat @`", r#"echo `cat "${v}"`"#),
            ("echo ${x:-@} \"${x:-@}\"", r#"echo ${x:-"${v}"} "${x:-${v}}""#),
            ("echo $((@ + (1)))@", r#"echo $((7 + (1)))"${v}""#),
            ("# don't @\necho @", "# don't \necho \"${v}\""),
            ("echo $(# it's\necho '@')", "echo $(# it's\necho ''\"${v}\"'')"),
            ("cat <<EOF @\n'@'\nEOF\necho '@'", "cat <<EOF \"${v}\"\n'${v}'\nEOF\necho ''\"${v}\"''"),
            ("cat <<-EOF\n\t\"@\n\tEOF\n@", "cat <<-EOF\n\t\"${v}\n\tEOF\n\"${v}\""),
            ("cat <<< @ ; echo '@'", r#"cat <<< "${v}" ; echo ''"${v}"''"#),
            ("echo \\' @", r#"echo \' "${v}""#),
        ] {
            assert_eq!(substituted(command).as_deref(), Ok(expected), "{command}");
        }
    }

    #[test]
    fn contexts_where_no_reference_works_are_errors() {
        assert_eq!(substituted("echo \\@"), Err(ShellError::Backslash));
        assert_eq!(substituted("echo $'@'"), Err(ShellError::DollarQuote));
        assert_eq!(substituted("cat <<'EOF'\n@\nEOF"), Err(ShellError::QuotedHeredoc("EOF".to_owned())));
        let arithmetic = substitute("echo $((\u{0}0\u{0}))", &["a[$(id)]".to_owned()]);
        assert_eq!(arithmetic, Err(ShellError::Arithmetic("a[$(id)]".to_owned())));
    }
}
