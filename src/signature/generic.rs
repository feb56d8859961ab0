//! An HMAC over the body, in a header, with an algorithm and an encoding of the user's choice.
//!
//! What stands before an equals sign (`sha256=...`) is left out when it is the algorithm's name,
//! since many senders write it so.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::digest::{Algorithm, Encoding};
use super::{Rejection, Secret, Signable, github};
use crate::error::{Error, Result};

/// Where the signature is and how it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The header that carries it.
    pub header: Cow<'static, str>,
    /// The hash under the HMAC.
    pub algorithm: Algorithm,
    /// How it is written.
    pub encoding: Encoding,
    /// What stands before it when it is made here. What stands before one that came in need not be
    /// said.
    pub prefix: String,
    /// What it covers when it is made here; one that came in covers the body.
    pub over: Over,
}

/// What a signature covers: `{id}.{timestamp}.{body}` and the like. `{id}` is the `webhook-id`,
/// `{timestamp}` the `webhook-timestamp` in seconds, `{body}` the bytes of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Id,
    Timestamp,
    Body,
}

/// Checks that a text can be the name of a header.
///
/// # Errors
/// [`Error::Misuse`] when it cannot.
pub fn check_header(name: &str) -> Result<()> {
    match http::HeaderName::try_from(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::misuse(format!(
            "`{name}` is not the name of a header; write such as X-Signature"
        ))),
    }
}

impl Default for Over {
    /// The body alone.
    fn default() -> Over {
        Over(vec![Part::Body])
    }
}

impl Over {
    /// Whether the time is covered.
    pub fn has_time(&self) -> bool {
        self.0.contains(&Part::Timestamp)
    }

    /// Gives the texts that are covered, one after the other.
    fn with_texts<T>(&self, message: &Signable<'_>, take: impl FnOnce(&[&[u8]]) -> T) -> T {
        let seconds = message.timestamp.unix_seconds().to_string();
        let texts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.as_bytes(),
            Part::Id => message.id.as_bytes(),
            Part::Timestamp => seconds.as_bytes(),
            Part::Body => message.body,
        });
        take(&texts.collect::<Vec<&[u8]>>())
    }

    /// Whether the id is covered.
    pub fn has_id(&self) -> bool {
        self.0.contains(&Part::Id)
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Id => f.write_str("{id}"),
            Part::Timestamp => f.write_str("{timestamp}"),
            Part::Body => f.write_str("{body}"),
        })
    }
}

impl FromStr for Over {
    type Err = Error;

    fn from_str(text: &str) -> Result<Over> {
        let bad = |why: &str| {
            Error::misuse(format!(
                "`{text}` does not say what is signed: {why}; write such as {{id}}.{{timestamp}}.{{body}}"
            ))
        };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after
                .split_once('}')
                .ok_or_else(|| bad("a { has no } after it"))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(match name {
                "id" => Part::Id,
                "timestamp" => Part::Timestamp,
                "body" => Part::Body,
                other => return Err(bad(&format!("there is no {{{other}}}"))),
            });
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if !parts.contains(&Part::Body) {
            return Err(bad("without {body} anybody could change the body"));
        }
        Ok(Over(parts))
    }
}

impl Default for Rules {
    /// As GitHub made it common: `X-Hub-Signature-256`, SHA-256, hex.
    fn default() -> Rules {
        Rules {
            header: Cow::Borrowed(github::HEADER),
            algorithm: Algorithm::Sha256,
            encoding: Encoding::Hex,
            prefix: String::new(),
            over: Over::default(),
        }
    }
}

impl Rules {
    /// Adds what is not as usual to a JSON object: `signature_header`, `signature_algorithm`,
    /// `signature_encoding`, `signature_prefix`, `signature_over`.
    pub fn put(&self, object: &mut Map<String, Value>) {
        let usual = Rules::default();
        let parts = [
            (
                "signature_header",
                self.header.to_string(),
                usual.header.to_string(),
            ),
            (
                "signature_algorithm",
                self.algorithm.to_string(),
                usual.algorithm.to_string(),
            ),
            (
                "signature_encoding",
                self.encoding.to_string(),
                usual.encoding.to_string(),
            ),
            ("signature_prefix", self.prefix.clone(), usual.prefix),
            (
                "signature_over",
                self.over.to_string(),
                usual.over.to_string(),
            ),
        ];
        for (name, value, usual) in parts {
            if value != usual {
                object.insert(name.to_owned(), value.into());
            }
        }
    }

    /// The same as a JSON object of its own.
    pub fn json(&self) -> Value {
        let mut object = Map::new();
        self.put(&mut object);
        Value::Object(object)
    }

    /// Reads what [`Rules::put`] wrote.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a part is not one.
    pub fn from_json(object: &Value) -> Result<Rules> {
        let text = |name: &str| object[name].as_str();
        let mut rules = Rules::default();
        if let Some(header) = text("signature_header") {
            rules.header = header.to_owned().into();
        }
        if let Some(algorithm) = text("signature_algorithm") {
            rules.algorithm = algorithm.parse()?;
        }
        if let Some(encoding) = text("signature_encoding") {
            rules.encoding = encoding.parse()?;
        }
        if let Some(prefix) = text("signature_prefix") {
            rules.prefix = prefix.to_owned();
        }
        if let Some(over) = text("signature_over") {
            rules.over = over.parse()?;
        }
        Ok(rules)
    }

    /// Checks that the signature can stand in a header.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no header can have the name (RFC 9110, section 5.1) or the prefix.
    pub fn check(&self) -> Result<()> {
        check_header(&self.header)?;
        match http::HeaderValue::from_str(&self.prefix) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::misuse(
                "the signature's prefix cannot stand in a header; write such as sha256=",
            )),
        }
    }

    /// Signs one attempt: the header's value.
    pub fn sign(&self, secret: &Secret, message: &Signable<'_>) -> String {
        let digest = self
            .over
            .with_texts(message, |texts| self.algorithm.hmac(secret, texts));
        format!("{}{}", self.prefix, self.encoding.encode(&digest))
    }

    /// Checks the header's value in constant time.
    ///
    /// # Errors
    /// A [`Rejection`] when the value is absent or empty, not of the encoding, or of another
    /// secret or body.
    ///
    /// ```
    /// use hookbox::signature::digest::{Algorithm, Encoding};
    /// use hookbox::signature::{Secret, Signable, generic::Rules};
    /// let rules = Rules {
    ///     header: "X-Signature".into(),
    ///     algorithm: Algorithm::Sha1,
    ///     encoding: Encoding::Hex,
    ///     ..Rules::default()
    /// };
    /// let secret = Secret::new("It's a Secret to Everybody")?;
    /// let value = Some("sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
    /// assert!(rules.verify(&secret, &Signable::of(b"Hello, World!"), value).is_ok());
    /// assert!(rules.verify(&secret, &Signable::of(b"Hello"), value).is_err());
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn verify(
        &self,
        secret: &Secret,
        message: &Signable<'_>,
        value: Option<&str>,
    ) -> std::result::Result<(), Rejection> {
        let value = value.map(str::trim).unwrap_or_default();
        let value = value.strip_prefix(&self.prefix).unwrap_or(value);
        let prefix = value.strip_prefix(self.algorithm.name());
        let digits = prefix
            .and_then(|rest| rest.strip_prefix('='))
            .unwrap_or(value);
        if digits.is_empty() {
            return Err(Rejection::missing(self.header.clone()));
        }
        self.over.with_texts(message, |texts| {
            self.algorithm
                .check(self.encoding, digits, secret, texts, || {
                    let form = self.encoding.form(self.algorithm);
                    Rejection::malformed(self.header.clone(), form)
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::time::Timestamp;

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
            ..Rules::default()
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
                assert_eq!(
                    rules.verify(&secret, &Signable::of(BODY), Some(&text)),
                    Ok(()),
                    "{text}"
                );
                let changed = rules.verify(&secret, &Signable::of(b"what do ya want"), Some(&text));
                assert_eq!(changed, Err(Rejection::Mismatch), "{text}");
            }
        }
    }

    #[test]
    fn a_signature_covers_what_it_is_told_to_and_is_written_so() {
        let key = Secret::new("Jefe").unwrap();
        let message = Signable {
            id: "what do ",
            timestamp: Timestamp(7_000),
            content_type: None,
            body: b"ya want for nothing?",
        };
        for (algorithm, digits) in PUBLISHED {
            let rules = Rules {
                over: "{id}{body}".parse().unwrap(),
                prefix: "v0=".to_owned(),
                ..rules(algorithm, Encoding::Hex)
            };
            assert_eq!(rules.sign(&key, &message), format!("v0={digits}"));
        }
        let over: Over = "v0:{timestamp}:{body}!".parse().unwrap();
        assert_eq!(over.to_string(), "v0:{timestamp}:{body}!");
        let timed = Rules {
            over,
            ..rules(Algorithm::Sha256, Encoding::Base64)
        };
        let value = timed.sign(&key, &message);
        let same = timed.verify(&key, &message, Some(&value));
        assert_eq!(same, Ok(()));
        let later = Signable {
            timestamp: Timestamp(8_000),
            ..message
        };
        assert!(timed.verify(&key, &later, Some(&value)).is_err());
        for bad in ["", "{id}", "{body", "{bodi}.{body}"] {
            let error = bad.parse::<Over>().unwrap_err().to_string();
            assert!(error.contains("{id}.{timestamp}.{body}"), "{error}");
        }
    }

    #[test]
    fn what_is_absent_empty_or_of_another_form_is_told_apart() {
        let secret = Secret::new("Jefe").unwrap();
        let rules = rules(Algorithm::Sha256, Encoding::Hex);
        for missing in [None, Some(""), Some(" "), Some("sha256=")] {
            let rejection = rules
                .verify(&secret, &Signable::of(BODY), missing)
                .unwrap_err();
            assert!(
                rejection.to_string().contains("X-Sig is absent"),
                "{rejection}"
            );
        }
        for malformed in ["xyz", "sha1=00", "sha512=00", "v1,AAAA"] {
            let rejection = rules
                .verify(&secret, &Signable::of(BODY), Some(malformed))
                .unwrap_err();
            assert!(
                rejection.to_string().contains("64 hex digits"),
                "{rejection}"
            );
        }
        // A part of the right one is not the right one.
        let part = &PUBLISHED[1].1[..32];
        assert_eq!(
            rules.verify(&secret, &Signable::of(BODY), Some(part)),
            Err(Rejection::Mismatch)
        );
    }
}
