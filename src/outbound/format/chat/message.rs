//! The content of a chat message about an event, before a chat's markup is added.

use std::time::Duration;

use crate::model::activity::{Activity, Commit, Details, Tone, json_of};
use crate::model::alert::ALERT_TYPE;
use crate::model::event::summary;
use crate::model::header::{HIDDEN, holds_secret};
use crate::model::kind::SourceKind;
use crate::model::lenient;
use crate::model::sendable::SendableEvent;
use crate::signature::form::is_form;
use crate::time::{Timestamp, show_span};

use super::super::Outgoing;
use super::json_pretty::lay_out;
use super::web_url::web_url;

/// Largest body that is formatted as JSON for reading, in bytes, for events that are not from a git server.
/// Of a larger body the beginning is shown as it is.
const LAID_OUT_BYTES_MAX: usize = 64 * 1024;

/// A text and the URL that it links to.
#[derive(Debug, Clone, Default)]
pub(super) struct Link {
    pub(super) text: String,
    pub(super) url: Option<String>,
}

/// The content of a chat message about an event.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// The whole message on one line without markup: for notifications.
    pub(super) summary: String,
    /// Where it happened.
    pub(super) place: Option<Link>,
    /// Who did it.
    pub(super) actor: Option<Link>,
    /// What was done.
    pub(super) deed: Link,
    /// The title of what it is about.
    pub(super) title: Option<Link>,
    pub(super) tone: Tone,
    pub(super) commits: Vec<Commit>,
    /// How many commits are not listed, and whether there may be more.
    pub(super) commits_unlisted: usize,
    pub(super) commits_or_more: bool,
    /// Name and value.
    pub(super) fields: Vec<(&'static str, String)>,
    /// A text that a person wrote.
    pub(super) text: Option<String>,
    /// A text that a machine wrote, to be shown literally.
    pub(super) code: Option<String>,
    /// The events of a digest, in their order.
    pub(super) entries: Vec<Message>,
    /// The source and the event's id, to look the event up.
    pub(super) footer: String,
}

impl Message {
    pub(super) fn of(event: &SendableEvent, webhook_id: &str) -> Message {
        let source = event.source.as_ref().map(|(name, _)| name.as_str());
        let kind = event.source.as_ref().map(|(_, kind)| *kind);
        let event_type = event.event_type.as_str();
        let content_type = event.content_type.as_deref();
        let activity = kind.and_then(|kind| {
            Activity::read(kind, event_type, content_type, &event.headers, &event.body)
        });
        let told = match activity {
            Some(activity) => of_activity(activity),
            None if kind.is_none() && event_type == ALERT_TYPE => of_alert(event),
            None => anything(event, kind, source),
        };
        let origin = source.map_or_else(String::new, |source| format!(" · {source}"));
        Message {
            summary: summary(event.facts.summary.as_deref(), event_type, source),
            // Robots can be set to accept only messages with a given word; `hookbox` can be that word.
            footer: format!("hookbox{origin} · {webhook_id}"),
            ..told
        }
    }
}

impl Message {
    /// The page that it is about: what it links to last is what it is about most.
    pub(super) fn page(&self) -> Option<String> {
        let links = [self.title.as_ref(), Some(&self.deed), self.place.as_ref()];
        let mut urls = links
            .into_iter()
            .filter_map(|link| web_url(link?.url.as_deref()?));
        urls.next()
    }

    /// Makes one message of many events, a line for each.
    pub(super) fn digest(events: &[Outgoing]) -> Message {
        let mut events: Vec<&Outgoing> = events.iter().collect();
        // What is tried again became due later than what came after it.
        events.sort_by_key(|one| one.event.id.0);
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Message::default();
        };
        let entries = events
            .iter()
            .map(|one| Message::of(&one.event, &one.webhook_id));
        let mut entries: Vec<Message> = entries.collect();
        let received = events.iter().map(|one| one.event.received);
        let since = received.clone().min().unwrap_or(first.event.received);
        let until = received.max().unwrap_or(last.event.received);
        let seconds = Duration::from_secs(until.since(since).as_secs().max(1));
        let headline = format!(
            "{} events within {}, until {}",
            events.len(),
            show_span(seconds),
            minute(until)
        );
        let name_of = |entry: &Message| entry.place.as_ref().map(|place| place.text.clone());
        let place = entries.first().and_then(name_of);
        let is_one_place = entries.iter().all(|entry| name_of(entry) == place);
        let place = match place.filter(|_| is_one_place) {
            // Said once.
            Some(_) => entries
                .iter_mut()
                .map(|entry| entry.place.take())
                .last()
                .flatten(),
            None => Some(Link {
                text: "hookbox".to_owned(),
                url: None,
            }),
        };
        Message {
            summary: headline.clone(),
            place,
            deed: Link {
                text: headline,
                url: None,
            },
            tone: match entries.iter().any(|entry| entry.tone == Tone::Bad) {
                true => Tone::Bad,
                false => Tone::Plain,
            },
            footer: format!("hookbox · {} to {}", first.webhook_id, last.webhook_id),
            entries,
            ..Message::default()
        }
    }
}

/// A time as people read it, to the minute: `2026-11-30 14:05 UTC`.
fn minute(at: Timestamp) -> String {
    const CHARS: usize = 16;
    let text: String = at.to_string().chars().take(CHARS).collect();
    format!("{} UTC", text.replace('T', " "))
}

fn of_activity(activity: Activity) -> Message {
    let Details {
        tone,
        url,
        actor_url,
        repository_url,
        text,
        commits,
        commits_unlisted,
        commits_or_more,
        fields,
    } = activity.details;
    let link = |text: Option<String>, url| text.map(|text| Link { text, url });
    // The URL belongs to the title, or to what was done if there is no title.
    let (title, deed_url) = match activity.title {
        Some(text) => (Some(Link { text, url }), None),
        None => (None, url),
    };
    Message {
        place: link(activity.repository, repository_url),
        actor: link(activity.actor, actor_url),
        deed: Link {
            text: activity.deed,
            url: deed_url,
        },
        title,
        tone,
        commits,
        commits_unlisted,
        commits_or_more,
        fields,
        text: text.filter(|text| !text.trim().is_empty()),
        ..Message::default()
    }
}

/// Makes a message of an alert.
fn of_alert(event: &SendableEvent) -> Message {
    const NAMES: [&str; 3] = ["headline", "text", "problems"];
    lenient::read(&event.body, &NAMES, |told| {
        let headline = told.text("headline").unwrap_or(ALERT_TYPE);
        let text = told.text("text").filter(|text| *text != headline);
        Message {
            deed: Link {
                text: headline.to_owned(),
                url: None,
            },
            text: text.map(str::to_owned),
            tone: match told.len("problems") {
                0 => Tone::Good,
                _ => Tone::Bad,
            },
            ..Message::default()
        }
    })
}

/// Makes a message of an event that could not be understood.
///
/// It shows the type, and the body as far as a person can read it. The body of a git server's event is not
/// shown: it holds addresses and keys that are not for a chat's readers.
fn anything(event: &SendableEvent, kind: Option<SourceKind>, source: Option<&str>) -> Message {
    let place = source.map(|source| Link {
        text: source.to_owned(),
        url: None,
    });
    let is_of_own_shape = matches!(
        kind,
        None | Some(SourceKind::Standard | SourceKind::Generic)
    );
    let mut fields = Vec::new();
    let mut code = None;
    let content_type = event.content_type.as_deref();
    let json = json_of(kind, content_type, &event.body);
    match std::str::from_utf8(&event.body) {
        Ok(_) if !is_of_own_shape => {}
        Ok(text) if is_form(content_type) && json.as_ref() == text.as_bytes() => {
            code = Some(form_fields(&event.body));
        }
        Ok(text) if !text.contains('\0') => {
            code = Some(laid_out(&String::from_utf8_lossy(&json)));
        }
        _ => {
            let bytes = event.body.len();
            let content_type = content_type.unwrap_or("no known type");
            fields.push(("Body", format!("{bytes} bytes of {content_type}")));
        }
    }
    Message {
        place,
        deed: Link {
            text: event.event_type.clone(),
            url: None,
        },
        fields,
        code: code.filter(|text| !text.trim().is_empty()),
        ..Message::default()
    }
}

/// Lists the fields of a form, one on each line; the values of credentials are hidden.
fn form_fields(body: &[u8]) -> String {
    let fields = form_urlencoded::parse(body).map(|(name, value)| {
        let is_secret = holds_secret(&name.replace('_', "-"));
        let value = if is_secret { HIDDEN } else { &value };
        format!("{name} = {value}")
    });
    fields.collect::<Vec<String>>().join("\n")
}

fn laid_out(text: &str) -> String {
    let text = text.trim();
    let is_laid_out = text.starts_with(['{', '[']) && lenient::is_json(text.as_bytes());
    if is_laid_out && text.len() <= LAID_OUT_BYTES_MAX {
        lay_out(text)
    } else {
        text.to_owned()
    }
}
