//! A command of the workflow: compiled once, rendered for each item.

use super::error::ShellError;
use super::nested::{interpreter_of_arguments, interpreter_of_values};
use super::placeholder::{Captured, capture, variable, with_marks, with_placeholders};
use super::split::split_plain;
use super::substitute::substitute;
use super::words::simple_commands;
use crate::model::{Text, Tree};
use crate::template::bounds::rendered;
use crate::template::check::{check, render_error, used_names};
use crate::template::compiled::Template;
use crate::template::compiled_tree::CompiledTree;
use crate::template::environment::{environment, environment_with, template_of};
use crate::template::error::{TemplateError, TemplateErrorKind};
use crate::template::foreign::with_raw;
use crate::template::names::Names;
use crate::template::operators::{self, Operands, Wanted};
use crate::template::scope::ItemScope;
use minijinja::Environment;
use minijinja::value::Value;
use std::sync::{Arc, LazyLock};

/// For shell commands: captures each value and writes a placeholder instead.
static SHELL: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = environment();
    env.set_formatter(capture);
    env
});

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
    operands: Operands,
    text: Text,
    uses: Vec<String>,
}

/// A command for one item, ready to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderedCommand {
    /// Program and arguments.
    Argv(Vec<String>),
    /// A script and the variables it refers to.
    Script {
        /// The script for `sh -c`.
        script: String,
        /// Names and values.
        variables: Vec<(String, String)>,
    },
}

impl ShellCommand {
    /// Compiles a command line.
    pub fn compile(text: &Text) -> Result<Self, TemplateError> {
        if let Err(nested) = refuse_nested_code(text, interpreter_of_values(&with_marks(&text.raw))) {
            // In `awk '{{print $1}}'`, the braces belong to the command. Then the syntax error says more.
            compiled(text)?;
            return Err(nested);
        }
        if let Some(words) = split_plain(&text.raw) {
            let word = |raw: String| Template::compile(&Text { raw, span: text.span });
            let words = words.into_iter().map(word).collect::<Result<_, _>>();
            return words.map(Self::Argv).map_err(|error| with_raw(error, &text.raw));
        }
        Self::script(text, compiled(text)?)
    }

    /// Compiles a command line that a shell always runs.
    pub fn compile_script(text: &Text) -> Result<Self, TemplateError> {
        let env = compiled(text)?;
        refuse_nested_code(text, interpreter_of_values(&with_marks(&text.raw)))?;
        Self::script(text, env)
    }

    /// Compiles a command line for a program that has other rules of quoting.
    ///
    /// # Errors
    /// If it has a substitution that would have to be quoted.
    pub fn compile_foreign(text: &Text, program: &str) -> Result<Self, TemplateError> {
        let env = compiled(text)?;
        if with_placeholders(&text.raw).is_none_or(|command| command.contains('\0')) {
            return Err(shell_error(text, &ShellError::ForeignShell(program.to_owned())));
        }
        Self::script(text, env)
    }

    fn script(text: &Text, env: Environment<'static>) -> Result<Self, TemplateError> {
        let uses = used_names(template_of(&env).undeclared_variables(true));
        if let Some(command) = with_placeholders(&text.raw) {
            // Whether a value fits into arithmetic is only known when it is rendered, so use a number here.
            substitute(&command, &["0".to_owned()]).map_err(|error| shell_error(text, &error))?;
        }
        let operands = Operands::of(&env);
        Ok(Self::Script(Script { env: Arc::new(env), operands, text: text.clone(), uses }))
    }

    /// Compiles a program and its arguments.
    pub fn compile_argv(words: &[Text]) -> Result<Self, Vec<TemplateError>> {
        let list = Tree::List(words.iter().cloned().map(Tree::Text).collect());
        let command: Vec<&str> = words.iter().map(|text| text.raw.as_str()).collect();
        let explained = |error| with_raw(error, &command.join(" "));
        CompiledTree::compile(&list).map_err(|errors| errors.into_iter().map(explained).collect::<Vec<_>>())?;
        let marked: Vec<String> = words.iter().map(|text| with_marks(&text.raw)).collect();
        if let Some(first) = words.first() {
            refuse_nested_code(first, interpreter_of_arguments(&marked)).map_err(|error| vec![error])?;
        }
        let words = words.iter().map(|text| Template::compile(text).map_err(|error| vec![error]));
        words.collect::<Result<_, _>>().map(Self::Argv)
    }

    /// Errors that can be found before anything runs.
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

/// A command line as a template. This takes far longer than to split it into words.
fn compiled(text: &Text) -> Result<Environment<'static>, TemplateError> {
    environment_with(&SHELL, text).map_err(|error| with_raw(error, &text.raw))
}

impl Script {
    fn render(&self, scope: &Arc<ItemScope>) -> Result<RenderedCommand, TemplateError> {
        rendered(&self.text.raw, || self.quoted(scope)).unwrap_or_else(|error| {
            let message = format!("cannot render the command: {error}");
            Err(TemplateError::new(TemplateErrorKind::Render, self.text.span, message))
        })
    }

    fn quoted(&self, scope: &Arc<ItemScope>) -> Result<RenderedCommand, TemplateError> {
        let context = Value::from_dyn_object(Arc::clone(scope));
        let rendered = operators::render((&self.env, self.operands), context, &Wanted::Text, |text, _, state| {
            (text, state.get_extension::<Captured>().cloned().unwrap_or_default())
        });
        let (text, captured) =
            rendered.map_err(|error| render_error(&self.text, &self.uses, &error, &scope.names()))?;
        let (script, used) = substitute(&text, &captured.0).map_err(|error| shell_error(&self.text, &error))?;
        let variables = used.into_iter().map(|number| (variable(number), captured.0[number].clone())).collect();
        Ok(RenderedCommand::Script { script, variables })
    }
}

/// Whether a command line has a pipe.
pub fn has_pipe(line: &Text) -> bool {
    if !line.raw.contains('|') {
        return false;
    }
    let commands = simple_commands(&with_marks(&line.raw));
    // The `|` between patterns looks like one.
    let has_case = commands.iter().any(|command| command.words.iter().any(|word| word == "esac"));
    !has_case && commands.iter().any(|command| command.piped_from.is_some())
}

/// batchmill quotes values for the command it starts. It cannot quote them for code inside an argument.
fn refuse_nested_code(text: &Text, program: Option<String>) -> Result<(), TemplateError> {
    match program {
        Some(program) => Err(shell_error(text, &ShellError::NestedCode(program))),
        None => Ok(()),
    }
}

fn shell_error(text: &Text, error: &ShellError) -> TemplateError {
    let template_error = TemplateError::new(TemplateErrorKind::Shell, text.span, error.to_string());
    match error.help() {
        Some(help) => template_error.help(help),
        None => template_error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Span;

    #[test]
    fn a_pipe_is_told_from_what_looks_like_one() {
        for (raw, pipes) in [
            ("a | b", true),
            ("a {{ x }} | b {{ y }}", true),
            ("a || b", false),
            ("a '|'", false),
            ("case x in a|b) c;; esac", false),
            ("a", false),
        ] {
            assert_eq!(has_pipe(&Text { raw: raw.to_owned(), span: Span::default() }), pipes, "{raw}");
        }
    }
}
