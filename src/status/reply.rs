//! The responses of the status page, and how errors are reported.

use serde_json::{Value, json};

use crate::error::Error;

/// A response.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn page(html: String) -> Reply {
        Reply::with_type(200, "text/html; charset=utf-8", html.into_bytes())
    }

    pub(super) fn text(status: u16, text: &str) -> Reply {
        let body = format!("{text}\n").into_bytes();
        Reply::with_type(status, "text/plain; charset=utf-8", body)
    }

    pub(super) fn with_type(status: u16, content_type: &str, body: Vec<u8>) -> Reply {
        Reply {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            body,
        }
    }

    pub(super) fn json(status: u16, object: &Value) -> Reply {
        let body = format!("{object}\n").into_bytes();
        Reply::with_type(status, "application/json", body)
    }

    /// Makes a response that the browser saves as a file.
    ///
    /// It never has the producer's own content type: otherwise the bytes might become a page of this
    /// server.
    pub(super) fn download(name: &str, body: Vec<u8>) -> Reply {
        let mut reply = Reply::with_type(200, "application/octet-stream", body);
        let name = format!("attachment; filename=\"{name}\"");
        reply.headers.push(("Content-Disposition", name));
        reply
    }

    pub(super) fn see_other(to: String) -> Reply {
        Reply {
            status: 303,
            headers: vec![("Location", to)],
            body: Vec::new(),
        }
    }

    /// Makes the response to an error in the form of RFC 9457.
    pub(super) fn problem(status: u16, detail: &str) -> Reply {
        let title = http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Error");
        let object = json!({
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": detail,
        });
        let body = format!("{object}\n").into_bytes();
        Reply::with_type(status, "application/problem+json", body)
    }
}

/// Returns the HTTP status for an error.
pub(super) fn status_of(error: &Error) -> u16 {
    match error {
        Error::NotFound(_) => 404,
        Error::Misuse(_) => 400,
        _ if error.is_unavailable() => 503,
        _ => 500,
    }
}
