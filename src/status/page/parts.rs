//! Small parts that several pages share.

use maud::{Markup, html};

use super::context::PageContext;
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::header::{Header, holds_secret};
use crate::time::Timestamp;

/// Returns the value of a name in a query.
pub(in crate::status) fn asked(query: &str, name: &str) -> String {
    let pair = form_urlencoded::parse(query.as_bytes()).find(|(held, _)| held == name);
    pair.map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Shows how far back a search looked, if not to the end.
pub(super) fn looked_back(context: &PageContext<'_>, to: Option<Timestamp>) -> Markup {
    let text = context.texts.words.looked_back;
    html! {
        @if let Some(to) = to {
            p.dim { (context.link_in(text, &[("when", &context.moment(to))])) }
        }
    }
}

/// Returns a query without a name.
pub(in crate::status) fn without(query: &str, name: &str) -> String {
    match asked(query, name).is_empty() {
        true => query.to_owned(),
        false => with_place(query, name, None),
    }
}

/// Returns a list's query with another cursor, or with none.
pub(super) fn with_place(query: &str, name: &str, place: Option<&str>) -> String {
    let kept = form_urlencoded::parse(query.as_bytes())
        .filter(|(held, value)| held != name && !value.is_empty());
    let mut next = form_urlencoded::Serializer::new(String::new());
    next.extend_pairs(kept);
    if let Some(place) = place {
        next.append_pair(name, place);
    }
    next.finish()
}

/// Shows a state as a coloured word; colour is never the only sign.
pub(super) fn badge(context: &PageContext<'_>, state: State, waiting: Option<&str>) -> Markup {
    let t = &context.texts.states;
    html! {
        span class={ "badge " (state.name()) } { (t.of(state.name())) }
        @if let Some(why) = waiting { " " span.badge.waiting { (t.of(why)) } }
    }
}

/// Tells when a window opens, if it ever does.
pub(super) fn opens_at(context: &PageContext<'_>, opens: Option<Timestamp>) -> Markup {
    let t = &context.texts.overview;
    match opens {
        Some(until) => context.link_in(t.opens, &[("when", &context.moment(until))]),
        None => html! { (t.never_opens) },
    }
}

/// Returns a size in the largest fitting unit.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// Shows headers as a table; the values of credentials are hidden.
pub(super) fn headers(context: &PageContext<'_>, rows: &[Header]) -> Markup {
    let words = &context.texts.words;
    html! {
        @if rows.is_empty() {
            p.dim { (words.none) }
        } @else {
            div.scroll {
                table.headers {
                    tbody {
                        @for (name, value) in rows {
                            tr {
                                th scope="row" { (name) }
                                td { @if holds_secret(name) { span.dim { (words.hidden) } } @else { (value) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Shows a table with these columns; on a phone each row becomes a card.
pub(super) fn table(columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll {
            table.rows {
                thead { tr { @for name in columns { th scope="col" { (name) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// Makes a button that performs an action: a form of its own.
///
/// `id` is for scripts, and is the same in every language.
pub(super) fn button(
    context: &PageContext<'_>,
    path: &str,
    id: &str,
    label: &str,
    class: &str,
) -> Markup {
    let button = html! { button id=(id) class=(class) type="submit" { (label) } };
    action(context, path, &button)
}

/// Makes a small button that performs an action and comes back to this page, or goes where the action leads.
pub(super) fn button_back(
    context: &PageContext<'_>,
    path: &str,
    label: &str,
    back: &str,
) -> Markup {
    let button = html! {
        @if !back.is_empty() { input type="hidden" name="back" value=(back); }
        button.small type="submit" { (label) }
    };
    action(context, path, &button)
}

/// Makes the form of an action.
fn action(context: &PageContext<'_>, path: &str, inside: &Markup) -> Markup {
    html! {
        form method="post" action=(path) {
            input type="hidden" name="token" value=(context.token);
            (inside)
        }
    }
}

/// Makes a button that copies a text; shown by the script, which a browser asks to be on a safe address.
pub(super) fn copy(context: &PageContext<'_>, text: &str) -> Markup {
    html! { button.quiet.small type="button" data-copy=(text) { (context.texts.words.copy) } }
}

/// Shows a progress bar, with the figures beside it.
pub(super) fn progress(context: &PageContext<'_>, done: i64, total: i64, label: &str) -> Markup {
    let said = context.fill(
        context.texts.words.done_of,
        &[("done", &done), ("total", &total)],
    );
    html! { progress max=(total.max(1)) value=(done) aria-label=(label) { (said) } }
}

/// Shows deliveries as a table, a line each and the days as headings, with checkboxes that choose some of them
/// for the form with that id.
pub(super) fn delivery_table(
    context: &PageContext<'_>,
    rows: &[DeliveryRecord],
    chosen_for: Option<&str>,
) -> Markup {
    let t = &context.texts.deliveries;
    let columns = [t.state, t.what, t.endpoint, t.came, t.tries];
    html! {
        @if let Some(form) = chosen_for {
            // Shown by the script.
            label.check.all { input type="checkbox" data-all=(form); span { (t.choose_all) } }
        }
        table.rows.list {
            thead {
                tr {
                    @if chosen_for.is_some() { th.choose scope="col" { span.unseen { (t.choose) } } }
                    @for (name, class) in columns.iter().zip(["state", "what", "endpoint", "came", "tries"]) {
                        th class=(class) scope="col" { (name) }
                    }
                }
            }
            @let width = columns.len() + usize::from(chosen_for.is_some());
            (by_day(context, rows, width, |row| row.created, |row| delivery_row(context, row, chosen_for)))
        }
    }
}

/// Shows rows under the days to which they belong.
pub(super) fn by_day<T>(
    context: &PageContext<'_>,
    rows: &[T],
    columns: usize,
    at: impl Fn(&T) -> Timestamp,
    show: impl Fn(&T) -> Markup,
) -> Markup {
    let days = rows.chunk_by(|one, next| context.day(at(one)) == context.day(at(next)));
    html! {
        @for day in days {
            tbody {
                tr.date { th scope="rowgroup" colspan=(columns) { (context.day(at(&day[0]))) } }
                @for row in day { (show(row)) }
            }
        }
    }
}

fn delivery_row(
    context: &PageContext<'_>,
    row: &DeliveryRecord,
    chosen_for: Option<&str>,
) -> Markup {
    let PageContext { box_id, now, .. } = *context;
    let t = &context.texts.deliveries;
    let id = box_id.delivery(row.id);
    html! {
        tr {
            @if let Some(form) = chosen_for {
                td.choose {
                    @if row.state != State::Pending {
                        input type="checkbox" name="id" value=(id) form=(form)
                            aria-label=(context.fill(t.choose_one, &[("number", &row.id.0)]));
                    }
                }
            }
            td.state {
                (badge(context, row.state, row.waiting(now)))
                @if let Some(status) = row.status { " " span.mono { (status) } }
                @if let Some(by) = row.superseded_by {
                    " " a.badge.delivered href={ "/deliveries/" (box_id.delivery(by)) } { (t.is_superseded) }
                }
            }
            td.what {
                a href={ "/deliveries/" (id) } title=(id) { (row.summary) }
                " " span.dim { (row.event_type) }
                @if row.replay_of.is_some() { " " span.dim { "· " (t.is_replay) } }
                @if let Some(reason) = &row.reason { " " span.why title=(context.texts.say(reason)) { "· " (context.said(reason)) } }
            }
            td.endpoint title=(row.endpoint) { (row.endpoint) }
            td.came { (context.time_of_day(row.created)) }
            td.tries { (row.tries) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(1_023), "1023 B");
        assert_eq!(size(3_081), "3.0 KiB");
    }
}
