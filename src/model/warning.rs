//! Warnings about an endpoint's settings that are probably a mistake. They are shown when the settings are
//! changed, by `doctor`, and on the endpoint's page. Pure; nothing is rejected here.

use std::sync::Arc;

use crate::model::alert::ALERT_TYPE;
use crate::model::chat::Chat;
use crate::model::endpoint::{Endpoint, Format};
use crate::model::source::Source;

/// How many deliveries were answered with success.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// All of them.
    pub in_all: i64,
    /// Those that were answered with a page for a person.
    pub by_page: i64,
}

/// All warnings about an endpoint, given the other endpoints, the sources and its answers.
pub fn warnings(
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

/// Something else may have answered: a network with a login page, a proxy's error page. If the receiver
/// always answers with a page, this stops warning after a while.
fn answers_pages(endpoint: &Endpoint, answered: Answered) -> Option<String> {
    const BELIEVED_FROM: i64 = 10;
    let Answered { in_all, by_page } = answered;
    let is_default = by_page >= BELIEVED_FROM && 2 * by_page >= in_all;
    if by_page == 0 || is_default || endpoint.set.connection.expect.is_some() {
        return None;
    }
    Some(format!(
        "{by_page} deliveries of JSON were answered with an HTML page, which counts as a yes ({in_all} delivered in all): it may be that of a login or a proxy; look at one of them, and say what a yes looks like with --expect"
    ))
}

/// The endpoint's URL is a source of this file, and the source's events go to this endpoint: a loop.
fn comes_back(endpoint: &Endpoint, sources: &[Arc<Source>]) -> Option<String> {
    let rest = endpoint.set.url.uri().path().strip_prefix("/in/")?;
    let name = rest.split('/').next().unwrap_or_default();
    let source = sources.iter().find(|source| source.name == name)?;
    let takes = endpoint.set.filters.sources.as_ref();
    takes.is_none_or(|globs| globs.matches(&source.name)).then(|| {
        format!(
            "its URL looks like the way in of source {name}: if it is the one of this box, events of {name} go round and are refused there; name the sources that it is for with --sources, without {name}"
        )
    })
}

/// A chat's bot rejects requests in the raw format.
fn raw_to_chat(endpoint: &Endpoint) -> Option<String> {
    let uri = endpoint.set.url.uri();
    let path = uri.path().trim_end_matches('/');
    // Discord accepts GitHub's events at a URL that ends with /github, and Slack's messages at /slack.
    if path.ends_with("/github") || path.ends_with("/slack") {
        return None;
    }
    match (&endpoint.set.format, Chat::of_host(uri)) {
        (Format::Raw, Some(chat)) => Some(format!(
            "the URL is one of {}, which takes no raw events; `hookbox endpoint set {} --format {}` tells it what happened",
            chat.title(),
            endpoint.set.name,
            chat.name()
        )),
        _ => None,
    }
}

/// Two endpoints with one URL do not share a rate limit.
fn shares_url(endpoint: &Endpoint, all: &[Arc<Endpoint>]) -> Option<String> {
    let rate = endpoint.set.rate()?;
    let mut others = all
        .iter()
        .filter(|other| other.set.name != endpoint.set.name);
    let same = others.find(|other| other.set.url == endpoint.set.url)?;
    Some(format!(
        "endpoint {} has the same URL; each of the two is held to {rate} by itself, so set a lower --rate for both",
        same.set.name
    ))
}

/// None of its sources sends one of its types. If all sources are git servers, this always warns. Otherwise
/// it warns only if the type is a git server's type in another spelling.
fn idle_type(endpoint: &Endpoint, sources: &[Arc<Source>]) -> Option<String> {
    const SHOWN_MAX: usize = 8;
    let types = endpoint.set.filters.types.as_ref()?;
    let takes = endpoint.set.filters.sources.as_ref();
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
    // No source sends alerts: hookbox does.
    let idle = types
        .first_idle(known.iter().copied())
        .filter(|idle| idle != ALERT_TYPE)?;
    // To compare types without their spelling: pull-request, issue, PullRequest.
    let plain = |text: &str| {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        let text: String = letters.collect::<String>().to_ascii_lowercase();
        text.trim_end_matches('s').to_owned()
    };
    let meant = known.iter().find(|name| plain(name) == plain(&idle));
    let hint = match meant {
        Some(name) => format!("did you mean {name}?"),
        // A source of this kind may send any type.
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
