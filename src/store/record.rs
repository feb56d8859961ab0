//! Writing what came of an attempt: the attempt's row, the delivery's move, the outage's row.

use rusqlite::{OptionalExtension, named_params};

use super::Store;
use super::columns::{Headers, Micros};
use super::writer::{Tx, expect_one};
use crate::error::Result;
use crate::model::attempt::{Outcome, Timing};
use crate::model::delivery::{Move, State, next_state};
use crate::model::event::Header;
use crate::model::id::{DeliveryId, EndpointId};
use crate::time::Timestamp;

/// Most attempts of a delivery that are kept, as the schema has it. A ladder has a hundred at most.
const ATTEMPTS_MAX: i64 = 1023;

/// What came of one attempt.
#[derive(Debug, Clone)]
pub struct Report {
    /// The delivery that was tried.
    pub delivery: DeliveryId,
    /// Its endpoint.
    pub endpoint: EndpointId,
    /// When the attempt began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Where the time went.
    pub timing: Timing,
    /// How it ended.
    pub outcome: Outcome,
    /// The reply's status.
    pub status: Option<u16>,
    /// What went wrong, in plain words.
    pub error: Option<String>,
    /// What was sent, besides the body.
    pub request_headers: Vec<Header>,
    /// The reply's headers.
    pub response_headers: Vec<Header>,
    /// The reply's body, up to a cap.
    pub response_body: Vec<u8>,
    /// Whether the reply's body was longer.
    pub response_truncated: bool,
    /// What happens to the delivery.
    pub change: Move,
}

impl Store {
    /// Writes a report; `answer` is called after the commit, on the writer's thread, and must
    /// return at once. Until it is called with success the delivery counts as in flight.
    pub fn record_then(&self, report: Report, answer: impl FnOnce(Result<()>) + Send + 'static) {
        let bytes = report.response_body.len();
        self.submit(bytes, move |tx| record(tx, &report), answer);
    }
}

fn record(tx: &mut Tx<'_>, report: &Report) -> Result<()> {
    let found_outage = match report.outcome {
        Outcome::Unreachable => grow_outage(tx, report)?,
        Outcome::Delivered | Outcome::Refused => {
            end_outage(tx, report)?;
            false
        }
    };
    // While an outage lasts, its row stands for all its probes.
    if report.outcome == Outcome::Unreachable && !found_outage {
        return Ok(());
    }
    apply_move(tx, report)?;
    let number: i64 = tx
        .connection
        .prepare_cached(
            "update hookbox_delivery
             set attempts = attempts + 1
             where id = :id
             returning attempts",
        )?
        .query_row(named_params! { ":id": report.delivery }, |row| row.get(0))?;
    if number > ATTEMPTS_MAX {
        // Only an endpoint that comes and goes a thousand times gets here; the count goes on.
        return Ok(());
    }
    insert_attempt(tx, report, number)
}

/// Moves the delivery, if it is still pending: a person may have cancelled it meanwhile, and then
/// only the attempt is recorded.
fn apply_move(tx: &mut Tx<'_>, report: &Report) -> Result<()> {
    let state: State = tx
        .connection
        .prepare_cached("select state from hookbox_delivery where id = :id")?
        .query_row(named_params! { ":id": report.delivery }, |row| row.get(0))?;
    let Some(to) = next_state(state, &report.change) else {
        return Ok(());
    };
    let (due, reason, spent) = match &report.change {
        Move::Deliver => (None, None, 1),
        Move::Retry { due } => (Some(*due), report.error.as_deref(), 1),
        Move::GiveUp { reason } => (None, Some(reason.as_str()), 1),
        Move::Cancel { reason } => (None, Some(reason.as_str()), 0),
        // It keeps its due time: it is still the oldest when the endpoint is back.
        Move::Postpone => return Ok(()),
    };
    let moved = tx
        .connection
        .prepare_cached(
            "update hookbox_delivery
             set state = :to, due_ms = :due, settled_ms = :settled, tries = tries + :spent, reason = :reason
             where id = :id and state = :from",
        )?
        .execute(named_params! {
            ":to": to,
            ":due": due,
            ":settled": (to != State::Pending).then_some(report.ended),
            ":spent": spent,
            ":reason": reason,
            ":id": report.delivery,
            ":from": state,
        })?;
    expect_one(moved)?;
    if to != state {
        tx.changes.deliveries_moved(report.endpoint, state, to, 1);
    }
    Ok(())
}

fn insert_attempt(tx: &Tx<'_>, report: &Report, number: i64) -> Result<()> {
    tx.connection
        .prepare_cached(
            "insert into hookbox_attempt (
                 id, delivery_id, number, started_ms, resolve_us, connect_us, wait_us, read_us, total_us,
                 outcome, status, error, request_headers, response_headers, response_body,
                 response_truncated
             ) values (
                 :delivery * 1024 + :number, :delivery, :number, :started, :resolve, :connect, :wait, :read, :total,
                 :outcome, :status, :error, :request_headers, :response_headers, :response_body,
                 :response_truncated
             )",
        )?
        .execute(named_params! {
            ":delivery": report.delivery,
            ":number": number,
            ":started": report.started,
            ":resolve": Micros(report.timing.resolve),
            ":connect": Micros(report.timing.connect),
            ":wait": Micros(report.timing.wait),
            ":read": Micros(report.timing.read),
            ":total": Micros(report.timing.total),
            ":outcome": report.outcome,
            ":status": report.status,
            ":error": report.error,
            ":request_headers": Headers(report.request_headers.clone()),
            ":response_headers": Headers(report.response_headers.clone()),
            ":response_body": report.response_body,
            ":response_truncated": report.response_truncated,
        })?;
    Ok(())
}

/// Begins or continues the endpoint's outage; true when it began.
fn grow_outage(tx: &Tx<'_>, report: &Report) -> Result<bool> {
    let error = report.error.as_deref().unwrap_or("unreachable");
    let probes: i64 = tx
        .connection
        .prepare_cached(
            "insert into hookbox_outage (endpoint_id, since_ms, last_probe_ms, probes, error)
             values (:endpoint, :at, :at, 1, :error)
             on conflict (endpoint_id) where ended_ms is null do update set
                 last_probe_ms = :at, probes = probes + 1, error = :error
             returning probes",
        )?
        .query_row(
            named_params! { ":endpoint": report.endpoint, ":at": report.ended, ":error": error },
            |row| row.get(0),
        )?;
    Ok(probes == 1)
}

/// Ends the endpoint's outage, if there is one: it was reached.
fn end_outage(tx: &Tx<'_>, report: &Report) -> Result<()> {
    let open: Option<i64> = tx
        .connection
        .prepare_cached(
            "select id from hookbox_outage where endpoint_id = :endpoint and ended_ms is null",
        )?
        .query_row(named_params! { ":endpoint": report.endpoint }, |row| {
            row.get(0)
        })
        .optional()?;
    if let Some(id) = open {
        let changed = tx
            .connection
            .prepare_cached(
                "update hookbox_outage set ended_ms = :at where id = :id and ended_ms is null",
            )?
            .execute(named_params! { ":at": report.ended, ":id": id })?;
        expect_one(changed)?;
    }
    Ok(())
}
