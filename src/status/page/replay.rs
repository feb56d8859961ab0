//! Bulk replays: what one would do, and how far those are that were begun.

use std::time::Duration;

use maud::{Markup, html};

use super::parts::{button, exact, moment, progress, size, table};
use super::{Around, frame};
use crate::model::delivery::State;
use crate::model::replay::{NewReplay, ReplayRecord, ReplayState};
use crate::store::Preview;
use crate::time::show_span;

/// What a replay would do, and the form that begins it.
pub(in crate::status) struct NewReplayView {
    pub(in crate::status) asked: NewReplay,
    /// The fields as they came; the form sends them again.
    pub(in crate::status) fields: Vec<(String, String)>,
    /// `None` where nothing was chosen yet.
    pub(in crate::status) preview: Option<Preview>,
    pub(in crate::status) endpoints: Vec<String>,
}

pub(in crate::status) fn replays(around: &Around<'_>, records: &[ReplayRecord]) -> String {
    let rows = html! {
        @for record in records {
            @let id = around.box_id.replay(record.id);
            tr {
                td data-label="Replay" { a.mono href={ "/replays/" (id) } { "#" (record.id.0) } " " (record.asked.kind) }
                td data-label="State" { (state(record.state)) }
                td data-label="What" { (record.asked.selection) }
                td data-label="To" { (record.asked.to.as_ref().map_or("each one's own".to_owned(), ToString::to_string)) }
                td data-label="Progress" { (bar(record)) }
                td data-label="Asked" { (moment(record.created, around.now)) div.dim { (record.asked.asked_by) } }
            }
        }
    };
    let main = html! {
        h1 { "Replays" }
        p.dim {
            "Of many deliveries at once. Choose them in the " a href="/deliveries" { "list of deliveries" }
            " with its filter, and look at what would be sent before it is."
        }
        div #replays data-live {
            @if records.is_empty() {
                p.empty { "None yet." }
            } @else {
                (table(&["Replay", "State", "What", "To", "Progress", "Asked"], &rows))
            }
        }
    };
    frame(around, "Replays", "/replays", &main)
}

fn state(state: ReplayState) -> Markup {
    let class = match state {
        ReplayState::Running => "pending",
        ReplayState::Paused => "waiting",
        ReplayState::Done => "delivered",
        ReplayState::Cancelled => "cancelled",
    };
    html! { span class={ "badge " (class) } { (state) } }
}

fn bar(record: &ReplayRecord) -> Markup {
    html! {
        (progress(record.settled(), record.total(), "settled deliveries"))
        div.dim { (record.settled()) " of " (record.total()) " settled" }
        @if record.count(State::Dead) > 0 { span.badge.dead { (record.count(State::Dead)) " dead" } }
    }
}

pub(in crate::status) fn replay(around: &Around<'_>, record: &ReplayRecord) -> String {
    let id = around.box_id.replay(record.id);
    let path = |verb: &str| format!("/replays/{id}/{verb}");
    let list = |state: &str| format!("/deliveries?replay={id}&state={state}");
    let main = html! {
        div.heading {
            h1 { "Replay " span.mono { (id) } }
            div #state data-live { (state(record.state)) }
            @if around.may_change && !record.state.is_over() {
                div.actions {
                    @if record.state == ReplayState::Running {
                        (button(around, &path("pause"), "Pause", "quiet"))
                    } @else {
                        (button(around, &path("resume"), "Resume", ""))
                    }
                    (button(around, &path("cancel"), "Cancel", "quiet"))
                }
            }
        }
        div #progress data-live {
            (bar(record))
            dl.facts {
                dt { "Made" } dd { (record.made) " of " (record.total()) }
                @for (number, held) in State::ALL.iter().enumerate() {
                    dt { (held.name()) }
                    dd { a href=(list(held.name())) { (record.counts[number]) } }
                }
                @if let Some(ended) = record.ended { dt { "Ended" } dd { (exact(ended, around.now)) } }
            }
        }
        dl.facts {
            dt { "Kind" } dd { (record.asked.kind) }
            dt { "What" } dd { (record.asked.selection) }
            dt { "To" } dd { (record.asked.to.as_ref().map_or("each one's own endpoint".to_owned(), ToString::to_string)) }
            @if let Some(rate) = &record.asked.rate { dt { "Rate" } dd { (rate) } }
            @if record.asked.has_new_ids { dt { "Ids" } dd { "new ones" } }
            dt { "Asked" } dd { (exact(record.created, around.now)) " by " (record.asked.asked_by) }
        }
    };
    frame(
        around,
        &format!("Replay {}", record.id.0),
        "/replays",
        &main,
    )
}

pub(in crate::status) fn new_replay(around: &Around<'_>, view: &NewReplayView) -> String {
    let asked = &view.asked;
    let main = html! {
        h1 { "Replay" }
        p { "Of " strong { (asked.selection) } ":" }
        @match &view.preview {
            None => p.empty { "Choose deliveries by a filter first: " a href="/deliveries" { "the list of deliveries" } },
            Some(preview) => (what(preview)),
        }
        @if let Some(preview) = &view.preview && around.may_change {
            form.settings method="post" action="/replays" {
                input type="hidden" name="token" value=(around.token);
                input type="hidden" name="up_to" value=(preview.up_to);
                @for (name, value) in &view.fields { input type="hidden" name=(name) value=(value); }
                label {
                    span { "To" }
                    select name="to" {
                        option value="" { "each one's own endpoint" }
                        @for name in &view.endpoints {
                            option value=(name) selected[asked.to.as_ref().is_some_and(|to| to.to_string() == *name)] { (name) }
                        }
                    }
                }
                label {
                    span { "Rate, at most" }
                    input name="rate" placeholder="10/s" autocomplete="off"
                        value=(asked.rate.as_ref().map(ToString::to_string).unwrap_or_default());
                }
                label.check {
                    input type="checkbox" name="new_id" value="true" checked[asked.has_new_ids];
                    span { "with new ids, for a receiver that must take them again" }
                }
                div.buttons {
                    button #start type="submit" disabled[preview.deliveries == 0 && preview.is_whole] { "Send " (preview.deliveries) }
                    button.quiet type="submit" formmethod="get" formaction="/replays/new" { "Look again" }
                }
            }
        }
    };
    frame(around, "Replay", "/replays", &main)
}

fn what(preview: &Preview) -> Markup {
    let rows = html! {
        @for endpoint in &preview.endpoints {
            tr {
                td data-label="Endpoint" { (endpoint.name) div.dim.mono { (endpoint.url) } }
                td data-label="Deliveries" { (endpoint.deliveries) }
                td data-label="Size" { (size(u64::try_from(endpoint.bytes).unwrap_or(0))) }
                td data-label="Had already" { (endpoint.had) }
                td data-label="Takes about" {
                    @match endpoint.lasts {
                        Some(span) if span.as_secs() == 0 => "less than a second",
                        Some(span) => (show_span(Duration::from_secs(span.as_secs()))),
                        None => "–",
                    }
                }
                td data-label="Now" { (endpoint.stopped.as_deref().unwrap_or("–")) }
            }
        }
    };
    let most = preview.days.iter().map(|(_, count)| *count).max();
    html! {
        p #preview {
            strong { (preview.deliveries) " deliveries" } ", "
            (size(u64::try_from(preview.bytes).unwrap_or(0))) " in all; "
            (preview.had) " of them the endpoint has had already."
            @if !preview.is_whole { " There may be more: not all was looked at in two seconds." }
        }
        @if preview.deliveries > 0 {
            (table(&["Endpoint", "Deliveries", "Size", "Had already", "Takes about", "Now"], &rows))
            h2 { "By day" }
            dl.days {
                @for (day, count) in &preview.days {
                    dt { (day) }
                    dd { (progress(*count, most.unwrap_or(1), "deliveries of that day")) " " (count) }
                }
            }
        }
    }
}
