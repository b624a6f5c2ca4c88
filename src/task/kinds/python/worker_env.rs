//! The environment variables that a worker gets: how its C library handles memory, and how many threads its libraries use.
//!
//! glibc gives the memory of large blocks back to the kernel as soon as they are freed, and gets it again, page by page, for the
//! next one. A task that reads a table per item pays for that with each item: with pandas and CSV files of 1.8 MB it was a
//! fifth of the time. So a worker keeps what its next item will need. Blocks beyond [`LARGE`] are given back as ever.

/// Larger blocks get a mapping of their own, in bytes; glibc takes no more (`mallopt(3)`, `M_MMAP_THRESHOLD`).
const LARGE: u32 = 32 << 20;

/// How much free memory to keep at the end of the heap, in bytes (`M_TRIM_THRESHOLD`).
const KEPT: u32 = 64 << 20;

/// Names the variables that are for the worker and not for the processes that its code starts.
const NOT_INHERITED: &str = "BATCHMILL_NOT_INHERITED";

/// The variables for a worker of a step with so many slots. `own` are the workflow's variables.
pub(super) fn worker_env(own: &[(String, String)], width: usize) -> impl Iterator<Item = (&'static str, String)> {
    malloc_settings(own).into_iter().chain(thread_caps(width))
}

/// None if the user has set something of the kind.
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

/// Workers side by side must not each take every core for their numeric libraries.
fn thread_caps(width: usize) -> impl Iterator<Item = (&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let threads = (cores / width.max(1)).max(1).to_string();
    let names =
        ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS"];
    names.into_iter().filter(|name| std::env::var_os(name).is_none()).map(move |name| (name, threads.clone()))
}
