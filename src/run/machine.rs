//! What a run ran on, for those who explain it later.

use crate::compile::Prepared;
use crate::task::python::Host;
use serde_json::{Map, Value, json};
use std::fs;

/// How many packages of the interpreter are kept.
const MOST_PACKAGES: usize = 500;

/// The machine and the interpreter as JSON. What cannot be found out is null.
pub(super) fn machine(prepared: &Prepared) -> Value {
    let python = prepared.python.as_deref().map(python);
    json!({
        "cores": std::thread::available_parallelism().ok(),
        "cpu": value_of("/proc/cpuinfo", "model name"),
        "memory": value_of("/proc/meminfo", "MemTotal").and_then(|size| kilobytes(&size)),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|release| release.trim().to_owned()),
        "batchmill": env!("CARGO_PKG_VERSION"),
        "python": python,
    })
}

/// The interpreter and its packages.
fn python(host: &Host) -> Value {
    let packages = host.packages();
    let more = packages.len().saturating_sub(MOST_PACKAGES);
    let packages: Map<String, Value> =
        packages.into_iter().take(MOST_PACKAGES).map(|(name, version)| (name, version.into())).collect();
    json!({ "version": host.version, "path": host.executable, "packages": packages, "more_packages": more })
}

/// The value behind `name:` in a file of `/proc`.
fn value_of(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.into_iter().find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}

fn kilobytes(size: &str) -> Option<u64> {
    Some(size.strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
