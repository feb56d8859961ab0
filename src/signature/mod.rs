//! Signs and verifies requests. Pure; one file for each scheme.
//!
//! `inbound` and `outbound` both use this module, so a signature that hookbox makes is one that it would
//! accept. It must never store a signature or read a clock: a scheme that covers the time of the attempt
//! gets it as an argument ([`Signable::timestamp`]), so a retry or replay is always signed anew.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

use crate::error::{Error, Result};
use crate::time::Timestamp;

#[doc(hidden)]
pub mod bundle;
#[doc(hidden)]
pub mod digest;
#[doc(hidden)]
pub mod dingtalk;
#[doc(hidden)]
pub mod feishu;
#[doc(hidden)]
pub mod form;
pub mod generic;
pub mod gitea;
pub mod gitee;
pub mod github;
pub mod gogs;
mod secret;
pub mod standard;
pub mod token;

pub use secret::{OldSecret, Secret, text_as_meant};

/// How requests to an endpoint are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// No signature.
    None,
    /// Standard Webhooks 1.0.0: `webhook-signature: v1,BASE64`.
    ///
    /// With a private key it is `v1a,BASE64`.
    Standard,
    /// GitHub's scheme: `X-Hub-Signature-256: sha256=HEX`.
    ///
    /// The older `X-Hub-Signature` is sent as well.
    Github,
    /// Gogs's scheme: `X-Gogs-Signature: HEX`.
    Gogs,
    /// Gitea's scheme: `X-Gitea-Signature: HEX`, and the headers of Gogs and GitHub.
    Gitea,
    /// Gitee's signing mode: `X-Gitee-Token` and `X-Gitee-Timestamp`.
    Gitee,
    /// An HMAC in a header of the user's choice.
    Generic,
}

names!(Scheme, "signature scheme":
    None = "none",
    Standard = "standard",
    Github = "github",
    Gogs = "gogs",
    Gitea = "gitea",
    Gitee = "gitee",
    Generic = "generic",
);

impl Scheme {
    /// Checks that a secret fits this scheme, before it is stored.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a signing scheme has no secret, or when the scheme requires a form of secret
    /// and this one has another form.
    pub fn check_secret(self, secret: Option<&Secret>) -> Result<()> {
        match (self, secret) {
            (Scheme::None, None) => Ok(()),
            (Scheme::None, Some(_)) => Err(Error::misuse(
                "a secret was given but nothing to sign with it; add --sign standard, github, gogs, gitea, gitee or generic",
            )),
            (Scheme::Standard, Some(secret)) => standard::check_signing(secret),
            (_, Some(_)) => Ok(()),
            (_, None) => Err(Error::misuse(format!(
                "--sign {} needs a secret: give --secret, on the command line with --secret-file, --secret-env or --secret - (--secret draw draws one)",
                self.name()
            ))),
        }
    }

    /// Verifies a request's signature by this scheme, in constant time.
    ///
    /// # Errors
    /// A [`Rejection`] when it is unsigned, or signed with another secret, over another body, or too long
    /// ago. Scheme none proves nothing and rejects nothing.
    pub fn verify(
        self,
        secret: &Secret,
        rules: &generic::Rules,
        request: &Signed<'_>,
    ) -> std::result::Result<(), Rejection> {
        let header = request.header;
        let (content_type, body) = (header("content-type"), request.body);
        match self {
            Scheme::None => Ok(()),
            Scheme::Standard => standard::verify_request(secret, request),
            Scheme::Github => {
                let newer = header(github::HEADER);
                github::verify(secret, body, newer, header(github::SHA1_HEADER))
            }
            Scheme::Gogs => gogs::verify(secret, content_type, body, header(gogs::HEADER)),
            Scheme::Gitea => {
                let value = header(gitea::HEADER);
                gitea::verify(gitea::HEADER, secret, content_type, body, value)
            }
            Scheme::Gitee => {
                let (token, stamp) = (header(gitee::HEADER), header(gitee::TIMESTAMP_HEADER));
                gitee::verify(secret, token, stamp, request.now, request.tolerance)
            }
            Scheme::Generic => rules.verify(secret, request),
        }
    }

    /// Returns the headers that prove the sender of this request to the receiver.
    ///
    /// `secrets` are the secrets that are valid now, the newest first. If the scheme allows several
    /// signatures there is one for each secret, otherwise one for the newest secret.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a secret does not fit the scheme; for a stored endpoint
    /// [`Scheme::check_secret`] has ruled that out.
    pub fn sign(
        self,
        secrets: &[&Secret],
        rules: &generic::Rules,
        message: &Signable<'_>,
    ) -> Result<Vec<(Cow<'static, str>, String)>> {
        let Some(newest) = secrets.first() else {
            return Ok(Vec::new());
        };
        let body = message.body;
        let known = |headers: Vec<(&'static str, String)>| {
            let named = headers.into_iter();
            named.map(|(name, value)| (name.into(), value)).collect()
        };
        Ok(match self {
            Scheme::None => Vec::new(),
            Scheme::Standard => {
                let all = secrets.iter().map(|secret| standard::sign(secret, message));
                let list = all.collect::<Result<Vec<String>>>()?.join(" ");
                known(vec![(standard::HEADER, list)])
            }
            Scheme::Github => known(vec![
                (github::HEADER, github::sign(newest, body)),
                (github::SHA1_HEADER, github::sign_sha1(newest, body)),
            ]),
            Scheme::Gogs => {
                let value = gogs::sign(newest, message.content_type, body);
                known(vec![(gogs::HEADER, value)])
            }
            Scheme::Gitea => {
                // All of these signatures cover the JSON text, also in form mode.
                let signed = gogs::signed_bytes(message.content_type, body);
                let value = gogs::sign(newest, None, &signed);
                known(vec![
                    (gitea::HEADER, value.clone()),
                    (gogs::HEADER, value),
                    (github::HEADER, github::sign(newest, &signed)),
                    (github::SHA1_HEADER, github::sign_sha1(newest, &signed)),
                ])
            }
            Scheme::Gitee => {
                let stamp = message.timestamp.0.to_string();
                let token = gitee::sign(newest, &stamp);
                known(vec![
                    (gitee::HEADER, token),
                    (gitee::TIMESTAMP_HEADER, stamp),
                ])
            }
            Scheme::Generic => rules.sign(newest, message),
        })
    }
}

/// The data that a scheme may cover.
#[derive(Debug, Clone, Copy)]
pub struct Signable<'a> {
    /// The `webhook-id`: the event's outer id.
    pub id: &'a str,
    /// The wall time of this attempt.
    pub timestamp: Timestamp,
    /// The content type of the body, which separates form bodies from others.
    pub content_type: Option<&'a str>,
    /// The bytes that are sent.
    pub body: &'a [u8],
}

impl<'a> Signable<'a> {
    /// Makes a signable from a body, for schemes that cover nothing else.
    pub fn of(body: &'a [u8]) -> Signable<'a> {
        Signable {
            id: "",
            timestamp: Timestamp(0),
            content_type: None,
            body,
        }
    }
}

/// A request whose signature is to be checked.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// Returns a header's first value, trimmed; `None` if it is absent or empty.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The bytes of the body.
    pub body: &'a [u8],
    /// The time of the check.
    pub now: Timestamp,
    /// How far from now a signed time may be; `None` accepts any.
    pub tolerance: Option<Duration>,
}

impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").finish_non_exhaustive()
    }
}

/// Why a signature was not accepted. Shown to the sender with 401.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The header is absent or empty: the request is unsigned, which is not "valid".
    Missing {
        /// The header that should carry the signature.
        header: Cow<'static, str>,
    },
    /// The header is present but does not have the scheme's form.
    Malformed {
        /// The header that carries the signature.
        header: Cow<'static, str>,
        /// The expected form.
        expected: Cow<'static, str>,
    },
    /// A plain secret, or a signature that does not cover the body, is wrong.
    WrongToken {
        /// The header that carries it.
        header: Cow<'static, str>,
    },
    /// The signature was made with another secret or over other bytes.
    Mismatch,
    /// The signature is right, but its time is too old or in the future.
    Stale {
        /// How long ago it was made, in seconds; negative if in the future.
        age_s: i64,
        /// The largest allowed difference, in seconds.
        tolerance_s: u64,
    },
    /// The signature is right, but its secret was replaced and is no longer valid.
    Ended {
        /// When the secret ended.
        ended: Timestamp,
    },
}

impl Rejection {
    /// Makes the rejection for an absent or empty header.
    pub(crate) fn missing(header: impl Into<Cow<'static, str>>) -> Rejection {
        Rejection::Missing {
            header: header.into(),
        }
    }

    /// Makes the rejection for a header that does not have the scheme's form.
    pub(crate) fn malformed(
        header: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Rejection {
        Rejection::Malformed {
            header: header.into(),
            expected: expected.into(),
        }
    }

    /// Rejects a signed time that is too far from now.
    ///
    /// So a recorded request cannot be sent again much later. `None` accepts any time.
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
                "not signed: {header} is absent or empty; let the sender sign as this source is set, with its secret"
            ),
            Rejection::Malformed { header, expected } => {
                write!(f, "{header} is malformed: it should be {expected}")
            }
            Rejection::WrongToken { header } => write!(
                f,
                "{header} does not match what this source is set to; set the same secret (and user name) at the sender"
            ),
            Rejection::Stale { age_s, tolerance_s } => {
                let (distance, place) = match age_s {
                    0.. => (*age_s, "ago"),
                    _ => (-age_s, "in the future"),
                };
                write!(
                    f,
                    "the signature was made {distance} s {place}, allowed are {tolerance_s} s either way; compare the clocks of both machines"
                )
            }
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

/// Starts an HMAC-SHA256. Any length of key is allowed (RFC 2104, section 2).
fn hmac256(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length")
}
