//! `max_parallel: auto`: finds the width with the highest throughput while a step runs.
//!
//! Hill climbing on finished items per second, as in the thread pool of .NET (J. L. Hellerstein, V. Morrison, E. Eilebrecht,
//! "Optimizing Concurrency Levels in the .NET ThreadPool", 2009). That one follows noise upwards; so here a wider step must be
//! clearly faster, and of widths that are as fast the narrowest wins. Widths grow by a third to a half each, so that the way to
//! the widest is short.
//!
//! Other programs, and other virtual machines on the same host, change the throughput while the width stays the same. So unless a
//! width is clearly better, the climber goes back and measures the previous width again before it decides.

use std::time::{Duration, Instant};

/// A wider step must be faster by this.
const GAIN: f64 = 1.05;

/// A narrower one may be slower by this.
const LOSS: f64 = 0.98;

/// If a wider step is faster by this, the previous width is not measured again.
const PLAIN_GAIN: f64 = 1.2;

/// A throughput is measured for at least this long, ..
const SHORTEST: Duration = Duration::from_millis(300);

/// .. and at most this long, unless too little happens, ..
const LONGEST: Duration = Duration::from_millis(2500);

/// .. with at least so many items, and so many for each slot.
const ITEMS: u64 = 30;
const ITEMS_PER_SLOT: u64 = 3;

/// How long slots that have just begun may take to come up with something.
const PATIENCE: Duration = Duration::from_secs(5);

/// After how long the neighbours are tried again; twice as long each time that nothing comes of it.
const REST: Duration = Duration::from_secs(10);
const LONGEST_REST: Duration = Duration::from_secs(120);

/// What is being tried.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// The width to begin with, or to compare with again.
    Here,
    /// A wider one.
    Up,
    /// A narrower one.
    Down,
    /// The best width again, because another one seemed better: the index of that one, and its throughput.
    Back(usize, f64),
    /// Nothing, until then.
    Resting(Instant),
}

/// What the slots have done so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    pub(super) now: Instant,
    /// Items that ended.
    pub(super) items: u64,
    /// Whether every slot within the width has come up with something since the width was set.
    pub(super) all_began: bool,
    /// The widest that memory allows.
    pub(super) most: usize,
}

/// Finds the width of one step.
#[derive(Debug)]
pub(super) struct Climber {
    widths: Vec<usize>,
    at: usize,
    best: usize,
    best_rate: f64,
    /// The throughput at the width that the step began with.
    first: Option<(usize, f64)>,
    phase: Phase,
    /// When the width was set.
    since: Instant,
    /// When measuring began, and at how many items.
    window: Option<(Instant, u64)>,
    moved: bool,
    rest: Duration,
}

impl Climber {
    /// Begins at a width; none is above the ceiling.
    pub(super) fn new(width: usize, ceiling: usize, now: Instant) -> Self {
        let mut widths: Vec<usize> =
            std::iter::once(1).chain((0..20_u32).flat_map(|power| [2 << power, 3 << power])).collect();
        widths.extend([width, ceiling]);
        widths.retain(|width| *width <= ceiling);
        widths.sort_unstable();
        widths.dedup();
        let at = widths.iter().position(|other| *other >= width).unwrap_or(widths.len() - 1);
        Self {
            widths,
            at,
            best: at,
            best_rate: 0.0,
            first: None,
            phase: Phase::Here,
            since: now,
            window: None,
            moved: false,
            rest: REST,
        }
    }

    /// The width to use.
    pub(super) fn width(&self) -> usize {
        self.widths[self.at]
    }

    /// The width that was found, its throughput, and those of the width that the step began with.
    pub(super) fn found(&self) -> Option<(usize, f64, usize, f64)> {
        let (first, rate) = self.first?;
        Some((self.widths[self.best], self.best_rate, first, rate))
    }

    /// Takes note of what happened. True if the width has changed.
    pub(super) fn observe(&mut self, progress: Progress) -> bool {
        let Progress { now, items, all_began, most } = progress;
        let Some((began, before)) = self.window else {
            if all_began || now.duration_since(self.since) > PATIENCE {
                self.window = Some((now, items));
            }
            return false;
        };
        let (took, done) = (now.duration_since(began), items - before);
        let enough = ITEMS.max(ITEMS_PER_SLOT * self.width() as u64);
        // If items are so slow that few end in that time, it takes at least one for each slot.
        let is_over = took >= SHORTEST && (done >= enough || (took >= LONGEST && done >= self.width() as u64));
        if !is_over {
            return false;
        }
        let rate = done as f64 / took.as_secs_f64();
        self.window = Some((now, items));
        let before = self.at;
        self.decide(rate, (now, most));
        if self.at != before {
            (self.since, self.window) = (now, None);
        }
        self.at != before
    }

    fn decide(&mut self, rate: f64, (now, most): (Instant, usize)) {
        match self.phase {
            Phase::Resting(until) => {
                // The work has changed.
                let differs = !(0.75..1.33).contains(&(rate / self.best_rate));
                if now >= until || differs {
                    self.rest = if differs { REST } else { self.rest };
                    (self.phase, self.moved) = (Phase::Here, false);
                }
            }
            Phase::Here => {
                self.best_rate = rate;
                self.first.get_or_insert((self.width(), rate));
                self.try_up((now, most));
            }
            Phase::Up if rate > PLAIN_GAIN * self.best_rate => self.accept((self.at, rate), (now, most)),
            Phase::Up if rate > GAIN * self.best_rate => self.go_back(rate),
            // What is narrower than the best was slower, if the climb came from there.
            Phase::Up if self.moved => self.settle(now),
            Phase::Up => self.try_down(now),
            Phase::Down if rate > LOSS * self.best_rate => self.go_back(rate),
            Phase::Down => self.settle(now),
            Phase::Back(other, then) => {
                self.best_rate = rate;
                let is_wider = other > self.best;
                if then > if is_wider { GAIN } else { LOSS } * rate {
                    self.accept((other, then), (now, most));
                } else if self.moved || !is_wider {
                    self.settle(now);
                } else {
                    self.try_down(now);
                }
            }
        }
    }

    /// Measures the best width again, to compare it with the present one.
    fn go_back(&mut self, rate: f64) {
        (self.phase, self.at) = (Phase::Back(self.at, rate), self.best);
    }

    /// Makes this width the best one, and tries the next in the same direction.
    fn accept(&mut self, (at, rate): (usize, f64), (now, most): (Instant, usize)) {
        let is_wider = at > self.best;
        // Otherwise several narrower widths, each a little slower, would add up.
        let rate = if is_wider { rate } else { rate.max(self.best_rate) };
        (self.best, self.best_rate, self.moved) = (at, rate, true);
        if is_wider {
            self.try_up((now, most));
        } else {
            self.try_down(now);
        }
    }

    fn try_up(&mut self, (now, most): (Instant, usize)) {
        match self.widths.get(self.best + 1) {
            Some(width) if *width <= most => (self.at, self.phase) = (self.best + 1, Phase::Up),
            _ if self.moved => self.settle(now),
            _ => self.try_down(now),
        }
    }

    fn try_down(&mut self, now: Instant) {
        if self.best == 0 {
            self.settle(now);
        } else {
            (self.at, self.phase) = (self.best - 1, Phase::Down);
        }
    }

    fn settle(&mut self, now: Instant) {
        self.rest = if self.moved { REST } else { (self.rest * 2).min(LONGEST_REST) };
        (self.at, self.phase) = (self.best, Phase::Resting(now + self.rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a climber for so many seconds over a step whose throughput is known for each width; the share of the best
    /// throughput at the end.
    fn climbed(start: usize, ceiling: usize, seconds: u64, rate: impl Fn(usize, f64) -> f64) -> (usize, Climber) {
        let begin = Instant::now();
        let mut climber = Climber::new(start, ceiling, begin);
        let (mut items, mut random) = (0.0, 7_u64);
        for tick in 1..seconds * 20 {
            let now = begin + Duration::from_millis(50 * tick);
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Three percent of noise.
            let noise = 0.97 + 0.06 * ((random >> 33) as f64 / f64::from(1 << 31));
            items += 0.05 * noise * rate(climber.width(), tick as f64 / 20.0);
            climber.observe(Progress { now, items: items as u64, all_began: true, most: ceiling });
        }
        (climber.width(), climber)
    }

    #[test]
    fn a_climber_finds_the_best_width_within_fifteen_seconds() {
        for cores in [2.0, 8.0] {
            let (cores_as, ceiling) = (cores as usize, 16 * cores as usize);
            let cpu = |width: usize, _| 100.0 * (width as f64).min(cores);
            let waiting = |width: usize, _| 20.0 * width as f64;
            let limited = |width: usize, _| (20.0 * width as f64).min(60.0);
            let memory = |width: usize, _| 1000.0 / (1.0 + 0.1 * (width as f64 - 1.0));
            let rates: [&dyn Fn(usize, f64) -> f64; 4] = [&cpu, &waiting, &limited, &memory];
            for (number, rate) in rates.into_iter().enumerate() {
                let (width, climber) = climbed(cores_as, ceiling, 15, rate);
                let best = (1..=ceiling).map(|width| rate(width, 0.0)).fold(0.0, f64::max);
                assert!(rate(width, 0.0) >= 0.9 * best, "{number} on {cores} cores: {width} {climber:?}");
            }
        }
    }

    #[test]
    fn noise_does_not_widen_a_step() {
        let (width, climber) = climbed(2, 32, 300, |width, _| 50.0 * (width as f64).min(2.0));
        assert!(width <= 3, "{climber:?}");
    }

    #[test]
    fn a_machine_of_uneven_speed_does_not_mislead_it() {
        let (mut most, mut least) = (0, usize::MAX);
        for period in 10..60 {
            let speed = |second: f64| if ((second * 10.0) as u64 / period).is_multiple_of(2) { 1.0 } else { 0.65 };
            let rate = |width: usize, second: f64| 500.0 * (width as f64).min(2.0) * speed(second);
            let (width, ..) = climbed(2, 32, 15, rate).1.found().unwrap();
            (most, least) = (most.max(width), least.min(width));
        }
        assert!(least >= 2, "{least}");
        assert!(most <= 4, "{most}");
    }

    #[test]
    fn a_step_whose_work_changes_gets_another_width() {
        let rate = |width: usize, second: f64| {
            if second < 30.0 { 50.0 * (width as f64).min(2.0) } else { 20.0 * width as f64 }
        };
        let (width, climber) = climbed(2, 32, 60, rate);
        assert!(width >= 24, "{climber:?}");
    }

    #[test]
    fn no_width_exceeds_what_memory_allows() {
        let begin = Instant::now();
        let mut climber = Climber::new(2, 32, begin);
        for tick in 1..400_u64 {
            let (now, items) = (begin + Duration::from_millis(50 * tick), tick * climber.width() as u64 * 10);
            climber.observe(Progress { now, items, all_began: true, most: 6 });
            assert!(climber.width() <= 6);
        }
    }
}
