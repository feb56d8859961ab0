//! Headers as they came: names in their own case, in received order; and which of their values are
//! credentials.

use crate::error::{Error, Result};

/// One header, name and value, as it came.
pub type Header = (String, String);

/// Reads `Name: value`.
///
/// # Errors
/// [`Error::Misuse`] when it is not one.
pub fn parse_header(line: &str) -> Result<Header> {
    match line.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        // Not echoed: it may hold a secret.
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

/// Whether a header's value is a credential by its name (`Authorization`, `Cookie`,
/// `X-Gitlab-Token`, `X-Api-Key` and the like), or a path that may hold one: never shown on a page, never passed on.
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
        // What proxies call the path that was asked for: it may end with a token.
        "original-ur",
        "original-path",
        "forwarded-uri",
        "request-uri",
        "rewrite-url",
    ];
    words.iter().any(|word| name.contains(word))
}

/// What stands in the place of a value that is not shown.
pub const HIDDEN: &str = "[hidden]";

/// Headers as they are shown: the values of credentials hidden.
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
