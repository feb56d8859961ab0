//! The scheduler's inbox.
//!
//! It takes messages from the workers, from the store's writer and from whoever stops the scheduler.
//! One lock and one condition variable: the scheduler sleeps until a message comes or its wait is over.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::error::Result;
use crate::model::id::{DeliveryId, EndpointId};
use crate::store::Woken;

use super::attempt::Finished;

/// All messages since the scheduler last looked.
#[derive(Default)]
pub(super) struct Mail {
    /// Attempts that ended.
    pub(super) finished: Vec<Finished>,
    /// Reports that were written, or could not be written.
    pub(super) recorded: Vec<(EndpointId, DeliveryId, Result<()>)>,
    /// Endpoints that have something new to send.
    pub(super) woken: HashSet<EndpointId>,
    /// Set if any endpoint may have something new to send, or may have changed.
    pub(super) woken_all: bool,
    /// Set if the scheduler must stop.
    pub(super) stop: bool,
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.finished.is_empty()
            && self.recorded.is_empty()
            && self.woken.is_empty()
            && !self.woken_all
            && !self.stop
    }
}

#[derive(Default)]
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
    arrived: Condvar,
}

impl Mailbox {
    pub(super) fn finished(&self, attempt: Finished) {
        self.leave(|mail| mail.finished.push(attempt));
    }

    pub(super) fn recorded(&self, endpoint: EndpointId, delivery: DeliveryId, result: Result<()>) {
        self.leave(|mail| mail.recorded.push((endpoint, delivery, result)));
    }

    pub(super) fn woken(&self, woken: &Woken<'_>) {
        self.leave(|mail| match woken {
            Woken::Endpoints(endpoints) => mail.woken.extend(endpoints.iter().copied()),
            Woken::All => mail.woken_all = true,
            Woken::Replays => {}
        });
    }

    pub(super) fn stop(&self) {
        self.leave(|mail| mail.stop = true);
    }

    /// Takes all messages; waits for the first one if there is none.
    ///
    /// With `wait` `None` it waits for as long as that takes.
    pub(super) fn take(&self, wait: Option<Duration>) -> Mail {
        let mail = self.lock();
        let mut mail = match wait {
            None => self.arrived.wait_while(mail, |mail| mail.is_empty()),
            Some(wait) => self
                .arrived
                .wait_timeout_while(mail, wait, |mail| mail.is_empty())
                .map(|(mail, _)| mail)
                .map_err(|poisoned| std::sync::PoisonError::new(poisoned.into_inner().0)),
        }
        .expect("nobody panics with the mailbox locked");
        std::mem::take(&mut *mail)
    }

    fn leave(&self, write: impl FnOnce(&mut Mail)) {
        let mut mail = self.lock();
        let sleeping = mail.is_empty();
        write(&mut mail);
        drop(mail);
        if sleeping {
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail
            .lock()
            .expect("nobody panics with the mailbox locked")
    }
}
