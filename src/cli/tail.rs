//! `hookbox tail`: prints what happens, while it happens.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::Args;

use super::Context;
use super::output::harmless;
use super::settings::{OfFeed, Options};
use crate::error::Result;
use crate::model::attempt::Outcome;
use crate::model::delivery::State;
use crate::model::id::BoxId;
use crate::model::settings::{Listing, Selection};
use crate::store::{FeedEvent, Follower};
use crate::time::{Timestamp, show_span};

/// How often new events are looked up.
const PERIOD: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(super) struct TailArguments {
    /// Begin with so many of the latest, 1000 at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=1000))]
    limit: u16,
    #[command(flatten)]
    conditions: Options<OfFeed>,
    /// Print the latest and end
    #[arg(long)]
    no_follow: bool,
}

/// Prints until the user interrupts it, or nobody reads the output any more.
#[allow(
    clippy::disallowed_methods,
    reason = "another process does what is followed, and cannot tell"
)]
pub(super) fn run(context: &Context, arguments: &TailArguments) -> Result<()> {
    let store = context.store()?;
    let pairs = arguments.conditions.read(context)?.pairs;
    let selection = Selection::read(Listing::Feed, &pairs, store.box_id(), context.now())?;
    let (mut follower, latest) = Follower::from_now(&store, selection, arguments.limit.into())?;
    let manner = if context.out.is_json() || !context.out.is_shown() {
        Manner::Json
    } else if context.out.is_coloured() {
        Manner::Coloured
    } else {
        Manner::Plain
    };
    let print = |feed_events: Vec<FeedEvent>| {
        let mut text = String::new();
        for feed_event in feed_events {
            text.push_str(&line(manner, &feed_event, store.box_id(), context.now()));
            text.push('\n');
        }
        context.out.reaches(text.as_bytes())
    };
    let mut is_read = print(latest)?;
    while is_read && !arguments.no_follow {
        let news = follower.next(&store)?;
        if news.unseen > 0 {
            context.out.note(&format!(
                "{} attempts passed too fast to be shown; they are in the lists",
                news.unseen
            ));
        }
        if news.is_empty {
            std::thread::sleep(PERIOD);
        }
        is_read = print(news.feed_events)?;
    }
    Ok(())
}

/// Output form: JSON, unless a person at a terminal reads it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Json,
    Plain,
    Coloured,
}

fn line(manner: Manner, feed_event: &FeedEvent, box_id: &BoxId, now: Timestamp) -> String {
    if manner == Manner::Json {
        return feed_event.json(box_id, now).to_string();
    }
    let line = feed_line(feed_event, box_id);
    let at = feed_event.at().to_string();
    let at = at.get(..19).unwrap_or(&at).replace('T', " ");
    if manner == Manner::Plain {
        return format!("{at}  {:<11}  {}", line.what, line.text);
    }
    let (dim, style) = (Style::new().dimmed(), line.style);
    format!(
        "{dim}{at}{dim:#}  {style}{:<11}{style:#}  {}",
        line.what, line.text
    )
}

/// The text that a person gets for a feed event.
struct FeedLine {
    what: &'static str,
    style: Style,
    text: String,
}

fn feed_line(feed_event: &FeedEvent, box_id: &BoxId) -> FeedLine {
    let style = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
    let (what, style, text) = match feed_event {
        FeedEvent::Event(event) => {
            let from = event.source.as_deref().unwrap_or("-");
            let id = box_id.event(event.id);
            let text = format!("{id}  {from}  {}  {}", event.event_type, event.summary());
            ("event", style(AnsiColor::Cyan), text)
        }
        FeedEvent::Attempt(tried) => {
            let (attempt, delivery) = tried.as_ref();
            let color = match attempt.outcome {
                Outcome::Delivered => AnsiColor::Green,
                Outcome::Refused => AnsiColor::Red,
                Outcome::Unreachable => AnsiColor::Yellow,
            };
            let mut text = format!(
                "{}  {}  {}  #{}",
                box_id.delivery(delivery.id),
                delivery.endpoint,
                delivery.event_type,
                attempt.number
            );
            if let Some(status) = attempt.status {
                text.push_str(&format!("  {status}"));
            }
            let ms = attempt.timing.total.as_millis();
            text.push_str(&format!("  {ms} ms"));
            if let Some(error) = &attempt.error {
                text.push_str(&format!("  {error}"));
            }
            // Only for the last attempt: after an older one there were others.
            if delivery.state == State::Dead && delivery.attempts == attempt.number {
                text.push_str("  (gave up)");
            }
            (attempt.outcome.name(), style(color), text)
        }
        FeedEvent::OutageBegan(outage) => {
            let text = format!("{}  {}", outage.endpoint, outage.error);
            ("offline", style(AnsiColor::Yellow), text)
        }
        FeedEvent::OutageEnded(outage) => {
            let lasted = feed_event.at().since(outage.since);
            let lasted = show_span(Duration::from_secs(lasted.as_secs().max(1)));
            let text = format!(
                "{}  after {lasted} and {} probes",
                outage.endpoint, outage.probes
            );
            match outage.ended_by_removal {
                false => ("online", style(AnsiColor::Green), text),
                true => ("removed", style(AnsiColor::Yellow), text),
            }
        }
    };
    FeedLine {
        what,
        style,
        text: harmless(&text),
    }
}
