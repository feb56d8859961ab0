//! An endpoint: where events go, how they are signed, and how often they are tried.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use form_urlencoded::byte_serialize;
use http::Uri;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::chat::{self, Chat};
use crate::model::connection::{Connection, Method, is_own_header};
use crate::model::expression::Expression;
use crate::model::filter::{Filters, Globs};
use crate::model::header::holds_secret;
use crate::model::id::EndpointId;
use crate::model::outage::Outage;
use crate::model::rate::Rates;
use crate::model::retry::Retry;
use crate::model::template::Template;
use crate::model::window::Windows;
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

/// Most tries of a delivery: each is a row.
pub const TRIES_MAX: u32 = 1_000;

/// How old an event may be allowed to become.
const EXPIRE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(3_650 * 86_400);

/// The shape in which an event is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// The producer's own bytes, content type and event headers.
    Raw,
    /// A message in a chat.
    Chat(Chat),
    /// What a template makes of the event.
    Template(Template),
}

impl Format {
    /// The name used in SQL.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Chat(chat) => chat.name(),
            Format::Template(_) => "template",
        }
    }

    /// The format that SQL names so; `template` needs its template.
    pub fn of_name(name: &str, template: Option<Template>) -> Option<Format> {
        match (name, template) {
            ("raw", None) => Some(Format::Raw),
            ("template", Some(template)) => Some(Format::Template(template)),
            (name, None) => Chat::of_name(name).map(Format::Chat),
            _ => None,
        }
    }

    /// The chat that it writes to, if it is one.
    pub fn chat(&self) -> Option<Chat> {
        match self {
            Format::Chat(chat) => Some(*chat),
            Format::Raw | Format::Template(_) => None,
        }
    }

    /// The template, where there is one.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Format::Raw | Format::Chat(_) => None,
            Format::Template(template) => Some(template),
        }
    }
}

impl fmt::Display for Format {
    /// As it is written on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Raw | Format::Chat(_) => f.write_str(self.name()),
            Format::Template(template) => write!(f, "template:{}", template.file()),
        }
    }
}

/// An absolute `http` or `https` URL. `Debug` and [`EndpointUrl::redacted`] hide the values of its
/// query and what in its path looks like a token: that is where chat systems and the like keep them.
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

    /// The URL with these parameters, in the place of any of their names that it has.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it becomes too long for a URL.
    pub fn with_query(&self, parameters: &[(&'static str, String)]) -> Result<EndpointUrl> {
        if parameters.is_empty() {
            return Ok(self.clone());
        }
        let name_of = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let is_new = |pair: &&str| !parameters.iter().any(|(name, _)| name_of(pair) == *name);
        let held = self.0.query().unwrap_or_default();
        let held = held.split('&').filter(|pair| !pair.is_empty());
        let mut pairs: Vec<String> = held.filter(is_new).map(str::to_owned).collect();
        for (name, value) in parameters {
            let value: String = byte_serialize(value.as_bytes()).collect();
            pairs.push(format!("{name}={value}"));
        }
        let whole = self.0.to_string();
        let head = whole.split('?').next().unwrap_or_default();
        let url = format!("{head}?{}", pairs.join("&"));
        url.parse()
            .map(EndpointUrl)
            .map_err(|_| Error::misuse("the endpoint's URL is too long"))
    }

    /// The URL with the values of its query hidden, and what in its path looks like a token, for
    /// lists, pages, logs and errors. The path of a chat's robot ends with its token, whatever it
    /// looks like.
    pub fn redacted(&self, chat: Option<Chat>) -> String {
        let path = self.0.path();
        let whole = self.0.to_string();
        let head = whole.split('?').next().unwrap_or_default();
        let mut url = head.strip_suffix(path).unwrap_or(head).to_owned();
        let robot = self.robot_token(chat);
        for segment in path.split_inclusive('/') {
            let name = segment.trim_end_matches('/');
            let is_token = looks_like_token(name) || robot == Some(name);
            url.push_str(if is_token { "***" } else { name });
            url.push_str(&segment[name.len()..]);
        }
        if let Some(query) = self.0.query() {
            let names = query.split('&').map(|pair| pair.split('=').next());
            let hidden = names.map(|name| format!("{}=***", name.unwrap_or_default()));
            url.push('?');
            url.push_str(&hidden.collect::<Vec<String>>().join("&"));
        }
        url
    }

    /// What is secret of it, as it is written there and as it reads: a receiver may say it again.
    pub fn secret_texts(&self, chat: Option<Chat>) -> Vec<String> {
        // Shorter ones are words, and would be hidden wherever they stand.
        const LENGTH_MIN: usize = 6;
        let robot = self.robot_token(chat);
        let segments = self.0.path().split('/');
        let mut secrets: Vec<String> = segments
            .filter(|name| looks_like_token(name) || robot == Some(*name))
            .map(str::to_owned)
            .collect();
        for pair in self.0.query().unwrap_or_default().split('&') {
            for (name, read) in form_urlencoded::parse(pair.as_bytes()) {
                let written = pair.split_once('=').map_or("", |(_, value)| value);
                let is_named_so = ["key", "sign", "sig", "auth", "code"].contains(&&*name);
                if is_named_so || holds_secret(&name) || looks_like_token(&read) {
                    secrets.extend([written.to_owned(), read.into_owned()]);
                }
            }
        }
        secrets.retain(|text| text.len() >= LENGTH_MIN);
        secrets
    }

    /// The part of the path that is the token of a chat's robot: the last one, but for the names
    /// of other chats' messages that Discord takes.
    fn robot_token(&self, chat: Option<Chat>) -> Option<&str> {
        match chat? {
            Chat::Slack | Chat::Discord | Chat::Feishu => {
                let mut segments = self.0.path().rsplit('/').filter(|name| !name.is_empty());
                segments.find(|name| !matches!(*name, "slack" | "github"))
            }
            // Theirs is in the query.
            Chat::Dingtalk | Chat::Wecom => None,
        }
    }
}

/// Whether a part of a path was drawn rather than chosen: long, and of letters and digits mixed.
fn looks_like_token(segment: &str) -> bool {
    const LENGTH_MIN: usize = 16;
    let has = |is: fn(&u8) -> bool| segment.bytes().any(|byte| is(&byte));
    let is_plain = segment
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.'));
    segment.len() >= LENGTH_MIN
        && is_plain
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted(Chat::of_host(&self.0)))
    }
}

impl FromStr for EndpointUrl {
    type Err = Error;

    /// Reads an absolute `http` or `https` URL with a host and without credentials.
    fn from_str(text: &str) -> Result<EndpointUrl> {
        let bad = |why: &str| {
            Error::misuse(format!(
                "`{}` is not an endpoint's URL: {why}; write http(s)://HOST[:PORT]/PATH",
                // Behind it may be a token.
                text.split('?').next().unwrap_or_default()
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

/// An endpoint as it is stored: what was set of it can be read as if it were its own.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its row.
    pub id: EndpointId,
    /// What was set.
    pub set: NewEndpoint,
    /// Secrets that were replaced, newest first; each holds until its end.
    pub old_secrets: Vec<OldSecret>,
    /// Since when, and why, nothing is sent there, though everything is kept for it.
    pub held: Option<Hold>,
}

impl Deref for Endpoint {
    type Target = NewEndpoint;

    fn deref(&self) -> &NewEndpoint {
        &self.set
    }
}

/// That an endpoint is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Since when.
    pub since: Timestamp,
    /// Why: as a person said, or what the endpoint answered.
    pub reason: String,
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
}

/// What can be set of an endpoint. [`NewEndpoint::new`] fills in the defaults.
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
    /// Requests at the same time, at most; `None` for what its chat has, else
    /// [`CONCURRENCY_DEFAULT`].
    pub concurrency: Option<u32>,
    /// Requests in a span of time, at most; `None` for what its chat has, else any.
    pub rate: Option<Rates>,
    /// When a refused delivery is tried again.
    pub retry: Retry,
    /// Tries before a delivery is given up; `None` for one more than the ladder has steps.
    pub tries: Option<u32>,
    /// How old an event may become before its delivery is given up; `None` for any age.
    pub expire: Option<Duration>,
    /// Whether the time that the endpoint could not be reached counts for that.
    pub expires_offline: bool,
    /// When it is sent to; `None` for always.
    pub window: Option<Windows>,
    /// Whether it gets one delivery at a time, in the order of their events.
    pub is_ordered: bool,
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
            concurrency: None,
            rate: None,
            retry: Retry::default(),
            tries: None,
            expire: None,
            expires_offline: false,
            window: None,
            is_ordered: false,
        }
    }

    /// The chat whose robot it is: that of its host, whatever is sent there, else that of its
    /// format. What its answers mean and how much it takes are the chat's.
    pub fn chat(&self) -> Option<Chat> {
        Chat::of_host(self.url.uri()).or(self.format.chat())
    }

    /// Requests at the same time, at most: as set, else as its chat has it.
    pub fn concurrency(&self) -> u32 {
        if self.is_ordered {
            return 1;
        }
        self.concurrency.unwrap_or_else(|| match self.chat() {
            Some(_) => chat::CONCURRENCY,
            None => CONCURRENCY_DEFAULT,
        })
    }

    /// Requests in a span of time, at most: as set, else as its chat has it; `None` for any.
    pub fn rate(&self) -> Option<&Rates> {
        let of_chat = || self.chat().and_then(Chat::rates);
        self.rate.as_ref().or_else(of_chat)
    }

    /// Tries before a delivery is given up: as set, else the first and one a step of the ladder.
    pub fn tries_max(&self) -> u32 {
        self.tries.unwrap_or_else(|| self.retry.tries_max())
    }

    /// Where it is, with what is secret of it hidden.
    pub fn shown_url(&self) -> String {
        self.url.redacted(self.chat())
    }

    /// The endpoint that it becomes in a store.
    #[cfg(test)]
    pub(crate) fn stored_as(self, id: EndpointId) -> Endpoint {
        Endpoint {
            id,
            set: self,
            old_secrets: Vec::new(),
            held: None,
        }
    }

    /// Checks that the parts fit together and are within their limits.
    ///
    /// # Errors
    /// [`Error::Misuse`] with the part and its limit.
    pub fn check(&self) -> Result<()> {
        crate::model::check_name(&self.name)?;
        match &self.format {
            Format::Chat(chat) => {
                chat.check(self.url.uri(), self.scheme, self.secret.as_ref())?;
                if self.connection.method != Method::Post {
                    return Err(Error::misuse(format!(
                        "{} takes POST alone: give --method POST",
                        chat.title()
                    )));
                }
            }
            Format::Raw | Format::Template(_) => self.scheme.check_secret(self.secret.as_ref())?,
        }
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
        if let Some(concurrency) = self.concurrency
            && !(1..=CONCURRENCY_MAX).contains(&concurrency)
        {
            return Err(Error::misuse(format!(
                "--concurrency is {concurrency}, allowed is 1 to {CONCURRENCY_MAX}"
            )));
        }
        if self.is_ordered && self.concurrency.is_some_and(|concurrency| concurrency > 1) {
            return Err(Error::misuse(
                "--ordered sends one delivery at a time: give --concurrency 1, or --ordered=false",
            ));
        }
        if let Some(tries) = self.tries {
            if !(1..=TRIES_MAX).contains(&tries) {
                return Err(Error::misuse(format!(
                    "--tries is {tries}, allowed is 1 to {TRIES_MAX}"
                )));
            }
            if tries > 1 && self.retry.tries_max() == 1 {
                return Err(Error::misuse(
                    "--tries is more than 1 and --retry none has no wait between them; give --retry 5m or the like",
                ));
            }
        }
        if let Some(expire) = self.expire
            && !EXPIRE.contains(&expire)
        {
            return Err(Error::misuse(format!(
                "--expire is {}, allowed is {} to {}",
                show_span(expire),
                show_span(*EXPIRE.start()),
                show_span(*EXPIRE.end())
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
    /// Its rate is used up, or it asked to wait: nothing is sent before; may be over.
    pub paced_until: Option<Timestamp>,
}

impl EndpointReport {
    /// The contract's JSON object; never the secret.
    pub fn json(&self) -> Value {
        let endpoint = &self.endpoint;
        let filters = &endpoint.filters;
        let list = |globs: &Option<Globs>| globs.as_ref().map(Globs::patterns);
        json!({
            "name": endpoint.name,
            "url": endpoint.shown_url(),
            "format": endpoint.format.to_string(),
            "content_type": endpoint.format.template().map(Template::content_type),
            "sign": endpoint.scheme.name(),
            "has_secret": endpoint.secret.is_some(),
            "signature": (endpoint.scheme == Scheme::Generic).then(|| endpoint.signature.json()),
            "old_secrets_end_at": endpoint.old_secrets.iter().map(|old| old.ends.to_string()).collect::<Vec<String>>(),
            "connection": endpoint.connection.shown(),
            "types": list(&filters.types),
            "sources": list(&filters.sources),
            "branches": list(&filters.branches),
            "when": filters.when.as_ref().map(Expression::to_string),
            "when_errors": self.when_errors,
            "rate": endpoint.rate().map(Rates::to_string),
            "concurrency": endpoint.concurrency(),
            "ordered": endpoint.is_ordered,
            "retry": endpoint.retry.to_string(),
            "tries_max": endpoint.tries_max(),
            "timeout": show_span(endpoint.timeout),
            "window": endpoint.window.as_ref().map(Windows::to_string),
            "expire": endpoint.expire.map(show_span),
            "expire_offline": endpoint.expires_offline,
            "held": endpoint.held.is_some(),
            "held_since": endpoint.held.as_ref().map(|hold| hold.since.to_string()),
            "held_reason": endpoint.held.as_ref().map(|hold| &hold.reason),
            "circuit": if self.outage.is_some() { "open" } else { "closed" },
            "outage": self.outage.as_ref().map(Outage::json),
            "paced_until": self.paced_until.map(|at| at.to_string()),
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
        assert_eq!(url.redacted(None), "https://h/send?access_token=***&x=***");
        assert!(!format!("{url:?}").contains("T0K"));
    }

    #[test]
    fn tokens_in_the_path_are_hidden() {
        let slack = Some(Chat::Slack);
        for (url, chat, shown) in [
            ("https://h/", None, "https://h/"),
            (
                "https://h/hooks/deliveries-2024/x/",
                None,
                "https://h/hooks/deliveries-2024/x/",
            ),
            (
                "https://h/in/incoming-deliveries/push",
                None,
                "https://h/in/incoming-deliveries/push",
            ),
            (
                "https://h/hooks/x8mz1d3k5pfn9qr7stu2vw4yab?a=b",
                None,
                "https://h/hooks/***?a=***",
            ),
            (
                "https://h/a/3f2b8c1e-9d4a-4e6f-8b7c-1a2b3c4d5e6f/b/",
                None,
                "https://h/a/***/b/",
            ),
            (
                "https://h/bot123456:AAbbCCddEEffGG/sendMessage",
                None,
                "https://h/***/sendMessage",
            ),
            (
                "https://mattermost.example.org/hooks/token",
                slack,
                "https://mattermost.example.org/hooks/***",
            ),
            (
                "https://h/services/T01/B02/abcdefg/",
                slack,
                "https://h/services/T01/B02/***/",
            ),
            (
                "https://h/api/webhooks/1/abc/slack",
                slack,
                "https://h/api/webhooks/1/***/slack",
            ),
            ("https://h/hook/x", Some(Chat::Feishu), "https://h/hook/***"),
            (
                "https://h/robot/send?key=x",
                Some(Chat::Wecom),
                "https://h/robot/send?key=***",
            ),
        ] {
            let url: EndpointUrl = url.parse().unwrap();
            assert_eq!(url.redacted(chat), shown);
        }
        let url: EndpointUrl = "https://discord.com/api/webhooks/1/abc/github"
            .parse()
            .unwrap();
        assert!(!format!("{url:?}").contains("abc"));
    }

    #[test]
    fn what_is_secret_is_known_as_it_is_written_and_as_it_reads() {
        let url = "https://h/hooks/token1/?sign=a%2Bb%2Fcdef&branch=release&access_token=12345678";
        let url: EndpointUrl = url.parse().unwrap();
        assert_eq!(
            url.secret_texts(Some(Chat::Slack)),
            ["token1", "a%2Bb%2Fcdef", "a+b/cdef", "12345678", "12345678"]
        );
        let plain: EndpointUrl = "https://ci.example.org/hook".parse().unwrap();
        assert!(plain.secret_texts(None).is_empty());
    }

    #[test]
    fn parameters_are_encoded_once_and_take_the_place_of_those_of_their_name() {
        let url: EndpointUrl = "https://h/send?access_token=T&sign=old&timestamp=1"
            .parse()
            .unwrap();
        let signed = url
            .with_query(&[("timestamp", "2".to_owned()), ("sign", "a+b/c=".to_owned())])
            .unwrap();
        assert_eq!(
            signed.as_text(),
            "https://h/send?access_token=T&timestamp=2&sign=a%2Bb%2Fc%3D"
        );
        let plain: EndpointUrl = "https://h".parse().unwrap();
        let with = plain.with_query(&[("wait", "true".to_owned())]).unwrap();
        assert_eq!(with.as_text(), "https://h/?wait=true");
        assert_eq!(plain.with_query(&[]).unwrap(), plain);
    }
}
