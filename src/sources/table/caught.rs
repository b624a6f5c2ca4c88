//! Panics of the library that reads Parquet files. Damaged numbers in a file can make it panic, and then the file cannot be read: that is
//! an error of this file, and not the end of the engine.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is caught, and so nothing to print.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// What `read` returns, or what it has said when it panicked. What it has worked on must not be used after that.
pub(super) fn caught<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_CAUGHT.get() {
                print(panic);
            }
        }));
    });
    IS_CAUGHT.set(true);
    let ended = catch_unwind(AssertUnwindSafe(read));
    IS_CAUGHT.set(false);
    ended.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it makes no sense").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_text() {
        assert_eq!(caught(|| 3), Ok(3));
        assert_eq!(caught(|| -> u8 { panic!("offset {}", -1) }), Err("offset -1".to_owned()));
        assert_eq!(caught(|| -> u8 { panic!("no offset") }), Err("no offset".to_owned()));
    }
}
