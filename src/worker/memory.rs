//! `max_memory` as a worker watches it. The engine looks at a worker now and then, which a quick item could miss. So an item that
//! has used too much does not end before the engine has seen it.

use pyo3::Python;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

/// How long to wait for the engine. It looks every 20 ms.
const PATIENCE: Duration = Duration::from_secs(10);

/// The maximum memory in bytes, if there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemoryWatch(Option<u64>);

impl MemoryWatch {
    /// Begins before the first item: what `setup` needed for a moment does not count.
    pub(super) fn begin(most: Option<u64>) -> Self {
        if most.is_some() {
            // Resets `VmHWM`, see proc(5). Where that is not allowed, it counts.
            let _ = fs::write("/proc/self/clear_refs", "5");
        }
        Self(most)
    }

    /// At the end of an item: waits to be ended if the memory was ever exceeded.
    pub(super) fn check(self, py: Python<'_>) {
        if self.0.is_some_and(|most| peak() > most) {
            py.detach(|| sleep(PATIENCE));
        }
    }
}

/// The most memory that this process had, in bytes; 0 if that is unknown.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().strip_suffix("kB")?.trim().parse().ok())
        .map_or(0, |kilobytes: u64| kilobytes * 1024)
}
