//! GitHub: `X-Hub-Signature-256` is `sha256=` and the lower-case hex of HMAC-SHA256 over the body.
//!
//! Source: GitHub's page "Validating webhook deliveries", which publishes the vector below.

use hmac::Mac;

use super::{Secret, hmac256};

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
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
