//! What rendering a template may take, so that none can end the engine or run without end.
//!
//! minijinja counts operations, and the bytes of all texts and lists that they make, as *fuel*. That bounds time and memory. The stack
//! needs more: only `namespace` carries a value from one round of a loop to the next, so only with it can a loop nest a value thousands
//! of levels deep, and minijinja compares, prints and drops values by recursion.

use std::io;
use std::thread::{Builder, scope};

/// Fuel of one rendering: as many operations, or 64 times as many bytes.
const FUEL: u64 = 1 << 24;

/// The same for a template that uses `namespace`. A level of nesting takes two and a half operations at least.
const NESTING_FUEL: u64 = 1 << 17;

/// Bytes of the stack for such a template. A level takes up to 3 KiB, in a build that is not optimised.
const NESTING_STACK: usize = 256 << 20;

/// Whether a template can nest values in a loop.
fn nests(raw: &str) -> bool {
    raw.contains("namespace")
}

/// The fuel for one rendering of a template.
pub(super) fn fuel(raw: &str) -> u64 {
    if nests(raw) { NESTING_FUEL } else { FUEL }
}

/// Renders a template, with more of a stack if it needs one.
///
/// # Errors
/// If the thread that has this stack cannot be started.
pub(super) fn rendered<T: Send>(raw: &str, render: impl FnOnce() -> T + Send) -> io::Result<T> {
    if !nests(raw) {
        return Ok(render());
    }
    scope(|scope| {
        let thread =
            Builder::new().name("template".to_owned()).stack_size(NESTING_STACK).spawn_scoped(scope, render)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// What the limits are, for the error of a template that has reached them.
pub(super) fn exhausted(raw: &str) -> String {
    let (what, operations, text) =
        if nests(raw) { ("with `namespace`, ", "131,072", "8 MiB") } else { ("", "16,777,216", "1 GiB") };
    format!("{what}a template may take {operations} operations, or make {text} of text")
}
