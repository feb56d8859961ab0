//! The signature of a bundle: HMAC-SHA256 over the hash of all its lines, in hex.
//!
//! The signed text begins with words of its own, so that no signature of a request is one of a bundle.

use hmac::Mac;

use super::{Secret, hmac256};
use crate::error::{Error, Result};

/// The words before the hash.
const WORDS: &str = "hookbox bundle 1 ";

fn mac(secret: &Secret, sha256: &str) -> hmac::Hmac<sha2::Sha256> {
    let mut mac = hmac256(secret.expose());
    mac.update(WORDS.as_bytes());
    mac.update(sha256.as_bytes());
    mac
}

/// Checks that a secret is one that both sides have: half of a key pair is known to others, or proves nothing
/// to them.
///
/// # Errors
/// [`Error::Misuse`] for a key of Standard Webhooks' key pairs (`whsk_`, `whpk_`).
pub fn check_secret(secret: &Secret) -> Result<()> {
    let is_half = [&b"whsk_"[..], b"whpk_"]
        .iter()
        .any(|prefix| secret.expose().starts_with(prefix));
    match is_half {
        false => Ok(()),
        true => Err(Error::misuse(
            "a bundle is signed with a secret that both sides have, and not with a key pair (whsk_, whpk_)",
        )),
    }
}

/// Signs the hash (SHA-256, in hex) of a bundle.
///
/// # Errors
/// Those of [`check_secret`].
pub fn sign(secret: &Secret, sha256: &str) -> Result<String> {
    check_secret(secret)?;
    Ok(hex::encode(mac(secret, sha256).finalize().into_bytes()))
}

/// Whether this secret made the signature; compared in constant time.
pub fn verify(secret: &Secret, sha256: &str, signature: &str) -> bool {
    let bytes = hex::decode(signature).unwrap_or_default();
    check_secret(secret).is_ok() && mac(secret, sha256).verify_slice(&bytes).is_ok()
}
