//! Work that reads a large body as values, apart from everything else: on a few threads of their own.
//!
//! As values a body takes up to twenty-five times its size. What many workers and senders do at once must not
//! add up, and what a thread once took the system's allocator keeps for it: so these are few, and always the
//! same.

use std::sync::LazyLock;

use rayon_core::{ThreadPool, ThreadPoolBuilder};

use crate::caught::caught;

/// Bodies from this size on, in bytes.
const LARGE_BYTES: usize = 32 * 1024;

/// How many are worked on at a time.
const AT_A_TIME: usize = 2;

/// `None` where there are no threads to be had: then it is done where it is asked for.
static THREADS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let threads = ThreadPoolBuilder::new().num_threads(AT_A_TIME);
    let threads = threads.thread_name(|_| "large-body".to_owned());
    threads.build().ok()
});

/// Does work on a body of so many bytes. It must not wait for anything that another such work could have.
///
/// # Panics
/// Where the work does.
pub(crate) fn apart<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    let threads = (bytes >= LARGE_BYTES).then(|| THREADS.as_ref()).flatten();
    let Some(threads) = threads else {
        return work();
    };
    match threads.install(|| caught(work)) {
        Ok(done) => done,
        // Where it was asked for it may be caught.
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
            assert_eq!(apart(bytes, || text.len()), 5);
            let fault = caught(|| apart(bytes, || -> u8 { panic!("odd") }));
            assert!(fault.unwrap_err().contains("odd"));
        }
    }
}
