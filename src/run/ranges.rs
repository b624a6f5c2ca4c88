//! Results cut into ranges of a fixed number, and folded on several threads.

use crate::ledger::{LedgerError, ResultsReader};
use crate::reduce::{RANGE, Reducer};
use crate::spec::Reductions;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::BTreeMap;
use std::thread;

/// The most threads. More of them would wait for the one that reads.
const MOST_THREADS: usize = 8;

/// Why results cannot be reduced.
pub(super) enum FoldError {
    /// They cannot be read.
    Read(LedgerError),
    /// A result does not fit; the message.
    Wrong(String),
    /// The run was ended.
    Stopped,
}

/// The lines of consecutive results.
struct Range {
    number: u64,
    lines: Vec<u8>,
}

/// Reduces results, unless `is_stopped`.
pub(super) fn fold<'s>(
    spec: &'s Reductions,
    results: ResultsReader,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Reducer<'s>, FoldError> {
    let mut ranges = Ranges { results, number: 0, rest: Vec::new(), at: 0, scanned: 0, found: 0 };
    let mut whole = Reducer::new(spec);
    let Some(first) = ranges.next().map_err(FoldError::Read)? else { return Ok(whole) };
    merge(&mut whole, fold_range(spec, &first.lines))?;
    let Some(second) = ranges.next().map_err(FoldError::Read)? else { return Ok(whole) };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    thread::scope(|scope| {
        let (work, taken) = bounded::<Range>(threads);
        let (done, folded) = bounded(threads);
        let reader = scope.spawn(move || read(second, ranges, &work, is_stopped));
        for _ in 0..threads {
            let (taken, done) = (taken.clone(), done.clone());
            scope.spawn(move || fold_taken(spec, &taken, &done));
        }
        drop((taken, done));
        // Whatever ends this loop early ends the threads: nobody takes from them any more.
        merge_in_order(&mut whole, folded)?;
        match reader.join() {
            Ok(read) => read.map(|()| whole),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn read(
    first: Range,
    mut ranges: Ranges,
    work: &Sender<Range>,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<(), FoldError> {
    let mut next = Some(first);
    while let Some(range) = next {
        if is_stopped() {
            return Err(FoldError::Stopped);
        }
        if work.send(range).is_err() {
            // What went wrong is known to whoever took no more.
            return Ok(());
        }
        next = ranges.next().map_err(FoldError::Read)?;
    }
    Ok(())
}

type Folded<'s> = Result<Reducer<'s>, (u64, String)>;

fn fold_taken<'s>(spec: &'s Reductions, taken: &Receiver<Range>, done: &Sender<(u64, Folded<'s>)>) {
    for Range { number, lines } in taken {
        if done.send((number, fold_range(spec, &lines))).is_err() {
            return;
        }
    }
}

fn merge_in_order<'s>(whole: &mut Reducer<'s>, folded: Receiver<(u64, Folded<'s>)>) -> Result<(), FoldError> {
    let (mut early, mut wanted) = (BTreeMap::new(), 1);
    for (number, range) in folded {
        early.insert(number, range);
        while let Some(range) = early.remove(&wanted) {
            merge(whole, range)?;
            wanted += 1;
        }
    }
    Ok(())
}

fn merge<'s>(whole: &mut Reducer<'s>, range: Folded<'s>) -> Result<(), FoldError> {
    let merged = match range {
        Ok(range) => whole.merge(range),
        Err((index, message)) => Err(format!("result {}{message}", whole.count() + index)),
    };
    merged.map_err(FoldError::Wrong)
}

fn fold_range<'s>(spec: &'s Reductions, lines: &[u8]) -> Folded<'s> {
    let mut reducer = Reducer::new(spec);
    let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
    lines.split(|byte| *byte == b'\n').try_for_each(|line| reducer.add(line))?;
    Ok(reducer)
}

/// Cuts results into ranges.
struct Ranges {
    results: ResultsReader,
    /// The number of the next range.
    number: u64,
    rest: Vec<u8>,
    /// Where the next range begins in `rest`, up to where it was searched for its end, and how many lines it has so far.
    at: usize,
    scanned: usize,
    found: usize,
}

impl Ranges {
    fn next(&mut self) -> Result<Option<Range>, LedgerError> {
        loop {
            for newline in memchr::memchr_iter(b'\n', &self.rest[self.scanned..]) {
                self.found += 1;
                if self.found == RANGE {
                    return Ok(self.cut(self.scanned + newline + 1));
                }
            }
            self.scanned = self.rest.len();
            let Some(block) = self.results.next_block()? else { return Ok(self.cut(self.rest.len())) };
            self.rest.drain(..self.at);
            self.scanned -= self.at;
            self.at = 0;
            self.rest.extend_from_slice(&block);
        }
    }

    fn cut(&mut self, end: usize) -> Option<Range> {
        let lines = self.rest[self.at..end].to_vec();
        (self.at, self.scanned, self.found) = (end, end, 0);
        let number = self.number;
        self.number += 1;
        (!lines.is_empty()).then_some(Range { number, lines })
    }
}
