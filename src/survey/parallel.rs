//! Profiles files of rows on all cores. A scope of threads is enough: each takes the next file until there are none left.

use super::group::{Survey, group};
use super::profile::FileProfile;
use super::scan::profile;
use crate::sources::{Meter, SurveyRequest};
use crossbeam_channel::{RecvTimeoutError, bounded};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The time between two calls of `tick`.
const TICK: Duration = Duration::from_millis(100);

/// Surveys all files of the request; `tick` is told from time to time how many bytes have been read.
pub fn survey(request: &SurveyRequest, tick: &mut dyn FnMut(u64)) -> Survey {
    let order = request.largest_first();
    let (next, meter) = (AtomicUsize::new(0), Meter::default());
    let (profile_tx, profile_rx) = bounded(order.len().max(1));
    let mut profiles: Vec<Option<FileProfile>> = vec![None; order.len()];
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(1, Into::into).min(order.len()) {
            let (order, next, meter, profiled) = (&order, &next, &meter, profile_tx.clone());
            threads.spawn(move || {
                while let Some(file) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver stays until all files are profiled, and there is room for each of them.
                    drop(profiled.send((*file, profile(request, *file, meter))));
                }
            });
        }
        // Only the threads hold senders now, so the channel closes after the last file.
        drop(profile_tx);
        loop {
            match profile_rx.recv_timeout(TICK) {
                Ok((file, profile)) => profiles[file] = Some(profile),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            tick(meter.read());
        }
    });
    let profiles = profiles.into_iter();
    group(profiles.map(|profile| profile.expect("each file was profiled, or the scope has panicked")).collect())
}
