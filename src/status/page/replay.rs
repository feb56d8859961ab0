//! Bulk replays and their progress.

use maud::{Markup, html};

use super::context::PageContext;
use super::frame::frame;
use super::parts::{button, progress, table};
use crate::model::delivery::State;
use crate::model::replay::{ReplayRecord, ReplayState};

pub(in crate::status) fn replays(context: &PageContext<'_>, records: &[ReplayRecord]) -> String {
    let (t, words) = (&context.texts.replays, &context.texts.words);
    let rows = html! {
        @for record in records {
            @let id = context.box_id.replay(record.id);
            tr {
                td data-label=(t.replay) { a.mono href={ "/replays/" (id) } { "#" (record.id.0) } " " (context.texts.states.of(&record.asked.kind.to_string())) }
                td data-label=(t.state) { (state(context, record.state)) }
                td data-label=(t.what) { (context.selection(&record.asked.selection)) }
                td data-label=(t.to) { (to(context, record)) }
                td data-label=(t.progress) { (bar(context, record)) }
                td data-label=(t.asked) { (context.moment(record.created)) div.dim { (record.asked.asked_by) } }
            }
        }
    };
    let list = html! { a href="/deliveries" { (t.list) } };
    let columns = [t.replay, t.state, t.what, t.to, t.progress, t.asked];
    let main = html! {
        h1 { (t.title) }
        p.dim { (context.link_in(t.told, &[("list", &list)])) }
        div #replays data-live {
            @if records.is_empty() { p.empty { (words.none_yet) } } @else { (table(&columns, &rows)) }
        }
    };
    frame(context, t.title, "/replays", &main)
}

fn state(context: &PageContext<'_>, state: ReplayState) -> Markup {
    let class = match state {
        ReplayState::Running => "pending",
        ReplayState::Paused => "waiting",
        ReplayState::Done => "delivered",
        ReplayState::Cancelled => "cancelled",
    };
    html! { span class={ "badge " (class) } { (context.texts.states.of(&state.to_string())) } }
}

fn to(context: &PageContext<'_>, record: &ReplayRecord) -> String {
    let to = record.asked.to.as_ref();
    to.map_or_else(
        || context.texts.replays.each_own.to_owned(),
        ToString::to_string,
    )
}

fn bar(context: &PageContext<'_>, record: &ReplayRecord) -> Markup {
    let t = &context.texts.replays;
    let (done, total) = (record.settled(), record.total());
    let dead = record.count(State::Dead);
    html! {
        (progress(context, done, total, t.settled))
        div.dim { (context.fill(t.settled_of, &[("done", &done), ("total", &total)])) }
        @if dead > 0 { span.badge.dead { (context.fill(t.dead, &[("count", &dead)])) } }
    }
}

pub(in crate::status) fn replay(context: &PageContext<'_>, record: &ReplayRecord) -> String {
    let (t, words) = (&context.texts.replays, &context.texts.words);
    let id = context.box_id.replay(record.id);
    let path = |verb: &str| format!("/replays/{id}/{verb}");
    let list = |state: &str| format!("/deliveries?replay={id}&state={state}");
    let made = context.fill(
        words.done_of,
        &[("done", &record.made), ("total", &record.total())],
    );
    let main = html! {
        div.heading #heading data-live {
            h1 { (context.fill(t.title_of_one, &[("id", &id)])) }
            div #state { (state(context, record.state)) }
            @if context.may_change && !record.state.is_over() {
                div.actions {
                    @if record.state == ReplayState::Running {
                        (button(context, &path("pause"), "pause", t.pause, "quiet"))
                    } @else {
                        (button(context, &path("resume"), "resume", t.resume, ""))
                    }
                    (button(context, &path("cancel"), "cancel", t.cancel, "quiet"))
                }
            }
        }
        div #progress data-live {
            (bar(context, record))
            dl.facts {
                dt { (t.made) } dd { (made) }
                @for (number, held) in State::ALL.iter().enumerate() {
                    dt { (context.texts.states.of(held.name())) }
                    dd { a href=(list(held.name())) { (record.counts[number]) } }
                }
                @if let Some(ended) = record.ended { dt { (t.ended) } dd { (context.exact(ended)) } }
            }
        }
        dl.facts {
            dt { (t.kind) } dd { (context.texts.states.of(&record.asked.kind.to_string())) }
            dt { (t.what) } dd { (context.selection(&record.asked.selection)) }
            dt { (t.to) } dd { (to(context, record)) }
            @if let Some(rate) = &record.asked.rate { dt { (t.rate) } dd { (rate) } }
            @if record.asked.has_new_ids { dt { (t.ids) } dd { (t.new_ids) } }
            dt { (t.asked) }
            dd { (context.link_in(t.asked_by, &[("when", &context.exact(record.created)), ("who", &context.said(&record.asked.asked_by))])) }
        }
    };
    frame(
        context,
        &context.fill(t.title_of_one, &[("id", &record.id.0)]),
        "/replays",
        &main,
    )
}
