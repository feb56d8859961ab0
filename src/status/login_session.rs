//! The session of a person who logged in: a signed cookie.
//!
//! The server keeps nothing of it: whatever process serves the database knows it, also after a restart, and a
//! full disk keeps nobody out. Its key comes from the database and the tokens, so that a changed token ends all
//! sessions.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::role::Role;
use crate::error::{Error, Result};
use crate::signature::Secret;
use crate::time::Timestamp;

/// How long a session lasts after its last use.
pub(super) const UNUSED_MAX: Duration = Duration::from_secs(12 * 3_600);

/// How long it lasts in all.
pub(super) const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How far the clock of another node may be ahead.
const AHEAD_MAX: Duration = Duration::from_secs(5 * 60);

/// A cookie older than this is replaced when it is used.
const RENEW_AFTER: Duration = Duration::from_secs(10 * 60);

/// Signs and verifies sessions.
pub(super) struct SessionKey(Hmac<Sha256>);

impl SessionKey {
    pub(super) fn new(secret: &[u8; 32], tokens: [&Option<Secret>; 2]) -> SessionKey {
        let mut key = <Hmac<Sha256> as KeyInit>::new_from_slice(secret)
            .expect("HMAC takes keys of any length");
        for token in tokens {
            let token = token.as_ref().map_or(&[][..], Secret::expose);
            // The length keeps one pair of tokens from being read as another one.
            key.update(&token.len().to_be_bytes());
            key.update(token);
        }
        let key = key.finalize().into_bytes();
        SessionKey(
            <Hmac<Sha256> as KeyInit>::new_from_slice(&key).expect("HMAC takes keys of any length"),
        )
    }

    fn signature(&self, content: &str) -> Hmac<Sha256> {
        let mut signature = self.0.clone();
        signature.update(content.as_bytes());
        signature
    }
}

/// Who logged in, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoginSession {
    pub(super) role: Role,
    /// Tells it from others.
    pub(super) id: String,
    pub(super) begun: Timestamp,
    used: Timestamp,
}

impl LoginSession {
    pub(super) fn begin(role: Role, now: Timestamp) -> Result<LoginSession> {
        let mut id = [0_u8; 16];
        getrandom::fill(&mut id).map_err(|error| {
            Error::io("draw a session", std::io::Error::other(error.to_string()))
        })?;
        Ok(LoginSession {
            role,
            id: hex::encode(id),
            begun: now,
            used: now,
        })
    }

    /// Reads the value of a cookie; `None` if it is not this server's, or too old.
    pub(super) fn read(key: &SessionKey, cookie: &str, now: Timestamp) -> Option<LoginSession> {
        let (content, signature) = cookie.rsplit_once('.')?;
        let signature = hex::decode(signature).ok()?;
        key.signature(content).verify_slice(&signature).ok()?;
        let mut parts = content.split('.');
        let session = LoginSession {
            role: Role::from_name(parts.next()?)?,
            id: parts.next()?.to_owned(),
            begun: Timestamp(parts.next()?.parse().ok()?),
            used: Timestamp(parts.next()?.parse().ok()?),
        };
        // One of a clock that was far ahead would last until then.
        let is_past = session.used.max(session.begun) <= now.plus(AHEAD_MAX);
        let is_fresh = now.since(session.used) <= UNUSED_MAX && now.since(session.begun) <= AGE_MAX;
        (is_past && is_fresh).then_some(session)
    }

    /// The session with this use; `None` while the last one is recent enough.
    pub(super) fn renewed(self, now: Timestamp) -> Option<LoginSession> {
        let is_due = now.since(self.used) > RENEW_AFTER;
        is_due.then_some(LoginSession { used: now, ..self })
    }

    /// The value of its cookie.
    pub(super) fn value(&self, key: &SessionKey) -> String {
        let LoginSession {
            role,
            id,
            begun,
            used,
        } = self;
        let content = format!("{}.{id}.{}.{}", role.name(), begun.0, used.0);
        let signature = key.signature(&content).finalize().into_bytes();
        format!("{content}.{}", hex::encode(signature))
    }
}
