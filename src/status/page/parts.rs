//! Small parts that several pages share.

use std::time::Duration;

use maud::{Markup, html};

use super::context::PageContext;
use super::texts::{fill, link_in};
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::endpoint::Hour;
use crate::model::header::{Header, holds_secret};
use crate::time::Timestamp;

/// Returns the value of a name in a query.
pub(super) fn asked(query: &str, name: &str) -> String {
    let pair = form_urlencoded::parse(query.as_bytes()).find(|(held, _)| held == name);
    pair.map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Shows how far back a search looked, if not to the end.
pub(super) fn looked_back(context: &PageContext<'_>, to: Option<Timestamp>) -> Markup {
    let text = context.texts.words.looked_back;
    html! {
        @if let Some(to) = to {
            p.dim { (link_in(text, &[("when", &context.moment(to))])) }
        }
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
pub(super) fn badge(state: State, waiting: Option<&str>) -> Markup {
    html! {
        span class={ "badge " (state.name()) } { (state.name()) }
        @if let Some(why) = waiting { " " span.badge.waiting { (why) } }
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
    html! {
        form method="post" action=(path) {
            input type="hidden" name="token" value=(context.token);
            button id=(id) class=(class) type="submit" { (label) }
        }
    }
}

/// Shows a progress bar, with the figures beside it.
pub(super) fn progress(context: &PageContext<'_>, done: i64, total: i64, label: &str) -> Markup {
    let said = fill(
        context.texts.words.done_of,
        &[("done", &done), ("total", &total)],
    );
    html! { progress max=(total.max(1)) value=(done) aria-label=(label) { (said) } }
}

/// Shows the attempts of the last 24 hours as a chart, one column an hour.
///
/// A column shows what was delivered and above it what was refused. The sums are beside the chart for users
/// who cannot see it.
pub(super) fn last_day(context: &PageContext<'_>, hours: &[Hour]) -> Markup {
    const HOUR: Duration = Duration::from_secs(3_600);
    const HEIGHT: i64 = 24;
    let (now, words) = (context.now, &context.texts.words);
    let since = now.minus(HOUR * 24);
    let hours: Vec<&Hour> = hours.iter().filter(|hour| hour.began > since).collect();
    let most = hours
        .iter()
        .map(|hour| hour.delivered + hour.refused)
        .max()
        .unwrap_or(0);
    let delivered: i64 = hours.iter().map(|hour| hour.delivered).sum();
    let refused: i64 = hours.iter().map(|hour| hour.refused).sum();
    let tall = |count: i64| {
        // Even the smallest count must be visible.
        if count == 0 {
            0
        } else {
            (count * HEIGHT / most.max(1)).max(1)
        }
    };
    let label = fill(
        words.last_day,
        &[("delivered", &delivered), ("refused", &refused)],
    );
    html! {
        @if most == 0 {
            (words.dash)
        } @else {
            svg.day role="img" viewBox="0 0 96 24" width="96" height="24" aria-label=(label) {
                @for hour in hours {
                    @let ago = now.since(hour.began).as_secs() / HOUR.as_secs();
                    @let x = 92 - 4 * i64::try_from(ago.min(23)).unwrap_or(0);
                    @let (good, bad) = (tall(hour.delivered), tall(hour.refused).min(HEIGHT));
                    @let good = good.min(HEIGHT - bad);
                    rect.good x=(x) y=(HEIGHT - good) width="3" height=(good) {}
                    rect.bad x=(x) y=(HEIGHT - good - bad) width="3" height=(bad) {}
                }
            }
        }
    }
}

/// Shows deliveries as a table, with checkboxes that choose some of them for the form with that id.
pub(super) fn delivery_table(
    context: &PageContext<'_>,
    rows: &[DeliveryRecord],
    chosen_for: Option<&str>,
) -> Markup {
    let PageContext { box_id, now, .. } = *context;
    let (t, dash) = (&context.texts.deliveries, context.texts.words.dash);
    let rows = html! {
        @for row in rows {
            @let id = box_id.delivery(row.id);
            tr {
                @if let Some(form) = chosen_for {
                    td.choose {
                        @if row.state != State::Pending {
                            input type="checkbox" name="id" value=(id) form=(form)
                                aria-label=(fill(t.choose_one, &[("number", &row.id.0)]));
                        }
                    }
                }
                td data-label=(t.delivery) { a.mono href={ "/deliveries/" (id) } title=(id) { "#" (row.id.0) }
                    @if row.replay_of.is_some() { " " span.dim { (t.is_replay) } } }
                td data-label=(t.state) {
                    (badge(row.state, row.waiting(now)))
                    @if let Some(by) = row.superseded_by {
                        " " a.badge.delivered href={ "/deliveries/" (box_id.delivery(by)) } { (t.is_superseded) }
                    }
                    @if let Some(reason) = &row.reason { div.reason title=(reason) { (reason) } }
                }
                td data-label=(t.what) { (row.summary) div.dim { (row.event_type) } }
                td data-label=(t.source) { (row.source.as_deref().unwrap_or(dash)) }
                td data-label=(t.endpoint) { (row.endpoint) }
                td data-label=(t.tries) { (row.tries) }
                td data-label=(t.made) { (context.moment(row.created)) }
                td data-label=(t.due_or_settled) {
                    @if let Some(at) = row.due.or(row.settled) { (context.moment(at)) }
                }
            }
        }
    };
    let columns = [
        t.delivery,
        t.state,
        t.what,
        t.source,
        t.endpoint,
        t.tries,
        t.made,
        t.due_or_settled,
    ];
    let Some(form) = chosen_for else {
        return table(&columns, &rows);
    };
    html! {
        // Shown by the script.
        label.check.all { input type="checkbox" data-all=(form); span { (t.choose_all) } }
        (table(&[&[t.choose], columns.as_slice()].concat(), &rows))
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
