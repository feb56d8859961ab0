//! What a transaction changed, counted: kept beside the rows, so nobody counts ten million.
//!
//! Every function that adds an event or moves a delivery says so here; the writer adds the sums
//! to the count tables once a group, in the same transaction.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::model::attempt::Outcome;
use crate::model::delivery::State;
use crate::model::id::{EndpointId, SourceId};
use crate::store::engine::conn::{Conn, params};
use crate::time::Timestamp;

/// An hour, and how many of them are kept.
pub(crate) const HOUR_MS: i64 = 3_600_000;
const HOURS_KEPT: i64 = 48;

/// The sums of one job or one group of jobs.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    sources: BTreeMap<i64, SourceChange>,
    endpoints: BTreeMap<EndpointId, [i64; 4]>,
    /// Dead or cancelled deliveries in whose place a replay got through.
    mended: BTreeMap<EndpointId, i64>,
    /// Events on which an endpoint's expression failed.
    when_errors: BTreeMap<EndpointId, i64>,
    /// Deliveries that a page for a person answered.
    pages: BTreeMap<EndpointId, i64>,
    /// When endpoints were last tried, by the scheduler's own time.
    attempts: BTreeMap<EndpointId, Timestamp>,
    /// How attempts ended, by the hour in which they did.
    hours: BTreeMap<(EndpointId, i64, &'static str), i64>,
    /// Endpoints that have something new to send.
    woken: BTreeSet<EndpointId>,
    /// Whether a source or an endpoint is another than before.
    configured: bool,
    /// Whether a bulk replay was asked for or changed.
    replays: bool,
}

#[derive(Debug, Default)]
struct SourceChange {
    events: i64,
    pruned: i64,
    refusals: i64,
    last_event: Option<Timestamp>,
}

impl Changes {
    /// An event was added.
    pub(crate) fn event_added(&mut self, source: Option<SourceId>, received: Timestamp) {
        let change = self.sources.entry(source.map_or(0, |id| id.0)).or_default();
        change.events += 1;
        change.last_event = change.last_event.max(Some(received));
    }

    /// Requests to a source were refused.
    pub(crate) fn refused(&mut self, source: SourceId, count: i64) {
        self.sources.entry(source.0).or_default().refusals += count;
    }

    /// A pending delivery was added.
    pub(crate) fn delivery_added(&mut self, endpoint: EndpointId) {
        self.count(endpoint, State::Pending, 1);
        self.woken.insert(endpoint);
    }

    /// Something of an endpoint's is no longer in the way of the rest.
    pub(crate) fn wake(&mut self, endpoint: EndpointId) {
        self.woken.insert(endpoint);
    }

    /// An endpoint was tried.
    pub(crate) fn attempted(&mut self, endpoint: EndpointId, at: Timestamp) {
        let last = self.attempts.entry(endpoint).or_insert(at);
        *last = at.max(*last);
    }

    /// An attempt ended with an answer, or for want of one.
    pub(crate) fn ended(&mut self, endpoint: EndpointId, at: Timestamp, outcome: Outcome) {
        if outcome != Outcome::Unreachable {
            let hour = at.0.div_euclid(HOUR_MS);
            *self
                .hours
                .entry((endpoint, hour, outcome.name()))
                .or_default() += 1;
        }
    }

    /// An endpoint's expression failed on an event.
    pub(crate) fn when_failed(&mut self, endpoint: EndpointId) {
        *self.when_errors.entry(endpoint).or_default() += 1;
    }

    /// A page for a person answered, and counted as a yes.
    pub(crate) fn answered_by_page(&mut self, endpoint: EndpointId) {
        *self.pages.entry(endpoint).or_default() += 1;
    }

    /// Deliveries left one state for another.
    pub(crate) fn deliveries_moved(
        &mut self,
        endpoint: EndpointId,
        from: State,
        to: State,
        count: i64,
    ) {
        self.count(endpoint, from, -count);
        self.count(endpoint, to, count);
    }

    /// A replay got through in the place of a dead or cancelled delivery.
    pub(crate) fn mended(&mut self, endpoint: EndpointId, from: State) {
        self.count(endpoint, from, -1);
        *self.mended.entry(endpoint).or_default() += 1;
    }

    /// An event was removed.
    pub(crate) fn event_pruned(&mut self, source: Option<SourceId>) {
        self.sources
            .entry(source.map_or(0, |id| id.0))
            .or_default()
            .pruned += 1;
    }

    /// A settled delivery was removed.
    pub(crate) fn delivery_pruned(&mut self, endpoint: EndpointId, state: State, is_mended: bool) {
        if is_mended {
            *self.mended.entry(endpoint).or_default() -= 1;
        } else {
            self.count(endpoint, state, -1);
        }
    }

    /// A bulk replay was asked for or changed.
    pub(crate) fn replays(&mut self) {
        self.replays = true;
    }

    /// A source or an endpoint was added, changed or removed.
    pub(crate) fn configured(&mut self) {
        self.configured = true;
    }

    pub(crate) fn is_configured(&self) -> bool {
        self.configured
    }

    fn count(&mut self, endpoint: EndpointId, state: State, by: i64) {
        self.endpoints.entry(endpoint).or_default()[slot(state)] += by;
    }

    /// Adds another job's sums.
    pub(crate) fn merge(&mut self, other: Changes) {
        for (source, change) in other.sources {
            let sum = self.sources.entry(source).or_default();
            sum.events += change.events;
            sum.pruned += change.pruned;
            sum.refusals += change.refusals;
            sum.last_event = sum.last_event.max(change.last_event);
        }
        for (endpoint, counts) in other.endpoints {
            let sum = self.endpoints.entry(endpoint).or_default();
            for (total, count) in sum.iter_mut().zip(counts) {
                *total += count;
            }
        }
        for (endpoint, at) in other.attempts {
            self.attempted(endpoint, at);
        }
        for (endpoint, count) in other.when_errors {
            *self.when_errors.entry(endpoint).or_default() += count;
        }
        for (endpoint, count) in other.pages {
            *self.pages.entry(endpoint).or_default() += count;
        }
        for (hour, count) in other.hours {
            *self.hours.entry(hour).or_default() += count;
        }
        for (endpoint, count) in other.mended {
            *self.mended.entry(endpoint).or_default() += count;
        }
        self.woken.extend(other.woken);
        self.replays |= other.replays;
        self.configured |= other.configured;
    }

    /// Writes the sums, in the transaction of the rows they count.
    pub(crate) fn flush(&self, conn: Conn<'_>) -> Result<()> {
        let add = |of: &str, id: i64, what: &str, by: i64| -> Result<()> {
            if by != 0 {
                conn.run(
                    "insert into hookbox_tally (of, id, what, value)
                     values (:of, :id, :what, :by)
                     on conflict (of, id, what) do update set value = value + :by",
                    params! { ":of": of, ":id": id, ":what": what, ":by": by },
                )?;
            }
            Ok(())
        };
        let latest = |of: &str, id: i64, what: &str, last: Timestamp| -> Result<()> {
            conn.run(
                "insert into hookbox_tally (of, id, what, value)
                 values (:of, :id, :what, :last)
                 on conflict (of, id, what) do update set value = max(value, :last)",
                params! { ":of": of, ":id": id, ":what": what, ":last": last },
            )?;
            Ok(())
        };
        for (source, change) in &self.sources {
            add("source", *source, "events", change.events)?;
            add("source", *source, "pruned", change.pruned)?;
            add("source", *source, "refusals", change.refusals)?;
            if let Some(last) = change.last_event {
                latest("source", *source, "last_event_ms", last)?;
            }
        }
        for (endpoint, last) in &self.attempts {
            latest("endpoint", endpoint.0, "last_attempt_ms", *last)?;
        }
        for (endpoint, count) in &self.when_errors {
            add("endpoint", endpoint.0, "when_errors", *count)?;
        }
        for (endpoint, count) in &self.pages {
            add("endpoint", endpoint.0, "pages", *count)?;
        }
        for ((endpoint, hour, outcome), count) in &self.hours {
            conn.run(
                "insert into hookbox_hour (endpoint_id, hour, outcome, count)
                 values (:endpoint, :hour, :outcome, :count)
                 on conflict (endpoint_id, hour, outcome) do update set count = count + :count",
                params! {
                    ":endpoint": endpoint, ":hour": hour, ":outcome": outcome, ":count": count,
                },
            )?;
            conn.run(
                "delete from hookbox_hour where endpoint_id = :endpoint and hour < :hour - :kept",
                params! { ":endpoint": endpoint, ":hour": hour, ":kept": HOURS_KEPT },
            )?;
        }
        for (endpoint, count) in &self.mended {
            add("endpoint", endpoint.0, "mended", *count)?;
        }
        for (endpoint, counts) in &self.endpoints {
            for state in State::ALL {
                add("endpoint", endpoint.0, state.name(), counts[slot(state)])?;
            }
        }
        Ok(())
    }

    /// Whether a bulk replay was asked for or changed.
    pub(crate) fn has_replays(&self) -> bool {
        self.replays
    }

    /// Endpoints that have something new to send.
    pub(crate) fn into_woken(self) -> Vec<EndpointId> {
        self.woken.into_iter().collect()
    }
}

fn slot(state: State) -> usize {
    match state {
        State::Pending => 0,
        State::Delivered => 1,
        State::Dead => 2,
        State::Cancelled => 3,
    }
}
