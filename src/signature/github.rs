//! GitHub: `X-Hub-Signature-256` is `sha256=` and the lower-case hex of HMAC-SHA256 over the body.
//!
//! Source: GitHub's page "Validating webhook deliveries", which publishes the vector below.

use hmac::Mac;

use super::{Rejection, Secret, hmac256};

/// The header that carries the signature.
pub const HEADER: &str = "X-Hub-Signature-256";

/// What stands before the hex.
const PREFIX: &str = "sha256=";

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
    let mut mac = hmac256(secret.expose());
    mac.update(body);
    format!("{PREFIX}{}", hex::encode(mac.finalize().into_bytes()))
}

/// Checks the header's value in constant time.
///
/// # Errors
/// A [`Rejection`] when the value is absent or empty (or, as Gitea sends it without a secret, a
/// bare `sha256=`), not of the form, or of another secret or body.
pub fn verify(secret: &Secret, body: &[u8], header: Option<&str>) -> Result<(), Rejection> {
    let value = header.map(str::trim).unwrap_or_default();
    if value.is_empty() || value == PREFIX {
        return Err(Rejection::Missing { header: HEADER });
    }
    let malformed = Rejection::Malformed { header: HEADER };
    let digits = value.strip_prefix(PREFIX).ok_or(malformed)?;
    let claimed = hex::decode(digits).map_err(|_| malformed)?;
    let mut mac = hmac256(secret.expose());
    mac.update(body);
    mac.verify_slice(&claimed).map_err(|_| Rejection::Mismatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_value_is_accepted_and_others_are_told_apart() {
        let secret = Secret::new("It's a Secret to Everybody").unwrap();
        let body = b"Hello, World!";
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(verify(&secret, body, Some(good)), Ok(()));
        assert_eq!(
            verify(&secret, b"Hello", Some(good)),
            Err(Rejection::Mismatch)
        );
        for missing in [None, Some(""), Some("sha256=")] {
            assert_eq!(
                verify(&secret, body, missing),
                Err(Rejection::Missing { header: HEADER })
            );
        }
        for malformed in ["757107", "sha256=xyz", "sha1=00"] {
            let rejection = Err(Rejection::Malformed { header: HEADER });
            assert_eq!(
                verify(&secret, body, Some(malformed)),
                rejection,
                "{malformed}"
            );
        }
    }
}
