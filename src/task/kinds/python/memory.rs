//! How the C library of a worker handles its memory.
//!
//! glibc gives the memory of large blocks back to the kernel as soon as they are freed, and gets it again, page by page, for the
//! next one. A task that reads a table per item pays for that with each item: with pandas and CSV files of 1.8 MB it was a
//! fifth of the time. So a worker keeps what its next item will need. Blocks beyond [`LARGE`] are given back as ever.

/// From this size on a block is a mapping of its own, in bytes; the most that glibc takes (`mallopt(3)`, `M_MMAP_THRESHOLD`).
const LARGE: u32 = 32 << 20;

/// The free memory at the end of the heap that is kept, in bytes (`M_TRIM_THRESHOLD`).
const KEPT: u32 = 64 << 20;

/// Names the variables that are for the worker and not for the processes that its code starts.
const NOT_INHERITED: &str = "BATCHMILL_NOT_INHERITED";

/// The variables that set this, for a worker whose own variables are `own`. None where the user has set something of the
/// kind.
pub(super) fn settings(own: &[(String, String)]) -> Vec<(&'static str, String)> {
    let theirs = |name: &str| name.starts_with("MALLOC_") || name == "GLIBC_TUNABLES";
    if own.iter().any(|(name, _)| theirs(name))
        || std::env::vars_os().any(|(name, _)| name.to_str().is_some_and(theirs))
    {
        return Vec::new();
    }
    let settings = [("MALLOC_MMAP_THRESHOLD_", LARGE), ("MALLOC_TRIM_THRESHOLD_", KEPT)];
    let names = settings.map(|(name, _)| name).join(" ");
    let settings = settings.into_iter().map(|(name, bytes)| (name, bytes.to_string()));
    settings.chain([(NOT_INHERITED, names)]).collect()
}
