//! Profiles files of rows on all cores. A scope of threads is enough: each takes the next file until there are none left.

use super::group::{Survey, group};
use super::profile::FileProfile;
use super::scan::profile;
use crate::sniff::{FoundHeader, Hints};
use crate::sources::{Meter, SurveyRequest};
use crossbeam_channel::{RecvTimeoutError, bounded};
use indexmap::IndexMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The time between two calls of `tick`.
const TICK: Duration = Duration::from_millis(100);

/// Surveys all files of the request; `tick` is told from time to time how many bytes have been read.
pub fn survey(request: &SurveyRequest, tick: &mut dyn FnMut(u64)) -> Survey {
    let order = request.largest_first();
    let mut profiles: Vec<Option<FileProfile>> = vec![None; order.len()];
    let meter = Meter::default();
    let mut look = |order: &[usize], hints: &Hints, profiles: &mut Vec<Option<FileProfile>>| {
        for_each_on_all_cores(order, &|file| profile(request, file, hints, &meter), &mut |done| {
            if let Some((file, profile)) = done {
                profiles[file] = Some(profile);
            }
            tick(meter.read());
        });
    };
    look(&order, &Hints::default(), &mut profiles);
    let (names, doubtful) = without_header(profiles.iter().flatten());
    if !doubtful.is_empty() {
        look(&doubtful, &Hints { names, ..Hints::default() }, &mut profiles);
    }
    group(
        profiles
            .into_iter()
            .map(|profile| profile.expect("each file was profiled, or the scope has panicked"))
            .collect(),
    )
}

/// The column names of most files, and the files as wide in which no header was found. In these, the same names would be a header,
/// whatever is below them. Nothing is doubtful where most files have no header.
fn without_header<'a>(profiles: impl Iterator<Item = &'a FileProfile>) -> (Vec<String>, Vec<usize>) {
    let (mut headers, mut missing) = (IndexMap::<Vec<String>, usize>::new(), Vec::new());
    for (file, profile) in profiles.enumerate() {
        let names = || profile.columns.iter().map(|column| column.name.clone()).collect();
        match profile.finding.as_ref().map(|finding| &finding.header) {
            Some(FoundHeader::InFile) => *headers.entry(names()).or_default() += 1,
            Some(FoundHeader::Missing) => missing.push((file, profile.columns.len())),
            _ => {}
        }
    }
    let Some((names, count)) = headers.into_iter().max_by_key(|(_, count)| *count) else { return Default::default() };
    if missing.len() > count {
        return Default::default();
    }
    let doubtful = missing.into_iter().filter(|(_, width)| *width == names.len()).map(|(file, _)| file).collect();
    (names, doubtful)
}

/// Runs a function for each of these on all cores. `done` gets what comes out, and is called from time to time with nothing.
fn for_each_on_all_cores<T: Send>(
    order: &[usize],
    run: &(dyn Fn(usize) -> T + Sync),
    done: &mut dyn FnMut(Option<(usize, T)>),
) {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = bounded(order.len().max(1));
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(1, Into::into).min(order.len()) {
            let (next, sender) = (&next, sender.clone());
            threads.spawn(move || {
                while let Some(file) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver stays until all are done, and there is room for each of them.
                    drop(sender.send((*file, run(*file))));
                }
            });
        }
        // Only the threads hold senders now, so the channel closes after the last file.
        drop(sender);
        loop {
            match receiver.recv_timeout(TICK) {
                Ok(one) => done(Some(one)),
                Err(RecvTimeoutError::Timeout) => done(None),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
}
