//! A thread that does something again and again until it is stopped.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, Result};

/// The running thread. Dropping it stops it.
pub(super) struct Worker {
    name: &'static str,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// By which a thread hears that it must stop.
pub(super) struct Stop(Receiver<()>);

impl Stop {
    /// Waits; returns true when the thread must stop.
    pub(super) fn rest(&self, span: Duration) -> bool {
        !matches!(self.0.recv_timeout(span), Err(RecvTimeoutError::Timeout))
    }
}

impl Worker {
    pub(super) fn start(
        name: &'static str,
        work: impl FnOnce(Stop) + Send + 'static,
    ) -> Result<Worker> {
        let (stop, stopped) = sync_channel(0);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(Stop(stopped)))
            .map_err(|error| Error::io(format!("start the {name}'s thread"), error))?;
        Ok(Worker {
            name,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(super) fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        // The thread sees that the channel is closed, and ends.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the {}'s thread panicked", self.name);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.join();
    }
}
