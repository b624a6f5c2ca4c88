//! From the tree of nodes to the checked workflow. Every error is noted and reading goes on, so that all come at once.

mod aggregate;
mod batch;
mod items;
mod outputs;
mod params;
mod python;
mod rows;
mod section;
mod settings;
mod sql;
mod steps;
mod task;

#[cfg(test)]
mod tests;

use super::keys::{self, nearest};
use super::{Diagnostic, Diagnostics, SourceFile, Workflow, yaml};
use crate::model::Span;
use section::{Given, Section, Sink};
use std::path::Path;

pub use params::{check_param, value, values};

/// Reads a workflow file; `path` is only for the messages and the default name.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Workflow, Diagnostics> {
    let source = yaml::decode(path, bytes)?;
    let (root, errors) = match yaml::load(&source) {
        Ok(loaded) => loaded,
        Err(error) => return Err(Diagnostics::one(source, error)),
    };
    let mut sink = Sink { errors };
    let top = Span::new(root.span.start, root.span.start);
    let mut section = Section::new(&root, "", top);
    let mut workflow = workflow(&mut section, &mut sink);
    section.finish(&[&keys::WORKFLOW], &mut sink);
    match Diagnostics::new(source.clone(), sink.errors) {
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
fn workflow(section: &mut Section<'_>, sink: &mut Sink) -> Workflow {
    let name = section.take("name").and_then(|name| name.word(sink));
    let description = section.take("description").and_then(|text| text.plain(sink));
    let params = section.take("params").map(|given| params::params(&given, sink));
    let env = section.take("env").map(|given| given.scalars(sink)).unwrap_or_default();
    let secrets = section.take("secrets").map(|given| given.words(sink)).unwrap_or_default();
    let steps = match section.take("steps") {
        Some(given) => steps::steps(&given, sink),
        None => {
            if !section.has_nearly("steps") {
                sink.push(Diagnostic::of_file("`steps` is missing").help("list what to do under `steps:`"));
            }
            Vec::new()
        }
    };
    let closing = [Workflow::ON_FAILURE, Workflow::FINALLY];
    let closing = closing.into_iter().filter_map(|name| steps::closing(&section.take(name)?, &steps, sink)).collect();
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
fn choice(given: &Given<'_>, words: &[&'static str], sink: &mut Sink) -> Option<&'static str> {
    let text = given.word(sink)?;
    if let Some(word) = words.iter().find(|word| **word == text.raw) {
        return Some(word);
    }
    let error = given.error(format!("must be one of {}; found \"{}\"", keys::listed(words.iter().copied()), text.raw));
    sink.push(match nearest(&text.raw, words.iter().copied()) {
        Some(meant) => error.label(format!("did you mean `{meant}`?")),
        None => error,
    });
    None
}
