//! A rejected request: a request that a source did not accept.

use serde_json::{Value, json};

use crate::model::header::{HIDDEN, Header, shown_headers};
use crate::signature::Secret;
use crate::time::Timestamp;

/// Rejected requests kept per source, the latest ones: enough to see what is wrong.
pub const REJECTED_KEPT: usize = 100;

/// Maximum bytes of headers kept of one rejected request; a stranger decides how many it sends.
const HEADER_BYTES_KEPT: usize = 4 * 1024;

/// A rejected request. Nothing of its body is kept. Requests from one address with one reason share
/// a record, so that a scanner does not push all others out of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRequest {
    /// When it was last rejected.
    pub at: Timestamp,
    /// How often it was rejected.
    pub count: i64,
    /// The address that it came from; behind a proxy this is the proxy's address.
    pub address: String,
    /// The status of the answer.
    pub status: u16,
    /// Why, in plain words.
    pub reason: String,
    /// The headers of the last one, in received order; the values of credentials are hidden.
    pub headers: Vec<Header>,
}

impl RejectedRequest {
    /// The part of a request's headers that is kept: at most 4 KiB, with credentials hidden.
    ///
    /// Values that contain one of `secrets`, and the header `malformed`, are hidden too: a person
    /// who pastes a secret where a signature belongs would otherwise show it.
    pub fn kept_headers(
        headers: &[Header],
        secrets: &[&Secret],
        malformed: Option<&str>,
    ) -> Vec<Header> {
        let mut left = HEADER_BYTES_KEPT;
        let mut kept = Vec::new();
        for (name, value) in shown_headers(headers) {
            let tells = secrets.iter().any(|secret| {
                std::str::from_utf8(secret.expose()).is_ok_and(|secret| value.contains(secret))
            });
            let is_malformed = malformed.is_some_and(|header| header.eq_ignore_ascii_case(name));
            let value = if tells || is_malformed { HIDDEN } else { value };
            let bytes = name.len() + value.len();
            if bytes > left {
                break;
            }
            left -= bytes;
            kept.push((name.to_owned(), value.to_owned()));
        }
        kept
    }

    /// The JSON object that is listed.
    pub fn json(&self) -> Value {
        json!({
            "at": self.at.to_string(),
            "count": self.count,
            "address": self.address,
            "status": self.status,
            "reason": self.reason,
            "headers": self.headers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_hidden_and_a_flood_of_headers_is_cut() {
        let mut headers = vec![
            ("X-Gitee-Token".to_owned(), "s3cret".to_owned()),
            ("X-Gogs-Event".to_owned(), "push".to_owned()),
            ("X-Sig".to_owned(), "correct horse".to_owned()),
            ("X-Note".to_owned(), "at /in/gogs/0123token".to_owned()),
        ];
        headers.extend((0..100).map(|n| (format!("X-{n}"), "x".repeat(100))));
        let token = Secret::new("0123token").unwrap();
        let kept = RejectedRequest::kept_headers(&headers, &[&token], Some("x-sig"));
        let values: Vec<&str> = kept[..4].iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["[hidden]", "push", "[hidden]", "[hidden]"]);
        let bytes: usize = kept.iter().map(|(n, v)| n.len() + v.len()).sum();
        assert!((3_900..=HEADER_BYTES_KEPT).contains(&bytes), "{bytes}");
    }
}
