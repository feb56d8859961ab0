//! Asks the API of a forge: the same resolver, TLS and addresses as for deliveries, other limits.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;

use super::{AgentSettings, Egress, build_agent, plain};
use crate::error::{Error, Result};
use crate::model::attempt::Response;
use crate::model::connection::Connection;
use crate::model::endpoint::EndpointUrl;
use crate::model::header::Header;
use crate::time::Clock;

/// How long one request may take in all.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest reply that is read: a page of webhooks with their payloads is some MiB.
const REPLY_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A client for the API of a forge.
#[derive(Debug)]
pub struct ApiClient(Agent);

impl ApiClient {
    /// Creates a client that goes where `egress` allows.
    ///
    /// # Errors
    /// [`Error::Misuse`] when TLS cannot be set up.
    pub fn new(clock: Arc<dyn Clock>, egress: Egress) -> Result<ApiClient> {
        let settings = AgentSettings {
            timeout: TIMEOUT,
            concurrency: 1,
            connection: Connection::default(),
        };
        build_agent(&settings, &clock, &Arc::new(egress))
            .map(ApiClient)
            .map_err(Error::misuse)
    }

    /// Sends a GET, or a POST without a body, and reads the reply.
    ///
    /// # Errors
    /// [`Error::Io`] when there is no reply, or a longer one than is read.
    pub fn ask(&self, is_post: bool, url: &EndpointUrl, headers: &[Header]) -> Result<Response> {
        let failed = |why: String| {
            let host = url.uri().host().unwrap_or_default();
            Error::io(format!("ask {host}"), std::io::Error::other(why))
        };
        let replied = match is_post {
            false => with_headers(self.0.get(url.uri()), headers).call(),
            true => with_headers(self.0.post(url.uri()), headers).send_empty(),
        };
        let (head, mut body) = replied.map_err(|error| failed(plain(&error)))?.into_parts();
        let mut read = Vec::new();
        body.as_reader()
            .take(REPLY_BYTES_MAX + 1)
            .read_to_end(&mut read)
            .map_err(|error| failed(error.to_string()))?;
        if read.len() as u64 > REPLY_BYTES_MAX {
            return Err(failed("its reply is too long".to_owned()));
        }
        let text =
            |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter();
        Ok(Response {
            status: head.status.as_u16(),
            headers: headers
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body: read,
            ..Response::default()
        })
    }
}

fn with_headers<B>(
    mut request: ureq::RequestBuilder<B>,
    headers: &[Header],
) -> ureq::RequestBuilder<B> {
    for (name, value) in headers {
        request = request.header_raw(name, value.as_bytes());
    }
    request
}
