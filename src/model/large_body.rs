//! Runs work that turns a large body into values on a few dedicated threads.
//!
//! As values a body needs up to twenty-five times its size. Many workers and senders at once must not add
//! this up. Also, the allocator keeps freed memory per thread. So there are few such threads, and always
//! the same ones.

use std::sync::LazyLock;

use rayon_core::{ThreadPool, ThreadPoolBuilder};

use crate::panics::catch_panic;

/// Bodies of this many bytes or more are large.
const LARGE_BYTES: usize = 32 * 1024;

/// How many large bodies are processed at once.
const AT_A_TIME: usize = 2;

/// `None` if no threads can be created: then the work runs in the caller's thread.
static THREADS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let threads = ThreadPoolBuilder::new().num_threads(AT_A_TIME);
    let threads = threads.thread_name(|_| "large-body".to_owned());
    threads.build().ok()
});

/// Runs work on a body of this size. The work must not wait for anything that other such work may hold.
///
/// # Panics
/// When the work panics.
pub(crate) fn on_large_body_pool<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    let threads = (bytes >= LARGE_BYTES).then(|| THREADS.as_ref()).flatten();
    let Some(threads) = threads else {
        return work();
    };
    match threads.install(|| catch_panic(work)) {
        Ok(done) => done,
        // The caller may catch this panic.
        Err(fault) => panic!("{fault}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_apart_comes_back_and_so_does_a_fault() {
        for bytes in [0, LARGE_BYTES] {
            let text = "seven".to_owned();
            assert_eq!(on_large_body_pool(bytes, || text.len()), 5);
            let fault = catch_panic(|| on_large_body_pool(bytes, || -> u8 { panic!("odd") }));
            assert!(fault.unwrap_err().contains("odd"));
        }
    }
}
