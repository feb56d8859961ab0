//! Asking over HTTP: one client for all tests, and bytes as they stand where those are the subject.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use ureq::RequestBuilder;

use super::PATIENCE;

/// An answer: status, headers and text.
pub type Answered = (u16, http::HeaderMap, String);

/// Asks a server, which must answer: every status is an answer, and no redirect is followed.
pub fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answered {
    try_ask(method, url, headers, body).unwrap_or_else(|error| panic!("{method} {url}: {error}"))
}

/// As [`ask`], where the server may be gone.
pub fn try_ask(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Result<Answered, ureq::Error> {
    let (agent, body) = (agent(), body.as_ref());
    let response = match method {
        "GET" => with_headers(agent.get(url), headers).call(),
        "DELETE" => with_headers(agent.delete(url), headers).call(),
        "POST" => with_headers(agent.post(url), headers).send(body),
        "PUT" => with_headers(agent.put(url), headers).send(body),
        "PATCH" => with_headers(agent.patch(url), headers).send(body),
        other => panic!("nothing is asked by {other} here"),
    };
    let (head, mut body) = response?.into_parts();
    Ok((head.status.as_u16(), head.headers, body.read_to_string()?))
}

fn with_headers<B>(mut request: RequestBuilder<B>, headers: &[(&str, &str)]) -> RequestBuilder<B> {
    for (name, value) in headers {
        // Names in the case in which a producer sends them.
        request = request.header_raw(name, value.as_bytes());
    }
    request
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent()
}

/// A connection on which a test writes and reads by itself.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends bytes as they stand and reads all that comes back.
pub fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    // A server that closes early resets the connection after its answer.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
