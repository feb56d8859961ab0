//! Resolves and connects to the endpoint, and records how far a request got.
//!
//! It records the last step, which kind of connection was used, and the status in the first bytes of the
//! response.
//!
//! It must never connect to an address that is not allowed: each address is checked when a name is
//! resolved, and checked again when a connection is made.

use std::cell::Cell;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, SocksConnector,
    TcpConnector, Transport as UreqConnection,
};

use super::tls::TlsConnector;
use crate::outbound::egress::{Egress, Forbidden};
use crate::time::Clock;

/// How far the request on this thread got.
///
/// Resolver, connector and connection update it. A request that failed before the connection was made
/// cannot have reached the endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    pub(super) step: Step,
    pub(super) resolve: Duration,
    pub(super) connect: Duration,
    /// The connection that the request was sent on; `None` until a byte was sent.
    pub(super) on: Option<On>,
    /// Whether a byte of the response came.
    pub(super) has_input: bool,
    /// The status, once the status line has come.
    pub(super) status: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Preparing,
    Resolving,
    Connecting,
    /// The connection was made, or a kept-alive one is used.
    Connected,
}

/// Which kind of connection a request was sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    /// A connection that was made for this request.
    Fresh,
    /// A kept-alive connection that brought a response before.
    Kept,
}

impl Progress {
    pub(super) const NONE: Progress = Progress {
        step: Step::Preparing,
        resolve: Duration::ZERO,
        connect: Duration::ZERO,
        on: None,
        has_input: false,
        status: None,
    };
}

thread_local! {
    // One thread sends a request from beginning to end, so a thread-local can record its progress.
    pub(super) static PROGRESS: Cell<Progress> = const { Cell::new(Progress::NONE) };
}

/// Updates this thread's progress.
fn note(change: impl FnOnce(&mut Progress)) {
    let mut progress = PROGRESS.get();
    change(&mut progress);
    PROGRESS.set(progress);
}

/// Resolves names, measures the time, and leaves out addresses that are not allowed.
pub(super) struct TimedResolver {
    pub(super) inner: DefaultResolver,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) gate: AddressGate,
}

/// Which addresses an agent may connect to.
#[derive(Clone)]
pub(super) struct AddressGate {
    pub(super) egress: Arc<Egress>,
    /// Host and port of the endpoint's proxy. The operator has set it, so it may be on a private network.
    pub(super) proxy: Option<(String, u16)>,
}

impl AddressGate {
    fn check(&self, uri: &Uri, address: IpAddr) -> Result<(), Forbidden> {
        let place = (uri.host().unwrap_or_default().to_owned(), uri.port_u16());
        match &self.proxy {
            Some((host, port)) if place == (host.clone(), Some(*port)) => {
                self.egress.check_proxy(address)
            }
            _ => self.egress.check(address),
        }
    }
}

impl fmt::Debug for TimedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TimedResolver")
    }
}

impl Resolver for TimedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        // ureq resolves before it looks for a kept-alive connection, and with a timeout it does so on a
        // thread of its own. An IP address needs neither.
        if let Some(address) = literal_address(uri) {
            let checked = self.gate.check(uri, address.ip());
            checked.map_err(|why| ureq::Error::Other(why.into()))?;
            let mut addresses = self.inner.empty();
            addresses.push(address);
            note(|progress| progress.step = Step::Connected);
            return Ok(addresses);
        }
        note(|progress| progress.step = Step::Resolving);
        let began = self.clock.elapsed();
        let result = self.inner.resolve(uri, config, timeout);
        let resolve = self.clock.elapsed().saturating_sub(began);
        let step = if result.is_ok() {
            Step::Connected
        } else {
            Step::Resolving
        };
        note(|progress| (progress.step, progress.resolve) = (step, resolve));
        let found = result?;
        let mut allowed = self.inner.empty();
        let mut forbidden = None;
        for address in found.iter() {
            match self.gate.check(uri, address.ip()) {
                Ok(()) => allowed.push(*address),
                Err(why) => forbidden = Some(why),
            }
        }
        match forbidden {
            Some(why) if allowed.is_empty() => Err(ureq::Error::Other(why.into())),
            _ => Ok(allowed),
        }
    }
}

/// Returns the socket address of a URL whose host is an IP address.
pub(super) fn literal_address(uri: &Uri) -> Option<SocketAddr> {
    let host = uri.host()?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let ip: IpAddr = host.parse().ok()?;
    let port = uri
        .port_u16()
        .unwrap_or(if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        });
    Some(SocketAddr::new(ip, port))
}

/// Connects, including TLS and proxies, to allowed addresses only.
///
/// It measures the time and records whether the connection was made.
pub(super) struct TimedConnector {
    inner: Box<dyn Connector<(), Out = Box<dyn UreqConnection>>>,
    clock: Arc<dyn Clock>,
    gate: AddressGate,
}

impl TimedConnector {
    pub(super) fn new(
        tls: TlsConnector,
        clock: Arc<dyn Clock>,
        gate: AddressGate,
    ) -> TimedConnector {
        // The SOCKS connector opens its own connection. The CONNECT connector comes back to this chain to
        // connect to the proxy.
        let chain =
            ().chain(SocksConnector::default())
                .chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(tls)
                .chain(Boxed);
        TimedConnector {
            inner: Box::new(chain),
            clock,
            gate,
        }
    }
}

impl fmt::Debug for TimedConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TimedConnector")
    }
}

impl Connector<()> for TimedConnector {
    type Out = Box<dyn UreqConnection>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        // If a proxy resolves the name, there is no address to check here.
        if details.config.proxy().is_none() {
            for address in details.addrs.iter() {
                let checked = self.gate.check(details.uri, address.ip());
                checked.map_err(|why| ureq::Error::Other(why.into()))?;
            }
        }
        if PROGRESS.get().step == Step::Connecting {
            // This call is for the connection to the proxy itself, inside the outer connect.
            return self.inner.connect(details, chained);
        }
        note(|progress| progress.step = Step::Connecting);
        let began = self.clock.elapsed();
        let result = self.inner.connect(details, chained);
        let connect = self.clock.elapsed().saturating_sub(began);
        note(|progress| {
            progress.connect = connect;
            if result.is_ok() {
                progress.step = Step::Connected;
            }
        });
        let watched = |inner| -> Self::Out {
            Box::new(Watched {
                inner,
                has_replied: false,
            })
        };
        result.map(|made| made.map(watched))
    }
}

/// The end of the connector chain: it boxes whatever kind of connection was made.
#[derive(Debug)]
struct Boxed;

impl<In: UreqConnection> Connector<In> for Boxed {
    type Out = Box<dyn UreqConnection>;

    fn connect(
        &self,
        _details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(chained.map(|made| Box::new(made) as Self::Out))
    }
}

/// A connection that records what passes over it.
#[derive(Debug)]
struct Watched {
    inner: Box<dyn UreqConnection>,
    /// Whether a byte ever came back on this connection.
    has_replied: bool,
}

impl UreqConnection for Watched {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let on = match self.has_replied {
            true => On::Kept,
            false => On::Fresh,
        };
        note(|progress| {
            progress.on.get_or_insert(on);
        });
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let has_come = self.inner.await_input(timeout)?;
        if has_come {
            self.has_replied = true;
            let status = status_of(self.inner.buffers().input());
            note(|progress| {
                progress.has_input = true;
                progress.status = progress.status.or(status);
            });
        }
        Ok(has_come)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Reads the status from the beginning of a response (RFC 9112, section 4).
///
/// Interim responses (1xx) before it are skipped (RFC 9110, section 15.2). `None` if the status has not
/// come yet.
fn status_of(mut head: &[u8]) -> Option<u16> {
    loop {
        let status = status_of_line(head)?;
        if status >= 200 {
            return Some(status);
        }
        let end = memchr::memmem::find(head, b"\r\n\r\n")?;
        head = &head[end + 4..];
    }
}

fn status_of_line(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    let (digits, end) = match rest {
        [b'0'..=b'9', b' ', digits @ ..] => (digits.get(..3)?, *digits.get(3)?),
        _ => return None,
    };
    let status: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let is_whole = matches!(end, b' ' | b'\r' | b'\n');
    is_whole.then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_from_its_line_alone() {
        for (head, status) in [
            ("HTTP/1.1 200 OK\r\n", Some(200)),
            ("HTTP/1.0 204\r\n", Some(204)),
            ("HTTP/1.1 599 \r\n", Some(599)),
            ("HTTP/1.1 200", None),
            ("HTTP/1.1 20", None),
            ("HTTP/1.1 2000 OK", None),
            ("HTTP/1.1 103 Early Hints\r\n", None),
            ("HTTP/1.1 103 Early Hints\r\n\r\n", None),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 202 Accepted\r\n b\r\n",
                Some(202),
            ),
            ("HTTP/2 200 OK\r\n", None),
            ("SSH-2.0-OpenSSH_9.2", None),
            ("", None),
        ] {
            assert_eq!(status_of(head.as_bytes()), status, "{head}");
        }
    }
}
