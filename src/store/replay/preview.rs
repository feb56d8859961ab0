//! The preview of a bulk replay: what it would do, without doing it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::search::{Candidate, Search};
use super::{Original, ReplayOptions, goes_nowhere, pending_already};
use crate::error::Result;
use crate::model::attempt::AttemptRecord;
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::endpoint::Endpoint;
use crate::model::id::EndpointId;
use crate::model::rate::Rates;
use crate::model::replay::{NewReplay, ReplayKind, Target};
use crate::model::settings::Selection;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::directory::Directory;
use crate::store::engine::partition::{CLOCK_SKEW_ROWS, partition_by_time};
use crate::store::history::query::PAGE_MAX;
use crate::time::{Timestamp, zone};

/// Candidates read at a time.
const BATCH: usize = 1_000;

/// Maximum days with their own count; older days are added together.
const DAYS_MAX: usize = 31;

/// What a bulk replay would send.
#[derive(Debug, Clone)]
pub struct Preview {
    /// How many deliveries.
    pub deliveries: i64,
    /// Total bytes of their bodies.
    pub bytes: i64,
    /// How many of them the endpoint has received already.
    pub had: i64,
    /// The counts for each endpoint that would get some.
    pub endpoints: Vec<PreviewOfEndpoint>,
    /// The counts for each day (of the local time zone) on which the old deliveries were made, oldest first.
    pub days: Vec<(String, i64)>,
    /// Whether everything was searched; if not, the time was up and there may be more.
    pub is_whole: bool,
    /// The newest delivery (for a backfill: event) that is included; later ones are not.
    pub up_to: i64,
    /// The row after which the search begins.
    pub(crate) from: i64,
}

/// The counts for one endpoint.
#[derive(Debug, Clone)]
pub struct PreviewOfEndpoint {
    /// Its name; `None` for an endpoint that would be created.
    pub name: Option<String>,
    /// Its URL, without secrets.
    pub url: String,
    /// How many deliveries.
    pub deliveries: i64,
    /// Bytes of their bodies.
    pub bytes: i64,
    /// How many of them it has received already.
    pub had: i64,
    /// How long this takes at the rates of the replay and the endpoint, or at the speed of the
    /// endpoint's latest answers; `None` if nothing is known.
    pub lasts: Option<Duration>,
    /// Why nothing is sent to the endpoint now.
    pub stopped: Option<Stopped>,
}

/// Why nothing is sent to an endpoint now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// It is held, for this reason.
    Held(String),
    /// It cannot be reached, with the error of the last probe.
    Offline(String),
    /// It is removed: nothing can be sent to it.
    Removed,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::Held(reason) => write!(f, "held: {reason}"),
            Stopped::Offline(error) => write!(f, "offline: {error}"),
            Stopped::Removed => {
                f.write_str("removed: nothing can be sent there; `--to` names another")
            }
        }
    }
}

/// The sums for one endpoint.
#[derive(Default)]
struct Sum {
    deliveries: i64,
    bytes: i64,
    had: i64,
}

/// What was found so far.
#[derive(Default)]
struct Totals {
    endpoints: BTreeMap<Option<EndpointId>, Sum>,
    days: BTreeMap<String, i64>,
}

impl Totals {
    fn add(&mut self, candidate: &Candidate) {
        let sum = self.endpoints.entry(candidate.endpoint).or_default();
        sum.deliveries += 1;
        sum.bytes += candidate.bytes;
        sum.had += i64::from(candidate.is_had);
        *self.days.entry(day(candidate.made)).or_default() += 1;
    }
}

impl Store {
    /// Finds out what a bulk replay would do, as long as `go_on` returns true.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when an endpoint or a source does not exist;
    /// [`Error::Misuse`](crate::Error::Misuse) when the request contradicts itself.
    pub fn preview_replay(&self, asked: &NewReplay, go_on: impl Fn() -> bool) -> Result<Preview> {
        let search = Search::new(self, asked)?;
        let newest = self.newest_row(asked.kind)?;
        let up_to = asked.up_to.map_or(newest, |up_to| up_to.min(newest));
        let from = match asked.selection.since {
            Some(since) => self.before_first_since(asked.kind, since, newest)?,
            None => 0,
        };
        let mut counted = Totals::default();
        let mut at = from;
        while at < up_to && go_on() {
            let found = search.next(self, at, up_to, BATCH)?;
            at = found.done_to;
            for candidate in &found.candidates {
                counted.add(candidate);
            }
        }
        let preview = self.preview_of(counted, asked.rate.as_ref(), asked.to.as_ref())?;
        Ok(Preview {
            is_whole: at >= up_to,
            up_to,
            from,
            ..preview
        })
    }

    /// Finds out what a replay of what is named would do.
    ///
    /// # Errors
    /// As [`Store::replay`].
    #[doc(hidden)]
    pub fn preview_named(&self, named: &[Original], options: &ReplayOptions) -> Result<Preview> {
        let named: BTreeSet<Original> = named.iter().copied().collect();
        if let Some(body) = &options.edited_body {
            self.edit(&named, body.clone())?;
        }
        let mut counted = Totals::default();
        let to = match &options.to {
            None => None,
            Some(target) => {
                let directory = self.fresh_directory()?;
                let endpoint = directory.resolve_target(target)?;
                Some(endpoint.map(|endpoint| endpoint.id))
            }
        };
        let mut gets_it = HashSet::new();
        for one in named {
            let (event, old) = match one {
                Original::Event(id) => (id, None),
                Original::Delivery(id) => {
                    let delivery = self.delivery(id)?;
                    (delivery.event, Some(delivery))
                }
            };
            let id = old.as_ref().map(|delivery| delivery.id);
            let own = old.as_ref().map(|delivery| Some(delivery.endpoint_id));
            let endpoint = to
                .or(own)
                .ok_or_else(|| goes_nowhere(self.box_id(), event))?;
            if let Some(delivery) = &old
                && delivery.state == State::Pending
                && endpoint == Some(delivery.endpoint_id)
            {
                return Err(pending_already(self.box_id(), id, delivery.id));
            }
            if !gets_it.insert((event, endpoint)) {
                continue;
            }
            let to_it = Selection {
                event: Some(event),
                ..Selection::default()
            };
            let others = self.deliveries(&to_it, PAGE_MAX)?;
            let is_pending = |other: &&DeliveryRecord| {
                Some(other.endpoint_id) == endpoint && other.state == State::Pending
            };
            if options.edited_body.is_none()
                && let Some(pending) = others.iter().find(is_pending)
            {
                return Err(pending_already(self.box_id(), id, pending.id));
            }
            let is_had = |other: &DeliveryRecord| {
                Some(other.endpoint_id) == endpoint && other.state == State::Delivered
            };
            let record = self.event(event)?;
            let bytes = match &options.edited_body {
                Some(body) => i64::try_from(body.len()).unwrap_or(i64::MAX),
                None => record.bytes,
            };
            counted.add(&Candidate {
                at: 0,
                event,
                delivery: id,
                endpoint,
                made: old.map_or(record.received, |delivery| delivery.created),
                bytes,
                is_had: options.edited_body.is_none() && others.iter().any(is_had),
            });
        }
        self.preview_of(counted, None, options.to.as_ref())
    }

    fn preview_of(
        &self,
        counted: Totals,
        rate: Option<&Rates>,
        to: Option<&Target>,
    ) -> Result<Preview> {
        let directory = self.fresh_directory()?;
        let mut endpoints = Vec::new();
        for (id, sum) in &counted.endpoints {
            endpoints.extend(match (id, to) {
                (Some(id), _) => Some(self.preview_of_endpoint(&directory, *id, sum, rate)?),
                (None, to) => to.map(|target| of_new_endpoint(target, sum, rate)),
            });
        }
        // Nothing is sent to removed endpoints.
        let total = |of: fn(&Sum) -> i64| {
            let is_sent =
                |id: Option<EndpointId>| id.is_none_or(|id| directory.endpoint_by_id(id).is_some());
            let there = counted.endpoints.iter().filter(|(id, _)| is_sent(**id));
            there.map(|(_, sum)| of(sum)).sum()
        };
        Ok(Preview {
            deliveries: total(|sum| sum.deliveries),
            bytes: total(|sum| sum.bytes),
            had: total(|sum| sum.had),
            endpoints,
            days: latest(counted.days),
            is_whole: true,
            up_to: 0,
            from: 0,
        })
    }

    /// The last row before all rows as young as `since`, found by binary search. It is
    /// [`CLOCK_SKEW_ROWS`] rows earlier, for the case that the clock was set.
    fn before_first_since(&self, kind: ReplayKind, since: Timestamp, newest: i64) -> Result<i64> {
        let next = match kind {
            ReplayKind::Backfill => {
                "select received_ms from hookbox_event where id > :id order by id limit 1"
            }
            ReplayKind::Replay | ReplayKind::Recover => {
                "select created_ms from hookbox_delivery where id > :id order by id limit 1"
            }
        };
        let low =
            self.read(|conn| partition_by_time(conn, next, newest, since, CLOCK_SKEW_ROWS))?;
        Ok((low - CLOCK_SKEW_ROWS).max(0))
    }

    /// The newest delivery (for a backfill: event). Later rows are not part of the replay.
    pub(crate) fn newest_row(&self, kind: ReplayKind) -> Result<i64> {
        let statement = match kind {
            ReplayKind::Backfill => "select max(id) from hookbox_event",
            ReplayKind::Replay | ReplayKind::Recover => "select max(id) from hookbox_delivery",
        };
        self.newest_id(statement)
    }

    fn preview_of_endpoint(
        &self,
        directory: &Directory,
        id: EndpointId,
        sum: &Sum,
        rate: Option<&Rates>,
    ) -> Result<PreviewOfEndpoint> {
        let (name, url, stopped, lasts) = match directory.endpoint_by_id(id) {
            Some(endpoint) => (
                endpoint.set.name.clone(),
                endpoint.set.shown_url(),
                match &endpoint.held {
                    Some(hold) => Some(Stopped::Held(hold.reason.clone())),
                    None => self.offline(id)?.map(Stopped::Offline),
                },
                self.lasts(rate, endpoint, sum.deliveries)?,
            ),
            None => (
                self.endpoint_name(id)?,
                String::new(),
                Some(Stopped::Removed),
                None,
            ),
        };
        Ok(PreviewOfEndpoint {
            name: Some(name),
            url,
            deliveries: sum.deliveries,
            bytes: sum.bytes,
            had: sum.had,
            lasts,
            stopped,
        })
    }

    /// The error of the latest probe of an endpoint that cannot be reached.
    fn offline(&self, endpoint: EndpointId) -> Result<Option<String>> {
        self.read(|conn| {
            conn.maybe("select error from hookbox_outage where endpoint_id = :endpoint and ended_ms is null", params! { ":endpoint": endpoint }, |row| row.get(0))
        })
    }

    /// How long this number of deliveries takes: by the lowest of the rates, or by the duration of
    /// the latest attempts.
    fn lasts(
        &self,
        rate: Option<&Rates>,
        endpoint: &Endpoint,
        deliveries: i64,
    ) -> Result<Option<Duration>> {
        let by_rate = by_rates([rate, endpoint.set.rate()], deliveries);
        let attempts = self.latest_attempts(&endpoint.set.name)?;
        let Some(count) = u32::try_from(attempts.len())
            .ok()
            .filter(|count| *count > 0)
        else {
            return Ok(by_rate);
        };
        let spent: Duration = attempts.iter().map(|attempt| attempt.timing.total).sum();
        let by_attempts =
            (spent / count).mul_f64(deliveries as f64 / f64::from(endpoint.set.concurrency()));
        Ok(Some(by_rate.unwrap_or_default().max(by_attempts)))
    }

    fn latest_attempts(&self, endpoint: &str) -> Result<Vec<AttemptRecord>> {
        const LOOKED_AT: usize = 20;
        let latest = Selection {
            endpoint: Some(endpoint.to_owned()),
            ..Selection::default()
        };
        let mut attempts = Vec::new();
        for delivery in self.deliveries(&latest, LOOKED_AT)? {
            attempts.extend(self.attempts(delivery.id)?.pop());
        }
        Ok(attempts)
    }
}

/// How long this number of deliveries takes at the lowest of these rates.
fn by_rates(rates: [Option<&Rates>; 2], deliveries: i64) -> Option<Duration> {
    let limits = rates.into_iter().flatten().flat_map(Rates::limits);
    let spans = limits.map(|limit| {
        let rounds = (deliveries as f64 / f64::from(limit.count)).ceil() - 1.0;
        limit.span.mul_f64(rounds.max(0.0))
    });
    spans.max()
}

/// The counts for a URL for which an endpoint would be created: nothing else is known of it.
fn of_new_endpoint(target: &Target, sum: &Sum, rate: Option<&Rates>) -> PreviewOfEndpoint {
    PreviewOfEndpoint {
        name: None,
        url: target.to_string(),
        deliveries: sum.deliveries,
        bytes: sum.bytes,
        had: sum.had,
        lasts: by_rates([rate, None], sum.deliveries),
        stopped: None,
    }
}

/// The day of a time, in the zone in which times are asked for.
fn day(at: Timestamp) -> String {
    at.to_jiff().to_zoned(zone()).date().to_string()
}

fn latest(days: BTreeMap<String, i64>) -> Vec<(String, i64)> {
    let mut days: Vec<(String, i64)> = days.into_iter().collect();
    let older = days.len().saturating_sub(DAYS_MAX);
    if older > 0 {
        let sum = days.drain(..older).map(|(_, count)| count).sum();
        days.insert(0, ("before".to_owned(), sum));
    }
    days
}

impl Preview {
    /// As a JSON object: the request, and what it would do.
    pub fn json(&self, asked: &NewReplay) -> Value {
        let mut object = json!({
            "kind": asked.kind.name(),
            "filter": asked.selection.json(),
            "to": asked.to.as_ref().map(Target::to_string),
        });
        let found = self.json_of_found();
        if let (Some(object), Value::Object(found)) = (object.as_object_mut(), found) {
            object.extend(found);
        }
        object
    }

    /// As a JSON object: only what it would do.
    pub fn json_of_found(&self) -> Value {
        let endpoints: Vec<Value> = self
            .endpoints
            .iter()
            .map(|endpoint| {
                json!({
                    "endpoint": endpoint.name,
                    "url": endpoint.url,
                    "deliveries": endpoint.deliveries,
                    "bytes": endpoint.bytes,
                    "had_already": endpoint.had,
                    "lasts_ms": endpoint.lasts.map(|span| span.as_millis() as u64),
                    "stopped": endpoint.stopped.as_ref().map(Stopped::to_string),
                })
            })
            .collect();
        let days: Vec<Value> = self
            .days
            .iter()
            .map(|(day, count)| json!({ "day": day, "deliveries": count }))
            .collect();
        json!({
            "dry_run": true,
            "deliveries": self.deliveries,
            "bytes": self.bytes,
            "had_already": self.had,
            "endpoints": endpoints,
            "days": days,
            "complete": self.is_whole,
            "up_to": self.up_to,
        })
    }
}
