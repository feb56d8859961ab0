//! The worker threads that send: one for each request on the wire, up to a limit.
//!
//! A thread is started when a job finds no idle one. It ends after it has been idle for a while, so an idle
//! box has no threads here.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::error::Error;
use crate::store::WorkLog;
use crate::time::Clock;

use super::attempt::{AttemptJob, run};
use super::mailbox::Mailbox;
use super::transport::Transport;

/// How long an idle worker waits for another job before it ends.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// A worker's stack: TLS needs tens of KiB; the default of 2 MiB would reserve address space that
/// small boxes may not have.
const STACK_BYTES: usize = 512 * 1024;

pub(super) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    mailbox: Arc<Mailbox>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    work_log: Arc<WorkLog>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<AttemptJob>,
    idle: usize,
    stopped: bool,
}

impl Pool {
    pub(super) fn new(
        mailbox: Arc<Mailbox>,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        work_log: Arc<WorkLog>,
    ) -> Pool {
        Pool {
            shared: Arc::new(Shared {
                state: Mutex::new(State::default()),
                arrived: Condvar::new(),
                mailbox,
                transport,
                clock,
                work_log,
            }),
        }
    }

    /// Hands a job to a worker; the scheduler limits how many run at a time.
    ///
    /// # Errors
    /// Gives the job back if it needs a new thread and none can be started.
    pub(super) fn run(&self, job: AttemptJob) -> Result<(), (Box<AttemptJob>, Error)> {
        let delivery = job.lead.delivery;
        let mut state = self
            .shared
            .state
            .lock()
            .expect("no worker panics with the lock");
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() {
            drop(state);
            self.shared.arrived.notify_one();
            return Ok(());
        }
        drop(state);
        let shared = self.shared.clone();
        let started = std::thread::Builder::new()
            .name("send".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || shared.work());
        let Err(error) = started else { return Ok(()) };
        let mut state = self
            .shared
            .state
            .lock()
            .expect("no worker panics with the lock");
        let left = state
            .jobs
            .iter()
            .position(|job| job.lead.delivery == delivery);
        match left.and_then(|index| state.jobs.remove(index)) {
            Some(job) => Err((Box::new(job), Error::io("start a worker thread", error))),
            // Another worker became free and took the job.
            None => Ok(()),
        }
    }
}

impl Drop for Pool {
    /// Idle workers end now. The others end after their request, whose timeout limits the wait.
    fn drop(&mut self) {
        let mut state = self
            .shared
            .state
            .lock()
            .expect("no worker panics with the lock");
        state.stopped = true;
        state.jobs.clear();
        drop(state);
        self.shared.arrived.notify_all();
    }
}

impl Shared {
    fn work(&self) {
        while let Some(job) = self.next() {
            let (transport, clock) = (self.transport.as_ref(), self.clock.as_ref());
            self.mailbox
                .finished(run(job, transport, clock, &self.work_log));
        }
    }

    fn next(&self) -> Option<AttemptJob> {
        let mut state = self.state.lock().expect("no worker panics with the lock");
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.stopped {
                return None;
            }
            state.idle += 1;
            let (held, waited) = self
                .arrived
                .wait_timeout(state, IDLE_MAX)
                .expect("no worker panics with the lock");
            state = held;
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                return None;
            }
        }
    }
}
