//! A `python` task, compiled, and the message that starts its workers.

use super::pickled::PickledProgram;
use super::probe::Check;
use super::script;
use super::stored::{LargeResults, Writer, raw, unwritable};
use crate::model::{BatchFormat, Failure, Form, Span, StepName, Text, Tree};
use crate::spec::{self, PythonProgram};
use crate::task::context::StepContext;
use crate::task::lane::Frame;
use crate::template::{
    CompiledTree, ItemScope, Names, Scope, TemplateError, TemplateErrorKind, compile_pairs, value_to_json,
};
use crate::wire;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

/// The name in scope for the directory of an item's files.
const ITEM_DIR: &str = "item_dir";

/// The name in scope, of `on_failure` and `finally`, for how the run ended.
const SUMMARY: &str = "summary";

/// The members of an earlier step that code sees. The last one creates a file, so it is there only if the code mentions it.
const STEP_MEMBERS: [&str; 6] = ["result", "results", "failed", "stats", "aggregate", PATH];

/// The member of a step with the path of its results.
const PATH: &str = "path";

/// What a lane of the task is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The items of a step, or a plain step.
    Items,
    /// `on_item_error`.
    ErrorHandler,
}

impl Role {
    /// The role of a lane that runs this frame.
    pub(super) fn of(frame: &Frame<'_>) -> Self {
        if frame.is_for_handler() { Self::ErrorHandler } else { Self::Items }
    }
}

/// A `python` task, compiled.
#[derive(Debug)]
pub(in crate::task::kinds) struct PythonTask {
    program: Source,
    span: Span,
    setup: Option<Text>,
    teardown: Option<Text>,
    max_memory: Option<u64>,
    max_items_per_worker: Option<NonZeroUsize>,
    /// Inputs that are the same for all items.
    fixed: Vec<(String, CompiledTree)>,
    /// Inputs that differ between items.
    by_item: Vec<(String, CompiledTree)>,
    /// `summary` as an input of a closing step, if the code mentions it.
    summary: Option<(String, CompiledTree)>,
    /// Directories from which workers import first: that of the workflow file.
    import_path: Vec<String>,
    /// The part of the step that the code is, as tracebacks show it.
    part: &'static str,
}

#[derive(Debug)]
enum Source {
    Code(String),
    Script { path: String, text: String },
    Function { module: String, name: String },
    Operation(String),
    Pickled { path: String, folder: Option<String> },
}

impl PythonTask {
    pub(in crate::task::kinds) fn compile(task: &spec::PythonTask, folder: &Path) -> Result<Self, Vec<TemplateError>> {
        let (program, span) = match &task.program {
            PythonProgram::Code(code) => (Source::Code(code.raw.clone()), code.span),
            PythonProgram::Function { module, name, span } => {
                (Source::Function { module: module.clone(), name: name.clone() }, *span)
            }
            PythonProgram::Operation { name, span } => (Source::Operation(name.clone()), *span),
            PythonProgram::Script(name) => {
                let path = folder.join(&name.raw);
                let bytes = std::fs::read(&path).map_err(|error| error.to_string());
                let text = bytes.and_then(|bytes| script::decode(&bytes)).map_err(|cause| {
                    let message = format!("cannot read script `{}`: {cause}", path.display());
                    vec![TemplateError::new(TemplateErrorKind::File, name.span, message)]
                })?;
                (Source::Script { path: path.display().to_string(), text }, name.span)
            }
        };
        let inputs = compile_pairs(&task.inputs)?;
        let (by_item, fixed): (Vec<_>, Vec<_>) = inputs.into_iter().partition(|(_, tree)| tree.uses_item());
        // `item: "{{ item }}"` is redundant, and would send every item twice.
        let by_item = by_item.into_iter().filter(|(name, tree)| !(name == "item" && tree.is_item())).collect();
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf()).display().to_string();
        let mut compiled = Self {
            program,
            span,
            setup: task.setup.clone(),
            teardown: task.teardown.clone(),
            max_memory: task.max_memory.map(|size| size.0),
            max_items_per_worker: task.max_items_per_worker,
            fixed,
            by_item,
            summary: None,
            import_path: vec![folder],
            part: "code",
        };
        if compiled.mentions(SUMMARY) && !compiled.has_input(SUMMARY) {
            let value = Tree::Text(Text { raw: format!("{{{{ {SUMMARY} }}}}"), span });
            compiled.summary = compile_pairs(&[(SUMMARY.to_owned(), value)])?.pop();
        }
        Ok(compiled)
    }

    /// What a client calls.
    pub(super) fn pickled(program: PickledProgram) -> Self {
        let PickledProgram { path, folder, search_path, max_memory, max_items_per_worker } = program;
        Self {
            program: Source::Pickled { path, folder },
            span: Span::default(),
            setup: None,
            teardown: None,
            max_memory,
            max_items_per_worker,
            fixed: Vec::new(),
            by_item: Vec::new(),
            summary: None,
            import_path: search_path,
            part: "code",
        }
    }

    /// The code of an aggregate. The results of its step are inputs like any other.
    pub(in crate::task::kinds) fn aggregate(
        task: &spec::PythonTask,
        step: &StepName,
        folder: &Path,
    ) -> Result<Self, Vec<TemplateError>> {
        let span = match &task.program {
            PythonProgram::Code(text) | PythonProgram::Script(text) => text.span,
            PythonProgram::Function { span, .. } | PythonProgram::Operation { span, .. } => *span,
        };
        let mut task = task.clone();
        task.inputs.extend(["results", "failed", "stats"].map(|name| {
            let raw = format!("{{{{ steps['{step}'].{name} }}}}");
            (name.to_owned(), Tree::Text(Text { raw, span }))
        }));
        Ok(Self { part: "aggregate", ..Self::compile(&task, folder)? })
    }

    /// The errors in the templates of its inputs.
    pub(super) fn check_inputs(&self, names: &Names) -> Vec<TemplateError> {
        self.fixed.iter().chain(&self.by_item).flat_map(|(_, tree)| tree.check(names)).collect()
    }

    /// What the interpreter checks before anything runs, and where that is in the workflow file.
    pub(super) fn checks(&self, names: &Names) -> Vec<(Check, Span)> {
        let shared = self.shared_names(names);
        let of_items = shared.as_ref().map(|shared| [shared.as_slice(), &self.item_names(names)].concat());
        let texts = |around: &[&str]| around.iter().map(|text| (*text).to_owned()).collect();
        let code = |source: &str, around: &[&str]| Check::Code {
            source: source.to_owned(),
            is_block: false,
            file: None,
            around: texts(around),
            known: shared.clone(),
        };
        let setup: Vec<&str> = self.setup.iter().map(|text| text.raw.as_str()).collect();
        let block = |source: &String, file: Option<String>| Check::Code {
            source: source.clone(),
            is_block: true,
            file,
            around: texts(&setup),
            known: of_items.clone(),
        };
        let program = match &self.program {
            Source::Code(source) => Some(block(source, None)),
            Source::Script { path, text } => Some(block(text, Some(path.clone()))),
            Source::Function { module, .. } => Some(Check::Module { name: module.clone() }),
            Source::Operation(_) | Source::Pickled { .. } => None,
        };
        let before: Vec<&str> = setup.iter().copied().chain(self.code()).collect();
        let program = program.map(|check| (check, self.span));
        let setup = self.setup.iter().map(|text| (code(&text.raw, &[]), text.span));
        let teardown = self.teardown.iter().map(|text| (code(&text.raw, &before), text.span));
        program.into_iter().chain(setup).chain(teardown).collect()
    }

    /// The names that `setup` sees, and the code; `None` if they are not known yet.
    fn shared_names(&self, names: &Names) -> Option<Vec<String>> {
        let mut known = names.bare()?;
        known.extend(["params", "env", "steps", "inputs", "result"].map(str::to_owned));
        known.extend(self.fixed.iter().map(|(name, _)| name.clone()));
        known.extend(names.summary.then(|| SUMMARY.to_owned()));
        Some(known)
    }

    /// The names that the code alone sees.
    fn item_names(&self, names: &Names) -> Vec<String> {
        let mut known: Vec<String> = self.by_item.iter().map(|(name, _)| name.clone()).collect();
        if names.item {
            known.extend(["item", "index", "batch", ITEM_DIR].map(str::to_owned));
        }
        known.extend(names.error.then(|| "error".to_owned()));
        known
    }

    /// The code, if the program is code.
    fn code(&self) -> Option<&str> {
        match &self.program {
            Source::Code(source) | Source::Script { text: source, .. } => Some(source),
            Source::Function { .. } | Source::Operation(_) | Source::Pickled { .. } => None,
        }
    }

    /// The named outputs of earlier steps that its code may read.
    fn outputs(&self, scope: &Scope) -> Result<Vec<(String, CompiledTree)>, Failure> {
        let names = scope.outputs.keys().filter(|name| !self.has_input(name) && self.mentions(name));
        let value = |name: &String| {
            (name.clone(), Tree::Text(Text { raw: format!("{{{{ {name} }}}}"), span: Span::default() }))
        };
        let values: Vec<(String, Tree)> = names.map(value).collect();
        compile_pairs(&values)
            .map_err(|errors| unwritable(&errors.iter().map(|it| it.message.as_str()).collect::<String>()))
    }

    /// Directories from which workers import first.
    pub(super) fn import_path(&self) -> Vec<String> {
        self.import_path.clone()
    }

    /// The maximum memory of a worker, in bytes.
    pub(super) fn max_memory(&self) -> Option<u64> {
        self.max_memory
    }

    /// The number of items after which a worker is replaced.
    pub(super) fn max_items_per_worker(&self) -> Option<NonZeroUsize> {
        self.max_items_per_worker
    }

    /// The inputs that differ between items.
    pub(super) fn by_item(&self) -> &[(String, CompiledTree)] {
        &self.by_item
    }

    /// The message that starts a worker.
    pub(super) fn start(&self, context: &StepContext, role: Role) -> Result<wire::Start, Failure> {
        let scope = Arc::new(ItemScope::of_step(Arc::clone(&context.scope)));
        // Functions are given results as inputs alone, and their code is not known.
        let makes_frames = self.code().is_none() || self.mentions("to_");
        let mut writer = Writer { makes_frames, ..Writer::default() };
        let large = match self.program {
            // An operation takes lists, and nothing else.
            Source::Operation(_) => LargeResults::Inline,
            _ => LargeResults::ByFile,
        };
        let outputs = self.outputs(&context.scope)?;
        let summary = self.summary.iter().filter(|_| context.scope.summary.is_some());
        let inputs = writer.inputs(self.fixed.iter().chain(summary).chain(&outputs), &scope, large)?;
        let params = context.scope.lookup("params").unwrap_or_default();
        let members = &STEP_MEMBERS[..STEP_MEMBERS.len() - usize::from(!self.mentions(PATH))];
        let steps = if self.mentions("steps") { writer.steps(&context.scope, members)? } else { b"{}".to_vec() };
        let handler = role == Role::ErrorHandler;
        let mut item_inputs: Vec<String> = self.by_item.iter().map(|(name, _)| name.clone()).collect();
        item_inputs.extend(handler.then(|| "error".to_owned()));
        item_inputs.extend(self.brings_item_dir(context).then(|| ITEM_DIR.to_owned()));
        let settings = &context.settings;
        Ok(wire::Start {
            program: self.program(context),
            setup: self.setup.as_ref().map(|text| text.raw.clone()),
            teardown: self.teardown.as_ref().map(|text| text.raw.clone()),
            max_memory: self.max_memory,
            samples: context.host.samples.as_ref().map(|folder| folder.display().to_string()),
            import_path: self.import_path(),
            items: wire::ItemSettings {
                has_item: settings.has_item,
                batched: settings.batched && !handler,
                batch_format: if handler { BatchFormat::Records } else { settings.batch_format },
                forms: if handler { vec![Form::Json] } else { context.forms.to_vec() },
                skip_bad_rows: settings.skip_bad_rows,
                clock: settings.item_timeout.is_some(),
                seed: settings.seed.map(|seed| self.seed(seed, context, role)),
            },
            scope: wire::ScopeValues {
                params: raw(value_to_json(&params).map_err(|message| unwritable(&message))?)?,
                steps: raw(steps)?,
                inputs: raw(inputs)?,
                outputs: outputs.into_iter().map(|(name, _)| name).collect(),
                stored: writer.stored,
                small: writer.small,
                item_inputs,
            },
        })
    }

    /// The seed of this code alone: two steps, or the task of a step and its aggregate, draw different numbers for equal items.
    fn seed(&self, seed: i64, context: &StepContext, role: Role) -> u64 {
        let part = if role == Role::ErrorHandler { "on_item_error" } else { self.part };
        xxhash_rust::xxh3::xxh3_64(format!("{seed} {} {part}", context.step).as_bytes())
    }

    fn program(&self, context: &StepContext) -> wire::Program {
        match &self.program {
            Source::Code(source) => {
                wire::Program::Code { source: source.clone(), filename: format!("{}.{}", context.step, self.part) }
            }
            Source::Script { path, text } => wire::Program::Code { source: text.clone(), filename: path.clone() },
            Source::Function { module, name } => wire::Program::Function { module: module.clone(), name: name.clone() },
            Source::Operation(name) => wire::Program::Operation { name: name.clone() },
            Source::Pickled { path, folder } => wire::Program::Pickled { path: path.clone(), folder: folder.clone() },
        }
    }

    /// Whether each item has an input `item_dir`: if the code mentions it, and no other input has that name.
    pub(super) fn brings_item_dir(&self, context: &StepContext) -> bool {
        context.item_files.is_some() && !self.has_input(ITEM_DIR) && self.mentions(ITEM_DIR)
    }

    fn has_input(&self, name: &str) -> bool {
        self.fixed.iter().chain(&self.by_item).any(|(input, _)| input == name)
    }

    /// Whether its code contains a word. The results of earlier steps are sent only to code that may read them.
    fn mentions(&self, word: &str) -> bool {
        let texts = [&self.setup, &self.teardown].into_iter().flatten().map(|text| text.raw.as_str());
        self.code().into_iter().chain(texts).any(|text| text.contains(word))
    }
}
