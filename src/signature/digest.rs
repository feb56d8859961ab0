//! The HMAC that most schemes are built on: its hash and its text encoding.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::{Rejection, Secret};

/// The hash of the HMAC. Senders write its name before the equals sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-1. It is still sound for an HMAC, and old senders support nothing else.
    Sha1,
    /// SHA-256, which nearly everybody uses.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// The text encoding of the HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal digits, in upper or lower case.
    Hex,
    /// Base64 in the standard alphabet, with padding.
    Base64,
}

names!(Algorithm, "algorithm": Sha1 = "sha1", Sha256 = "sha256", Sha512 = "sha512");

impl Algorithm {
    /// Computes the HMAC of these texts, one after the other (RFC 2104).
    pub(super) fn hmac(self, secret: &Secret, texts: &[&[u8]]) -> Vec<u8> {
        fn run<M: Mac + KeyInit>(key: &[u8], texts: &[&[u8]]) -> Vec<u8> {
            let mut mac =
                <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
            for text in texts {
                mac.update(text);
            }
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Algorithm::Sha1 => run::<Hmac<Sha1>>(secret.expose(), texts),
            Algorithm::Sha256 => run::<Hmac<Sha256>>(secret.expose(), texts),
            Algorithm::Sha512 => run::<Hmac<Sha512>>(secret.expose(), texts),
        }
    }

    /// Compares an encoded digest with the digest of these texts, in constant time.
    ///
    /// `malformed` is the rejection if the text is not a digest of this encoding.
    pub(super) fn check(
        self,
        encoding: Encoding,
        digits: &str,
        secret: &Secret,
        texts: &[&[u8]],
        malformed: impl FnOnce() -> Rejection,
    ) -> std::result::Result<(), Rejection> {
        let claimed = encoding.decode(digits).ok_or_else(malformed)?;
        same(&claimed, &self.hmac(secret, texts))
    }
}

/// Compares two digests in constant time.
pub(super) fn same(claimed: &[u8], made: &[u8]) -> std::result::Result<(), Rejection> {
    match claimed.ct_eq(made).into() {
        true => Ok(()),
        false => Err(Rejection::Mismatch),
    }
}

names!(Encoding, "encoding": Hex = "hex", Base64 = "base64");

impl Encoding {
    /// Describes a digest's form, for a sender that sent something else.
    pub(super) fn form(self, algorithm: Algorithm) -> String {
        let bytes = match algorithm {
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        };
        match self {
            Encoding::Hex => format!("{} hex digits", 2 * bytes),
            Encoding::Base64 => format!("the base64 of {bytes} bytes"),
        }
    }

    pub(super) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Encoding::Hex => hex::encode(bytes),
            Encoding::Base64 => STANDARD.encode(bytes),
        }
    }

    pub(super) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Encoding::Hex => hex::decode(text).ok(),
            Encoding::Base64 => STANDARD.decode(text).ok(),
        }
    }
}
