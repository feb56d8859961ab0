//! The pages that a browser gets.

use super::body::shown_body;
use super::look::{for_a_while, side};
use super::page::{self, Around};
use super::reply::Reply;
use super::route::Router;
use crate::error::{Error, Result};
use crate::model::diff::Diff;
use crate::model::replay::{NewReplay, ReplayKind, Selection};
use crate::model::text::Text;
use crate::store::{DeliveryFilter, EventFilter, OutageFilter, Store};
use crate::time::Timestamp;

/// Rows of a list on a page.
const ROWS: usize = 50;

/// The page at a path.
pub(super) fn get(router: &Router, around: &Around<'_>, path: &str, query: &str) -> Result<Reply> {
    let store = &router.store;
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let html = match parts.as_slice() {
        [""] => page::overview(
            around,
            &page::OverviewView {
                stats: store.stats()?,
                endpoints: store.endpoint_reports()?,
                sources: store.source_reports()?,
                latest: store.deliveries(&DeliveryFilter::default(), 10)?,
            },
        ),
        ["deliveries"] => deliveries(router, around, query)?,
        ["deliveries", id] => delivery(store, around, id)?,
        ["events"] => events(router, around, query)?,
        ["events", id] => {
            let event = store.event(around.box_id.parse_event(id)?)?;
            let of_event = DeliveryFilter {
                event: Some(event.id),
                ..DeliveryFilter::default()
            };
            let deliveries = store.deliveries(&of_event, ROWS)?;
            page::event(around, &event, &shown_body(store, &event)?, &deliveries)
        }
        ["events", id, "body"] => {
            let id = around.box_id.parse_event(id)?;
            let name = format!("{}.body", around.box_id.event(id));
            return Ok(Reply::download(&name, store.event_body(id)?));
        }
        ["attempts", a, "diff", b] => {
            let (a, b) = (side(store, a)?, side(store, b)?);
            let diff = Diff::of(&a, &b, around.box_id);
            page::difference(around, &a, &b, &diff)
        }
        ["endpoints"] => page::endpoints(around, &store.endpoint_reports()?),
        ["endpoints", name] => page::endpoint(around, &store.endpoint_report(name)?),
        ["sources"] => page::sources(around, &store.source_reports()?),
        ["sources", name] => {
            page::source(around, &store.source_report(name)?, &store.refusals(name)?)
        }
        ["replays"] => page::replays(around, &store.replays(None, ROWS)?),
        ["replays", "new"] => new_replay(router, around, query)?,
        ["replays", id] => {
            let id = around.box_id.parse_replay(id)?;
            page::replay(around, &store.replay_record(id)?)
        }
        ["outages"] => page::outages(around, &store.outages(&OutageFilter::default(), ROWS)?),
        _ => return Err(Error::not_found(format!("no page at {path}"))),
    };
    Ok(Reply::page(html))
}

fn delivery(store: &Store, around: &Around<'_>, id: &str) -> Result<String> {
    let delivery = store.delivery(around.box_id.parse_delivery(id)?)?;
    let event = store.event(delivery.event)?;
    let view = page::DeliveryView {
        attempts: store.attempts(delivery.id)?,
        replays: store.replays_of(&delivery)?,
        endpoint: store.endpoint_of(&delivery)?,
        body: shown_body(store, &event)?,
        delivery,
        event,
    };
    Ok(page::delivery(around, &view))
}

fn deliveries(router: &Router, around: &Around<'_>, query: &str) -> Result<String> {
    let store = &router.store;
    let mut filter = DeliveryFilter::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = value.trim().to_owned();
        if value.is_empty() {
            continue;
        }
        match name.as_ref() {
            "state" => filter.state = Some(value.parse()?),
            "mended" => filter.is_mended = value == "true",
            "replay" => filter.replay = Some(around.box_id.parse_replay(&value)?),
            "endpoint" => filter.endpoint = Some(value),
            "source" => filter.source = Some(value),
            "type" => filter.event_type = Some(value),
            "since" => filter.since = Some(Timestamp::parse(&value, around.now)?),
            "until" => filter.until = Some(Timestamp::parse(&value, around.now)?),
            "before" => filter.before = Some(around.box_id.parse_delivery(&value)?),
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
    Ok(page::deliveries(around, &view))
}

fn events(router: &Router, around: &Around<'_>, query: &str) -> Result<String> {
    let store = &router.store;
    let mut filter = EventFilter::default();
    let mut text = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = value.trim().to_owned();
        match name.as_ref() {
            _ if value.is_empty() => {}
            "text" => text = Some(Text::new(&value)?),
            "source" => filter.source = Some(value),
            "type" => filter.event_type = Some(value),
            "since" => filter.since = Some(Timestamp::parse(&value, around.now)?),
            "until" => filter.until = Some(Timestamp::parse(&value, around.now)?),
            "cursor" => filter.before = Some(around.box_id.parse_event(&value)?),
            _ => {}
        }
    }
    let (rows, next, looked) = match text {
        None => {
            let rows = store.events(&filter, ROWS)?;
            let last = rows.last().filter(|_| rows.len() == ROWS);
            let next = last.map(|event| event.id);
            (rows, next, None)
        }
        Some(text) => {
            let go_on = for_a_while(router.clock.as_ref());
            let found = store.search_events(&filter, &text, ROWS, go_on)?;
            let looked_to = found.looked_to.filter(|_| !found.is_whole);
            let looked = (found.looked_at, looked_to.and_then(|(_, at)| at));
            (found.events, looked_to.map(|(id, _)| id), Some(looked))
        }
    };
    let view = page::EventsView {
        query,
        rows,
        next: next.map(|id| around.box_id.event(id)),
        looked,
    };
    Ok(page::events(around, &view))
}

/// What a replay would do that these fields ask for.
fn new_replay(router: &Router, around: &Around<'_>, query: &str) -> Result<String> {
    let fields: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let (asked, chosen) = read_replay(&fields, around.now)?;
    let store = &router.store;
    let preview = if asked.selection.is_empty() {
        None
    } else {
        Some(store.preview_replay(&asked, for_a_while(router.clock.as_ref()))?)
    };
    let directory = store.fresh_directory()?;
    let endpoints = directory.endpoints().iter();
    let view = page::NewReplayView {
        asked,
        fields: chosen,
        preview,
        endpoints: endpoints.map(|endpoint| endpoint.name.clone()).collect(),
    };
    Ok(page::new_replay(around, &view))
}

/// The replay that the fields of a form ask for, and those of them that choose deliveries.
pub(super) fn read_replay(
    fields: &[(String, String)],
    now: Timestamp,
) -> Result<(NewReplay, Vec<(String, String)>)> {
    let mut asked = NewReplay {
        kind: ReplayKind::Replay,
        selection: Selection::default(),
        to: None,
        has_new_ids: false,
        rate: None,
        up_to: None,
        asked_by: "status page".to_owned(),
    };
    let mut chosen = Vec::new();
    for (name, value) in fields {
        let value = value.trim();
        match name.as_str() {
            _ if value.is_empty() => {}
            "to" => asked.to = Some(value.parse()?),
            "rate" => asked.rate = Some(value.parse()?),
            "new_id" => asked.has_new_ids = value == "true",
            "state" | "endpoint" | "source" | "type" | "since" | "until" | "text" => {
                // An age means the same moment when the form is sent.
                let value = match name.as_str() {
                    "since" | "until" => Timestamp::parse(value, now)?.to_string(),
                    _ => value.to_owned(),
                };
                asked.selection.set(name, &value, now)?;
                chosen.push((name.clone(), value));
            }
            "up_to" => {
                let number = value.parse();
                asked.up_to = Some(number.map_err(|_| Error::misuse("up_to is no number"))?);
            }
            // Passed over, they would choose others than were shown.
            "replay" | "mended" | "event" => {
                return Err(Error::misuse(format!(
                    "deliveries cannot be chosen by `{name}` for a replay; choose by state, endpoint, source, type, since or until"
                )));
            }
            // Where the list of deliveries was, and the form's own.
            _ => {}
        }
    }
    Ok((asked, chosen))
}
