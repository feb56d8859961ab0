//! An endpoint's lane: what of its deliveries is ready, what is in flight, when more is due.
//!
//! It holds at most a page of deliveries, by id: a million pending cost what a page does.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::model::delivery::Move;
use crate::model::endpoint::Endpoint;
use crate::model::id::DeliveryId;
use crate::model::rate::Rates;
use crate::model::window::Opening;
use crate::store::{DueDelivery, FailingChange, RecentPace, Store};
use crate::time::Timestamp;

use super::circuit::Circuit;
use super::flow::Flow;
use super::pace::Pace;
use super::policy::{Decision, PAUSE_MAX};
use super::suspects::Suspects;

/// Deliveries looked up at a time.
const PAGE: usize = 64;

/// A moment, by the three clocks that matter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// By which things are due; see [`Steady`](super::steady::Steady).
    pub(super) now: Timestamp,
    /// What clocks on walls show, by which windows open.
    pub(super) wall: Timestamp,
    /// By which spans are measured.
    pub(super) elapsed: Duration,
}

/// How long a restart takes at least.
const RESTART: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) circuit: Circuit,
    flow: Flow,
    pace: Pace,
    ready: VecDeque<DueDelivery>,
    /// Of an ordered endpoint: the first that may be pending, if that is known.
    first: Option<DeliveryId>,
    /// Whether its window is open, as of that moment and until that says.
    opening: Option<(Timestamp, Opening)>,
    /// It refuses whatever it is sent.
    failing: Option<FailingFor>,
    /// On the wire, or answered and not yet recorded: still pending and due in the file.
    in_flight: HashSet<DeliveryId>,
    /// Those of them that are on the wire. Only these hold the next one back: waiting for the
    /// commit of one answer before the next request would make the disk the pace.
    on_wire: usize,
    /// Whether the file may hold due deliveries that are not in `ready`.
    stale: bool,
    /// When the next delivery becomes due, as far as known.
    next_due: Option<Timestamp>,
    /// How often it said, one time after the other, that it has had enough for now.
    consecutive_throttles: u32,
    /// Answers that say that the endpoint is no more, and are not on disk yet.
    holds: usize,
    /// Deliveries on which the endpoint closed the connection.
    pub(super) suspects: Suspects,
}

impl Lane {
    pub(super) fn new(endpoint: Arc<Endpoint>, circuit: Circuit, pace: Pace) -> Lane {
        Lane {
            endpoint,
            circuit,
            flow: Flow::new(),
            pace,
            holds: 0,
            suspects: Suspects::default(),
            consecutive_throttles: 0,
            ready: VecDeque::new(),
            first: None,
            opening: None,
            failing: None,
            in_flight: HashSet::new(),
            on_wire: 0,
            stale: true,
            next_due: None,
        }
    }

    /// Something may have become due.
    pub(super) fn wake(&mut self) {
        self.stale = true;
        if self.endpoint.is_ordered {
            // The first of them may have been cancelled.
            self.ready.clear();
        }
    }

    /// A delivery goes back, still due: what was looked up is looked up again, oldest first.
    pub(super) fn put_back(&mut self, id: DeliveryId) {
        self.release(id);
        self.look_again();
    }

    /// What was looked up is forgotten.
    pub(super) fn look_again(&mut self) {
        self.ready.clear();
        self.stale = true;
    }

    /// A delivery becomes due then.
    pub(super) fn expect(&mut self, due: Timestamp) {
        if self.endpoint.is_ordered {
            // It is the first, and the others wait for it; what is looked up says when it is due.
            self.look_again();
            return;
        }
        self.next_due = Some(self.next_due.map_or(due, |held| held.min(due)));
    }

    /// What is on the wire, or answered and not yet recorded.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = DeliveryId> {
        self.in_flight.iter().copied()
    }

    pub(super) fn on_wire(&self) -> usize {
        self.on_wire
    }

    /// A request is on the wire no more: it was answered or broken off, or never made.
    pub(super) fn off_wire(&mut self) {
        self.on_wire = self.on_wire.saturating_sub(1);
    }

    /// A request ended that the endpoint has seen: its rates count it. It may have asked to be left
    /// alone for a while.
    /// Each time that it says so again, for no message in between, it is left alone for longer.
    pub(super) fn spent(&mut self, elapsed: Duration, decision: &Decision) {
        self.pace.ended(elapsed, self.endpoint.rate());
        let is_paused = !self.pace.pause_left(elapsed).is_zero();
        match decision.change {
            Move::Postpone => {
                self.consecutive_throttles = self.consecutive_throttles.saturating_add(1)
            }
            // Those that were on the wire together count once.
            _ if decision.is_busy && is_paused => return,
            _ if decision.is_busy => {
                self.consecutive_throttles = self.consecutive_throttles.saturating_add(1)
            }
            _ => self.consecutive_throttles = 0,
        }
        let (pause, longest) = match decision.pause {
            Some(pause) => (pause, PAUSE_MAX),
            None if decision.is_busy => (BUSY_PAUSE, BUSY_PAUSE_MAX),
            None => return,
        };
        let times = 1_u32 << self.consecutive_throttles.saturating_sub(1).min(16);
        let pause = pause.min(longest) * times;
        self.pace.pause(elapsed, pause.min(longest));
    }

    /// What the next process must know of the endpoint's pace; `None` while nothing limits it.
    pub(super) fn recent_pace(&self, now: Timestamp, elapsed: Duration) -> Option<RecentPace> {
        let rate = self.endpoint.rate();
        let wait = self.pace.wait(elapsed, self.on_wire, rate);
        if rate.is_none() && wait == Some(Duration::ZERO) {
            return None;
        }
        // Of limits that are over before a process has started, nothing need be known.
        let limits = rate.map_or(&[][..], Rates::limits).iter();
        let long = limits.filter(|limit| limit.span >= RESTART);
        let kept = long.map(|limit| limit.count as usize).max().unwrap_or(0);
        let ages: Vec<Duration> = self.pace.ages(elapsed).collect();
        let latest = &ages[ages.len().saturating_sub(kept)..];
        let pause = self.pace.pause_left(elapsed);
        Some(RecentPace {
            ended: latest.iter().map(|age| now.minus(*age)).collect(),
            not_before: now.plus(pause),
            until: now.plus(wait.unwrap_or(pause)),
        })
    }

    /// An answer said that the endpoint is no more: nothing is sent while that is written.
    pub(super) fn hold(&mut self) {
        self.holds += 1;
    }

    /// It was written.
    pub(super) fn hold_written(&mut self) {
        self.holds = self.holds.saturating_sub(1);
    }

    fn is_held(&self) -> bool {
        self.holds > 0 || self.endpoint.held.is_some()
    }

    /// The endpoint was reached; `took` says how long it worked on a request that it took. Comes
    /// before [`Lane::off_wire`].
    pub(super) fn reached(&mut self, took: Option<Duration>) {
        if self.circuit.probe_at().is_some() {
            self.flow.restart();
        }
        self.circuit.reached();
        match took {
            Some(took) => {
                let concurrency = self.endpoint.concurrency() as usize;
                self.flow.succeeded(took, self.on_wire, concurrency);
            }
            None => self.flow.refused(),
        }
    }

    /// How many requests may be on the wire, as far as the endpoint's pace goes.
    fn window(&self) -> usize {
        self.flow.window(self.endpoint.concurrency() as usize)
    }

    /// The delivery was recorded, or its attempt was called off.
    pub(super) fn release(&mut self, id: DeliveryId) {
        self.in_flight.remove(&id);
    }

    /// The next delivery to send now, if one is due and there is room for it; it is in flight
    /// from then on.
    pub(super) fn take(&mut self, store: &Store, moment: Moment) -> Result<Option<DueDelivery>> {
        let Moment { now, wall, elapsed } = moment;
        let is_waiting_for_one = self.endpoint.is_ordered && !self.in_flight.is_empty();
        if self.is_held() || !self.is_open(wall) || is_waiting_for_one {
            return Ok(None);
        }
        let allowed = self.circuit.allowed(elapsed, self.window());
        let rate = self.endpoint.rate();
        if self.on_wire >= allowed || self.pace.room(elapsed, self.on_wire, rate) == 0 {
            return Ok(None);
        }
        if self.ready.is_empty() {
            self.fill(store, now)?;
        }
        let is_blocked = self.endpoint.is_ordered;
        let is_blocked = is_blocked && self.ready.front().is_some_and(|first| first.due > now);
        let is_probe = self.circuit.probe_at().is_some() && !self.endpoint.is_ordered;
        let next = match is_blocked {
            true => None,
            // Another may get through where this one does not.
            false if is_probe => self.suspects.take_other(&mut self.ready),
            false => self.ready.pop_front(),
        };
        if let Some(due) = next {
            self.in_flight.insert(due.id);
            self.on_wire += 1;
        }
        Ok(next)
    }

    fn fill(&mut self, store: &Store, now: Timestamp) -> Result<()> {
        if self.next_due.is_some_and(|due| due <= now) {
            self.stale = true;
        }
        if !self.stale {
            return Ok(());
        }
        if self.endpoint.is_ordered {
            return self.fill_in_order(store);
        }
        // What is in flight is still due in the file, so ask for that many more.
        let limit = PAGE + self.in_flight.len();
        let page = store.due(self.endpoint.id, now, limit)?;
        let whole = page.len() < limit;
        self.ready.extend(
            page.into_iter()
                .filter(|due| !self.in_flight.contains(&due.id)),
        );
        if whole {
            self.next_due = store.next_due(self.endpoint.id, now)?;
            self.stale = false;
        }
        Ok(())
    }

    fn fill_in_order(&mut self, store: &Store) -> Result<()> {
        self.next_due = None;
        let first = match self.first {
            Some(first) => Some(first),
            None => store.first_pending(self.endpoint.id)?,
        };
        let Some(first) = first else {
            self.stale = false;
            return Ok(());
        };
        let page = store.in_order(self.endpoint.id, first, PAGE)?;
        self.stale = page.len() == PAGE;
        // Those before the first pending one are settled for good. With none at all, the next one
        // is found through what is pending, not past all that was.
        self.first = page.first().map(|due| due.id);
        self.ready.extend(page);
        Ok(())
    }

    fn is_open(&mut self, wall: Timestamp) -> bool {
        matches!(self.opening(wall), Opening::Open { .. })
    }

    /// Whether it may be sent to at this moment, as far as its window goes.
    fn opening(&mut self, wall: Timestamp) -> Opening {
        let Some(window) = &self.endpoint.window else {
            return Opening::Open { until: wall };
        };
        if let Some((asked, known)) = self.opening {
            let until = match known {
                Opening::Open { until } => Some(until),
                Opening::Closed { until } => until,
            };
            if asked <= wall && until.is_none_or(|until| wall < until) {
                return known;
            }
        }
        let opening = window.at(wall);
        self.opening = Some((wall, opening));
        opening
    }

    /// How long until this lane may have something to do by itself; `None` when only an event, an
    /// answer or a change can give it something.
    pub(super) fn wait(&mut self, moment: Moment) -> Option<Duration> {
        let Moment { now, wall, elapsed } = moment;
        let is_waiting_for_one = self.endpoint.is_ordered && !self.in_flight.is_empty();
        if self.is_held() || self.on_wire >= self.window() || is_waiting_for_one {
            return None;
        }
        let work = match self.ready.front() {
            Some(first) if self.endpoint.is_ordered => Some(first.due.since(now)),
            Some(_) => Some(Duration::ZERO),
            None if self.stale => Some(Duration::ZERO),
            None => self.next_due.map(|due| due.since(now)),
        }?;
        let work = match self.opening(wall) {
            Opening::Open { .. } => work,
            Opening::Closed { until } => work.max(until?.since(wall)),
        };
        let rate = self.endpoint.rate();
        let work = work.max(self.pace.wait(elapsed, self.on_wire, rate)?);
        match self.circuit.probe_at() {
            None => Some(work),
            Some(_) if self.on_wire > 0 => None,
            Some(probe_at) => Some(work.max(probe_at.saturating_sub(elapsed))),
        }
    }

    /// Takes over a changed endpoint. One that is now elsewhere is probed there at once.
    pub(super) fn replace(&mut self, endpoint: Arc<Endpoint>) {
        let old = &self.endpoint;
        let moved = endpoint.url != old.url;
        let is_resumed = old.held.is_some() && endpoint.held.is_none();
        let is_nudged = is_resumed || endpoint.manual_retry_seq != old.manual_retry_seq;
        let connects_otherwise = endpoint.connection != old.connection
            || endpoint.probe_max != old.probe_max
            || endpoint.timeout != old.timeout;
        let is_away = self.circuit.probe_at().is_some();
        if is_away && (moved || is_nudged || connects_otherwise) {
            self.circuit = Circuit::reopened();
        }
        if is_nudged {
            self.pace.go_on();
        }
        if is_resumed {
            tracing::info!(endpoint = endpoint.name, "endpoint.resumed");
        } else if let (None, Some(hold)) = (&old.held, &endpoint.held) {
            let reason = &hold.reason;
            tracing::info!(endpoint = endpoint.name, reason, "endpoint.is_held");
        }
        if moved {
            self.pace = Pace::default();
            self.consecutive_throttles = 0;
            self.failing = None;
        }
        if is_resumed {
            self.failing = None;
        }
        if is_nudged {
            self.consecutive_throttles = 0;
            self.look_again();
        }
        if endpoint.window != self.endpoint.window {
            self.opening = None;
        }
        if endpoint.is_ordered != self.endpoint.is_ordered {
            self.look_again();
            self.first = None;
            self.next_due = None;
        }
        self.endpoint = endpoint;
    }

    /// What a former process knew: it refuses whatever it is sent, for so long by now.
    pub(super) fn refuses_for(&mut self, lasting: Duration) {
        self.failing = Some(FailingFor {
            lasting,
            last: None,
        });
    }

    /// It could not be reached: the time until it is counts for nothing.
    pub(super) fn is_away(&mut self) {
        if let Some(failing) = &mut self.failing {
            failing.last = None;
        }
    }

    /// It took something, or refused it: whether that is a change, and for how long it has refused
    /// whatever it was sent.
    pub(super) fn answered(&mut self, is_taken: bool, elapsed: Duration) -> FailingChange {
        if is_taken {
            return match self.failing.take() {
                None => FailingChange::Same,
                Some(_) => FailingChange::Over,
            };
        }
        let failing = self.failing.get_or_insert_default();
        let gap = failing.last.map(|last| elapsed.saturating_sub(last));
        failing.lasting += gap
            .filter(|gap| *gap <= REFUSING_GAP_MAX)
            .unwrap_or_default();
        failing.last = Some(elapsed);
        FailingChange::For(failing.lasting)
    }
}

/// How long an endpoint that has too much to do is left alone where it does not say for how long:
/// at first, and at most.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
const BUSY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// Longest time between two refusals that counts: a little more than the longest step of the usual
/// ladder. In a longer one the endpoint was not asked.
const REFUSING_GAP_MAX: Duration = Duration::from_secs(30 * 3_600);

/// For how long an endpoint has refused whatever it was sent: the time between its refusals.
#[derive(Debug, Clone, Copy, Default)]
struct FailingFor {
    lasting: Duration,
    /// When the last of them was, if nothing else has been since.
    last: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::model::endpoint::NewEndpoint;
    use crate::model::event::NewEvent;
    use crate::store::{Missing, Woken};

    fn moment(ms: i64) -> Moment {
        Moment {
            now: Timestamp(ms),
            wall: Timestamp(ms),
            elapsed: Duration::from_millis(ms.unsigned_abs()),
        }
    }

    /// A store with an ordered endpoint that is owed one event, and the endpoint's lane.
    fn ordered(folder: &tempfile::TempDir) -> (Store, Lane) {
        let store = Store::open(&folder.path().join("h.db"), Missing::Create).unwrap();
        let mut new = NewEndpoint::new("edge", "http://127.0.0.1:9/".parse().unwrap());
        new.is_ordered = true;
        store.add_endpoint(new, Timestamp(0)).unwrap();
        store
            .accept(NewEvent::new("push", "{}"), Timestamp(0))
            .unwrap();
        let endpoint = store.directory().endpoint("edge").unwrap().clone();
        let lane = Lane::new(endpoint, Circuit::default(), Pace::default());
        (store, lane)
    }

    /// An ordered lane kept the due time of a retry for ever, and so asked to be called again at
    /// once, and again, at the cost of a core.
    #[test]
    fn a_lane_with_nothing_to_send_does_not_ask_to_be_called_again() {
        let folder = tempfile::tempdir().unwrap();
        let (store, mut lane) = ordered(&folder);
        let due = lane.take(&store, moment(10)).unwrap().unwrap();
        lane.off_wire();
        lane.release(due.id);
        lane.expect(Timestamp(20));
        store.cancel(due.id, Timestamp(15)).unwrap();
        assert!(lane.take(&store, moment(1_000)).unwrap().is_none());
        assert_eq!(lane.wait(moment(1_000)), None);
    }

    /// Only another process's cancellation woke the lane: one on the page left those behind the
    /// first waiting for its next try.
    #[test]
    fn a_cancelled_delivery_wakes_its_endpoint() {
        let folder = tempfile::tempdir().unwrap();
        let (store, mut lane) = ordered(&folder);
        // The words of one commit are out when the next is answered.
        store.sync().unwrap();
        let woken = Arc::new(Mutex::new(Vec::new()));
        let heard = woken.clone();
        let _listening = store.on_wake(move |who| {
            if let Woken::Endpoints(endpoints) = who {
                heard.lock().unwrap().extend_from_slice(endpoints);
            }
        });
        let due = lane.take(&store, moment(10)).unwrap().unwrap();
        store.cancel(due.id, Timestamp(15)).unwrap();
        store.sync().unwrap();
        assert_eq!(*woken.lock().unwrap(), [lane.endpoint.id]);
    }
}
