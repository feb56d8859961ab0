//! Waiting for other processes and threads: on what they show, never on time.

use std::time::Duration;

/// Longest a test waits for another process or thread to do what it must.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something that another process does is seen. Such things cannot signal a test.
#[allow(
    clippy::disallowed_methods,
    reason = "other processes cannot be waited on otherwise"
)]
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let step = Duration::from_millis(10);
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(step);
    }
    panic!("waited {PATIENCE:?} for {what}");
}
