//! Everything that can be known to be wrong before anything runs: parameters, secrets, templates, names, Python code.

use super::aggregate::aggregate_of;
use super::incremental::Compare;
use super::secrets::Secrets;
use crate::compile::{ParamValues, resolve_params};
use crate::ledger::{Durability, StateFolder};
use crate::model::{Span, StepName, Text};
use crate::spec::{Aggregate, BatchSpec, Fault, Faults, ItemsSpec, Setting, Source, Step, StepKind, Workflow};
use crate::task::Program;
use crate::task::python::{Check, CheckFault, Found, Host, HostError, find_interpreter};
use crate::template::{CompiledTree, ItemScope, Names, Scope, ShellCommand, Template, TemplateError};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What the user asked for on the command line.
#[derive(Debug, Clone)]
pub struct Options {
    /// Parameters.
    pub params: ParamValues,
    /// `--python`
    pub python: Option<PathBuf>,
    /// `--jobs`: the most slots of a step.
    pub jobs: Option<NonZeroUsize>,
    /// `--max-items`: the most items of a batch step.
    pub max_items: Option<u64>,
    /// `--slow-after`: an item that takes longer is named while it runs.
    pub slow_after: Duration,
    /// `--incremental`: pass over what the last good run has done, and by what files are compared.
    pub incremental: Option<Compare>,
    /// Where runs are kept.
    pub state: StateFolder,
    /// `--durability`: what a commit survives.
    pub durability: Durability,
    /// Only look: parameters may be missing, and Python is not looked for.
    pub check_only: bool,
}

/// A workflow that is ready to run.
#[derive(Debug)]
pub struct Prepared {
    /// The workflow.
    pub workflow: Workflow,
    /// Its parameters.
    pub params: ParamValues,
    /// The environment: the process's, with the workflow's `env` over it.
    pub env: BTreeMap<String, String>,
    /// The workflow's `env` alone.
    pub own_env: Arc<Vec<(String, String)>>,
    /// What must not be shown.
    pub secrets: Secrets,
    /// The interpreter, if a step needs one.
    pub python: Option<Arc<Host>>,
    /// Task and `on_item_error` of each step, compiled; then those of `on_failure` and `finally`.
    pub programs: Vec<(Program, Option<Program>)>,
    /// The aggregates that are Python code, compiled.
    pub aggregates: BTreeMap<StepName, Program>,
    /// What the user asked for.
    pub options: Options,
}

/// Why a workflow cannot run.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The file, or what was given to it.
    #[error(transparent)]
    Faults(#[from] Faults),
    /// Python.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Prepares a workflow.
///
/// # Errors
/// All faults that can be known before anything runs.
pub fn prepare(workflow: Workflow, options: Options) -> Result<Prepared, PrepareError> {
    let fail = |faults: Vec<Fault>| match Faults::new(workflow.source.clone(), faults) {
        Some(faults) => Err(PrepareError::Faults(faults)),
        None => Ok(()),
    };
    let process_env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let mut faults = Vec::new();
    let params = match resolve_params(&workflow, options.params.clone(), &process_env) {
        Ok(params) => params,
        Err(wrong) => {
            // Looking does not need parameters; what is missing is said, but templates are checked all the same.
            faults.extend(
                wrong.into_iter().filter(|fault| !(options.check_only && fault.message.contains("is required"))),
            );
            options.params.clone()
        }
    };
    let mut names = Names { env: process_env.keys().cloned().collect(), ..Names::default() };
    names.params = match &workflow.params {
        Some(declared) => Some(declared.iter().map(|param| param.name.clone()).collect()),
        None if options.check_only => None,
        None => Some(params.keys().cloned().collect()),
    };
    let (env, own_env) = environment(&workflow, process_env, &params, &names, &mut faults);
    names.env = env.keys().cloned().collect();
    let secrets = secrets(&workflow, &env, &params, options.check_only, &mut faults);
    let folder = workflow_folder(&workflow.source.path);
    let (mut programs, mut aggregates) = (Vec::new(), BTreeMap::new());
    for step in workflow.steps.iter().chain(&workflow.closing) {
        names.summary = programs.len() >= workflow.steps.len();
        let mut checker = Checker { source: &workflow.source, faults: &mut faults, step, names: &names };
        programs.push(checker.step(&folder));
        names.steps.push(step.name.to_string());
        names.aggregates.extend(aggregate_of(step).map(|_| step.name.to_string()));
        let mut checker = Checker { source: &workflow.source, faults: &mut faults, step, names: &names };
        aggregates.extend(checker.aggregate(&folder).map(|program| (step.name.clone(), program)));
        names.outputs.extend(step.outputs.name.iter().map(|text| text.raw.clone()));
    }
    let found = find_interpreter(options.python.as_deref(), &folder);
    let libraries = libraries(&workflow);
    let python = match python(&programs, &aggregates, &libraries, found) {
        Ok((host, wrong)) => {
            faults.extend(wrong.into_iter().map(|(fault, asked)| asked.fault(&workflow.source, &fault, &host)));
            host
        }
        // Faults of the file come first: they are there whatever the interpreter.
        Err(error) => {
            fail(std::mem::take(&mut faults))?;
            if !options.check_only {
                return Err(error.into());
            }
            None
        }
    };
    fail(faults)?;
    let programs = programs
        .into_iter()
        .map(|(program, handler)| (program.expect("a program that does not compile is a fault"), handler));
    let programs = programs.collect();
    Ok(Prepared { workflow, params, env, own_env, secrets, python, programs, aggregates, options })
}

/// Folder of a workflow file: where scripts and modules are looked for.
fn workflow_folder(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf()
}

type Environment = (BTreeMap<String, String>, Arc<Vec<(String, String)>>);

fn environment(
    workflow: &Workflow,
    mut env: BTreeMap<String, String>,
    params: &ParamValues,
    names: &Names,
    faults: &mut Vec<Fault>,
) -> Environment {
    let mut own = Vec::new();
    let mut names = names.clone();
    for (name, tree) in &workflow.env {
        let values = env.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let scope = Scope { env: values, params: template_params(params), ..Scope::default() };
        let scope = Arc::new(ItemScope::of_step(Arc::new(scope)));
        let value = CompiledTree::compile(tree).and_then(|tree| {
            let wrong = tree.check(&names);
            if wrong.is_empty() { tree.string(&scope).map_err(|error| vec![error]) } else { Err(wrong) }
        });
        match value {
            Ok(value) => {
                own.push((name.clone(), value.clone()));
                env.insert(name.clone(), value);
            }
            Err(errors) => {
                faults
                    .extend(errors.iter().map(|error| template_fault(&workflow.source, error, format!("env.{name}"))));
                // It is named once; where it is used, it counts as set.
                env.insert(name.clone(), String::new());
            }
        }
        names.env.push(name.clone());
    }
    (env, Arc::new(own))
}

/// Parameters as templates see them.
pub(super) fn template_params(params: &ParamValues) -> BTreeMap<String, minijinja::Value> {
    params.iter().map(|(name, value)| (name.clone(), minijinja::Value::from(minijinja::value::Serde(value)))).collect()
}

fn secrets(
    workflow: &Workflow,
    env: &BTreeMap<String, String>,
    params: &ParamValues,
    check_only: bool,
    faults: &mut Vec<Fault>,
) -> Secrets {
    let mut values = Vec::new();
    for name in &workflow.secrets {
        let param = params.get(&name.raw).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        match param.or_else(|| env.get(&name.raw).cloned()) {
            Some(value) => values.push(value),
            None if check_only => {}
            None => faults.push(
                Fault::at(name.span, format!("secret `{}` is not set", name.raw))
                    .within("secrets")
                    .hint(format!("set the environment variable `{0}`, or give the parameter `{0}=VALUE`", name.raw)),
            ),
        }
    }
    Secrets::new(values)
}

/// Compiles and checks one step.
struct Checker<'a> {
    source: &'a Source,
    faults: &'a mut Vec<Fault>,
    step: &'a Step,
    names: &'a Names,
}

impl Checker<'_> {
    fn note(&mut self, errors: Vec<TemplateError>) {
        let within = format!("steps.{}", self.step.name);
        let faults = errors.iter().map(|error| template_fault(self.source, error, within.clone()));
        self.faults.extend(faults);
    }

    fn step(&mut self, folder: &Path) -> (Option<Program>, Option<Program>) {
        self.setting(self.step.timeout.as_ref());
        self.step.outputs.file.iter().for_each(|file| self.text(&file.path));
        self.step.outputs.item_files.iter().for_each(|path| self.text(path));
        match &self.step.kind {
            StepKind::Single(single) => {
                self.setting(single.timeout.as_ref());
                (self.program(&single.task, folder, &self.names.clone()), None)
            }
            StepKind::Batch(batch) => {
                self.batch_settings(batch);
                let item = Names { item: true, item_dir: true, ..self.names.clone() };
                let error = Names { error: true, item_dir: false, ..item.clone() };
                let handler = batch.on_item_error.as_ref().and_then(|task| self.program(task, folder, &error));
                (self.program(&batch.task, folder, &item), handler)
            }
        }
    }

    /// The aggregate of the step, where it is code. It sees the step itself too.
    fn aggregate(&mut self, folder: &Path) -> Option<Program> {
        let Some(Aggregate::Code(task)) = aggregate_of(self.step) else { return None };
        let compiled = Program::aggregate(task, &self.step.name, folder);
        compiled.inspect(|program| self.note(program.check(self.names))).map_err(|errors| self.note(errors)).ok()
    }

    fn program(&mut self, task: &crate::spec::Task, folder: &Path, names: &Names) -> Option<Program> {
        match Program::compile(task, folder) {
            Ok(program) => {
                self.note(program.check(names));
                Some(program)
            }
            Err(errors) => {
                self.note(errors);
                None
            }
        }
    }

    fn batch_settings(&mut self, batch: &BatchSpec) {
        match &batch.items {
            ItemsSpec::List(list) => list.iter().for_each(|tree| tree.texts(&mut |text| self.text(text))),
            ItemsSpec::Template(text) | ItemsSpec::Lines(text) => self.text(text),
            ItemsSpec::Glob(texts) => texts.iter().for_each(|text| self.text(text)),
            ItemsSpec::Rows(rows) => {
                rows.paths.iter().for_each(|text| self.text(text));
                self.setting(rows.limit.as_ref());
                self.setting(rows.skip.as_ref());
            }
            ItemsSpec::Sql(sql) => {
                [&sql.sql, &sql.url].into_iter().for_each(|text| self.text(text));
                sql.params.iter().for_each(|tree| tree.texts(&mut |text| self.text(text)));
                self.setting(sql.limit.as_ref());
            }
            ItemsSpec::Command(text) => match ShellCommand::compile(text) {
                Ok(command) => self.note(command.check(self.names)),
                Err(error) => self.note(vec![error]),
            },
            ItemsSpec::Range { start, stop, step } => {
                [start, stop, step].into_iter().for_each(|it| self.setting(Some(it)))
            }
        }
        self.setting(Some(&batch.batch_size));
        self.setting(batch.parallel.as_ref());
        self.setting(batch.max_parallel.as_ref());
        self.setting(batch.queue_size.as_ref());
        self.setting(Some(&batch.continue_on_error));
        self.setting(batch.max_failures.as_ref());
        self.setting(batch.timeout.as_ref());
        self.setting(batch.batch_timeout.as_ref());
    }

    fn setting<T>(&mut self, setting: Option<&Setting<T>>) {
        if let Some(Setting::Template(text)) = setting {
            self.text(text);
        }
    }

    fn text(&mut self, text: &Text) {
        match Template::compile(text) {
            Ok(template) => self.note(template.check(self.names)),
            Err(error) => self.note(vec![error]),
        }
    }
}

/// A template's error as a fault of the file.
pub(super) fn template_fault(source: &Source, error: &TemplateError, within: String) -> Fault {
    let span = error.needle.as_ref().map_or(error.span, |needle| source.locate(error.span, needle));
    let fault = Fault::at(span, &error.message).within(within);
    match error.message.strip_suffix("is not set") {
        Some(_) => fault.hint("set it, or give it in the workflow's `env`"),
        None => fault,
    }
}

/// What the interpreter was asked about.
enum Asked {
    /// Code, at this place.
    Code(Span),
    /// A module that is named at this place.
    Module(String, Span),
    /// The library of a `batch_format`.
    Library(&'static str, Span),
}

type Checked = (Option<Arc<Host>>, Vec<(CheckFault, Asked)>);

/// The libraries that make data frames of batches.
fn libraries(workflow: &Workflow) -> Vec<(&'static str, Span)> {
    let batches = workflow.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Batch(batch) => Some(batch.batch_format),
        StepKind::Single(_) => None,
    });
    batches.filter_map(|(format, span)| Some((format.library()?, span))).collect()
}

/// Settles the interpreter where a task needs one, and has it look over all code.
fn python(
    programs: &[(Option<Program>, Option<Program>)],
    aggregates: &BTreeMap<StepName, Program>,
    libraries: &[(&'static str, Span)],
    found: Found,
) -> Result<Checked, HostError> {
    let tasks = programs.iter().flat_map(|(program, handler)| [program, handler]);
    let tasks: Vec<_> = tasks.flatten().chain(aggregates.values()).filter_map(|program| program.python()).collect();
    let Some(import_path) = tasks.first().map(|task| task.import_path.clone()) else { return Ok((None, Vec::new())) };
    let mut asked: Vec<(Check, Asked)> = Vec::new();
    for (check, span) in tasks.into_iter().flat_map(|task| task.checks) {
        let about = match &check {
            Check::Module { name } => Asked::Module(name.clone(), span),
            Check::Code { .. } => Asked::Code(span),
        };
        asked.push((check, about));
    }
    asked.extend(
        libraries.iter().map(|(name, span)| (Check::Module { name: (*name).to_owned() }, Asked::Library(name, *span))),
    );
    let (checks, asked): (Vec<Check>, Vec<Asked>) = asked.into_iter().unzip();
    let (host, wrong) = Host::settle(found, &import_path, &checks)?;
    let mut faults: Vec<Option<CheckFault>> = asked.iter().map(|_| None).collect();
    wrong.into_iter().for_each(|fault| {
        if let Some(place) = faults.get_mut(fault.check) {
            *place = Some(fault);
        }
    });
    let wrong = faults.into_iter().zip(asked).filter_map(|(fault, asked)| Some((fault?, asked)));
    let wrong = wrong.collect();
    Ok((Some(Arc::new(host)), wrong))
}

impl Asked {
    /// A fault that the interpreter found, at its own line where the code stands in the workflow file.
    fn fault(&self, source: &Source, fault: &CheckFault, host: &Option<Arc<Host>>) -> Fault {
        match self {
            Self::Code(span) => {
                let place = fault.line.and_then(|line| code_line(source, *span, line));
                Fault::at(place.unwrap_or(*span), &fault.message)
            }
            Self::Module(name, span) => Fault::at(source.locate(*span, name), &fault.message)
                .hint("modules are looked for beside the workflow file, then where the interpreter has them"),
            Self::Library(library, span) => {
                let python = host.as_ref().map_or("python3", |host| &host.executable);
                Fault::at(*span, format!("`batch_format: {library}` cannot be had: {}", fault.message))
                    .hint(format!("install it there: `{python} -m pip install {library}`"))
            }
        }
    }
}

/// The text of line `line` (from 1) of a block of code that stands at `span`.
fn code_line(source: &Source, span: Span, line: usize) -> Option<Span> {
    let block = source.text.get(span.start..span.end)?;
    // A block scalar's span begins with its indicator, `|` or `>`: its first line of code is the next one.
    let skip = if block.starts_with(['|', '>']) { line } else { line - 1 };
    let mut start = span.start;
    for (number, text) in block.split_inclusive('\n').enumerate() {
        if number == skip {
            let indent = text.len() - text.trim_start().len();
            let end = start + text.trim_end().len();
            return Some(Span::new((start + indent).min(end), end));
        }
        start += text.len();
    }
    None
}
