//! Gitea and Forgejo: the hex of HMAC-SHA256 over the JSON text, as in Gogs.
//!
//! The hex is in lower case. The header is `X-Gitea-Signature` or `X-Forgejo-Signature`. In form mode the
//! signature covers the decoded `payload` field. Source: Gitea's webhook delivery code. A hook without a
//! secret sends the header empty; that is unsigned, not valid.

use super::{Rejection, Secret, gogs};

/// The header that carries Gitea's signature; Forgejo sends it too.
pub const HEADER: &str = "X-Gitea-Signature";

/// The header that carries Forgejo's signature.
pub const FORGEJO_HEADER: &str = "X-Forgejo-Signature";

/// Checks the value of one of these headers in constant time.
///
/// # Errors
/// A [`Rejection`] when the value is absent or empty, not hex, or of another secret or body.
///
/// ```
/// use hookbox::signature::{Secret, gitea};
/// let secret = Secret::new("topsecret")?;
/// let body = br#"{"ref":"refs/heads/main"}"#;
/// let value = Some("7804d460f7eadad206a6d4c5a760b15defa80add90a31069e5ab2df85f18bcfa");
/// assert!(gitea::verify(gitea::HEADER, &secret, Some("application/json"), body, value).is_ok());
/// assert!(gitea::verify(gitea::HEADER, &secret, Some("application/json"), body, None).is_err());
/// # Ok::<(), hookbox::Error>(())
/// ```
pub fn verify(
    header: &'static str,
    secret: &Secret,
    content_type: Option<&str>,
    body: &[u8],
    value: Option<&str>,
) -> Result<(), Rejection> {
    gogs::verify_named(header, secret, content_type, body, value)
}
