//! Compiles the templates of a step and checks the names in them.

use super::dependencies::mentions_item_dir;
use super::prepared::aggregate_of;
use super::sound::{sound, sound_python};
use crate::model::Text;
use crate::spec::{Aggregate, BatchSpec, Diagnostic, ItemsSpec, PythonTask, Setting, SourceFile, Step, StepKind, Task};
use crate::task::Program;
use crate::template::{Names, ShellCommand, Template, TemplateError};
use std::path::Path;

/// Compiles and checks one step.
pub(super) struct Checker<'a> {
    pub(super) source: &'a SourceFile,
    pub(super) errors: &'a mut Vec<Diagnostic>,
    pub(super) step: &'a Step,
    pub(super) names: &'a Names,
    /// The folder of the workflow file.
    pub(super) folder: &'a Path,
}

impl Checker<'_> {
    fn note(&mut self, errors: Vec<TemplateError>) {
        let within = format!("steps.{}", self.step.name);
        let errors = errors.iter().map(|error| template_error(self.source, error, within.clone()));
        self.errors.extend(errors);
    }

    /// The programs of its task and of `on_item_error`.
    pub(super) fn step(&mut self) -> (Option<Program>, Option<Program>) {
        self.setting(self.step.timeout.as_ref());
        self.setting(self.step.kind.python_tasks().find_map(|task| task.seed.as_ref()));
        self.step.outputs.file.iter().for_each(|file| self.text(&file.path));
        self.step.outputs.table.iter().flat_map(|table| [&table.url, &table.table]).for_each(|text| self.text(text));
        self.step.outputs.item_files.iter().for_each(|path| self.text(path));
        self.on_missing();
        match &self.step.kind {
            StepKind::Single(single) => {
                self.setting(single.timeout.as_ref());
                (self.program(&single.task, &self.names.clone()), None)
            }
            StepKind::Batch(batch) => {
                self.batch_settings(batch);
                batch.aggregate_file.iter().for_each(|file| self.text(&file.path));
                let item = Names { item: true, item_dir: true, ..self.names.clone() };
                let error = Names { error: true, item_dir: false, ..item.clone() };
                let handler = batch.on_item_error.as_ref().and_then(|task| self.program(task, &error));
                (self.program(&batch.task, &item), handler)
            }
        }
    }

    /// `on_missing` is about files that the items make.
    fn on_missing(&mut self) {
        let outputs = &self.step.outputs;
        // Before there is an item, there is no directory for its files, unless an error has hidden the task.
        let is_unsure = self.names.item_dir;
        let Some((_, span)) = outputs.on_missing.filter(|_| outputs.item_files.is_none() && !is_unsure) else { return };
        if matches!(self.step.kind, StepKind::Batch(_)) && mentions_item_dir(self.step, self.folder) {
            return;
        }
        let error = Diagnostic::at(span, "`on_missing` has no effect, because the items of the step make no files");
        let error = error.within(format!("steps.{}.outputs.on_missing", self.step.name));
        self.errors.push(error.help("remove it, or have the task write to `item_dir`"));
    }

    /// The aggregate of the step, where it is code. It sees the step itself too.
    pub(super) fn aggregate(&mut self) -> Option<Program> {
        let Some(Aggregate::Code(task)) = aggregate_of(self.step) else { return None };
        let compile = |task: &PythonTask| Program::aggregate(task, &self.step.name, self.folder);
        let compiled = compile(task).or_else(|errors| {
            self.note(errors);
            compile(&sound_python(task, self.folder))
        });
        compiled.inspect(|program| self.note(program.check(self.names))).ok()
    }

    fn program(&mut self, task: &Task, names: &Names) -> Option<Program> {
        let compiled = Program::compile(task, self.folder).or_else(|errors| {
            self.note(errors);
            // What the error leaves out is checked all the same.
            Program::compile(&sound(task, self.folder), self.folder)
        });
        compiled.inspect(|program| self.note(program.check(names))).ok()
    }

    fn batch_settings(&mut self, batch: &BatchSpec) {
        self.items(&batch.items);
        self.condition(batch.condition.as_ref());
        self.setting(Some(&batch.batch_size));
        self.setting(batch.parallel.as_ref());
        self.setting(batch.max_parallel.as_ref());
        self.setting(batch.queue_size.as_ref());
        self.setting(Some(&batch.continue_on_error));
        self.setting(batch.max_failures.as_ref());
        self.setting(batch.timeout.as_ref());
        self.setting(batch.batch_timeout.as_ref());
    }

    /// `where` sees the item, though not what belongs to its task.
    fn condition(&mut self, condition: Option<&Text>) {
        let Some(text) = condition else { return };
        let names = Names { item: true, ..self.names.clone() };
        match Template::compile(text) {
            Ok(template) => self.note(template.check(&names)),
            Err(error) => self.note(vec![error]),
        }
    }

    fn items(&mut self, items: &ItemsSpec) {
        match items {
            ItemsSpec::List(list) => list.iter().for_each(|tree| tree.texts(&mut |text| self.text(text))),
            ItemsSpec::Template(text) | ItemsSpec::Lines(text) => self.text(text),
            ItemsSpec::Glob(texts) => texts.iter().for_each(|text| self.text(text)),
            ItemsSpec::Rows(rows) => {
                rows.paths.iter().for_each(|text| self.text(text));
                rows.save_bad_rows.iter().for_each(|file| self.text(&file.path));
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
            ItemsSpec::Product(axes) => axes.iter().for_each(|(_, items)| self.items(items)),
        }
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

/// An error of a template, with its position in the file.
pub fn template_error(source: &SourceFile, error: &TemplateError, within: String) -> Diagnostic {
    let span = error.needle.as_ref().map_or(error.span, |needle| source.locate(error.span, needle));
    let fault = Diagnostic::at(span, &error.message).within(within);
    error.help.iter().fold(fault, |fault, help| fault.help(help.as_str()))
}
