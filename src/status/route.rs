//! From a request to a page: paths, forms, status codes, security headers.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;

use tiny_http::{Header, Method, Request, Response, StatusCode};

use super::gate::FORM_BYTES_MAX;
use super::guard::{Guard, Refused};
use super::metrics;
use super::page;
use crate::error::{Error, Result};
use crate::model::event::EventRecord;
use crate::model::id::BoxId;
use crate::model::kind::SourceKind;
use crate::model::redact::hide_fields;
use crate::signature::form::is_form;
use crate::store::{DeliveryFilter, ReplayOptions, Store};
use crate::time::{Clock, Timestamp};

/// Rows of the delivery list on a page.
const ROWS: usize = 50;

/// Headers of every reply: nothing from outside, no framing, no guessing of types, nothing kept.
/// The referrer policy lets a browser name the origin of our own forms.
const SECURITY_HEADERS: [(&str, &str); 6] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
];

pub(super) struct Router {
    store: Store,
    clock: Arc<dyn Clock>,
    guard: Guard,
}

impl Router {
    pub(super) fn new(store: Store, clock: Arc<dyn Clock>, address: SocketAddr) -> Result<Router> {
        Ok(Router {
            store,
            clock,
            guard: Guard::new(address)?,
        })
    }

    fn box_id(&self) -> &BoxId {
        self.store.box_id()
    }
}

/// What is sent back.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn page(html: String) -> Reply {
        Reply::with_type(200, "text/html; charset=utf-8", html.into_bytes())
    }

    fn text(status: u16, text: &str) -> Reply {
        Reply::with_type(
            status,
            "text/plain; charset=utf-8",
            format!("{text}\n").into_bytes(),
        )
    }

    fn with_type(status: u16, content_type: &str, body: Vec<u8>) -> Reply {
        Reply {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            body,
        }
    }

    fn see_other(to: String) -> Reply {
        Reply {
            status: 303,
            headers: vec![("Location", to)],
            body: Vec::new(),
        }
    }
}

/// Answers one request; every error becomes a page.
pub(super) fn answer(router: &Router, mut request: Request) {
    let reply = match respond(router, &mut request) {
        Ok(reply) => reply,
        Err(error) => {
            let status = match error {
                Error::NotFound(_) => 404,
                Error::Misuse(_) => 400,
                _ if error.is_unavailable() => 503,
                _ => 500,
            };
            if status >= 500 {
                tracing::error!(
                    error = error.chain(),
                    path = request.url(),
                    "cannot show a page"
                );
            }
            let html = page::problem(status, &error.chain());
            Reply {
                status,
                ..Reply::page(html)
            }
        }
    };
    let mut response = Response::from_data(reply.body).with_status_code(StatusCode(reply.status));
    let security = SECURITY_HEADERS
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    for (name, value) in security.chain(reply.headers) {
        if let Ok(header) = Header::from_bytes(name, value) {
            response.add_header(header);
        }
    }
    // The reader may have gone; that is its business.
    let _ = request.respond(response);
}

fn respond(router: &Router, request: &mut Request) -> Result<Reply> {
    if router.guard.check_host(request) == Err(Refused::Host) {
        return Ok(Reply::text(
            403,
            "this page answers only to localhost and its own address",
        ));
    }
    let url = request.url().to_owned();
    let (path, query) = url.split_once('?').unwrap_or((url.as_str(), ""));
    match request.method() {
        Method::Get | Method::Head => get(router, path, query),
        Method::Post => post(router, path, request),
        _ => {
            let mut reply = Reply::text(405, "GET a page, or POST one of its forms");
            reply.headers.push(("Allow", "GET, HEAD, POST".to_owned()));
            Ok(reply)
        }
    }
}

fn get(router: &Router, path: &str, query: &str) -> Result<Reply> {
    let (store, now) = (&router.store, router.clock.now());
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        [""] => overview(store, now),
        ["deliveries"] => deliveries(router, query, now),
        ["deliveries", id] => {
            let delivery = store.delivery(router.box_id().parse_delivery(id)?)?;
            let event = store.event(delivery.event)?;
            let view = page::DeliveryView {
                attempts: store.attempts(delivery.id)?,
                replays: store.replays_of(&delivery)?,
                endpoint: store.endpoint_of(&delivery)?,
                body: shown_body(store, &event)?,
                delivery,
                event,
            };
            Ok(Reply::page(page::delivery(
                &view,
                router.box_id(),
                router.guard.token(),
                now,
            )))
        }
        ["events", id] => {
            let event = store.event(router.box_id().parse_event(id)?)?;
            let of_event = DeliveryFilter {
                event: Some(event.id),
                ..DeliveryFilter::default()
            };
            let deliveries = store.deliveries(&of_event, ROWS)?;
            let body = shown_body(store, &event)?;
            Ok(Reply::page(page::event(
                &event,
                &body,
                &deliveries,
                router.box_id(),
                now,
            )))
        }
        ["events", id, "body"] => {
            let id = router.box_id().parse_event(id)?;
            let body = store.event_body(id)?;
            // Never the producer's own type: a body must not become a page of this server.
            let mut reply = Reply::with_type(200, "application/octet-stream", body);
            let name = format!(
                "attachment; filename=\"{}.body\"",
                router.box_id().event(id)
            );
            reply.headers.push(("Content-Disposition", name));
            Ok(reply)
        }
        ["sources", name] => {
            let report = store.source_report(name)?;
            let refusals = store.refusals(name)?;
            Ok(Reply::page(page::source(&report, &refusals, now)))
        }
        ["style.css"] => Ok(Reply::with_type(
            200,
            "text/css; charset=utf-8",
            page::STYLE.into(),
        )),
        ["metrics"] => Ok(Reply::with_type(
            200,
            metrics::CONTENT_TYPE,
            metrics::text(store, now)?.into_bytes(),
        )),
        ["readyz"] => Ok(readyz(store)),
        ["healthz"] => Ok(Reply::with_type(
            200,
            "application/json",
            b"{\"status\":\"ok\"}\n".to_vec(),
        )),
        _ => Err(Error::not_found(format!("no page at {path}"))),
    }
}

/// Whether events can be taken in now.
fn readyz(store: &Store) -> Reply {
    let (status, body) = match store.trouble() {
        None => (200, serde_json::json!({ "status": "ready" })),
        Some(trouble) => (
            503,
            serde_json::json!({ "status": "cannot write", "error": trouble }),
        ),
    };
    let body = format!("{body}\n").into_bytes();
    Reply::with_type(status, "application/json", body)
}

fn overview(store: &Store, now: Timestamp) -> Result<Reply> {
    let view = page::OverviewView {
        stats: store.stats()?,
        endpoints: store.endpoint_reports()?,
        sources: store.source_reports()?,
        latest: store.deliveries(&DeliveryFilter::default(), 10)?,
        trouble: store.trouble(),
    };
    Ok(Reply::page(page::overview(&view, store.box_id(), now)))
}

fn deliveries(router: &Router, query: &str, now: Timestamp) -> Result<Reply> {
    let store = &router.store;
    let mut filter = DeliveryFilter::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = value.trim().to_owned();
        if value.is_empty() {
            continue;
        }
        match name.as_ref() {
            "state" => filter.state = Some(value.parse()?),
            "endpoint" => filter.endpoint = Some(value),
            "source" => filter.source = Some(value),
            "type" => filter.event_type = Some(value),
            "since" => filter.since = Some(Timestamp::parse(&value, now)?),
            "until" => filter.until = Some(Timestamp::parse(&value, now)?),
            "before" => filter.before = Some(router.box_id().parse_delivery(&value)?),
            _ => {}
        }
    }
    // One row more than is shown tells whether there is another page.
    let mut rows = store.deliveries(&filter, ROWS + 1)?;
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let view = page::DeliveriesView {
        query,
        rows,
        more,
        directory: store.fresh_directory()?,
    };
    Ok(Reply::page(page::deliveries(&view, router.box_id(), now)))
}

fn post(router: &Router, path: &str, request: &mut Request) -> Result<Reply> {
    let mut body = Vec::new();
    request
        .as_reader()
        .take(FORM_BYTES_MAX as u64)
        .read_to_end(&mut body)
        .map_err(|error| Error::io("read the form", error))?;
    let form: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    if router.guard.check_post(request, &form).is_err() {
        return Ok(Reply::text(
            403,
            "this form was not sent from a page of this server; load the page again",
        ));
    }
    let (store, now) = (&router.store, router.clock.now());
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["deliveries", id, "replay"] => {
            let id = router.box_id().parse_delivery(id)?;
            let made = store.replay(vec![id], ReplayOptions::default(), now)?;
            let shown = made.first().copied().unwrap_or(id);
            Ok(Reply::see_other(format!(
                "/deliveries/{}",
                router.box_id().delivery(shown)
            )))
        }
        ["deliveries", id, "cancel"] => {
            let id = router.box_id().parse_delivery(id)?;
            store.cancel(id, now)?;
            Ok(Reply::see_other(format!(
                "/deliveries/{}",
                router.box_id().delivery(id)
            )))
        }
        _ => Err(Error::not_found(format!("no form at {path}"))),
    }
}

/// A body as it may be shown: without the secrets that producers put in it. Those of every kind are
/// hidden: a source that was removed may have come back as another kind.
fn shown_body(store: &Store, event: &EventRecord) -> Result<Vec<u8>> {
    let body = store.event_body(event.id)?;
    if event.source.is_none() {
        return Ok(body);
    }
    let fields: Vec<&str> = SourceKind::ALL
        .iter()
        .flat_map(|kind| kind.secret_fields())
        .copied()
        .collect();
    let may_be_in_form = fields.iter().any(|field| {
        body.windows(field.len())
            .any(|part| part == field.as_bytes())
    });
    if is_form(event.content_type.as_deref()) && may_be_in_form {
        return Ok(b"(a form that holds a secret: not shown, but there to download)".to_vec());
    }
    Ok(hide_fields(&body, &fields).into_owned())
}
