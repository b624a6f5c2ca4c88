//! From the tree of nodes to the checked workflow. Every error is noted and reading goes on, so that all come at once.

mod aggregate;
mod batch;
mod items;
mod outputs;
mod params;
mod python;
mod retry;
mod rows;
mod section;
mod sql;
mod steps;
mod task;

#[cfg(test)]
mod tests;

use super::diagnostic::ErrorList;
use super::keys::{self, nearest};
use super::{Diagnostic, Diagnostics, SourceFile, Workflow, yaml};
use crate::model::Span;
use section::{Field, Section};
use std::path::Path;

pub use params::{check_param, value, values};

/// Reads a workflow file; `path` is only for the messages and the default name.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Workflow, Diagnostics> {
    let source = yaml::decode(path, bytes)?;
    let (root, mut errors) = match yaml::load(&source) {
        Ok(loaded) => loaded,
        Err(error) => return Err(Diagnostics::one(source, error)),
    };
    let top = Span::new(root.span.start, root.span.start);
    let mut section = Section::new(&root, "", top);
    let mut workflow = workflow(&mut section, &mut errors);
    section.reject_unknown(&[&keys::WORKFLOW], &mut errors);
    match Diagnostics::new(source.clone(), errors.into_vec()) {
        Some(errors) => Err(errors),
        None => {
            if workflow.name.is_empty() {
                workflow.name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            }
            workflow.source = source;
            Ok(workflow)
        }
    }
}

/// What the file says, without its source and its default name; only trusted where no error was noted.
fn workflow(section: &mut Section<'_>, errors: &mut ErrorList) -> Workflow {
    let name = section.take("name").and_then(|name| name.literal(errors));
    let description = section.take("description").and_then(|text| text.plain(errors));
    let params = section.take("params").map(|field| params::params(&field, errors));
    let env = section.take("env").map(|field| field.scalars(errors)).unwrap_or_default();
    let secrets = section.take("secrets").map(|field| field.literals(errors)).unwrap_or_default();
    let steps = match section.take("steps") {
        Some(field) => steps::steps(&field, errors),
        None => {
            if !section.has_similar("steps") {
                errors.push(Diagnostic::of_file("`steps` is missing").help("list what to do under `steps:`"));
            }
            Vec::new()
        }
    };
    let closing = [Workflow::ON_FAILURE, Workflow::FINALLY];
    let closing = closing.into_iter().filter_map(|name| steps::closing(&section.take(name)?, &steps, errors)).collect();
    Workflow {
        source: SourceFile::default(),
        name: name.map(|name| name.raw).unwrap_or_default(),
        description: description.map(|text| text.raw),
        params,
        env,
        secrets,
        steps,
        closing,
    }
}

/// Whether the name can be a variable of Python and of templates.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Reads a value that must be one of some words.
fn choice(field: &Field<'_>, words: &[&'static str], errors: &mut ErrorList) -> Option<&'static str> {
    let text = field.literal(errors)?;
    if let Some(word) = words.iter().find(|word| **word == text.raw) {
        return Some(word);
    }
    let error = field.error(format!("must be one of {}; found \"{}\"", keys::listed(words.iter().copied()), text.raw));
    errors.push(match nearest(&text.raw, words.iter().copied()) {
        Some(meant) => error.label(format!("did you mean `{meant}`?")),
        None => error,
    });
    None
}
