//! A receiver that verifies: `cargo run --example receiver [PORT]`, then
//!
//! ```sh
//! echo whsec_aG9va2JveC1leGFtcGxlLXJlY2VpdmVyLXNlY3JldA== |
//!     hookbox endpoint add me http://127.0.0.1:9000/ --sign standard --secret -
//! ```
//!
//! It answers 204 to a request whose signature and time are right, and 401 to any other. A real
//! one also drops a `webhook-id` it has seen: delivery is at least once.
#![allow(clippy::print_stdout, reason = "an example that shows what it gets")]

use std::time::Duration;

use hookbox::signature::{Secret, Signable, standard};
use hookbox::time::{Clock, SystemClock, Timestamp};
use tiny_http::{Request, Response, Server};

/// What the endpoint was added with.
const SECRET: &str = "whsec_aG9va2JveC1leGFtcGxlLXJlY2VpdmVyLXNlY3JldA==";

/// How old a request may be: the reference libraries of Standard Webhooks allow five minutes.
const TOLERANCE: Duration = Duration::from_secs(300);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "9000".to_owned());
    let address = format!("127.0.0.1:{port}");
    let server = Server::http(address).map_err(|error| error.to_string())?;
    let secret = Secret::new(SECRET)?;
    let clock = SystemClock::new();
    println!("listening on http://{}/", server.server_addr());
    for mut request in server.incoming_requests() {
        let mut body = Vec::new();
        request.as_reader().read_to_end(&mut body)?;
        let genuine = is_genuine(&request, &body, &secret, clock.now());
        let id = header(&request, "webhook-id").unwrap_or("no id").to_owned();
        println!(
            "{id}: {} bytes, {}",
            body.len(),
            if genuine { "genuine" } else { "refused" }
        );
        request.respond(Response::empty(if genuine { 204 } else { 401 }))?;
    }
    Ok(())
}

/// Whether the sender knows the secret and the request is not an old one sent again.
fn is_genuine(request: &Request, body: &[u8], secret: &Secret, now: Timestamp) -> bool {
    let seconds = header(request, "webhook-timestamp").and_then(|text| text.parse::<i64>().ok());
    let (Some(id), Some(seconds)) = (header(request, "webhook-id"), seconds) else {
        return false;
    };
    let sent = Timestamp(seconds.saturating_mul(1000));
    if now.since(sent) > TOLERANCE || sent.since(now) > TOLERANCE {
        return false;
    }
    let message = Signable {
        id,
        timestamp: sent,
        content_type: None,
        body,
    };
    standard::verify(secret, &message, header(request, standard::HEADER)).is_ok()
}

fn header<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    request
        .headers()
        .iter()
        .find(|header| header.field.equiv(name))
        .map(|header| header.value.as_str())
}
