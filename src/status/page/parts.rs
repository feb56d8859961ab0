//! Small pieces that several pages show the same way.

use std::time::Duration;

use maud::{Markup, html};

use super::Around;
use crate::model::delivery::{DeliveryRecord, State};
use crate::model::endpoint::Hour;
use crate::model::header::{Header, holds_secret};
use crate::time::Timestamp;

/// What a query says under a name.
pub(super) fn asked(query: &str, name: &str) -> String {
    let pair = form_urlencoded::parse(query.as_bytes()).find(|(held, _)| held == name);
    pair.map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// A list's query with another place to begin, or with none.
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

/// A state as a coloured word; colour is never the only sign.
pub(super) fn badge(state: State, waiting: Option<&str>) -> Markup {
    html! {
        span class={ "badge " (state.name()) } { (state.name()) }
        @if let Some(why) = waiting { " " span.badge.waiting { (why) } }
    }
}

/// A moment: how long ago or ahead, with the exact time beside it for whoever points at it.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> Markup {
    let exact = at.to_string();
    html! { time datetime=(exact) title=(exact) { (distance(at, now)) } }
}

/// A moment written out: date, time to the second, and the distance.
pub(super) fn exact(at: Timestamp, now: Timestamp) -> Markup {
    let text = at.to_string();
    let shown = text.get(..19).unwrap_or(&text).replace('T', " ");
    html! { time datetime=(text) title=(text) { (shown) } " " span.dim { "(" (distance(at, now)) ")" } }
}

/// A distance in the largest fitting unit: `3 min ago`, `in 2 h`.
pub(super) fn distance(at: Timestamp, now: Timestamp) -> String {
    let ahead = at > now;
    let span = if ahead { at.since(now) } else { now.since(at) };
    let seconds = span.as_secs();
    let text = match seconds {
        0 => {
            return if ahead {
                "in a moment".to_owned()
            } else {
                "just now".to_owned()
            };
        }
        1..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    };
    if ahead {
        format!("in {text}")
    } else {
        format!("{text} ago")
    }
}

/// How long something lasts, in the largest fitting unit.
pub(super) fn lasting(since: Timestamp, now: Timestamp) -> String {
    distance(since, now)
        .trim_end_matches(" ago")
        .replace("just now", "a moment")
}

/// A size in the largest fitting unit.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// Headers as a table; values that are credentials are hidden.
pub(super) fn headers(rows: &[Header]) -> Markup {
    html! {
        @if rows.is_empty() {
            p.dim { "none" }
        } @else {
            div.scroll {
                table.headers {
                    tbody {
                        @for (name, value) in rows {
                            tr {
                                th scope="row" { (name) }
                                td { @if holds_secret(name) { span.dim { "hidden" } } @else { (value) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A table of these columns; each becomes a card on a phone.
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

/// A button that does something: a form of its own.
pub(super) fn button(around: &Around<'_>, path: &str, label: &str, class: &str) -> Markup {
    let id = label.to_lowercase().replace(' ', "-");
    html! {
        form method="post" action=(path) {
            input type="hidden" name="token" value=(around.token);
            button id=(id) class=(class) type="submit" { (label) }
        }
    }
}

/// A bar that shows how much of something is done; the figures are beside it.
pub(super) fn progress(done: i64, total: i64, label: &str) -> Markup {
    html! { progress max=(total.max(1)) value=(done) aria-label=(label) { (done) " of " (total) } }
}

/// The attempts of the last 24 hours, a column an hour: what was delivered, and above it what was
/// refused. The sums are beside it for whoever does not see it.
pub(super) fn last_day(hours: &[Hour], now: Timestamp) -> Markup {
    const HOUR: Duration = Duration::from_secs(3_600);
    const HEIGHT: i64 = 24;
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
        // The least that is there is seen.
        if count == 0 {
            0
        } else {
            (count * HEIGHT / most.max(1)).max(1)
        }
    };
    html! {
        @if most == 0 {
            "–"
        } @else {
            svg.day role="img" viewBox="0 0 96 24" width="96" height="24"
                aria-label={ "last 24 hours: " (delivered) " delivered, " (refused) " refused" } {
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

/// Deliveries as a table; with boxes to choose some of them for the form of that id.
pub(super) fn delivery_table(
    around: &Around<'_>,
    rows: &[DeliveryRecord],
    chosen_for: Option<&str>,
) -> Markup {
    let Around { box_id, now, .. } = *around;
    let rows = html! {
        @for row in rows {
            @let id = box_id.delivery(row.id);
            tr {
                @if let Some(form) = chosen_for {
                    td.choose {
                        @if row.state != State::Pending {
                            input type="checkbox" name="id" value=(id) form=(form)
                                aria-label={ "Choose delivery " (row.id.0) };
                        }
                    }
                }
                td data-label="Delivery" { a.mono href={ "/deliveries/" (id) } title=(id) { "#" (row.id.0) }
                    @if row.replay_of.is_some() { " " span.dim { "replay" } } }
                td data-label="State" {
                    (badge(row.state, row.waiting(now)))
                    @if let Some(by) = row.mended_by {
                        " " a.badge.delivered href={ "/deliveries/" (box_id.delivery(by)) } { "mended" }
                    }
                    @if let Some(reason) = &row.reason { div.reason title=(reason) { (reason) } }
                }
                td data-label="What" { (row.summary) div.dim { (row.event_type) } }
                td data-label="Source" { (row.source.as_deref().unwrap_or("–")) }
                td data-label="Endpoint" { (row.endpoint) }
                td data-label="Tries" { (row.tries) }
                td data-label="Made" { (moment(row.created, now)) }
                td data-label="Due or settled" {
                    @if let Some(at) = row.due.or(row.settled) { (moment(at, now)) }
                }
            }
        }
    };
    let choose: &[&str] = if chosen_for.is_some() {
        &["Choose"]
    } else {
        &[]
    };
    let columns = choose.iter().copied().chain([
        "Delivery",
        "State",
        "What",
        "Source",
        "Endpoint",
        "Tries",
        "Made",
        "Due or settled",
    ]);
    table(&columns.collect::<Vec<&str>>(), &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_and_sizes_read_well() {
        let now = Timestamp(1_000_000_000);
        let rows = [
            (0, "just now"),
            (-5_000, "5 s ago"),
            (-180_000, "3 min ago"),
            (7_200_000, "in 2 h"),
            (-900_000_000, "10 d ago"),
            (400, "in a moment"),
        ];
        for (offset, expected) in rows {
            assert_eq!(distance(Timestamp(now.0 + offset), now), expected);
        }
        assert_eq!(size(1_023), "1023 B");
        assert_eq!(size(3_081), "3.0 KiB");
    }
}
