//! Signing what goes out and verifying what comes in: pure, one file a scheme.
//!
//! Both doors use this module, so a signature that hookbox makes is one that it would accept. It
//! must never store a signature or read a clock: schemes that cover the time of the attempt are
//! given it ([`Signable::timestamp`]), so a retry or replay is always signed anew.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

use crate::error::{Error, Result};
use crate::time::Timestamp;

pub mod form;
pub mod generic;
pub mod gitea;
pub mod gitee;
pub mod github;
pub mod gogs;
mod secret;
pub mod standard;
pub mod token;

pub use secret::Secret;

/// How requests to an endpoint are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Not at all.
    None,
    /// Standard Webhooks 1.0.0: `webhook-signature: v1,BASE64`.
    Standard,
    /// As GitHub does: `X-Hub-Signature-256: sha256=HEX`.
    Github,
    /// As Gogs does: `X-Gogs-Signature: HEX`.
    Gogs,
}

impl Scheme {
    /// Every scheme, in the order of the help text.
    pub const ALL: [Scheme; 4] = [Scheme::None, Scheme::Standard, Scheme::Github, Scheme::Gogs];

    /// The name used on the command line, in SQL and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::None => "none",
            Scheme::Standard => "standard",
            Scheme::Github => "github",
            Scheme::Gogs => "gogs",
        }
    }

    /// Checks that a secret fits this scheme, before it is stored.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a signing scheme has no secret, or when the scheme prescribes a
    /// form of secret and this is not of it.
    pub fn check_secret(self, secret: Option<&Secret>) -> Result<()> {
        match (self, secret) {
            (Scheme::None, None) | (Scheme::Github | Scheme::Gogs, Some(_)) => Ok(()),
            (Scheme::None, Some(_)) => Err(Error::misuse(
                "a secret was given but nothing to sign with it; add --sign standard, github or gogs",
            )),
            (Scheme::Standard, Some(secret)) => standard::key(secret).map(|_| ()),
            (_, None) => Err(Error::misuse(format!(
                "--sign {} needs a secret; give it with --secret-file, --secret-env or --secret -",
                self.name()
            ))),
        }
    }

    /// The headers that prove to the receiver who sent this request.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the secret does not fit the scheme; [`Scheme::check_secret`] has
    /// ruled that out for a stored endpoint.
    pub fn sign(
        self,
        secret: Option<&Secret>,
        message: &Signable<'_>,
    ) -> Result<Vec<(&'static str, String)>> {
        let Some(secret) = secret else {
            return Ok(Vec::new());
        };
        Ok(match self {
            Scheme::None => Vec::new(),
            Scheme::Standard => vec![(standard::HEADER, standard::sign(secret, message)?)],
            Scheme::Github => vec![(github::HEADER, github::sign(secret, message.body))],
            Scheme::Gogs => {
                vec![(
                    gogs::HEADER,
                    gogs::sign(secret, message.content_type, message.body),
                )]
            }
        })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scheme {
    type Err = Error;

    fn from_str(text: &str) -> Result<Scheme> {
        Scheme::ALL
            .into_iter()
            .find(|scheme| scheme.name() == text)
            .ok_or_else(|| {
                Error::misuse(format!(
                    "unknown signature scheme `{text}`; one of none, standard, github, gogs"
                ))
            })
    }
}

/// What a scheme may cover.
#[derive(Debug, Clone, Copy)]
pub struct Signable<'a> {
    /// The `webhook-id`: the event's outer id.
    pub id: &'a str,
    /// The wall time of this attempt.
    pub timestamp: Timestamp,
    /// The content type of the body, which tells form bodies from others.
    pub content_type: Option<&'a str>,
    /// The bytes that are sent.
    pub body: &'a [u8],
}

/// Why a signature was not accepted. Shown to the sender with 401.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The header is absent or empty: the request is unsigned, which is not "valid".
    Missing {
        /// The header that should carry the signature.
        header: Cow<'static, str>,
    },
    /// The header is there and is not of the scheme's form.
    Malformed {
        /// The header that carries it.
        header: Cow<'static, str>,
    },
    /// The signature was made with another secret or over other bytes.
    Mismatch,
    /// The signature is right and too old, or of the future.
    Stale {
        /// How far from now it was made, in seconds; negative for the future.
        age_s: i64,
        /// How far it may be, in seconds.
        tolerance_s: u64,
    },
    /// The signature is right, but its secret was replaced and holds no longer.
    Ended {
        /// Until when it held.
        ended: Timestamp,
    },
}

impl Rejection {
    /// That a header is absent or empty.
    pub(crate) fn missing(header: impl Into<Cow<'static, str>>) -> Rejection {
        Rejection::Missing {
            header: header.into(),
        }
    }

    /// That a header is not of the scheme's form.
    pub(crate) fn malformed(header: impl Into<Cow<'static, str>>) -> Rejection {
        Rejection::Malformed {
            header: header.into(),
        }
    }

    /// Holds a signed time to now: what was overheard cannot be sent again much later. `None`
    /// takes any time.
    pub(crate) fn unless_recent(
        signed_at: Timestamp,
        now: Timestamp,
        tolerance: Option<Duration>,
    ) -> std::result::Result<(), Rejection> {
        let Some(tolerance) = tolerance else {
            return Ok(());
        };
        let age_ms = now.0.saturating_sub(signed_at.0);
        if u128::from(age_ms.unsigned_abs()) <= tolerance.as_millis() {
            return Ok(());
        }
        Err(Rejection::Stale {
            age_s: age_ms / 1000,
            tolerance_s: tolerance.as_secs(),
        })
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::Missing { header } => write!(
                f,
                "not signed: {header} is absent or empty; set this source's secret at the sender"
            ),
            Rejection::Malformed { header } => write!(f, "{header} is not a signature of this kind"),
            Rejection::Stale { age_s, tolerance_s } => write!(
                f,
                "the signature was made {age_s} s ago, allowed are {tolerance_s} s either way; compare the clocks of both machines"
            ),
            Rejection::Ended { ended } => write!(
                f,
                "signed with the old secret, which held until {ended}; set the new one at the sender"
            ),
            Rejection::Mismatch => f.write_str(
                "signature does not match: the sender's secret is not this source's, or the body was changed on the way",
            ),
        }
    }
}

/// HMAC-SHA256, ready to be fed. Any length of key is allowed (RFC 2104, section 2).
fn hmac256(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length")
}
