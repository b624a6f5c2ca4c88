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
    /// Inside a here-document.
    Document,
    /// Inside `${..}`, where a value stands for a variable that is not set.
    Parameter,
    /// Inside `${..}`, where a value is a pattern, or what takes its place.
    Pattern,
    /// Inside `${..}`, where a number is computed.
    Offset,
    /// Inside `$((..))`: the number of open parentheses.
    Arithmetic(u32),
    /// Inside `${..}`, where the name of the variable is.
    Name,
    /// Inside backquotes.
    Backquote,
}

/// Words after which a command begins.
const BEFORE_COMMANDS: [&str; 9] = ["then", "do", "else", "elif", "if", "while", "until", "!", "{"];

struct Heredoc {
    delimiter: String,
    quoted: bool,
    tabs: bool,
    /// How many contexts the line that names it is in.
    depth: usize,
}

/// Replaces the placeholders of a command by references. Also returns the numbers of the values that are used.
pub(super) fn substitute(command: &str, values: &[String]) -> Result<(String, Vec<usize>), ShellError> {
    let mut substituter = Substituter { rest: command, out: String::new(), used: Vec::new(), values, unsure: None };
    substituter.substitute(vec![Context::Bare(0)])?;
    Ok((substituter.out, substituter.used))
}

struct Substituter<'a> {
    rest: &'a str,
    out: String,
    used: Vec<usize>,
    values: &'a [String],
    /// After what the place of everything that follows is not sure, if it is not.
    unsure: Option<&'static str>,
}

impl Substituter<'_> {
    fn substitute(&mut self, mut contexts: Vec<Context>) -> Result<(), ShellError> {
        let mut heredocs: Vec<Heredoc> = Vec::new();
        let mut word_start = true;
        while let Some(c) = self.next() {
            let context = *contexts.last().expect("the outermost context is never left");
            let outer = contexts.iter().rev().find(|context| **context != Context::Parameter);
            let in_double = matches!(outer, Some(Context::Double | Context::Document));
            match (c, context) {
                (PLACEHOLDER, _) => self.value(&contexts, in_double)?,
                ('\\', _) => self.escaped()?,
                ('\'', Context::Bare(_) | Context::Backquote) => self.single_quoted()?,
                ('\'', Context::Parameter | Context::Pattern) if !in_double => self.single_quoted()?,
                ('"', Context::Double) => _ = contexts.pop(),
                ('"', Context::Document) => {}
                ('"', _) => contexts.push(Context::Double),
                ('`', Context::Backquote) => _ = contexts.pop(),
                ('`', _) => self.backquoted(&mut contexts)?,
                ('$', _) if self.take("((") => contexts.push(Context::Arithmetic(2)),
                ('$', _) if self.take("(") => contexts.push(Context::Bare(1)),
                ('$', _) if self.take("{") => contexts.push(self.parameter()),
                ('$', Context::Bare(_)) if self.take("'") => self.dollar_quoted()?,
                ('}', Context::Parameter | Context::Pattern | Context::Name | Context::Offset) => {
                    contexts.pop();
                }
                ('(', Context::Arithmetic(open)) => replace(&mut contexts, Context::Arithmetic(open + 1)),
                (')', Context::Arithmetic(1)) => _ = contexts.pop(),
                (')', Context::Arithmetic(open)) => replace(&mut contexts, Context::Arithmetic(open - 1)),
                ('(', Context::Bare(open)) if open > 0 => replace(&mut contexts, Context::Bare(open + 1)),
                (')', Context::Bare(1)) => _ = contexts.pop(),
                (')', Context::Bare(open)) if open > 1 => replace(&mut contexts, Context::Bare(open - 1)),
                ('c', Context::Bare(open)) if open > 0 && word_start && self.begins_case() => {
                    // Its brackets close nothing.
                    self.unsure = Some("`$(..)` after a `case` in it");
                }
                ('#', Context::Bare(_)) if word_start => self.comment()?,
                ('<', Context::Bare(_)) if self.rest.starts_with("<<") => _ = self.take("<<"),
                ('<', Context::Bare(_)) if self.take("<") => heredocs.extend(self.heredoc_start(contexts.len())),
                ('\n', Context::Bare(_)) => {
                    for heredoc in heredocs.drain(..) {
                        // Shells differ in where it is then.
                        if heredoc.depth != contexts.len() {
                            self.unsure = Some(
                                "a command with a here-document that begins on one side of a `$(` and ends on the other",
                            );
                        }
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

    /// Puts a reference where a value belongs.
    fn value(&mut self, contexts: &[Context], in_double: bool) -> Result<(), ShellError> {
        let here = contexts.iter().rev().take_while(|context| !matches!(context, Context::Bare(_)));
        for context in here {
            match context {
                Context::Arithmetic(_) | Context::Offset => return self.number(),
                Context::Name => return Err(ShellError::Unsure("the name of a variable")),
                _ => {}
            }
        }
        self.reference(if in_double { ["${", "}"] } else { ["\"${", "}\""] })
    }

    /// Enters backquotes, in which shells read quotes, backslashes and comments by rules of their own.
    fn backquoted(&mut self, contexts: &mut Vec<Context>) -> Result<(), ShellError> {
        let mut escaped = false;
        let end = self.rest.find(|c| {
            let is_end = c == '`' && !escaped;
            escaped = c == '\\' && !escaped;
            is_end
        });
        let inside = &self.rest[..end.unwrap_or(self.rest.len())];
        let quoted = contexts.iter().any(|context| matches!(context, Context::Double | Context::Document));
        if !inside.contains(PLACEHOLDER) {
            self.out.push_str(inside);
            self.rest = &self.rest[inside.len()..];
        } else if quoted || inside.contains(['\\', '#']) || inside.contains("<<") {
            return Err(ShellError::Unsure("backquotes"));
        }
        contexts.push(Context::Backquote);
        Ok(())
    }

    /// Copies the name in `${..}`, and tells by what follows it what a value there is.
    fn parameter(&mut self) -> Context {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_special = |c: char| "@*#?$!-".contains(c);
        let bare = self.rest.strip_prefix(['#', '!']).filter(|bare| bare.starts_with(|c| is_name(c) || is_special(c)));
        let bare = bare.unwrap_or(self.rest);
        let named = bare.find(|c| !is_name(c)).unwrap_or(bare.len());
        let special = usize::from(named == 0 && bare.starts_with(is_special));
        let length = self.rest.len() - bare.len() + named + special;
        let (name, rest) = self.rest.split_at(length);
        self.out.push_str(name);
        self.rest = rest;
        let mut next = rest.chars();
        match (next.next(), next.next()) {
            (Some('}' | '-' | '=' | '+' | '?'), _) | (Some(':'), Some('-' | '=' | '+' | '?')) => Context::Parameter,
            (Some('#' | '%' | '/' | '^' | ',' | '@'), _) => Context::Pattern,
            (Some(':' | '['), _) => Context::Offset,
            _ => Context::Name,
        }
    }

    /// Whether the `c` that was taken begins the keyword `case`.
    fn begins_case(&self) -> bool {
        let before = self.out[..self.out.len() - 1].trim_end_matches([' ', '\t']);
        let word = before.rsplit(|c: char| c.is_whitespace() || ";&|(".contains(c)).next().unwrap_or_default();
        let is_command = before.ends_with([';', '&', '|', '(', '\n']) || BEFORE_COMMANDS.contains(&word);
        is_command && self.rest.strip_prefix("ase").is_some_and(|rest| rest.starts_with(char::is_whitespace))
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
        if let Some(what) = self.unsure {
            return Err(ShellError::Unsure(what));
        }
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

    fn heredoc_start(&mut self, depth: usize) -> Option<Heredoc> {
        let tabs = self.take("-");
        while self.take(" ") || self.take("\t") {}
        let end = self.rest.find(|c: char| c.is_whitespace() || ";&|<>()".contains(c)).unwrap_or(self.rest.len());
        let word = self.rest[..end].to_owned();
        if word.is_empty() || word.contains(PLACEHOLDER) {
            return None;
        }
        self.take(&word);
        let delimiter: String = word.chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect();
        Some(Heredoc { quoted: delimiter != word, delimiter, tabs, depth })
    }

    /// The shell first looks for the end of a here-document, then for what it puts in.
    fn heredoc_body(&mut self, heredoc: &Heredoc) -> Result<(), ShellError> {
        let (body, end) = heredoc.split(self.rest);
        let rest = &self.rest[body.len() + end.len()..];
        if heredoc.quoted && body.contains(PLACEHOLDER) {
            return Err(ShellError::QuotedHeredoc(heredoc.delimiter.clone()));
        }
        if heredoc.quoted {
            self.out.push_str(body);
        } else {
            self.rest = body;
            self.substitute(vec![Context::Document])?;
        }
        self.out.push_str(end);
        self.rest = rest;
        Ok(())
    }
}

impl Heredoc {
    /// The text and the line that ends it.
    fn split<'t>(&self, text: &'t str) -> (&'t str, &'t str) {
        let (mut length, mut continued) = (0, false);
        for line in text.split_inclusive('\n') {
            let bare = line.strip_suffix('\n').unwrap_or(line);
            let unindented = if self.tabs { bare.trim_start_matches('\t') } else { bare };
            if unindented == self.delimiter && !continued {
                return (&text[..length], line);
            }
            length += line.len();
            // A backslash at the end of a line joins it with the next one, which then ends nothing.
            let backslashes = bare.len() - bare.trim_end_matches('\\').len();
            continued = !self.quoted && backslashes % 2 == 1;
        }
        (text, "")
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
            ("echo \"${x##@}\" ${x%@} \"${x:-@}\"", r#"echo "${x##"${v}"}" ${x%"${v}"} "${x:-${v}}""#),
            ("echo \"${x#${y:-@}}\" ${#x} ${#} @", r#"echo "${x#${y:-"${v}"}}" ${#x} ${#} "${v}""#),
            ("echo $((${x:-@} + 1)) ${x:@}", "echo $((${x:-7} + 1)) ${x:7}"),
            (
                "cat <<E\n$(echo @) $((@)) '@' \"@\" ${x:-@}\nE\n@",
                "cat <<E\n$(echo \"${v}\") $((7)) '${v}' \"${v}\" ${x:-${v}}\nE\n\"${v}\"",
            ),
            ("cat <<E\n\\\nE\n@\nE\n@", "cat <<E\n\\\nE\n${v}\nE\n\"${v}\""),
            ("echo $(grep case @) $(echo case @)", r#"echo $(grep case "${v}") $(echo case "${v}")"#),
            ("case a in a) echo @;; esac", r#"case a in a) echo "${v}";; esac"#),
            ("a; case b in b) echo @;; esac", r#"a; case b in b) echo "${v}";; esac"#),
            ("echo `cat @` # it's\necho @", "echo `cat \"${v}\"` # it's\necho \"${v}\""),
            ("echo a#@", r#"echo a#"${v}""#),
            ("echo ${x:-'@'} \"${x:-'@'}\"", r#"echo ${x:-''"${v}"''} "${x:-'${v}'}""#),
            ("echo \"$( (a); echo @ )\"", r#"echo "$( (a); echo "${v}" )""#),
            ("echo ${!x:-@}", r#"echo ${!x:-"${v}"}"#),
            ("echo `# it's` '@'", r#"echo `# it's` ''"${v}"''"#),
        ] {
            assert_eq!(substituted(command).as_deref(), Ok(expected), "{command}");
        }
    }

    #[test]
    fn contexts_where_no_reference_works_are_errors() {
        assert_eq!(substituted("echo \\@"), Err(ShellError::Backslash));
        assert_eq!(substituted("echo $'@'"), Err(ShellError::DollarQuote));
        for unsure in [
            "echo \"$(case a in a) echo \"@\";; esac)\"",
            "echo \"$(case a in a) echo \"it's @\";; esac)\"",
            "x=$(if a; then case b in c) ;; esac; fi) @",
            "x=`# it's @\nprintf @`",
            "echo \"`echo @`\"",
            "cat <<E\n`echo @`\nE",
            "echo ${@}",
            "echo ${x@}",
            "cat <<A; echo \"$(cat <<B\nb\nB\necho @)\"\na\nA",
            "echo \"$(cat <<A)\" @\n@\nA\necho @",
        ] {
            assert!(matches!(substituted(unsure), Err(ShellError::Unsure(_))), "{unsure}: {:?}", substituted(unsure));
        }
        assert_eq!(substituted("cat <<'EOF'\n@\nEOF"), Err(ShellError::QuotedHeredoc("EOF".to_owned())));
        let arithmetic = substitute("echo $((\u{0}0\u{0}))", &["a[$(id)]".to_owned()]);
        assert_eq!(arithmetic, Err(ShellError::Arithmetic("a[$(id)]".to_owned())));
    }
}
