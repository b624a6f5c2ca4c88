//! A whole file: its top-level keys.

use super::params::params;
use super::section::Section;
use super::shell::shell_program;
use super::steps::{closing, steps};
use crate::model::Span;
use crate::spec::diagnostic::{Diagnostic, Diagnostics, ErrorList};
use crate::spec::dialect::Dialect;
use crate::spec::draft::{Doubts, Draft, may_be_meant};
use crate::spec::keys;
use crate::spec::native::Native;
use crate::spec::node::{Node, NodeKind};
use crate::spec::setting::{Readable, Setting};
use crate::spec::source_file::SourceFile;
use crate::spec::task::MemorySize;
use crate::spec::workflow::{MachineLimits, Step, Workflow};
use crate::spec::yaml;
use std::path::Path;
use std::sync::Arc;

/// Reads a workflow file. `path` is used in messages and for the default name.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Workflow, Diagnostics> {
    draft(path, bytes)?.checked()
}

/// Reads a workflow file as far as it can be read.
///
/// # Errors
/// If it is not YAML.
pub fn draft(path: &Path, bytes: &[u8]) -> Result<Draft, Diagnostics> {
    draft_of(&Native, path, bytes)
}

/// Reads a workflow file that is written in a dialect.
#[cfg(test)]
pub(super) fn parse_dialect(dialect: &dyn Dialect, path: &Path, bytes: &[u8]) -> Result<Workflow, Diagnostics> {
    draft_of(dialect, path, bytes)?.checked()
}

fn draft_of(dialect: &dyn Dialect, path: &Path, bytes: &[u8]) -> Result<Draft, Diagnostics> {
    let source = yaml::decode(path, bytes)?;
    let (root, mut errors) = match yaml::load(&source, dialect.templates()) {
        Ok(loaded) => loaded,
        Err(error) => return Err(Diagnostics::one(source, error)),
    };
    let root = dialect.lower(root, &mut errors);
    refuse_template_keys(&root, &mut errors);
    let top = Span::new(root.span.start, root.span.start);
    let mut section = Section::new(&root, "", top);
    let (mut workflow, mut doubts) = workflow(&mut section, &mut errors);
    let known = errors.len();
    section.reject_unknown(&[&keys::WORKFLOW], &mut errors);
    doubts.params |= workflow.params.is_none() && may_be_meant(&errors, known, "params");
    doubts.env |= workflow.env.is_empty() && may_be_meant(&errors, known, "env");
    if workflow.name.is_empty() {
        workflow.name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    }
    workflow.source = source;
    Ok(Draft { workflow, errors: errors.into_vec(), doubts })
}

/// A key is never a template, so one that looks like it would stay as it is, in silence.
fn refuse_template_keys(node: &Node, errors: &mut ErrorList) {
    match &node.kind {
        NodeKind::List(list) => list.iter().for_each(|node| refuse_template_keys(node, errors)),
        NodeKind::Map(entries) => {
            for entry in entries.iter().filter(|entry| !entry.key.starts_with(keys::EXTENSION)) {
                if entry.key.contains("{{") && entry.key.contains("}}") {
                    let error = Diagnostic::at(entry.key_span, "a key cannot be a template");
                    errors.push(error.help("write the whole mapping as a template: `\"{{ {name: value} }}\"`"));
                }
                refuse_template_keys(&entry.value, errors);
            }
        }
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) | NodeKind::Text(_) => {}
    }
}

/// Reads the top-level keys, without the source and the default name.
fn workflow(section: &mut Section<'_>, errors: &mut ErrorList) -> (Workflow, Doubts) {
    let name = section.take("name").and_then(|name| name.literal(errors));
    let description = section.take("description").and_then(|text| text.plain(errors));
    let start = errors.len();
    let params = section.take("params").map(|field| params(&field, errors));
    let after_params = errors.len();
    let env = section.take("env").map(|field| field.scalars(errors)).unwrap_or_default();
    let mut doubts = Doubts { params: after_params > start, env: errors.len() > after_params, ..Doubts::default() };
    let secrets = section.take("secrets").map(|field| field.literals(errors)).unwrap_or_default();
    let keep_runs = |value: &_| {
        let count = std::num::NonZeroUsize::read(value);
        count.map_err(|error| {
            error.help("write how many runs that succeeded to keep, or remove it to keep all but old incremental runs")
        })
    };
    let keep_runs = section.take("keep_runs").and_then(|field| field.with(keep_runs, errors));
    let machine = MachineLimits {
        time_limit: section.take("time_limit").and_then(|field| field.with(Readable::read, errors)),
        min_free_memory: section
            .take("min_free_memory")
            .and_then(|field| field.with(MemorySize::read, errors))
            .map(|size| size.0),
        max_load: section.take("max_load").and_then(|field| field.with(Readable::read, errors)),
    };
    let shell = section.take("shell").and_then(|field| shell_program(&field, errors));
    let seed: Option<Setting<i64>> = section.take("seed").and_then(|field| field.setting(errors));
    let mut steps = match section.take("steps") {
        Some(field) => steps(&field, &mut doubts, errors),
        None => {
            if !section.has_similar("steps") {
                errors.push(Diagnostic::of_file("missing key `steps`").help("list the steps under `steps`"));
            }
            Vec::new()
        }
    };
    let names = [Workflow::ON_FAILURE, Workflow::FINALLY];
    let mut closing: Vec<Step> =
        names.into_iter().filter_map(|name| closing(&section.take(name)?, &steps, errors)).collect();
    if let Some(shell) = &shell {
        steps.iter_mut().chain(&mut closing).for_each(|step| step.default_shell(shell));
    }
    if let Some(seed) = &seed {
        steps.iter_mut().chain(&mut closing).for_each(|step| step.kind.default_seed(seed));
    }
    let workflow = Workflow {
        source: SourceFile::default(),
        name: name.map(|name| name.raw).unwrap_or_default(),
        description: description.map(|text| text.raw),
        params,
        env,
        keep_runs,
        machine,
        secrets,
        steps: steps.into_iter().map(Arc::new).collect(),
        closing: closing.into_iter().map(Arc::new).collect(),
    };
    (workflow, doubts)
}
