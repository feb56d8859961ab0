//! What about an endpoint's settings is probably not meant: said when it is set, by `doctor` and on
//! its page. Pure; nothing here is refused.

use std::sync::Arc;

use crate::model::chat::Chat;
use crate::model::endpoint::{Endpoint, Format};
use crate::model::source::Source;

/// Deliveries that were answered with a yes.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// All of them.
    pub in_all: i64,
    /// Those that a page for a person answered.
    pub by_page: i64,
}

/// What is doubtful about an endpoint, beside these others, with these sources and answers.
pub fn doubts(
    endpoint: &Endpoint,
    all: &[Arc<Endpoint>],
    sources: &[Arc<Source>],
    answered: Answered,
) -> Vec<String> {
    let found = [
        answers_pages(endpoint, answered),
        comes_back(endpoint, sources),
        raw_to_chat(endpoint),
        shares_url(endpoint, all),
        idle_type(endpoint, sources),
    ];
    found.into_iter().flatten().collect()
}

/// Somebody else may have answered: a network that wants a login first, a proxy's error page. One
/// whose receiver always answers so is believed after a while.
fn answers_pages(endpoint: &Endpoint, answered: Answered) -> Option<String> {
    const BELIEVED_FROM: i64 = 10;
    let Answered { in_all, by_page } = answered;
    let is_usual = by_page >= BELIEVED_FROM && 2 * by_page >= in_all;
    if by_page == 0 || is_usual || endpoint.connection.expect.is_some() {
        return None;
    }
    Some(format!(
        "{by_page} deliveries of JSON were answered with an HTML page, which counts as a yes ({in_all} delivered in all): it may be that of a login or a proxy; look at one of them, and say what a yes looks like with --expect"
    ))
}

/// It points at a way in of this file, from which it gets events.
fn comes_back(endpoint: &Endpoint, sources: &[Arc<Source>]) -> Option<String> {
    let rest = endpoint.url.uri().path().strip_prefix("/in/")?;
    let name = rest.split('/').next().unwrap_or_default();
    let source = sources.iter().find(|source| source.name == name)?;
    let takes = endpoint.filters.sources.as_ref();
    takes.is_none_or(|globs| globs.matches(&source.name)).then(|| {
        format!(
            "its URL looks like the way in of source {name}: if it is the one of this box, events of {name} go round and are refused there; name the sources that it is for with --sources, without {name}"
        )
    })
}

/// A chat's robot refuses what it does not know.
fn raw_to_chat(endpoint: &Endpoint) -> Option<String> {
    let uri = endpoint.url.uri();
    let path = uri.path().trim_end_matches('/');
    // Discord takes GitHub's own events at the URL with /github behind it, and Slack's messages.
    if path.ends_with("/github") || path.ends_with("/slack") {
        return None;
    }
    match (&endpoint.format, Chat::of_host(uri)) {
        (Format::Raw, Some(chat)) => Some(format!(
            "the URL is one of {}, which takes no raw events; `hookbox endpoint set {} --format {}` tells it what happened",
            chat.title(),
            endpoint.name,
            chat.name()
        )),
        _ => None,
    }
}

/// Two endpoints with one URL know nothing of each other's pace.
fn shares_url(endpoint: &Endpoint, all: &[Arc<Endpoint>]) -> Option<String> {
    let rate = endpoint.rate()?;
    let mut others = all.iter().filter(|other| other.name != endpoint.name);
    let same = others.find(|other| other.url == endpoint.url)?;
    Some(format!(
        "endpoint {} has the same URL; each of the two is held to {rate} by itself, so set a lower --rate for both",
        same.name
    ))
}

/// One of its types is sent by none of its sources: where all of them are git servers it is said, and else
/// where it is one of a git server's that is spelled otherwise.
fn idle_type(endpoint: &Endpoint, sources: &[Arc<Source>]) -> Option<String> {
    const SHOWN_MAX: usize = 8;
    let types = endpoint.filters.types.as_ref()?;
    let takes = endpoint.filters.sources.as_ref();
    let of_it = sources
        .iter()
        .filter(|source| takes.is_none_or(|globs| globs.matches(&source.name)));
    let mut kinds: Vec<_> = of_it.map(|source| source.kind).collect();
    kinds.dedup();
    let known: Vec<&str> = kinds
        .iter()
        .flat_map(|kind| kind.event_types())
        .copied()
        .collect();
    if known.is_empty() {
        return None;
    }
    let idle = types.first_idle(known.iter().copied())?;
    // What differs in its spelling alone: pull-request, issue, PullRequest.
    let plain = |text: &str| {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        let text: String = letters.collect::<String>().to_ascii_lowercase();
        text.trim_end_matches('s').to_owned()
    };
    let meant = known.iter().find(|name| plain(name) == plain(&idle));
    let hint = match meant {
        Some(name) => format!("did you mean {name}?"),
        // Another source may send any.
        None if kinds.iter().any(|kind| kind.has_other_types()) => return None,
        None => {
            let shown = &known[..known.len().min(SHOWN_MAX)];
            format!("it sends such as {}", shown.join(", "))
        }
    };
    let senders: Vec<&str> = kinds
        .iter()
        .filter(|kind| !kind.event_types().is_empty())
        .map(|kind| kind.name())
        .collect();
    Some(format!(
        "--types has `{idle}`, which {} does not send; {hint}",
        senders.join(" or ")
    ))
}
