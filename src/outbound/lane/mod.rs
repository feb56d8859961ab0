//! An endpoint's lane: the deliveries it is owed, and the limits on sending them.
//!
//! `page` knows which delivery is next, `limits` whether one may go out. Neither knows of the other.

mod batch;
mod limits;
mod page;

use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::model::endpoint::Endpoint;
use crate::store::{DueDelivery, Store};
use crate::time::Timestamp;

use super::circuit::Circuit;
use super::rate_limiter::RateLimiter;
use super::suspects::Suspects;

use batch::{BatchLimit, Room};
use limits::{SendLimits, is_asked_for};
use page::Page;

/// One moment, read on three clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The scheduler's own time, for due times; see [`Steady`](super::steady_clock::Steady).
    pub(super) now: Timestamp,
    /// The wall clock, for send windows.
    pub(super) wall: Timestamp,
    /// The monotonic clock, for time spans.
    pub(super) elapsed: Duration,
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) endpoint: Arc<Endpoint>,
    /// The lease for which this is true, where there are several nodes.
    pub(super) lease: Option<i64>,
    pub(super) page: Page,
    pub(super) limits: SendLimits,
    pub(super) batch: BatchLimit,
    /// Deliveries for which the endpoint closed the connection without a response.
    pub(super) suspects: Suspects,
}

impl Lane {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        lease: Option<i64>,
        circuit: Circuit,
        pace: RateLimiter,
    ) -> Lane {
        Lane {
            endpoint,
            lease,
            page: Page::new(),
            limits: SendLimits::new(circuit, pace),
            batch: BatchLimit::default(),
            suspects: Suspects::default(),
        }
    }

    /// Marks that something may have become due.
    pub(super) fn wake(&mut self) {
        self.page.wake(self.endpoint.set.is_ordered);
    }

    /// Marks that a delivery becomes due at this time.
    pub(super) fn expect(&mut self, due: Timestamp) {
        self.page.expect(due, self.endpoint.set.is_ordered);
    }

    /// Takes the next delivery to send now, if one is due and the limits allow it.
    ///
    /// From then on the delivery is in flight.
    pub(super) fn take(&mut self, store: &Store, moment: Moment) -> Result<Option<DueDelivery>> {
        let endpoint = &self.endpoint;
        if self.waits_for_one() || !self.limits.lets_go(endpoint, moment) {
            return Ok(None);
        }
        let probes = self.limits.is_probing().then_some(&mut self.suspects);
        let next = self.page.take(store, endpoint, moment.now, probes)?;
        if next.is_some() {
            self.limits.put_on_wire();
        }
        Ok(next)
    }

    /// Whether nothing may go out before what is in flight is recorded: the order is to be kept, or a request
    /// that was refused is being taken apart.
    fn waits_for_one(&self) -> bool {
        let set = &self.endpoint.set;
        let is_one_by_one = set.is_ordered || self.batch.is_reduced(set.batch_max());
        self.page.is_blocked(set.is_ordered) || (is_one_by_one && !self.page.is_idle())
    }

    /// Returns the room in a request for a delivery that was taken and others with it.
    pub(super) fn room(&mut self) -> Room {
        let room = self.batch.room(&self.endpoint, 1 + self.page.ready());
        match self.limits.is_probing() {
            // One at a time tells sooner whether the endpoint is back.
            true => Room::of(1),
            false => room,
        }
    }

    /// Takes another delivery that is due, for the same request, if there is room.
    pub(super) fn take_more(&mut self, moment: Moment, room: Room) -> Option<DueDelivery> {
        match room.is_full() {
            true => None,
            false => {
                let is_ordered = self.endpoint.set.is_ordered;
                self.page.take_more(moment.now, is_ordered)
            }
        }
    }

    /// Returns the time until this lane may have something to do by itself.
    ///
    /// `None` when only an event, a response or a changed setting can give it something.
    pub(super) fn wait(&mut self, moment: Moment) -> Option<Duration> {
        let endpoint = &self.endpoint;
        if self.waits_for_one() {
            return None;
        }
        let work = self.page.wait(moment.now, endpoint)?;
        self.limits.wait(endpoint, moment, work)
    }

    /// Whether a delivery is on the wire, or ended and is not recorded yet.
    pub(super) fn is_busy(&self) -> bool {
        self.limits.on_wire() > 0 || self.page.in_flight().next().is_some()
    }

    /// Applies a changed endpoint.
    pub(super) fn replace(&mut self, endpoint: Arc<Endpoint>) {
        let old = &self.endpoint;
        if old.held.is_some() && endpoint.held.is_none() {
            tracing::info!(endpoint = endpoint.set.name, "endpoint.resumed");
        } else if let (None, Some(hold)) = (&old.held, &endpoint.held) {
            let reason = &hold.reason;
            tracing::info!(endpoint = endpoint.set.name, reason, "endpoint.is_held");
        }
        self.limits.replaced(old, &endpoint);
        if is_asked_for(old, &endpoint) {
            self.page.ask();
        }
        if endpoint.set.is_ordered != old.set.is_ordered {
            self.page.begin_anew();
        }
        self.endpoint = endpoint;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::model::attempt::{Decision, Outcome, Timing};
    use crate::model::chat::Chat;
    use crate::model::delivery::Transition;
    use crate::model::digest::Digest;
    use crate::model::endpoint::{Format, NewEndpoint};
    use crate::model::event::NewEvent;
    use crate::model::id::DeliveryId;
    use crate::model::retry::Retry;
    use crate::store::{FailingChange, Missing, Report, Woken};

    fn moment(ms: i64) -> Moment {
        Moment {
            now: Timestamp(ms),
            wall: Timestamp(ms),
            elapsed: Duration::from_millis(ms.unsigned_abs()),
        }
    }

    /// A store with an ordered endpoint that is owed one event, and the endpoint's lane.
    fn ordered(folder: &tempfile::TempDir) -> (Store, Lane) {
        let store = Store::open(folder.path().join("h.db"), Missing::Create).unwrap();
        let mut new = NewEndpoint::new("edge", "http://127.0.0.1:9/".parse().unwrap());
        new.is_ordered = true;
        store.add_endpoint(new, Timestamp(0)).unwrap();
        store
            .accept(NewEvent::new("push", "{}"), Timestamp(0))
            .unwrap();
        let endpoint = store.directory().endpoint("edge").unwrap().clone();
        let lane = Lane::new(endpoint, None, Circuit::default(), RateLimiter::default());
        (store, lane)
    }

    /// Fixed bug: an ordered lane kept the due time of a retry for ever. So it asked to be called again at
    /// once, in a loop, and kept one core busy.
    #[test]
    fn a_lane_with_nothing_to_send_does_not_ask_to_be_called_again() {
        let folder = tempfile::tempdir().unwrap();
        let (store, mut lane) = ordered(&folder);
        let due = lane.take(&store, moment(10)).unwrap().unwrap();
        lane.limits.off_wire();
        lane.page.release(due.id);
        lane.expect(Timestamp(20));
        store.cancel(due.id, Timestamp(15)).unwrap();
        assert!(lane.take(&store, moment(1_000)).unwrap().is_none());
        assert_eq!(lane.wait(moment(1_000)), None);
    }

    /// Fixed bug: a lane that collects events asked to be called again at once, in a loop, when a retry became due
    /// meanwhile, and did not send it.
    #[test]
    fn a_lane_that_collects_sends_a_retry_when_it_is_due_and_is_idle_until_then() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("h.db"), Missing::Create).unwrap();
        let mut new = NewEndpoint::new("team", "https://chat.example.org/x".parse().unwrap());
        new.format = Format::Chat(Chat::Slack);
        new.digest = Digest::Every(Duration::from_millis(60_000));
        store.add_endpoint(new, Timestamp(0)).unwrap();
        let accept = |now| store.accept(NewEvent::new("push", "{}"), now).unwrap();
        accept(Timestamp(0));
        let endpoint = store.directory().endpoint("team").unwrap().clone();
        let mut lane = Lane::new(endpoint, None, Circuit::default(), RateLimiter::default());
        assert!(lane.take(&store, moment(1)).unwrap().is_none());
        assert_eq!(lane.wait(moment(1)), Some(Duration::from_millis(59_999)));
        // Its digest was refused, and it waits for its retry; then another event comes.
        let due = lane.take(&store, moment(60_000)).unwrap().unwrap();
        lane.limits.off_wire();
        let retry = Retry::default().next(1, 9, Timestamp(60_000), 0.5).unwrap();
        postpone(&store, due.id, retry);
        lane.page.release(due.id);
        lane.expect(retry);
        accept(Timestamp(60_100));
        lane.wake();
        assert!(lane.take(&store, moment(60_200)).unwrap().is_none());
        let wait = lane.wait(moment(60_200)).unwrap();
        assert_eq!(wait, retry.since(Timestamp(60_200)));
        // What waits goes along.
        assert!(lane.take(&store, moment(retry.0)).unwrap().is_some());
        let room = lane.room();
        let again = lane.take_more(moment(retry.0), room).unwrap();
        assert_eq!((again.id, again.tries), (due.id, 1));
    }

    /// Records a refused attempt of a delivery, whose next is at this time.
    fn postpone(store: &Store, delivery: DeliveryId, retry: Timestamp) {
        let endpoint = store.directory().endpoint("team").unwrap().clone();
        let report = Report {
            delivery,
            endpoint: endpoint.id,
            lease: None,
            started: Timestamp(60_000),
            ended: Timestamp(60_000),
            ended_steady: Timestamp(60_000),
            timing: Timing::default(),
            reached: true,
            request_headers: Vec::new(),
            response: None,
            decision: Decision {
                outcome: Outcome::Refused,
                error: Some("502".to_owned()),
                change: Transition::Retry { due: retry },
                pause: None,
                is_busy: false,
                hold: None,
                splits: false,
            },
            is_page: false,
            pace: None,
            failing: FailingChange::Same,
            url: endpoint.set.url.clone(),
        };
        store.record_then(Arc::new(report), |recorded| recorded.unwrap());
        store.sync().unwrap();
    }

    /// Fixed bug: only a cancellation by another process woke the lane. After a cancellation on the status
    /// page, the deliveries after the cancelled one waited for its next try.
    #[test]
    fn a_cancelled_delivery_wakes_its_endpoint() {
        let folder = tempfile::tempdir().unwrap();
        let (store, mut lane) = ordered(&folder);
        // The wake-up of one commit is sent before the next commit is answered.
        store.sync().unwrap();
        let woken = Arc::new(Mutex::new(Vec::new()));
        let update = woken.clone();
        let _listening = store.on_wake(move |who| {
            if let Woken::Endpoints(endpoints) = who {
                update.lock().unwrap().extend_from_slice(endpoints);
            }
        });
        let due = lane.take(&store, moment(10)).unwrap().unwrap();
        store.cancel(due.id, Timestamp(15)).unwrap();
        store.sync().unwrap();
        assert_eq!(*woken.lock().unwrap(), [lane.endpoint.id]);
    }
}
