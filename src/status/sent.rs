//! What a delivery sends, as its page shows it.

use super::state::AppState;
use crate::error::{Error, Result};
use crate::model::delivery::DeliveryRecord;
use crate::model::endpoint::Endpoint;
use crate::model::header::Header;
use crate::model::sendable::ShownRequest;
use crate::time::Timestamp;

/// The request that would carry a delivery to its endpoint now; with secrets and signatures if it is
/// `for_real`.
pub(super) fn request_of(
    app: &AppState,
    delivery: &DeliveryRecord,
    endpoint: &Endpoint,
    now: Timestamp,
    for_real: bool,
) -> Result<ShownRequest> {
    let box_id = app.store.box_id();
    let event = app.store.sendable_event(delivery.event)?;
    let id = box_id.delivery(delivery.id);
    let (webhook_id, event) = event.identified(box_id, delivery.id, delivery.has_new_id);
    (app.neighbours.preview)(endpoint, event, &webhook_id, Some(&id), now, for_real)
}

/// Bodies that are longer are not for a command line.
const CURL_BYTES_MAX: usize = 64 * 1024;

/// The command that sends a request with curl, for a shell as POSIX has it.
pub(super) fn curl(request: &ShownRequest) -> Result<String> {
    let body = std::str::from_utf8(&request.body).ok();
    // A page cannot hold a carriage return (HTML, "preprocessing the input stream").
    let body = body.filter(|body| body.len() <= CURL_BYTES_MAX && !body.contains(['\0', '\r']));
    let Some(body) = body else {
        return Err(Error::misuse(
            "the body is no text of 64 KiB at most without carriage returns; `hookbox endpoint preview --signed` prints it as it is",
        ));
    };
    let mut command = format!(
        "curl -i --globoff --path-as-is -X {} {}",
        request.method,
        quoted(&request.url)
    );
    let mut headers: Vec<String> = request.headers.iter().map(header).collect();
    let is_type = |(name, _): &Header| name.eq_ignore_ascii_case("content-type");
    if !request.headers.iter().any(is_type) {
        // Else curl names one of its own.
        headers.push("Content-Type:".to_owned());
    }
    for header in headers {
        command.push_str(&format!(" \\\n  -H {}", quoted(&header)));
    }
    command.push_str(&format!(" \\\n  --data-raw {}", quoted(body)));
    Ok(command)
}

/// A header as curl has it: without a value it ends with a semicolon (curl(1), `--header`).
fn header((name, value): &Header) -> String {
    match value.is_empty() {
        true => format!("{name};"),
        false => format!("{name}: {value}"),
    }
}

/// A word that the shell takes as it stands.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_means_the_same_to_a_shell() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let request = ShownRequest {
            method: "POST",
            url: "https://ci.example.org/[a]?b={c}".to_owned(),
            headers: vec![header("X-Who", "it's me"), header("X-Empty", "")],
            body: b"it's\n$HOME".to_vec(),
        };
        assert_eq!(
            curl(&request).unwrap(),
            "curl -i --globoff --path-as-is -X POST 'https://ci.example.org/[a]?b={c}' \\
  -H 'X-Who: it'\\''s me' \\
  -H 'X-Empty;' \\
  -H 'Content-Type:' \\
  --data-raw 'it'\\''s
$HOME'"
        );
        for body in [&b"a\r\nb"[..], b"\0", b"\xff", &[b'x'; CURL_BYTES_MAX + 1]] {
            let other = ShownRequest {
                body: body.to_vec(),
                ..request.clone()
            };
            assert!(curl(&other).is_err());
        }
    }
}
