//! An attempt: one HTTP try of a delivery, with what was sent and what came back.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::model::delivery::Move;
use crate::model::header::Header;
use crate::model::id::{AttemptId, BoxId, DeliveryId};
use crate::time::Timestamp;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint said yes: a 2xx.
    Delivered,
    /// The endpoint was reached and did not say yes. Spends a try.
    Refused,
    /// The endpoint could not be reached: no DNS, no route, connection refused, TLS not up.
    /// Spends no try. Only the attempt that finds an outage is recorded; the outage's row stands
    /// for the rest.
    Unreachable,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 3] = [Outcome::Delivered, Outcome::Refused, Outcome::Unreachable];

    /// The name used in SQL and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Delivered => "delivered",
            Outcome::Refused => "refused",
            Outcome::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an endpoint answered.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its headers; names in lower case.
    pub headers: Vec<Header>,
    /// Its body, up to a limit.
    pub body: Vec<u8>,
    /// Whether there was more, or the body broke off.
    pub truncated: bool,
    /// Why nothing but the status could be read of it, where that is so.
    pub unreadable: Option<String>,
}

/// What becomes of a delivery after an attempt, and of its endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// How the attempt ended.
    pub outcome: Outcome,
    /// What went wrong, or was odd.
    pub error: Option<String>,
    /// What happens to the delivery.
    pub change: Move,
    /// The endpoint asks to be left alone for so long.
    pub pause: Option<Duration>,
    /// It has too much to do, and does not say for how long.
    pub is_busy: bool,
    /// The endpoint is no more: why nothing is to be sent there until a person says so.
    pub hold: Option<String>,
}

/// Where the time of an attempt went. A step that did not happen took none: on a kept-alive
/// connection there is nothing to resolve or connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// Finding the host's addresses.
    pub resolve: Duration,
    /// Opening the connection, TLS included.
    pub connect: Duration,
    /// From the request's first byte to the reply's head.
    pub wait: Duration,
    /// Reading the reply's body.
    pub read: Duration,
    /// All of it.
    pub total: Duration,
}

impl Timing {
    /// The JSON object inside an attempt's: milliseconds, to the microsecond.
    fn json(self) -> Value {
        json!({
            "resolve_ms": ms(self.resolve),
            "connect_ms": ms(self.connect),
            "wait_ms": ms(self.wait),
            "read_ms": ms(self.read),
        })
    }
}

/// Milliseconds to the microsecond.
fn ms(span: Duration) -> f64 {
    span.as_micros() as f64 / 1000.0
}

/// An attempt as it is looked at.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// Its row.
    pub id: AttemptId,
    /// The delivery it tried.
    pub delivery: DeliveryId,
    /// 1 for the first of that delivery.
    pub number: i64,
    /// When it began.
    pub started: Timestamp,
    /// Where the time went.
    pub timing: Timing,
    /// The reply's status.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, in plain words.
    pub error: Option<String>,
    /// What was sent, besides the event's body.
    pub request_headers: Vec<Header>,
    /// The reply's headers.
    pub response_headers: Vec<Header>,
    /// The reply's body, up to a cap.
    pub response_body: Vec<u8>,
    /// Whether the reply's body was longer than what was kept.
    pub response_truncated: bool,
}

impl AttemptRecord {
    /// The contract's JSON object. A reply body that is not UTF-8 is shown with replacement
    /// characters.
    pub fn json(&self, box_id: &BoxId) -> Value {
        json!({
            "id": box_id.attempt(self.id),
            "delivery": box_id.delivery(self.delivery),
            "number": self.number,
            "started_at": self.started.to_string(),
            "duration_ms": ms(self.timing.total),
            "timing": self.timing.json(),
            "status": self.status,
            "outcome": self.outcome.name(),
            "error": self.error,
            "request_headers": self.request_headers,
            "response_headers": self.response_headers,
            "response_body": String::from_utf8_lossy(&self.response_body),
            "response_truncated": self.response_truncated,
        })
    }
}
