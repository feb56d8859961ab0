//! The list of deliveries: filters, the link to older pages, actions.

use std::sync::Arc;

use maud::{Markup, html};

use super::context::PageContext;
use super::fields::{choice, form, same};
use super::frame::frame;
use super::parts::{asked, delivery_table, looked_back, table, with_place};
use super::spans::{moments, spans};
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::settings::{Listing, Selection};
use crate::store::{Directory, PendingFound};
use crate::time::Timestamp;

pub(in crate::status) struct DeliveriesView<'a> {
    /// The query as it came; the form shows it again.
    pub(in crate::status) query: &'a str,
    pub(in crate::status) rows: Vec<DeliveryRecord>,
    /// How far back the search looked, if not to the end.
    pub(in crate::status) looked_back: Option<Timestamp>,
    /// The cursor of the next page, if there is one.
    pub(in crate::status) next: Option<String>,
    /// The type that was asked for, if no event has it.
    pub(in crate::status) unknown_type: Option<&'a str>,
    pub(in crate::status) directory: Arc<Directory>,
}

pub(in crate::status) fn deliveries(
    context: &PageContext<'_>,
    view: &DeliveriesView<'_>,
) -> String {
    let (t, words) = (&context.texts.deliveries, &context.texts.words);
    let asked = |name: &str| asked(view.query, name);
    let page_at = |place: Option<&str>| {
        let query = with_place(view.query, "cursor", place);
        format!("/deliveries?{query}")
    };
    let main = html! {
        h1 { (t.title) }
        (filters(context, view, &asked))
        (looked_back(context, view.looked_back))
        @if view.rows.is_empty() {
            p.empty {
                @match view.unknown_type {
                    Some(name) => (context.fill(t.no_such_type, &[("name", &name)])),
                    None => (t.no_match),
                }
            }
        } @else {
            div #rows data-live {
                (delivery_table(context, &view.rows, context.may_change.then_some("chosen")))
            }
            @if context.may_change { (actions(context, view.query)) }
        }
        nav.pages aria-label=(words.list_pages) {
            @if !asked("cursor").is_empty() { a href=(page_at(None)) { (words.newest) } }
            @if let Some(next) = &view.next {
                a rel="next" href=(page_at(Some(next))) { (words.older) }
            }
        }
    };
    frame(context, t.title, "/deliveries", &main)
}

/// Shows the actions for the chosen deliveries, and for all that match the filter.
fn actions(context: &PageContext<'_>, query: &str) -> Markup {
    let t = &context.texts.deliveries;
    html! {
        div.bulk {
            form #chosen method="get" action="/replays/new" {
                button.quiet type="submit" { (t.replay_chosen) }
            }
            @if can_be_chosen(query) {
                a.button href={ "/replays/new?" (with_place(query, "cursor", None)) } { (t.replay_matching) }
            }
            @if can_be_cancelled(query) {
                a.button.quiet href={ "/deliveries/cancel?" (with_place(query, "cursor", None)) } { (t.cancel_matching) }
            }
        }
    }
}

fn filters(
    context: &PageContext<'_>,
    view: &DeliveriesView<'_>,
    asked: &dyn Fn(&str) -> String,
) -> Markup {
    let (t, words) = (&context.texts.deliveries, &context.texts.words);
    let said = |state: &State| (state.name(), context.texts.states.of(state.name()));
    let states: Vec<(&str, &str)> = State::ALL.iter().map(said).collect();
    let endpoints = view.directory.endpoints().iter();
    let endpoints: Vec<(&str, &str)> = endpoints.map(|endpoint| same(&endpoint.set.name)).collect();
    let sources = view.directory.sources().iter();
    let sources: Vec<(&str, &str)> = sources.map(|source| same(&source.name)).collect();
    let any = Some(words.any);
    html! {
        (spans(context, "/deliveries", view.query))
        form.filters method="get" action="/deliveries" {
            (choice(t.state, "state", any, &states, &asked("state")))
            (choice(t.endpoint, "endpoint", any, &endpoints, &asked("endpoint")))
            label { span { (t.typed) } input name="type" value=(asked("type")) placeholder="push" autocomplete="off"; }
            @let has_more = ["source", "since", "until"].iter().any(|name| !asked(name).is_empty());
            details.more open[has_more] {
                summary { (t.more) }
                div.filters {
                    (choice(t.source, "source", any, &sources, &asked("source")))
                    (moments(context, view.query))
                }
            }
            @for name in ["replay", "superseded", "event"] {
                @if !asked(name).is_empty() { input type="hidden" name=(name) value=(asked(name)); }
            }
            button type="submit" { (words.filter) }
            a href="/deliveries" { (words.clear) }
        }
    }
}

/// Whether this filter can choose deliveries for a replay, which does not know all of a list's conditions
/// and does not send what is pending.
fn can_be_chosen(query: &str) -> bool {
    let fields = || form_urlencoded::parse(query.as_bytes());
    // All there is would be no choice.
    let chooses = fields().any(|(name, value)| name != "cursor" && !value.is_empty());
    chooses
        && fields().all(|(name, value)| match name.as_ref() {
            "state" => value != State::Pending.name(),
            "cursor" => true,
            name => value.is_empty() || Listing::Replay.knows(name),
        })
}

/// Whether this filter can choose deliveries to be cancelled: it asks for pending ones, and for more than that.
fn can_be_cancelled(query: &str) -> bool {
    let fields = || form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty());
    let is_state = |name: &str, value: &str| name == "state" && value == State::Pending.name();
    fields().any(|(name, value)| is_state(&name, &value))
        && fields().any(|(name, _)| Listing::Pending.knows(&name))
        && fields().all(|(name, value)| {
            is_state(&name, &value) || name == "cursor" || Listing::Pending.knows(&name)
        })
}

/// Shows what would be cancelled, and the button that does it.
pub(in crate::status) fn cancelling(
    context: &PageContext<'_>,
    chosen: &[(String, String)],
    selection: &Selection,
    found: &PendingFound,
) -> String {
    let t = &context.texts.deliveries;
    let rows = html! {
        @for (name, count) in &found.endpoints {
            tr {
                td data-label=(t.endpoint) { a href={ "/endpoints/" (name) } { (name) } }
                td data-label=(t.pending) { (count) }
            }
        }
    };
    let told = if found.is_whole {
        t.would_cancel
    } else {
        t.would_cancel_at_least
    };
    let list = form_urlencoded::Serializer::new("state=pending&".to_owned())
        .extend_pairs(chosen)
        .finish();
    let main = html! {
        h1 { (t.cancel_title) }
        // The conditions lead back to the list that they make.
        p { a href={ "/deliveries?" (list) } { (context.selection(selection)) } }
        @if found.deliveries == 0 {
            p.empty { (t.no_match) }
        } @else {
            p { (context.fill(told, &[("count", &found.deliveries)])) }
            (table(&[t.endpoint, t.pending], &rows))
            p.dim { (t.cancelled_can_be_replayed) }
            @let fields = html! {
                @for (name, value) in chosen { input type="hidden" name=(name) value=(value); }
                input type="hidden" name="up_to" value=(found.up_to.0);
                button type="submit" { (t.cancel_them) }
            };
            @if context.may_change { (form(context, "/deliveries/cancel", &fields)) }
        }
    };
    frame(context, t.cancel_title, "/deliveries", &main)
}
