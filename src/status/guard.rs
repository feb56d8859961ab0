//! Blocks requests that other web sites make a browser send.
//!
//! There are two kinds: other sites whose own name points to this server (DNS rebinding), and other sites
//! that make the browser post a form (cross-site request forgery). A POST must never pass on one check
//! alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use subtle::ConstantTimeEq;
use tiny_http::Request;

/// Bytes of the form token: 128 bits cannot be guessed.
const TOKEN_BYTES: usize = 16;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its Host header is not a name of this machine.
    Host,
    /// It was not sent from a page of this server.
    CrossSite,
}

pub(super) struct Guard {
    bound: IpAddr,
    /// Host names that are allowed in addition.
    names: Vec<String>,
    /// Whether other machines may connect.
    ///
    /// Then every IP address is allowed as the host: no name of another site can look like one.
    is_open: bool,
    token: String,
}

impl Guard {
    /// `secret` is stored in the database, so a form that was loaded before a restart is still valid.
    pub(super) fn new(address: SocketAddr, names: Vec<String>, secret: &[u8; 32]) -> Guard {
        Guard {
            bound: address.ip(),
            names,
            is_open: !address.ip().is_loopback(),
            token: hex::encode(&secret[..TOKEN_BYTES]),
        }
    }

    /// Returns the token that forms of this server carry.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Checks that the Host header is `localhost`, a known name or an allowed address.
    ///
    /// The port may differ: the request may come through a tunnel.
    pub(super) fn check_host(&self, request: &Request) -> std::result::Result<(), Refused> {
        let called = header(request, "Host").and_then(Called::read);
        let known = match called.ok_or(Refused::Host)? {
            Called::Address(ip) => ip.is_loopback() || ip == self.bound || self.is_open,
            Called::Name(name) => {
                let mut names = self.names.iter().map(String::as_str).chain(["localhost"]);
                names.any(|known| name.eq_ignore_ascii_case(known))
            }
        };
        if known { Ok(()) } else { Err(Refused::Host) }
    }

    /// Checks that no page of another site sent the request.
    ///
    /// The browser says so in `Sec-Fetch-Site` and `Origin`, if it sends them.
    pub(super) fn check_site(&self, request: &Request) -> std::result::Result<(), Refused> {
        if let Some(site) = header(request, "Sec-Fetch-Site")
            && !matches!(site, "same-origin" | "none")
        {
            return Err(Refused::CrossSite);
        }
        if let Some(origin) = header(request, "Origin") {
            let from = origin.split_once("://").map(|(_, authority)| authority);
            if from.is_none() || from != header(request, "Host") {
                return Err(Refused::CrossSite);
            }
        }
        Ok(())
    }

    /// Checks that a POST was sent by a form of this server.
    ///
    /// The browser's headers must not say otherwise, and the form must have the token.
    pub(super) fn check_post(
        &self,
        request: &Request,
        form: &[(String, String)],
    ) -> std::result::Result<(), Refused> {
        self.check_site(request)?;
        let sent = form
            .iter()
            .find(|(name, _)| name == "token")
            .map(|(_, value)| value.as_str());
        let sent = sent.unwrap_or_default();
        if bool::from(sent.as_bytes().ct_eq(self.token.as_bytes())) {
            Ok(())
        } else {
            Err(Refused::CrossSite)
        }
    }
}

/// Returns the first value of a header.
pub(super) fn header<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    request
        .headers()
        .iter()
        .find(|header| header.field.equiv(name))
        .map(|header| header.value.as_str())
}

/// The host of a request, without the port.
enum Called<'a> {
    Address(IpAddr),
    Name(&'a str),
}

impl Called<'_> {
    /// Reads a whole Host header; `None` if it is invalid.
    fn read(host: &str) -> Option<Called<'_>> {
        if let Ok(address) = host.parse::<SocketAddr>() {
            return Some(Called::Address(address.ip()));
        }
        let bracketed = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Some(inside) = bracketed {
            return inside
                .parse::<Ipv6Addr>()
                .ok()
                .map(|ip| Called::Address(ip.into()));
        }
        let (name, port) = host.split_once(':').unwrap_or((host, ""));
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return port.is_empty().then_some(Called::Address(address.into()));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_whole = name.bytes().all(is_name) && port.bytes().all(|byte| byte.is_ascii_digit());
        (is_whole && !name.is_empty()).then_some(Called::Name(name))
    }
}

/// Returns the value of a cookie.
pub(super) fn cookie<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let cookies = header(request, "Cookie")?.split(';');
    let mut pairs = cookies.filter_map(|pair| pair.trim().split_once('='));
    let found = pairs.find(|(held, _)| *held == name);
    found.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiny_http::{Header, Method, TestRequest};

    fn guard() -> Guard {
        Guard::new("127.0.0.1:8421".parse().unwrap(), Vec::new(), &[7; 32])
    }

    fn request(method: Method, headers: &[(&str, &str)]) -> Request {
        let mut request = TestRequest::new().with_method(method);
        for (name, value) in headers {
            request = request.with_header(Header::from_bytes(*name, *value).unwrap());
        }
        request.into()
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in [
            "127.0.0.1:8421",
            "localhost:9000",
            "LOCALHOST",
            "[::1]:8421",
            "[::1]",
            "127.0.0.1",
            "localhost:",
        ] {
            assert_eq!(
                guard().check_host(&request(Method::Get, &[("Host", host)])),
                Ok(()),
                "{host}"
            );
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:8421",
            "localhost.evil.example",
            "192.0.2.1:8421",
            "",
            "[::1]evil.example",
            "[::1].evil.example:8421",
            "[::1",
            "::1",
            "evil@localhost",
            "localhost@evil.example",
            "localhost:80:evil.example",
            "localhost:evil.example",
            "localhost:8421, evil.example",
            "127.0.0.1:evil",
            "127.0.0.1:99999",
            "127.1",
            "localhost/../evil.example",
            ":8421",
        ] {
            let refused = guard().check_host(&request(Method::Get, &[("Host", host)]));
            assert_eq!(refused, Err(Refused::Host), "{host}");
        }
        assert_eq!(
            guard().check_host(&request(Method::Get, &[])),
            Err(Refused::Host)
        );
    }

    #[test]
    fn a_post_needs_the_token_and_may_not_come_from_elsewhere() {
        let guard = guard();
        let good = vec![("token".to_owned(), guard.token().to_owned())];
        let bad = vec![("token".to_owned(), "0".repeat(32))];
        let host = ("Host", "127.0.0.1:8421");
        let post = |headers: &[(&str, &str)]| request(Method::Post, headers);
        let own = post(&[
            host,
            ("Origin", "http://127.0.0.1:8421"),
            ("Sec-Fetch-Site", "same-origin"),
        ]);
        assert_eq!(guard.check_post(&own, &good), Ok(()));
        assert_eq!(guard.check_post(&own, &bad), Err(Refused::CrossSite));
        assert_eq!(guard.check_post(&own, &[]), Err(Refused::CrossSite));
        for foreign in [
            post(&[host, ("Origin", "http://evil.example")]),
            post(&[host, ("Origin", "null")]),
            post(&[host, ("Sec-Fetch-Site", "cross-site")]),
            post(&[host, ("Sec-Fetch-Site", "same-site")]),
        ] {
            assert_eq!(guard.check_post(&foreign, &good), Err(Refused::CrossSite));
        }
    }
}
