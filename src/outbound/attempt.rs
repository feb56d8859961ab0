//! One attempt: render, sign, send, measure. Runs on a worker's thread.

use std::sync::Arc;

use crate::error::Result;
use crate::model::endpoint::Endpoint;
use crate::model::header::{HIDDEN, Header, holds_secret};
use crate::model::id::DeliveryId;
use crate::store::SendableEvent;
use crate::time::{Clock, Timestamp};

use super::format::{Occasion, render};
use super::transport::{Answer, Exchange, OutboundRequest, Transport};

/// A delivery to be tried once.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) delivery: DeliveryId,
    /// Tries spent before this one.
    pub(super) tries: u32,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) event: SendableEvent,
    /// The event's outer id; the same over all retries and replays.
    pub(super) webhook_id: String,
    /// The delivery's outer id.
    pub(super) delivery_id: String,
}

/// An attempt that was made.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) delivery: DeliveryId,
    pub(super) tries: u32,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) webhook_id: String,
    /// Since when the event is owed.
    pub(super) owed: Timestamp,
    pub(super) started: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) request_headers: Vec<Header>,
    /// What came back; an error where the request could not even be made.
    pub(super) exchange: Result<Exchange>,
}

pub(super) fn run(job: Job, transport: &dyn Transport, clock: &dyn Clock) -> Finished {
    let started = clock.now();
    let occasion = Occasion {
        webhook_id: &job.webhook_id,
        delivery: Some(&job.delivery_id),
        now: started,
    };
    let owed = job.event.owed;
    let (exchange, request_headers) = match render(&job.endpoint, job.event, &occasion) {
        Ok(request) => {
            let exchange = transport.send(&job.endpoint, &request);
            let exchange = without_tokens(exchange, &job.endpoint, &request);
            (
                Ok(exchange),
                without_secrets(request.headers, &job.endpoint),
            )
        }
        Err(error) => (Err(error), Vec::new()),
    };
    Finished {
        delivery: job.delivery,
        tries: job.tries,
        endpoint: job.endpoint,
        webhook_id: job.webhook_id,
        owed,
        started,
        ended: clock.now(),
        request_headers,
        exchange,
    }
}

/// What came back without the tokens of the URL: error pages like to repeat what was asked for.
fn without_tokens(
    mut exchange: Exchange,
    endpoint: &Endpoint,
    request: &OutboundRequest,
) -> Exchange {
    let hidden = request.url.secret_texts(endpoint.chat());
    if hidden.is_empty() {
        return exchange;
    }
    let hide = |text: &mut String| {
        for secret in &hidden {
            if text.contains(secret) {
                *text = text.replace(secret, HIDDEN);
            }
        }
    };
    match &mut exchange.answer {
        Answer::Replied(reply) => {
            reply.headers.iter_mut().for_each(|(_, value)| hide(value));
            let text = String::from_utf8_lossy(&reply.body);
            if hidden.iter().any(|secret| text.contains(secret)) {
                let mut text = text.into_owned();
                hide(&mut text);
                reply.body = text.into_bytes();
            }
        }
        Answer::Broken { error }
        | Answer::Unsent { error, .. }
        | Answer::Unreachable { error }
        | Answer::Closed { error } => hide(error),
    }
    exchange
}

/// What of a request's headers is recorded: credentials are not, nor are the values that were set
/// for the endpoint.
fn without_secrets(headers: Vec<Header>, endpoint: &Endpoint) -> Vec<Header> {
    let hide = |(name, value): Header| {
        let value = if holds_secret(&name) || endpoint.connection.sets_header(&name) {
            HIDDEN.to_owned()
        } else {
            value
        };
        (name, value)
    };
    headers.into_iter().map(hide).collect()
}
