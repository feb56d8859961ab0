//! Counts of what a transaction changed. They are stored beside the rows, so that nobody has to
//! count ten million.
//!
//! Every function that adds an event, or changes the state of a delivery, records it here. The
//! writer adds the sums to the count tables once per group, in the same transaction.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::model::attempt::Outcome;
use crate::model::delivery::State;
use crate::model::id::{EndpointId, SourceId};
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::value::ToValue;
use crate::time::Timestamp;

/// An hour, and how many hours are kept.
pub(crate) const HOUR_MS: i64 = 3_600_000;
const HOURS_KEPT: i64 = 8 * 24;

/// What a count is about: `source` or `endpoint`, its row id, and what is counted.
type Counted = (&'static str, i64, &'static str);

/// The statements that write the sums.
struct Texts {
    add: &'static str,
    note: &'static str,
    add_hour: &'static str,
    forget_hours: &'static str,
}

const OF_FILE: Texts = Texts {
    add: "insert into hookbox_tally (of, id, what, value)
         values (:of, :id, :what, :by)
         on conflict (of, id, what) do update set value = value + :by",
    note: "insert into hookbox_tally (of, id, what, value)
         values (:of, :id, :what, :last)
         on conflict (of, id, what) do update set value = max(value, :last)",
    add_hour: "insert into hookbox_hour (endpoint_id, hour, outcome, count)
         values (:endpoint, :hour, :outcome, :count)
         on conflict (endpoint_id, hour, outcome) do update set count = count + :count",
    forget_hours: "delete from hookbox_hour
         where endpoint_id = :endpoint and hour < :hour - :kept",
};

const OF_NODE: Texts = Texts {
    add: "insert into hookbox_node_tally as t (node_id, of, id, what, value)
         values (:node, :of, :id, :what, :by)
         on conflict (node_id, of, id, what) do update set value = t.value + :by",
    note: "insert into hookbox_node_tally as t (node_id, of, id, what, value)
         values (:node, :of, :id, :what, :last)
         on conflict (node_id, of, id, what) do update set value = greatest(t.value, :last)",
    add_hour: "insert into hookbox_node_hour as h (node_id, endpoint_id, hour, outcome, count)
         values (:node, :endpoint, :hour, :outcome, :count)
         on conflict (node_id, endpoint_id, hour, outcome) do update set count = h.count + :count",
    forget_hours: "delete from hookbox_node_hour
         where node_id = :node and endpoint_id = :endpoint and hour < :hour - :kept",
};

/// The sums of one job or one group of jobs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sums: BTreeMap<Counted, i64>,
    /// The latest time of something.
    latest: BTreeMap<Counted, Timestamp>,
    /// How many attempts ended with each outcome, by the hour in which they ended.
    hours: BTreeMap<(EndpointId, i64, &'static str), i64>,
    /// Endpoints that have something new to send.
    woken: BTreeSet<EndpointId>,
    /// Whether a source or an endpoint was changed.
    configured: bool,
    /// Whether a bulk replay was started or changed.
    replays: bool,
}

impl Tally {
    /// An event was added.
    pub(crate) fn event_added(&mut self, source: Option<SourceId>, received: Timestamp) {
        self.add(of_source(source, "events"), 1);
        self.note(of_source(source, "last_event_ms"), received);
    }

    /// An event was removed.
    pub(crate) fn event_pruned(&mut self, source: Option<SourceId>) {
        self.add(of_source(source, "pruned"), 1);
    }

    /// Requests to a source were rejected.
    pub(crate) fn rejected(&mut self, source: SourceId, count: i64) {
        self.add(of_source(Some(source), "refusals"), count);
    }

    /// A pending delivery was added.
    pub(crate) fn delivery_added(&mut self, endpoint: EndpointId) {
        self.add(of(endpoint, State::Pending.name()), 1);
        self.wake(endpoint);
    }

    /// Deliveries changed from one state to another.
    pub(crate) fn deliveries_moved(
        &mut self,
        endpoint: EndpointId,
        from: State,
        to: State,
        count: i64,
    ) {
        self.add(of(endpoint, from.name()), -count);
        self.add(of(endpoint, to.name()), count);
        if to == State::Dead {
            self.add(of(endpoint, "died"), count);
        }
    }

    /// A replay was delivered that supersedes a dead or cancelled delivery.
    pub(crate) fn superseded(&mut self, endpoint: EndpointId, from: State) {
        self.add(of(endpoint, from.name()), -1);
        self.add(of(endpoint, "superseded"), 1);
    }

    /// A settled delivery was removed.
    pub(crate) fn delivery_pruned(
        &mut self,
        endpoint: EndpointId,
        state: State,
        is_superseded: bool,
    ) {
        let what = if is_superseded {
            "superseded"
        } else {
            state.name()
        };
        self.add(of(endpoint, what), -1);
    }

    /// An endpoint was tried.
    pub(crate) fn attempted(&mut self, endpoint: EndpointId, at: Timestamp) {
        self.note(of(endpoint, "last_attempt_ms"), at);
    }

    /// An attempt ended, with or without an answer.
    pub(crate) fn ended(&mut self, endpoint: EndpointId, at: Timestamp, outcome: Outcome) {
        if outcome != Outcome::Unreachable {
            let hour = at.0.div_euclid(HOUR_MS);
            let of_hour = self.hours.entry((endpoint, hour, outcome.name()));
            *of_hour.or_default() += 1;
        }
        if outcome == Outcome::Delivered {
            self.note(of(endpoint, "last_delivered_ms"), at);
        }
    }

    /// An endpoint's expression failed on an event.
    pub(crate) fn when_failed(&mut self, endpoint: EndpointId) {
        self.add(of(endpoint, "when_errors"), 1);
    }

    /// An endpoint answered with a page for a person, and that counted as success.
    pub(crate) fn answered_by_page(&mut self, endpoint: EndpointId) {
        self.add(of(endpoint, "pages"), 1);
    }

    /// Something no longer blocks the other deliveries of an endpoint.
    pub(crate) fn wake(&mut self, endpoint: EndpointId) {
        self.woken.insert(endpoint);
    }

    /// A bulk replay was started or changed.
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

    fn add(&mut self, what: Counted, by: i64) {
        *self.sums.entry(what).or_default() += by;
    }

    fn note(&mut self, what: Counted, at: Timestamp) {
        let last = self.latest.entry(what).or_insert(at);
        *last = at.max(*last);
    }

    /// Adds another job's sums.
    pub(crate) fn merge(&mut self, other: Tally) {
        for (what, by) in other.sums {
            self.add(what, by);
        }
        for (what, at) in other.latest {
            self.note(what, at);
        }
        for (hour, count) in other.hours {
            *self.hours.entry(hour).or_default() += count;
        }
        self.woken.extend(other.woken);
        self.replays |= other.replays;
        self.configured |= other.configured;
    }

    /// Writes the sums, in the transaction of the rows that they count.
    ///
    /// Where there can be several nodes, each has rows of its own, so that they do not wait for each other.
    pub(crate) fn flush(&self, conn: Conn<'_>, node: Option<i64>) -> Result<()> {
        let texts = match node {
            None => &OF_FILE,
            Some(_) => &OF_NODE,
        };
        let run = |text: &str, params: &[(&str, &dyn ToValue)]| {
            let of_node = node.as_ref().map(|node| (":node", node as &dyn ToValue));
            let params: Vec<(&str, &dyn ToValue)> = params.iter().copied().chain(of_node).collect();
            conn.later().run(text, &params)
        };
        for ((of, id, what), by) in self.sums.iter().filter(|(_, by)| **by != 0) {
            let counted = params! { ":of": of, ":id": id, ":what": what, ":by": by };
            run(texts.add, counted)?;
        }
        for ((of, id, what), last) in &self.latest {
            let noted = params! { ":of": of, ":id": id, ":what": what, ":last": last };
            run(texts.note, noted)?;
        }
        for ((endpoint, hour, outcome), count) in &self.hours {
            let counted = params! {
                ":endpoint": endpoint, ":hour": hour, ":outcome": outcome, ":count": count,
            };
            run(texts.add_hour, counted)?;
            let old = params! { ":endpoint": endpoint, ":hour": hour, ":kept": HOURS_KEPT };
            run(texts.forget_hours, old)?;
        }
        Ok(())
    }

    /// Whether a bulk replay was started or changed.
    pub(crate) fn has_replays(&self) -> bool {
        self.replays
    }

    /// Endpoints that have something new to send.
    pub(crate) fn into_woken(self) -> Vec<EndpointId> {
        self.woken.into_iter().collect()
    }
}

/// The key for a source; events without a source are counted together as source 0.
fn of_source(source: Option<SourceId>, what: &'static str) -> Counted {
    ("source", source.map_or(0, |id| id.0), what)
}

fn of(endpoint: EndpointId, what: &'static str) -> Counted {
    ("endpoint", endpoint.0, what)
}
