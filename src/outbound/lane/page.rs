//! A page of an endpoint's deliveries, by id: what is ready, what is in flight, when more is due. A million
//! pending cost what a page does.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::error::Result;
use crate::model::endpoint::Endpoint;
use crate::model::id::DeliveryId;
use crate::outbound::suspects::Suspects;
use crate::store::{DueDelivery, Store};
use crate::time::Timestamp;

/// Deliveries looked up at a time.
const PAGE: usize = 64;

#[derive(Debug)]
pub(in crate::outbound) struct Page {
    ready: VecDeque<DueDelivery>,
    /// Of an ordered endpoint: the first that may be pending, if that is known.
    first: Option<DeliveryId>,
    /// On the wire, or answered and not yet recorded: still pending and due in the file.
    in_flight: HashSet<DeliveryId>,
    /// Whether the file may hold due deliveries that are not in `ready`.
    stale: bool,
    /// When the next delivery becomes due, as far as known.
    next_due: Option<Timestamp>,
}

impl Page {
    pub(super) fn new() -> Page {
        Page {
            ready: VecDeque::new(),
            first: None,
            in_flight: HashSet::new(),
            stale: true,
            next_due: None,
        }
    }

    /// Something may have become due.
    pub(super) fn wake(&mut self, is_ordered: bool) {
        self.stale = true;
        if is_ordered {
            // The first of them may have been cancelled.
            self.ready.clear();
        }
    }

    /// A delivery goes back, still due: what was looked up is looked up again, oldest first.
    pub(in crate::outbound) fn put_back(&mut self, id: DeliveryId) {
        self.release(id);
        self.look_again();
    }

    /// What was looked up is forgotten.
    pub(in crate::outbound) fn look_again(&mut self) {
        self.ready.clear();
        self.stale = true;
    }

    /// The order of the deliveries is another from now on.
    pub(super) fn begin_anew(&mut self) {
        self.look_again();
        self.first = None;
        self.next_due = None;
    }

    /// A delivery becomes due then.
    pub(super) fn expect(&mut self, due: Timestamp, is_ordered: bool) {
        if is_ordered {
            // It is the first, and the others wait for it; what is looked up says when it is due.
            self.look_again();
            return;
        }
        self.next_due = Some(self.next_due.map_or(due, |held| held.min(due)));
    }

    /// What is on the wire, or answered and not yet recorded.
    pub(in crate::outbound) fn in_flight(&self) -> impl Iterator<Item = DeliveryId> {
        self.in_flight.iter().copied()
    }

    /// Whether an ordered endpoint's one delivery is in flight.
    pub(super) fn waits_for_one(&self, is_ordered: bool) -> bool {
        is_ordered && !self.in_flight.is_empty()
    }

    /// The delivery was recorded, or its attempt was called off.
    pub(in crate::outbound) fn release(&mut self, id: DeliveryId) {
        self.in_flight.remove(&id);
    }

    /// The next delivery that is due; it is in flight from then on. `probes` says which ones a probe had
    /// better not be, where this is one.
    pub(super) fn take(
        &mut self,
        store: &Store,
        endpoint: &Endpoint,
        now: Timestamp,
        probes: Option<&mut Suspects>,
    ) -> Result<Option<DueDelivery>> {
        if self.ready.is_empty() {
            self.fill(store, endpoint, now)?;
        }
        let is_blocked = self.ready.front().is_some_and(|first| first.due > now);
        let next = match probes {
            _ if endpoint.is_ordered && is_blocked => None,
            // Another may get through where this one does not.
            Some(suspects) if !endpoint.is_ordered => suspects.take_other(&mut self.ready),
            _ => self.ready.pop_front(),
        };
        self.in_flight.extend(next.map(|due| due.id));
        Ok(next)
    }

    /// How long until there may be something to send; `None` when nothing is known of.
    pub(super) fn wait(&self, now: Timestamp, is_ordered: bool) -> Option<Duration> {
        match self.ready.front() {
            Some(first) if is_ordered => Some(first.due.since(now)),
            Some(_) => Some(Duration::ZERO),
            None if self.stale => Some(Duration::ZERO),
            None => self.next_due.map(|due| due.since(now)),
        }
    }

    fn fill(&mut self, store: &Store, endpoint: &Endpoint, now: Timestamp) -> Result<()> {
        if self.next_due.is_some_and(|due| due <= now) {
            self.stale = true;
        }
        if !self.stale {
            return Ok(());
        }
        if endpoint.is_ordered {
            return self.fill_in_order(store, endpoint);
        }
        // What is in flight is still due in the file, so ask for that many more.
        let limit = PAGE + self.in_flight.len();
        let page = store.due(endpoint.id, now, limit)?;
        let whole = page.len() < limit;
        self.ready.extend(
            page.into_iter()
                .filter(|due| !self.in_flight.contains(&due.id)),
        );
        if whole {
            self.next_due = store.next_due(endpoint.id, now)?;
            self.stale = false;
        }
        Ok(())
    }

    fn fill_in_order(&mut self, store: &Store, endpoint: &Endpoint) -> Result<()> {
        self.next_due = None;
        let first = match self.first {
            Some(first) => Some(first),
            None => store.first_pending(endpoint.id)?,
        };
        let Some(first) = first else {
            self.stale = false;
            return Ok(());
        };
        let page = store.in_order(endpoint.id, first, PAGE)?;
        self.stale = page.len() == PAGE;
        // Those before the first pending one are settled for good. With none at all, the next one
        // is found through what is pending, not past all that was.
        self.first = page.first().map(|due| due.id);
        self.ready.extend(page);
        Ok(())
    }
}
