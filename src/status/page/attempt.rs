//! Two attempts side by side.

use maud::{Markup, html};

use super::{Around, frame};
use crate::model::diff::{Diff, Line, Pair, Side, Whose};

pub(in crate::status) fn difference(
    around: &Around<'_>,
    a: &Side,
    b: &Side,
    diff: &Diff,
) -> String {
    let name = |side: &Side| {
        let delivery = around.box_id.delivery(side.delivery.id);
        html! {
            a href={ "/deliveries/" (delivery) } { "delivery " (side.delivery.id.0) ", attempt " (side.attempt.number) }
        }
    };
    let main = html! {
        h1 { "Two attempts" }
        p.dim { "What differs is marked." }
        (pairs("What happened", &name(a), &name(b), &diff.facts))
        (pairs("Request headers", &name(a), &name(b), &diff.request_headers))
        (body("Body of the event", &diff.request_body))
        (pairs("Reply headers", &name(a), &name(b), &diff.response_headers))
        (body("Body of the reply", &diff.response_body))
    };
    frame(around, "Two attempts", "", &main)
}

fn pairs(title: &str, a: &Markup, b: &Markup, pairs: &[Pair]) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if pairs.is_empty() {
                p.dim { "none" }
            } @else {
                div.scroll {
                    table.headers {
                        thead { tr { th scope="col" { "Name" } th scope="col" { (a) } th scope="col" { (b) } th scope="col" { "" } } }
                        tbody {
                            @for pair in pairs {
                                tr class=[pair.differs().then_some("differs")] {
                                    th scope="row" { (pair.name) }
                                    td { (pair.a.as_deref().unwrap_or("–")) }
                                    td { (pair.b.as_deref().unwrap_or("–")) }
                                    td { @if pair.differs() { "differs" } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn body(title: &str, lines: &[Line]) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if lines.is_empty() {
                p.dim { "the same" }
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
