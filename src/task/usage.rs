//! What the engine and its tasks use of the machine, as the kernel counts it.
//!
//! CPU time of tasks is that of all processes below the engine: of those that have ended it is known exactly once they were
//! waited for (`RUSAGE_CHILDREN`), of those that run from `/proc`. So it includes start, teardown, workers that were killed, and
//! what commands start themselves. `ru_maxrss` is not used: after `posix_spawn` it tells the size of the parent.
//!
//! The files of `/proc` are a name and a number a line, or numbers in a row, so no crate reads them for us.

use super::guard::Guard;
use crate::measure::Usage;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// Microseconds in a clock tick of `/proc/PID/stat`: a hundredth of a second.
const TICK: u64 = 10_000;

/// The most processes to look at below one child. A command that starts more is measured in part.
const MOST_PROCESSES: usize = 1000;

/// A thread of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId {
    /// Its process.
    pub process: u32,
    /// Itself.
    pub thread: u32,
}

/// How a thread was scheduled, in nanoseconds. The rest of its time it waited for something else than a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThreadTimes {
    /// It ran.
    pub on_cpu: u64,
    /// It could have run, and waited for a core.
    pub runnable: u64,
}

/// Measures a run.
#[derive(Debug)]
pub struct UsageMeter {
    guard: Option<Arc<Guard>>,
    /// Where it is written for how long the control group was throttled.
    throttled: Option<Throttled>,
    /// What was measured last.
    last: Usage,
}

impl UsageMeter {
    /// Measures the engine, and the tasks that the guard knows.
    pub fn new(guard: Option<Arc<Guard>>) -> Self {
        Self { guard, throttled: Throttled::find(), last: Usage::default() }
    }

    /// What was used until now.
    pub fn read(&mut self) -> Usage {
        let mut usage = Usage {
            engine_cpu: cpu_of(UsageWho::RUSAGE_SELF),
            task_cpu: cpu_of(UsageWho::RUSAGE_CHILDREN),
            engine_memory: named(&PathBuf::from("/proc/self/status"), "VmRSS:") * 1024,
            throttled: self.throttled.as_ref().map_or(0, Throttled::read),
            cpu_pressure: pressure("cpu"),
            memory_pressure: pressure("memory"),
            io_pressure: pressure("io"),
            ..Usage::default()
        };
        [usage.read, usage.written] = READ_AND_WRITTEN.of(&PathBuf::from("/proc/self/io"));
        for child in self.guard.iter().flat_map(|guard| guard.groups()) {
            self.add_tree(child, &mut usage);
        }
        self.last = usage.at_least(&self.last);
        self.last
    }

    /// How the threads of the tasks that run now were scheduled until now. Of those that have ended, nothing is known any more.
    pub fn threads(&self) -> BTreeMap<ThreadId, ThreadTimes> {
        let mut threads = BTreeMap::new();
        for child in self.guard.iter().flat_map(|guard| guard.groups()) {
            below(child, |process| {
                let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
                for task in tasks {
                    let Some(thread) = task.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
                    let times = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
                    let mut times = times.split_whitespace().map(|time| time.parse().unwrap_or(0));
                    let times = ThreadTimes { on_cpu: times.next().unwrap_or(0), runnable: times.next().unwrap_or(0) };
                    threads.insert(ThreadId { process, thread }, times);
                }
            });
        }
        threads
    }

    /// Adds a process and those below it.
    fn add_tree(&self, root: u32, usage: &mut Usage) {
        below(root, |pid| {
            let path = |file: &str| PathBuf::from(format!("/proc/{pid}/{file}"));
            usage.task_cpu += cpu_of_process(&path("stat"));
            let [memory, peak] = Names(["VmRSS:", "VmHWM:"]).of(&path("status"));
            usage.task_memory += memory * 1024;
            usage.largest_process = usage.largest_process.max(peak * 1024);
            let [read, written] = READ_AND_WRITTEN.of(&path("io"));
            usage.read += read;
            usage.written += written;
        });
    }
}

/// The memory of a process and those below it, in bytes.
pub(super) fn memory_of(root: u32) -> u64 {
    let mut memory = 0;
    below(root, |pid| memory += named(&PathBuf::from(format!("/proc/{pid}/status")), "VmRSS:") * 1024);
    memory
}

/// Visits a process and those below it.
fn below(root: u32, mut visit: impl FnMut(u32)) {
    let mut left = vec![root];
    for _ in 0..MOST_PROCESSES {
        let Some(pid) = left.pop() else { return };
        visit(pid);
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        left.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
}

/// The memory that processes can still have, in bytes: on this machine, and in the control groups of this process.
pub fn available_memory() -> u64 {
    let of_machine = match named(&of_machine("meminfo"), "MemAvailable:") {
        0 => u64::MAX,
        kibibytes => kibibytes << 10,
    };
    of_machine.min(group_memory())
}

/// The memory that the control groups of this process (version 2) leave it, in bytes. Without limits, as much as there may be.
fn group_memory() -> u64 {
    let groups = fs::read_to_string(of_machine("self/cgroup")).unwrap_or_default();
    let Some(own) = groups.lines().find_map(|line| line.strip_prefix("0::/")) else { return u64::MAX };
    let root = match std::env::var_os("BATCHMILL_TEST_PROC") {
        Some(root) => PathBuf::from(root).join("groups"),
        None => PathBuf::from("/sys/fs/cgroup"),
    };
    let number = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let left = |group: PathBuf| {
        let (most, now) = (number(group.join("memory.max"))?, number(group.join("memory.current"))?);
        // Of cached files, the kernel gives up what was not used lately.
        let cached = named(&group.join("memory.stat"), "inactive_file ");
        Some(most.saturating_sub(now.saturating_sub(cached)))
    };
    let own = PathBuf::from(own);
    own.ancestors().filter_map(|group| left(root.join(group))).min().unwrap_or(u64::MAX)
}

/// The load average of the last minute; 0 if it is unknown.
pub fn load_average() -> f64 {
    let text = fs::read_to_string(of_machine("loadavg")).unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// A file about the machine. Tests put others in place of those of the kernel.
fn of_machine(name: &str) -> PathBuf {
    std::env::var_os("BATCHMILL_TEST_PROC").map_or_else(|| PathBuf::from("/proc"), PathBuf::from).join(name)
}

fn cpu_of(who: UsageWho) -> u64 {
    let time = |time: TimeVal| u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or(0);
    getrusage(who).map_or(0, |usage| time(usage.user_time()) + time(usage.system_time()))
}

/// The CPU time of a process, and of its children that it has waited for.
fn cpu_of_process(stat: &PathBuf) -> u64 {
    let stat = fs::read_to_string(stat).unwrap_or_default();
    // The name of the program, in brackets, may contain anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let times = fields.split_whitespace().skip(11).take(4);
    times.filter_map(|time| time.parse::<u64>().ok()).sum::<u64>() * TICK
}

/// Names at the starts of lines, each before a number.
struct Names<const N: usize>([&'static str; N]);

/// In `/proc/PID/io`.
const READ_AND_WRITTEN: Names<2> = Names(["read_bytes:", "write_bytes:"]);

impl<const N: usize> Names<N> {
    /// Their numbers in a file; 0 for a name that it does not have.
    fn of(&self, path: &PathBuf) -> [u64; N] {
        let text = fs::read_to_string(path).unwrap_or_default();
        self.0.map(|name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        })
    }
}

/// The number behind a name at the start of a line; 0 if there is none.
fn named(path: &PathBuf, name: &'static str) -> u64 {
    let [number] = Names([name]).of(path);
    number
}

/// For how long some process of the machine has waited for a resource, in microseconds; 0 if the kernel does not tell.
fn pressure(resource: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/pressure/{resource}")).unwrap_or_default();
    let some = text.lines().find(|line| line.starts_with("some "));
    some.and_then(|line| line.rsplit_once("total=")?.1.parse().ok()).unwrap_or(0)
}

/// `cpu.stat` of this process's control group.
#[derive(Debug)]
struct Throttled {
    path: PathBuf,
    name: &'static str,
    /// How many of its units are a microsecond.
    unit: u64,
}

impl Throttled {
    fn find() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let second = groups.lines().find_map(|line| line.strip_prefix("0::")).map(|own| Self {
            path: PathBuf::from(format!("/sys/fs/cgroup{own}/cpu.stat")),
            name: "throttled_usec",
            unit: 1,
        });
        // Version 1: a hierarchy for each controller, and its times in nanoseconds.
        let own = groups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|controller| controller == "cpu").then_some(path)
        });
        let first = own.map(|own| Self {
            path: PathBuf::from(format!("/sys/fs/cgroup/cpu{own}/cpu.stat")),
            name: "throttled_time",
            unit: 1000,
        });
        [second, first].into_iter().flatten().find(|stat| stat.path.exists())
    }

    fn read(&self) -> u64 {
        named(&self.path, self.name) / self.unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_uses_shows() {
        let mut meter = UsageMeter::new(None);
        let before = meter.read();
        assert!(before.engine_memory > 1 << 20, "{before:?}");
        let mut sum = 0_u64;
        while meter.read().engine_cpu < before.engine_cpu + 20_000 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(meter.read().since(&before).engine_cpu >= 20_000);
    }

    #[test]
    fn the_cpu_time_of_children_counts_after_their_end() {
        let mut meter = UsageMeter::new(None);
        let before = meter.read();
        let spin = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        assert!(std::process::Command::new("sh").args(["-c", spin]).status().unwrap().success());
        assert!(meter.read().since(&before).task_cpu > 10_000);
    }
}
