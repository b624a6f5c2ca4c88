//! Rows on their way from the thread that runs a query to the source.
//!
//! A row can be taken as soon as it is here; rows that nobody has taken yet wait together.

use crate::model::Items;
use crate::sources::error::ErrorText;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

/// The query waits once so many rows, or bytes, were not taken.
const MOST_ROWS: usize = 2000;
const MOST_BYTES: usize = 512 << 10;

/// What both ends share.
#[derive(Default)]
struct Waiting {
    rows: Items,
    /// How the query ended, if it has.
    end: Option<Result<(), ErrorText>>,
}

impl Waiting {
    fn is_full(&self) -> bool {
        self.rows.len() >= MOST_ROWS || self.rows.as_parts().0.len() >= MOST_BYTES
    }
}

/// The end that the query has.
pub(super) struct RowWriter {
    waiting: Arc<Mutex<Waiting>>,
    /// Something is there.
    news: Sender<()>,
    /// Something was taken; disconnected if nobody wants more.
    room: Receiver<()>,
}

/// The end that the source has.
pub(super) struct RowTaker {
    waiting: Arc<Mutex<Waiting>>,
    news: Receiver<()>,
    room: Sender<()>,
}

/// What was taken.
pub(super) enum Taken {
    /// Rows as JSON, at least one.
    Rows(Items),
    /// The query ended.
    End(Result<(), ErrorText>),
    /// Nothing: the source is to stop.
    Stopped,
}

/// Both ends.
pub(super) fn rows() -> (RowWriter, RowTaker) {
    let (told, news) = bounded(1);
    let (taken, room) = bounded(1);
    let waiting = Arc::<Mutex<Waiting>>::default();
    (RowWriter { waiting: Arc::clone(&waiting), news: told, room }, RowTaker { waiting, news, room: taken })
}

impl RowWriter {
    /// Takes a row that `write` writes as JSON; false if nobody wants more.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let (is_first, is_full) = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.rows.push_with(write);
            (waiting.rows.len() == 1, waiting.is_full())
        };
        if is_first {
            // Full: the news is not read yet, and is about this row too.
            let _ = self.news.try_send(());
        }
        !is_full || self.wait_for_room()
    }

    fn wait_for_room(&self) -> bool {
        while self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_full() {
            if self.room.recv().is_err() {
                return false;
            }
        }
        true
    }

    /// Tells how the query ended.
    pub(super) fn finish(self, answered: Result<(), ErrorText>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).end = Some(answered);
    }
}

impl RowTaker {
    /// Waits for rows, or the end, and takes all there is. A thread that ends without a word has panicked; that is an end.
    pub(super) fn take(&self, stop: &Receiver<Infallible>) -> Taken {
        loop {
            {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if !waiting.rows.is_empty() {
                    let rows = std::mem::take(&mut waiting.rows);
                    drop(waiting);
                    let _ = self.room.try_send(());
                    return Taken::Rows(rows);
                }
                if let Some(end) = waiting.end.clone() {
                    return Taken::End(end);
                }
            }
            select! {
                recv(self.news) -> news => if news.is_err() && self.is_over() { return Taken::End(Ok(())) },
                recv(stop) -> _ => return Taken::Stopped,
            }
        }
    }

    /// Whether nothing is there and nothing comes any more.
    fn is_over(&self) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.rows.is_empty() && waiting.end.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::never;

    fn taken(taker: &RowTaker) -> Vec<Vec<u8>> {
        match taker.take(&never()) {
            Taken::Rows(rows) => rows.iter().map(<[u8]>::to_vec).collect(),
            Taken::End(end) => panic!("{end:?}"),
            Taken::Stopped => panic!("stopped"),
        }
    }

    #[test]
    fn a_row_can_be_taken_before_the_next_one_comes() {
        let (mut writer, taker) = rows();
        for row in ["1", "2"] {
            assert!(writer.push(|json| json.extend_from_slice(row.as_bytes())));
            assert_eq!(taken(&taker), [row.as_bytes()]);
        }
        writer.finish(Err("no".to_owned().into()));
        assert!(matches!(taker.take(&never()), Taken::End(Err(_))));
        assert!(matches!(taker.take(&never()), Taken::End(Err(_))), "and again");
    }

    #[test]
    fn all_rows_arrive_in_order_and_the_query_waits_for_a_slow_reader() {
        let (mut writer, taker) = rows();
        let query = std::thread::spawn(move || {
            let count = (0..50_000).filter(|row: &u32| writer.push(|json| json.extend_from_slice(&row.to_le_bytes())));
            let count = count.count();
            writer.finish(Ok(()));
            count
        });
        let mut all = Vec::new();
        while let Taken::Rows(rows) = taker.take(&never()) {
            assert!(rows.len() <= MOST_ROWS);
            all.extend(rows.iter().map(|row| u32::from_le_bytes(row.try_into().unwrap())));
        }
        assert!(all.into_iter().eq(0..50_000));
        assert_eq!(query.join().unwrap(), 50_000);
    }

    #[test]
    fn a_query_whose_rows_nobody_wants_hears_of_it() {
        let (mut writer, taker) = rows();
        drop(taker);
        assert!((0..=MOST_ROWS).any(|_| !writer.push(|json| json.push(b'1'))));
    }
}
