//! A plain secret in a header: `X-Gitlab-Token`, or a password or token.
//!
//! A password or token is in `Authorization`. The secret proves that the sender knows it, and proves
//! nothing about the body. Sources: GitLab's page on webhooks; RFC 7617 (Basic), RFC 6750 (Bearer).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::{Rejection, Secret};

/// The header that carries GitLab's secret.
pub const GITLAB_HEADER: &str = "X-Gitlab-Token";

/// The header that carries a password or token.
pub const AUTHORIZATION: &str = "Authorization";

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
pub fn verify(
    header: impl Into<Cow<'static, str>>,
    secret: &Secret,
    value: Option<&str>,
) -> Result<(), Rejection> {
    same(header.into(), secret.expose(), value)
}

/// Checks `Authorization: Bearer TOKEN`.
///
/// # Errors
/// As [`verify`].
pub fn verify_bearer(secret: &Secret, value: Option<&str>) -> Result<(), Rejection> {
    let token = credentials(value, "Bearer", "Bearer and the secret")?;
    same(AUTHORIZATION.into(), secret.expose(), token)
}

/// Checks `Authorization: Basic`, with a user name and the secret as the password.
///
/// # Errors
/// As [`verify`].
///
/// ```
/// use hookbox::signature::{Secret, token};
/// // RFC 7617, section 2.
/// let secret = Secret::new("open sesame")?;
/// let value = Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
/// assert!(token::verify_basic("Aladdin", &secret, value).is_ok());
/// assert!(token::verify_basic("Mira", &secret, value).is_err());
/// # Ok::<(), hookbox::Error>(())
/// ```
pub fn verify_basic(user: &str, secret: &Secret, value: Option<&str>) -> Result<(), Rejection> {
    let expected = STANDARD.encode([user.as_bytes(), b":", secret.expose()].concat());
    let pair = credentials(value, "Basic", "Basic, with the user name and the secret")?;
    same(AUTHORIZATION.into(), expected.as_bytes(), pair)
}

/// Returns what follows the name of an authentication scheme, in upper or lower case (RFC 9110, section
/// 11.1).
fn credentials<'a>(
    value: Option<&'a str>,
    scheme: &str,
    form: &'static str,
) -> Result<Option<&'a str>, Rejection> {
    let Some(value) = value else {
        return Ok(None);
    };
    match value.trim().split_once(' ') {
        Some((name, rest)) if name.eq_ignore_ascii_case(scheme) => Ok(Some(rest)),
        _ => Err(Rejection::malformed(AUTHORIZATION, form)),
    }
}

fn same(header: Cow<'static, str>, expected: &[u8], value: Option<&str>) -> Result<(), Rejection> {
    let value = value.map(str::trim).unwrap_or_default();
    if value.is_empty() {
        return Err(Rejection::missing(header));
    }
    match value.as_bytes().ct_eq(expected).into() {
        true => Ok(()),
        false => Err(Rejection::WrongToken { header }),
    }
}
