//! The rows of a query under way: a thread asks the database, and hands them over in blocks.

use super::block::{RowTaker, Taken, rows};
use super::cancellation::Cancellation;
use super::statement::BoundQuery;
use super::{postgresql, sqlite};
use crate::database::Database;
use crate::model::Items;
use crate::sources::error::{ErrorText, SourceError};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use std::convert::Infallible;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// The time between two attempts to cancel a query that does not end: a query that has not started does not notice the first.
const PATIENCE: Duration = Duration::from_millis(100);

/// Reads the rows of a query.
pub(super) struct RowReader {
    /// None once nobody wants more.
    rows: Option<RowTaker>,
    /// The block that is being read, and how far.
    block: Items,
    at: usize,
    /// How many blocks came.
    count: u64,
    broken: Option<ErrorText>,
    thread: Option<JoinHandle<()>>,
    /// Closes when the thread ends.
    ended: Receiver<Infallible>,
    cancellation: Arc<Cancellation>,
}

impl RowReader {
    /// Sends the query in a thread.
    pub(super) fn start(query: &Arc<BoundQuery>) -> Self {
        let (mut writer, taker) = rows();
        let (alive, ended) = bounded::<Infallible>(0);
        let cancellation = Arc::new(Cancellation::default());
        let (query, shared) = (Arc::clone(query), Arc::clone(&cancellation));
        let run = move || {
            let _alive = alive;
            let answered = match &query.database {
                Database::Sqlite(path) => sqlite::run(path, &query, &shared, &mut writer),
                Database::Postgresql(config) => postgresql::run(config, &query, &shared, &mut writer),
            };
            writer.finish(answered);
        };
        let thread = std::thread::Builder::new().name("query".to_owned()).spawn(run);
        let (thread, broken) = match thread {
            Ok(thread) => (Some(thread), None),
            Err(error) => (None, Some(format!("cannot start a thread: {error}").into())),
        };
        Self { rows: Some(taker), block: Items::default(), at: 0, count: 0, broken, thread, ended, cancellation }
    }

    /// The next row of the block that is here.
    pub(super) fn row(&mut self) -> Option<&[u8]> {
        let at = self.at;
        (at < self.block.len()).then(|| {
            self.at += 1;
            self.block.get(at)
        })
    }

    /// How many rows of the block are left.
    pub(super) fn left(&self) -> usize {
        self.block.len() - self.at
    }

    /// Waits for the next block; false at the end. The inner error is the database's.
    pub(super) fn next_block(&mut self, stop: &Receiver<Infallible>) -> Result<Result<bool, ErrorText>, SourceError> {
        if let Some(error) = self.broken.clone() {
            return Ok(Err(error));
        }
        let Some(rows) = &self.rows else { return Ok(Ok(false)) };
        match rows.take(stop) {
            Taken::Rows(block) => {
                (self.block, self.at) = (block, 0);
                self.count += 1;
            }
            Taken::Stopped => return Err(SourceError::Stopped),
            Taken::End(Err(error)) => {
                self.broken = Some(error.clone());
                return Ok(Err(error));
            }
            Taken::End(Ok(())) => {
                if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                    std::panic::resume_unwind(panic);
                }
                return Ok(Ok(false));
            }
        }
        Ok(Ok(true))
    }

    /// Goes back to the first row, if all rows so far are still here.
    pub(super) fn rewind(&mut self) -> bool {
        self.at = 0;
        self.count <= 1 && self.broken.is_none()
    }
}

impl Drop for RowReader {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.cancellation.request();
        self.rows = None;
        while self.ended.recv_timeout(Duration::ZERO) != Err(RecvTimeoutError::Disconnected) {
            let connected = self.cancellation.cancel();
            if self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) && !connected {
                // The thread waits for a server that does not answer, and nothing can interrupt it. Once the server
                // answers, the thread sends nothing more.
                return;
            }
        }
        // If the thread panicked, no rows were needed any more.
        drop(thread.join());
    }
}
