//! GitHub: `X-Hub-Signature-256` is a SHA-256 HMAC over the body.
//!
//! Its form is `sha256=` and the hex of the HMAC in lower case. Older servers send only `X-Hub-Signature`,
//! the same with SHA-1.
//!
//! Source: GitHub's page "Validating webhook deliveries", which publishes the first vector below.

use super::digest::{Algorithm, Encoding};
use super::{Rejection, Secret};

/// The header that carries the signature.
pub const HEADER: &str = "X-Hub-Signature-256";

/// The header that carries the older signature.
pub const SHA1_HEADER: &str = "X-Hub-Signature";

/// Signs the body.
///
/// ```
/// use hookbox::signature::{Secret, github};
/// let secret = Secret::new("It's a Secret to Everybody")?;
/// assert_eq!(
///     github::sign(&secret, b"Hello, World!"),
///     "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
/// );
/// # Ok::<(), hookbox::Error>(())
/// ```
pub fn sign(secret: &Secret, body: &[u8]) -> String {
    let digest = Algorithm::Sha256.hmac(secret, &[body]);
    format!("{}={}", Algorithm::Sha256, hex::encode(digest))
}

/// Signs the body with SHA-1, for older receivers.
pub fn sign_sha1(secret: &Secret, body: &[u8]) -> String {
    let digest = Algorithm::Sha1.hmac(secret, &[body]);
    format!("{}={}", Algorithm::Sha1, hex::encode(digest))
}

/// Checks the value of `X-Hub-Signature-256` in constant time.
///
/// If a request has none, the value of `X-Hub-Signature` is checked.
///
/// # Errors
/// A [`Rejection`] when both are absent or empty (or a bare `sha256=`, as Gitea sends it without a secret),
/// or the value has another form, or was made with another secret or body.
pub fn verify(
    secret: &Secret,
    body: &[u8],
    sha256: Option<&str>,
    sha1: Option<&str>,
) -> Result<(), Rejection> {
    let check = |header, algorithm: Algorithm, value: Option<&str>| {
        let value = value.map(str::trim).unwrap_or_default();
        // The algorithm's name must be there: it separates the two headers' values.
        let digits = value
            .strip_prefix(algorithm.name())
            .and_then(|rest| rest.strip_prefix('='));
        if value.is_empty() || digits == Some("") {
            return Err(Rejection::missing(header));
        }
        let malformed = || {
            let form = Encoding::Hex.form(algorithm);
            Rejection::malformed(header, format!("{algorithm}= and {form}"))
        };
        let digits = digits.ok_or_else(malformed)?;
        algorithm.check(Encoding::Hex, digits, secret, &[body], malformed)
    };
    match (sha256, sha1) {
        (None, Some(older)) => check(SHA1_HEADER, Algorithm::Sha1, Some(older)),
        (value, _) => check(HEADER, Algorithm::Sha256, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_value_is_accepted_and_others_are_told_apart() {
        let secret = Secret::new("It's a Secret to Everybody").unwrap();
        let body = b"Hello, World!";
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(verify(&secret, body, Some(good), None), Ok(()));
        assert_eq!(
            verify(&secret, b"Hello", Some(good), None),
            Err(Rejection::Mismatch)
        );
        for missing in [None, Some(""), Some("sha256=")] {
            assert_eq!(
                verify(&secret, body, missing, None),
                Err(Rejection::missing(HEADER))
            );
        }
        for malformed in ["757107", "sha256=xyz", "sha1=00"] {
            let rejection = verify(&secret, body, Some(malformed), None).unwrap_err();
            assert!(
                matches!(rejection, Rejection::Malformed { .. }),
                "{malformed}"
            );
        }
    }

    #[test]
    fn the_older_value_counts_only_where_the_newer_is_absent() {
        let secret = Secret::new("It's a Secret to Everybody").unwrap();
        let body = b"Hello, World!";
        // Computed with Python's hmac and with OpenSSL.
        let older = Some("sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
        assert_eq!(verify(&secret, body, None, older), Ok(()));
        assert_eq!(verify(&secret, b"x", None, older), Err(Rejection::Mismatch));
        let wrong = format!("sha256={}", "0".repeat(64));
        assert_eq!(
            verify(&secret, body, Some(&wrong), older),
            Err(Rejection::Mismatch)
        );
        for bare in ["sha1=", ""] {
            assert_eq!(
                verify(&secret, body, None, Some(bare)),
                Err(Rejection::missing(SHA1_HEADER))
            );
        }
        for malformed in ["01dc10d0", "sha256=00"] {
            let rejection = verify(&secret, body, None, Some(malformed)).unwrap_err();
            assert!(
                matches!(rejection, Rejection::Malformed { .. }),
                "{malformed}"
            );
        }
    }
}
