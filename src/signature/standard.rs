//! Standard Webhooks 1.0.0: `webhook-signature` signs `ID.TIMESTAMP.BODY`.
//!
//! Its value is `v1,` and the base64 of HMAC-SHA256.
//!
//! Source: the Standard Webhooks specification, section "Signature scheme". The timestamp is that of the
//! attempt, so a signature must be made for each attempt and never stored.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::Sha256;

use super::{Rejection, Secret, Signable, Signed, hmac256};
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// The header that carries the signatures.
pub const HEADER: &str = "webhook-signature";

/// The header that carries the message's id.
pub const ID_HEADER: &str = "webhook-id";

/// The header that carries the time of the attempt, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";

/// The names of the three headers.
#[derive(Debug)]
pub struct Names {
    /// The header of the message's id.
    pub id: &'static str,
    /// The header of the attempt's time.
    pub timestamp: &'static str,
    /// The header of the signatures.
    pub signature: &'static str,
}

/// The standard's own header names, and those of Svix.
///
/// The standard took everything from Svix but the names, and Svix's senders still use theirs.
static NAMES: [Names; 2] = [
    Names {
        id: ID_HEADER,
        timestamp: TIMESTAMP_HEADER,
        signature: HEADER,
    },
    Names {
        id: "svix-id",
        timestamp: "svix-timestamp",
        signature: "svix-signature",
    },
];

/// Returns the header names that a request uses.
///
/// It is the first of the two sets of which the request has any header.
pub fn names<'h>(header: impl Fn(&str) -> Option<&'h str>) -> &'static Names {
    let is_used = |names: &&Names| {
        let all = [names.id, names.timestamp, names.signature];
        all.into_iter().any(|name| header(name).is_some())
    };
    NAMES.iter().find(is_used).unwrap_or(&NAMES[0])
}

/// How far from now the signed time may be: what the reference libraries allow.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// The expected form of the signature, with a shared secret and with a public key.
const EXPECTED: &str = "v1, and base64, or several of them separated by spaces";
const EXPECTED_ASYMMETRIC: &str = "v1a, and base64, or several of them separated by spaces";

/// The prefix of a private key.
const PRIVATE_PREFIX: &[u8] = b"whsk_";

/// Key lengths that the specification allows: 192 to 512 bits.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Signs one attempt.
///
/// # Errors
/// [`Error::Misuse`] when the secret is not of the standard's form; see [`key`].
///
/// ```
/// use hookbox::signature::{Secret, Signable, standard};
/// use hookbox::time::Timestamp;
/// let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let message = Signable {
///     id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
///     timestamp: Timestamp(1_614_265_330_000),
///     content_type: Some("application/json"),
///     body: br#"{"test": 2432232314}"#,
/// };
/// assert_eq!(
///     standard::sign(&secret, &message)?,
///     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
/// );
/// # Ok::<(), hookbox::Error>(())
/// ```
pub fn sign(secret: &Secret, message: &Signable<'_>) -> Result<String> {
    if secret.expose().starts_with(PRIVATE_PREFIX) {
        let pair = key_pair(secret)?;
        let signature = pair.sign(&signed_text(message));
        return Ok(format!("v1a,{}", STANDARD.encode(signature)));
    }
    let mac = mac(secret, message)?;
    Ok(format!(
        "v1,{}",
        STANDARD.encode(mac.finalize().into_bytes())
    ))
}

/// Returns the text `ID.TIMESTAMP.BODY`.
fn signed_text(message: &Signable<'_>) -> Vec<u8> {
    let head = format!("{}.{}.", message.id, message.timestamp.unix_seconds());
    [head.as_bytes(), message.body].concat()
}

/// Reads the key pair of a secret that is `whsk_` and base64.
///
/// The base64 holds 32 bytes (a seed, RFC 8032) or 64 bytes (the seed and its public key): the
/// specification does not say which, so both are accepted.
fn key_pair(secret: &Secret) -> Result<Ed25519KeyPair> {
    let bad = || {
        Error::misuse(
            "a Standard Webhooks private key is whsk_ and base64 of 32 or 64 bytes, this is not; make one with: echo \"whsk_$(openssl rand -base64 32)\"",
        )
    };
    let text = secret.expose().strip_prefix(PRIVATE_PREFIX);
    let key = STANDARD.decode(text.ok_or_else(bad)?).map_err(|_| bad())?;
    let pair = match key.split_at_checked(32) {
        Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
        Some((seed, public)) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
        None => return Err(bad()),
    };
    pair.map_err(|_| bad())
}

/// Returns the public key of a private key: `whpk_` and base64.
///
/// Receivers verify with it. `None` for a shared secret.
///
/// # Errors
/// [`Error::Misuse`] when the secret begins like a private key but is not one.
///
/// ```
/// use hookbox::signature::{Secret, standard};
/// // RFC 8032, section 7.1, test 1.
/// let seed = Secret::new("whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")?;
/// assert_eq!(
///     standard::public_key_of(&seed)?.as_deref(),
///     Some("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
/// );
/// # Ok::<(), hookbox::Error>(())
/// ```
pub fn public_key_of(secret: &Secret) -> Result<Option<String>> {
    if !secret.expose().starts_with(PRIVATE_PREFIX) {
        return Ok(None);
    }
    let pair = key_pair(secret)?;
    let public = STANDARD.encode(pair.public_key());
    Ok(Some(format!("whpk_{public}")))
}

/// Computes the HMAC over `ID.TIMESTAMP.BODY`.
fn mac(secret: &Secret, message: &Signable<'_>) -> Result<Hmac<Sha256>> {
    let mut mac = hmac256(&key(secret)?);
    mac.update(message.id.as_bytes());
    mac.update(b".");
    mac.update(message.timestamp.unix_seconds().to_string().as_bytes());
    mac.update(b".");
    mac.update(message.body);
    Ok(mac)
}

/// Checks the value of `webhook-signature` in constant time.
///
/// The value is a list of signatures, of which any may match. The caller must check the age of
/// `message.timestamp`: the reference libraries allow five minutes in both directions.
///
/// # Errors
/// A [`Rejection`] when the value is absent or empty, has no `v1` signature, or none matches.
///
/// ```
/// use hookbox::signature::{Secret, Signable, standard};
/// use hookbox::time::Timestamp;
/// let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let message = Signable {
///     id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
///     timestamp: Timestamp(1_614_265_330_000),
///     content_type: None,
///     body: br#"{"test": 2432232314}"#,
/// };
/// let header = "v1a,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
/// assert!(standard::verify(&secret, &message, Some(header)).is_ok());
/// # Ok::<(), hookbox::Error>(())
/// ```
pub fn verify(
    secret: &Secret,
    message: &Signable<'_>,
    header: Option<&str>,
) -> std::result::Result<(), Rejection> {
    let value = header.map(str::trim).unwrap_or_default();
    if value.is_empty() {
        return Err(Rejection::missing(HEADER));
    }
    if let Some(public) = public_key(secret) {
        return verify_asymmetric(&public, message, value);
    }
    let mac = mac(secret, message).map_err(|_| Rejection::Mismatch)?;
    let claimed: Vec<Vec<u8>> = value
        .split_ascii_whitespace()
        .filter_map(|item| STANDARD.decode(item.strip_prefix("v1,")?).ok())
        .collect();
    if claimed.is_empty() {
        return Err(Rejection::malformed(HEADER, EXPECTED));
    }
    let matches = claimed
        .iter()
        .any(|one| mac.clone().verify_slice(one).is_ok());
    if matches {
        Ok(())
    } else {
        Err(Rejection::Mismatch)
    }
}

/// Reads the value of `webhook-timestamp`.
pub(super) fn read_timestamp(value: &str) -> std::result::Result<Timestamp, Rejection> {
    let seconds: i64 = value
        .parse()
        .map_err(|_| Rejection::malformed(TIMESTAMP_HEADER, "seconds since 1970"))?;
    Ok(Timestamp(seconds.saturating_mul(1_000)))
}

/// Checks a whole request: id, time and signature.
///
/// The headers have the standard's names or Svix's.
///
/// # Errors
/// As [`verify`], and when id or time are absent, or the time is too far from now.
pub fn verify_request(secret: &Secret, request: &Signed<'_>) -> std::result::Result<(), Rejection> {
    let names = names(request.header);
    let needed = |name| (request.header)(name).ok_or_else(|| Rejection::missing(name));
    let signature = needed(names.signature)?;
    let id = needed(names.id)?;
    let timestamp = read_timestamp(needed(names.timestamp)?)?;
    let message = Signable {
        id,
        timestamp,
        content_type: None,
        body: request.body,
    };
    verify(secret, &message, Some(signature))?;
    // Checked last, so that a stranger learns nothing about this machine's clock.
    Rejection::unless_recent(timestamp, request.now, request.tolerance)
}

/// Checks `v1a` signatures: ed25519 over the same bytes, with the sender's public key.
fn verify_asymmetric(
    public: &[u8],
    message: &Signable<'_>,
    value: &str,
) -> std::result::Result<(), Rejection> {
    let signed = signed_text(message);
    let key = UnparsedPublicKey::new(&ED25519, public);
    let mut claimed = value
        .split_ascii_whitespace()
        .filter_map(|item| STANDARD.decode(item.strip_prefix("v1a,")?).ok())
        .peekable();
    if claimed.peek().is_none() {
        return Err(Rejection::malformed(HEADER, EXPECTED_ASYMMETRIC));
    }
    if claimed.any(|one| key.verify(&signed, &one).is_ok()) {
        Ok(())
    } else {
        Err(Rejection::Mismatch)
    }
}

/// Returns the ed25519 public key of a secret that is `whpk_` and base64 of 32 bytes; else `None`.
fn public_key(secret: &Secret) -> Option<Vec<u8>> {
    let key = STANDARD
        .decode(secret.expose().strip_prefix(b"whpk_")?)
        .ok()?;
    (key.len() == 32).then_some(key)
}

/// Checks that a secret can sign.
///
/// It is a shared secret (see [`key`]) or a private key: `whsk_` and base64 of 32 or 64 bytes.
///
/// # Errors
/// [`Error::Misuse`] when it is neither, with a command to make one.
pub fn check_signing(secret: &Secret) -> Result<()> {
    if secret.expose().starts_with(PRIVATE_PREFIX) {
        return key_pair(secret).map(|_| ());
    }
    if secret.expose().starts_with(b"whpk_") {
        return Err(Error::misuse(
            "this is a public key, which verifies and cannot sign; give the private one (whsk_...)",
        ));
    }
    key(secret).map(|_| ())
}

/// Checks that a secret can verify.
///
/// It is a shared secret (see [`key`]) or a public key: `whpk_` and base64 of 32 bytes.
///
/// # Errors
/// [`Error::Misuse`] when it is neither, with a command to make one.
pub fn check_verifying(secret: &Secret) -> Result<()> {
    if secret.expose().starts_with(PRIVATE_PREFIX) {
        return Err(Error::misuse(
            "this is a private key, which signs; verify with its public one (whpk_...)",
        ));
    }
    if !secret.expose().starts_with(b"whpk_") {
        return key(secret).map(|_| ());
    }
    match public_key(secret) {
        Some(_) => Ok(()),
        None => Err(Error::misuse(
            "a Standard Webhooks public key is whpk_ and base64 of 32 bytes, this is not; copy it from the sender once more",
        )),
    }
}

/// Returns the key inside a secret: the base64 after `whsec_`, 24 to 64 bytes.
///
/// # Errors
/// [`Error::Misuse`] when it is not base64 or has another length, with a command to make one.
pub fn key(secret: &Secret) -> Result<Vec<u8>> {
    let how = "make one with: (umask 077; echo \"whsec_$(openssl rand -base64 32)\" > FILE)";
    let bytes = secret.expose();
    let text = bytes.strip_prefix(b"whsec_").unwrap_or(bytes);
    let key = STANDARD.decode(text).map_err(|_| {
        Error::misuse(format!(
            "a Standard Webhooks secret is whsec_ and base64, this is not; {how}"
        ))
    })?;
    if !KEY_BYTES.contains(&key.len()) {
        return Err(Error::misuse(format!(
            "a Standard Webhooks secret holds 24 to 64 bytes, this one {}; {how}",
            key.len()
        )));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors_are_made() {
        // From the test suites of the Standard Webhooks and Svix libraries.
        let rows = [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ];
        for (secret, id, seconds, body, expected) in rows {
            let message = Signable {
                id,
                timestamp: Timestamp(seconds * 1000 + 999),
                content_type: None,
                body: body.as_bytes(),
            };
            assert_eq!(
                sign(&Secret::new(secret).unwrap(), &message).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn any_v1_signature_of_the_list_may_match_and_others_are_told_apart() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let message = Signable {
            id: "evt_x_1",
            timestamp: Timestamp(5_000),
            content_type: None,
            body: b"{}",
        };
        let good = sign(&secret, &message).unwrap();
        assert_eq!(
            verify(&secret, &message, Some(&format!("v1,AAAA {good}"))),
            Ok(())
        );
        let later = Signable {
            timestamp: Timestamp(6_000),
            ..message
        };
        assert_eq!(
            verify(&secret, &later, Some(&good)),
            Err(Rejection::Mismatch)
        );
        assert_eq!(
            verify(&secret, &message, None),
            Err(Rejection::missing(HEADER))
        );
        for malformed in ["v2,AAAA", "nonsense", "v1,!"] {
            let rejection = Err(Rejection::malformed(HEADER, EXPECTED));
            assert_eq!(
                verify(&secret, &message, Some(malformed)),
                rejection,
                "{malformed}"
            );
        }
    }

    #[test]
    fn a_v1a_signature_is_verified_with_the_senders_public_key() {
        // The key of RFC 8032's first test; the signature was computed with another program.
        let public = Secret::new("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").unwrap();
        let signed = "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw==";
        let message = |body: &'static [u8]| Signable {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp: Timestamp(1_614_265_330_000),
            content_type: None,
            body,
        };
        let good = message(br#"{"test": 2432232314}"#);
        assert_eq!(verify(&public, &good, Some(signed)), Ok(()));
        let list = format!("v1,AAAA v2,x v1a,AAAA {signed}");
        assert_eq!(verify(&public, &good, Some(&list)), Ok(()));
        let changed = message(br#"{"test": 2432232315}"#);
        assert_eq!(
            verify(&public, &changed, Some(signed)),
            Err(Rejection::Mismatch)
        );
        let malformed = Err(Rejection::malformed(HEADER, EXPECTED_ASYMMETRIC));
        assert_eq!(verify(&public, &good, Some("v1,AAAA")), malformed);
        // The private key makes the same signature, in both of its lengths.
        let seed = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
        let mut pair = STANDARD.decode(seed).unwrap();
        pair.extend(STANDARD.decode(&public.expose()[5..]).unwrap());
        for private in [
            format!("whsk_{seed}"),
            format!("whsk_{}", STANDARD.encode(pair)),
        ] {
            let private = Secret::new(private).unwrap();
            assert_eq!(check_signing(&private).map_err(|e| e.to_string()), Ok(()));
            assert_eq!(sign(&private, &good).unwrap(), signed);
        }
        for bad in [
            "whsk_AAAA",
            "whsk_",
            "whsk_!",
            "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        ] {
            assert!(check_signing(&Secret::new(bad).unwrap()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_of_another_form_is_refused_with_a_way_out() {
        for text in ["topsecret", "whsec_", "whsec_AAAA", "whsec_!!!!"] {
            let error = key(&Secret::new(text).unwrap()).unwrap_err();
            assert!(error.to_string().contains("openssl rand"), "{error}");
        }
    }
}
