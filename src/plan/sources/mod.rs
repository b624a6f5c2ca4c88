//! Where items come from. Each source gives its items in order, as JSON text, as many at a time as asked for.

mod command;
mod glob;
mod lines;
mod list;
mod range;
mod results;

use crate::model::{self, ItemKey};
use crate::spec::ItemsSpec;
use crate::template::{ItemScope, TemplateError};
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;

/// A source of items. The first of them may be used before the last is known.
pub trait Source: Send {
    /// How many items there are in all, where that is known before they are read.
    fn total(&self) -> Option<u64>;

    /// Appends up to `most` items; fewer, only at the end or when `items` is full.
    ///
    /// # Errors
    /// Where the source cannot be read on.
    fn fill(&mut self, items: &mut model::Items, most: usize) -> Result<(), SourceError>;

    /// What an item of this source is known by.
    fn key(&self, item: &[u8]) -> ItemKey {
        ItemKey::of(item)
    }
}

/// Why items cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A template failed.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A template gave something that is no list.
    #[error("`{template}` is {found}, not a list of items")]
    NotAList {
        /// The template.
        template: String,
        /// What it gave.
        found: &'static str,
    },
    /// A command failed.
    #[error("command `{command}` {how}")]
    Command {
        /// The command.
        command: String,
        /// How, with the end of its stderr.
        how: String,
    },
    /// A pattern is wrong.
    #[error("bad pattern `{pattern}`: {cause}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why.
        cause: String,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line or name is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotUtf8(String),
    /// A setting of the source is wrong.
    #[error("{0}")]
    Setting(String),
}

/// Items held back so that the first can be looked at.
pub struct Items {
    source: Box<dyn Source>,
    first: model::Items,
}

impl Items {
    /// The JSON text of the first item.
    pub fn first(&self) -> Option<&[u8]> {
        (!self.first.is_empty()).then(|| self.first.get(0))
    }
}

impl Source for Items {
    fn total(&self) -> Option<u64> {
        self.source.total()
    }

    fn key(&self, item: &[u8]) -> ItemKey {
        self.source.key(item)
    }

    fn fill(&mut self, items: &mut model::Items, most: usize) -> Result<(), SourceError> {
        let held = if most == 0 { model::Items::default() } else { std::mem::take(&mut self.first) };
        held.iter().for_each(|item| items.push(item));
        self.source.fill(items, most - held.len())
    }
}

/// Runs the command of a source to its end: how children are started and ended is not this module's matter.
pub type RunCommand<'a> = dyn Fn(&mut Command) -> io::Result<Output> + 'a;

/// Opens the source that a step names, and reads its first item.
///
/// # Errors
/// Where it cannot be opened; for `$(command)`, where the command fails.
pub fn open(
    spec: &ItemsSpec,
    scope: &Arc<ItemScope>,
    env: &[(String, String)],
    run: &RunCommand<'_>,
) -> Result<Items, SourceError> {
    let mut source: Box<dyn Source> = match spec {
        ItemsSpec::List(list) => Box::new(list::of_trees(list, scope)?),
        ItemsSpec::Template(text) => match results::open(text, scope)? {
            Some(results) => Box::new(results),
            None => Box::new(list::of_template(text, scope)?),
        },
        ItemsSpec::Command(text) => Box::new(command::open(text, scope, env, run)?),
        ItemsSpec::Glob(patterns) => Box::new(glob::open(patterns, scope)?),
        ItemsSpec::Range { start, stop, step } => Box::new(range::open(start, stop, step, scope)?),
        ItemsSpec::Lines(path) => Box::new(lines::open(path, scope)?),
    };
    let mut first = model::Items::default();
    source.fill(&mut first, 1)?;
    Ok(Items { source, first })
}
