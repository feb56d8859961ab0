//! A source: a verified way in, with a kind, a path and a secret.

mod generic;
mod preset;

use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::model::check_name;
use crate::model::id::SourceId;
use crate::model::kind::{OnRepeat, SourceKind};
use crate::signature::{OldSecret, Secret, standard};
use crate::time::{Timestamp, parse_span, show_span};

pub use generic::{GenericRules, Handshake, KEY_HEADER, Origin, Preset, SenderAuth, TYPE_HEADER};
pub use preset::SenderKind;

/// A source as it is configured.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its row id.
    pub id: SourceId,
    /// Its name, which is also its path under `/in/`.
    pub name: String,
    /// The kind of its sender.
    pub kind: SourceKind,
    /// The secret that requests must be signed with; `None` accepts unsigned ones.
    pub secret: Option<Secret>,
    /// Secrets that were replaced, newest first; each is valid until its end.
    pub old_secrets: Vec<OldSecret>,
    /// How far a signed time may differ from now.
    pub tolerance: Tolerance,
    /// The token after the name in the path; `None` if there is only the name.
    pub path_token: Option<Secret>,
    /// What a known key does.
    pub on_repeat: OnRepeat,
    /// How requests are read, for kind generic.
    pub generic: GenericRules,
}

/// How far the signed time of a request may differ from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// The default of the kind.
    Default,
    /// This far, before or after.
    Within(Duration),
    /// Any time is accepted.
    Any,
}

impl FromStr for Tolerance {
    type Err = Error;

    fn from_str(text: &str) -> Result<Tolerance> {
        if text == "none" {
            return Ok(Tolerance::Any);
        }
        match parse_span(text) {
            Ok(span) if !span.is_zero() => Ok(Tolerance::Within(span)),
            _ => Err(Error::misuse(format!(
                "`{text}` is not a tolerance; write a span such as 5m, or none to take any time"
            ))),
        }
    }
}

impl Source {
    /// What a request that this source accepts does not prove, in plain words; `None` when its signature
    /// proves the sender and the body. A replaced secret counts as long as it is valid.
    pub fn unproved(&self, now: Timestamp) -> Option<&'static str> {
        if self.secret.is_none() {
            return Some(match self.path_token {
                Some(_) => {
                    "this source has no secret: whoever knows its path can post to it, so keep that to yourself, and let requests come over TLS or a network of your own"
                }
                None => "this source has no secret, so anybody who reaches it can post to it",
            });
        }
        let mut secrets = self.secrets_at(now).into_iter();
        match self.kind {
            SourceKind::Gitee => Some(
                "Gitee's signature does not cover the body, and in password mode the password stands in every body and goes to every endpoint with it: whoever has seen one request can post any body (for an hour or as --tolerance says; with a password at any time). Use the signing mode, and let requests come over TLS or a network of your own, at a path with a token",
            ),
            SourceKind::Gitlab if secrets.any(|one| !one.expose().starts_with(b"whsec_")) => Some(
                "GitLab's token does not cover the body: whoever overhears one request can post any body, so let it come over TLS or a network of your own, or use a signing secret (whsec_...)",
            ),
            SourceKind::Generic if self.generic.auth.is_some() => Some(
                "the secret that comes with a request proves its sender and not its body: whoever overhears one request can post any body, so let it come over TLS or a network of your own",
            ),
            _ => None,
        }
    }

    /// The secrets that are valid at this time, newest first.
    pub fn secrets_at(&self, now: Timestamp) -> Vec<&Secret> {
        let old = self.old_secrets.iter().filter(|old| now < old.ends);
        let old = old.map(|old| &old.secret);
        self.secret.iter().chain(old).collect()
    }

    /// The name of the kind, or of the preset.
    pub fn kind_name(&self) -> &'static str {
        SenderKind::of(self.kind, self.generic.preset).name()
    }

    /// Whether the signature covers the body, so that a change on the way is detected.
    pub fn is_body_signed(&self, now: Timestamp) -> bool {
        self.unproved(now).is_none()
    }

    /// How far a signed time may differ from now; `None` if any time is accepted, or the kind signs none.
    pub fn tolerance(&self) -> Option<Duration> {
        match self.tolerance {
            Tolerance::Default => default_tolerance(self.kind, &self.generic),
            Tolerance::Within(span) => Some(span),
            Tolerance::Any => None,
        }
    }

    /// The path for this source's requests, with its token: for the setup of the sender.
    pub fn path(&self) -> String {
        match &self.path_token {
            None => format!("/in/{}", self.name),
            Some(token) => {
                let token = String::from_utf8_lossy(token.expose());
                format!("/in/{}/{token}", self.name)
            }
        }
    }

    /// The path with its token hidden, for lists and pages.
    pub fn shown_path(&self) -> String {
        match &self.path_token {
            None => self.path(),
            Some(_) => format!("/in/{}/***", self.name),
        }
    }

    /// Whether this is the token after the name in the path; compared in constant time.
    pub fn is_path_token(&self, given: Option<&str>) -> bool {
        match (&self.path_token, given) {
            (None, None) => true,
            (Some(token), Some(given)) => given.as_bytes().ct_eq(token.expose()).into(),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

/// A new source, or the settings of one.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// See [`check_name`].
    pub name: String,
    /// The kind of its sender.
    pub kind: SourceKind,
    /// The secret that requests must be signed with; `None` accepts unsigned ones.
    pub secret: Option<Secret>,
    /// How far a signed time may differ from now.
    pub tolerance: Tolerance,
    /// The token after the name in the path; `None` if there is only the name.
    pub path_token: Option<Secret>,
    /// `None` for the kind's default.
    pub on_repeat: Option<OnRepeat>,
    /// How requests are read, for kind generic.
    pub generic: GenericRules,
}

/// The default of how far a signed time may differ from now: that of the kind. For kind generic it is five
/// minutes if a time is signed, as in the libraries of Standard Webhooks and the documentation of Stripe
/// and Slack.
fn default_tolerance(kind: SourceKind, generic: &GenericRules) -> Option<Duration> {
    match kind {
        SourceKind::Generic => generic
            .signature
            .over
            .has_time()
            .then_some(standard::TOLERANCE),
        kind => kind.default_tolerance(),
    }
}

impl From<&Source> for NewSource {
    /// The present settings of a source, to be changed.
    fn from(held: &Source) -> NewSource {
        NewSource {
            name: held.name.clone(),
            kind: held.kind,
            secret: held.secret.clone(),
            tolerance: held.tolerance,
            path_token: held.path_token.clone(),
            on_repeat: Some(held.on_repeat),
            generic: held.generic.clone(),
        }
    }
}

impl NewSource {
    /// A source with every default: unsigned, with the kind's default for repeats.
    pub fn new(name: impl Into<String>, kind: SourceKind) -> NewSource {
        NewSource {
            name: name.into(),
            kind,
            secret: None,
            tolerance: Tolerance::Default,
            path_token: None,
            on_repeat: None,
            generic: GenericRules::default(),
        }
    }

    /// A source for this sender.
    pub fn of(name: impl Into<String>, sender: SenderKind) -> NewSource {
        match sender {
            SenderKind::Kind(kind) => NewSource::new(name, kind),
            SenderKind::Preset(preset) => NewSource {
                generic: preset.rules(),
                ..NewSource::new(name, SourceKind::Generic)
            },
        }
    }

    /// What it is for, as `--kind` names it.
    pub fn sender(&self) -> SenderKind {
        SenderKind::of(self.kind, self.generic.preset)
    }

    /// Checks that the values fit together.
    ///
    /// # Errors
    /// [`Error::Misuse`] with the value that does not.
    pub fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        if let Some(secret) = &self.secret {
            self.kind.check_secret(secret)?;
        }
        if self.tolerance != Tolerance::Default
            && default_tolerance(self.kind, &self.generic).is_none()
        {
            return Err(Error::misuse(format!(
                "requests of kind {} carry no signed time; leave --tolerance out",
                self.kind
            )));
        }
        let signature = &self.generic.signature;
        if signature.over.has_time() && signature.timestamp_header.is_none() {
            return Err(Error::misuse(
                "--signature-over speaks of {timestamp}: say where the time is with --timestamp-header (webhook-timestamp, or the signature's own header for t=...,v1=...)",
            ));
        }
        if self.generic.auth.is_some() && signature.over.has_time() {
            return Err(Error::misuse(
                "--auth means that nothing is signed; leave --signature-over out, or --auth",
            ));
        }
        if self.kind != SourceKind::Generic && !self.generic.is_default() {
            return Err(Error::misuse(format!(
                "how signature, type and key are read can be set for kind generic, not for {}",
                self.kind
            )));
        }
        self.generic.signature.check()
    }
}

/// A box that relays its events to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayBox {
    /// Its id.
    pub box_id: String,
    /// What it calls itself; empty where it does not.
    pub name: String,
    /// When it was heard at first.
    pub first_heard: Timestamp,
    /// When it was heard last.
    pub last_heard: Timestamp,
    /// How many requests came from it.
    pub requests: i64,
    /// How many events were taken in from it, each once.
    pub events: i64,
}

impl RelayBox {
    /// The JSON object of the API.
    pub fn json(&self) -> Value {
        json!({
            "box": self.box_id,
            "name": self.name,
            "first_heard_at": self.first_heard.to_string(),
            "last_heard_at": self.last_heard.to_string(),
            "requests": self.requests,
            "events": self.events,
        })
    }
}

/// A source with its counts.
#[derive(Debug, Clone)]
pub struct SourceReport {
    /// As configured.
    pub source: Source,
    /// Events accepted.
    pub events: i64,
    /// Rejected requests: a bad signature, a body too large, and so on.
    pub refusals: i64,
    /// When the last event was accepted.
    pub last_event: Option<Timestamp>,
    /// When the last request was rejected, and why.
    pub last_refusal: Option<(Timestamp, String)>,
}

impl SourceReport {
    /// When and why the last request was rejected, if nothing was accepted since.
    pub fn refuses(&self) -> Option<&(Timestamp, String)> {
        let refusal = self.last_refusal.as_ref();
        refusal.filter(|(at, _)| self.last_event.is_none_or(|last| last < *at))
    }

    /// The JSON object of the API, at this time, without the secret.
    pub fn json(&self, now: Timestamp) -> Value {
        let old = self.source.old_secrets.iter();
        let ends: Vec<String> = old.map(|old| old.ends.to_string()).collect();
        json!({
            "name": self.source.name,
            "kind": self.source.kind_name(),
            "path": self.source.shown_path(),
            "signed": self.source.secret.is_some(),
            "body_signed": self.source.is_body_signed(now),
            "tolerance": self.tolerance(),
            "old_secrets_end_at": ends,
            "on_repeat": self.source.on_repeat.name(),
            "reading": (self.source.kind == SourceKind::Generic).then(|| self.source.generic.json()),
            "last_event_at": self.last_event.map(|at| at.to_string()),
            "events": self.events,
            "refusals": self.refusals,
            "last_refusal_at": self.last_refusal.as_ref().map(|(at, _)| at.to_string()),
            "last_refusal_reason": self.last_refusal.as_ref().map(|(_, reason)| reason),
        })
    }

    /// The tolerance setting; `None` for kinds that sign no time.
    fn tolerance(&self) -> Option<String> {
        default_tolerance(self.source.kind, &self.source.generic)?;
        Some(match self.source.tolerance() {
            Some(span) => show_span(span),
            None => "none".to_owned(),
        })
    }
}
