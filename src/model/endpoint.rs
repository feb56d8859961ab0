//! An endpoint: where events go, how they are signed, and how often they are tried.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::chat::{self, Chat};
use crate::model::connection::{Connection, Method, is_own_header};
use crate::model::digest::{self, Digest};
use crate::model::expression::Expression;
use crate::model::filter::{Filters, Globs};
use crate::model::id::EndpointId;
use crate::model::outage::Outage;
use crate::model::rate::Rates;
use crate::model::relay;
use crate::model::retry::Retry;
use crate::model::template::Template;
use crate::model::window::Windows;
use crate::signature::generic::Rules;
use crate::signature::{OldSecret, Scheme, Secret};
use crate::time::{Timestamp, show_span};

pub use crate::model::url::EndpointUrl;

/// Default timeout of one attempt. Standard Webhooks advises 15 to 30 seconds.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);

/// Maximum `--timeout`: a receiver that hangs keeps a worker thread busy for this long.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(300);

/// Default maximum of requests to one endpoint at the same time. It is enough to keep a receiver on the
/// same network busy; a receiver that slows down with more requests gets fewer.
pub const CONCURRENCY_DEFAULT: u32 = 8;

/// Maximum that can be set for requests to one endpoint at the same time.
pub const CONCURRENCY_MAX: u32 = 64;

/// Default maximum wait between probes of an unreachable endpoint. It takes at most this long to notice
/// that the endpoint is back.
pub const PROBE_MAX_DEFAULT: Duration = Duration::from_secs(60);

/// Allowed values of that wait.
const PROBE_MAX: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(86_400);

/// Maximum tries of a delivery: each is a row.
pub const TRIES_MAX: u32 = 1_000;

/// Allowed values of the age at which deliveries expire.
const EXPIRE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(3_650 * 86_400);

/// The form in which an event is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// The producer's own bytes, content type and event headers.
    Raw,
    /// Many events in one request, to another hookbox.
    Relay,
    /// A chat message.
    Chat(Chat),
    /// The output of a template.
    Template(Template),
}

impl Format {
    /// The name used in SQL.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Relay => "relay",
            Format::Chat(chat) => chat.name(),
            Format::Template(_) => "template",
        }
    }

    /// The format with this name in SQL; `template` needs its template.
    pub fn of_name(name: &str, template: Option<Template>) -> Option<Format> {
        match (name, template) {
            ("raw", None) => Some(Format::Raw),
            ("relay", None) => Some(Format::Relay),
            ("template", Some(template)) => Some(Format::Template(template)),
            (name, None) => name.parse().ok().map(Format::Chat),
            _ => None,
        }
    }

    /// The chat of a chat format.
    pub fn chat(&self) -> Option<Chat> {
        match self {
            Format::Chat(chat) => Some(*chat),
            Format::Raw | Format::Relay | Format::Template(_) => None,
        }
    }

    /// The template of a template format.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Format::Raw | Format::Relay | Format::Chat(_) => None,
            Format::Template(template) => Some(template),
        }
    }
}

impl fmt::Display for Format {
    /// In the form of the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Raw | Format::Relay | Format::Chat(_) => f.write_str(self.name()),
            Format::Template(template) => write!(f, "template:{}", template.file()),
        }
    }
}

/// A stored endpoint. It dereferences to its settings.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its row id.
    pub id: EndpointId,
    /// Its settings.
    pub set: NewEndpoint,
    /// Secrets that were replaced, newest first; each is valid until its end.
    pub old_secrets: Vec<OldSecret>,
    /// Since when and why the endpoint is held: nothing is sent, and everything is kept.
    pub held: Option<Hold>,
    /// How often a person asked to send the waiting deliveries at once.
    pub manual_retry_seq: i64,
}

/// A hold of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Since when.
    pub since: Timestamp,
    /// The reason that a person gave, or the endpoint's answer.
    pub reason: String,
}

/// The reason of a hold for which none is given.
pub const HELD_BY_HAND: &str = "held by hand";

/// Checks a hold's reason: it is shown on one line of lists and pages.
///
/// # Errors
/// [`Error::Misuse`] when it is empty, too long or of several lines.
pub fn hold_reason(reason: &str) -> Result<&str> {
    const CHARS_MAX: usize = 200;
    let reason = reason.trim();
    let fits = (1..=CHARS_MAX).contains(&reason.chars().count());
    if !fits || reason.contains(char::is_control) {
        return Err(Error::misuse(format!(
            "the reason is one line of 1 to {CHARS_MAX} characters"
        )));
    }
    Ok(reason)
}

impl Endpoint {
    /// All secret texts that are sent to the endpoint. They must be hidden in its replies, since a receiver
    /// may repeat them.
    pub fn secret_texts(&self) -> Vec<Vec<u8>> {
        let old = self.old_secrets.iter().map(|old| &old.secret);
        let keys = self.set.secret.iter().chain(old);
        let mut texts: Vec<Vec<u8>> = keys.map(|key| key.expose().to_vec()).collect();
        let in_url = self.set.url.secret_texts(self.set.chat()).into_iter();
        texts.extend(in_url.map(String::into_bytes));
        texts.extend(self.set.connection.secret_texts());
        texts
    }

    /// The secrets that are valid at this time, newest first.
    pub fn secrets_at(&self, now: Timestamp) -> Vec<&Secret> {
        let old = self.old_secrets.iter().filter(|old| now < old.ends);
        self.set
            .secret
            .iter()
            .chain(old.map(|old| &old.secret))
            .collect()
    }
}

/// How the names of endpoints begin that are made for the URL of a replay.
pub(crate) const MADE_FOR_REPLAYS: &str = "replay-to-";

/// The settings of an endpoint. [`NewEndpoint::new`] fills in the defaults.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// See [`check_name`](crate::model::check_name).
    pub name: String,
    /// Its URL.
    pub url: EndpointUrl,
    /// The form in which events are sent.
    pub format: Format,
    /// How requests are signed.
    pub scheme: Scheme,
    /// The signing secret.
    pub secret: Option<Secret>,
    /// For scheme generic: where the signature is and how it is made.
    pub signature: Rules,
    /// How requests are made.
    pub connection: Connection,
    /// Which events are wanted.
    pub filters: Filters,
    /// Maximum time of one attempt.
    pub timeout: Duration,
    /// Maximum requests at the same time; `None` for the default of its chat, or [`CONCURRENCY_DEFAULT`].
    pub concurrency: Option<u32>,
    /// Maximum requests per time; `None` for the default of its chat, or no limit.
    pub rate: Option<Rates>,
    /// When many events become one message; of importance to a chat alone.
    pub digest: Digest,
    /// When a refused delivery is tried again.
    pub retry: Retry,
    /// Tries before a delivery is given up; `None` for one more than the retry schedule has steps.
    pub tries: Option<u32>,
    /// Maximum age of an event before its delivery is given up; `None` for no limit.
    pub expire: Option<Duration>,
    /// Whether the time in which the endpoint was unreachable counts as age.
    pub expires_offline: bool,
    /// Maximum wait between probes while it is unreachable.
    pub probe_max: Duration,
    /// When it may be sent to; `None` for always.
    pub window: Option<Windows>,
    /// Whether it gets one delivery at a time, in the order of their events.
    pub is_ordered: bool,
    /// Whether it gets only replays.
    pub gets_only_replays: bool,
}

impl NewEndpoint {
    /// Changes the format. The secret of a chat bot is of no use for another format, so it is removed.
    pub fn send_as(&mut self, format: Format) {
        let old = self.format.chat();
        self.format = format;
        if old.is_some_and(Chat::signs) && self.format.chat() != old {
            self.secret = None;
        }
        if self.format.chat().is_none() {
            self.digest = Digest::default();
        }
    }

    /// Whether it was made for the URL of a replay, by nobody by name.
    pub fn is_made_for_replays(&self) -> bool {
        self.gets_only_replays && self.name.starts_with(MADE_FOR_REPLAYS)
    }

    /// Changes the scheme, and removes what the new scheme does not use: the secret if nothing is signed,
    /// the rules of a generic signature.
    pub fn sign_by(&mut self, scheme: Scheme) {
        self.scheme = scheme;
        if scheme == Scheme::None && self.format.chat().is_none() {
            self.secret = None;
        }
        if scheme != Scheme::Generic {
            self.signature = Rules::default();
        }
    }

    /// An endpoint with every default: all events, raw, unsigned, the default retry schedule.
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
            digest: Digest::default(),
            retry: Retry::default(),
            tries: None,
            expire: None,
            expires_offline: false,
            probe_max: PROBE_MAX_DEFAULT,
            window: None,
            is_ordered: false,
            gets_only_replays: false,
        }
    }

    /// The chat that the endpoint belongs to: by its host, or else by its format. Its answers and its rate
    /// limits are those of the chat.
    pub fn chat(&self) -> Option<Chat> {
        Chat::of_host(self.url.uri()).or(self.format.chat())
    }

    /// Maximum requests at the same time: the setting, or the default of its chat.
    pub fn concurrency(&self) -> u32 {
        if self.is_ordered {
            return 1;
        }
        self.concurrency.unwrap_or_else(|| match &self.format {
            // While one request is on its way, more events come for the next one.
            Format::Relay => 1,
            _ if self.chat().is_some() => chat::CONCURRENCY,
            _ => CONCURRENCY_DEFAULT,
        })
    }

    /// Maximum requests per time: the setting, or the default of its chat; `None` for no limit.
    pub fn rate(&self) -> Option<&Rates> {
        let of_chat = || self.chat().and_then(Chat::rates);
        self.rate.as_ref().or_else(of_chat)
    }

    /// Most deliveries that go in one request.
    pub fn batch_max(&self) -> usize {
        match (&self.format, self.digest) {
            (Format::Relay, _) => relay::EVENTS_MAX,
            (Format::Chat(_), Digest::Behind | Digest::Every(_)) => digest::EVENTS_MAX,
            _ => 1,
        }
    }

    /// For how long events are collected before they are sent.
    pub fn collects_for(&self) -> Option<Duration> {
        match (&self.format, self.digest) {
            (Format::Chat(_), Digest::Every(span)) => Some(span),
            _ => None,
        }
    }

    /// Tries before a delivery is given up: the setting, or the first try and one per step of the retry
    /// schedule.
    pub fn tries_max(&self) -> u32 {
        self.tries.unwrap_or_else(|| self.retry.tries_max())
    }

    /// Its URL with the secret parts hidden.
    pub fn shown_url(&self) -> String {
        self.url.redacted(self.chat())
    }

    /// The stored endpoint that has these settings.
    #[cfg(test)]
    pub(crate) fn stored_as(self, id: EndpointId) -> Endpoint {
        Endpoint {
            id,
            set: self,
            old_secrets: Vec::new(),
            held: None,
            manual_retry_seq: 0,
        }
    }

    /// Checks that there is a future time at which it may be sent to, and one at which a refused delivery
    /// is tried again.
    ///
    /// # Errors
    /// [`Error::Misuse`] when there is none.
    pub fn check_ahead(&self, now: Timestamp) -> Result<()> {
        if let Some(window) = &self.window
            && window.closed_until(now) == Some(None)
        {
            return Err(Error::misuse(format!(
                "the window {window} never opens from now on: nothing would ever be sent; give one that does, or \"\" for none"
            )));
        }
        match &self.retry {
            Retry::Cron(calendar) if calendar.next(now).is_none() => Err(Error::misuse(format!(
                "--retry cron:{calendar} has no moment from now on: whatever is refused once would be given up; give one that has, or --retry none for one try"
            ))),
            _ => Ok(()),
        }
    }

    /// Checks what a relay cannot have.
    fn check_relay(&self) -> Result<()> {
        if !matches!(self.scheme, Scheme::None | Scheme::Standard) {
            return Err(Error::misuse(
                "a relay is signed as Standard Webhooks: give --sign standard with the secret of the hub's source, or --sign none",
            ));
        }
        if self.connection.method != Method::Post || self.connection.expect.is_some() {
            return Err(Error::misuse(
                "a relay goes by POST, and its answer is read by itself: give --method POST, and --expect \"\"",
            ));
        }
        Ok(())
    }

    /// Checks that the settings fit together and are within their limits.
    ///
    /// # Errors
    /// [`Error::Misuse`] with the setting and its limit.
    pub fn check(&self) -> Result<()> {
        crate::model::check_name(&self.name)?;
        match &self.format {
            Format::Chat(chat) => {
                chat.check(self.url.uri(), self.scheme, self.secret.as_ref())?;
                if *chat == Chat::Matrix && self.connection.auth.is_none() {
                    return Err(Error::misuse(
                        "Matrix asks for an access token: give --auth bearer, and the token with --auth-secret, on the command line --auth-secret-file FILE",
                    ));
                }
                if self.connection.method != Method::Post {
                    return Err(Error::misuse(format!(
                        "{} has one method alone, which is chosen by itself: give --method POST, the default",
                        chat.title()
                    )));
                }
            }
            Format::Raw | Format::Relay | Format::Template(_) => {
                self.scheme.check_secret(self.secret.as_ref())?;
                if self.format == Format::Relay {
                    self.check_relay()?;
                }
                if self.digest != Digest::default() {
                    return Err(Error::misuse(
                        "--digest is for chats: give it with --format slack or another chat, or --digest behind",
                    ));
                }
            }
        }
        if self.scheme != Scheme::Generic && self.signature != Rules::default() {
            return Err(Error::misuse(format!(
                "where the signature goes and how it is made can be set for --sign generic, not for {}",
                self.scheme
            )));
        }
        if let (Some(span), Some(expire)) = (self.collects_for(), self.expire)
            && span >= expire
        {
            return Err(Error::misuse(format!(
                "--digest {} collects events until they are older than --expire {}; give a shorter --digest",
                show_span(span),
                show_span(expire)
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
                    "--tries is more than 1 and --retry none has no wait between them; give --retry 5m or the like, or --tries \"\"",
                ));
            }
        }
        if let (Some(chat), Some(_)) = (self.format.chat(), &self.connection.expect) {
            return Err(Error::misuse(format!(
                "--expect is for formats raw and template: {} says itself whether it took a message; give --expect \"\"",
                chat.title()
            )));
        }
        if !PROBE_MAX.contains(&self.probe_max) {
            return Err(Error::misuse(format!(
                "--probe-max is {}, allowed is 1s to 1d",
                show_span(self.probe_max)
            )));
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

/// An endpoint with its present state.
#[derive(Debug, Clone)]
pub struct EndpointReport {
    /// As configured.
    pub endpoint: Endpoint,
    /// Pending deliveries.
    pub pending: i64,
    /// Delivered deliveries.
    pub delivered: i64,
    /// Dead deliveries that are not superseded.
    pub dead: i64,
    /// Cancelled deliveries that are not superseded.
    pub cancelled: i64,
    /// Dead and cancelled deliveries that are superseded: a replay was delivered in their place.
    pub superseded: i64,
    /// How many deliveries were ever given up, whatever became of them.
    pub died: i64,
    /// Events on which its expression failed; they were sent.
    pub when_errors: i64,
    /// The earliest due time of a pending delivery.
    pub oldest_due: Option<Timestamp>,
    /// The present outage.
    pub outage: Option<Outage>,
    /// When it last took something.
    pub last_delivered: Option<Timestamp>,
    /// How attempts ended in each hour of the last eight days, oldest first; hours without attempts are left
    /// out.
    pub hours: Vec<Hour>,
    /// For how long it has refused everything, if it is failing.
    pub failing: Option<Duration>,
    /// Its rate limit is used up, or it asked to wait: nothing is sent before this time. The time may be
    /// past.
    pub paced_until: Option<Timestamp>,
    /// Settings that are probably a mistake.
    pub warnings: Vec<String>,
}

/// How attempts ended in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// When it began.
    pub began: Timestamp,
    /// Attempts that delivered.
    pub delivered: i64,
    /// Attempts that were refused.
    pub refused: i64,
}

impl Hour {
    fn json(&self) -> Value {
        json!({
            "hour": self.began.to_string(),
            "delivered": self.delivered,
            "refused": self.refused,
        })
    }
}

impl EndpointReport {
    /// The JSON object of the API, without the secret.
    pub fn json(&self) -> Value {
        let endpoint = &self.endpoint;
        let filters = &endpoint.set.filters;
        let list = |globs: &Option<Globs>| globs.as_ref().map(Globs::patterns);
        let mut object = json!({
            "name": endpoint.set.name,
            "url": endpoint.set.shown_url(),
            "format": endpoint.set.format.to_string(),
            "content_type": endpoint.set.format.template().map(Template::content_type),
            "sign": endpoint.set.scheme.name(),
            "has_secret": endpoint.set.secret.is_some(),
            "signature": (endpoint.set.scheme == Scheme::Generic).then(|| endpoint.set.signature.json()),
            "old_secrets_end_at": endpoint.old_secrets.iter().map(|old| old.ends.to_string()).collect::<Vec<String>>(),
            "connection": endpoint.set.connection.shown(),
            "types": list(&filters.types),
            "sources": list(&filters.sources),
            "branches": list(&filters.branches),
            "when": filters.when.as_ref().map(Expression::to_string),
            "when_errors": self.when_errors,
            "rate": endpoint.set.rate().map(Rates::to_string),
            "concurrency": endpoint.set.concurrency(),
            "ordered": endpoint.set.is_ordered,
            "only_replays": endpoint.set.gets_only_replays,
            "retry": endpoint.set.retry.to_string(),
            "tries_max": endpoint.set.tries_max(),
            "probe_max": show_span(endpoint.set.probe_max),
            "timeout": show_span(endpoint.set.timeout),
            "window": endpoint.set.window.as_ref().map(Windows::to_string),
            "expire": endpoint.set.expire.map(show_span),
            "expire_offline": endpoint.set.expires_offline,
            "held": endpoint.held.is_some(),
            "held_since": endpoint.held.as_ref().map(|hold| hold.since.to_string()),
            "held_reason": endpoint.held.as_ref().map(|hold| &hold.reason),
            "circuit": if self.outage.is_some() { "open" } else { "closed" },
            "outage": self.outage.as_ref().map(Outage::json),
            "last_delivered_at": self.last_delivered.map(|at| at.to_string()),
            "hours": self.hours.iter().map(Hour::json).collect::<Vec<Value>>(),
            "failing_for": self.failing.map(show_span),
            "paced_until": self.paced_until.map(|at| at.to_string()),
            "warnings": self.warnings,
            "pending": self.pending,
            "delivered": self.delivered,
            "dead": self.dead,
            "superseded": self.superseded,
            "cancelled": self.cancelled,
            "oldest_due_at": self.oldest_due.map(|at| at.to_string()),
        });
        // The macro takes no more fields at once.
        let digest = endpoint.set.format.chat().map(|_| endpoint.set.digest);
        object["digest"] = json!(digest.map(|digest| digest.to_string()));
        object
    }
}
