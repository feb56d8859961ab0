//! The interface to the network: a request goes out, an [`Exchange`] comes back.
//!
//! It must not judge: a 500 and a reset are answers like a 200. But it does separate "could not be reached"
//! from "was reached and broke off", since only this layer knows how far a request got. `connect` reaches
//! the endpoint and records how far the request got; `tls` checks the endpoint's certificate.

mod api_client;
mod connect;
mod tls;

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Proxy};

use crate::model::attempt::{Response, Timing};
use crate::model::connection::{Connection, Method};
use crate::model::endpoint::{Endpoint, EndpointUrl};
use crate::model::header::Header;
use crate::model::id::EndpointId;
use crate::time::{Clock, show_span};

pub use api_client::ApiClient;

use super::egress::{Egress, Forbidden};
use connect::{
    AddressGate, On, PROGRESS, Progress, Step, TimedConnector, TimedResolver, literal_address,
};
use tls::TlsConnector;

/// Bytes of a response's body that are kept: 16 KiB.
///
/// That is enough for the message of an error page, and small enough that a receiver with long responses
/// does not fill the disk.
pub const REPLY_BYTES_MAX: usize = 16 * 1024;

/// Most bytes of a response's head that are read and kept; a response with a longer head is an error.
const REPLY_HEAD_BYTES_MAX: usize = 16 * 1024;

/// Buffers of one connection: the input buffer is twice the largest response head. ureq's default is 128
/// KiB each, and hundreds of connections may be open.
const INPUT_BYTES: usize = 2 * REPLY_HEAD_BYTES_MAX;
const OUTPUT_BYTES: usize = 16 * 1024;

/// Bytes reserved in a request's head for what the transport adds, besides `Host`.
const ADDED_BYTES: usize = 1024;

/// How long an unused connection is kept. Receivers commonly close theirs after 5 seconds or more (Node 5,
/// Apache 5, nginx 75). A shorter time here makes it rare that a request goes out on a connection just
/// being closed.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// A complete request.
#[derive(Debug, Clone)]
pub struct OutboundRequest {
    /// The method.
    pub method: Method,
    /// The URL to send to.
    pub url: EndpointUrl,
    /// All headers but `Host`, `Accept` and `Content-Length`: the transport adds these.
    pub headers: Vec<Header>,
    /// The exact bytes of the body.
    pub body: Vec<u8>,
}

/// The result of sending a request.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// How long each step took.
    pub timing: Timing,
    /// What came back.
    pub result: SendResult,
}

/// What came back for a request.
#[derive(Debug, Clone)]
pub enum SendResult {
    /// A response, whatever its status.
    Replied(Response),
    /// The endpoint was reached, but no valid response came: a timeout, a reset, invalid HTTP.
    Broken {
        /// What happened, in plain words.
        error: String,
    },
    /// Nothing was sent: the request could not be made, or the endpoint's address is not allowed.
    Unsent {
        /// Why, in plain words.
        error: String,
        /// Whether trying again is useless until the settings change.
        is_final: bool,
    },
    /// The endpoint could not be reached, so it cannot have seen the request.
    ///
    /// Examples: no DNS, no route, connection refused, TLS failed.
    Unreachable {
        /// What happened, in plain words.
        error: String,
    },
    /// A new connection was accepted and then closed without a byte.
    ///
    /// Port forwarders do so when the endpoint behind them is down. Some endpoints do so with a request
    /// that they do not accept.
    Closed {
        /// What happened, in plain words.
        error: String,
    },
}

/// Sends requests: [`UreqTransport`] in production, a scripted one in tests.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request to an endpoint and waits for the answer.
    ///
    /// It blocks for at most the endpoint's timeout. It is called from many threads at once.
    fn send(&self, endpoint: &Endpoint, request: &OutboundRequest) -> Exchange;
}

/// Sends blocking HTTP/1.1 with ureq; connections are kept alive per endpoint.
pub struct UreqTransport {
    clock: Arc<dyn Clock>,
    egress: Arc<Egress>,
    agents: Mutex<HashMap<EndpointId, (AgentSettings, Agent)>>,
}

/// The endpoint settings that an agent is built from; if they change, a new agent is built.
struct AgentSettings {
    timeout: Duration,
    concurrency: u32,
    connection: Connection,
}

impl AgentSettings {
    fn are_of(&self, endpoint: &Endpoint) -> bool {
        (self.timeout, self.concurrency) == (endpoint.set.timeout, endpoint.set.concurrency())
            && self.connection == endpoint.set.connection
    }
}

impl UreqTransport {
    /// Creates a transport that measures with `clock` and sends where `egress` allows.
    pub fn new(clock: Arc<dyn Clock>, egress: Egress) -> UreqTransport {
        UreqTransport {
            clock,
            egress: Arc::new(egress),
            agents: Mutex::new(HashMap::new()),
        }
    }

    /// Returns the endpoint's agent, built again if its settings changed; or why there is none.
    fn agent(&self, endpoint: &Endpoint) -> Result<Agent, String> {
        let mut agents = self.agents.lock().expect("no holder of the agents panics");
        if let Some((held, agent)) = agents.get(&endpoint.id)
            && held.are_of(endpoint)
        {
            return Ok(agent.clone());
        }
        let settings = AgentSettings {
            timeout: endpoint.set.timeout,
            concurrency: endpoint.set.concurrency(),
            connection: endpoint.set.connection.clone(),
        };
        let agent = build_agent(&settings, &self.clock, &self.egress)?;
        agents.insert(endpoint.id, (settings, agent.clone()));
        Ok(agent)
    }
}

/// Builds an agent: how it resolves, connects, checks certificates, and for how long.
fn build_agent(
    settings: &AgentSettings,
    clock: &Arc<dyn Clock>,
    egress: &Arc<Egress>,
) -> Result<Agent, String> {
    let connection = &settings.connection;
    let proxy = match &connection.proxy {
        // The proxy of the environment is for people at a terminal, not for a service.
        None => None,
        Some(url) => Some(Proxy::new(url.expose()).map_err(|error| error.to_string())?),
    };
    let gate = AddressGate {
        egress: egress.clone(),
        proxy: proxy
            .as_ref()
            .map(|proxy| (proxy.host().to_owned(), proxy.port())),
    };
    let connections = settings.concurrency as usize;
    let config = Agent::config_builder()
        // Every status is an answer, to be stored and judged.
        .http_status_as_error(false)
        // A redirect counts as refused (Standard Webhooks 1.0.0): a body signed for one receiver must
        // not go to another.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(proxy)
        // ureq has no timeout by default.
        .timeout_global(Some(settings.timeout))
        .timeout_connect(connection.connect_timeout)
        .max_response_header_size(REPLY_HEAD_BYTES_MAX)
        .input_buffer_size(INPUT_BYTES)
        .output_buffer_size(OUTPUT_BYTES)
        .max_idle_connections(connections)
        .max_idle_connections_per_host(connections)
        .max_idle_age(IDLE_MAX)
        .build();
    let tls = TlsConnector::new(connection)?;
    let connector = TimedConnector::new(tls, clock.clone(), gate.clone());
    let resolver = TimedResolver {
        inner: DefaultResolver::default(),
        clock: clock.clone(),
        gate,
    };
    Ok(Agent::with_parts(config, connector, resolver))
}

impl Transport for UreqTransport {
    fn send(&self, endpoint: &Endpoint, request: &OutboundRequest) -> Exchange {
        let unsent = |error, is_final| Exchange {
            timing: Timing::default(),
            result: SendResult::Unsent { error, is_final },
        };
        if let Some(address) = literal_address(request.url.uri())
            && let Err(forbidden) = self.egress.check(address.ip())
        {
            let error = forbidden.to_string();
            return unsent(error, true);
        }
        let agent = match self.agent(endpoint) {
            Ok(agent) => agent,
            Err(error) => return unsent(error, false),
        };
        let began = self.clock.elapsed();
        let mut result = post(&agent, request, IDLE_MAX);
        // The receiver closed a kept-alive connection just as the request went out, so it has not seen the
        // request.
        if let Err(error) = &result
            && PROGRESS.get().on == Some(On::Kept)
            && !PROGRESS.get().has_input
            && !matches!(error, ureq::Error::Timeout(_))
        {
            result = post(&agent, request, Duration::ZERO);
        }
        let head_at = self.clock.elapsed();
        let result = match result {
            Ok(response) => SendResult::Replied(read_reply(response)),
            Err(error) => judge_error(&error, PROGRESS.get(), endpoint),
        };
        let ended = self.clock.elapsed();
        let progress = PROGRESS.get();
        let total = ended.saturating_sub(began);
        let read = ended.saturating_sub(head_at);
        let before = progress.resolve + progress.connect + read;
        Exchange {
            timing: Timing {
                resolve: progress.resolve,
                connect: progress.connect,
                wait: total.saturating_sub(before),
                read,
                total,
            },
            result,
        }
    }
}

/// Sends a request on a kept-alive connection that is at most this old, or on a new one.
fn post(
    agent: &Agent,
    request: &OutboundRequest,
    idle_max: Duration,
) -> Result<http::Response<ureq::Body>, ureq::Error> {
    PROGRESS.set(Progress::NONE);
    let mut builder = match request.method {
        Method::Post => agent.post(request.url.uri()),
        Method::Put => agent.put(request.url.uri()),
    };
    let mut head_bytes = 2 * request.url.as_text().len() + ADDED_BYTES;
    for (name, value) in &request.headers {
        head_bytes += name.len() + value.len() + 4;
        // `header_raw` keeps the case of the name: some receivers depend on it.
        builder = builder.header_raw(name, value.as_bytes());
    }
    // ureq writes a request head in one piece. A long head gets a larger buffer, and no kept-alive
    // connection.
    if head_bytes > OUTPUT_BYTES {
        let config = builder.config().output_buffer_size(head_bytes);
        builder = config.build();
    } else if idle_max < IDLE_MAX {
        builder = builder.config().max_idle_age(idle_max).build();
    }
    builder.send(request.body.as_slice())
}

impl fmt::Debug for UreqTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqTransport").finish_non_exhaustive()
    }
}

/// Reads a response; the body is cut while it is read.
fn read_reply(response: http::Response<ureq::Body>) -> Response {
    let (head, mut body) = response.into_parts();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let mut kept = Vec::new();
    // Reading one byte more than is kept shows whether there was more. A short body is read to its end, so
    // that the connection can be used again.
    let read = body
        .as_reader()
        .take(REPLY_BYTES_MAX as u64 + 1)
        .read_to_end(&mut kept);
    let truncated = read.is_err() || kept.len() > REPLY_BYTES_MAX;
    kept.truncate(REPLY_BYTES_MAX);
    Response {
        status: head.status.as_u16(),
        headers,
        body: kept,
        truncated,
        unreadable: None,
    }
}

fn judge_error(error: &ureq::Error, progress: Progress, endpoint: &Endpoint) -> SendResult {
    if let ureq::Error::Other(inner) = error
        && let Some(forbidden) = inner.downcast_ref::<Forbidden>()
    {
        return SendResult::Unsent {
            error: forbidden.to_string(),
            is_final: true,
        };
    }
    let said = |what: &str| match error {
        ureq::Error::Timeout(which) => {
            let whole = endpoint.set.timeout;
            let span = match which {
                ureq::Timeout::Connect => endpoint.set.connection.connect_timeout.unwrap_or(whole),
                _ => whole,
            };
            format!("{what} within {}", show_span(span))
        }
        other => format!("{what}: {}", plain(other)),
    };
    match progress {
        Progress {
            step: Step::Resolving,
            ..
        } => SendResult::Unreachable {
            error: said("cannot find the host's address"),
        },
        Progress {
            step: Step::Connecting,
            ..
        } => SendResult::Unreachable {
            error: said("cannot connect"),
        },
        // The status says what happened to the event, even if the rest of the response is invalid.
        Progress {
            status: Some(status),
            ..
        } => SendResult::Replied(Response {
            status,
            truncated: true,
            unreadable: Some(said("the rest of the reply cannot be read")),
            ..Response::default()
        }),
        Progress {
            on: Some(On::Fresh),
            has_input: false,
            ..
        } if !matches!(error, ureq::Error::Timeout(_)) => SendResult::Closed {
            error: said("the connection was closed before any reply"),
        },
        // Before the first step nothing was sent, but the cause is the request itself. Calling that an
        // outage would make this request the endpoint's probe for ever.
        _ => SendResult::Broken {
            error: said("no reply"),
        },
    }
}

/// Returns ureq's error text without its prefix for I/O errors and without the system's error number.
fn plain(error: &ureq::Error) -> String {
    let text = match error {
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}
