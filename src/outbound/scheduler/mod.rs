//! The scheduler: goes round the endpoints, work_log out what is due, records what came of it.
//!
//! It keeps in memory what is in flight and a page of ids per endpoint, and nothing else. It can
//! run with no thread at all: [`Scheduler::run_due`] does all that is due at the clock's time on
//! the caller's thread, which is how tests run a year in a second. [`Scheduler::start`] gives it
//! its thread and its workers.

mod age;
mod clocks;
mod completion;
mod memory;
mod running;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::model::id::{DeliveryId, EndpointId};
use crate::store::{Listening, Report, Store};
use crate::time::Clock;

use super::attempt::{AttemptJob, run};
use super::circuit::Circuit;
use super::lane::{Lane, Moment};
use super::mailbox::{Mail, Mailbox};
use super::policy::PAUSE_MAX;
use super::pool::Pool;
use super::rate_limiter::RateLimiter;
use super::steady_clock::Steady;
use super::transport::Transport;
use age::{expire_if_old, give_up_if_spent};
use memory::Memory;
pub use running::RunningScheduler;

/// Requests on the wire at the same time, over all endpoints: each is a thread.
pub const WORKERS_MAX: usize = 128;

/// Answers that wait for their commit at a time; while there are as many, nothing is sent. Each
/// holds a reply of some KiB.
const RECORDING_MAX: usize = 512;

/// Wait before the store is tried again after it could not be read or written.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Longest sleep. The wall clock may jump (a box boots in 1970, then hears the time) and sleep
/// itself does not count while a machine is suspended, so what is due is looked at now and then.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// How long a stop waits for requests on the wire; what takes longer is sent again after the
/// next start.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// Drains a store's deliveries to their endpoints. One a file: see
/// [`Store::lock_for_serving`].
pub struct Scheduler {
    store: Store,
    clock: Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
    mailbox: Arc<Mailbox>,
    chance: fastrand::Rng,
    lanes: BTreeMap<EndpointId, Lane>,
    /// The endpoint that was served last; the next round begins after it.
    last_served: Option<EndpointId>,
    /// Answered, and not yet on disk.
    recording: HashMap<DeliveryId, Arc<Report>>,
    /// Reports that could not be written, to be tried again at that time.
    unwritten: Vec<DeliveryId>,
    /// Nothing is looked up or written before: the store was in trouble.
    paused_until: Option<Duration>,
    /// A report could not be written, and none has been since: nothing is sent.
    cannot_record: bool,
    /// Whether that is for another program's lock.
    is_locked_out: bool,
    on_wire: usize,
    memory: Memory,
    /// By which things are due.
    steady: Steady,
    /// A batch of what was too old was given up, and there may be more.
    has_given_up: bool,
    /// The wall clock is behind, and that was said.
    is_behind: bool,
    _listening: Listening,
}

impl Scheduler {
    /// A scheduler for a store. `seed` decides the jitter.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the endpoints cannot be read.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        transport: Arc<dyn Transport>,
        seed: u64,
    ) -> Result<Scheduler> {
        let mailbox = Arc::new(Mailbox::default());
        let listener = mailbox.clone();
        let listening = store.on_wake(move |woken| listener.woken(woken));
        let (now, newest) = (clock.now(), store.newest()?);
        let steady = Steady::begin(now, newest, clock.elapsed());
        let mut scheduler = Scheduler {
            store,
            clock,
            transport,
            mailbox,
            chance: fastrand::Rng::with_seed(seed),
            lanes: BTreeMap::new(),
            last_served: None,
            recording: HashMap::new(),
            unwritten: Vec::new(),
            paused_until: None,
            cannot_record: false,
            is_locked_out: false,
            on_wire: 0,
            memory: Memory::default(),
            steady,
            has_given_up: false,
            is_behind: false,
            _listening: listening,
        };
        // An outage that went on when the last process ended goes on.
        for report in scheduler.store.endpoint_reports()? {
            let circuit = if report.outage.is_some() {
                Circuit::reopened()
            } else {
                Circuit::default()
            };
            let endpoint = Arc::new(report.endpoint);
            let pace = scheduler.recent_pace(endpoint.id)?;
            let mut lane = Lane::new(endpoint, circuit, pace);
            if let Some(lasting) = scheduler.store.failing_for(lane.endpoint.id)? {
                lane.brakes.refuses_for(lasting);
            }
            scheduler.lanes.insert(lane.endpoint.id, lane);
        }
        Ok(scheduler)
    }

    /// The pace of an endpoint as the last process left it. What seems to lie in the future was
    /// written by another clock.
    fn recent_pace(&self, endpoint: EndpointId) -> Result<RateLimiter> {
        let Some(recent) = self.store.recent_pace(endpoint)? else {
            return Ok(RateLimiter::default());
        };
        let now = self.clock.now();
        let past = recent.ended.iter().filter(|at| **at <= now);
        let ages: Vec<Duration> = past.map(|at| now.since(*at)).collect();
        let pause = recent.not_before.since(now).min(PAUSE_MAX);
        Ok(RateLimiter::remembered(self.clock.elapsed(), &ages, pause))
    }

    /// This moment, by the three clocks that matter.
    fn moment(&self) -> Moment {
        Moment {
            now: self.steady.now(),
            wall: self.clock.now(),
            elapsed: self.clock.elapsed(),
        }
    }

    /// Does all that is due at the clock's time, one attempt after the other on this thread, and
    /// returns how many attempts that were.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the store cannot be read or written.
    pub fn run_due(&mut self) -> Result<usize> {
        let mut attempts = 0;
        self.wake_all();
        loop {
            self.read_mail(Some(Duration::ZERO));
            let mut jobs = Vec::new();
            self.dispatch(1, &mut jobs)?;
            let has_given_up = std::mem::take(&mut self.has_given_up);
            if jobs.is_empty() && self.recording.is_empty() && !has_given_up {
                return Ok(attempts);
            }
            attempts += jobs.len();
            for job in jobs {
                let finished = run(
                    job,
                    self.transport.as_ref(),
                    self.clock.as_ref(),
                    &self.store.work_log(),
                );
                self.tick();
                self.settle(finished);
            }
            if !self.recording.is_empty() {
                // What goes wrong is said of each report by itself, below.
                let _ = self.store.sync();
            }
            while !self.recording.is_empty() {
                let mail = self.mailbox.take(None);
                let errors = mail.recorded.iter();
                let error = errors
                    .filter_map(|(_, _, result)| result.as_ref().err())
                    .next();
                let error = error.cloned();
                self.sort(mail);
                if let Some(error) = error {
                    return Err(error);
                }
            }
        }
    }

    fn work(mut self) {
        let pool = Pool::new(
            self.mailbox.clone(),
            self.transport.clone(),
            self.clock.clone(),
            self.store.work_log(),
        );
        let mut wait = Duration::ZERO;
        while !self.read_mail(Some(wait)) {
            self.write_again();
            let mut jobs = Vec::new();
            if let Err(error) = self.dispatch(WORKERS_MAX.saturating_sub(self.on_wire), &mut jobs) {
                tracing::error!(
                    error = error.chain(),
                    "cannot look up what is due; trying again"
                );
                self.pause();
            }
            for job in jobs {
                if let Err((job, error)) = pool.run(job) {
                    tracing::warn!(error = error.chain(), "too few threads; trying again");
                    self.on_wire -= 1;
                    let bytes = job.event.body.len();
                    self.memory.give_back(job.endpoint.id, bytes);
                    if let Some(lane) = self.lanes.get_mut(&job.endpoint.id) {
                        lane.brakes.off_wire();
                        lane.page.put_back(job.delivery);
                    }
                    self.pause();
                }
            }
            wait = self.wait();
        }
        self.finish();
    }

    /// Lets requests on the wire end, and their reports be written; nothing new is sent.
    fn finish(&mut self) {
        let deadline = self.clock.elapsed() + STOP_GRACE;
        // There may be room again by now; where there is none, a second try would only take time.
        self.paused_until = None;
        let mut tries = 0;
        while self.on_wire > 0 || !self.recording.is_empty() {
            let is_stuck = self.on_wire == 0 && self.unwritten.len() == self.recording.len();
            if is_stuck && tries > 0 && !self.is_locked_out {
                tracing::warn!(
                    attempts = self.recording.len(),
                    "stopped though attempts could not be recorded; they will be made again"
                );
                return;
            }
            let left = deadline.saturating_sub(self.clock.elapsed());
            if left.is_zero() {
                tracing::warn!(
                    requests = self.on_wire,
                    "stopped while requests were on the wire; they will be sent again"
                );
                return;
            }
            tries += u32::from(is_stuck);
            self.write_again();
            let retry = (!self.unwritten.is_empty()).then_some(STORE_RETRY);
            let mail = self
                .mailbox
                .take(Some(retry.map_or(left, |retry| retry.min(left))));
            self.tick();
            self.sort(mail);
        }
    }

    /// Reads what was left, waiting for it if need be; true when it is time to stop.
    fn read_mail(&mut self, wait: Option<Duration>) -> bool {
        let mail = self.mailbox.take(wait);
        let stop = mail.stop;
        // Before what came is judged: the clock may have been set while it was on its way.
        self.tick();
        self.sort(mail);
        stop
    }

    fn sort(&mut self, mail: Mail) {
        for attempt in mail.finished {
            self.settle(attempt);
        }
        for (endpoint, delivery, result) in mail.recorded {
            self.recorded(endpoint, delivery, result);
        }
        if mail.woken_all {
            self.wake_all();
        }
        for endpoint in mail.woken {
            if let Some(lane) = self.lanes.get_mut(&endpoint) {
                lane.wake();
            }
        }
    }

    /// Follows the directory: new endpoints get a lane, removed ones lose theirs.
    fn wake_all(&mut self) {
        let directory = self.store.directory();
        self.lanes
            .retain(|id, _| directory.endpoint_by_id(*id).is_some());
        for endpoint in directory.endpoints() {
            match self.lanes.get_mut(&endpoint.id) {
                Some(lane) => lane.replace(endpoint.clone()),
                None => {
                    self.lanes.insert(
                        endpoint.id,
                        Lane::new(endpoint.clone(), Circuit::default(), RateLimiter::default()),
                    );
                }
            }
        }
        for lane in self.lanes.values_mut() {
            lane.wake();
        }
    }

    /// Takes what is due, one delivery an endpoint and round, until there is no room or nothing
    /// is left. What is in `jobs` after an error was taken before it and is to be run.
    fn dispatch(&mut self, room: usize, jobs: &mut Vec<AttemptJob>) -> Result<()> {
        let elapsed = self.clock.elapsed();
        let must_wait = self.cannot_record || self.recording.len() >= RECORDING_MAX;
        if must_wait || self.paused_until.is_some_and(|until| until > elapsed) {
            return Ok(());
        }
        self.paused_until = None;
        let moment = self.moment();
        let mut order = self.round();
        // Those that had one are asked again; among hundreds of endpoints few have.
        while !order.is_empty() {
            let mut had_one = Vec::new();
            for id in order {
                if jobs.len() >= room {
                    return Ok(());
                }
                if let Some(job) = self.take_from(id, moment)? {
                    had_one.push(id);
                    self.on_wire += 1;
                    self.memory.take(id, job.event.body.len());
                    jobs.push(job);
                }
            }
            order = had_one;
        }
        Ok(())
    }

    /// The next job of an endpoint, if it has one and may send now.
    fn take_from(&mut self, id: EndpointId, moment: Moment) -> Result<Option<AttemptJob>> {
        let share = self.share();
        let has_room = self.memory.has_room_for(id);
        let Some(lane) = self.lanes.get_mut(&id) else {
            return Ok(None);
        };
        if lane.brakes.on_wire() >= share || !has_room {
            return Ok(None);
        }
        // Also when it fails: the next round begins with another endpoint.
        self.last_served = Some(id);
        while let Some(due) = lane.take(&self.store, moment)? {
            let event = match self.store.sendable(due.id) {
                Ok(Some(event)) => event,
                Ok(None) => {
                    // Cancelled since it was looked up.
                    lane.brakes.off_wire();
                    lane.page.release(due.id);
                    continue;
                }
                Err(error) if error.may_pass() => {
                    lane.brakes.off_wire();
                    lane.page.put_back(due.id);
                    return Err(error);
                }
                Err(error) => {
                    lane.brakes.off_wire();
                    // This one row cannot be read. It stays in flight, and so out of the way of
                    // the others, until the next start.
                    let delivery = self.store.box_id().delivery(due.id);
                    tracing::error!(delivery, error = error.chain(), "cannot be read; set aside");
                    continue;
                }
            };
            let given_up = match give_up_if_spent(&self.store, lane, due, moment.wall) {
                Ok(true) => {
                    lane.brakes.off_wire();
                    lane.page.release(due.id);
                    continue;
                }
                Ok(false) => expire_if_old(&self.store, lane, due.id, event.owed, moment.wall),
                Err(error) => Err(error),
            };
            match given_up {
                Ok(false) => {}
                // A batch at a time: the others get their turn in between.
                Ok(true) => {
                    lane.brakes.off_wire();
                    lane.page.put_back(due.id);
                    self.has_given_up = true;
                    return Ok(None);
                }
                Err(error) => {
                    lane.brakes.off_wire();
                    lane.page.put_back(due.id);
                    return Err(error);
                }
            }
            let delivery_id = self.store.box_id().delivery(due.id);
            let (webhook_id, event) = if due.has_new_id {
                (delivery_id.clone(), event.renamed(&delivery_id))
            } else {
                (self.store.box_id().event(event.id), event)
            };
            return Ok(Some(AttemptJob {
                delivery: due.id,
                tries: due.tries,
                endpoint: lane.endpoint.clone(),
                webhook_id,
                delivery_id,
                event,
            }));
        }
        Ok(None)
    }

    /// How many requests one endpoint may have on the wire, besides its own concurrency: as many as
    /// are left, so that there is always room for an endpoint that has fewer (Choudhury and Hahne,
    /// "Dynamic queue length thresholds", 1998). Endpoints that hang do not take what others need.
    fn share(&self) -> usize {
        WORKERS_MAX.saturating_sub(self.on_wire)
    }

    /// The endpoints in turn, beginning after the one that was served last.
    fn round(&self) -> Vec<EndpointId> {
        let (before, after): (Vec<EndpointId>, Vec<EndpointId>) = self
            .lanes
            .keys()
            .partition(|id| Some(**id) <= self.last_served);
        after.into_iter().chain(before).collect()
    }

    fn pause(&mut self) {
        self.paused_until = Some(self.clock.elapsed() + STORE_RETRY);
    }

    /// How long there is nothing to do unless word comes.
    fn wait(&mut self) -> Duration {
        let elapsed = self.clock.elapsed();
        if let Some(until) = self.paused_until {
            return until.saturating_sub(elapsed);
        }
        let full = self.on_wire >= WORKERS_MAX || self.recording.len() >= RECORDING_MAX;
        if self.cannot_record || full {
            // Word will come: of the writing that is under way, or of a request.
            return SLEEP_MAX;
        }
        let (moment, share) = (self.moment(), self.share());
        let memory = &self.memory;
        let lanes = self.lanes.iter_mut();
        let lanes =
            lanes.filter(|(id, lane)| lane.brakes.on_wire() < share && memory.has_room_for(**id));
        let lanes = lanes.map(|(_, lane)| lane);
        let next = lanes.filter_map(|lane| lane.wait(moment)).min();
        next.map_or(SLEEP_MAX, |next| next.min(SLEEP_MAX))
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("lanes", &self.lanes.len())
            .finish_non_exhaustive()
    }
}
