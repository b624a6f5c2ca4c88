//! Looks at files of rows on all cores. A scope of threads is enough: each takes the next file until there are none.

use super::{FileLook, Survey, look, sort};
use crate::sources::{Meter, Request};
use crossbeam_channel::{RecvTimeoutError, bounded};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Time between two words about how far it is.
const TICK: Duration = Duration::from_millis(100);

/// Looks at all of the files; `tick` hears from time to time how many bytes were read so far.
pub fn survey(request: &Request, tick: &mut dyn FnMut(u64)) -> Survey {
    let order = request.largest_first();
    let (next, meter) = (AtomicUsize::new(0), Meter::default());
    let (seen_tx, seen_rx) = bounded(order.len().max(1));
    let mut looks: Vec<Option<FileLook>> = vec![None; order.len()];
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(1, Into::into).min(order.len()) {
            let (order, next, meter, seen) = (&order, &next, &meter, seen_tx.clone());
            threads.spawn(move || {
                while let Some(file) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Nobody is gone before all files were looked at, and there is room for each.
                    drop(seen.send((*file, look(request, *file, meter))));
                }
            });
        }
        // The threads alone hold an end now, so the channel closes behind the last file.
        drop(seen_tx);
        loop {
            match seen_rx.recv_timeout(TICK) {
                Ok((file, look)) => looks[file] = Some(look),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            tick(meter.read());
        }
    });
    sort(looks.into_iter().map(|look| look.expect("each file was looked at, else the scope has panicked")).collect())
}
