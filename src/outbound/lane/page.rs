//! One page of an endpoint's deliveries, by id.
//!
//! It knows what is ready, what is in flight and when the next one is due. Only a page is read at a
//! time, so a million pending deliveries cost no more than a page.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::error::Result;
use crate::model::endpoint::Endpoint;
use crate::model::id::DeliveryId;
use crate::outbound::suspects::Suspects;
use crate::store::{DueDelivery, Store};
use crate::time::Timestamp;

/// Number of deliveries looked up at a time.
const PAGE: usize = 64;

#[derive(Debug)]
pub(in crate::outbound) struct Page {
    ready: VecDeque<DueDelivery>,
    /// Only for an ordered endpoint: the first delivery that may be pending, if known.
    first: Option<DeliveryId>,
    /// Deliveries on the wire, or ended and not yet recorded. In the file they are still pending and due.
    in_flight: HashSet<DeliveryId>,
    /// Deliveries that cannot be read or recorded: they are left alone, so that they do not block the others.
    aside: HashSet<DeliveryId>,
    /// Whether the file may hold due deliveries that are not in `ready`.
    stale: bool,
    /// Whether a person asked to send what waits: events are collected no longer, until none is left.
    is_asked_for: bool,
    /// When the next delivery becomes due, as far as known.
    next_due: Option<Timestamp>,
}

impl Page {
    pub(super) fn new() -> Page {
        Page {
            ready: VecDeque::new(),
            first: None,
            in_flight: HashSet::new(),
            aside: HashSet::new(),
            stale: true,
            is_asked_for: false,
            next_due: None,
        }
    }

    /// A person asked to send what waits.
    pub(super) fn ask(&mut self) {
        self.is_asked_for = true;
        self.look_again();
    }

    /// Marks that something may have become due.
    pub(super) fn wake(&mut self, is_ordered: bool) {
        self.stale = true;
        if is_ordered {
            // The first delivery may have been cancelled.
            self.ready.clear();
        }
    }

    /// Puts a delivery back, still due. The page is looked up again, so that the oldest delivery is first.
    pub(in crate::outbound) fn put_back(&mut self, id: DeliveryId) {
        self.release(id);
        self.look_again();
    }

    /// Forgets the page, so that it is looked up again.
    pub(in crate::outbound) fn look_again(&mut self) {
        self.ready.clear();
        self.stale = true;
    }

    /// Forgets the page and the first delivery, since the order of the deliveries has changed.
    pub(super) fn begin_anew(&mut self) {
        self.look_again();
        self.first = None;
        self.next_due = None;
    }

    /// Marks that a delivery becomes due at this time.
    pub(super) fn expect(&mut self, due: Timestamp, is_ordered: bool) {
        if is_ordered {
            // In an ordered lane this delivery is the first and the others wait for it. The new look-up
            // finds its due time.
            self.look_again();
            return;
        }
        self.next_due = Some(self.next_due.map_or(due, |held| held.min(due)));
    }

    /// Returns the deliveries on the wire, or ended and not yet recorded.
    pub(in crate::outbound) fn in_flight(&self) -> impl Iterator<Item = DeliveryId> {
        self.in_flight.iter().copied()
    }

    /// Whether a delivery that cannot be read stands before all others of an ordered endpoint.
    pub(super) fn is_blocked(&self, is_ordered: bool) -> bool {
        is_ordered && !self.aside.is_empty()
    }

    /// Whether nothing is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Leaves a delivery alone from now on.
    pub(in crate::outbound) fn set_aside(&mut self, id: DeliveryId) {
        self.in_flight.remove(&id);
        self.aside.insert(id);
    }

    /// Deliveries that nothing else may be done with: in flight, or set aside.
    pub(in crate::outbound) fn taken(&self) -> impl Iterator<Item = DeliveryId> {
        self.in_flight.iter().chain(&self.aside).copied()
    }

    /// Removes a delivery that was recorded, or whose attempt was cancelled before it was sent.
    pub(in crate::outbound) fn release(&mut self, id: DeliveryId) {
        self.in_flight.remove(&id);
    }

    /// Takes the next due delivery; from then on it is in flight.
    ///
    /// `probes` is set when this request is a probe. It names the suspect deliveries, which are bad probes.
    pub(super) fn take(
        &mut self,
        store: &Store,
        endpoint: &Endpoint,
        now: Timestamp,
        probes: Option<&mut Suspects>,
    ) -> Result<Option<DueDelivery>> {
        let batch_max = endpoint.set.batch_max();
        self.stale |= self.next_due.is_some_and(|due| due <= now);
        // What goes together must be known together.
        let is_short = self.stale && self.ready.len() < batch_max && batch_max > 1;
        if is_short {
            self.ready.clear();
        }
        if self.ready.is_empty() {
            self.fill(store, endpoint, now)?;
        }
        self.is_asked_for &= !self.ready.is_empty();
        let is_blocked = self.opens(endpoint).is_some_and(|opens| opens > now);
        let next = match probes {
            _ if is_blocked => None,
            // A suspect delivery may fail where another succeeds, so another one is a better probe.
            Some(suspects) if !endpoint.set.is_ordered => suspects.take_other(&mut self.ready),
            _ => self.ready.pop_front(),
        };
        self.in_flight.extend(next.map(|due| due.id));
        Ok(next)
    }

    /// Takes the next delivery, if it is due: another one for a request that has one already.
    pub(super) fn take_more(&mut self, now: Timestamp, is_ordered: bool) -> Option<DueDelivery> {
        if self.is_blocked(is_ordered) || self.ready.front()?.due > now {
            return None;
        }
        let next = self.ready.pop_front()?;
        self.in_flight.insert(next.id);
        Some(next)
    }

    /// Returns how many deliveries are known to be ready.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Returns when the first of the known deliveries may be sent.
    ///
    /// Where events are collected, that is some time after the first became due, or when a message is full. What
    /// was tried before, or a person asked for, has waited long enough.
    fn opens(&self, endpoint: &Endpoint) -> Option<Timestamp> {
        let is_full = self.ready.len() >= endpoint.set.batch_max();
        let collects_for = endpoint.set.collects_for();
        match collects_for.filter(|_| !self.is_asked_for && !is_full) {
            None => self.ready.front().map(|first| first.due),
            Some(span) if endpoint.set.is_ordered => {
                self.ready.front().map(|first| opening(span, first))
            }
            Some(span) => self.ready.iter().map(|due| opening(span, due)).min(),
        }
    }

    /// Returns the time until there may be something to send; `None` when nothing is known to become due.
    pub(super) fn wait(&self, now: Timestamp, endpoint: &Endpoint) -> Option<Duration> {
        let next_due = self.next_due.map(|due| due.since(now));
        match self.opens(endpoint) {
            None if self.stale => Some(Duration::ZERO),
            None => next_due,
            Some(_) if self.stale && self.ready.len() < endpoint.set.batch_max() => {
                Some(Duration::ZERO)
            }
            Some(opens) if endpoint.set.is_ordered => Some(opens.since(now)),
            Some(opens) => Some(next_due.map_or(opens.since(now), |due| due.min(opens.since(now)))),
        }
    }

    fn fill(&mut self, store: &Store, endpoint: &Endpoint, now: Timestamp) -> Result<()> {
        if !self.stale {
            return Ok(());
        }
        if endpoint.set.is_ordered {
            return self.fill_in_order(store, endpoint);
        }
        // Deliveries in flight are still due in the file, so the query asks for that many more.
        let limit = PAGE.max(endpoint.set.batch_max()) + self.in_flight.len() + self.aside.len();
        let page = store.due(endpoint.id, now, limit)?;
        let whole = page.len() < limit;
        self.ready.extend(
            page.into_iter()
                .filter(|due| !(self.in_flight.contains(&due.id) || self.aside.contains(&due.id))),
        );
        if whole {
            self.next_due = store.next_due(endpoint.id, now)?;
            self.stale = false;
        }
        Ok(())
    }

    fn fill_in_order(&mut self, store: &Store, endpoint: &Endpoint) -> Result<()> {
        self.next_due = None;
        // Where several nodes take events in, one with a smaller id may have been committed since.
        let known = self.first.filter(|_| store.ids_are_in_order());
        let first = match known {
            Some(first) => Some(first),
            None => store.first_pending(endpoint.id)?,
        };
        let Some(first) = first else {
            self.stale = false;
            return Ok(());
        };
        let limit = PAGE.max(endpoint.set.batch_max());
        let page = store.in_order(endpoint.id, first, limit)?;
        self.stale = page.len() == limit;
        // All deliveries before the first pending one are settled for good. If none is pending, `first`
        // becomes unknown, and the next one is found through the index of pending rows, not by reading past
        // all settled ones.
        self.first = page.first().map(|due| due.id);
        self.ready.extend(page);
        Ok(())
    }
}

/// Returns when a delivery may be sent, where events are collected for so long.
fn opening(span: Duration, due: &DueDelivery) -> Timestamp {
    match due.tries == 0 && !due.is_replay {
        true => due.due.plus(span),
        false => due.due,
    }
}
