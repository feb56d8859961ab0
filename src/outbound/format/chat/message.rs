//! What is told of an event, before it is put into a chat's markup.

use crate::model::activity::{Activity, Commit, Details, Tone, json_of};
use crate::model::event::summary;
use crate::model::header::{HIDDEN, holds_secret};
use crate::model::kind::SourceKind;
use crate::model::lenient;
use crate::model::sendable::SendableEvent;
use crate::signature::form::is_form;

use super::json_pretty::lay_out;

/// Largest body of an event that is no git server's, in bytes, of which JSON is laid out to be
/// read. Of larger ones the beginning is shown as it is.
const LAID_OUT_BYTES_MAX: usize = 64 * 1024;

/// A text and where it leads.
#[derive(Debug, Clone, Default)]
pub(super) struct Link {
    pub(super) text: String,
    pub(super) url: Option<String>,
}

/// What is told of an event.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// All of it in one line without markup: for notifications.
    pub(super) summary: String,
    /// Where it happened.
    pub(super) place: Option<Link>,
    /// Who did it.
    pub(super) actor: Option<Link>,
    /// What was done.
    pub(super) deed: Link,
    /// What it is about.
    pub(super) title: Option<Link>,
    pub(super) tone: Tone,
    pub(super) commits: Vec<Commit>,
    /// How many commits there are besides, and whether there may be more than that.
    pub(super) commits_unlisted: usize,
    pub(super) commits_or_more: bool,
    /// Name and value.
    pub(super) fields: Vec<(&'static str, String)>,
    /// What somebody wrote.
    pub(super) text: Option<String>,
    /// What a machine wrote: to be shown letter by letter.
    pub(super) code: Option<String>,
    /// Where the event can be looked up.
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
            None => anything(event, kind, source),
        };
        let origin = source.map_or_else(String::new, |source| format!(" · {source}"));
        Message {
            summary: summary(event.facts.summary.as_deref(), event_type, source),
            // The name is a word that robots can be told to look for.
            footer: format!("hookbox{origin} · {webhook_id}"),
            ..told
        }
    }
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
    // The page of a thing belongs to its title; without one, to what was done.
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

/// An event of which nothing could be read: its type, and its body as far as a person can read it. What
/// a git server sends is not for a chat's readers as it is: it has addresses and keys in it.
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

/// The fields of a form, a line each, the values of credentials hidden.
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
