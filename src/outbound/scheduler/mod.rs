//! The scheduler: goes round the endpoints, sends what is due, records the results.
//!
//! In memory it keeps the deliveries in flight and one page of ids for each endpoint, and nothing else. It
//! can run without a thread: [`Scheduler::run_due`] does all that is due at the clock's time on the
//! caller's thread, which is how tests run a year in a second. [`Scheduler::start`] gives it its own thread
//! and its workers.

mod age;
mod clocks;
mod completion;
mod memory;
mod reading;
mod running;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::endpoint::Endpoint;
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
use memory::Memory;
use reading::{Read, read_item, read_others};
pub use running::RunningScheduler;

/// Requests on the wire at the same time, over all endpoints: each needs a thread.
pub const WORKERS_MAX: usize = 128;

/// Most reports that wait for their commit; while there are this many, nothing is sent. Each holds a
/// response of some KiB.
const RECORDING_MAX: usize = 512;

/// Wait before the store is tried again after it could not be read or written.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Longest sleep. The wall clock may jump (a box boots in 1970 and gets the time later), and a sleep does
/// not advance while the machine is suspended. So what is due is checked now and then.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// How long a stop waits for requests on the wire. A request that takes longer is sent again after the next
/// start.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// Sends a store's deliveries to their endpoints.
///
/// Only one may run for each database file: see [`Store::begin_serving`].
pub struct Scheduler {
    store: Store,
    clock: Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
    mailbox: Arc<Mailbox>,
    chance: fastrand::Rng,
    lanes: BTreeMap<EndpointId, Lane>,
    /// The endpoint that was served last; the next round starts after it.
    last_served: Option<EndpointId>,
    /// Set when the directory or the leases may have changed since the lanes were made.
    must_follow: bool,
    /// Reports of attempts that have ended and are not on disk yet.
    recording: HashMap<DeliveryId, Arc<Report>>,
    /// Reports that could not be written; they are written again after `paused_until`.
    unwritten: Vec<DeliveryId>,
    /// Until then the store is neither read nor written: it failed before.
    paused_until: Option<Duration>,
    /// Set when a report could not be written, until one can be; meanwhile nothing is sent.
    cannot_record: bool,
    /// Whether the cause of that is another program's lock.
    is_locked_out: bool,
    /// Whether what is due could be looked up the last time.
    can_look: bool,
    on_wire: usize,
    memory: Memory,
    /// The time by which deliveries are due.
    steady: Steady,
    /// Set when a batch of expired deliveries was given up, and there may be more.
    has_given_up: bool,
    /// Set when the wall clock is behind and that has been logged.
    is_behind: bool,
    _listening: Listening,
}

impl Scheduler {
    /// Creates a scheduler for a store; `seed` seeds the random jitter.
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
            must_follow: true,
            recording: HashMap::new(),
            unwritten: Vec::new(),
            paused_until: None,
            cannot_record: false,
            is_locked_out: false,
            can_look: true,
            on_wire: 0,
            memory: Memory::default(),
            steady,
            has_given_up: false,
            is_behind: false,
            _listening: listening,
        };
        scheduler.follow_directory()?;
        Ok(scheduler)
    }

    /// Makes the lane of an endpoint, in the state in which the last process, or another node, left it.
    fn restored(&self, endpoint: Arc<Endpoint>) -> Result<Lane> {
        // Before anything is read: what another node writes later is of another lease. What it wrote with the
        // last one (that the endpoint is held, say) is read here, however shortly before that was.
        let lease = self.store.lease(endpoint.id);
        let directory = self.store.fresh_directory()?;
        let endpoint = directory
            .endpoint_by_id(endpoint.id)
            .map_or(endpoint, Clone::clone);
        let left = self.store.lane_state(endpoint.id)?;
        // An outage that was open then is still open.
        let circuit = match left.is_offline {
            true => Circuit::reopened(),
            false => Circuit::default(),
        };
        let pace = left.pace.map_or_else(RateLimiter::default, |recent| {
            // Times that seem to be in the future were written by another clock.
            let now = self.clock.now();
            let past = recent.ended.iter().filter(|at| **at <= now);
            let ages: Vec<Duration> = past.map(|at| now.since(*at)).collect();
            let pause = recent.not_before.since(now).min(PAUSE_MAX);
            RateLimiter::remembered(self.clock.elapsed(), &ages, pause)
        });
        let mut lane = Lane::new(endpoint, lease, circuit, pace);
        if let Some(lasting) = left.failing_for {
            lane.limits.restore_failing_for(lasting);
        }
        Ok(lane)
    }

    /// Reads the three clocks.
    fn moment(&self) -> Moment {
        Moment {
            now: self.steady.now(),
            wall: self.clock.now(),
            elapsed: self.clock.elapsed(),
        }
    }

    /// Sends all that is due at the clock's time, and returns the number of attempts.
    ///
    /// It makes one attempt at a time on this thread. It blocks for as long as the endpoints take to answer.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the store cannot be read or written.
    pub fn run_due(&mut self) -> Result<usize> {
        let mut attempts = 0;
        self.wake_all();
        loop {
            self.read_mail(Some(Duration::ZERO));
            self.write_again();
            let mut jobs = Vec::new();
            self.dispatch(1, &mut jobs)?;
            let has_given_up = std::mem::take(&mut self.has_given_up);
            let has_more = has_given_up || self.must_follow && !self.must_wait();
            if jobs.is_empty() && !self.is_being_recorded() && !has_more {
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
            if self.is_being_recorded() {
                // An error here is also reported for each report by itself, below.
                let _ = self.store.sync();
            }
            while self.is_being_recorded() {
                let mail = self.mailbox.take(None);
                let errors = mail.recorded.iter();
                let error = errors
                    .filter_map(|(_, _, result)| result.as_ref().err())
                    .find(|error| !matches!(error, Error::LaneLost));
                let error = error.cloned();
                self.sort(mail);
                if let Some(error) = error {
                    return Err(error);
                }
            }
        }
    }

    /// Whether the writer has reports that it has not answered.
    fn is_being_recorded(&self) -> bool {
        self.recording.len() > self.unwritten.len()
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
            let looks = !self.must_wait();
            let looked = self.dispatch(WORKERS_MAX.saturating_sub(self.on_wire), &mut jobs);
            let could_look = self.can_look;
            if looks {
                self.can_look = looked.is_ok();
            }
            if let Err(error) = looked {
                let error = error.chain();
                match could_look {
                    true => tracing::error!(error, "cannot look up what is due; trying again"),
                    false => tracing::debug!(error, "cannot look up what is due yet"),
                }
                self.pause();
            } else if !could_look && looks {
                tracing::info!("what is due can be looked up again");
            }
            for job in jobs {
                if let Err((job, error)) = pool.run(job) {
                    tracing::warn!(error = error.chain(), "too few threads; trying again");
                    self.on_wire -= 1;
                    self.memory.give_back(job.endpoint.id, job.body_bytes());
                    if let Some(lane) = self.lanes.get_mut(&job.endpoint.id) {
                        lane.limits.off_wire();
                        for item in job.items() {
                            lane.page.put_back(item.delivery);
                        }
                    }
                    self.pause();
                }
            }
            wait = self.wait();
        }
        self.finish();
    }

    /// Waits for the requests on the wire and for their reports to be written; sends nothing new.
    fn finish(&mut self) {
        let deadline = self.clock.elapsed() + STOP_GRACE;
        // The disk may have free space again by now. If it has not, a second try would only take time.
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

    /// Reads the messages, waiting if there are none; returns true when it is time to stop.
    fn read_mail(&mut self, wait: Option<Duration>) -> bool {
        let mail = self.mailbox.take(wait);
        let stop = mail.stop;
        // The clock must be read before the messages are judged: it may have been set meanwhile.
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

    /// Everything may have changed: the next round follows the directory, and looks at all lanes again.
    fn wake_all(&mut self) {
        self.must_follow = true;
    }

    /// Endpoints that are new, and those whose lanes this process has since now, get a lane; removed ones
    /// lose theirs.
    fn follow_directory(&mut self) -> Result<()> {
        // What a new lane was made of must not be replaced by something older.
        let directory = self.store.fresh_directory()?;
        let elapsed = self.clock.elapsed();
        self.lanes
            .retain(|id, _| directory.endpoint_by_id(*id).is_some());
        for endpoint in directory.endpoints() {
            // Another node had it meanwhile: what is known of it may be untrue.
            let is_stale = |lane: &mut Lane| lane.lease != self.store.lease(endpoint.id);
            if self.lanes.get_mut(&endpoint.id).is_some_and(is_stale) {
                self.hand_over(endpoint.id);
            }
            if let Some(lane) = self.lanes.get_mut(&endpoint.id) {
                lane.replace(endpoint.clone());
            } else if self.store.may_send(endpoint.id, elapsed) {
                let lane = self.restored(endpoint.clone())?;
                self.lanes.insert(endpoint.id, lane);
            }
        }
        for lane in self.lanes.values_mut() {
            lane.wake();
        }
        self.store.rest_lanes_but(|id| self.lanes.contains_key(&id));
        self.must_follow = false;
        Ok(())
    }

    /// Gives up the lane of an endpoint that another node is to send to, or has sent to, once nothing is on
    /// the wire. If it is this node's by a new lease, it is made anew.
    fn hand_over(&mut self, id: EndpointId) {
        if self.lanes.get(&id).is_some_and(|lane| !lane.is_busy()) {
            self.lanes.remove(&id);
            self.store.rest_lanes_but(|id| self.lanes.contains_key(&id));
            self.must_follow |= self.store.may_send(id, self.clock.elapsed());
        }
    }

    /// Whether nothing may be looked up or sent until something is recorded, or a pause ends.
    fn must_wait(&self) -> bool {
        let elapsed = self.clock.elapsed();
        self.cannot_record
            || self.recording.len() >= RECORDING_MAX
            || self.paused_until.is_some_and(|until| until > elapsed)
    }

    /// Takes the due deliveries, one for each endpoint in turn, until there is no room or nothing is due.
    ///
    /// After an error, the jobs already in `jobs` must still be run.
    fn dispatch(&mut self, room: usize, jobs: &mut Vec<AttemptJob>) -> Result<()> {
        if self.must_wait() {
            return Ok(());
        }
        self.paused_until = None;
        if self.must_follow {
            self.follow_directory()?;
        }
        let moment = self.moment();
        let mut order = self.round();
        // The next round asks only the endpoints that had a delivery: among hundreds few have one.
        while !order.is_empty() {
            let mut had_one = Vec::new();
            for id in order {
                if jobs.len() >= room {
                    return Ok(());
                }
                if let Some(job) = self.take_from(id, moment)? {
                    had_one.push(id);
                    self.on_wire += 1;
                    self.memory.take(id, job.body_bytes());
                    jobs.push(job);
                }
            }
            order = had_one;
        }
        Ok(())
    }

    /// Takes the next job of an endpoint, if it has one and may send now.
    fn take_from(&mut self, id: EndpointId, moment: Moment) -> Result<Option<AttemptJob>> {
        let lease = self.store.lease(id);
        if self.lanes.get(&id).is_none_or(|lane| lane.lease != lease)
            || !self.store.may_send(id, moment.elapsed)
        {
            self.hand_over(id);
            return Ok(None);
        }
        let share = self.share();
        let has_room = self.memory.has_room_for(id);
        let Some(lane) = self.lanes.get_mut(&id) else {
            return Ok(None);
        };
        if lane.limits.on_wire() >= share || !has_room {
            return Ok(None);
        }
        // Set even if the look-up fails, so that the next round starts with another endpoint.
        self.last_served = Some(id);
        while let Some(due) = lane.take(&self.store, moment)? {
            let read = read_item(&self.store, lane, due, moment.wall);
            if !matches!(read, Ok(Read::Item(_))) {
                lane.limits.off_wire();
            }
            let lead = match read? {
                Read::Item(item) => item,
                Read::Passed => continue,
                // Only one batch at a time, so that the other endpoints get their turn in between.
                Read::GaveUp => {
                    self.has_given_up = true;
                    return Ok(None);
                }
            };
            let (others, has_given_up) = read_others(&self.store, lane, &lead, moment);
            self.has_given_up |= has_given_up;
            let job = AttemptJob {
                endpoint: lane.endpoint.clone(),
                lead,
                others,
            };
            if !self.store.may_send(id, self.clock.elapsed()) {
                // Reading took so long that another node may have the lane.
                lane.limits.off_wire();
                for item in job.items() {
                    lane.page.put_back(item.delivery);
                }
                return Ok(None);
            }
            return Ok(Some(job));
        }
        Ok(None)
    }

    /// Returns how many requests one endpoint may have on the wire, besides its own concurrency limit.
    ///
    /// An endpoint may have as many as there are free workers. So there is always room for an endpoint that
    /// has fewer (Choudhury and Hahne, "Dynamic queue length thresholds", 1998), and endpoints that hang do
    /// not take the workers that others need.
    fn share(&self) -> usize {
        WORKERS_MAX.saturating_sub(self.on_wire)
    }

    /// Returns the endpoints in turn, starting after the one that was served last.
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

    /// Returns how long there is nothing to do unless a message comes.
    fn wait(&mut self) -> Duration {
        let elapsed = self.clock.elapsed();
        if let Some(until) = self.paused_until {
            return until.saturating_sub(elapsed);
        }
        let full = self.on_wire >= WORKERS_MAX || self.recording.len() >= RECORDING_MAX;
        if self.cannot_record || full {
            // A message will come: from the write that is under way, or from a request.
            return SLEEP_MAX;
        }
        if self.must_follow {
            return Duration::ZERO;
        }
        let (moment, share) = (self.moment(), self.share());
        let (memory, store) = (&self.memory, &self.store);
        let lanes = self.lanes.iter_mut();
        let lanes = lanes.filter(|(id, lane)| {
            lane.limits.on_wire() < share
                && memory.has_room_for(**id)
                && store.may_send(**id, elapsed)
                // Of another lease only what is on the wire is awaited.
                && lane.lease == store.lease(**id)
        });
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
