//! Takes over what other programs insert into the outbox, on a thread of its own.
//!
//! Other programs send no notice: the store's writer sees that another process committed, and wakes this
//! thread. The thread must hold no lock of the file while it waits, and must make no event from rows that
//! are not committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::store::{Listening, Store, Woken};
use crate::time::Clock;

/// Wait after the outbox could not be read or emptied, e.g. because another program has the file's lock.
const RETRY: Duration = Duration::from_millis(250);

/// Shortest time that the file is left to other programs after a batch.
const REST_MIN: Duration = Duration::from_millis(5);

/// The running thread. Dropping it stops it.
pub struct Outbox {
    signal: SyncSender<()>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _listening: Listening,
}

impl Outbox {
    /// Starts to take over the rows that are in the outbox and those that come.
    ///
    /// # Errors
    /// [`Error::Io`] when the thread cannot be started.
    pub fn start(store: Store, clock: Arc<dyn Clock>) -> Result<Outbox> {
        // One pending signal is enough, however many there were.
        let (signal, signalled) = sync_channel(1);
        let sender = signal.clone();
        let listening = store.on_wake(move |woken| {
            if matches!(woken, Woken::All) {
                let _ = sender.try_send(());
            }
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("outbox".to_owned())
            .spawn(move || work(&store, clock.as_ref(), &signalled, &stopped))
            .map_err(|error| Error::io("start the outbox's thread", error))?;
        Ok(Outbox {
            signal,
            stop,
            thread: Some(thread),
            _listening: listening,
        })
    }

    /// Stops the thread; rows that wait are taken over after the next start.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // If a signal is already pending, it is enough.
        let _ = self.signal.try_send(());
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

fn work(store: &Store, clock: &dyn Clock, signalled: &Receiver<()>, stop: &AtomicBool) {
    // The cause that kept some rows from being taken over may be gone by now.
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
                // The store itself reports once why it is closed.
                if !matches!(error, Error::Closed(_)) {
                    tracing::warn!(error = error.chain(), "outbox.cannot_take");
                }
                Some(RETRY)
            }
        };
        // With or without a sender, the outbox is read again.
        let _ = match wait {
            None => signalled.recv().ok(),
            Some(wait) => signalled.recv_timeout(wait).ok(),
        };
    }
}

/// Leaves the file to other programs for as long as this thread held its lock.
///
/// A program that waits for the lock tries only now and then, and would find it taken again.
#[allow(
    clippy::disallowed_methods,
    reason = "SQLite tells nobody who waits for a lock"
)]
fn rest(taken: Duration) {
    std::thread::sleep(taken.clamp(REST_MIN, RETRY));
}
