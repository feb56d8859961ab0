//! An HMAC over the body, in a header, with an algorithm and an encoding of the user's choice.
//!
//! What stands before an equals sign (`sha256=...`) is left out when it is the algorithm's name,
//! since many senders write it so.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::{Rejection, Secret, github};
use crate::error::{Error, Result};

/// The hash under the HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Still sound for this use; old senders have nothing else.
    Sha1,
    /// What nearly everybody uses.
    Sha256,
    /// The longer one.
    Sha512,
}

/// How the HMAC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal digits, in either case.
    Hex,
    /// Base64 in the standard alphabet, with padding.
    Base64,
}

/// Where the signature is and how it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The header that carries it.
    pub header: Cow<'static, str>,
    /// The hash under the HMAC.
    pub algorithm: Algorithm,
    /// How it is written.
    pub encoding: Encoding,
}

impl Default for Rules {
    /// As GitHub made it common: `X-Hub-Signature-256`, SHA-256, hex.
    fn default() -> Rules {
        Rules {
            header: Cow::Borrowed(github::HEADER),
            algorithm: Algorithm::Sha256,
            encoding: Encoding::Hex,
        }
    }
}

impl Algorithm {
    /// Every algorithm, in the order of the help text.
    pub const ALL: [Algorithm; 3] = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];

    /// The name used on the command line, and by senders before the equals sign.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// The HMAC of a text (RFC 2104).
    pub(super) fn hmac(self, secret: &Secret, body: &[u8]) -> Vec<u8> {
        fn run<M: Mac + KeyInit>(key: &[u8], body: &[u8]) -> Vec<u8> {
            let mut mac =
                <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
            mac.update(body);
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Algorithm::Sha1 => run::<Hmac<Sha1>>(secret.expose(), body),
            Algorithm::Sha256 => run::<Hmac<Sha256>>(secret.expose(), body),
            Algorithm::Sha512 => run::<Hmac<Sha512>>(secret.expose(), body),
        }
    }
}

impl Encoding {
    /// Every encoding, in the order of the help text.
    pub const ALL: [Encoding; 2] = [Encoding::Hex, Encoding::Base64];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Hex => "hex",
            Encoding::Base64 => "base64",
        }
    }

    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Encoding::Hex => hex::decode(text).ok(),
            Encoding::Base64 => STANDARD.decode(text).ok(),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Algorithm> {
        let named = Algorithm::ALL.into_iter().find(|one| one.name() == text);
        named.ok_or_else(|| {
            Error::misuse(format!(
                "unknown algorithm `{text}`; one of sha1, sha256, sha512"
            ))
        })
    }
}

impl FromStr for Encoding {
    type Err = Error;

    fn from_str(text: &str) -> Result<Encoding> {
        let named = Encoding::ALL.into_iter().find(|one| one.name() == text);
        named.ok_or_else(|| Error::misuse(format!("unknown encoding `{text}`; hex or base64")))
    }
}

impl Rules {
    /// Checks the header's value in constant time.
    ///
    /// # Errors
    /// A [`Rejection`] when the value is absent or empty, not of the encoding, or of another
    /// secret or body.
    ///
    /// ```
    /// use hookbox::signature::{Secret, generic::{Algorithm, Encoding, Rules}};
    /// let rules = Rules {
    ///     header: "X-Signature".into(),
    ///     algorithm: Algorithm::Sha1,
    ///     encoding: Encoding::Hex,
    /// };
    /// let secret = Secret::new("It's a Secret to Everybody")?;
    /// let value = Some("sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
    /// assert!(rules.verify(&secret, b"Hello, World!", value).is_ok());
    /// assert!(rules.verify(&secret, b"Hello", value).is_err());
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn verify(
        &self,
        secret: &Secret,
        body: &[u8],
        value: Option<&str>,
    ) -> std::result::Result<(), Rejection> {
        let value = value.map(str::trim).unwrap_or_default();
        let prefix = value.strip_prefix(self.algorithm.name());
        let digits = prefix
            .and_then(|rest| rest.strip_prefix('='))
            .unwrap_or(value);
        if digits.is_empty() {
            return Err(Rejection::missing(self.header.clone()));
        }
        let claimed = self
            .encoding
            .decode(digits)
            .ok_or_else(|| Rejection::malformed(self.header.clone()))?;
        let expected = self.algorithm.hmac(secret, body);
        if claimed.ct_eq(&expected).into() {
            Ok(())
        } else {
            Err(Rejection::Mismatch)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4231, test case 2 (SHA-256 and SHA-512), and RFC 2202, test case 2 (SHA-1): the key
    // "Jefe" over "what do ya want for nothing?".
    const BODY: &[u8] = b"what do ya want for nothing?";
    const PUBLISHED: [(Algorithm, &str); 3] = [
        (Algorithm::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (
            Algorithm::Sha256,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            Algorithm::Sha512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ];

    fn rules(algorithm: Algorithm, encoding: Encoding) -> Rules {
        Rules {
            header: "X-Sig".into(),
            algorithm,
            encoding,
        }
    }

    #[test]
    fn published_values_are_accepted_in_every_spelling_and_changed_ones_are_not() {
        let secret = Secret::new("Jefe").unwrap();
        for (algorithm, digits) in PUBLISHED {
            let base64 = STANDARD.encode(hex::decode(digits).unwrap());
            for (encoding, text) in [
                (Encoding::Hex, digits.to_owned()),
                (Encoding::Hex, digits.to_uppercase()),
                (Encoding::Hex, format!("{algorithm}={digits}")),
                (Encoding::Base64, base64.clone()),
                (Encoding::Base64, format!("{algorithm}={base64}")),
            ] {
                let rules = rules(algorithm, encoding);
                assert_eq!(rules.verify(&secret, BODY, Some(&text)), Ok(()), "{text}");
                let changed = rules.verify(&secret, b"what do ya want", Some(&text));
                assert_eq!(changed, Err(Rejection::Mismatch), "{text}");
            }
        }
    }

    #[test]
    fn what_is_absent_empty_or_of_another_form_is_told_apart() {
        let secret = Secret::new("Jefe").unwrap();
        let rules = rules(Algorithm::Sha256, Encoding::Hex);
        for missing in [None, Some(""), Some(" "), Some("sha256=")] {
            let rejection = rules.verify(&secret, BODY, missing).unwrap_err();
            assert!(
                rejection.to_string().contains("X-Sig is absent"),
                "{rejection}"
            );
        }
        for malformed in ["xyz", "sha1=00", "sha512=00", "v1,AAAA"] {
            let rejection = rules.verify(&secret, BODY, Some(malformed)).unwrap_err();
            assert_eq!(rejection, Rejection::malformed("X-Sig"), "{malformed}");
        }
        // A part of the right one is not the right one.
        let part = &PUBLISHED[1].1[..32];
        assert_eq!(
            rules.verify(&secret, BODY, Some(part)),
            Err(Rejection::Mismatch)
        );
    }
}
