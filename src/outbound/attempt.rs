//! Runs one attempt on a worker thread: render, sign, send, measure.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::model::attempt::Response;
use crate::model::endpoint::{Endpoint, Format};
use crate::model::header::{HIDDEN, Header, holds_secret};
use crate::model::id::DeliveryId;
use crate::model::redact::Redaction;
use crate::panics::catch_panic;
use crate::store::{WorkItem, WorkLog};
use crate::time::{Clock, Timestamp};

use super::format::{Outgoing, render};
use super::transport::{Exchange, SendResult, Transport};

/// Deliveries to attempt once, in one request.
#[derive(Debug)]
pub(super) struct AttemptJob {
    pub(super) endpoint: Arc<Endpoint>,
    /// The first of them.
    pub(super) lead: Item,
    /// What else goes in the same request.
    pub(super) others: Vec<Item>,
}

/// A delivery of a job.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) delivery: DeliveryId,
    /// Tries spent before this one.
    pub(super) tries: u32,
    pub(super) outgoing: Outgoing,
}

impl AttemptJob {
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        std::iter::once(&self.lead).chain(&self.others)
    }

    /// Size of the bodies of its events.
    pub(super) fn body_bytes(&self) -> usize {
        self.items().map(Item::body_bytes).sum()
    }
}

impl Item {
    pub(super) fn body_bytes(&self) -> usize {
        self.outgoing.event.body.len()
    }

    /// Size of what it adds to a request.
    pub(super) fn bytes(&self) -> usize {
        let headers = self.outgoing.event.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        self.body_bytes() + headers
    }
}

/// A delivery of an attempt that has ended.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) delivery: DeliveryId,
    pub(super) tries: u32,
    pub(super) webhook_id: String,
    /// The time since which the event is owed.
    pub(super) owed: Timestamp,
}

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) endpoint: Arc<Endpoint>,
    /// Its deliveries, in their order in the request; there is one at least.
    pub(super) sent: Vec<Sent>,
    pub(super) started: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) request_headers: Vec<Header>,
    /// Size of the events' bodies.
    pub(super) body_bytes: usize,
    /// The result of sending; an error if the request could not be made at all.
    pub(super) exchange: Result<Exchange>,
    /// The response, if there is one, with secrets hidden: error pages often repeat the request.
    pub(super) shown: Option<Response>,
    /// The secrets that must be hidden in every text.
    pub(super) redaction: Redaction,
}

pub(super) fn run(
    job: AttemptJob,
    transport: &dyn Transport,
    clock: &dyn Clock,
    work_log: &Arc<WorkLog>,
) -> Finished {
    let started = clock.now();
    let endpoint = job.endpoint.clone();
    let lead = job.lead.delivery.0;
    let sent = job.items().map(|item| Sent {
        delivery: item.delivery,
        tries: item.tries,
        webhook_id: item.outgoing.webhook_id.clone(),
        owed: item.outgoing.event.owed,
    });
    let sent = sent.collect();
    let body_bytes = job.body_bytes();
    let done = catch_panic(|| exchange(job, started, transport, work_log));
    let (exchange, request_headers, redaction) = done.unwrap_or_else(|fault| {
        let endpoint = endpoint.set.name.as_str();
        tracing::error!(endpoint, delivery = lead, fault, "delivery.fault");
        (Err(Error::Refused(fault)), Vec::new(), Redaction::default())
    });
    let shown = match &exchange {
        Ok(Exchange {
            result: SendResult::Replied(reply),
            ..
        }) => Some(shown(reply, &redaction)),
        _ => None,
    };
    Finished {
        endpoint,
        sent,
        started,
        ended: clock.now(),
        request_headers,
        shown,
        redaction,
        body_bytes,
        exchange,
    }
}

fn exchange(
    job: AttemptJob,
    started: Timestamp,
    transport: &dyn Transport,
    work_log: &Arc<WorkLog>,
) -> (Result<Exchange>, Vec<Header>, Redaction) {
    let endpoint = job.endpoint.clone();
    // A `raw` body is sent unchanged, so there is no rendering work to log.
    let held = (!matches!(endpoint.set.format, Format::Raw)).then(|| {
        let pieces = job
            .items()
            .map(|item| WorkItem::Delivery(endpoint.id, item.delivery));
        work_log.take_all(pieces)
    });
    let mut secrets = endpoint.secret_texts();
    secrets.extend(
        job.items()
            .flat_map(|item| item.outgoing.event.secret_texts()),
    );
    let items = std::iter::once(job.lead).chain(job.others);
    let events = items.map(|item| item.outgoing).collect();
    let rendered = render(&endpoint, events, started);
    drop(held);
    match rendered {
        Ok(request) => {
            // A secret of this request only: a chat's URL is signed anew for each attempt.
            let in_url = request.url.secret_texts(endpoint.set.chat()).into_iter();
            let redaction =
                Redaction::of(secrets.into_iter().chain(in_url.map(String::into_bytes)));
            let exchange = transport.send(&endpoint, &request);
            let headers = without_secrets(request.headers, &endpoint);
            (Ok(exchange), headers, redaction)
        }
        Err(error) => (Err(error), Vec::new(), Redaction::of(secrets)),
    }
}

/// Copies a response with every secret hidden.
fn shown(reply: &Response, redaction: &Redaction) -> Response {
    let mut reply = reply.clone();
    for (name, value) in &mut reply.headers {
        redaction.hide_in(name);
        redaction.hide_in(value);
    }
    redaction.hide(&mut reply.body, reply.truncated);
    reply
}

/// Returns the request headers to record.
///
/// The values of credentials, and of headers that were set for the endpoint, are hidden.
fn without_secrets(headers: Vec<Header>, endpoint: &Endpoint) -> Vec<Header> {
    let hide = |(name, value): Header| {
        let value = if holds_secret(&name) || endpoint.set.connection.sets_header(&name) {
            HIDDEN.to_owned()
        } else {
            value
        };
        (name, value)
    };
    headers.into_iter().map(hide).collect()
}
