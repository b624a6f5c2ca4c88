//! Where items come from. Each source gives its items in order, as JSON text, as many at a time as asked for.

mod command;
pub(crate) mod files;
mod glob;
mod lines;
mod list;
mod range;
mod request;
mod results;
mod settings;
mod sql;
mod table;

pub use files::Meter;
pub use request::Request;
pub(crate) use request::{DELIMITERS, Known};
pub use settings::resolve;
pub(crate) use table::columns_of;

use crate::model::{self, Failure, Form, ItemKey, Keys, Origin};
use crate::rows;
use crate::spec::{ItemsSpec, OnBadRow};
use crate::template::{ItemScope, TemplateError};
use crossbeam_channel::Receiver;
use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;

/// A source of items. The first of them may be used before the last is known.
pub trait Source: Send {
    /// How many items there are in all, where that is known before they are read.
    fn total(&self) -> Option<u64>;

    /// The next items, up to `most`, which is at least 1; none at the end. Items of one chunk have one form and one origin.
    ///
    /// # Errors
    /// Where the source cannot be read on.
    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError>;

    /// Begins anew with the first item.
    ///
    /// # Errors
    /// Where that is not there any more.
    fn rewind(&mut self) -> Result<(), SourceError>;

    /// Gives out the first `most` items, the largest first, if it knows how large they are: what takes longest should not
    /// begin last. To be asked before the first item is.
    fn largest_first(&mut self, _most: u64) {}

    /// Knows files by what is in them from now on, not by size and time of change.
    fn compare_content(&mut self) {}

    /// How its items are to be read: what [`Chunk::form`] counts in.
    fn forms(&self) -> Arc<[Form]> {
        Arc::new([Form::Json])
    }

    /// How many bytes all its items come to in their files, where all of them are read and that is known.
    fn bytes(&self) -> Option<u64> {
        None
    }

    /// What it takes to count its items beforehand, where they are rows of files.
    fn survey(&self) -> Option<Request> {
        None
    }

    /// What becomes of rows that cannot be read.
    fn on_bad_row(&self) -> OnBadRow {
        OnBadRow::Fail
    }
}

/// Neighbouring items of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The items.
    pub items: model::Items,
    /// What each is known by.
    pub keys: Keys,
    /// Where they stand in the source, rising; none where they follow those that were given out before.
    pub indexes: Option<Vec<u64>>,
    /// Their form.
    pub form: usize,
    /// The file that they came from, if they are rows of one.
    pub origin: Option<Origin>,
    /// How much of their files they come to, in bytes on the disk; 0 where they are of none.
    pub bytes: u64,
    /// A file that cannot be read: why. There is one item then, which stands for it.
    pub file_error: Option<Failure>,
}

/// The key of a file: of its name and what is in it; none where it cannot be read.
fn content_key(name: &[u8], path: &std::path::Path) -> Option<ItemKey> {
    let mut file = std::fs::File::open(path).ok()?;
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(name);
    let mut chunk = vec![0; 1 << 20];
    loop {
        match io::Read::read(&mut file, &mut chunk) {
            Ok(0) => return Some(ItemKey::from(hash.digest128())),
            Ok(read) => hash.update(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

impl Chunk {
    /// Items that are JSON; none where there are none.
    fn of_json(items: model::Items, key: impl Fn(&[u8]) -> ItemKey) -> Option<Self> {
        let keys = Keys::List(items.iter().map(key).collect());
        (!items.is_empty()).then_some(Self {
            items,
            keys,
            indexes: None,
            form: 0,
            origin: None,
            bytes: 0,
            file_error: None,
        })
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
    /// A database gives no rows.
    #[error("no rows from {database}: {cause}")]
    Database {
        /// The database.
        database: String,
        /// What it says.
        cause: String,
    },
    /// Items are others than those that were compared with what is done.
    #[error("its items have changed since they were compared with what is done, at item {0}; {1}")]
    Changed(u64, &'static str),
    /// Waiting for items was ended.
    #[error("interrupted while waiting for items")]
    Stopped,
    /// A setting of the source is wrong.
    #[error("{0}")]
    Setting(String),
    /// The columns of files do not fit.
    #[error("{message}")]
    Columns {
        /// Why.
        message: String,
        /// What looks as if it were the delimiter of the files.
        delimiter: Option<char>,
    },
}

impl SourceError {
    /// The way out, where one is known.
    pub fn hint(&self) -> Option<String> {
        let Self::Columns { delimiter: Some(delimiter), .. } = self else { return None };
        let written = if *delimiter == '\t' { "tab".to_owned() } else { format!("'{delimiter}'") };
        Some(format!("all files have one column: is `delimiter: {written}` missing?"))
    }
}

/// A source whose first item is known.
pub struct Items {
    /// The source.
    pub source: Box<dyn Source>,
    first: Option<Vec<u8>>,
}

impl Items {
    /// The JSON text of the first item that can be read.
    pub fn first(&self) -> Option<&[u8]> {
        self.first.as_deref()
    }
}

/// Runs the command of a source to its end: how children are started and ended is not this module's matter.
pub type RunCommand<'a> = dyn Fn(&mut Command) -> io::Result<Output> + 'a;

/// What a source needs of its surroundings.
#[derive(Clone, Copy)]
pub struct SourceHost<'a> {
    /// Runs commands.
    pub run: &'a RunCommand<'a>,
    /// Disconnects when nobody waits for items any more.
    pub stop: &'a Receiver<Infallible>,
}

/// Opens the source that a step names, and reads its first item.
///
/// # Errors
/// Where it cannot be opened; for `$(command)`, where the command fails, for `sql`, where the database does not answer.
pub fn open(
    spec: &ItemsSpec,
    scope: &Arc<ItemScope>,
    env: &[(String, String)],
    host: SourceHost<'_>,
) -> Result<Items, SourceError> {
    let mut source: Box<dyn Source> = match spec {
        ItemsSpec::List(list) => Box::new(list::of_trees(list, scope)?),
        ItemsSpec::Template(text) => match results::open(text, scope)? {
            Some(results) => Box::new(results),
            None => Box::new(list::of_template(text, scope)?),
        },
        ItemsSpec::Command(text) => Box::new(command::open(text, scope, env, host.run)?),
        ItemsSpec::Glob(patterns) => Box::new(glob::open(patterns, scope)?),
        ItemsSpec::Range { start, stop, step } => Box::new(range::open(start, stop, step, scope)?),
        ItemsSpec::Lines(path) => Box::new(lines::open(path, scope)?),
        ItemsSpec::Rows(rows) => table::open(rows, scope)?,
        ItemsSpec::Sql(sql) => Box::new(sql::open(sql, scope, host.stop)?),
    };
    let first = first(&mut *source)?;
    source.rewind()?;
    Ok(Items { source, first })
}

/// The first item that can be read, as JSON.
fn first(source: &mut dyn Source) -> Result<Option<Vec<u8>>, SourceError> {
    /// Behind so many bad rows nobody looks for a good one.
    const MOST: usize = 1000;
    let forms = source.forms();
    for _ in 0..MOST {
        let Some(chunk) = source.next(1)? else { return Ok(None) };
        let item = rows::to_json(&forms[chunk.form], &chunk.items, 0, chunk.origin.as_ref());
        if let (Ok(item), None) = (item, chunk.file_error) {
            return Ok(Some(item));
        }
    }
    Ok(None)
}
