//! An endpoint: where events go, how they are signed, and how often they are tried.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::Uri;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::connection::{Connection, is_own_header};
use crate::model::expression::Expression;
use crate::model::filter::{Filters, Globs};
use crate::model::id::EndpointId;
use crate::model::outage::Outage;
use crate::model::rate::Rates;
use crate::model::retry::Retry;
use crate::model::template::Template;
use crate::signature::generic::Rules;
use crate::signature::{OldSecret, Scheme, Secret};
use crate::time::{Timestamp, show_span};

/// How long one attempt may take in all, unless set otherwise. Standard Webhooks advises 15 to
/// 30 seconds.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);

/// Longest allowed `--timeout`: a worker thread is held that long by a receiver that hangs.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(300);

/// Most requests to one endpoint at the same time, unless set otherwise. Enough to keep a receiver
/// on the same network busy; one that answers slower when it is asked more at a time gets fewer.
pub const CONCURRENCY_DEFAULT: u32 = 8;

/// Most requests to one endpoint at the same time.
pub const CONCURRENCY_MAX: u32 = 64;

/// The shape in which an event is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// The producer's own bytes, content type and event headers.
    Raw,
    /// What a template makes of the event.
    Template(Template),
}

impl Format {
    /// The name used in SQL.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Template(_) => "template",
        }
    }

    /// The template, where there is one.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Format::Raw => None,
            Format::Template(template) => Some(template),
        }
    }
}

impl fmt::Display for Format {
    /// As it is written on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Raw => f.write_str("raw"),
            Format::Template(template) => write!(f, "template:{}", template.file()),
        }
    }
}

/// An absolute `http` or `https` URL. `Debug` and [`EndpointUrl::redacted`] hide the query, where
/// chat systems and the like keep their tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(Uri);

impl EndpointUrl {
    /// The URL to connect to.
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// The URL as stored and sent to. Do not show it: see [`EndpointUrl::redacted`].
    pub fn as_text(&self) -> String {
        self.0.to_string()
    }

    /// The URL with the values of its query hidden, for lists, pages, logs and errors.
    pub fn redacted(&self) -> String {
        match self.0.query() {
            None => self.0.to_string(),
            Some(query) => {
                let whole = self.0.to_string();
                let shown: Vec<String> = query
                    .split('&')
                    .map(|pair| format!("{}=***", pair.split('=').next().unwrap_or_default()))
                    .collect();
                let head = whole.split('?').next().unwrap_or_default();
                format!("{head}?{}", shown.join("&"))
            }
        }
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl FromStr for EndpointUrl {
    type Err = Error;

    /// Reads an absolute `http` or `https` URL with a host and without credentials.
    fn from_str(text: &str) -> Result<EndpointUrl> {
        let bad = |why: &str| {
            Error::misuse(format!(
                "`{text}` is not an endpoint's URL: {why}; write http(s)://HOST[:PORT]/PATH"
            ))
        };
        let uri: Uri = text.parse().map_err(|_| bad("it cannot be read"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(bad("it is neither http nor https"));
        }
        let authority = uri.authority().ok_or_else(|| bad("it has no host"))?;
        if authority.host().is_empty() {
            return Err(bad("it has no host"));
        }
        if authority.as_str().contains('@') {
            // The text is not echoed here: it holds a password.
            return Err(Error::misuse(
                "the URL has a user name or password in it, which would show in lists and logs; give the URL without",
            ));
        }
        let port = &authority.as_str()[authority.host().len()..];
        if !port.is_empty() && authority.port_u16().unwrap_or(0) == 0 {
            return Err(bad("its port is not a number from 1 to 65535"));
        }
        Ok(EndpointUrl(uri))
    }
}

/// An endpoint as it is configured.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its row.
    pub id: EndpointId,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: EndpointUrl,
    /// The shape in which events are sent.
    pub format: Format,
    /// How requests are signed.
    pub scheme: Scheme,
    /// What they are signed with.
    pub secret: Option<Secret>,
    /// Secrets that were replaced, newest first; each holds until its end.
    pub old_secrets: Vec<OldSecret>,
    /// Where the signature goes and how it is made, for scheme generic.
    pub signature: Rules,
    /// How requests are made.
    pub connection: Connection,
    /// Which events are wanted.
    pub filters: Filters,
    /// How long one attempt may take in all.
    pub timeout: Duration,
    /// Requests at the same time, at most.
    pub concurrency: u32,
    /// Requests in a span of time, at most.
    pub rate: Option<Rates>,
    /// When a refused delivery is tried again.
    pub retry: Retry,
}

impl Endpoint {
    /// The secrets that hold at this moment, the newest first.
    pub fn secrets_at(&self, now: Timestamp) -> Vec<&Secret> {
        let old = self.old_secrets.iter().filter(|old| now < old.ends);
        self.secret
            .iter()
            .chain(old.map(|old| &old.secret))
            .collect()
    }

    /// Tries before a delivery is given up: the first and one a step of the ladder.
    pub fn tries_max(&self) -> u32 {
        self.retry.tries_max()
    }
}

/// An endpoint to be made. [`NewEndpoint::new`] fills in the defaults.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// See [`check_name`](crate::model::check_name).
    pub name: String,
    /// Where it is.
    pub url: EndpointUrl,
    /// The shape in which events are sent.
    pub format: Format,
    /// How requests are signed.
    pub scheme: Scheme,
    /// What they are signed with.
    pub secret: Option<Secret>,
    /// Where the signature goes and how it is made, for scheme generic.
    pub signature: Rules,
    /// How requests are made.
    pub connection: Connection,
    /// Which events are wanted.
    pub filters: Filters,
    /// How long one attempt may take in all.
    pub timeout: Duration,
    /// Requests at the same time, at most.
    pub concurrency: u32,
    /// Requests in a span of time, at most.
    pub rate: Option<Rates>,
    /// When a refused delivery is tried again.
    pub retry: Retry,
}

impl From<&Endpoint> for NewEndpoint {
    /// An endpoint as it is set now, to be changed.
    fn from(held: &Endpoint) -> NewEndpoint {
        NewEndpoint {
            name: held.name.clone(),
            url: held.url.clone(),
            format: held.format.clone(),
            scheme: held.scheme,
            secret: held.secret.clone(),
            signature: held.signature.clone(),
            connection: held.connection.clone(),
            filters: held.filters.clone(),
            timeout: held.timeout,
            concurrency: held.concurrency,
            rate: held.rate.clone(),
            retry: held.retry.clone(),
        }
    }
}

impl NewEndpoint {
    /// An endpoint with every default: all events, raw, unsigned, the default ladder.
    pub fn new(name: impl Into<String>, url: EndpointUrl) -> NewEndpoint {
        NewEndpoint {
            name: name.into(),
            url,
            format: Format::Raw,
            scheme: Scheme::None,
            secret: None,
            signature: Rules::default(),
            connection: Connection::default(),
            filters: Filters::default(),
            timeout: TIMEOUT_DEFAULT,
            concurrency: CONCURRENCY_DEFAULT,
            rate: None,
            retry: Retry::default(),
        }
    }

    /// The endpoint that it becomes in a store.
    #[cfg(test)]
    pub(crate) fn stored_as(self, id: EndpointId) -> Endpoint {
        Endpoint {
            id,
            name: self.name,
            url: self.url,
            format: self.format,
            scheme: self.scheme,
            secret: self.secret,
            old_secrets: Vec::new(),
            signature: self.signature,
            connection: self.connection,
            filters: self.filters,
            timeout: self.timeout,
            concurrency: self.concurrency,
            rate: self.rate,
            retry: self.retry,
        }
    }

    /// Checks that the parts fit together and are within their limits.
    ///
    /// # Errors
    /// [`Error::Misuse`] with the part and its limit.
    pub fn check(&self) -> Result<()> {
        crate::model::check_name(&self.name)?;
        self.scheme.check_secret(self.secret.as_ref())?;
        if self.scheme != Scheme::Generic && self.signature != Rules::default() {
            return Err(Error::misuse(format!(
                "where the signature goes and how it is made can be set for --sign generic, not for {}",
                self.scheme
            )));
        }
        self.signature.check()?;
        if self.scheme == Scheme::Generic && is_own_header(&self.signature.header) {
            return Err(Error::misuse(format!(
                "header `{}` is made for each request and cannot carry the signature; choose another, such as X-Signature",
                self.signature.header
            )));
        }
        self.connection.check()?;
        if self.timeout.is_zero() || self.timeout > TIMEOUT_MAX {
            return Err(Error::misuse(format!(
                "--timeout is {}, allowed is 1ms to {}",
                show_span(self.timeout),
                show_span(TIMEOUT_MAX)
            )));
        }
        if self.concurrency == 0 || self.concurrency > CONCURRENCY_MAX {
            return Err(Error::misuse(format!(
                "--concurrency is {}, allowed is 1 to {CONCURRENCY_MAX}",
                self.concurrency
            )));
        }
        Ok(())
    }
}

/// An endpoint with how it fares.
#[derive(Debug, Clone)]
pub struct EndpointReport {
    /// As configured.
    pub endpoint: Endpoint,
    /// Deliveries waiting.
    pub pending: i64,
    /// Deliveries that got through.
    pub delivered: i64,
    /// Deliveries given up.
    pub dead: i64,
    /// Deliveries called off.
    pub cancelled: i64,
    /// Events on which its expression failed, and which were sent for that.
    pub when_errors: i64,
    /// The due time of the pending delivery that is due first.
    pub oldest_due: Option<Timestamp>,
    /// The outage that goes on now.
    pub outage: Option<Outage>,
}

impl EndpointReport {
    /// The contract's JSON object; never the secret.
    pub fn json(&self) -> Value {
        let endpoint = &self.endpoint;
        let filters = &endpoint.filters;
        let list = |globs: &Option<Globs>| globs.as_ref().map(Globs::patterns);
        json!({
            "name": endpoint.name,
            "url": endpoint.url.redacted(),
            "format": endpoint.format.to_string(),
            "content_type": endpoint.format.template().map(Template::content_type),
            "sign": endpoint.scheme.name(),
            "signature": (endpoint.scheme == Scheme::Generic).then(|| endpoint.signature.json()),
            "old_secrets_end_at": endpoint.old_secrets.iter().map(|old| old.ends.to_string()).collect::<Vec<String>>(),
            "connection": endpoint.connection.shown(),
            "types": list(&filters.types),
            "sources": list(&filters.sources),
            "branches": list(&filters.branches),
            "when": filters.when.as_ref().map(Expression::to_string),
            "when_errors": self.when_errors,
            "rate": endpoint.rate.as_ref().map(Rates::to_string),
            "concurrency": endpoint.concurrency,
            "ordered": false,
            "retry": endpoint.retry.to_string(),
            "tries_max": endpoint.tries_max(),
            "timeout": show_span(endpoint.timeout),
            "window": null,
            "expire": null,
            "held": false,
            "circuit": if self.outage.is_some() { "open" } else { "closed" },
            "outage": self.outage.as_ref().map(Outage::json),
            "pending": self.pending,
            "delivered": self.delivered,
            "dead": self.dead,
            "cancelled": self.cancelled,
            "oldest_due_at": self.oldest_due.map(|at| at.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_urls_with_a_host_and_no_credentials_are_taken() {
        for text in [
            "http://127.0.0.1:8080/x",
            "https://ci.example.org",
            "http://[::1]:9/h?a=b",
        ] {
            assert!(text.parse::<EndpointUrl>().is_ok(), "{text}");
        }
        for text in [
            "",
            "ci.example.org",
            "/x",
            "ftp://h/x",
            "http://",
            "http:///x",
            "http://h:99999/",
            "http://h:/",
            "http://a b/",
            "http://user:pass@h/",
            "mailto:a@b",
        ] {
            assert!(text.parse::<EndpointUrl>().is_err(), "{text}");
        }
        let error = "http://user:hunter2@h/".parse::<EndpointUrl>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn tokens_in_the_query_are_hidden() {
        let url: EndpointUrl = "https://h/send?access_token=T0K&x=1".parse().unwrap();
        assert_eq!(url.redacted(), "https://h/send?access_token=***&x=***");
        assert!(!format!("{url:?}").contains("T0K"));
    }
}
