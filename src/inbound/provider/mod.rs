//! The kinds of sources, one file each: how to verify a request and name its event.
//!
//! Each file reads the event's type and key. Pure: it sees a request's headers and bytes and the source's
//! secret, and decides nothing else.

mod forgejo;
mod generic;
mod gitea;
mod gitee;
mod github;
mod gitlab;
mod gogs;
mod standard;

use std::time::Duration;

use crate::model::event::{NewEvent, is_type};
use crate::model::header::{Header, first_value};
use crate::model::kind::SourceKind;
use crate::model::source::{SenderAuth, Source};
use crate::signature::generic::Rules;
use crate::signature::{Rejection, Scheme, Secret, Signed, token};
use crate::time::Timestamp;

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received<'a> {
    pub(super) headers: &'a [Header],
    pub(super) body: &'a [u8],
}

impl<'a> Received<'a> {
    /// Returns the first value of a header, trimmed; `None` if it is absent or empty.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        first_value(self.headers, name)
    }

    /// Returns the value of the first of these headers that has one.
    fn first_of(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.header(name))
    }

    pub(super) fn content_type(&self) -> Option<&'a str> {
        self.header("content-type")
    }

    /// Verifies the request by a signature scheme.
    fn verify(
        &self,
        scheme: Scheme,
        secret: &Secret,
        rules: &Rules,
        when: When,
    ) -> Result<(), Rejection> {
        let signed = Signed {
            header: &|name| self.header(name),
            body: self.body,
            now: when.now,
            tolerance: when.tolerance,
        };
        scheme.verify(secret, rules, &signed)
    }
}

/// What a kind reads from a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) event_type: String,
    /// The type in the producer's own spelling, if it differs.
    pub(super) original_type: Option<String>,
    pub(super) key: Option<String>,
    /// What could not be read, and why.
    pub(super) problem: Option<String>,
}

impl Described {
    /// Describes an event by the type and key from its request.
    fn new<T: Into<String>, K: Into<String>>(event_type: Option<T>, key: Option<K>) -> Described {
        Described {
            event_type: event_type.map_or_else(|| TYPE_UNKNOWN.to_owned(), Into::into),
            original_type: None,
            key: key.map(Into::into),
            problem: None,
        }
    }

    /// Adds the type as the producer spelled it.
    fn originally(self, original: Option<&str>) -> Described {
        let original_type = original
            .filter(|name| *name != self.event_type && is_type(name))
            .map(str::to_owned);
        Described {
            original_type,
            ..self
        }
    }
}

/// The type of an event whose request names no type.
const TYPE_UNKNOWN: &str = "unknown";

/// Makes the event of a verified request.
///
/// The headers belong to it then; in an error they stay.
///
/// # Errors
/// [`Error::Misuse`](crate::Error::Misuse) when the request makes no valid event.
pub(super) fn event_of(
    source: &Source,
    headers: &mut Vec<Header>,
    body: Vec<u8>,
) -> crate::Result<NewEvent> {
    let received = Received {
        headers,
        body: &body,
    };
    let described = describe(source, &received);
    let content_type = received.content_type().map(str::to_owned);
    let mut event = NewEvent {
        source: Some(source.id),
        original_type: described.original_type,
        key: described.key,
        problem: described.problem,
        content_type,
        ..NewEvent::new(described.event_type, body)
    };
    event.check()?;
    event.headers = std::mem::take(headers);
    if let Some(SenderAuth::Header(secret)) = &source.generic.auth {
        // This header holds the source's secret. It would be shown and passed on: its name need not look
        // like that of a credential.
        event
            .headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case(secret));
    }
    Ok(event)
}

/// Verifies the signature, if the source has a secret.
///
/// While a secret is being replaced, the old and the new one are both valid.
pub(super) fn verify(
    source: &Source,
    request: &Received<'_>,
    now: Timestamp,
) -> Result<(), Rejection> {
    let Some(secret) = &source.secret else {
        return Ok(());
    };
    let mut rejection = match verify_with(secret, source, request, now) {
        Ok(()) => return Ok(()),
        Err(rejection) => rejection,
    };
    for old in &source.old_secrets {
        match verify_with(&old.secret, source, request, now) {
            Ok(()) if now < old.ends => return Ok(()),
            Ok(()) => rejection = Rejection::Ended { ended: old.ends },
            // This says more than that the new secret does not match.
            Err(stale @ Rejection::Stale { .. }) if now < old.ends => rejection = stale,
            Err(_) => {}
        }
    }
    Err(rejection)
}

fn verify_with(
    secret: &Secret,
    source: &Source,
    request: &Received<'_>,
    now: Timestamp,
) -> Result<(), Rejection> {
    let when = When {
        now,
        tolerance: source.tolerance(),
    };
    let usual = &Rules::default();
    match source.kind {
        SourceKind::Gogs => request.verify(Scheme::Gogs, secret, usual, when),
        SourceKind::Gitee => gitee::verify(secret, request, when),
        SourceKind::Gitea => request.verify(Scheme::Gitea, secret, usual, when),
        SourceKind::Forgejo => forgejo::verify(secret, request),
        SourceKind::Github => github::verify(secret, request),
        SourceKind::Gitlab => gitlab::verify(secret, request, when),
        SourceKind::Standard => request.verify(Scheme::Standard, secret, usual, when),
        SourceKind::Generic => match &source.generic.auth {
            None => request.verify(Scheme::Generic, secret, &source.generic.signature, when),
            Some(SenderAuth::Header(name)) => {
                token::verify(name.clone(), secret, request.header(name))
            }
            Some(SenderAuth::Bearer) => {
                token::verify_bearer(secret, request.header(token::AUTHORIZATION))
            }
            Some(SenderAuth::Basic(user)) => {
                token::verify_basic(user, secret, request.header(token::AUTHORIZATION))
            }
        },
    }
}

/// The time of the check, and how far the signed time may be from it.
#[derive(Debug, Clone, Copy)]
struct When {
    now: Timestamp,
    tolerance: Option<Duration>,
}

/// Reads the type and key of the event.
pub(super) fn describe(source: &Source, request: &Received<'_>) -> Described {
    match source.kind {
        SourceKind::Gogs => gogs::describe(request),
        SourceKind::Gitee => gitee::describe(request),
        SourceKind::Gitea => gitea::describe(request),
        SourceKind::Forgejo => forgejo::describe(request),
        SourceKind::Github => github::describe(request),
        SourceKind::Gitlab => gitlab::describe(request),
        SourceKind::Standard => standard::describe(request),
        SourceKind::Generic => generic::describe(request, source),
    }
}
