//! Gitee: `X-Gitee-Token` is the plain password or a signature of the time.
//!
//! The signature is the base64 of HMAC-SHA256 over `TIMESTAMP`, a line feed and the secret, keyed with the
//! secret.
//!
//! **Neither covers the body**: whoever knows one timestamp and its signature can send any body until the
//! timestamp is an hour old. Source: Gitee's page on webhook signatures. Captured requests showed that the
//! header carries the raw base64, not its URL-encoded form.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use subtle::ConstantTimeEq;

use super::{Rejection, Secret, hmac256};
use crate::time::Timestamp;

/// The header that carries the password or the signature.
pub const HEADER: &str = "X-Gitee-Token";

/// The header that carries the signed time, in milliseconds since 1970.
pub const TIMESTAMP_HEADER: &str = "X-Gitee-Timestamp";

/// How old a signature may be: an hour, as Gitee's documentation says.
pub const TOLERANCE: Duration = Duration::from_secs(3600);

/// Signs a moment.
///
/// ```
/// use hookbox::signature::{Secret, gitee};
/// let secret = Secret::new("this is secret")?;
/// assert_eq!(
///     gitee::sign(&secret, "1576754827988"),
///     "2D978FIy4DMMTbiN80zQkNH1Eq/kMBt3gL6OnWfGzzY=",
/// );
/// # Ok::<(), hookbox::Error>(())
/// ```
pub fn sign(secret: &Secret, timestamp_ms: &str) -> String {
    let mut mac = hmac256(secret.expose());
    mac.update(timestamp_ms.as_bytes());
    mac.update(b"\n");
    mac.update(secret.expose());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Checks a token in constant time.
///
/// It is checked as a signature of the time and as the password itself: the request does not say which of
/// the two it is.
///
/// # Errors
/// A [`Rejection`] when the token is absent or empty, made with another secret or time, or signed longer
/// than `tolerance` before or after `now` (`None` accepts any time).
pub fn verify(
    secret: &Secret,
    token: Option<&str>,
    timestamp_ms: Option<&str>,
    now: Timestamp,
    tolerance: Option<Duration>,
) -> Result<(), Rejection> {
    let token = token.map(str::trim).unwrap_or_default();
    if token.is_empty() {
        return Err(Rejection::missing(HEADER));
    }
    if token.as_bytes().ct_eq(secret.expose()).into() {
        return Ok(());
    }
    let Some(timestamp_ms) = timestamp_ms.map(str::trim) else {
        return Err(Rejection::WrongToken {
            header: HEADER.into(),
        });
    };
    let expected = sign(secret, timestamp_ms);
    if !bool::from(token.as_bytes().ct_eq(expected.as_bytes())) {
        return Err(Rejection::WrongToken {
            header: HEADER.into(),
        });
    }
    let signed_at: i64 = timestamp_ms
        .parse()
        .map_err(|_| Rejection::malformed(TIMESTAMP_HEADER, "milliseconds since 1970"))?;
    Rejection::unless_recent(Timestamp(signed_at), now, tolerance)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "bBg5lrt03VixkX85CNqYIcecC0SIGASE";
    // Computed with Python's hmac and with OpenSSL from captured requests.
    const SIGNED: [(&str, &str); 2] = [
        (
            "1633679083918",
            "Xvh4YPVe6l31XpDRL9J2yeaEXabsckIoUUschpXiVck=",
        ),
        (
            "1633686799688",
            "OyjGt7PDU9xXl5khawx5APOUmODD+SaulKYnS/Nifew=",
        ),
    ];

    fn secret() -> Secret {
        Secret::new(SECRET).unwrap()
    }

    #[test]
    fn captured_signatures_are_made_and_accepted_for_an_hour() {
        for (timestamp, signature) in SIGNED {
            assert_eq!(sign(&secret(), timestamp), signature);
            let signed_at: i64 = timestamp.parse().unwrap();
            for (away_ms, accepted) in [
                (0, true),
                (3_600_000, true),
                (-3_600_000, true),
                (3_600_001, false),
                (-3_600_001, false),
            ] {
                let now = Timestamp(signed_at + away_ms);
                let verdict = verify(
                    &secret(),
                    Some(signature),
                    Some(timestamp),
                    now,
                    Some(TOLERANCE),
                );
                assert_eq!(verdict.is_ok(), accepted, "{away_ms} ms away: {verdict:?}");
            }
        }
    }

    #[test]
    fn a_signature_of_another_moment_or_secret_does_not_match() {
        let (_, signature) = SIGNED[0];
        let now = Timestamp(1_633_679_083_917);
        let refused = Err(Rejection::WrongToken {
            header: HEADER.into(),
        });
        assert_eq!(
            verify(
                &secret(),
                Some(signature),
                Some("1633679083917"),
                now,
                Some(TOLERANCE)
            ),
            refused
        );
        let other = Secret::new("other").unwrap();
        assert_eq!(
            verify(
                &other,
                Some(signature),
                Some(SIGNED[0].0),
                now,
                Some(TOLERANCE)
            ),
            refused
        );
        assert_eq!(
            verify(&secret(), Some(signature), None, now, Some(TOLERANCE)),
            refused
        );
    }

    #[test]
    fn the_password_is_accepted_at_any_time_and_nothing_near_it() {
        let secret = Secret::new("pass word").unwrap();
        let now = Timestamp(0);
        assert_eq!(
            verify(&secret, Some("pass word"), Some("1"), now, Some(TOLERANCE)),
            Ok(())
        );
        assert_eq!(
            verify(&secret, Some("pass word"), None, now, Some(TOLERANCE)),
            Ok(())
        );
        for wrong in ["pass", "pass wordy", "Pass word"] {
            assert!(verify(&secret, Some(wrong), Some("1"), now, Some(TOLERANCE)).is_err());
        }
        for empty in [None, Some(""), Some("  ")] {
            let missing = Err(Rejection::missing(HEADER));
            assert_eq!(
                verify(&secret, empty, Some("1"), now, Some(TOLERANCE)),
                missing
            );
        }
    }
}
