//! The signature of a bundle: HMAC-SHA256 over the hash of all its lines, in hex.
//!
//! The signed text begins with words of its own, so that no signature of a request is one of a bundle.

use hmac::Mac;

use super::{Secret, hmac256};

/// The words before the hash.
const WORDS: &str = "hookbox bundle 1 ";

fn mac(secret: &Secret, sha256: &str) -> hmac::Hmac<sha2::Sha256> {
    let mut mac = hmac256(secret.expose());
    mac.update(WORDS.as_bytes());
    mac.update(sha256.as_bytes());
    mac
}

/// Signs the hash (SHA-256, in hex) of a bundle.
pub fn sign(secret: &Secret, sha256: &str) -> String {
    hex::encode(mac(secret, sha256).finalize().into_bytes())
}

/// Whether this secret made the signature; compared in constant time.
pub fn verify(secret: &Secret, sha256: &str, signature: &str) -> bool {
    let bytes = hex::decode(signature).unwrap_or_default();
    mac(secret, sha256).verify_slice(&bytes).is_ok()
}
