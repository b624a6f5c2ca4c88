//! `{sql:, url:}`: each row that a database gives for a query is an item, a mapping of its columns.
//!
//! A thread of its own asks and hands the rows over in blocks, through a bounded channel: memory is flat, and whoever waits for
//! rows can be told to stop. When nobody wants more, the query is cancelled and the thread joined. What the databases have in
//! common is here; how each is spoken to, and what its values are as JSON, is in a file of its own.
//!
//! No message has the address of the database in it, because its password is a part of that.

mod address;
mod postgresql;
mod sqlite;

use super::resolve;
use super::{Chunk, Source, SourceError};
use crate::model::{self, ItemKey};
use crate::spec::SqlSpec;
use crate::template::{CompiledTree, ItemScope, Template};
use address::Database;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never, select};
use serde_json::Value;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// A block is handed over when it has so many rows, or so many bytes.
const BLOCK_ROWS: usize = 1000;
const BLOCK_BYTES: usize = 256 << 10;

/// Between two attempts to cancel a query that does not end: one that had not begun yet does not notice the first.
const PATIENCE: Duration = Duration::from_millis(100);

/// The rows of a query.
pub(super) struct Query {
    question: Arc<Question>,
    limit: u64,
    stop: Receiver<Infallible>,
    answer: Option<Answer>,
    given: u64,
}

/// What is asked, and whom.
struct Question {
    database: Database,
    sql: String,
    params: Vec<Value>,
}

pub(super) fn open(spec: &SqlSpec, scope: &Arc<ItemScope>, stop: &Receiver<Infallible>) -> Result<Query, SourceError> {
    let url = Template::compile(&spec.url)?.string(scope)?;
    let database = Database::parse(url.trim()).map_err(SourceError::Setting)?;
    let sql = Template::compile(&spec.sql)?.string(scope)?;
    let mut params = Vec::with_capacity(spec.params.len());
    for param in &spec.params {
        let json = CompiledTree::compile(param).map_err(|mut errors| errors.swap_remove(0))?.json(scope)?;
        params.push(serde_json::from_slice(&json).map_err(|error| SourceError::Setting(error.to_string()))?);
    }
    let limit = match &spec.limit {
        Some(limit) => resolve("limit", limit, scope).map_err(SourceError::Setting)?.get() as u64,
        None => u64::MAX,
    };
    let question = Arc::new(Question { database, sql, params });
    Ok(Query { question, limit, stop: stop.clone(), answer: None, given: 0 })
}

impl Source for Query {
    fn total(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        let most = usize::try_from(self.limit - self.given).unwrap_or(usize::MAX).min(most);
        let mut items = model::Items::default();
        while items.len() < most && !items.is_full() {
            let answer = self.answer.get_or_insert_with(|| Answer::to(&self.question));
            if let Some(row) = answer.row() {
                items.push(row);
                continue;
            }
            match answer.more(&self.stop)? {
                Ok(true) => {}
                Ok(false) => break,
                // It comes again behind the rows before it.
                Err(_) if !items.is_empty() => break,
                Err(cause) => return Err(self.question.failed(&cause)),
            }
        }
        self.given += items.len() as u64;
        Ok(Chunk::of_json(items, ItemKey::of))
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        self.given = 0;
        // As long as the rows so far are there, nobody is asked again.
        if !self.answer.as_mut().is_some_and(Answer::rewind) {
            self.answer = None;
        }
        Ok(())
    }
}

impl Question {
    fn failed(&self, cause: &str) -> SourceError {
        SourceError::Database { database: self.database.name(), cause: cause.to_owned() }
    }
}

/// Rows on their way.
struct Answer {
    blocks: Receiver<Result<model::Items, String>>,
    /// The block that is being given out, and how much of it was.
    block: model::Items,
    at: usize,
    /// How many blocks came.
    count: u64,
    broken: Option<String>,
    asker: Option<JoinHandle<()>>,
    /// Closes when the asker ends.
    ended: Receiver<Infallible>,
    call: Arc<Call>,
}

/// What asker and source know of each other.
#[derive(Default)]
struct Call {
    /// Whether nobody wants rows any more.
    over: AtomicBool,
    /// Cancels the query, once there is a connection.
    cancel: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Call {
    /// There is a connection now, and this cancels what it does. False where nobody wants that any more.
    fn connected(&self, cancel: impl Fn() + Send + Sync + 'static) -> bool {
        let _ = self.cancel.set(Box::new(cancel));
        !self.over.load(Ordering::SeqCst)
    }
}

impl Answer {
    fn to(question: &Arc<Question>) -> Self {
        let (hand_over, blocks) = bounded(2);
        let (alive, ended) = bounded::<Infallible>(0);
        let call = Arc::new(Call::default());
        let (question, of) = (Arc::clone(question), Arc::clone(&call));
        let ask = move || {
            let _alive = alive;
            let mut rows = Rows { block: model::Items::default(), blocks: hand_over };
            let answered = match &question.database {
                Database::Sqlite(path) => sqlite::ask(path, &question, &of, &mut rows),
                Database::Postgresql(config) => postgresql::ask(config, &question, &of, &mut rows),
            };
            rows.hand_over();
            if let Err(cause) = answered {
                drop(rows.blocks.send(Err(cause)));
            }
        };
        let asker = std::thread::Builder::new().name("query".to_owned()).spawn(ask);
        let (asker, broken) = match asker {
            Ok(asker) => (Some(asker), None),
            Err(error) => (None, Some(format!("cannot start a thread: {error}"))),
        };
        Self { blocks, block: model::Items::default(), at: 0, count: 0, broken, asker, ended, call }
    }

    /// The next row that is there already.
    fn row(&mut self) -> Option<&[u8]> {
        let at = self.at;
        (at < self.block.len()).then(|| {
            self.at += 1;
            self.block.get(at)
        })
    }

    /// Waits for the next block; false at the end. The inner error is the database's.
    fn more(&mut self, stop: &Receiver<Infallible>) -> Result<Result<bool, String>, SourceError> {
        if let Some(cause) = self.broken.clone() {
            return Ok(Err(cause));
        }
        let block = select! {
            recv(self.blocks) -> block => block,
            recv(stop) -> _ => return Err(SourceError::Stopped),
        };
        match block {
            Ok(Ok(block)) => {
                (self.block, self.at) = (block, 0);
                self.count += 1;
            }
            Ok(Err(cause)) => {
                self.broken = Some(cause.clone());
                return Ok(Err(cause));
            }
            Err(_) => {
                if let Some(Err(panic)) = self.asker.take().map(JoinHandle::join) {
                    std::panic::resume_unwind(panic);
                }
                return Ok(Ok(false));
            }
        }
        Ok(Ok(true))
    }

    /// Begins anew with the rows that are there, if those are all so far.
    fn rewind(&mut self) -> bool {
        self.at = 0;
        self.count <= 1 && self.broken.is_none()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let Some(asker) = self.asker.take() else { return };
        self.call.over.store(true, Ordering::SeqCst);
        self.blocks = never();
        while self.ended.recv_timeout(Duration::ZERO) != Err(RecvTimeoutError::Disconnected) {
            let connected = self.call.cancel.get();
            if let Some(cancel) = connected {
                cancel();
            }
            if self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) && connected.is_none() {
                // It waits for a server that does not answer, which nothing can end. Once it has, it asks nothing.
                return;
            }
        }
        // A panic of the asker was not about rows that anybody wanted.
        drop(asker.join());
    }
}

/// Where the asker puts rows.
struct Rows {
    block: model::Items,
    blocks: Sender<Result<model::Items, String>>,
}

impl Rows {
    /// Takes a row that `write` writes as JSON; false where nobody wants more.
    fn take(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.block.push_with(write);
        let full = self.block.len() >= BLOCK_ROWS || self.block.as_parts().0.len() >= BLOCK_BYTES;
        !full || self.hand_over()
    }

    fn hand_over(&mut self) -> bool {
        let block = std::mem::take(&mut self.block);
        block.is_empty() || self.blocks.send(Ok(block)).is_ok()
    }
}

/// Checks that columns can become a mapping.
fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("it gives the column `{name}` twice; name one of them with `AS`"));
        }
    }
    if seen.is_empty() { Err("it gives no columns: only a query has rows".to_owned()) } else { Ok(()) }
}

/// Checks that there is a value for each place.
fn check_params(places: usize, question: &Question) -> Result<(), String> {
    if places == question.params.len() {
        return Ok(());
    }
    Err(format!("it has {places} places for values, and `params` gives {}", question.params.len()))
}

/// A message, and the place in the query that it is about: behind so much text.
fn at(message: &str, before: &str) -> String {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{message} (line {line}, column {column} of the query)")
}
