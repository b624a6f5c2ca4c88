//! Shell commands with substitutions that no value can break out of.
//!
//! A value is never pasted into the command. While the template is rendered each substitution is held back behind a marker;
//! then the command is read as a POSIX shell would read it, and each marker becomes a reference to a variable that carries
//! the value, quoted for the place where it stands: `"${v}"` bare, `${v}` in double quotes or a here-document,
//! `'"${v}"'` in single quotes. A shell does not parse what a variable expands to, so even where this reading of the
//! command were wrong, the worst is a word split in two, never a command run. Where no reference can work (arithmetic,
//! `$'..'`, a quoted here-document) it is an error.
//!
//! A command without any shell syntax is cut into words here and needs no shell at all.

use super::compiled::{TemplateError, check, environment_with, failed, template_of, used_names};
use super::filters::{COMMENT, Raw, SHELL};
use super::scope::{ItemScope, Names};
use super::{CompiledTree, Template};
use crate::model::{Text, Tree};
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, Output, State};
use std::sync::Arc;

/// What is wrong with a substitution's place in a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// `\{{ item }}`
    #[error("a backslash stands right before a substitution; substitutions are quoted by themselves")]
    Backslash,
    /// `$'{{ item }}'`
    #[error("a substitution cannot stand inside `$'..'`; use '..' or \"..\"")]
    DollarQuote,
    /// `<<'EOF'`
    #[error(
        "a substitution cannot stand inside a here-document with a quoted delimiter; leave the quotes of `{0}` away"
    )]
    QuotedHeredoc(String),
    /// `$(( {{ item }} ))`
    #[error("only a whole number can stand inside `$((..))`; found `{0}`")]
    Arithmetic(String),
    /// Marker characters in the command or a value.
    #[error("a command cannot hold a NUL byte")]
    Nul,
}

/// A command of the workflow, compiled.
#[derive(Debug, Clone)]
pub enum ShellCommand {
    /// Program and arguments, started without a shell.
    Argv(Vec<Template>),
    /// A script for `sh -c`.
    Script(Script),
}

/// A script for the shell.
#[derive(Debug, Clone)]
pub struct Script {
    env: Arc<Environment<'static>>,
    text: Text,
    uses: Vec<String>,
}

/// A command, ready to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// Program and arguments.
    Argv(Vec<String>),
    /// A script, and the variables that its references need.
    Script {
        /// For `sh -c`.
        script: String,
        /// Name and value.
        variables: Vec<(String, String)>,
    },
}

impl ShellCommand {
    /// Compiles a command line.
    pub fn compile(text: &Text) -> Result<Self, TemplateError> {
        if let Some(words) = plain_words(&text.raw) {
            let word = |raw: String| Template::compile(&Text { raw, span: text.span });
            return words.into_iter().map(word).collect::<Result<_, _>>().map(Self::Argv);
        }
        let env = environment_with(&SHELL, text)?;
        let uses = used_names(template_of(&env).undeclared_variables(true));
        if let Some(sketch) = sketch(&text.raw) {
            // Arithmetic cannot be judged before the value is known, so the sketch stands for a number.
            weave(&sketch, &["0".to_owned()]).map_err(|error| shell_error(text, &error))?;
        }
        Ok(Self::Script(Script { env: Arc::new(env), text: text.clone(), uses }))
    }

    /// Compiles a program with its arguments.
    pub fn compile_argv(words: &[Text]) -> Result<Self, Vec<TemplateError>> {
        let list = Tree::List(words.iter().cloned().map(Tree::Text).collect());
        CompiledTree::compile(&list)?;
        let words = words.iter().map(|text| Template::compile(text).map_err(|error| vec![error]));
        words.collect::<Result<_, _>>().map(Self::Argv)
    }

    /// Faults that can be known before anything runs.
    pub fn check(&self, names: &Names) -> Vec<TemplateError> {
        match self {
            Self::Argv(words) => words.iter().flat_map(|word| word.check(names)).collect(),
            Self::Script(script) => check(&script.text, &script.uses, names),
        }
    }

    /// The command for one item.
    pub fn render(&self, scope: &Arc<ItemScope>) -> Result<Words, TemplateError> {
        match self {
            Self::Argv(words) => words.iter().map(|word| word.string(scope)).collect::<Result<_, _>>().map(Words::Argv),
            Self::Script(script) => script.render(scope),
        }
    }
}

impl Script {
    fn render(&self, scope: &Arc<ItemScope>) -> Result<Words, TemplateError> {
        let template = template_of(&self.env);
        let rendered = template.render_captured(Value::from_dyn_object(Arc::clone(scope)));
        let rendered = rendered.map_err(|error| failed(&self.text, &self.uses, &error, &scope.names()))?;
        let none = Held::default();
        let held = rendered.state().get_extension::<Held>().unwrap_or(&none);
        let (script, used) = weave(rendered.output(), &held.0).map_err(|error| shell_error(&self.text, &error))?;
        let variables = used.into_iter().map(|number| (variable(number), held.0[number].clone())).collect();
        Ok(Words::Script { script, variables })
    }
}

fn shell_error(text: &Text, error: &ShellError) -> TemplateError {
    TemplateError { message: error.to_string(), span: text.span, needle: None }
}

/// Values held back while a command is rendered.
#[derive(Debug, Default)]
struct Held(Vec<String>);

const MARK: char = '\0';

/// The formatter of the shell environment: puts a marker where the value belongs.
pub(super) fn hold_back(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if let Some(raw) = value.downcast_object_ref::<Raw>() {
        return out.write_str(&raw.0).map_err(write_failed);
    }
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let held = &mut state.get_or_insert_extension_with(Held::default).0;
    // A block that was captured into a variable holds markers of its own: it becomes one value.
    let text = if text.contains(MARK) { fill(&text, held).ok_or_else(nul)? } else { text };
    held.push(text);
    let number = held.len() - 1;
    out.write_fmt(format_args!("{MARK}{number}{MARK}")).map_err(write_failed)
}

fn write_failed(error: std::fmt::Error) -> Error {
    Error::new(ErrorKind::WriteFailure, "cannot write").with_source(error)
}

fn nul() -> Error {
    Error::new(ErrorKind::InvalidOperation, ShellError::Nul.to_string())
}

/// `text` with each marker replaced by its value; none if it holds a NUL that is no marker.
fn fill(text: &str, held: &[String]) -> Option<String> {
    let mut filled = String::new();
    for (position, part) in text.split(MARK).enumerate() {
        filled.push_str(if position % 2 == 0 { part } else { held.get(part.parse::<usize>().ok()?)? });
    }
    text.matches(MARK).count().is_multiple_of(2).then_some(filled)
}

fn variable(number: usize) -> String {
    format!("BATCHMILL_V{number}")
}

/// The command with every `{{ .. }}` as the marker of value 0, to find bad places before the run; none where statements
/// make the text unknowable.
fn sketch(raw: &str) -> Option<String> {
    if raw.contains("{%") || raw.contains(COMMENT) || raw.contains(MARK) {
        return None;
    }
    let mut sketch = String::new();
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once("{{") {
        let (expression, behind) = after.split_once("}}")?;
        sketch.push_str(before);
        if !expression.contains("raw") {
            sketch.push_str("\u{0}0\u{0}");
        }
        rest = behind;
    }
    sketch.push_str(rest);
    Some(sketch)
}

/// Where in a command the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside quotes; inside `$(..)`, `(..)` or `{..}` too, with the number of open parentheses.
    Bare(u32),
    /// Inside double quotes.
    Double,
    /// Inside `${..}`.
    Parameter,
    /// Inside `$((..))`, with the number of open parentheses.
    Arithmetic(u32),
    /// Inside backquotes.
    Backquote,
}

struct Heredoc {
    delimiter: String,
    quoted: bool,
    tabs: bool,
}

/// Reads a command as the shell would and puts references where the markers are. Also tells which values are referred to.
fn weave(command: &str, held: &[String]) -> Result<(String, Vec<usize>), ShellError> {
    let mut weaver = Weaver { rest: command, out: String::new(), used: Vec::new(), held };
    weaver.weave()?;
    Ok((weaver.out, weaver.used))
}

struct Weaver<'a> {
    rest: &'a str,
    out: String,
    used: Vec<usize>,
    held: &'a [String],
}

impl Weaver<'_> {
    fn weave(&mut self) -> Result<(), ShellError> {
        let mut places = vec![Place::Bare(0)];
        let mut heredocs: Vec<Heredoc> = Vec::new();
        let mut word_start = true;
        while let Some(c) = self.next() {
            let place = *places.last().expect("the outermost place is never left");
            let in_double = places.iter().rev().find(|place| **place != Place::Parameter) == Some(&Place::Double);
            match (c, place) {
                (MARK, Place::Arithmetic(_)) => self.number()?,
                (MARK, _) => self.refer(if in_double { ["${", "}"] } else { ["\"${", "}\""] })?,
                ('\\', _) => self.escaped()?,
                ('\'', Place::Bare(_) | Place::Backquote) => self.single_quoted()?,
                ('\'', Place::Parameter) if !in_double => self.single_quoted()?,
                ('"', Place::Double) => _ = places.pop(),
                ('"', _) => places.push(Place::Double),
                ('`', Place::Backquote) => _ = places.pop(),
                ('`', _) => places.push(Place::Backquote),
                ('$', _) if self.take("((") => places.push(Place::Arithmetic(2)),
                ('$', _) if self.take("(") => places.push(Place::Bare(1)),
                ('$', _) if self.take("{") => places.push(Place::Parameter),
                ('$', Place::Bare(_)) if self.take("'") => self.dollar_quoted()?,
                ('}', Place::Parameter) => _ = places.pop(),
                ('(', Place::Arithmetic(open)) => replace(&mut places, Place::Arithmetic(open + 1)),
                (')', Place::Arithmetic(1)) => _ = places.pop(),
                (')', Place::Arithmetic(open)) => replace(&mut places, Place::Arithmetic(open - 1)),
                ('(', Place::Bare(open)) if open > 0 => replace(&mut places, Place::Bare(open + 1)),
                (')', Place::Bare(1)) => _ = places.pop(),
                (')', Place::Bare(open)) if open > 1 => replace(&mut places, Place::Bare(open - 1)),
                ('#', Place::Bare(_)) if word_start => self.comment()?,
                ('<', Place::Bare(_)) if self.rest.starts_with("<<") => _ = self.take("<<"),
                ('<', Place::Bare(_)) if self.take("<") => heredocs.extend(self.heredoc_start()),
                ('\n', Place::Bare(_)) => {
                    for heredoc in heredocs.drain(..) {
                        self.heredoc_body(&heredoc)?;
                    }
                }
                _ => {}
            }
            word_start = c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')');
        }
        Ok(())
    }

    /// Takes the next character, and copies it unless it is a marker.
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c != MARK {
            self.out.push(c);
        }
        Some(c)
    }

    /// Copies `text` if it comes next.
    fn take(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else {
            return false;
        };
        self.out.push_str(text);
        self.rest = rest;
        true
    }

    /// The number behind a marker's first half.
    fn marker(&mut self) -> Result<usize, ShellError> {
        let (number, rest) = self.rest.split_once(MARK).ok_or(ShellError::Nul)?;
        self.rest = rest;
        number.parse().ok().filter(|number| *number < self.held.len()).ok_or(ShellError::Nul)
    }

    fn refer(&mut self, [open, close]: [&str; 2]) -> Result<(), ShellError> {
        let number = self.marker()?;
        if self.held[number].contains(MARK) {
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
        let number = self.marker()?;
        let value = &self.held[number];
        if value.parse::<i64>().is_err() || value.starts_with('+') {
            return Err(ShellError::Arithmetic(value.clone()));
        }
        self.out.push_str(value);
        Ok(())
    }

    fn escaped(&mut self) -> Result<(), ShellError> {
        if self.next() == Some(MARK) { Err(ShellError::Backslash) } else { Ok(()) }
    }

    fn single_quoted(&mut self) -> Result<(), ShellError> {
        while let Some(c) = self.next() {
            match c {
                '\'' => break,
                MARK => self.refer(["'\"${", "}\"'"])?,
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
                MARK => return Err(ShellError::DollarQuote),
                _ => {}
            }
        }
        Ok(())
    }

    /// A value in a comment is left out: a newline in it would end the comment.
    fn comment(&mut self) -> Result<(), ShellError> {
        while !self.rest.is_empty() && !self.rest.starts_with('\n') {
            if self.next() == Some(MARK) {
                self.marker()?;
            }
        }
        Ok(())
    }

    fn heredoc_start(&mut self) -> Option<Heredoc> {
        let tabs = self.take("-");
        while self.take(" ") || self.take("\t") {}
        let end = self.rest.find(|c: char| c.is_whitespace() || ";&|<>()".contains(c)).unwrap_or(self.rest.len());
        let word = self.rest[..end].to_owned();
        if word.is_empty() || word.contains(MARK) {
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
                    MARK if heredoc.quoted => return Err(ShellError::QuotedHeredoc(heredoc.delimiter.clone())),
                    MARK => self.refer(["${", "}"])?,
                    '\\' if !heredoc.quoted && self.rest.starts_with(MARK) => return Err(ShellError::Backslash),
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

fn replace(places: &mut [Place], place: Place) {
    *places.last_mut().expect("the outermost place is never left") = place;
}

/// Words that a shell takes itself, although they look like programs: another meaning, or, as for `true`, the same one
/// without starting a second program.
const SHELL_WORDS: &[&str] = &[
    ".",
    ":",
    "[",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "command",
    "compgen",
    "complete",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
];

/// The words of a command that uses no shell syntax: plain characters, quotes around plain characters, and expressions.
/// None where a shell is needed.
fn plain_words(raw: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut rest = raw.trim();
    if rest.contains("{%") || rest.contains(COMMENT) {
        return None;
    }
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("{{") {
            let (expression, behind) = after.split_once("}}")?;
            // Quotes inside an expression could hold a `}}`; the `raw` filter asks for the shell's reading.
            if expression.contains(['"', '\'']) || expression.contains("raw") {
                return None;
            }
            word.get_or_insert_default().push_str(&rest[..expression.len() + 4]);
            rest = behind;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            ('\\' | '$' | '`', Some('"')) | ('\n' | '{' | '}', Some(_)) => return None,
            (_, Some(_)) => word.get_or_insert_default().push(c),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ' | '\t', None) => words.extend(word.take()),
            _ if c.is_alphanumeric() || "_-./:,+@%=".contains(c) => word.get_or_insert_default().push(c),
            _ => return None,
        }
    }
    words.extend(word);
    let program = words.first()?;
    let plain = quote.is_none() && !program.contains("{{") && !program.contains('=') && !program.is_empty();
    (plain && !SHELL_WORDS.contains(&program.as_str())).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn woven(command: &str) -> Result<String, ShellError> {
        weave(&command.replace('@', "\u{0}0\u{0}"), &["7".to_owned()])
            .map(|(script, _)| script.replace("BATCHMILL_V0", "v"))
    }

    #[test]
    fn a_reference_is_quoted_for_its_place() {
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
            ("cat <<EOF @\n'@'\nEOF\necho '@'", "cat <<EOF \"${v}\"\n'${v}'\nEOF\necho ''\"${v}\"''"),
            ("cat <<-EOF\n\t\"@\n\tEOF\n@", "cat <<-EOF\n\t\"${v}\n\tEOF\n\"${v}\""),
            ("cat <<< @ ; echo '@'", r#"cat <<< "${v}" ; echo ''"${v}"''"#),
            ("echo \\' @", r#"echo \' "${v}""#),
        ] {
            assert_eq!(woven(command).as_deref(), Ok(expected), "{command}");
        }
    }

    #[test]
    fn places_where_no_reference_works_are_errors() {
        assert_eq!(woven("echo \\@"), Err(ShellError::Backslash));
        assert_eq!(woven("echo $'@'"), Err(ShellError::DollarQuote));
        assert_eq!(woven("cat <<'EOF'\n@\nEOF"), Err(ShellError::QuotedHeredoc("EOF".to_owned())));
        let arithmetic = weave("echo $((\u{0}0\u{0}))", &["a[$(id)]".to_owned()]);
        assert_eq!(arithmetic, Err(ShellError::Arithmetic("a[$(id)]".to_owned())));
    }

    #[test]
    fn plain_commands_need_no_shell() {
        let words = |raw: &str| plain_words(raw);
        assert_eq!(words("gzip {{ item }}").unwrap(), ["gzip", "{{ item }}"]);
        assert_eq!(
            words("convert -o 'a b' x-{{ item | stem }}.png ").unwrap(),
            ["convert", "-o", "a b", "x-{{ item | stem }}.png"]
        );
        for shell in [
            "echo {{ item }}",
            "a | b",
            "a > b",
            "X=1 a",
            "a $X",
            "a *",
            "a; b",
            "{{ item }}",
            "a \"$X\"",
            "cd x",
            "a ~/x",
            "a {{ item | raw }}",
            "a 'open",
            "a\nb",
            "a {x,y}",
            "",
        ] {
            assert_eq!(words(shell), None, "{shell}");
        }
    }
}
