//! Takes over what other programs put into the outbox, on a thread of its own.
//!
//! Nobody tells it: the writer sees that another process committed, and wakes it. It must hold no
//! lock of the file while it waits, and make no event of what is not committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::store::{Listening, Store, Woken};
use crate::time::Clock;

/// Wait after the outbox could not be read or emptied: another program has the file's lock, say.
const RETRY: Duration = Duration::from_millis(250);

/// How long the file is left to others after a piece, at least.
const REST_MIN: Duration = Duration::from_millis(5);

/// The running thread. Dropping it stops it.
pub struct Outbox {
    bell: SyncSender<()>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _listening: Listening,
}

impl Outbox {
    /// Starts taking over what is there and what comes.
    ///
    /// # Errors
    /// [`Error::Io`] when there is no thread to be had.
    pub fn start(store: Store, clock: Arc<dyn Clock>) -> Result<Outbox> {
        // One ring is as good as many.
        let (bell, rung) = sync_channel(1);
        let ring = bell.clone();
        let listening = store.on_wake(move |woken| {
            if matches!(woken, Woken::All) {
                let _ = ring.try_send(());
            }
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("outbox".to_owned())
            .spawn(move || work(&store, clock.as_ref(), &rung, &stopped))
            .map_err(|error| Error::io("start the outbox's thread", error))?;
        Ok(Outbox {
            bell,
            stop,
            thread: Some(thread),
            _listening: listening,
        })
    }

    /// Stops it; what waits is taken over after the next start.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Where it was rung already, that will do.
        let _ = self.bell.try_send(());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the outbox's thread panicked");
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.join();
    }
}

fn work(store: &Store, clock: &dyn Clock, rung: &Receiver<()>, stop: &AtomicBool) {
    // What was in the way of some may be gone since.
    let mut retries = true;
    while !stop.load(Ordering::Relaxed) {
        let began = clock.elapsed();
        let taken = if retries {
            store.retry_outbox()
        } else {
            Ok(())
        };
        let wait = match taken.and_then(|()| store.take_outbox(clock.now())) {
            Ok(taken) => {
                retries = false;
                if taken.is_some() {
                    rest(clock.elapsed().saturating_sub(began));
                    continue;
                }
                None
            }
            Err(error) => {
                // Of what keeps it closed the store speaks once.
                if !matches!(error, Error::Closed(_)) {
                    tracing::warn!(error = error.chain(), "outbox.cannot_take");
                }
                Some(RETRY)
            }
        };
        // Rung or not, it is looked at again.
        let _ = match wait {
            None => rung.recv().ok(),
            Some(wait) => rung.recv_timeout(wait).ok(),
        };
    }
}

/// Leaves the file to others for as long as it was kept from them: whoever waits for its lock looks
/// for it only now and then, and would find it taken again.
#[allow(
    clippy::disallowed_methods,
    reason = "SQLite tells nobody who waits for a lock"
)]
fn rest(taken: Duration) {
    std::thread::sleep(taken.clamp(REST_MIN, RETRY));
}
