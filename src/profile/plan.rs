//! Which trials run, and for how long: more where they may change the answer, and none when it is clear.

use super::calibrate::Machine;
use super::evidence::Evidence;
use super::grid::{Setup, fewest, further, sizes, widths};
use super::interval::Interval;
use super::session::{DoneFrame, Session};
use super::sweep::{Halt, ITEMS_IN_WINDOW, Sweep, Window};
use super::throughput::Weights;
use super::trial::Trial;
use super::words::seconds;
use crate::task::available_memory;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Each combination of settings is measured so often if the time suffices.
const ROUNDS: usize = 5;

/// From so many times on, the answer may be clear.
const FEWEST_ROUNDS: usize = 3;

/// An answer is clear if the gain is known to so much, as a share.
const CLEAR: f64 = 0.02;

/// A window takes at most this, unless items take longer.
const LONGEST: Duration = Duration::from_secs(1);

/// A window takes at least this.
const SHORTEST: Duration = Duration::from_millis(120);

/// The share of the remaining time that the heat map may take, as a divisor.
const MAPPING: u32 = 3;

/// The most widths in the heat map, without the width in the file.
const MAPPED: usize = 3;

/// The most sessions.
const MOST_SESSIONS: usize = 40;

/// From this share of failed items on, trials say nothing about those that succeed.
const FAILING: f64 = 0.2;

/// Workers with so many threads each, and so many for each core, may have too many.
const CROWDED: f64 = 1.3;

/// If a batch of the next size takes at most so many times as long, it is tried in any case.
const MOST_GROWTH: u32 = 2;

/// An item that reads so many bytes from storage was not in the page cache.
const COLD: u64 = 64 << 10;

/// What was tried.
pub(super) struct Tried {
    pub(super) sessions: Vec<Arc<Session>>,
    pub(super) windows: Vec<Window>,
    /// Whether files were dropped from the page cache.
    pub(super) is_cold: bool,
}

/// The plan of a profile.
pub(super) struct Plan<'a> {
    pub(super) trial: &'a Trial<'a>,
    pub(super) machine: Machine,
    pub(super) own: Setup,
}

impl Plan<'_> {
    /// Runs the trials.
    pub(super) fn run(&self, sweep: &mut Sweep<'_, '_>) -> Result<(), Halt> {
        let began = Instant::now();
        let base = sweep.open(self.own)?;
        let opening = began.elapsed();
        self.refuse_failing(sweep, base)?;
        let item = sweep.sessions[base].log().usual_time();
        let mut all = widths(self.machine.cores, self.own.width);
        all.retain(|width| *width <= self.most().max(self.own.width));
        let left = |sweep: &Sweep<'_, '_>| sweep.deadline.saturating_duration_since(Instant::now());
        // Opening takes an item, and so does each window until it has come to rest.
        let each = shortest(item) + item * 2;
        let starts = opening * count(all.iter().sum::<usize>()) / count(self.own.width);
        // Otherwise most of the time would go into starting workers, or it would not suffice.
        if starts > left(sweep) / 3 || each * count(all.len()) > left(sweep) {
            all = fewest(self.machine.cores, self.own.width);
        }
        if each * count(all.len()) > left(sweep) {
            return Err(Halt::TooSlow(seconds(item.as_secs_f64())));
        }
        for width in all.into_iter().filter(|width| *width != self.own.width) {
            let read = sweep.bytes_read();
            let session = sweep.open(Setup { width, ..self.own })?;
            // The first session has read the interpreter and its modules; this one begins with other items.
            let done: u64 = sweep.frames(session).iter().map(|frame| frame.items).sum();
            if sweep.cold.is_empty() && session == 1 && (sweep.bytes_read() - read) / done.max(1) > COLD {
                sweep.cold = self.trial.sample.files();
            }
        }
        // The further trials, if any, take as much again.
        let share = left(sweep) / count(2 * ROUNDS * sweep.sessions.len());
        let length = share.saturating_sub(item).min(LONGEST).max(shortest(item));
        let mut rounds = Rounds { length, item, opening, random: fastrand::Rng::with_seed(0x5eed) };
        rounds.round(sweep)?;
        match self.refine(sweep, &mut rounds, base) {
            // Each width has been tried.
            Ok(()) | Err(Halt::TooSlow(_)) => {}
            Err(halt) => return Err(halt),
        }
        self.refuse_failing(sweep, base)
    }

    /// Spends the rest of the time where it may change the answer.
    fn refine(&self, sweep: &mut Sweep<'_, '_>, rounds: &mut Rounds, base: usize) -> Result<(), Halt> {
        rounds.round(sweep)?;
        self.vary(sweep, rounds, base)?;
        let (widths, reserve) = self.reserve(sweep, rounds);
        sweep.deadline -= reserve;
        self.widen(sweep, rounds)?;
        self.cover(sweep, rounds, base)?;
        while !self.is_clear(sweep) && rounds.fits(sweep) {
            rounds.round(sweep)?;
        }
        sweep.deadline += reserve;
        self.map(sweep, rounds, widths)
    }

    /// How many widths the heat map can have, and the time to keep for it. The answer comes first.
    fn reserve(&self, sweep: &Sweep<'_, '_>, rounds: &Rounds) -> (usize, Duration) {
        let left = sweep.deadline.saturating_duration_since(Instant::now());
        let cost = |widths: usize| rounds.cost(widths * self.other_sizes(sweep).len());
        let widths = (1..=MAPPED).rev().find(|widths| cost(*widths) < left / MAPPING).unwrap_or(0);
        (widths, cost(widths))
    }

    /// The batch sizes that were tried, without the size in the file.
    fn other_sizes(&self, sweep: &Sweep<'_, '_>) -> Vec<Option<usize>> {
        let tried = sweep.sessions.iter().map(|session| session.setup);
        let others = tried.filter(|setup| setup.threads.is_none() && setup.batch_size != self.own.batch_size);
        others.map(|setup| setup.batch_size).collect()
    }

    /// Measures combinations of widths and batch sizes once each, for the heat map. The answer does not depend on them.
    fn map(&self, sweep: &mut Sweep<'_, '_>, rounds: &Rounds, most: usize) -> Result<(), Halt> {
        let tried = sweep.sessions.iter().map(|session| session.setup).filter(|setup| self.is_width(*setup));
        let mut widths: Vec<usize> = tried.map(|setup| setup.width).collect();
        let widest = widths.iter().max().copied().unwrap_or(1);
        widths.retain(|width| {
            *width != self.own.width && [1, self.machine.cores, 2 * self.machine.cores, widest].contains(width)
        });
        widths.sort_unstable();
        let sizes = self.other_sizes(sweep);
        let corners =
            widths.into_iter().rev().take(most).flat_map(|width| sizes.iter().map(move |size| (width, *size)));
        for (width, batch_size) in corners.collect::<Vec<_>>() {
            if !rounds.fits_one(sweep) {
                break;
            }
            let session = sweep.open(Setup { width, batch_size, threads: None })?;
            sweep.measure(session, rounds.length)?;
        }
        Ok(())
    }

    /// The most workers that a run of the whole list has work for.
    fn most(&self) -> usize {
        let sample = self.trial.sample;
        let batches = sample.read.div_ceil(self.own.batch_size.unwrap_or(1) as u64);
        if sample.is_all { usize::try_from(batches).unwrap_or(usize::MAX) } else { usize::MAX }
    }

    fn refuse_failing(&self, sweep: &Sweep<'_, '_>, base: usize) -> Result<(), Halt> {
        let log = sweep.sessions[base].log();
        let ran: u64 = log.frames.iter().map(|frame| frame.items).sum();
        if log.failed as f64 > FAILING * ran as f64 {
            let first = self.trial.prepared.secrets.masked(log.failure.clone().unwrap_or_default());
            return Err(Halt::Failing { failed: log.failed, ran, first });
        }
        Ok(())
    }

    /// Adds wider sessions as long as tasks wait and more of them help.
    fn widen(&self, sweep: &mut Sweep<'_, '_>, rounds: &mut Rounds) -> Result<(), Halt> {
        let memory = available_memory() / 2 / sweep.largest_process().max(1 << 20);
        let most = usize::try_from(memory).unwrap_or(usize::MAX).min(self.most());
        let tried = sweep.sessions.iter().filter(|session| self.is_width(session.setup));
        let widest = tried.map(|session| session.setup.width).max().unwrap_or(1);
        for width in further(self.machine.cores, widest, most) {
            let evidence = self.evidence(sweep);
            let mut by_width: Vec<&Evidence> = evidence.iter().filter(|row| self.is_width(row.setup)).collect();
            by_width.sort_by_key(|row| row.setup.width);
            let [.., before, last] = &by_width[..] else { return Ok(()) };
            // The one before, unless it is nearly as wide.
            let before =
                by_width.iter().rev().find(|row| row.setup.width * 4 <= last.setup.width * 3).unwrap_or(before);
            let rises = last.throughput.median > 1.05 * before.throughput.median;
            let is_idle = last.cores_share(self.machine) < 0.8;
            // Two more that do not help show that there is an end to it.
            let flat = by_width.iter().rev().take(3).all(|row| {
                row.throughput.median < 1.05 * by_width.iter().rev().nth(3).map_or(0.0, |row| row.throughput.median)
            });
            if !is_idle || (!rises && flat) || !rounds.fits_one(sweep) {
                return Ok(());
            }
            let session = sweep.open(Setup { width, ..self.own })?;
            sweep.measure(session, rounds.length)?;
        }
        Ok(())
    }

    /// Tries other sizes of batches and numbers of threads, where they may matter.
    fn vary(&self, sweep: &mut Sweep<'_, '_>, rounds: &mut Rounds, base: usize) -> Result<(), Halt> {
        let evidence = self.evidence(sweep);
        let settings = self.trial.settings;
        let alone = settings.queue_size.is_some() || settings.lane.batch_timeout.is_some();
        if let (Some(size), true) = (self.own.batch_size, settings.lane.batched || alone) {
            let mut last = (size, sweep.sessions[base].log().usual_time());
            for size in sizes(size) {
                // A batch must not take much longer than a window, if an item took as long as it did before. It takes less if
                // the batch has a cost of its own, so each size tells about the next.
                let expected = last.1.mul_f64(size as f64 / last.0 as f64);
                if expected > (2 * rounds.length).max(last.1 * MOST_GROWTH) || !rounds.fits_one(sweep) {
                    break;
                }
                let session = sweep.open(Setup { batch_size: Some(size), ..self.own })?;
                sweep.measure(session, rounds.length)?;
                last = (size, sweep.sessions[session].log().usual_time());
            }
        }
        // Where workers hold each other up, one alone shows how many threads each would like to run.
        let wanted =
            evidence.iter().filter(|row| self.is_width(row.setup)).map(|row| row.busy_threads).fold(0.0, f64::max);
        let is_crowded = wanted * self.own.width as f64 > CROWDED * self.machine.cores as f64;
        if wanted > CROWDED && is_crowded && rounds.fits_one(sweep) {
            let threads = (self.machine.cores / self.own.width).max(1);
            let session = sweep.open(Setup { threads: Some(threads), ..self.own })?;
            sweep.measure(session, rounds.length)?;
        }
        Ok(())
    }

    /// Lets the step as it is run until each item of a short list has run once: only then is it known how uneven they are.
    fn cover(&self, sweep: &mut Sweep<'_, '_>, rounds: &Rounds, base: usize) -> Result<(), Halt> {
        let items = self.trial.sample.len();
        let covered = |frames: &[DoneFrame]| {
            let mut indexes: Vec<u64> = frames.iter().filter(|frame| !frame.starts).map(|frame| frame.first).collect();
            indexes.sort_unstable();
            indexes.dedup();
            indexes.len()
        };
        let frames = sweep.frames(base);
        let is_alone = frames.iter().all(|frame| frame.items == 1);
        let whole = mean_time(&frames) * count(items) / count(self.own.width);
        let left = sweep.deadline.saturating_duration_since(Instant::now());
        if !self.trial.sample.is_all || !is_alone || whole > left / 2 {
            return Ok(());
        }
        while covered(&sweep.frames(base)) < items && rounds.fits_one(sweep) {
            sweep.measure(base, rounds.length)?;
        }
        Ok(())
    }

    fn is_width(&self, setup: Setup) -> bool {
        setup.batch_size == self.own.batch_size && setup.threads.is_none()
    }

    /// What the windows say so far.
    fn evidence(&self, sweep: &Sweep<'_, '_>) -> Vec<Evidence> {
        evidence(&sweep.sessions, &sweep.windows)
    }

    /// Whether more windows would change nothing.
    fn is_clear(&self, sweep: &Sweep<'_, '_>) -> bool {
        let evidence = self.evidence(sweep);
        let fewest = evidence.iter().map(|row| row.rates.len()).min().unwrap_or(0);
        let best = evidence.iter().max_by(|left, right| left.throughput.median.total_cmp(&right.throughput.median));
        let own = evidence.iter().find(|row| row.setup == self.own);
        let (Some(best), Some(own)) = (best, own) else { return false };
        fewest >= FEWEST_ROUNDS
            && (fewest >= 2 * ROUNDS
                || (Interval::ratio(&best.rates, &own.rates).spread() < CLEAR && own.throughput.spread() < CLEAR))
    }
}

/// What the windows of sessions say.
pub(super) fn evidence(sessions: &[Arc<Session>], windows: &[Window]) -> Vec<Evidence> {
    let frames: Vec<Vec<DoneFrame>> = sessions.iter().map(|session| session.log().frames.clone()).collect();
    let weights = Weights::of(&frames);
    let of = |(number, session): (usize, &Arc<Session>)| {
        let windows: Vec<&Window> = windows.iter().filter(|window| window.session == number).collect();
        (!windows.is_empty()).then(|| Evidence::of(session.setup, &windows, &frames[number], &weights))
    };
    sessions.iter().enumerate().filter_map(of).collect()
}

/// Runs all sessions in turn.
struct Rounds {
    length: Duration,
    item: Duration,
    /// How long it took to open a session.
    opening: Duration,
    random: fastrand::Rng,
}

impl Rounds {
    /// A window of each session, in another order each time: neither drift of the machine nor order decides.
    fn round(&mut self, sweep: &mut Sweep<'_, '_>) -> Result<(), Halt> {
        let mut order: Vec<usize> = (0..sweep.sessions.len()).collect();
        self.random.shuffle(&mut order);
        order.into_iter().try_for_each(|session| sweep.measure(session, self.length))
    }

    /// Whether a round ends in time.
    fn fits(&self, sweep: &Sweep<'_, '_>) -> bool {
        Instant::now() + (self.length + self.item) * count(sweep.sessions.len()) < sweep.deadline
    }

    /// How long it takes to open this many sessions and measure each once.
    fn cost(&self, sessions: usize) -> Duration {
        (self.opening * 2 + self.length + self.item * 3) * count(sessions)
    }

    /// Whether another session can be opened and measured in time.
    fn fits_one(&self, sweep: &Sweep<'_, '_>) -> bool {
        let window = self.length + self.item * 3;
        sweep.sessions.len() < MOST_SESSIONS && Instant::now() + self.opening * 2 + window * 2 < sweep.deadline
    }
}

/// The shortest window for items that take so long.
fn shortest(item: Duration) -> Duration {
    SHORTEST.max(item * ITEMS_IN_WINDOW)
}

/// The mean time of a frame: of an item, if items are slow.
fn mean_time(frames: &[DoneFrame]) -> Duration {
    frames.iter().map(|frame| frame.took).sum::<Duration>() / count(frames.len().max(1))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
