//! Panics of a handler become the reason of a failed item and are not printed.
//!
//! Invariant: panics outside of [`catch`], also those of threads that a handler starts, are printed as usual.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static IN_HANDLER: Cell<bool> = const { Cell::new(false) };
}

/// From now on a panic inside [`catch`] prints nothing: its text travels to the supervisor.
pub(super) fn quiet() {
    // The hook belongs to the whole process, and many workers may be threads of one process.
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IN_HANDLER.get() {
                previous(info);
            }
        }));
    });
}

/// Calls `handler`; `Err` is the text of its panic.
#[inline]
pub(super) fn catch<R>(handler: impl FnOnce() -> R) -> Result<R, String> {
    IN_HANDLER.set(true);
    // Unwind-safe by contract: `Handler::handle` documents that the handler is used again after a panic.
    let result = panic::catch_unwind(AssertUnwindSafe(handler));
    IN_HANDLER.set(false);
    result.map_err(|payload| match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => match payload.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(_) => "with a value that is no text".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_panic_is_kept() {
        quiet();
        assert_eq!(catch(|| 7), Ok(7));
        assert_eq!(catch(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        assert_eq!(catch(|| panic!("item {}", 7)), Err::<(), _>("item 7".to_owned()));
        let odd = catch(|| panic::panic_any(7_u8));
        assert_eq!(odd, Err::<(), _>("with a value that is no text".to_owned()));
    }
}
