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

mod weave;
mod words;

use super::compiled::{TemplateError, environment_with, failed, template_of};
use super::filters::{COMMENT, Raw, SHELL};
use super::names::{check, used_names};
use super::scope::{ItemScope, Names};
use super::{CompiledTree, Template};
use crate::model::{Text, Tree};
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, Output, State};
use std::sync::Arc;
use weave::weave;
use words::{inner_code, is_raw, plain_words, rough_words};

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
    /// `bash -c "echo {{ item }}"`
    #[error(
        "a substitution stands inside code for `{0}`, which would run what the item says; hand it over as an argument \
         (`bash -c 'echo \"$1\"' _ {{{{ item }}}}`), read `$BATCHMILL_ITEM` there, or write `| raw` if that is meant"
    )]
    InnerCode(String),
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
pub enum RenderedCommand {
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
        refuse_inner_code(text, &rough_words(&text.raw))?;
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
        let raw: Vec<String> = words.iter().map(|text| text.raw.clone()).collect();
        if let Some(first) = words.first() {
            refuse_inner_code(first, &raw).map_err(|error| vec![error])?;
        }
        let list = Tree::List(words.iter().cloned().map(Tree::Text).collect());
        CompiledTree::compile(&list)?;
        let words = words.iter().map(|text| Template::compile(text).map_err(|error| vec![error]));
        words.collect::<Result<_, _>>().map(Self::Argv)
    }

    /// Errors that can be known before anything runs.
    pub fn check(&self, names: &Names) -> Vec<TemplateError> {
        match self {
            Self::Argv(words) => words.iter().flat_map(|word| word.check(names)).collect(),
            Self::Script(script) => check(&script.text, &script.uses, names),
        }
    }

    /// The command for one item.
    pub fn render(&self, scope: &Arc<ItemScope>) -> Result<RenderedCommand, TemplateError> {
        match self {
            Self::Argv(words) => {
                words.iter().map(|word| word.string(scope)).collect::<Result<_, _>>().map(RenderedCommand::Argv)
            }
            Self::Script(script) => script.render(scope),
        }
    }
}

impl Script {
    fn render(&self, scope: &Arc<ItemScope>) -> Result<RenderedCommand, TemplateError> {
        let template = template_of(&self.env);
        let rendered = template.render_captured(Value::from_dyn_object(Arc::clone(scope)));
        let rendered = rendered.map_err(|error| failed(&self.text, &self.uses, &error, &scope.names()))?;
        let none = Held::default();
        let held = rendered.state().get_extension::<Held>().unwrap_or(&none);
        let (script, used) = weave(rendered.output(), &held.0).map_err(|error| shell_error(&self.text, &error))?;
        let variables = used.into_iter().map(|number| (variable(number), held.0[number].clone())).collect();
        Ok(RenderedCommand::Script { script, variables })
    }
}

/// Quoting holds for the command that batchmill starts, not for code inside one of its arguments.
fn refuse_inner_code(text: &Text, words: &[String]) -> Result<(), TemplateError> {
    match inner_code(words) {
        Some(program) => Err(shell_error(text, &ShellError::InnerCode(program))),
        None => Ok(()),
    }
}

fn shell_error(text: &Text, error: &ShellError) -> TemplateError {
    TemplateError { message: error.to_string(), span: text.span, needle: None }
}

/// Values held back while a command is rendered.
#[derive(Debug, Default)]
struct Held(Vec<String>);

/// Stands on both sides of the number of a value that was held back.
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
        if !is_raw(&format!("{{{{{expression}}}}}")) {
            sketch.push_str("\u{0}0\u{0}");
        }
        rest = behind;
    }
    sketch.push_str(rest);
    Some(sketch)
}
