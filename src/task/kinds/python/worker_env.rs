//! Environment variables for workers: how the C library handles memory, and how many threads libraries use.
//!
//! glibc returns the memory of large blocks to the kernel as soon as they are freed, and faults it in again, page by page, for
//! the next block. A task that reads a table per item pays for that with each item: a fifth of the run time with pandas and CSV
//! files of 1.8 MB. So workers keep freed memory for the next item. Blocks beyond [`LARGE`] are still returned.

/// Blocks from this size on get their own mapping, in bytes. This is the maximum of glibc (`mallopt(3)`, `M_MMAP_THRESHOLD`).
const LARGE: u32 = 32 << 20;

/// How much free memory to keep at the end of the heap, in bytes (`M_TRIM_THRESHOLD`).
const KEPT: u32 = 64 << 20;

/// Lists the variables that are meant for the worker, but not for the processes that its code starts.
const NOT_INHERITED: &str = "BATCHMILL_NOT_INHERITED";

/// The variables that set how many threads numeric libraries use.
pub const THREAD_VARIABLES: [&str; 5] =
    ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS"];

/// The variables for a worker of a step with `width` slots. `own` are the variables that the workflow sets.
pub(super) fn worker_env(own: &[(String, String)], width: usize) -> impl Iterator<Item = (&'static str, String)> {
    malloc_settings(own).into_iter().chain(thread_caps(width))
}

/// Empty if the user has configured malloc already.
fn malloc_settings(own: &[(String, String)]) -> Vec<(&'static str, String)> {
    let is_malloc = |name: &str| name.starts_with("MALLOC_") || name == "GLIBC_TUNABLES";
    if own.iter().any(|(name, _)| is_malloc(name))
        || std::env::vars_os().any(|(name, _)| name.to_str().is_some_and(is_malloc))
    {
        return Vec::new();
    }
    let settings = [("MALLOC_MMAP_THRESHOLD_", LARGE), ("MALLOC_TRIM_THRESHOLD_", KEPT)];
    let names = settings.map(|(name, _)| name).join(" ");
    let settings = settings.into_iter().map(|(name, bytes)| (name, bytes.to_string()));
    settings.chain([(NOT_INHERITED, names)]).collect()
}

/// Divides the cores between workers that run side by side, so that their numeric libraries do not each use all of them.
fn thread_caps(width: usize) -> impl Iterator<Item = (&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let threads = (cores / width.max(1)).max(1).to_string();
    THREAD_VARIABLES
        .into_iter()
        .filter(|name| std::env::var_os(name).is_none())
        .map(move |name| (name, threads.clone()))
}
