//! A plain secret in a header, as GitLab sends it: `X-Gitlab-Token`.
//!
//! It proves that the sender knows the secret and nothing about the body. Source: GitLab's page
//! on webhooks.

use subtle::ConstantTimeEq;

use super::{Rejection, Secret};

/// The header that carries GitLab's secret.
pub const GITLAB_HEADER: &str = "X-Gitlab-Token";

/// Checks a header's value in constant time (its length is not hidden).
///
/// # Errors
/// A [`Rejection`] when the value is absent or empty, or another than the secret.
///
/// ```
/// use hookbox::signature::{Secret, token};
/// let secret = Secret::new("topsecret")?;
/// assert!(token::verify(token::GITLAB_HEADER, &secret, Some("topsecret")).is_ok());
/// assert!(token::verify(token::GITLAB_HEADER, &secret, Some("topsecre")).is_err());
/// # Ok::<(), hookbox::Error>(())
/// ```
pub fn verify(header: &'static str, secret: &Secret, value: Option<&str>) -> Result<(), Rejection> {
    let value = value.map(str::trim).unwrap_or_default();
    if value.is_empty() {
        return Err(Rejection::missing(header));
    }
    if value.as_bytes().ct_eq(secret.expose()).into() {
        Ok(())
    } else {
        Err(Rejection::WrongToken { header })
    }
}
