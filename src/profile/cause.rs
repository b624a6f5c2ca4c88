//! What limits a step. Each rule looks at one thing; the first that holds names the cause.

use super::advice::{Advice, Change, Key};
use super::balance::Balance;
use super::calibrate::Machine;
use super::evidence::Evidence;
use super::interval::{Interval, median};
use super::words::{counted, percent, plus_minus, rate, seconds};
use crate::measure::SlotState;
use serde::Serialize;

/// Above this share something is a cause.
const MUCH: f64 = 0.25;

/// Above this spread a throughput says too little.
const TOO_NOISY: f64 = 0.25;

/// What limits a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// All cores are busy with the task.
    Cpu,
    /// The task computes, and fewer workers than cores do it.
    TooFewWorkers,
    /// Tasks wait for something that takes more of them at a time.
    Waiting,
    /// Tasks read from storage.
    Disk,
    /// The cores wait for memory.
    MemoryBandwidth,
    /// Starting processes takes most of the time.
    ProcessStart,
    /// Something lets only so many through, whatever the number of workers.
    Serial,
    /// `rate_limit` of the step.
    RateLimit,
    /// The list of items comes too slowly.
    Source,
    /// Passing items on takes longer than the task.
    Engine,
    /// Each batch has a cost of its own, and holds too few items.
    SmallBatches,
    /// A few items take so long that workers wait at the end.
    UnevenItems,
    /// Libraries start more threads than there are cores.
    TooManyThreads,
    /// A limit on CPU time.
    Quota,
    /// The measurements differ too much.
    Unclear,
}

/// Everything that the rules look at.
pub(super) struct Facts<'a> {
    pub(super) machine: Machine,
    /// The step as it is.
    pub(super) base: &'a Evidence,
    /// By width, from one on.
    pub(super) widths: &'a [Evidence],
    /// With other sizes of batches.
    pub(super) sizes: &'a [Evidence],
    /// With other numbers of threads.
    pub(super) threads: &'a [Evidence],
    pub(super) balance: Option<&'a Balance>,
    /// The variables that set the number of threads of libraries, with their values.
    pub(super) thread_variables: &'a [(String, String)],
    /// Items per second that the source gives.
    pub(super) source: f64,
    /// Seconds to start a process that does nothing, if the task starts one per item.
    pub(super) process_start: Option<f64>,
    /// Whether the task is `echo`, which does no work of its own.
    pub(super) is_echo: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Finding {
    pub(super) cause: Cause,
    /// Continues "STEP ..".
    pub(super) why: String,
    pub(super) advice: Option<Advice>,
}

impl Facts<'_> {
    /// The cause, and what to do.
    pub(super) fn finding(&self) -> Finding {
        let rules: [fn(&Self) -> Option<Finding>; 9] = [
            Self::quota,
            Self::rate_limit,
            Self::source,
            Self::too_many_threads,
            Self::small_batches,
            Self::noise,
            Self::uneven,
            Self::process_start,
            Self::engine,
        ];
        let found = rules.into_iter().find_map(|rule| rule(self));
        found.unwrap_or_else(|| if self.waits() { self.waiting() } else { self.computing() })
    }

    fn noise(&self) -> Option<Finding> {
        let spread = self.base.throughput.spread();
        (spread > TOO_NOISY).then(|| Finding {
            cause: Cause::Unclear,
            why: format!("ran at {} from one trial to the next: too uneven to say what limits it", plus_minus(spread)),
            advice: None,
        })
    }

    fn quota(&self) -> Option<Finding> {
        let throttled = self.base.throttled;
        (throttled > 0.1).then(|| Finding {
            cause: Cause::Quota,
            why: format!(
                "is limited by the CPU quota of its control group: it used {:.1} cores and was throttled {} of the time",
                self.base.cores_used,
                percent(throttled.min(1.0))
            ),
            // More workers would be throttled as well.
            advice: self.width_advice().filter(|_| self.best_width().setup.width < self.base.setup.width),
        })
    }

    fn rate_limit(&self) -> Option<Finding> {
        let share = self.base.state(SlotState::RateLimited);
        (share > MUCH).then(|| Finding {
            cause: Cause::RateLimit,
            why: format!("is limited by its `rate_limit`: workers wait for it {} of their time", percent(share)),
            advice: None,
        })
    }

    fn source(&self) -> Option<Finding> {
        (self.source < self.base.throughput.median * 1.1).then(|| Finding {
            cause: Cause::Source,
            why: format!(
                "is limited by its list of items, which gives {} items/s: the task could do {}",
                rate(self.source),
                rate(self.base.throughput.median)
            ),
            advice: None,
        })
    }

    fn too_many_threads(&self) -> Option<Finding> {
        let (better, gain) = self.best_of(self.threads)?;
        let threads = better.setup.threads?;
        Some(Finding {
            cause: Cause::TooManyThreads,
            why: format!(
                "is limited by too many threads: its {} run {:.1} each, on {} cores",
                counted(self.base.setup.width, "worker"),
                self.widths.iter().map(|row| row.busy_threads).fold(0.0, f64::max),
                self.machine.cores
            ),
            advice: Some(Advice {
                changes: self
                    .thread_variables
                    .iter()
                    .map(|(name, value)| Change {
                        key: Key::Env(name.clone()),
                        from: value.clone(),
                        to: threads.to_string(),
                    })
                    .collect(),
                gain,
            }),
        })
    }

    fn small_batches(&self) -> Option<Finding> {
        let (better, gain) = self.best_of(self.sizes)?;
        let (size, own) = (better.setup.batch_size?, self.base.setup.batch_size?);
        if size < own {
            return None;
        }
        let [per_batch, per_item] = self.costs()?;
        let share = per_batch / (per_batch + per_item * own as f64);
        (share > MUCH).then(|| Finding {
            cause: Cause::SmallBatches,
            why: format!(
                "spends {} of its time on batches rather than items: a batch costs {}, an item {}",
                percent(share),
                seconds(per_batch),
                seconds(per_item)
            ),
            advice: Some(Advice {
                changes: vec![Change { key: Key::BatchSize, from: own.to_string(), to: size.to_string() }],
                gain,
            }),
        })
    }

    /// The seconds of a worker that a batch and an item cost: a line through the times of batches of several sizes.
    fn costs(&self) -> Option<[f64; 2]> {
        let points: Vec<(f64, f64)> = self
            .sizes
            .iter()
            .chain([self.base])
            .filter_map(|row| {
                let size = row.setup.batch_size? as f64;
                Some((size, size * row.setup.width as f64 / row.throughput.median))
            })
            .collect();
        // Relative errors are equal, so each point counts by the inverse of its square.
        let (mut w, mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (size, time) in points {
            let weight = 1.0 / (time * time);
            w += weight;
            x += weight * size;
            y += weight * time;
            xx += weight * size * size;
            xy += weight * size * time;
        }
        let determinant = w * xx - x * x;
        (determinant > 0.0).then(|| {
            let per_item = (w * xy - x * y) / determinant;
            [((y - per_item * x) / w).max(0.0), per_item.max(0.0)]
        })
    }

    fn uneven(&self) -> Option<Finding> {
        let balance = self.balance.filter(|balance| balance.loss() > 0.2)?;
        let gain = balance.in_order / balance.longest_first;
        let rest = if gain >= 1.1 {
            format!("; put the longest items first: {gain:.1}x")
        } else {
            "; split that item into smaller ones".to_owned()
        };
        Some(Finding {
            cause: Cause::UnevenItems,
            why: format!(
                "is limited by uneven items: item {} takes {}, {:.0} times as long as most, and workers are idle {} of the time{rest}",
                balance.longest_index,
                seconds(balance.longest),
                balance.longest / balance.typical.max(1e-9),
                percent(balance.loss())
            ),
            advice: None,
        })
    }

    fn process_start(&self) -> Option<Finding> {
        let (start, one) = (self.process_start?, self.widths.first()?);
        let share = start * one.throughput.median / one.setup.width as f64;
        (share > 0.5).then(|| Finding {
            cause: Cause::ProcessStart,
            why: format!(
                "is limited by starting processes: a command takes {}, and {} of that to start and end",
                seconds(one.setup.width as f64 / one.throughput.median),
                percent(share.min(1.0))
            ),
            advice: self.width_advice(),
        })
    }

    fn engine(&self) -> Option<Finding> {
        let user = self.base.user_share();
        let busy = self.base.on_cpu + self.base.runnable + self.base.engine_cores / self.base.setup.width as f64;
        (self.is_echo || (user < 0.35 && busy > 0.5)).then(|| Finding {
            cause: Cause::Engine,
            why: format!(
                "is limited by batchmill itself: passing items and results on takes longer than the task, which has {} of the workers' time",
                percent(if self.is_echo { 0.0 } else { user })
            ),
            advice: self.width_advice(),
        })
    }

    /// Whether tasks mostly wait: for something other than a core.
    fn waits(&self) -> bool {
        self.base.blocked > 0.5
    }

    fn waiting(&self) -> Finding {
        let Evidence { on_cpu, read, throughput, setup, .. } = self.base;
        let advice = self.width_advice();
        if *read / throughput.median.max(1e-9) > 65_536.0 {
            let read = bytesize::ByteSize(*read as u64).display().si_short();
            let why = format!(
                "waits for the disk: it reads {read}B/s, and its workers compute {} of their time",
                percent(*on_cpu)
            );
            return Finding { cause: Cause::Disk, why, advice };
        }
        if let Some(most) = self.ceiling() {
            let why = format!(
                "is limited by something that its workers share, such as a lock, a database or a server: however many there are, they do {} items/s at most",
                rate(most)
            );
            return Finding { cause: Cause::Serial, why, advice };
        }
        let (workers, are) = if setup.width == 1 {
            ("its worker".to_owned(), "is")
        } else {
            (format!("its {} workers", setup.width), "are")
        };
        let why = format!("waits for something outside: {workers} {are} on the CPU {} of the time", percent(*on_cpu));
        Finding { cause: Cause::Waiting, why, advice }
    }

    /// The throughput that no width exceeds, if more workers stop helping before the cores are used up.
    pub(super) fn ceiling(&self) -> Option<f64> {
        let (one, last) = (self.widths.first()?, self.widths.last()?);
        let before = self.widths.iter().rev().find(|row| row.setup.width * 10 <= last.setup.width * 7)?;
        let linear = one.throughput.median * last.setup.width as f64 / one.setup.width as f64;
        let flat = last.throughput.median < 1.1 * before.throughput.median;
        let is_idle = last.cores_share(self.machine) < 0.8;
        let highest = self.widths.iter().map(|row| row.throughput.median).fold(0.0, f64::max);
        let near = |row: &&Evidence| row.throughput.median >= 0.85 * highest;
        let top: Vec<f64> = self.widths.iter().filter(near).flat_map(|row| row.rates.clone()).collect();
        (flat && is_idle && last.throughput.median < 0.7 * linear).then(|| median(&top))
    }

    fn computing(&self) -> Finding {
        let advice = self.width_advice();
        let (width, cores) = (self.base.setup.width, self.machine.cores);
        // More workers than cores compute no faster; they only get more of a core that others use as well.
        let is_wider = self.best_width().setup.width > width;
        let advice = advice.filter(|advice| width < cores || !is_wider || advice.gain.low > 1.2);
        if let Some(slower) = self.memory_bound() {
            let why = format!(
                "is limited by the memory: an item needs {slower:.1} times the CPU time when {} workers compute at once",
                self.full().map_or(cores, |row| row.setup.width)
            );
            return Finding { cause: Cause::MemoryBandwidth, why, advice };
        }
        if let (Some(most), true) = (self.ceiling(), width >= cores) {
            let why = format!(
                "is limited by something that its workers share: however many there are, they do {} items/s at most",
                rate(most)
            );
            return Finding { cause: Cause::Serial, why, advice };
        }
        if width < cores && advice.is_some() {
            let workers = if width == 1 {
                "one worker uses one core".to_owned()
            } else {
                format!("{width} workers use {width} cores")
            };
            return Finding {
                cause: Cause::TooFewWorkers,
                why: format!("is limited by its width: {workers} of {cores}"),
                advice,
            };
        }
        let why = format!(
            "is limited by the CPU: {} {} {} {} busy",
            counted(width, "worker"),
            if width == 1 { "keeps" } else { "keep" },
            if cores == 1 { "the core".to_owned() } else { format!("{cores} cores") },
            percent(self.base.cores_share(self.machine).min(1.0))
        );
        Finding { cause: Cause::Cpu, why, advice }
    }

    /// By how much the CPU time of an item grows from one worker to as many as there are cores, if memory is the reason.
    fn memory_bound(&self) -> Option<f64> {
        let (one, full) = (self.widths.first()?, self.full()?);
        let slower = full.cpu_per_item / one.cpu_per_item.max(1e-12) / self.machine.crowding;
        let gain = full.throughput.median / one.throughput.median;
        (one.setup.width == 1 && slower > 1.35 && gain < 0.8 * full.setup.width as f64 / self.machine.crowding)
            .then_some(slower)
    }

    /// The widest that has a core for each worker.
    fn full(&self) -> Option<&Evidence> {
        self.widths.iter().rev().find(|row| row.setup.width <= self.machine.cores).filter(|row| row.setup.width > 1)
    }

    /// The width to use: the narrowest that is nearly as quick as any.
    pub(super) fn best_width(&self) -> &Evidence {
        let most = self.widths.iter().map(|row| row.throughput.median).fold(0.0, f64::max);
        self.widths.iter().find(|row| row.throughput.median >= 0.97 * most).unwrap_or(self.base)
    }

    fn width_advice(&self) -> Option<Advice> {
        let best = self.best_width();
        let gain = Interval::ratio(&best.rates, &self.base.rates);
        let (from, to) = (self.base.setup.width, best.setup.width);
        (from != to && gain.is_worth_it()).then(|| Advice {
            changes: vec![Change { key: Key::MaxParallel, from: from.to_string(), to: to.to_string() }],
            gain,
        })
    }

    /// The best of some variants, if it is worth it.
    fn best_of<'b>(&self, variants: &'b [Evidence]) -> Option<(&'b Evidence, Interval)> {
        let most = variants.iter().map(|row| row.throughput.median).fold(0.0, f64::max);
        let best = variants.iter().find(|row| row.throughput.median >= 0.97 * most)?;
        let gain = Interval::ratio(&best.rates, &self.base.rates);
        gain.is_worth_it().then_some((best, gain))
    }
}
