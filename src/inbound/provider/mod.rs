//! What each kind of source looks like, one file a kind: how a request is verified, what the
//! event's type and key are.
//!
//! Pure: it sees a request's headers and bytes and the source's secret, and decides nothing else.

mod forgejo;
mod generic;
mod gitea;
mod gitee;
mod github;
mod gitlab;
mod gogs;
mod standard;

use std::time::Duration;

use crate::model::event::is_type;
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
    /// The first value of a header, trimmed; `None` when it is absent or empty.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        first_value(self.headers, name)
    }

    /// The value of the first of these headers that has one.
    fn first_of(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.header(name))
    }

    pub(super) fn content_type(&self) -> Option<&'a str> {
        self.header("content-type")
    }

    /// Checks the request as one of this scheme.
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
    /// In the producer's own spelling, where that is another.
    pub(super) original_type: Option<String>,
    pub(super) key: Option<String>,
    /// What could not be read, and why.
    pub(super) problem: Option<String>,
}

impl Described {
    /// What the request says of type and key.
    fn new<T: Into<String>, K: Into<String>>(event_type: Option<T>, key: Option<K>) -> Described {
        Described {
            event_type: event_type.map_or_else(|| TYPE_UNKNOWN.to_owned(), Into::into),
            original_type: None,
            key: key.map(Into::into),
            problem: None,
        }
    }

    /// With the type as the producer spelled it.
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

/// The type of an event whose request does not name one.
const TYPE_UNKNOWN: &str = "unknown";

/// Checks the signature, where the source has a secret. While a secret is being replaced, any of
/// them will do.
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
            // It says more than that the new one does not match.
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

/// When a request is looked at, and how far its signed time may be from that.
#[derive(Debug, Clone, Copy)]
struct When {
    now: Timestamp,
    tolerance: Option<Duration>,
}

/// Names the event.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::activity::Facts;
    use crate::model::id::SourceId;
    use crate::model::kind::OnRepeat;
    use crate::model::source::{GenericRules, Origin, Tolerance};
    use crate::signature::OldSecret;

    const BODIES: [&str; 5] = [
        r#"{"ref":"refs/heads/main","commits":[{"id":"ab"}],"repository":{"full_name":"a/b"}}"#,
        r#"{"hook_name":"push_hooks","password":"p","sign":"s","timestamp":"1633679083918"}"#,
        r#"{"job":{"pipelineId":1,"statusCode":"SUCC"},"sources":[{"upParams":"{\"a\":1}"}]}"#,
        "hook=%7B%22hook_name%22%3A%22push_hooks%22%7D&payload=%7B%7D",
        r#"{"type":"order.paid","object_kind":"push","event_name":"project_create"}"#,
    ];

    const HEADERS: [&str; 18] = [
        "Content-Type",
        "X-Gogs-Event",
        "X-Gogs-Signature",
        "X-Gitea-Event",
        "X-Gitea-Signature",
        "X-Forgejo-Event",
        "X-Forgejo-Signature",
        "X-GitHub-Event",
        "X-Hub-Signature-256",
        "X-Gitlab-Event",
        "X-Gitlab-Token",
        "X-Gitee-Event",
        "X-Gitee-Token",
        "X-Gitee-Timestamp",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "X-Hookbox-Type",
    ];

    const VALUES: [&str; 16] = [
        "",
        " ",
        "push",
        "Push Hook",
        " Hook",
        "System Hook",
        "_hooks",
        "application/x-www-form-urlencoded; charset=utf-8",
        "application/json",
        "sha256=",
        "sha256=00",
        "v1,AAAA v1a,AAAA",
        "9223372036854775807",
        "-9223372036854775808",
        "1633679083918",
        "\u{e4}\u{65e5}",
    ];

    /// The bodies above, and every sample payload.
    fn bodies() -> Vec<Vec<u8>> {
        let mut bodies: Vec<Vec<u8>> = BODIES.map(|body| body.as_bytes().to_vec()).into();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/payloads");
        let mut samples: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        samples.sort();
        bodies.extend(samples.iter().map(|path| std::fs::read(path).unwrap()));
        bodies
    }

    /// A body with a few bytes changed, cut off or doubled.
    fn spoiled(bodies: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
        let mut body = bodies[random.usize(0..bodies.len())].clone();
        for _ in 0..random.usize(0..4) {
            let at = random.usize(0..body.len().max(1));
            match random.u8(0..4) {
                0 if at < body.len() => body[at] = random.u8(..),
                1 => body.truncate(at),
                2 => body.extend_from_within(at.min(body.len())..),
                _ => body
                    .splice(at.min(body.len())..at.min(body.len()), *b"[{\"")
                    .for_each(drop),
            }
        }
        body
    }

    #[test]
    fn no_request_however_spoiled_makes_a_kind_panic_or_pass() {
        let mut random = fastrand::Rng::with_seed(4);
        let bodies = bodies();
        let generic = GenericRules {
            type_from: Some(Origin::Expression("body.type".parse().unwrap())),
            key_from: Some(Origin::Expression("body.commits[0].id".parse().unwrap())),
            ..GenericRules::default()
        };
        let secrets = ["correct horse", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
        for kind in SourceKind::ALL {
            for case in 0..4_000 {
                let source = Source {
                    id: SourceId(1),
                    name: "in".to_owned(),
                    kind,
                    secret: Some(Secret::new(secrets[case % secrets.len()]).unwrap()),
                    old_secrets: vec![OldSecret {
                        secret: Secret::new("battery staple").unwrap(),
                        ends: Timestamp(i64::MAX),
                    }],
                    tolerance: Tolerance::Usual,
                    path_token: None,
                    on_repeat: OnRepeat::Ignore,
                    generic: generic.clone(),
                };
                let headers: Vec<Header> = (0..random.usize(0..8))
                    .map(|_| {
                        let name = HEADERS[random.usize(0..HEADERS.len())];
                        let value = VALUES[random.usize(0..VALUES.len())];
                        (name.to_owned(), value.to_owned())
                    })
                    .collect();
                let body = spoiled(&bodies, &mut random);
                let request = Received {
                    headers: &headers,
                    body: &body,
                };
                let now = Timestamp(1_633_679_083_918);
                assert!(
                    verify(&source, &request, now).is_err(),
                    "{kind}: {headers:?}"
                );
                let described = describe(&source, &request);
                let name = &described.event_type;
                assert!(is_type(name), "{kind}: {headers:?}");
                let facts = Facts::read(Some(kind), name, request.content_type(), &headers, &body);
                let summary = facts.summary.unwrap_or_default();
                assert!(summary.chars().count() <= 200, "{kind}: {summary}");
                assert!(!summary.chars().any(char::is_control), "{kind}: {summary}");
                let branch = facts.branch.unwrap_or_default();
                assert!(!branch.chars().any(char::is_control), "{kind}: {branch}");
            }
        }
    }
}
