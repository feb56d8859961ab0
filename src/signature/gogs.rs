//! Gogs: `X-Gogs-Signature` is the hex of HMAC-SHA256 over the JSON text.
//!
//! The hex is in lower case. In form mode the signature covers the decoded `payload` field, not the form
//! body. Source of both rules: Gogs's own webhook delivery code. A Gogs hook without a secret sends the
//! header empty; that is unsigned, not valid.

use std::borrow::Cow;

use super::digest::{Algorithm, Encoding};
use super::form::is_form;
use super::{Rejection, Secret};

/// The header that carries the signature.
pub const HEADER: &str = "X-Gogs-Signature";

/// Signs a body that is sent with this content type.
pub fn sign(secret: &Secret, content_type: Option<&str>, body: &[u8]) -> String {
    let signed = signed_bytes(content_type, body);
    hex::encode(Algorithm::Sha256.hmac(secret, &[&signed]))
}

/// Checks the header's value in constant time.
///
/// # Errors
/// A [`Rejection`] when the value is absent or empty, not hex, or of another secret or body.
///
/// ```
/// use hookbox::signature::{Secret, gogs};
/// let secret = Secret::new("topsecret")?;
/// let body = br#"{"ref":"refs/heads/main"}"#;
/// let header = "7804d460f7eadad206a6d4c5a760b15defa80add90a31069e5ab2df85f18bcfa";
/// assert!(gogs::verify(&secret, Some("application/json"), body, Some(header)).is_ok());
/// assert!(gogs::verify(&secret, Some("application/json"), body, Some("")).is_err());
/// # Ok::<(), hookbox::Error>(())
/// ```
pub fn verify(
    secret: &Secret,
    content_type: Option<&str>,
    body: &[u8],
    header: Option<&str>,
) -> Result<(), Rejection> {
    verify_named(HEADER, secret, content_type, body, header)
}

/// Checks the value of a similar header: Gitea and Forgejo sign in the same way.
pub(super) fn verify_named(
    name: &'static str,
    secret: &Secret,
    content_type: Option<&str>,
    body: &[u8],
    header: Option<&str>,
) -> Result<(), Rejection> {
    let value = header.map(str::trim).unwrap_or_default();
    if value.is_empty() {
        return Err(Rejection::missing(name));
    }
    let (algorithm, encoding) = (Algorithm::Sha256, Encoding::Hex);
    let signed = signed_bytes(content_type, body);
    algorithm.check(encoding, value, secret, &[&signed], || {
        Rejection::malformed(name, encoding.form(algorithm))
    })
}

/// Returns the bytes that the signature covers.
///
/// They are the decoded `payload` in form mode, and else the body. A form with any other field is not from
/// Gogs: the signature would not cover all of it.
pub fn signed_bytes<'a>(content_type: Option<&str>, body: &'a [u8]) -> Cow<'a, [u8]> {
    if is_form(content_type) {
        let mut fields = form_urlencoded::parse(body);
        if let (Some((name, payload)), None) = (fields.next(), fields.next())
            && name == "payload"
        {
            return Cow::Owned(payload.into_owned().into_bytes());
        }
    }
    Cow::Borrowed(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"ref":"refs/heads/main"}"#;
    const JSON: Option<&str> = Some("application/json");
    // Computed with Python's hmac and with OpenSSL.
    const SIGNATURE: &str = "7804d460f7eadad206a6d4c5a760b15defa80add90a31069e5ab2df85f18bcfa";

    fn secret() -> Secret {
        Secret::new("topsecret").unwrap()
    }

    #[test]
    fn the_published_value_is_made_and_accepted() {
        assert_eq!(sign(&secret(), JSON, BODY), SIGNATURE);
        assert_eq!(verify(&secret(), JSON, BODY, Some(SIGNATURE)), Ok(()));
    }

    #[test]
    fn in_form_mode_the_decoded_payload_is_what_is_signed() {
        let form = b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D";
        let kind = Some("application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(verify(&secret(), kind, form, Some(SIGNATURE)), Ok(()));
        assert_eq!(sign(&secret(), kind, form), SIGNATURE);
        // A field that the signature does not cover must not be accepted.
        for smuggled in [&b"&payload=x"[..], b"&x=1"] {
            let body = [form, smuggled].concat();
            assert_eq!(
                verify(&secret(), kind, &body, Some(SIGNATURE)),
                Err(Rejection::Mismatch)
            );
        }
        // The same bytes sent as JSON are a different message.
        assert_eq!(
            verify(&secret(), JSON, form, Some(SIGNATURE)),
            Err(Rejection::Mismatch)
        );
    }

    #[test]
    fn absent_empty_malformed_and_foreign_signatures_are_told_apart() {
        let missing = Err(Rejection::missing(HEADER));
        assert_eq!(verify(&secret(), JSON, BODY, None), missing);
        assert_eq!(verify(&secret(), JSON, BODY, Some("  ")), missing);
        let malformed = Err(Rejection::malformed(HEADER, "64 hex digits"));
        assert_eq!(verify(&secret(), JSON, BODY, Some("sha256=xyz")), malformed);
        let other = Secret::new("othersecret").unwrap();
        assert_eq!(
            verify(&other, JSON, BODY, Some(SIGNATURE)),
            Err(Rejection::Mismatch)
        );
        assert_eq!(
            verify(&secret(), JSON, b"{}", Some(SIGNATURE)),
            Err(Rejection::Mismatch)
        );
        assert_eq!(
            verify(&secret(), JSON, BODY, Some(&SIGNATURE[..62])),
            Err(Rejection::Mismatch)
        );
    }
}
