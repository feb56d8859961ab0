//! Catches panics in work on untrusted input.
//!
//! A bug there ends that piece of work and not the process. Everywhere else a panic ends the process:
//! half a process would keep the scheduler's lock and do nothing.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(feature = "cli")]
use std::process::abort;

thread_local! {
    static CATCHES: Cell<bool> = const { Cell::new(false) };
}

/// Runs a piece of work and catches its panic.
///
/// # Errors
/// The panic's message.
pub(crate) fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = CATCHES.replace(true);
    // The values it was working on are dropped with it.
    let done = catch_unwind(AssertUnwindSafe(work));
    CATCHES.set(before);
    done.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        format!("a fault in hookbox: {}", text.unwrap_or("no more is known"))
    })
}

/// Makes every other panic of this process end the process.
#[cfg(feature = "cli")]
pub(crate) fn abort_on_other_panics() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        previous(panic);
        if !CATCHES.get() {
            abort();
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_and_the_thread_goes_on() {
        assert_eq!(catch_panic(|| 7), Ok(7));
        let fault: Result<(), String> = catch_panic(|| panic!("line {} is odd", 3));
        assert_eq!(fault, Err("a fault in hookbox: line 3 is odd".to_owned()));
        let fault: Result<(), String> = catch_panic(|| panic!("odd"));
        assert_eq!(fault, Err("a fault in hookbox: odd".to_owned()));
        assert!(!CATCHES.get());
    }
}
