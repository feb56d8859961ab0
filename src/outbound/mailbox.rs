//! Where everybody leaves word for the scheduler: workers, the writer, whoever stops it.
//!
//! One lock, one condition: the scheduler sleeps until there is word or its time has come.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::error::Result;
use crate::model::id::{DeliveryId, EndpointId};
use crate::store::Woken;

use super::attempt::Finished;

/// What was left since the scheduler last looked.
#[derive(Default)]
pub(super) struct Mail {
    /// Attempts that came to an end.
    pub(super) finished: Vec<Finished>,
    /// Reports that were written, or could not be.
    pub(super) recorded: Vec<(EndpointId, DeliveryId, Result<()>)>,
    /// Endpoints that have something new to send.
    pub(super) woken: HashSet<EndpointId>,
    /// Any endpoint may have, or have changed.
    pub(super) woken_all: bool,
    /// The scheduler is to stop.
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

    /// Takes what is there, after waiting for the first word if there is none; `None` waits as
    /// long as it takes.
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
