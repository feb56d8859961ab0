//! Runs the scheduler on a thread of its own.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::Scheduler;
use crate::error::{Error, Result};
use crate::outbound::mailbox::Mailbox;

impl Scheduler {
    /// Starts the scheduler on a thread of its own.
    ///
    /// # Errors
    /// [`Error::Io`] when the thread cannot be started.
    pub fn start(self) -> Result<RunningScheduler> {
        let mailbox = self.mailbox.clone();
        let thread = std::thread::Builder::new()
            .name("scheduler".to_owned())
            .spawn(move || self.work())
            .map_err(|error| Error::io("start the scheduler's thread", error))?;
        Ok(RunningScheduler {
            mailbox,
            thread: Some(thread),
        })
    }
}

/// A scheduler that runs on its thread.
pub struct RunningScheduler {
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<()>>,
}

impl RunningScheduler {
    /// Stops the scheduler.
    ///
    /// It stops sending, waits for requests on the wire (10 seconds at most), records them, and returns.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.mailbox.stop();
            if thread.join().is_err() {
                tracing::error!("the scheduler's thread panicked");
            }
        }
    }
}

impl Drop for RunningScheduler {
    fn drop(&mut self) {
        self.join();
    }
}

impl fmt::Debug for RunningScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningScheduler").finish_non_exhaustive()
    }
}
