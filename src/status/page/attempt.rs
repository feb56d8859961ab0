//! Two attempts side by side.

use maud::{Markup, html};

use super::context::PageContext;
use super::frame::frame;
use crate::model::attempt::AttemptRecord;
use crate::model::diff::{Diff, Line, Pair, Side, Whose};
use crate::model::id::AttemptId;

pub(in crate::status) fn difference(
    context: &PageContext<'_>,
    a: &Side,
    b: &Side,
    diff: &Diff,
    attempts: &[AttemptRecord],
) -> String {
    let t = &context.texts.difference;
    let others = choice_of_two(context, attempts, Some((a.attempt.id, b.attempt.id)));
    let name = |side: &Side| {
        let delivery = context.box_id.delivery(side.delivery.id);
        let (id, number) = (side.delivery.id.0, side.attempt.number);
        html! {
            a href={ "/deliveries/" (delivery) } { (context.fill(t.attempt, &[("delivery", &id), ("attempt", &number)])) }
        }
    };
    let (a, b) = (name(a), name(b));
    let main = html! {
        h1 { (t.title) }
        p.dim { (t.marked) }
        (others)
        (pairs(context, t.facts, &a, &b, &diff.facts, |name| of_fact(context, name)))
        (pairs(context, t.request_headers, &a, &b, &diff.request_headers, str::to_owned))
        (body(context, t.request_body, &diff.request_body))
        (pairs(context, t.reply_headers, &a, &b, &diff.response_headers, str::to_owned))
        (body(context, t.reply_body, &diff.response_body))
    };
    frame(context, t.title, "/deliveries", &main)
}

/// Lets any two attempts be compared, where there are two.
pub(super) fn choice_of_two(
    context: &PageContext<'_>,
    attempts: &[AttemptRecord],
    chosen: Option<(AttemptId, AttemptId)>,
) -> Markup {
    let t = &context.texts.difference;
    let [first, .., last] = attempts else {
        return html! {};
    };
    let (a, b) = chosen.unwrap_or((first.id, last.id));
    let is_of_one = attempts
        .iter()
        .all(|attempt| attempt.delivery == first.delivery);
    let choice = |name: &str, chosen: AttemptId, label: &str| {
        html! {
            label {
                span { (label) }
                select name=(name) {
                    @for attempt in attempts {
                        @let id = context.box_id.attempt(attempt.id);
                        option value=(id) selected[attempt.id == chosen] {
                            "#" (attempt.number)
                            @if !is_of_one { " " (context.fill(t.attempt, &[("delivery", &attempt.delivery.0), ("attempt", &attempt.number)])) }
                            @if let Some(status) = attempt.status { " · " (status) }
                        }
                    }
                }
            }
        }
    };
    html! {
        form.filters method="get" action="/attempts/compare" {
            (choice("a", a, t.first))
            (choice("b", b, t.second))
            button.quiet type="submit" { (t.compare) }
        }
    }
}

/// The label of a fact of an attempt.
fn of_fact(context: &PageContext<'_>, name: &str) -> String {
    let (t, texts) = (&context.texts.difference, &context.texts);
    let label = match name {
        "delivery" => t.delivery,
        "event" => texts.delivery.event,
        "endpoint" => texts.delivery.endpoint,
        "outcome" => t.outcome,
        "status" => t.status,
        "error" => t.error,
        "duration_ms" => t.took,
        name => name,
    };
    label.to_owned()
}

fn pairs(
    context: &PageContext<'_>,
    title: &str,
    a: &Markup,
    b: &Markup,
    pairs: &[Pair],
    label: impl Fn(&str) -> String,
) -> Markup {
    let (t, words) = (&context.texts.difference, &context.texts.words);
    html! {
        section {
            h2 { (title) }
            @if pairs.is_empty() {
                p.dim { (words.none) }
            } @else {
                div.scroll {
                    table.headers.pairs {
                        thead { tr { th scope="col" { (words.name) } th scope="col" { (a) } th scope="col" { (b) } th scope="col" { "" } } }
                        tbody {
                            @for pair in pairs {
                                tr class=[pair.differs().then_some("differs")] {
                                    th scope="row" { (label(&pair.name)) }
                                    td { (pair.a.as_deref().unwrap_or(words.dash)) }
                                    td { (pair.b.as_deref().unwrap_or(words.dash)) }
                                    td { @if pair.differs() { (t.differs) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn body(context: &PageContext<'_>, title: &str, lines: &[Line]) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if lines.is_empty() {
                p.dim { (context.texts.difference.same) }
            } @else {
                pre.diff tabindex="0" {
                    @for line in lines {
                        @match line.whose {
                            Whose::Both => { "  " (line.text) "\n" }
                            Whose::A => del { "- " (line.text) "\n" },
                            Whose::B => ins { "+ " (line.text) "\n" },
                        }
                    }
                }
            }
        }
    }
}
