//! Records an attempt: the attempt's row, the delivery's state change, the outage's row.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::model::attempt::{Decision, Outcome, Response, Timing};
use crate::model::delivery::{State, Transition, next_state};
use crate::model::endpoint::{Endpoint, EndpointUrl};
use crate::model::header::Header;
use crate::model::id::{DeliveryId, EndpointId};
use crate::store::drain::endpoint_state::{self, RecentPace, forget_failing};
use crate::store::drain::hold::hold;
use crate::store::engine::Store;
use crate::store::engine::columns::{HeadersRef, Micros, Millis};
use crate::store::engine::conn::params;
use crate::store::engine::job::{Outline, Tx};
use crate::store::engine::measures::{AttemptLabels, OutcomeLabel};
use crate::time::Timestamp;

/// Maximum attempts kept per delivery, as the schema has it. A retry schedule has a hundred steps
/// at most.
const ATTEMPTS_MAX: i64 = 1023;

/// How many recent attempts can be followed. A follower that is further behind misses some; it gets
/// their number.
const ATTEMPTS_KEPT: i64 = 8_192;

/// The report of one attempt.
#[derive(Debug, Clone)]
pub struct Report {
    /// The delivery that was tried.
    pub delivery: DeliveryId,
    /// Its endpoint.
    pub endpoint: EndpointId,
    /// The lease of the endpoint's lane under which it was sent, where there are several nodes.
    pub lease: Option<i64>,
    /// When the attempt began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// When the attempt ended by the scheduler's own clock, which may be ahead of the wall clock.
    pub ended_steady: Timestamp,
    /// How long each phase of the request took.
    pub timing: Timing,
    /// Whether the endpoint was reached. An attempt may fail on our side before anything is sent.
    pub reached: bool,
    /// The request's headers.
    pub request_headers: Vec<Header>,
    /// The response: its body up to a limit, and without secrets.
    pub response: Option<Response>,
    /// What happens to the delivery and to the endpoint.
    pub decision: Decision,
    /// Whether the answer was a page for a person, not for a program, and counted as success.
    pub is_page: bool,
    /// The recent requests to the endpoint, if its pace is limited.
    pub pace: Option<RecentPace>,
    /// Whether the endpoint starts or stops failing (refusing everything).
    pub failing: FailingChange,
    /// Where the request went. If the endpoint has another URL by now, it is not held.
    pub url: EndpointUrl,
}

/// How an attempt changes whether its endpoint is failing: whether it refuses everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailingChange {
    /// No change.
    Same,
    /// The endpoint has refused everything for this long now.
    For(Duration),
    /// The endpoint accepted something.
    Over,
}

impl Store {
    fn measure_attempt(&self, report: &Report, endpoint: Option<&Arc<Endpoint>>) {
        let measures = self.measures();
        let outcome = report.decision.outcome.name();
        if let Some(endpoint) = endpoint {
            let labels = AttemptLabels {
                endpoint: endpoint.set.name.clone(),
                outcome,
            };
            measures.attempts.get_or_create(&labels).inc();
        }
        measures
            .attempt_seconds
            .get_or_create(&OutcomeLabel { outcome })
            .observe(report.timing.total.as_secs_f64());
    }

    /// Writes a report; `answer` is called after the commit, on the writer's thread, and must
    /// return at once.
    ///
    /// The delivery counts as in flight until `answer` is called with success.
    #[doc(hidden)]
    pub fn record_then(
        &self,
        report: Arc<Report>,
        answer: impl FnOnce(Result<()>) + Send + 'static,
    ) {
        let directory = self.directory();
        let endpoint = directory.endpoint_by_id(report.endpoint);
        self.measure_attempt(&report, endpoint);
        let bytes = report
            .response
            .as_ref()
            .map_or(0, |response| response.body.len());
        // The next delivery of an endpoint that gets one at a time waits for this one's record.
        let is_urgent = endpoint.is_some_and(|endpoint| endpoint.set.is_ordered);
        let outline = Outline {
            bytes,
            is_urgent,
            ..Outline::default()
        };
        self.submit(outline, move |tx| record(tx, &report), answer);
    }
}

fn record(tx: &mut Tx<'_>, report: &Report) -> Result<()> {
    tx.require_lane(report.endpoint, report.lease)?;
    let is_unreachable = report.decision.outcome == Outcome::Unreachable;
    let found_outage = is_unreachable && grow_outage(tx, report)?;
    if let Some(pace) = &report.pace {
        endpoint_state::write(tx, report.endpoint, pace)?;
    }
    write_failing(tx, report)?;
    if let Some(reason) = &report.decision.hold
        && let Some(endpoint) = tx.directory.endpoint_by_id(report.endpoint)
        && endpoint.set.url == report.url
        && endpoint.held.is_none()
    {
        hold(tx, report.endpoint, reason, report.ended)?;
    }
    // During an outage, the outage's row stands for all its probes.
    if is_unreachable && !found_outage {
        return Ok(());
    }
    tx.tally.attempted(report.endpoint, report.ended_steady);
    tx.tally
        .ended(report.endpoint, report.ended, report.decision.outcome);
    if report.is_page {
        tx.tally.answered_by_page(report.endpoint);
    }
    let current = Current::read(tx, report)?;
    if let Some(outage) = current.outage.filter(|_| report.reached && !is_unreachable) {
        end_outage(tx, outage, report.ended)?;
    }
    let number = move_delivery(tx, report, &current)?;
    if number > ATTEMPTS_MAX {
        // Only an endpoint that comes and goes a thousand times gets here. The attempt is still
        // counted.
        return Ok(());
    }
    insert_attempt(tx, report, number)
}

/// The delivery and its endpoint as they are now.
struct Current {
    state: State,
    attempts: i64,
    is_replay: bool,
    /// The endpoint's open outage.
    outage: Option<i64>,
}

impl Current {
    fn read(tx: &Tx<'_>, report: &Report) -> Result<Current> {
        tx.conn.one(
            "select d.state, d.attempts, d.replay_of is not null as is_replay,
                 (select o.id from hookbox_outage as o
                  where o.endpoint_id = :endpoint and o.ended_ms is null) as outage
             from hookbox_delivery as d
             where d.id = :id",
            params! { ":id": report.delivery, ":endpoint": report.endpoint },
            |row| {
                Ok(Current {
                    state: row.get(0)?,
                    attempts: row.get(1)?,
                    is_replay: row.get(2)?,
                    outage: row.get(3)?,
                })
            },
        )
    }
}

/// Counts the attempt and changes the delivery's state, if the delivery is still pending. A person
/// may have cancelled it in the meantime; then only the attempt is counted. Returns the attempt's
/// number.
fn move_delivery(tx: &mut Tx<'_>, report: &Report, current: &Current) -> Result<i64> {
    let (from, number) = (current.state, current.attempts + 1);
    let (due, reason, spent) = match &report.decision.change {
        // A delivered attempt may have a reason too: what was unusual about it.
        Transition::Deliver => (None, report.decision.error.as_deref(), 1),
        Transition::Retry { due } => (Some(*due), report.decision.error.as_deref(), 1),
        Transition::GiveUp { reason } => (None, Some(reason.as_str()), 1),
        Transition::Cancel { reason } => (None, Some(reason.as_str()), 0),
        // The due time stays: this delivery is still the oldest when the endpoint is back.
        Transition::Postpone if from == State::Pending => return postpone(tx, report, number),
        Transition::Postpone => return count_attempt(tx, report, from, number),
    };
    let Some(to) = next_state(from, &report.decision.change) else {
        return count_attempt(tx, report, from, number);
    };
    tx.conn.later().change_one(
        "update hookbox_delivery
         set state = :to, due_ms = :due, settled_ms = :settled, tries = tries + :spent,
             attempts = :number, reason = :reason
         where id = :id and state = :from",
        params! {
            ":to": to,
            ":due": due,
            ":settled": (to != State::Pending).then_some(report.ended),
            ":spent": spent,
            ":number": number,
            ":reason": reason,
            ":id": report.delivery,
            ":from": from,
        },
    )?;
    if to != from {
        tx.tally.deliveries_moved(report.endpoint, from, to, 1);
    }
    if to == State::Delivered && current.is_replay {
        supersede(tx, report.delivery, report.endpoint)?;
    }
    Ok(number)
}

/// Marks dead and cancelled deliveries as superseded by this replay, which was delivered.
///
/// These are the deliveries that the replay repeats, directly or through other replays, and all
/// other deliveries of the same events to the same endpoint.
pub(super) fn supersede(tx: &mut Tx<'_>, replay: DeliveryId, endpoint: EndpointId) -> Result<()> {
    let superseded = tx.conn.all::<(DeliveryId, State)>(
        "with recursive repeated (id, event_id, replay_of) as (
             select id, event_id, replay_of from hookbox_delivery where id = :id
             union
             select d.id, d.event_id, d.replay_of
             from repeated as r
             join hookbox_delivery as d on d.id = r.replay_of
             where d.endpoint_id = :endpoint
         )
         select d.id, d.state
         from (select distinct event_id from repeated) as e
         join hookbox_delivery as d indexed by hookbox_delivery_event on d.event_id = e.event_id
         where d.endpoint_id = :endpoint and d.state in ('dead', 'cancelled')
             and d.superseded_by is null",
        params! { ":id": replay, ":endpoint": endpoint },
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    for (delivery, state) in superseded {
        tx.conn.change_one(
            "update hookbox_delivery set superseded_by = :by where id = :id",
            params! { ":by": replay, ":id": delivery },
        )?;
        tx.tally.superseded(endpoint, state);
    }
    Ok(())
}

/// Counts the attempt of a delivery that continues to wait, and stores the reason for the wait.
fn postpone(tx: &Tx<'_>, report: &Report, number: i64) -> Result<i64> {
    tx.conn.later().change_one(
        "update hookbox_delivery
         set attempts = :number, reason = :reason
         where id = :id and state = 'pending'",
        params! {
            ":number": number,
            ":reason": report.decision.error,
            ":id": report.delivery,
        },
    )?;
    Ok(number)
}

/// Counts the attempt of a delivery whose state does not change.
fn count_attempt(tx: &Tx<'_>, report: &Report, state: State, number: i64) -> Result<i64> {
    tx.conn.later().change_one(
        "update hookbox_delivery set attempts = :number where id = :id and state = :state",
        params! { ":number": number, ":id": report.delivery, ":state": state },
    )?;
    Ok(number)
}

/// Adds an attempt to the log for followers, in the transaction that writes the attempt.
fn attempt_added(tx: &Tx<'_>, delivery: DeliveryId, number: i64) -> Result<()> {
    let later = tx.conn.later();
    later.run(
        "insert into hookbox_recent_attempt (attempt_id) values (:delivery * 1024 + :number)",
        params! { ":delivery": delivery, ":number": number },
    )?;
    if trims(delivery.0 * 1024 + number) {
        later.run(
            "delete from hookbox_recent_attempt
             where id <= (select max(id) from hookbox_recent_attempt) - :kept",
            params! { ":kept": ATTEMPTS_KEPT },
        )?;
    }
    Ok(())
}

/// Whether the log is trimmed after this attempt: one of a thousand, by a hash of its number.
fn trims(attempt: i64) -> bool {
    let mixed = attempt.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ (mixed >> 29)).is_multiple_of(1_024)
}

fn insert_attempt(tx: &Tx<'_>, report: &Report, number: i64) -> Result<()> {
    let response = report.response.as_ref();
    tx.conn.later().run(
        "insert into hookbox_attempt (
             id, delivery_id, number, started_ms, resolve_us, connect_us, wait_us, read_us, total_us,
             outcome, status, error, request_headers, response_headers, response_body,
             response_truncated
         ) values (
             :delivery * 1024 + :number, :delivery, :number, :started, :resolve, :connect, :wait, :read, :total,
             :outcome, :status, :error, :request_headers, :response_headers, :response_body,
             :response_truncated
         )",
        params! {
            ":delivery": report.delivery,
            ":number": number,
            ":started": report.started,
            ":resolve": Micros(report.timing.resolve),
            ":connect": Micros(report.timing.connect),
            ":wait": Micros(report.timing.wait),
            ":read": Micros(report.timing.read),
            ":total": Micros(report.timing.total),
            ":outcome": report.decision.outcome,
            ":status": response.map(|response| response.status),
            ":error": report.decision.error,
            ":request_headers": HeadersRef(&report.request_headers),
            ":response_headers": HeadersRef(response.map_or(&[], |response| &response.headers)),
            ":response_body": response.map_or(&[][..], |response| &response.body),
            ":response_truncated": response.is_some_and(|response| response.truncated),
        },
    )?;
    attempt_added(tx, report.delivery, number)
}

fn write_failing(tx: &Tx<'_>, report: &Report) -> Result<()> {
    match report.failing {
        FailingChange::Same => {}
        FailingChange::For(lasting) => {
            tx.conn.run(
                "insert into hookbox_failing_endpoint (endpoint_id, lasting_ms) values (:id, :lasting)
                 on conflict (endpoint_id) do update set lasting_ms = :lasting",
                params! { ":id": report.endpoint, ":lasting": Millis(lasting) },
            )?;
        }
        FailingChange::Over => forget_failing(tx, report.endpoint)?,
    }
    Ok(())
}

/// Begins or continues the endpoint's outage; returns whether it began.
fn grow_outage(tx: &Tx<'_>, report: &Report) -> Result<bool> {
    let error = report.decision.error.as_deref().unwrap_or("unreachable");
    let probes: i64 = tx.conn.one(
        "insert into hookbox_outage as o (endpoint_id, since_ms, last_probe_ms, probes, error)
         values (:endpoint, :at, :at, 1, :error)
         on conflict (endpoint_id) where ended_ms is null do update set
             last_probe_ms = :at, probes = o.probes + 1, error = :error
         returning probes",
        params! { ":endpoint": report.endpoint, ":at": report.ended, ":error": error },
        |row| row.get(0),
    )?;
    Ok(probes == 1)
}

/// Ends the endpoint's outage: the endpoint was reached.
fn end_outage(tx: &Tx<'_>, outage: i64, at: Timestamp) -> Result<()> {
    tx.conn.later().change_one(
        "update hookbox_outage set ended_ms = :at where id = :id and ended_ms is null",
        params! { ":at": at, ":id": outage },
    )
}
