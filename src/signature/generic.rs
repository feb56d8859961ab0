//! An HMAC in a header, with an algorithm and an encoding of the user's choice.
//!
//! A prefix with an equals sign (`sha256=...`) is ignored if it is the algorithm's name, since many senders
//! write it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::digest::{Algorithm, Encoding, same};
use super::{Rejection, Secret, Signable, Signed, github, standard};
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// Where the signature is and how it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The header that carries the signature.
    pub header: Cow<'static, str>,
    /// The hash of the HMAC.
    pub algorithm: Algorithm,
    /// The text encoding of the HMAC.
    pub encoding: Encoding,
    /// Text before a signature that hookbox makes.
    ///
    /// For an incoming signature the prefix is optional.
    pub prefix: String,
    /// What the signature covers.
    pub over: Over,
    /// The header with the time, if the signature covers a time.
    ///
    /// If it is the signature's own header, its value is a list of `t=` and signatures, as Stripe sends it.
    pub timestamp_header: Option<Cow<'static, str>>,
}

/// What a signature covers: `{id}.{timestamp}.{body}` and similar templates.
///
/// `{id}` is the `webhook-id`. `{timestamp}` is the time as it is written in its header; hookbox writes it
/// in seconds. `{body}` is the bytes of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Id,
    Timestamp,
    Body,
}

/// Checks that a text is a valid header name.
///
/// # Errors
/// [`Error::Misuse`] when it is not.
pub fn check_header(name: &str) -> Result<()> {
    match http::HeaderName::try_from(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::misuse(format!(
            "`{name}` is not the name of a header; write such as X-Signature"
        ))),
    }
}

impl Default for Over {
    /// Covers only the body.
    fn default() -> Over {
        Over(vec![Part::Body])
    }
}

impl Over {
    /// Whether the time is covered.
    pub fn has_time(&self) -> bool {
        self.0.contains(&Part::Timestamp)
    }

    /// Returns the covered texts, one after the other.
    fn texts<'a>(&'a self, id: &'a str, time: &'a str, body: &'a [u8]) -> Vec<&'a [u8]> {
        let texts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.as_bytes(),
            Part::Id => id.as_bytes(),
            Part::Timestamp => time.as_bytes(),
            Part::Body => body,
        });
        texts.collect()
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
    /// The form that GitHub made common: `X-Hub-Signature-256`, SHA-256, hex.
    fn default() -> Rules {
        Rules {
            header: Cow::Borrowed(github::HEADER),
            algorithm: Algorithm::Sha256,
            encoding: Encoding::Hex,
            prefix: String::new(),
            over: Over::default(),
            timestamp_header: None,
        }
    }
}

impl Rules {
    /// Adds the values that differ from the default to a JSON object.
    ///
    /// The names are `signature_header`, `signature_algorithm`, `signature_encoding`, `signature_prefix`
    /// and `signature_over`.
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
        let time = self.timestamp_header.as_ref();
        object.extend(time.map(|name| ("timestamp_header".to_owned(), name.to_string().into())));
    }

    /// Returns the values that differ from the default as a JSON object.
    pub fn json(&self) -> Value {
        let mut object = Map::new();
        self.put(&mut object);
        Value::Object(object)
    }

    /// Reads what [`Rules::put`] wrote.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a value is invalid.
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
        rules.timestamp_header = text("timestamp_header").map(|name| name.to_owned().into());
        Ok(rules)
    }

    /// Checks that the signature can be sent in a header.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the name (RFC 9110, section 5.1) or the prefix is not valid in a header.
    pub fn check(&self) -> Result<()> {
        check_header(&self.header)?;
        if let Some(name) = &self.timestamp_header {
            check_header(name)?;
        }
        match http::HeaderValue::from_str(&self.prefix) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::misuse(
                "the signature's prefix cannot stand in a header; write such as sha256=",
            )),
        }
    }

    /// Whether signature and time are in one header, `t=1492774577,v1=...`.
    fn is_list(&self) -> bool {
        let time = self.timestamp_header.as_ref();
        time.is_some_and(|time| time.eq_ignore_ascii_case(&self.header))
    }

    /// Signs one attempt and returns the signature headers.
    pub fn sign(
        &self,
        secret: &Secret,
        message: &Signable<'_>,
    ) -> Vec<(Cow<'static, str>, String)> {
        let time = message.timestamp.unix_seconds().to_string();
        let texts = self.over.texts(message.id, &time, message.body);
        let digest = self.algorithm.hmac(secret, &texts);
        let value = format!("{}{}", self.prefix, self.encoding.encode(&digest));
        match &self.timestamp_header {
            _ if self.is_list() => vec![(self.header.clone(), format!("t={time},{value}"))],
            Some(name) => vec![(name.clone(), time), (self.header.clone(), value)],
            None => vec![(self.header.clone(), value)],
        }
    }

    /// Checks a request in constant time.
    ///
    /// # Errors
    /// A [`Rejection`] when the signature is absent or empty, not of the encoding, of another secret or
    /// body, or too long ago.
    ///
    /// ```
    /// use std::time::Duration;
    /// use hookbox::signature::digest::{Algorithm, Encoding};
    /// use hookbox::signature::{Secret, Signed, generic::Rules};
    /// use hookbox::time::Timestamp;
    /// let rules = Rules {
    ///     header: "X-Signature".into(),
    ///     algorithm: Algorithm::Sha1,
    ///     encoding: Encoding::Hex,
    ///     ..Rules::default()
    /// };
    /// let secret = Secret::new("It's a Secret to Everybody")?;
    /// let signed = |body| Signed {
    ///     header: &|_| Some("sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"),
    ///     body,
    ///     now: Timestamp(0),
    ///     tolerance: None,
    /// };
    /// assert!(rules.verify(&secret, &signed(b"Hello, World!")).is_ok());
    /// assert!(rules.verify(&secret, &signed(b"Hello")).is_err());
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn verify(
        &self,
        secret: &Secret,
        request: &Signed<'_>,
    ) -> std::result::Result<(), Rejection> {
        let header = request.header;
        let needed = |name: &str| header(name).ok_or_else(|| Rejection::missing(name.to_owned()));
        let value = needed(&self.header)?;
        let items: Vec<&str> = value.split(',').map(str::trim).collect();
        let time = match &self.timestamp_header {
            _ if !self.over.has_time() => "",
            _ if self.is_list() => {
                let time = items.iter().find_map(|item| item.strip_prefix("t="));
                time.ok_or_else(|| {
                    let form = format!("t=TIME,{}SIGNATURE", self.prefix);
                    Rejection::malformed(self.header.clone(), form)
                })?
            }
            Some(name) => needed(name)?,
            None => needed(standard::TIMESTAMP_HEADER)?,
        };
        let id = match self.over.has_id() {
            true => needed(standard::ID_HEADER)?,
            false => "",
        };
        let at = match self.over.has_time() {
            true => Some(self.read_time(time)?),
            false => None,
        };
        let texts = self.over.texts(id, time, request.body);
        self.check_any(&items, secret, &texts)?;
        // Checked last, so that a stranger learns nothing about this machine's clock.
        match at {
            Some(at) => Rejection::unless_recent(at, request.now, request.tolerance),
            None => Ok(()),
        }
    }

    /// Checks a list of signatures, of which one must be right.
    ///
    /// While a sender's secret is being replaced there are two. The body is hashed once, whatever the
    /// number of signatures.
    fn check_any(
        &self,
        items: &[&str],
        secret: &Secret,
        texts: &[&[u8]],
    ) -> std::result::Result<(), Rejection> {
        let is_prefixed = |item: &&str| !self.prefix.is_empty() && item.starts_with(&self.prefix);
        // For an incoming signature the prefix is optional.
        let needs_prefix = items.iter().any(is_prefixed);
        let claimed = items
            .iter()
            .filter(|item| !needs_prefix || is_prefixed(item));
        let digits = claimed.map(|item| {
            let item = item.strip_prefix(&self.prefix).unwrap_or(item);
            let bare = item.strip_prefix(self.algorithm.name());
            bare.and_then(|rest| rest.strip_prefix('=')).unwrap_or(item)
        });
        let mut digits = digits.filter(|digits| !digits.is_empty()).peekable();
        if digits.peek().is_none() {
            return Err(Rejection::missing(self.header.clone()));
        }
        let mut made = None;
        let mut decoded = digits
            .filter_map(|digits| self.encoding.decode(digits))
            .peekable();
        if decoded.peek().is_none() {
            let form = self.encoding.form(self.algorithm);
            return Err(Rejection::malformed(self.header.clone(), form));
        }
        let is_right = decoded.any(|claimed| {
            let made = made.get_or_insert_with(|| self.algorithm.hmac(secret, texts));
            same(&claimed, made).is_ok()
        });
        match is_right {
            true => Ok(()),
            false => Err(Rejection::Mismatch),
        }
    }

    /// Reads a time: seconds, with or without a fraction, milliseconds since 1970, or RFC 3339.
    fn read_time(&self, text: &str) -> std::result::Result<Timestamp, Rejection> {
        /// As seconds this would be in the year 5138.
        const MILLIS_FROM: u64 = 100_000_000_000;
        let whole = match text.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => whole,
            _ => text,
        };
        match whole.parse::<i64>() {
            Ok(millis) if millis.unsigned_abs() >= MILLIS_FROM => Ok(Timestamp(millis)),
            Ok(seconds) => Ok(Timestamp(seconds.saturating_mul(1_000))),
            Err(_) => Timestamp::parse_rfc3339(text).ok_or_else(|| {
                let usual = Cow::Borrowed(standard::TIMESTAMP_HEADER);
                let name = self.timestamp_header.clone().unwrap_or(usual);
                Rejection::malformed(name, "seconds or milliseconds since 1970, or RFC 3339")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::time::Timestamp;

    // RFC 4231, test case 2 (SHA-256 and SHA-512), and RFC 2202, test case 2 (SHA-1): the key "Jefe" over
    // "what do ya want for nothing?".
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

    /// Checks a request with these headers at the second `now`.
    fn verify_at(
        now: i64,
        rules: &Rules,
        secret: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::result::Result<(), Rejection> {
        let header = |name: &str| {
            let mut all = headers.iter();
            let found = all.find(|(held, _)| held.eq_ignore_ascii_case(name));
            found.map(|(_, value)| *value)
        };
        let request = Signed {
            header: &header,
            body,
            now: Timestamp(now * 1_000),
            tolerance: Some(standard::TOLERANCE),
        };
        rules.verify(&Secret::new(secret).unwrap(), &request)
    }

    fn verify(rules: &Rules, value: &str, body: &[u8]) -> std::result::Result<(), Rejection> {
        verify_at(0, rules, "Jefe", &[("X-Sig", value)], body)
    }

    #[test]
    fn published_values_are_accepted_in_every_spelling_and_changed_ones_are_not() {
        for (algorithm, digits) in PUBLISHED {
            let base64 = STANDARD.encode(hex::decode(digits).unwrap());
            for (encoding, text) in [
                (Encoding::Hex, digits.to_owned()),
                (Encoding::Hex, digits.to_uppercase()),
                (Encoding::Hex, format!("{algorithm}={digits}")),
                // If there are several signatures, one right signature is enough.
                (Encoding::Hex, format!("{}, {digits}", "0".repeat(2))),
                (Encoding::Base64, base64.clone()),
                (Encoding::Base64, format!("{algorithm}={base64}")),
            ] {
                let rules = rules(algorithm, encoding);
                assert_eq!(verify(&rules, &text, BODY), Ok(()), "{text}");
                let changed = verify(&rules, &text, b"what do ya want");
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
            let headers = rules.sign(&key, &message);
            assert_eq!(headers, [("X-Sig".into(), format!("v0={digits}"))]);
        }
        let over: Over = "v0:{timestamp}:{body}!".parse().unwrap();
        assert_eq!(over.to_string(), "v0:{timestamp}:{body}!");
        for bad in ["", "{id}", "{body", "{bodi}.{body}"] {
            let error = bad.parse::<Over>().unwrap_err().to_string();
            assert!(error.contains("{id}.{timestamp}.{body}"), "{error}");
        }
    }

    /// Slack, "Verifying requests from Slack": the page's own secret, time, body and signature.
    #[test]
    fn slacks_published_request_is_verified_within_its_five_minutes() {
        const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
        const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        const TIME: (&str, &str) = ("X-Slack-Request-Timestamp", "1531420618");
        const SIGNATURE: (&str, &str) = (
            "X-Slack-Signature",
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        );
        let rules = Rules {
            header: "X-Slack-Signature".into(),
            prefix: "v0=".to_owned(),
            over: "v0:{timestamp}:{body}".parse().unwrap(),
            timestamp_header: Some("X-Slack-Request-Timestamp".into()),
            ..Rules::default()
        };
        let at = |now, headers: &[_]| verify_at(now, &rules, SECRET, headers, BODY);
        assert_eq!(at(1_531_420_618, &[TIME, SIGNATURE]), Ok(()));
        assert_eq!(at(1_531_420_618 + 300, &[TIME, SIGNATURE]), Ok(()));
        let late = at(1_531_420_618 + 301, &[TIME, SIGNATURE]).unwrap_err();
        assert!(matches!(late, Rejection::Stale { .. }), "{late}");
        let untimed = at(1_531_420_618, &[SIGNATURE]).unwrap_err().to_string();
        assert!(untimed.contains("X-Slack-Request-Timestamp"), "{untimed}");
        let other = ("X-Slack-Request-Timestamp", "1531420619");
        let moved = at(1_531_420_618, &[other, SIGNATURE]);
        assert_eq!(moved, Err(Rejection::Mismatch));
    }

    /// The header is a list of `t=` and signatures.
    ///
    /// While a secret is replaced there are two signatures, and there are others of an older scheme
    /// (Stripe, "Resolve webhook signature verification errors").
    #[test]
    fn a_list_of_time_and_signatures_is_taken_apart() {
        let list = Rules {
            header: "X-Sig".into(),
            prefix: "v1=".to_owned(),
            over: "{timestamp}.{body}".parse().unwrap(),
            timestamp_header: Some("x-sig".into()),
            ..Rules::default()
        };
        let key = Secret::new("whsec_of_mira").unwrap();
        let message = Signable {
            timestamp: Timestamp(1_492_774_577_000),
            ..Signable::of(BODY)
        };
        let [(_, value)] = <[_; 1]>::try_from(list.sign(&key, &message)).unwrap();
        assert!(value.starts_with("t=1492774577,v1="), "{value}");
        let (time, right) = value.split_once(',').unwrap();
        let wrong = format!("v1={}", "0".repeat(64));
        let at =
            |now, value: &str| verify_at(now, &list, "whsec_of_mira", &[("X-Sig", value)], BODY);
        for good in [
            value.clone(),
            format!("{time},{wrong},{right}"),
            format!("{time}, {right}, v0=6ffbb59b"),
            format!("{right},{wrong},{time}"),
        ] {
            assert_eq!(at(1_492_774_577, &good), Ok(()), "{good}");
        }
        for (bad, words) in [
            (format!("{time},{wrong}"), "does not match"),
            (format!("t=1492774578,{right}"), "does not match"),
            (right.to_owned(), "t=TIME,v1=SIGNATURE"),
            (format!("t=soon,{right}"), "seconds or milliseconds"),
        ] {
            let rejection = at(1_492_774_577, &bad).unwrap_err().to_string();
            assert!(rejection.contains(words), "{bad}: {rejection}");
        }
    }

    #[test]
    fn a_time_is_signed_as_it_is_written() {
        let timed = Rules {
            over: "{timestamp}{body}".parse().unwrap(),
            timestamp_header: Some("X-Time".into()),
            ..rules(Algorithm::Sha256, Encoding::Base64)
        };
        // Zendesk sends times in RFC 3339, others send milliseconds.
        for time in [
            "2026-11-28T08:00:00Z",
            "1795852800000",
            "1795852800",
            "1795852800.25",
        ] {
            let texts: [&[u8]; 2] = [time.as_bytes(), BODY];
            let digest = Algorithm::Sha256.hmac(&Secret::new("Jefe").unwrap(), &texts);
            let value = STANDARD.encode(digest);
            let headers = [("X-Sig", value.as_str()), ("X-Time", time)];
            let checked = verify_at(1_795_852_800, &timed, "Jefe", &headers, BODY);
            assert_eq!(checked, Ok(()), "{time}");
            let late = verify_at(1_795_853_200, &timed, "Jefe", &headers, BODY);
            assert!(matches!(late, Err(Rejection::Stale { .. })), "{time}");
        }
    }

    /// Cause: the body was hashed for each signature of a list. Damage: one request of a stranger, with
    /// 20,000 signatures, kept the listener busy for seconds. Cure: the body is hashed once.
    #[test]
    fn a_list_of_many_signatures_costs_one_hash() {
        let rules = rules(Algorithm::Sha256, Encoding::Hex);
        let body = vec![b'x'; 1_000_000];
        let right = hex::encode(Algorithm::Sha256.hmac(&Secret::new("Jefe").unwrap(), &[&body]));
        let wrong = "0".repeat(64);
        let list = [vec![wrong.as_str(); 20_000], vec![&right]]
            .concat()
            .join(",");
        assert_eq!(verify(&rules, &list, &body), Ok(()));
        let list = vec!["00"; 20_000].join(",");
        assert_eq!(verify(&rules, &list, &body), Err(Rejection::Mismatch));
    }

    #[test]
    fn a_time_beyond_all_times_is_refused() {
        let list = Rules {
            header: "X-Sig".into(),
            over: "{timestamp}.{body}".parse().unwrap(),
            timestamp_header: Some("X-Sig".into()),
            ..Rules::default()
        };
        for time in [
            "-9223372036854775808",
            "9223372036854775807",
            "1e9",
            "",
            ".5",
            "NaN",
        ] {
            let text: [&[u8]; 3] = [time.as_bytes(), b".", BODY];
            let digest = Algorithm::Sha256.hmac(&Secret::new("Jefe").unwrap(), &text);
            let value = format!("t={time},{}", hex::encode(digest));
            assert!(verify(&list, &value, BODY).is_err(), "{time}");
        }
    }

    #[test]
    fn what_is_absent_empty_or_of_another_form_is_told_apart() {
        let rules = rules(Algorithm::Sha256, Encoding::Hex);
        let absent = verify_at(0, &rules, "Jefe", &[], BODY);
        for missing in [absent, verify(&rules, "sha256=", BODY)] {
            let rejection = missing.unwrap_err().to_string();
            assert!(rejection.contains("X-Sig is absent"), "{rejection}");
        }
        for malformed in ["xyz", "sha1=00", "sha512=00", "v1,AAAZ"] {
            let rejection = verify(&rules, malformed, BODY).unwrap_err().to_string();
            assert!(rejection.contains("64 hex digits"), "{rejection}");
        }
        // A part of the right signature is not accepted.
        let part = &PUBLISHED[1].1[..32];
        assert_eq!(verify(&rules, part, BODY), Err(Rejection::Mismatch));
    }
}
