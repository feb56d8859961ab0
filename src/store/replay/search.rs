//! Searches the deliveries (for a backfill: the events) of a bulk replay, a bounded piece at a time: no
//! other work waits for a search, and its results are not kept in memory.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::model::delivery::State;
use crate::model::endpoint::Endpoint;
use crate::model::filter::Wanted;
use crate::model::id::{DeliveryId, EndpointId, EventId, SourceId};
use crate::model::large_body::on_large_body_pool;
use crate::model::replay::{NewReplay, ReplayKind, Target};
use crate::model::settings::{Listing, Selection};
use crate::model::text::Text;
use crate::store::engine::Store;
use crate::store::engine::conn::Row;
use crate::store::engine::value::ToValue;
use crate::store::history::conditions::{of_type, some};
use crate::store::intake::route::stored_scope;
use crate::time::Timestamp;

/// Maximum rows that one step passes over: this takes some tens of milliseconds.
const STEP: i64 = 50_000;

/// Maximum bodies that one step reads.
const BODIES: usize = 200;

/// A delivery to be created.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// The position of the search when this was found.
    pub(crate) at: i64,
    pub(crate) event: EventId,
    /// The delivery that it repeats.
    pub(crate) delivery: Option<DeliveryId>,
    /// The endpoint that gets it; `None` for the one that will be created for a URL.
    pub(crate) endpoint: Option<EndpointId>,
    /// When the old delivery was made, or the event received.
    pub(crate) made: Timestamp,
    /// Size of the body.
    pub(crate) bytes: i64,
    /// Whether the endpoint has received the event already.
    pub(crate) is_had: bool,
}

/// The result of one step.
pub(crate) struct Found {
    pub(crate) candidates: Vec<Candidate>,
    /// Everything up to this row was searched.
    pub(crate) done_to: i64,
}

/// A search for the rows of a bulk replay.
pub(crate) struct Search {
    statement: String,
    selection: Selection,
    state: Option<State>,
    /// The endpoint of the old deliveries, where the statement asks for it.
    from: Option<EndpointId>,
    source: Option<SourceId>,
    /// The endpoint that gets all of them, where the statement asks for it; null if it will be created.
    to: Option<Option<EndpointId>>,
    /// For a backfill: the endpoint whose filters an event must pass.
    wanting: Option<Arc<Endpoint>>,
    text: Option<Text>,
}

impl Search {
    /// Checks the request and prepares the search.
    ///
    /// # Errors
    /// [`Error::NotFound`] when an endpoint or a source does not exist; [`Error::Misuse`] when the request
    /// contradicts itself.
    pub(crate) fn new(store: &Store, asked: &NewReplay) -> Result<Search> {
        let selection = asked.selection.clone();
        if selection.state == Some(State::Pending) {
            return Err(Error::misuse(
                "what is pending will be sent by itself; choose those that are delivered, dead or cancelled",
            ));
        }
        if asked.kind != ReplayKind::Replay {
            let is_whole = selection.endpoint.is_some() && selection.since.is_some();
            if !is_whole || selection.state.is_some() || asked.to.is_some() {
                return Err(Error::misuse(format!(
                    "a {} is of one endpoint, which gets it, since a time: give endpoint and since, and neither state nor to",
                    asked.kind
                )));
            }
        }
        let named = store.named(Listing::Replay, &selection)?;
        let directory = store.fresh_directory()?;
        let target = match &selection.endpoint {
            Some(name) if asked.kind != ReplayKind::Replay => Some(Target::Endpoint(name.clone())),
            _ => asked.to.clone(),
        };
        let endpoint = match &target {
            None => None,
            Some(target) => directory.resolve_target(target)?.cloned(),
        };
        let is_backfill = asked.kind == ReplayKind::Backfill;
        let to = (is_backfill || asked.to.is_some()).then(|| endpoint.as_ref().map(|held| held.id));
        let text = selection.text.as_deref().map(Text::new).transpose()?;
        Ok(Search {
            statement: statement(asked, &selection),
            state: selection.state,
            from: named.endpoint.filter(|_| !is_backfill),
            source: named.source,
            to,
            wanting: endpoint.filter(|_| is_backfill),
            text,
            selection,
        })
    }

    /// Continues the search after `after`, up to `up_to` at most, for at most `limit` candidates.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    pub(crate) fn next(
        &self,
        store: &Store,
        after: i64,
        up_to: i64,
        limit: usize,
    ) -> Result<Found> {
        let reads_bodies = self.text.is_some() || self.wanting.is_some();
        let looked_at = if reads_bodies { BODIES } else { limit };
        let end = up_to.min(after.saturating_add(STEP));
        let rows = looked_at as i64;
        let mut values: Vec<(&str, &dyn ToValue)> =
            vec![(":after", &after), (":end", &end), (":limit", &rows)];
        let selection = &self.selection;
        let (_, event_type) = of_type(selection.event_type.as_deref());
        let optional: [(&str, Option<&dyn ToValue>); 7] = [
            (":state", some(&self.state)),
            (":from", some(&self.from)),
            (":to", some(&self.to)),
            (":source", some(&self.source)),
            (":type", some(&event_type)),
            (":since", some(&selection.since)),
            (":until", some(&selection.until)),
        ];
        let given = optional.into_iter();
        values.extend(given.filter_map(|(name, value)| Some((name, value?))));
        let found = store.read(|conn| {
            conn.all::<Candidate>(&self.statement, values.as_slice(), read_candidate)
        })?;
        let done_to = match found.last() {
            Some(last) if found.len() == looked_at => last.at,
            _ => end,
        };
        let mut candidates: Vec<Candidate> = Vec::new();
        for candidate in found {
            if candidates.len() == limit {
                // There may be more after the last one.
                let done_to = candidates.last().map_or(done_to, |last| last.at);
                return Ok(Found {
                    candidates,
                    done_to,
                });
            }
            if !reads_bodies || self.is_meant(store, &candidate)? {
                candidates.push(candidate);
            }
        }
        Ok(Found {
            candidates,
            done_to,
        })
    }

    /// Whether the body of an event contains the text, and the endpoint of a backfill wants the event.
    fn is_meant(&self, store: &Store, candidate: &Candidate) -> Result<bool> {
        let body = store.event_body(candidate.event)?;
        if let Some(text) = &self.text
            && !text.is_in(&body)
        {
            return Ok(false);
        }
        let Some(endpoint) = &self.wanting else {
            return Ok(true);
        };
        let record = store.event(candidate.event)?;
        let wants = on_large_body_pool(body.len(), || {
            let scope = stored_scope(&store.directory(), &record, &body);
            endpoint.set.filters.wants(&scope)
        });
        Ok(!matches!(wants, Wanted::No))
    }
}

fn read_candidate(row: &Row<'_>) -> Result<Candidate> {
    Ok(Candidate {
        at: row.get(0)?,
        event: row.get(1)?,
        delivery: row.get(2)?,
        endpoint: row.get(3)?,
        made: row.get(4)?,
        bytes: row.get(5)?,
        is_had: row.get(6)?,
    })
}

/// Tests and messages of alerts, which hookbox made itself: what they said is past. They are sent again by id,
/// or where their type is asked for.
const NO_OWN: &str = "e.type not in ('hookbox.test', 'hookbox.alert')";

/// The SQL of a search. Only the first of several deliveries of one event to one endpoint is selected, so
/// that the replays are in the order of their events. An event that is pending at the endpoint is left out.
fn statement(asked: &NewReplay, selection: &Selection) -> String {
    let mut conditions: Vec<&str> = Vec::new();
    let (is_of_type, _) = of_type(selection.event_type.as_deref());
    let event_conditions = [
        (selection.source.is_some(), "e.source_id = :source"),
        (selection.event_type.is_some(), is_of_type),
    ];
    conditions.extend(chosen(event_conditions));
    if selection.event_type.is_none() {
        conditions.push(NO_OWN);
    }
    if asked.kind == ReplayKind::Backfill {
        let times = [
            (selection.since.is_some(), "e.received_ms >= :since"),
            (selection.until.is_some(), "e.received_ms < :until"),
        ];
        conditions.extend(chosen(times));
        return format!(
            "select e.id, e.id, null, cast(:to as bigint), e.received_ms, e.bytes, false
             from hookbox_event as e
             where e.id > :after and e.id <= :end {}
                 and e.replay_of_event is null
                 and not exists (
                     select 1 from hookbox_delivery as l indexed by hookbox_delivery_event
                     where l.event_id = e.id and l.endpoint_id = :to
                 )
             order by e.id
             limit :limit",
            joined(&conditions)
        );
    }
    let is_meant = match (asked.kind, selection.state) {
        (ReplayKind::Recover, _) => "$.state in ('dead', 'cancelled') and $.superseded_by is null",
        (_, Some(State::Dead | State::Cancelled)) => {
            "$.state = :state and $.state in ('dead', 'cancelled') and $.superseded_by is null"
        }
        (_, Some(_)) => "$.state = :state",
        (_, None) => "$.state <> 'pending'",
    };
    let times = [
        (selection.until.is_some(), "d.created_ms < :until"),
        (selection.since.is_some(), "d.created_ms >= :since"),
        (selection.endpoint.is_some(), "d.endpoint_id = :from"),
    ];
    conditions.extend(chosen(times));
    // If all go to one endpoint, each event goes there once, whichever endpoint had it before.
    let (to, same) = match (&asked.to, selection.endpoint.is_some()) {
        (None, _) => ("d.endpoint_id", "l.endpoint_id = d.endpoint_id"),
        (Some(_), true) => ("cast(:to as bigint)", "l.endpoint_id = :from"),
        (Some(_), false) => ("cast(:to as bigint)", "true"),
    };
    let since = if selection.since.is_some() {
        "and l.created_ms >= :since"
    } else {
        ""
    };
    let had = match asked.kind {
        ReplayKind::Recover => "and not exists (select 1 from hookbox_delivery as l indexed by hookbox_delivery_event
                 where l.event_id = d.event_id and l.endpoint_id = d.endpoint_id and l.state = 'delivered')",
        _ => "",
    };
    format!(
        "select d.id, d.event_id, d.id, {to}, d.created_ms, e.bytes, exists (
                 select 1 from hookbox_delivery as l indexed by hookbox_delivery_event
                 where l.event_id = d.event_id and l.endpoint_id = {to} and l.state = 'delivered'
             )
         from hookbox_delivery as d
         join hookbox_event as e on e.id = d.event_id
         where d.id > :after and d.id <= :end and {} {}
             and not exists (
                 select 1 from hookbox_delivery as l indexed by hookbox_delivery_event
                 where l.event_id = d.event_id and l.endpoint_id = {to} and l.state = 'pending'
             )
             and not exists (
                 select 1 from hookbox_delivery as l indexed by hookbox_delivery_event
                 where l.event_id = d.event_id and {same} and l.id < d.id and {} {since}
             )
             {had}
         order by d.id
         limit :limit",
        is_meant.replace('$', "d"),
        joined(&conditions),
        is_meant.replace('$', "l"),
    )
}

fn chosen<const N: usize>(
    conditions: [(bool, &'static str); N],
) -> impl Iterator<Item = &'static str> {
    let set = conditions.into_iter().filter(|(is_set, _)| *is_set);
    set.map(|(_, text)| text)
}

fn joined(conditions: &[&str]) -> String {
    conditions
        .iter()
        .map(|condition| format!("and {condition} "))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::plan::plan_of;

    fn asked(kind: ReplayKind, selection: Selection) -> NewReplay {
        NewReplay {
            kind,
            selection,
            to: None,
            has_new_ids: false,
            rate: None,
            up_to: None,
            asked_by: "test".to_owned(),
        }
    }

    #[test]
    fn a_step_reads_no_more_than_its_rows_and_sorts_nothing() {
        let dead = Selection {
            state: Some(State::Dead),
            ..Selection::default()
        };
        let of_one = Selection {
            endpoint: Some("ci".to_owned()),
            ..Selection::default()
        };
        for (kind, selection, by) in [
            (
                ReplayKind::Replay,
                dead,
                "hookbox_delivery_failed (state=? AND rowid>? AND rowid<?)",
            ),
            (
                ReplayKind::Replay,
                Selection::default(),
                "SEARCH d USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
            ),
            (
                ReplayKind::Replay,
                of_one.clone(),
                "hookbox_delivery_endpoint (endpoint_id=? AND rowid>? AND rowid<?)",
            ),
            (
                ReplayKind::Backfill,
                of_one,
                "SEARCH e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
            ),
        ] {
            let asked = asked(kind, selection.clone());
            let plan = plan_of(&statement(&asked, &selection));
            assert!(plan.contains(by), "{kind} {selection}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{kind} {selection}: {plan}");
        }
    }
}
