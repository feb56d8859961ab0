//! An attempt: one HTTP try of a delivery, with the request and the response.

use std::time::Duration;

use serde_json::{Value, json};

use crate::model::delivery::Transition;
use crate::model::header::Header;
use crate::model::id::{AttemptId, BoxId, DeliveryId};
use crate::time::Timestamp;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint accepted it: a 2xx.
    Delivered,
    /// The endpoint was reached and did not accept it. Spends a try.
    Refused,
    /// The endpoint could not be reached: no DNS, no route, connection refused, TLS not up.
    ///
    /// Spends no try. Only the attempt that begins an outage is recorded; the outage's row stands
    /// for the rest.
    Unreachable,
}

names!(Outcome, "outcome":
    Delivered = "delivered",
    Refused = "refused",
    Unreachable = "unreachable",
);

/// What an endpoint answered.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its headers; names in lower case.
    pub headers: Vec<Header>,
    /// Its body, up to a limit.
    pub body: Vec<u8>,
    /// Whether the body was longer than the limit, or ended too early.
    pub truncated: bool,
    /// Why only the status could be read, if that is so.
    pub unreadable: Option<String>,
}

/// The decision after an attempt: what happens to the delivery and to its endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// How the attempt ended.
    pub outcome: Outcome,
    /// What went wrong, or what was unusual.
    pub error: Option<String>,
    /// The delivery's state change.
    pub change: Transition,
    /// The endpoint asks for no requests for this long.
    pub pause: Option<Duration>,
    /// The endpoint is overloaded and does not say for how long.
    pub is_busy: bool,
    /// Why the endpoint is held until a person resumes it: it is gone, or needs an operator.
    pub hold: Option<String>,
    /// The request held several deliveries, and the next ones are to hold fewer.
    pub splits: bool,
}

/// How long each phase of an attempt took. A phase that did not happen took no time: on a
/// kept-alive connection nothing is resolved or connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// Resolving the host name.
    pub resolve: Duration,
    /// Opening the connection, TLS included.
    pub connect: Duration,
    /// From the request's first byte to the head of the reply.
    pub wait: Duration,
    /// Reading the reply's body.
    pub read: Duration,
    /// The total.
    pub total: Duration,
}

impl Timing {
    /// The JSON object inside an attempt's: milliseconds with three decimals (microseconds).
    fn json(self) -> Value {
        json!({
            "resolve_ms": ms(self.resolve),
            "connect_ms": ms(self.connect),
            "wait_ms": ms(self.wait),
            "read_ms": ms(self.read),
        })
    }
}

/// Milliseconds with three decimals (microseconds).
fn ms(span: Duration) -> f64 {
    span.as_micros() as f64 / 1000.0
}

/// A stored attempt, for display.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// Its row id.
    pub id: AttemptId,
    /// The delivery it tried.
    pub delivery: DeliveryId,
    /// Its number in the delivery, from 1.
    pub number: i64,
    /// When it began.
    pub started: Timestamp,
    /// How long each phase took.
    pub timing: Timing,
    /// The reply's status.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, in plain words.
    pub error: Option<String>,
    /// The request's headers.
    pub request_headers: Vec<Header>,
    /// The reply's headers.
    pub response_headers: Vec<Header>,
    /// The reply's body, up to a limit.
    pub response_body: Vec<u8>,
    /// Whether the reply's body was longer than what was kept.
    pub response_truncated: bool,
}

impl AttemptRecord {
    /// The JSON object of the API. A reply body that is not UTF-8 is shown with replacement
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
