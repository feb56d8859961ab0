//! The list of deliveries: filters as a form and as a URL one can keep, page by page.

use std::sync::Arc;

use maud::{Markup, html};

use super::parts::{asked, delivery_table, with_place};
use super::{Around, frame};
use crate::model::delivery::{DeliveryRecord, State};
use crate::store::Directory;

pub(in crate::status) struct DeliveriesView<'a> {
    /// The query as it came; the form shows it again.
    pub(in crate::status) query: &'a str,
    pub(in crate::status) rows: Vec<DeliveryRecord>,
    pub(in crate::status) more: bool,
    pub(in crate::status) directory: Arc<Directory>,
}

pub(in crate::status) fn deliveries(around: &Around<'_>, view: &DeliveriesView<'_>) -> String {
    let box_id = around.box_id;
    let asked = |name: &str| asked(view.query, name);
    let main = html! {
        h1 { "Deliveries" }
        (filters(view, &asked))
        @if view.rows.is_empty() {
            p.empty { "No deliveries match." }
        } @else {
            div #rows data-live {
                (delivery_table(around, &view.rows, around.may_change.then_some("chosen")))
            }
            @if around.may_change { (actions(around, view.query)) }
        }
        nav.pages aria-label="Pages of the list" {
            @if !asked("before").is_empty() {
                a href={ "/deliveries?" (with_place(view.query, "before", None)) } { "Newest" }
            }
            @if view.more && let Some(last) = view.rows.last() {
                a rel="next" href={ "/deliveries?" (with_place(view.query, "before", Some(&box_id.delivery(last.id)))) } {
                    "Older"
                }
            }
        }
    };
    frame(around, "Deliveries", "/deliveries", &main)
}

/// What can be done with those that are chosen, and with all that the filter names.
fn actions(around: &Around<'_>, query: &str) -> Markup {
    html! {
        div.bulk {
            form #chosen method="post" action="/replays/chosen" {
                input type="hidden" name="token" value=(around.token);
                button.quiet type="submit" { "Replay those chosen" }
            }
            @if can_be_chosen(query) {
                a.button href={ "/replays/new?" (with_place(query, "before", None)) } { "Replay all that match…" }
            }
        }
    }
}

fn filters(view: &DeliveriesView<'_>, asked: &dyn Fn(&str) -> String) -> Markup {
    let states: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
    let endpoints: Vec<&str> = view
        .directory
        .endpoints()
        .iter()
        .map(|e| e.name.as_str())
        .collect();
    let sources: Vec<&str> = view
        .directory
        .sources()
        .iter()
        .map(|s| s.name.as_str())
        .collect();
    html! {
        form.filters method="get" action="/deliveries" {
            (choice("State", "state", &states, &asked("state")))
            (choice("Endpoint", "endpoint", &endpoints, &asked("endpoint")))
            (choice("Source", "source", &sources, &asked("source")))
            label { span { "Type" } input name="type" value=(asked("type")) placeholder="push" autocomplete="off"; }
            label { span { "Since" } input name="since" value=(asked("since")) placeholder="7d" autocomplete="off"; }
            label { span { "Until" } input name="until" value=(asked("until")) placeholder="1h" autocomplete="off"; }
            @if !asked("replay").is_empty() { input type="hidden" name="replay" value=(asked("replay")); }
            @if !asked("mended").is_empty() { input type="hidden" name="mended" value=(asked("mended")); }
            button type="submit" { "Filter" }
            a href="/deliveries" { "Clear" }
        }
    }
}

fn choice(label: &str, name: &str, options: &[&str], chosen: &str) -> Markup {
    // A removed endpoint or source can still be asked for.
    let foreign = !chosen.is_empty() && !options.contains(&chosen);
    html! {
        label {
            span { (label) }
            select name=(name) {
                option value="" { "any" }
                @for option in options {
                    option value=(option) selected[*option == chosen] { (option) }
                }
                @if foreign { option value=(chosen) selected { (chosen) } }
            }
        }
    }
}

/// Whether a replay can be asked for by this filter: not by another replay, or by what is mended.
fn can_be_chosen(query: &str) -> bool {
    let mut fields = form_urlencoded::parse(query.as_bytes());
    !fields.any(|(name, value)| {
        (matches!(name.as_ref(), "replay" | "mended") && !value.is_empty())
            || (name == "state" && value == "pending")
    })
}
