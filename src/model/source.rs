//! A source: a verified way in, with a kind, a path and a secret.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::id::SourceId;
use crate::signature::{Secret, standard};
use crate::time::Timestamp;

/// What posts to a source, which decides how it is verified, typed and keyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A Gogs server.
    Gogs,
    /// Gitee: repositories, enterprises and pipelines.
    Gitee,
    /// A Gitea server.
    Gitea,
    /// A Forgejo server.
    Forgejo,
    /// GitHub.
    Github,
    /// A GitLab server.
    Gitlab,
    /// Whatever signs as the Standard Webhooks specification says.
    Standard,
    /// Anything that can POST.
    Generic,
}

impl SourceKind {
    /// Every kind, in the order of the help text.
    pub const ALL: [SourceKind; 8] = [
        SourceKind::Gogs,
        SourceKind::Gitee,
        SourceKind::Gitea,
        SourceKind::Forgejo,
        SourceKind::Github,
        SourceKind::Gitlab,
        SourceKind::Standard,
        SourceKind::Generic,
    ];

    /// The name used on the command line, in SQL and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            SourceKind::Gogs => "gogs",
            SourceKind::Gitee => "gitee",
            SourceKind::Gitea => "gitea",
            SourceKind::Forgejo => "forgejo",
            SourceKind::Github => "github",
            SourceKind::Gitlab => "gitlab",
            SourceKind::Standard => "standard",
            SourceKind::Generic => "generic",
        }
    }

    /// What a known key means unless the source says otherwise. Gogs and GitHub repeat a key only
    /// when a person presses Redelivery (Gogs also at once, after its own restart); other senders
    /// repeat by themselves when an answer got lost.
    pub fn default_on_repeat(self) -> OnRepeat {
        match self {
            SourceKind::Gogs | SourceKind::Github => OnRepeat::Replay,
            SourceKind::Gitee
            | SourceKind::Gitea
            | SourceKind::Forgejo
            | SourceKind::Gitlab
            | SourceKind::Standard
            | SourceKind::Generic => OnRepeat::Ignore,
        }
    }

    /// The fields of a body in which this kind sends its secret, or what stands for it: they are
    /// never shown. (Gogs before 0.11 sent its secret so.)
    pub fn secret_fields(self) -> &'static [&'static str] {
        match self {
            SourceKind::Gitee => &["password", "sign"],
            SourceKind::Gogs => &["secret"],
            SourceKind::Gitea
            | SourceKind::Forgejo
            | SourceKind::Github
            | SourceKind::Gitlab
            | SourceKind::Standard
            | SourceKind::Generic => &[],
        }
    }

    /// Checks that a secret is one that this kind can verify with.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is not, with a way to make one.
    pub fn check_secret(self, secret: &Secret) -> Result<()> {
        match self {
            SourceKind::Standard => standard::check_verifying(secret),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SourceKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<SourceKind> {
        SourceKind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| {
                let names = SourceKind::ALL.map(SourceKind::name).join(", ");
                Error::misuse(format!("unknown source kind `{text}`; one of {names}"))
            })
    }
}

/// What a request with a known key asks for, besides the answer that the event is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRepeat {
    /// Nothing.
    Ignore,
    /// A replay, when it comes long enough after the first and nothing of the event is pending.
    Replay,
}

impl OnRepeat {
    /// The name used on the command line and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            OnRepeat::Ignore => "ignore",
            OnRepeat::Replay => "replay",
        }
    }
}

impl FromStr for OnRepeat {
    type Err = Error;

    fn from_str(text: &str) -> Result<OnRepeat> {
        [OnRepeat::Ignore, OnRepeat::Replay]
            .into_iter()
            .find(|choice| choice.name() == text)
            .ok_or_else(|| Error::misuse(format!("unknown --on-repeat `{text}`; ignore or replay")))
    }
}

/// A source as it is configured.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its row.
    pub id: SourceId,
    /// Its name, which is also its path under `/in/`.
    pub name: String,
    /// What posts to it.
    pub kind: SourceKind,
    /// What requests must be signed with; `None` takes unsigned ones.
    pub secret: Option<Secret>,
    /// What a known key asks for.
    pub on_repeat: OnRepeat,
}

impl Source {
    /// What a request that this source accepts does not prove, in plain words; `None` when its
    /// signature proves the sender and the body.
    pub fn unproved(&self) -> Option<&'static str> {
        match (&self.secret, self.kind) {
            (None, _) => {
                Some("this source has no secret, so anybody who reaches it can post to it")
            }
            (Some(_), SourceKind::Gitee) => Some(
                "Gitee's signature does not cover the body: whoever overhears one request can post any body for an hour, so let it come over TLS or a network of your own",
            ),
            (Some(secret), SourceKind::Gitlab) if !secret.expose().starts_with(b"whsec_") => Some(
                "GitLab's token does not cover the body: whoever overhears one request can post any body, so let it come over TLS or a network of your own, or use a signing secret (whsec_...)",
            ),
            (Some(_), _) => None,
        }
    }

    /// Whether the signature covers the body, so that nobody changed it on the way.
    pub fn is_body_signed(&self) -> bool {
        self.unproved().is_none()
    }

    /// The path that takes this source's requests.
    pub fn path(&self) -> String {
        format!("/in/{}", self.name)
    }
}

/// A source to be made.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// See [`check_name`](crate::model::check_name).
    pub name: String,
    /// What will post to it.
    pub kind: SourceKind,
    /// What requests must be signed with; `None` takes unsigned ones.
    pub secret: Option<Secret>,
    /// `None` takes the kind's default.
    pub on_repeat: Option<OnRepeat>,
}

impl NewSource {
    /// A source with every default: unsigned, what its kind does with a repeat.
    pub fn new(name: impl Into<String>, kind: SourceKind) -> NewSource {
        NewSource {
            name: name.into(),
            kind,
            secret: None,
            on_repeat: None,
        }
    }
}

/// A source with what has come through it.
#[derive(Debug, Clone)]
pub struct SourceReport {
    /// As configured.
    pub source: Source,
    /// Events accepted.
    pub events: i64,
    /// Requests refused: a bad signature, a body too large, and so on.
    pub refusals: i64,
    /// When the last event was accepted.
    pub last_event: Option<Timestamp>,
}

impl SourceReport {
    /// The contract's JSON object; never the secret.
    pub fn json(&self) -> Value {
        json!({
            "name": self.source.name,
            "kind": self.source.kind.name(),
            "path": self.source.path(),
            "signed": self.source.secret.is_some(),
            "body_signed": self.source.is_body_signed(),
            "on_repeat": self.source.on_repeat.name(),
            "last_event_at": self.last_event.map(|at| at.to_string()),
            "events": self.events,
            "refusals": self.refusals,
        })
    }
}
