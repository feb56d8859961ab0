//! The pages that a browser gets.

use std::collections::HashMap;

use super::body::{shown, shown_body};
use super::deadline::{side, until_deadline};
use super::page::{self, Chosen, FoundEvent, Judged, PageContext, Returned};
use super::replaying::{read_chosen, read_filtered, read_named, read_pending};
use super::reply::{Reply, status_of};
use super::sent::{curl, request_of};
use super::state::AppState;
use crate::error::{Error, Result};
use crate::model::diff::Diff;
use crate::model::endpoint::EndpointReport;
use crate::model::event::EventRecord;
use crate::model::filter::Globs;
use crate::model::id::EventId;
use crate::model::settings::{Listing, Selection};
use crate::model::standing::Standing;
use crate::model::text::Text;
use crate::store::{Found, Preview, ReplayOptions, Store};

/// Rows of a list on a page.
const ROWS: usize = 50;

/// Largest body, in bytes, that a page shows as it is sent.
const SENT_BYTES_MAX: i64 = 64 * 1024;

/// The newest deliveries of an endpoint, on its page.
const LATEST: usize = 20;

/// Returns the page at a path.
pub(super) fn get(
    app: &AppState,
    context: &PageContext<'_>,
    path: &str,
    query: &str,
) -> Result<Reply> {
    let store = &app.store;
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let html = match parts.as_slice() {
        [""] => {
            let stats = store.stats()?;
            // Nobody asks how long nothing takes.
            let of_late = match stats.pending {
                0 => HashMap::new(),
                _ => store.delivered_of_late(context.now)?,
            };
            let view = page::OverviewView {
                stats,
                endpoints: judged(store, context)?,
                sources: store.source_reports()?,
                latest: store.deliveries(&Selection::default(), 10)?,
                outages: store.outages(&Selection::default(), ROWS)?,
                of_late,
            };
            page::overview(context, &view)
        }
        ["deliveries"] => return deliveries(app, context, query),
        ["deliveries", "cancel"] => {
            let query: Vec<_> = form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect();
            let (chosen, selection) = read_pending(store, &query, context.now)?;
            let go_on = until_deadline(app.clock.as_ref());
            let found = store.find_pending(&selection, None, go_on)?;
            page::cancelling(context, &chosen, &selection, &found)
        }
        ["deliveries", id] => delivery(app, context, id, false)?,
        // Where the form of that name is.
        ["deliveries", id, "curl"] => {
            return Ok(Reply::see_other(format!("/deliveries/{id}")));
        }
        ["events"] => return events(app, context, query),
        ["events", id] => {
            let event = store.event(context.box_id.parse_event(id)?)?;
            let of_event = Selection {
                event: Some(event.id),
                ..Selection::default()
            };
            let body = store.event_body(event.id)?;
            let view = page::EventView {
                deliveries: store.deliveries(&of_event, ROWS)?,
                unowed: store.unowed(&event, &body)?,
                body: shown(&event, &body).into_owned(),
                event,
            };
            page::event(context, &view)
        }
        ["events", id, "body"] => {
            let id = context.box_id.parse_event(id)?;
            let name = format!("{}.body", context.box_id.event(id));
            return Ok(Reply::download(&name, store.event_body(id)?));
        }
        ["attempts", "compare"] => {
            let (a, b) = (page::asked(query, "a"), page::asked(query, "b"));
            let both = [&a, &b].map(|id| context.box_id.parse_attempt(id));
            let [a, b] = both.map(|id| id.map(|id| context.box_id.attempt(id)));
            return Ok(Reply::see_other(format!("/attempts/{}/diff/{}", a?, b?)));
        }
        ["attempts", a, "diff", b] => {
            let (a, b) = (side(store, a)?, side(store, b)?);
            let diff = Diff::of(&a, &b, context.box_id);
            let mut attempts = store.attempts(a.delivery.id)?;
            if b.delivery.id != a.delivery.id {
                attempts.extend(store.attempts(b.delivery.id)?);
            }
            page::difference(context, &a, &b, &diff, &attempts)
        }
        ["endpoints"] => {
            let pattern = page::asked(query, "name");
            let mut reports = store.endpoint_reports()?;
            if !pattern.trim().is_empty() {
                let named: Globs = pattern.parse()?;
                reports.retain(|report| named.matches(&report.endpoint.set.name));
            }
            page::endpoints(context, &reports, pattern.trim())
        }
        ["endpoints", name] => {
            let report = store.endpoint_report(name)?;
            let of_endpoint = Selection {
                endpoint: Some(report.endpoint.set.name.clone()),
                ..Selection::default()
            };
            let view = page::EndpointView {
                latest: store.deliveries(&of_endpoint, LATEST)?,
                outages: store.outages(&of_endpoint, ROWS)?,
                report,
            };
            page::endpoint(context, &view)
        }
        ["alerts"] => page::alerts(context, &store.alerts()?),
        ["sources"] => page::sources(context, &store.source_reports()?),
        ["sources", name] => {
            let (report, refusals) = (store.source_report(name)?, store.refusals(name)?);
            let boxes = store.relay_boxes(name)?;
            page::source(
                context,
                &report,
                &boxes,
                &refusals,
                app.neighbours.events_at,
            )
        }
        ["replays"] => page::replays(context, &store.replays(None, ROWS)?),
        ["replays", "new"] => {
            let fields = form_urlencoded::parse(query.as_bytes()).into_owned();
            return new_replay(app, context, &fields.collect::<Vec<_>>());
        }
        ["replays", id] => {
            let id = context.box_id.parse_replay(id)?;
            page::replay(context, &store.replay_record(id)?)
        }
        ["outages"] => page::outages(context, &store.outages(&Selection::default(), ROWS)?),
        _ => return Err(Error::not_found(format!("no page at {path}"))),
    };
    Ok(Reply::page(html))
}

/// Returns all endpoints; those that refuse everything with their last answer.
fn judged(store: &Store, context: &PageContext<'_>) -> Result<Vec<Judged>> {
    let with_refusal = |report: EndpointReport| {
        let refuses = matches!(report.standing(context.now), Standing::Refuses { .. });
        let last_refusal = match refuses {
            true => store.last_refusal(report.endpoint.id)?,
            false => None,
        };
        Ok(Judged {
            report,
            last_refusal,
        })
    };
    store
        .endpoint_reports()?
        .into_iter()
        .map(with_refusal)
        .collect()
}

/// Returns the page of a delivery; with the command that sends it, if that is asked for.
pub(super) fn delivery(
    app: &AppState,
    context: &PageContext<'_>,
    id: &str,
    with_curl: bool,
) -> Result<String> {
    let store = &app.store;
    let delivery = store.delivery(context.box_id.parse_delivery(id)?)?;
    let event = store.event(delivery.event)?;
    let endpoint = store.endpoint_of(&delivery)?;
    let make = |for_real| {
        let report = endpoint.as_ref();
        report.map(|it| request_of(app, &delivery, &it.endpoint, context.now, for_real))
    };
    // What was sent before can be made again. What never was may be what ends a process.
    let is_harmless = delivery.attempts > 0 && event.bytes <= SENT_BYTES_MAX;
    let curl = match with_curl.then(|| make(true)).flatten() {
        Some(request) => Some(curl(&request?)?),
        None => None,
    };
    let view = page::DeliveryView {
        attempts: store.attempts(delivery.id)?,
        replays: store.replays_of(&delivery)?,
        body: shown_body(store, &event)?,
        // What cannot be made is said where it was tried.
        request: match is_harmless || with_curl {
            true => make(false).and_then(Result::ok),
            false => None,
        },
        curl,
        endpoint,
        delivery,
        event,
    };
    Ok(page::delivery(context, &view))
}

fn deliveries(app: &AppState, context: &PageContext<'_>, query: &str) -> Result<Reply> {
    let store = &app.store;
    let read = asked(context, Listing::Deliveries, query).and_then(|selection| {
        store.search_deliveries(&selection, ROWS, until_deadline(app.clock.as_ref()))
    });
    let directory = store.fresh_directory()?;
    let unknown = match &read {
        // Where the search did not get through, another one would not either.
        Ok(found) if found.rows.is_empty() && !found.is_cut => unknown_type(app, context, query)?,
        _ => None,
    };
    list_or_problem(context, "/deliveries", read, |context, found| {
        let view = page::DeliveriesView {
            query,
            looked_back: found.back_to.filter(|_| found.is_cut),
            next: found.next.map(|id| context.box_id.delivery(id)),
            rows: found.rows,
            unknown_type: unknown.as_deref(),
            directory: directory.clone(),
        };
        page::deliveries(context, &view)
    })
}

/// Returns the type that a query asks for, if no event has it.
fn unknown_type(app: &AppState, context: &PageContext<'_>, query: &str) -> Result<Option<String>> {
    let Some(event_type) = asked(context, Listing::Deliveries, query)?.event_type else {
        return Ok(None);
    };
    let of_type = Selection {
        event_type: Some(event_type.clone()),
        ..Selection::default()
    };
    let found = (app.store).search_events(&of_type, 1, until_deadline(app.clock.as_ref()))?;
    let is_unknown = found.rows.is_empty() && !found.is_cut;
    Ok(is_unknown.then_some(event_type))
}

/// Returns a list; if the query is invalid, an empty list, and the form as it was filled in.
fn list_or_problem<T: Default>(
    context: &PageContext<'_>,
    path: &str,
    read: Result<T>,
    show: impl Fn(&PageContext<'_>, T) -> String,
) -> Result<Reply> {
    let error = match read {
        Ok(rows) => return Ok(Reply::page(show(context, rows))),
        Err(error) if status_of(&error) >= 500 => return Err(error),
        Err(error) => error,
    };
    Ok(refused(context, path, &[], &error, |context| {
        show(context, T::default())
    }))
}

/// Returns a page with the form's error above it; the form keeps what was filled in.
fn refused(
    context: &PageContext<'_>,
    path: &str,
    form: &[(String, String)],
    error: &Error,
    show: impl FnOnce(&PageContext<'_>) -> String,
) -> Reply {
    let problem = error.chain();
    let returned = Returned {
        path,
        page: None,
        form,
        problem: &problem,
    };
    let context = PageContext {
        returned: Some(returned),
        ..*context
    };
    Reply {
        status: status_of(error),
        ..Reply::page(show(&context))
    }
}

/// Reads which rows a query asks for.
fn asked(context: &PageContext<'_>, listing: Listing, query: &str) -> Result<Selection> {
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    let pairs: Vec<(String, String)> = pairs.collect();
    Selection::read(listing, &pairs, context.box_id, context.now)
}

fn events(app: &AppState, context: &PageContext<'_>, query: &str) -> Result<Reply> {
    let read = asked(context, Listing::Bodies, query).and_then(|selection| {
        let go_on = until_deadline(app.clock.as_ref());
        let Found {
            rows,
            next,
            back_to,
            is_cut,
        } = app.store.search_events(&selection, ROWS, go_on)?;
        let text = selection.text.as_deref().map(Text::new).transpose()?;
        let ids: Vec<EventId> = rows.iter().map(|event| event.id).collect();
        let mut states = app.store.delivery_states(&ids)?;
        let mut with_around = |event: EventRecord| {
            let around = match &text {
                // Without what a page may not show.
                Some(text) => text.around(&shown_body(&app.store, &event)?),
                None => None,
            };
            let states = states.remove(&event.id).unwrap_or_default();
            Ok(FoundEvent {
                event,
                around,
                states,
            })
        };
        Ok(Found {
            rows: rows
                .into_iter()
                .map(&mut with_around)
                .collect::<Result<_>>()?,
            next,
            back_to,
            is_cut,
        })
    });
    list_or_problem(context, "/events", read, |context, found| {
        let view = page::EventsView {
            query,
            looked_back: found.back_to.filter(|_| found.is_cut),
            next: found.next.map(|id| context.box_id.event(id)),
            rows: found.rows,
        };
        page::events(context, &view)
    })
}

/// Returns the preview page of the replay that these fields describe.
pub(super) fn new_replay(
    app: &AppState,
    context: &PageContext<'_>,
    fields: &[(String, String)],
) -> Result<Reply> {
    let store = &app.store;
    let chosen = read_chosen(store, fields, context.now)?;
    let preview = match &chosen {
        Chosen::Named(named, edit) => read_named(edit.as_ref(), fields).and_then(|options| {
            let is_ready = options.to.is_some() || !chosen.needs_target();
            let preview = is_ready.then(|| store.preview_named(named, &options));
            preview.transpose()
        }),
        Chosen::Filtered(_, selection) if selection.is_empty() => Ok(None),
        Chosen::Filtered(kind, selection) => {
            read_filtered(*kind, selection, fields).and_then(|asked| {
                let go_on = until_deadline(app.clock.as_ref());
                store.preview_replay(&asked, go_on).map(Some)
            })
        }
    };
    // An error in how to send is shown above the form, which keeps what was filled in.
    let (preview, error) = match preview {
        Ok(preview) => (preview, None),
        Err(error) if status_of(&error) >= 500 => return Err(error),
        Err(error) if chosen.needs_target() => (None, Some(error)),
        Err(error) => (Some(plain_preview(app, &chosen)?), Some(error)),
    };
    let directory = store.fresh_directory()?;
    let endpoints = directory.endpoints().iter();
    let view = page::NewReplayView {
        chosen,
        fields: fields.to_vec(),
        is_plain: error.is_some(),
        preview,
        endpoints: endpoints
            .map(|endpoint| endpoint.set.name.clone())
            .collect(),
    };
    let Some(error) = error.filter(|_| context.returned.is_none()) else {
        return Ok(Reply::page(page::new_replay(context, &view)));
    };
    Ok(refused(
        context,
        "/replays/new",
        fields,
        &error,
        |context| page::new_replay(context, &view),
    ))
}

/// Previews the replay with default options.
fn plain_preview(app: &AppState, chosen: &Chosen) -> Result<Preview> {
    let store = &app.store;
    match chosen {
        Chosen::Named(named, _) => store.preview_named(named, &ReplayOptions::default()),
        Chosen::Filtered(kind, selection) => {
            let asked = read_filtered(*kind, selection, &[])?;
            store.preview_replay(&asked, until_deadline(app.clock.as_ref()))
        }
    }
}

/// Returns the page that holds a refused form, with what was filled in.
pub(super) fn page_of_form(
    app: &AppState,
    context: &PageContext<'_>,
    path: &str,
    form: &[(String, String)],
) -> Result<Reply> {
    if matches!(path, "/replays" | "/replays/chosen") {
        return new_replay(app, context, form);
    }
    let page =
        address_of_form(path).ok_or_else(|| Error::not_found(format!("no form at {path}")))?;
    let returned = context.returned.map(|returned| Returned {
        page: Some(&page),
        ..returned
    });
    let context = PageContext {
        returned,
        ..*context
    };
    get(app, &context, &page, "")
}

/// Returns the path of the page that holds a form.
pub(super) fn address_of_form(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    Some(match parts.as_slice() {
        ["replays"] | ["replays", "chosen" | "new"] => "/deliveries".to_owned(),
        [list @ ("endpoints" | "sources" | "alerts")] => format!("/{list}"),
        ["endpoints", "hold" | "resume"] => "/endpoints".to_owned(),
        ["deliveries", "cancel"] => "/deliveries".to_owned(),
        ["alerts", _, _] => "/alerts".to_owned(),
        [
            list @ ("endpoints" | "sources" | "deliveries" | "replays" | "events"),
            one,
            _,
        ] => {
            format!("/{list}/{one}")
        }
        _ => return None,
    })
}
