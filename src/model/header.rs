//! Headers as they were received: names in their own case, in the received order; and which values are
//! credentials.

use crate::error::{Error, Result};

/// One header, name and value, as it was received.
pub type Header = (String, String);

/// Parses `Name: value`.
///
/// # Errors
/// [`Error::Misuse`] when it is not a header.
pub fn parse_header(line: &str) -> Result<Header> {
    match line.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        // The value is not in the error: it may contain a secret.
        _ => Err(Error::misuse(
            "this is not a header; write it as `Name: value`",
        )),
    }
}

/// The first value of a header, trimmed; `None` when it is absent or empty.
pub fn first_value<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    let mut of_name = headers
        .iter()
        .filter(|(held, _)| held.eq_ignore_ascii_case(name));
    let (_, value) = of_name.next()?;
    Some(value.trim()).filter(|value| !value.is_empty())
}

/// Whether a header's value may be a credential, judged by the header's name.
///
/// Such names are `Authorization`, `Cookie`, `X-Gitlab-Token`, `X-Api-Key` and similar, and those whose
/// value is a path that may contain a token. Such a value is never shown and never passed on.
pub fn holds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words = [
        "token",
        "authorization",
        "auth-",
        "cookie",
        "password",
        "passwd",
        "credential",
        "secret",
        "api-key",
        "apikey",
        // Proxies send the requested path in such headers: it may end with a token.
        "original-ur",
        "original-path",
        "forwarded-uri",
        "request-uri",
        "rewrite-url",
    ];
    words.iter().any(|word| name.contains(word))
}

/// Whether a producer's header is passed on to who gets the event.
///
/// Event headers (`X-Gogs-Event` and similar) are. Signatures and tokens are not: they belong to the
/// producer, and the signature is made anew. Headers about the producer's own connection are not passed on
/// either.
pub fn is_passed_on(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // Without the encoding nobody can read the bytes. CloudEvents (HTTP binding, section 3.1) and W3C Trace
    // Context and Baggage say what the event is and which trace it belongs to.
    if matches!(
        name.as_str(),
        "content-encoding" | "traceparent" | "tracestate" | "baggage"
    ) || name.starts_with("ce-")
    {
        return true;
    }
    let Some(rest) = name.strip_prefix("x-") else {
        return false;
    };
    let of_connection = rest.starts_with("forwarded")
        || rest.starts_with("real-ip")
        || rest.starts_with("request-")
        || rest.starts_with("amzn-")
        || rest.starts_with("envoy-");
    let made_anew = rest.contains("signature")
        || rest.contains("hmac")
        || rest.ends_with("-sig")
        || rest.contains("timestamp")
        || rest.starts_with("hookbox-");
    !of_connection && !made_anew && !holds_secret(&name)
}

/// The text shown instead of a hidden value.
pub const HIDDEN: &str = "[hidden]";

/// Headers for display: the values of credentials are hidden.
pub fn shown_headers(headers: &[Header]) -> Vec<(&str, &str)> {
    headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str(),
                if holds_secret(name) {
                    HIDDEN
                } else {
                    value.as_str()
                },
            )
        })
        .collect()
}
