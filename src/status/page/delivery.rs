//! One delivery: what it is, what was tried, what it carries, and what can be done.

use maud::{Markup, html};

use super::body::{body, text};
use super::parts::{badge, button, exact, headers, lasting};
use super::{Around, frame};
use crate::model::attempt::{AttemptRecord, Outcome};
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::endpoint::EndpointReport;
use crate::model::event::EventRecord;
use crate::model::id::BoxId;
use crate::time::Timestamp;

pub(in crate::status) struct DeliveryView {
    pub(in crate::status) delivery: DeliveryRecord,
    pub(in crate::status) event: EventRecord,
    pub(in crate::status) body: Vec<u8>,
    pub(in crate::status) attempts: Vec<AttemptRecord>,
    pub(in crate::status) replays: Vec<DeliveryRecord>,
    /// `None` when the endpoint is removed.
    pub(in crate::status) endpoint: Option<EndpointReport>,
}

pub(in crate::status) fn delivery(around: &Around<'_>, view: &DeliveryView) -> String {
    let Around { box_id, now, .. } = *around;
    let id = box_id.delivery(view.delivery.id);
    let main = html! {
        div.heading {
            h1 { "Delivery " span.mono { (id) } }
            (badge(view.delivery.state, view.delivery.waiting(now)))
            @if around.may_change { (actions(around, view, &id)) }
        }
        div #facts data-live { (facts(view, box_id, now)) }
        section #attempts data-live {
            h2 { "Attempts" }
            @if view.attempts.is_empty() { p.empty { "None yet." } }
            @for index in (0..view.attempts.len()).rev() {
                (one_attempt(around, view, index))
            }
        }
        section {
            h2 { "Event" }
            @let event_id = box_id.event(view.event.id);
            p { a.mono href={ "/events/" (event_id) } { (event_id) } }
            details { summary { "Headers as received" } (headers(&view.event.headers)) }
            (body(&view.body, view.event.content_type.as_deref(), &format!("/events/{event_id}/body")))
        }
    };
    frame(
        around,
        &format!("Delivery {}", view.delivery.id.0),
        "",
        &main,
    )
}

fn actions(around: &Around<'_>, view: &DeliveryView, id: &str) -> Markup {
    let path = |verb: &str| format!("/deliveries/{id}/{verb}");
    html! {
        div.actions {
            @match (view.delivery.state, view.endpoint.is_some()) {
                (State::Pending, _) => (button(around, &path("cancel"), "Cancel", "quiet")),
                (_, true) => (button(around, &path("replay"), "Replay", "")),
                (_, false) => span.dim { "its endpoint is removed" },
            }
        }
    }
}

fn facts(view: &DeliveryView, box_id: &BoxId, now: Timestamp) -> Markup {
    let delivery = &view.delivery;
    let link = |id: &str| html! { a.mono href={ "/deliveries/" (id) } { (id) } };
    html! {
        dl.facts {
            dt { "What" } dd { (delivery.summary) }
            dt { "Type" } dd { (delivery.event_type) }
            dt { "Source" } dd { (delivery.source.as_deref().unwrap_or("–")) }
            dt { "Endpoint" }
            dd {
                a href={ "/endpoints/" (delivery.endpoint) } { (delivery.endpoint) }
                @if let Some(report) = &view.endpoint {
                    " " span.dim.mono { (report.endpoint.shown_url()) }
                }
            }
            dt { "Tries" }
            dd {
                (delivery.tries)
                @if delivery.state == State::Pending && let Some(report) = &view.endpoint { " of " (report.endpoint.tries_max()) }
            }
            dt { "Made" } dd { (exact(delivery.created, now)) }
            @if let Some(due) = delivery.due { dt { "Due" } dd { (exact(due, now)) } }
            @if let Some(settled) = delivery.settled { dt { "Settled" } dd { (exact(settled, now)) } }
            @if let Some(reason) = &delivery.reason {
                dt { @if delivery.state == State::Pending { "Last refusal" } @else { "Reason" } }
                dd { (reason) }
            }
            @if let Some(error) = &delivery.when_error {
                dt { "In doubt" }
                dd { "the endpoint's --when failed on this event, so it was sent: " (error) }
            }
            @if delivery.state == State::Pending && let Some(hold) = view.endpoint.as_ref().and_then(|e| e.endpoint.held.as_ref()) {
                dt { "Held" }
                dd {
                    "nothing is sent to the endpoint since " (exact(hold.since, now)) ": " (hold.reason)
                    " – " a href={ "/endpoints/" (delivery.endpoint) } { "resume it" }
                }
            }
            @if delivery.waiting(now) == Some("pace") && let Some(until) = delivery.endpoint_waits.paced_until {
                dt { "Waiting" }
                dd { "the endpoint gets no more before " (exact(until, now)) ". No tries are spent." }
            }
            @if delivery.waiting(now) == Some("window") {
                dt { "Waiting" }
                dd { "the endpoint's window is closed; " (delivery.waiting_reason(box_id, now).unwrap_or_default()) }
            }
            @if delivery.waiting(now) == Some("order") && let Some(first) = delivery.endpoint_waits.behind {
                dt { "Waiting" }
                dd { "the endpoint gets one at a time, in order, and " (link(&box_id.delivery(first))) " goes first" }
            }
            @if delivery.state == State::Pending && let Some(outage) = view.endpoint.as_ref().and_then(|e| e.outage.as_ref()) {
                dt { "Waiting" }
                dd {
                    "the endpoint could not be reached for " (lasting(outage.since, now)) "; "
                    (outage.probes) " probes, the last: " (outage.error) ". No tries are spent."
                }
            }
            @if let Some(original) = delivery.replay_of {
                dt { "Replay of" } dd { (link(&box_id.delivery(original))) }
            }
            @if let Some(replay) = delivery.replay {
                @let replay = box_id.replay(replay);
                dt { "Made for" } dd { "replay " a.mono href={ "/replays/" (replay) } { (replay) } }
            }
            @if let Some(by) = delivery.mended_by {
                dt { "Mended by" } dd { (link(&box_id.delivery(by))) ", which got through in its place" }
            }
            @if !view.replays.is_empty() {
                dt { "Replayed as" }
                dd { @for replay in &view.replays { (link(&box_id.delivery(replay.id))) " " (badge(replay.state, None)) " " } }
            }
        }
    }
}

fn one_attempt(around: &Around<'_>, view: &DeliveryView, index: usize) -> Markup {
    let now = around.now;
    let attempt = &view.attempts[index];
    let open = index + 1 == view.attempts.len();
    let earlier = index.checked_sub(1).map(|index| &view.attempts[index]);
    let ms = |span: std::time::Duration| format!("{:.1} ms", span.as_micros() as f64 / 1000.0);
    let class = match attempt.outcome {
        Outcome::Delivered => "delivered",
        Outcome::Refused => "dead",
        Outcome::Unreachable => "waiting",
    };
    html! {
        details.attempt open[open] {
            summary {
                "#" (attempt.number) " "
                span class={ "badge " (class) } { (attempt.outcome) }
                @if let Some(status) = attempt.status { " " span.mono { (status) } }
                " " (exact(attempt.started, now)) " " span.dim { (ms(attempt.timing.total)) }
            }
            @if let Some(error) = &attempt.error { p.problem { (error) } }
            @if let Some(earlier) = earlier {
                p {
                    a href={ "/attempts/" (around.box_id.attempt(earlier.id)) "/diff/" (around.box_id.attempt(attempt.id)) } {
                        "Compare with #" (earlier.number)
                    }
                }
            }
            p.dim {
                "resolve " (ms(attempt.timing.resolve)) " · connect " (ms(attempt.timing.connect))
                " · wait " (ms(attempt.timing.wait)) " · read " (ms(attempt.timing.read))
            }
            h3 { "Request headers" }
            (headers(&attempt.request_headers))
            @if attempt.status.is_some() {
                h3 { "Reply headers" }
                (headers(&attempt.response_headers))
                h3 { "Reply body" @if attempt.response_truncated { " (cut)" } }
                @if attempt.response_body.is_empty() {
                    p.dim { "empty" }
                } @else {
                    (text(&String::from_utf8_lossy(&attempt.response_body)))
                }
            }
        }
    }
}
