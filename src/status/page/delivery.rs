//! One delivery: its facts, its attempts, its event's body, and its actions.

use maud::{Markup, html};

use super::attempt::choice_of_two;
use super::body::{body, text};
use super::context::PageContext;
use super::frame::frame;
use super::parts::{badge, button, copy, headers, opens_at};
use crate::model::attempt::{AttemptRecord, Outcome};
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::endpoint::{EndpointReport, Format};
use crate::model::event::EventRecord;
use crate::model::sendable::ShownRequest;

pub(in crate::status) struct DeliveryView {
    pub(in crate::status) delivery: DeliveryRecord,
    pub(in crate::status) event: EventRecord,
    pub(in crate::status) body: Vec<u8>,
    pub(in crate::status) attempts: Vec<AttemptRecord>,
    pub(in crate::status) replays: Vec<DeliveryRecord>,
    /// `None` if the endpoint was removed.
    pub(in crate::status) endpoint: Option<EndpointReport>,
    /// What would be sent now, without secrets.
    pub(in crate::status) request: Option<ShownRequest>,
    /// The command that sends it, with them.
    pub(in crate::status) curl: Option<String>,
}

pub(in crate::status) fn delivery(context: &PageContext<'_>, view: &DeliveryView) -> String {
    let PageContext { box_id, now, .. } = *context;
    let (t, words) = (&context.texts.delivery, &context.texts.words);
    let id = box_id.delivery(view.delivery.id);
    let main = html! {
        div.heading #heading data-live {
            h1 { (view.delivery.summary) }
            (badge(context, view.delivery.state, view.delivery.waiting(now)))
            @if context.may_change { (actions(context, view, &id)) }
        }
        div #answer data-live { (answer(context, view)) }
        section #attempts data-live {
            h2 { (t.attempts) }
            @if view.attempts.is_empty() { p.empty { (words.none_yet) } }
            @if view.attempts.len() > 2 { (choice_of_two(context, &view.attempts, None)) }
            @for index in (0..view.attempts.len()).rev() {
                (one_attempt(context, view, index))
            }
        }
        @if let Some(request) = &view.request { (sent(context, view, request, &id)) }
        section #facts data-live {
            h2 { (context.fill(t.title, &[("id", &view.delivery.id.0)])) }
            (facts(context, view))
        }
        section {
            h2 { (t.event) }
            @let event_id = box_id.event(view.event.id);
            p { a.mono href={ "/events/" (event_id) } { (event_id) } " " (copy(context, &event_id)) }
            details { summary { (t.headers) } (headers(context, &view.event.headers)) }
            (body(context, &view.body, view.event.content_type.as_deref(), Some(&format!("/events/{event_id}/body"))))
        }
    };
    frame(
        context,
        &context.fill(t.title, &[("id", &view.delivery.id.0)]),
        "/deliveries",
        &main,
    )
}

/// The request as it is sent, and the command that sends it by hand.
fn sent(
    context: &PageContext<'_>,
    view: &DeliveryView,
    request: &ShownRequest,
    id: &str,
) -> Markup {
    let t = &context.texts.delivery;
    let content_type = request.headers.iter();
    let content_type = content_type
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .map(|(_, value)| value.as_str())
        .next();
    let is_raw = view
        .endpoint
        .as_ref()
        .is_some_and(|report| report.endpoint.set.format == Format::Raw);
    html! {
        section #sent {
            h2 { (t.sent) }
            p.mono { (request.method) " " (request.url) }
            details { summary { (t.request_headers) } (headers(context, &request.headers)) }
            // The sender's own bytes stand below.
            @if !is_raw { (body(context, &request.body, content_type, None)) }
            @match &view.curl {
                Some(command) => {
                    p.note { (t.curl_has_secrets) }
                    p { (copy(context, command)) }
                    pre tabindex="0" { (command) }
                }
                None if context.may_change => {
                    (button(context, &format!("/deliveries/{id}/curl#sent"), "curl", t.curl, "quiet"))
                }
                None => {}
            }
        }
    }
}

/// What became of it, in a sentence, and what it waits for.
fn answer(context: &PageContext<'_>, view: &DeliveryView) -> Markup {
    let (t, delivery) = (&context.texts.delivery, &view.delivery);
    let reason = delivery
        .reason
        .as_deref()
        .map(|reason| context.said(reason));
    let class = match delivery.state {
        State::Delivered => "good",
        State::Dead => "bad",
        State::Pending | State::Cancelled => "calm",
    };
    let tries_max = view
        .endpoint
        .as_ref()
        .map(|report| report.endpoint.set.tries_max());
    html! {
        p class={ "answer " (class) } {
            @match delivery.state {
                State::Delivered => {
                    @match delivery.status {
                        Some(status) => (context.fill(t.delivered_with, &[("status", &status)])),
                        None => (context.texts.states.delivered),
                    }
                    @if let Some(reason) = reason { " · " (reason) }
                }
                State::Dead | State::Cancelled => (reason.unwrap_or_else(|| html! { (context.texts.states.of(delivery.state.name())) })),
                State::Pending => {
                    @if let Some(due) = delivery.due {
                        @let text = if due <= context.now { t.due_since } else { t.next_try };
                        (context.link_in(text, &[("when", &context.exact(due))]))
                    }
                    @if let Some(reason) = reason { " · " (context.link_in(t.refused_with, &[("reason", &reason)])) }
                    @if delivery.tries > 0 && let Some(most) = tries_max {
                        " · " (context.fill(t.try_of, &[("tries", &delivery.tries), ("most", &most)]))
                    }
                }
            }
            @if let Some(settled) = delivery.settled { " · " (context.exact(settled)) }
        }
        @if delivery.state == State::Pending { dl.facts.waits { (waits(context, view)) } }
    }
}

fn actions(context: &PageContext<'_>, view: &DeliveryView, id: &str) -> Markup {
    let t = &context.texts.delivery;
    let path = |verb: &str| format!("/deliveries/{id}/{verb}");
    html! {
        div.actions {
            @if view.delivery.state == State::Pending {
                (button(context, &path("cancel"), "cancel", t.cancel, "quiet"))
            } @else {
                a.button href={ "/replays/new?id=" (id) } { (t.edit_and_send) }
                @if view.endpoint.is_some() {
                    (button(context, &path("replay"), "replay", t.replay, ""))
                } @else {
                    span.dim { (t.endpoint_removed) }
                }
            }
        }
    }
}

fn facts(context: &PageContext<'_>, view: &DeliveryView) -> Markup {
    let (t, box_id) = (&context.texts.delivery, context.box_id);
    let delivery = &view.delivery;
    let link = |id: &str| html! { a.mono href={ "/deliveries/" (id) } { (id) } };
    html! {
        dl.facts {
            @let id = box_id.delivery(delivery.id);
            dt { (t.id) } dd { span.mono { (id) } " " (copy(context, &id)) }
            dt { (t.typed) } dd { (delivery.event_type) }
            dt { (t.source) } dd { (delivery.source.as_deref().unwrap_or(context.texts.words.dash)) }
            dt { (t.endpoint) }
            dd {
                a href={ "/endpoints/" (delivery.endpoint) } { (delivery.endpoint) }
                @if let Some(report) = &view.endpoint {
                    " " span.dim.mono { (report.endpoint.set.shown_url()) }
                }
            }
            dt { (t.tries) }
            dd {
                (delivery.tries)
                @if delivery.state == State::Pending && let Some(report) = &view.endpoint {
                    " " (context.fill(t.tries_of, &[("most", &report.endpoint.set.tries_max())]))
                }
            }
            dt { (t.made) } dd { (context.exact(delivery.created)) }
            @if let Some(due) = delivery.due { dt { (t.due) } dd { (context.exact(due)) } }
            @if let Some(settled) = delivery.settled { dt { (t.settled) } dd { (context.exact(settled)) } }
            @if let Some(error) = &delivery.when_error {
                dt { (t.in_doubt) }
                dd { (context.fill(t.when_failed, &[("error", error)])) }
            }
            @if let Some(original) = delivery.replay_of {
                dt { (t.replay_of) } dd { (link(&box_id.delivery(original))) }
            }
            @if let Some(replay) = delivery.replay {
                @let replay = box_id.replay(replay);
                @let to_it = html! { a.mono href={ "/replays/" (replay) } { (replay) } };
                dt { (t.made_for) } dd { (context.link_in(t.for_replay, &[("replay", &to_it)])) }
            }
            @if let Some(by) = delivery.superseded_by {
                dt { (t.superseded_by) }
                dd { (context.link_in(t.got_through, &[("replay", &link(&box_id.delivery(by)))])) }
            }
            @if !view.replays.is_empty() {
                dt { (t.replayed_as) }
                dd { @for replay in &view.replays { (link(&box_id.delivery(replay.id))) " " (badge(context, replay.state, None)) " " } }
            }
        }
    }
}

/// Shows what a pending delivery waits for besides its due time.
fn waits(context: &PageContext<'_>, view: &DeliveryView) -> Markup {
    let (t, box_id, now) = (&context.texts.delivery, context.box_id, context.now);
    let delivery = &view.delivery;
    let endpoint = view
        .endpoint
        .as_ref()
        .filter(|_| delivery.state == State::Pending);
    let hold = endpoint.and_then(|report| report.endpoint.held.as_ref());
    let outage = endpoint.and_then(|report| report.outage.as_ref());
    let waiting = delivery.waiting(now);
    let is_paced = waiting == Some("pace");
    let is_in_order = waiting == Some("order");
    html! {
        @if let Some(hold) = hold {
            @let resume = html! { a href={ "/endpoints/" (delivery.endpoint) } { (t.resume) } };
            dt { (t.held) }
            dd { (context.link_in(t.held_since, &[("when", &context.exact(hold.since)), ("reason", &context.said(&hold.reason)), ("link", &resume)])) }
        }
        @if is_paced && let Some(until) = delivery.endpoint_waits.paced_until {
            dt { (t.waiting) }
            dd { (context.link_in(t.paced, &[("when", &context.exact(until))])) }
        }
        @if waiting == Some("digest") && let Some(until) = delivery.collected_until() {
            dt { (t.waiting) }
            dd { (context.link_in(t.collected, &[("when", &context.exact(until))])) }
        }
        @if waiting == Some("window") && let Some(opens) = delivery.opens(now) {
            dt { (t.waiting) }
            dd { (context.link_in(t.window, &[("opens", &opens_at(context, opens))])) }
        }
        @if is_in_order && let Some(first) = delivery.endpoint_waits.behind {
            @let first = box_id.delivery(first);
            @let to_it = html! { a.mono href={ "/deliveries/" (first) } { (first) } };
            dt { (t.waiting) }
            dd { (context.link_in(t.in_order, &[("first", &to_it)])) }
        }
        @if let Some(outage) = outage {
            @let span = context.lasting(outage.since);
            dt { (t.waiting) }
            dd { (context.link_in(t.offline, &[("span", &span), ("probes", &outage.probes), ("error", &context.said(&outage.error))])) }
        }
    }
}

fn one_attempt(context: &PageContext<'_>, view: &DeliveryView, index: usize) -> Markup {
    let (t, words) = (&context.texts.delivery, &context.texts.words);
    let attempt = &view.attempts[index];
    let open = index + 1 == view.attempts.len();
    let earlier = index.checked_sub(1).map(|index| &view.attempts[index]);
    let ms = |span: std::time::Duration| format!("{:.1} ms", span.as_micros() as f64 / 1000.0);
    let timing = context.fill(
        t.timing,
        &[
            ("resolve", &ms(attempt.timing.resolve)),
            ("connect", &ms(attempt.timing.connect)),
            ("wait", &ms(attempt.timing.wait)),
            ("read", &ms(attempt.timing.read)),
        ],
    );
    let class = match attempt.outcome {
        Outcome::Delivered => "delivered",
        Outcome::Refused => "dead",
        Outcome::Unreachable => "waiting",
    };
    html! {
        details.attempt open[open] {
            summary {
                "#" (attempt.number) " "
                span class={ "badge " (class) } { (context.texts.states.of(&attempt.outcome.to_string())) }
                @if let Some(status) = attempt.status { " " span.mono { (status) } }
                " " (context.exact(attempt.started)) " " span.dim { (ms(attempt.timing.total)) }
            }
            @if let Some(error) = &attempt.error { p.problem { (context.said(error)) } }
            @if let Some(earlier) = earlier {
                p {
                    a href={ "/attempts/" (context.box_id.attempt(earlier.id)) "/diff/" (context.box_id.attempt(attempt.id)) } {
                        (context.fill(t.compare, &[("number", &earlier.number)]))
                    }
                }
            }
            p.dim { (timing) }
            div.both {
                div {
                    h3 { (t.request_headers) }
                    (headers(context, &attempt.request_headers))
                }
                @if attempt.status.is_some() {
                    div {
                        h3 { (t.reply_headers) }
                        (headers(context, &attempt.response_headers))
                        h3 { @if attempt.response_truncated { (t.reply_body_cut) } @else { (t.reply_body) } }
                        @if attempt.response_body.is_empty() {
                            p.dim { (words.empty) }
                        } @else {
                            (text(context, &String::from_utf8_lossy(&attempt.response_body)))
                        }
                    }
                }
            }
        }
    }
}
