//! Charts of attempts by the hour: a small one for a line of a list, and one with axes.

use std::time::Duration;

use maud::{Markup, html};

use super::context::PageContext;
use crate::model::endpoint::Hour;
use crate::store::OutageRecord;
use crate::time::Timestamp;

const HOUR: Duration = Duration::from_secs(3_600);

/// Hours that a chart shows.
const HOURS: i64 = 24;

/// Shows the attempts of the last 24 hours as a chart, one column an hour.
///
/// A column shows what was delivered and above it what was refused. The sums are beside the chart for users
/// who cannot see it.
pub(super) fn last_day(context: &PageContext<'_>, hours: &[Hour]) -> Markup {
    const HEIGHT: i64 = 24;
    let columns = columns(context.now, hours);
    let most = most(&columns);
    html! {
        @if most == 0 {
            (context.texts.words.dash)
        } @else {
            svg.day role="img" viewBox="0 0 96 24" width="96" height="24" aria-label=(sums(context, &columns)) {
                @for column in &columns { (bars(column, 4, HEIGHT, most, 0)) }
            }
        }
    }
}

/// Shows the same of all endpoints, with axes, and the outages below.
pub(super) fn of_all(
    context: &PageContext<'_>,
    hours: &[Hour],
    outages: &[OutageRecord],
) -> Markup {
    const LEFT: i64 = 60;
    const WIDE: i64 = 44;
    const HEIGHT: i64 = 96;
    const TOP: i64 = 20;
    let columns = columns(context.now, hours);
    let most = most(&columns);
    let t = &context.texts.chart;
    let right = LEFT + WIDE * HOURS;
    let begin = columns.first().map_or(context.now, |column| column.began);
    let x_of = |at: Timestamp| {
        let part = at.max(begin).since(begin).as_secs_f64() / (HOURS as f64 * 3_600.0);
        LEFT + (part * (right - LEFT) as f64) as i64
    };
    let shown: Vec<&OutageRecord> = outages
        .iter()
        .filter(|outage| outage.ended.is_none_or(|ended| ended > begin))
        .collect();
    let below = TOP + HEIGHT;
    let lines = if shown.is_empty() { 0 } else { 10 };
    let height = below + 30 + lines;
    html! {
        @if most > 0 || !shown.is_empty() {
            p.legend {
                @for (class, name) in [("good", t.delivered), ("bad", t.refused), ("out", t.offline)] {
                    span class=(class) { (name) } " "
                }
            }
            svg.chart role="img" viewBox={ "0 0 " (right + 12) " " (height) } aria-label=(sums(context, &columns)) {
                line.axis x1=(LEFT) y1=(TOP) x2=(right) y2=(TOP) {}
                text x=(LEFT - 6) y=(TOP + 4) text-anchor="end" { (most) }
                text x=(LEFT - 6) y=(below + 4) text-anchor="end" { "0" }
                @for column in &columns {
                    g transform={ "translate(" (LEFT) " " (TOP) ")" } {
                        (bars(column, WIDE, HEIGHT, most, 3))
                    }
                }
                line.axis x1=(LEFT) y1=(below) x2=(right) y2=(below) {}
                @for outage in shown {
                    @let (from, to) = (x_of(outage.since), x_of(outage.ended.unwrap_or(context.now)));
                    rect.out x=(from) y=(below + 4) width=((to - from).max(2)) height="5" {
                        title { (outage.endpoint) ": " (context.texts.say(&outage.error)) }
                    }
                }
                @for column in columns.iter().filter(|column| column.place % 6 == 5) {
                    text x=(LEFT + WIDE * column.place) y=(below + lines + 22) text-anchor="middle" {
                        (context.hour(column.began))
                    }
                }
            }
        }
    }
}

/// One hour of a chart.
struct Column {
    /// From 0, the oldest, to 23.
    place: i64,
    began: Timestamp,
    delivered: i64,
    refused: i64,
}

/// The last 24 hours, also those without attempts.
fn columns(now: Timestamp, hours: &[Hour]) -> Vec<Column> {
    let this = now.minus(Duration::from_millis(
        now.0.rem_euclid(3_600_000).unsigned_abs(),
    ));
    (0..HOURS)
        .map(|place| {
            let ago = u32::try_from(HOURS - 1 - place).unwrap_or_default();
            let began = this.minus(HOUR * ago);
            let of_hour = hours.iter().filter(|hour| hour.began == began);
            let (delivered, refused) = of_hour.fold((0, 0), |(delivered, refused), hour| {
                (delivered + hour.delivered, refused + hour.refused)
            });
            Column {
                place,
                began,
                delivered,
                refused,
            }
        })
        .collect()
}

fn most(columns: &[Column]) -> i64 {
    let all = columns
        .iter()
        .map(|column| column.delivered + column.refused);
    all.max().unwrap_or(0)
}

fn bars(column: &Column, wide: i64, height: i64, most: i64, gap: i64) -> Markup {
    // Even the smallest count must be visible.
    let tall = |count: i64| match count {
        0 => 0,
        count => (count * height / most.max(1)).max(1),
    };
    let bad = tall(column.refused).min(height);
    let good = tall(column.delivered).min(height - bad);
    let (x, width) = (column.place * wide + gap, wide - 1 - 2 * gap);
    html! {
        @if good > 0 { rect.good x=(x) y=(height - good) width=(width) height=(good) {} }
        @if bad > 0 { rect.bad x=(x) y=(height - good - bad) width=(width) height=(bad) {} }
    }
}

fn sums(context: &PageContext<'_>, columns: &[Column]) -> String {
    let delivered: i64 = columns.iter().map(|column| column.delivered).sum();
    let refused: i64 = columns.iter().map(|column| column.refused).sum();
    context.fill(
        context.texts.words.last_day,
        &[("delivered", &delivered), ("refused", &refused)],
    )
}
