//! Asks a forge by its API to send again what never arrived: GitHub and GitLab keep a list of what they sent.
//!
//! What is here already is known by the keys. The request that the forge makes comes in as every other, with
//! the bytes and the signature of the first.
//!
//! Sources: GitHub's REST API, "Repository webhook deliveries" (a delivery's `guid` is that of its redeliveries
//! too); GitLab's, "List project webhook events" and "Resend project webhook event" (17.4 and newer, five a
//! minute).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::attempt::Response;
use crate::model::endpoint::EndpointUrl;
use crate::model::header::{Header, first_value};
use crate::model::kind::SourceKind;
use crate::model::source::Source;
use crate::signature::Secret;
use crate::store::Store;
use crate::time::Timestamp;

/// A forge's API, over the network or in a test.
pub trait ForgeApi {
    /// Sends a GET, or a POST without a body.
    ///
    /// # Errors
    /// When there is no reply.
    fn ask(&self, is_post: bool, url: &EndpointUrl, headers: &[Header]) -> Result<Response>;
}

/// What to ask for.
#[derive(Debug, Clone)]
pub struct Redelivery {
    /// The source that the webhooks go to, of kind github or gitlab.
    pub source: String,
    /// The webhook in the API: `https://api.github.com/repos/OWNER/REPO/hooks/ID`, or
    /// `https://HOST/api/v4/projects/ID/hooks/ID`.
    pub hook: EndpointUrl,
    /// What the API is asked with.
    pub token: Secret,
    /// Only what was sent since then.
    pub since: Timestamp,
    /// Whether nothing is to be asked for.
    pub is_dry: bool,
}

/// What was found, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redelivered {
    /// Webhooks that the forge sent in that time.
    pub seen: usize,
    /// Those of them that are here.
    pub had: usize,
    /// Those that it was asked to send again; of a dry run: that it would be.
    pub asked: usize,
    /// Those that were sent so short a time ago that they may be on their way.
    pub waiting: usize,
    /// Those that the forge would not send again now, since it was asked for many.
    pub left: usize,
}

impl Redelivered {
    /// The JSON object of the command line.
    pub fn json(&self, redelivery: &Redelivery) -> Value {
        json!({
            "source": redelivery.source,
            "since": redelivery.since.to_string(),
            "dry_run": redelivery.is_dry,
            "seen": self.seen,
            "had": self.had,
            "asked": self.asked,
            "waiting": self.waiting,
            "left": self.left,
        })
    }
}

/// How long after an attempt the next is asked for: twice as long after each.
const REST: Duration = Duration::from_secs(60);

/// The longest of these waits, as a power of two of the first: some 17 hours.
const REST_DOUBLINGS_MAX: u32 = 10;

/// Most pages of a list that are read: GitHub keeps three days of it, GitLab seven.
const PAGES_MAX: usize = 100;

/// How many keys are looked up in one transaction.
const KEYS_AT_ONCE: usize = 500;

/// A webhook that the forge sent, with all its attempts.
struct Sent {
    /// The keys by which it may be known here; one at least.
    keys: Vec<String>,
    /// The forge's id of the newest attempt.
    id: i64,
    attempts: u32,
    /// When the newest attempt was; `None` where the forge does not say.
    newest: Option<Timestamp>,
}

/// Asks for everything that a forge sent and is not here.
///
/// # Errors
/// [`Error::NotFound`] when there is no such source; [`Error::Misuse`] when its kind has no such API, or the
/// forge refuses the token or the URL; [`Error::Io`] when it cannot be reached; [`Error::Database`] when the
/// keys cannot be read.
pub fn ask_again(
    store: &Store,
    api: &dyn ForgeApi,
    redelivery: &Redelivery,
    now: Timestamp,
) -> Result<Redelivered> {
    let directory = store.fresh_directory()?;
    let source = directory.require_source(&redelivery.source)?;
    let forge = Forge {
        api,
        redelivery,
        source,
    };
    let sent = match source.kind {
        SourceKind::Github => forge.sent_by_github()?,
        SourceKind::Gitlab => forge.sent_by_gitlab()?,
        kind => {
            return Err(Error::misuse(format!(
                "{kind} has no API that sends a webhook again; there are github and gitlab"
            )));
        }
    };
    let mut done = Redelivered {
        seen: sent.len(),
        ..Redelivered::default()
    };
    let keys = sent.iter().flat_map(|one| one.keys.iter().cloned());
    let keys: Vec<String> = keys.collect();
    let mut here = HashSet::new();
    for some in keys.chunks(KEYS_AT_ONCE) {
        let known = store.known_keys(source.id, some.to_vec())?;
        let known = some.iter().zip(known).filter(|(_, is_known)| *is_known);
        here.extend(known.map(|(key, _)| key.as_str()));
    }
    // The oldest first, as they came.
    for one in sent.iter().rev() {
        let rest = REST * (1 << (one.attempts - 1).min(REST_DOUBLINGS_MAX));
        if one.keys.iter().any(|key| here.contains(key.as_str())) {
            done.had += 1;
        } else if one.newest.is_some_and(|newest| now.since(newest) < rest) {
            done.waiting += 1;
        } else if done.left > 0 || !(redelivery.is_dry || forge.send_again(one.id)?) {
            done.left += 1;
        } else {
            done.asked += 1;
        }
    }
    Ok(done)
}

struct Forge<'a> {
    api: &'a dyn ForgeApi,
    redelivery: &'a Redelivery,
    source: &'a Source,
}

impl Forge<'_> {
    fn ask(&self, is_post: bool, url: &str) -> Result<Response> {
        let token = String::from_utf8_lossy(self.redelivery.token.expose());
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = [
            header("Authorization", &format!("Bearer {token}")),
            header("Accept", "application/json"),
            // GitHub refuses requests without one.
            header("User-Agent", concat!("hookbox/", env!("CARGO_PKG_VERSION"))),
        ];
        self.api.ask(is_post, &url.parse()?, &headers)
    }

    /// The URL of the webhook in the API, with something behind it.
    fn url(&self, rest: &str) -> String {
        let hook = self.redelivery.hook.as_text();
        format!("{}/{rest}", hook.trim_end_matches('/'))
    }

    /// Reads a list, page by page, until it ends or `each` says that the rest is older than is asked for.
    fn pages(&self, first: String, mut each: impl FnMut(&Value) -> bool) -> Result<()> {
        let mut next = Some(first);
        for _ in 0..PAGES_MAX {
            let Some(url) = next else {
                break;
            };
            let reply = self.ask(false, &url)?;
            if reply.status != 200 {
                return Err(self.refused(&reply));
            }
            let page: Value = serde_json::from_slice(&reply.body)
                .map_err(|_| Error::misuse(format!("{url} gave no JSON; is it the API's URL?")))?;
            let Some(list) = page.as_array() else {
                return Err(Error::misuse(format!(
                    "{url} gave no list; is it the API's URL?"
                )));
            };
            let mut is_over = list.is_empty();
            for one in list {
                is_over |= !each(one);
            }
            next = next_page(&reply.headers).filter(|next| !is_over && self.is_same_host(next));
        }
        Ok(())
    }

    /// Whether a link leads to the host that was named: the token goes to no other.
    fn is_same_host(&self, url: &str) -> bool {
        let hook = self.redelivery.hook.uri();
        url.parse::<EndpointUrl>().is_ok_and(|other| {
            let other = other.uri();
            other.scheme() == hook.scheme() && other.authority() == hook.authority()
        })
    }

    fn refused(&self, reply: &Response) -> Error {
        let why = match reply.status {
            401 => "the token is wrong, or has expired",
            403 | 404 => "there is no such webhook, or the token may not see it",
            429 => "it was asked too often; try again later",
            _ => "it does not do what it is asked for",
        };
        let host = self.redelivery.hook.uri().host().unwrap_or_default();
        Error::misuse(format!("{host} answered {}: {why}", reply.status))
    }

    fn sent_by_github(&self) -> Result<Vec<Sent>> {
        let hook = self.redelivery.hook.uri().path();
        let hook = hook.trim_end_matches('/').rsplit('/').next();
        let hook = hook.unwrap_or_default();
        self.sent("deliveries?per_page=100", "delivered_at", |one| {
            let guid = one["guid"].as_str()?;
            Some(vec![format!("{guid}/{hook}"), guid.to_owned()])
        })
    }

    fn sent_by_gitlab(&self) -> Result<Vec<Sent>> {
        // Servers before 17.4 send no key of their own, and cannot be asked to send again either.
        self.sent("events?per_page=20", "created_at", |one| {
            let headers = one["request_headers"].as_object()?;
            let key = |wanted: &str| {
                let mut headers = headers.iter();
                let (_, value) = headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
                value.as_str().map(str::to_owned)
            };
            let key = key("webhook-id").or_else(|| key("idempotency-key"));
            key.map(|key| vec![key])
        })
    }

    /// What a list has, in the order of the newest attempts, newest first; `keys` are those by which one may be
    /// known here.
    fn sent(
        &self,
        list: &str,
        time: &str,
        keys: impl Fn(&Value) -> Option<Vec<String>>,
    ) -> Result<Vec<Sent>> {
        let mut sent: Vec<Sent> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        self.pages(self.url(list), |one| {
            let at = one[time].as_str();
            let at = at.and_then(|at| Timestamp::parse(at, Timestamp(0)).ok());
            if at.is_some_and(|at| at < self.redelivery.since) {
                return false;
            }
            let (Some(keys), Some(id)) = (keys(one), one["id"].as_i64()) else {
                return true;
            };
            match places.get(&keys[0]) {
                Some(place) => sent[*place].attempts += 1,
                None => {
                    places.insert(keys[0].clone(), sent.len());
                    sent.push(Sent {
                        keys,
                        id,
                        attempts: 1,
                        newest: at,
                    });
                }
            }
            true
        })?;
        Ok(sent)
    }

    /// Asks for one webhook again; false when the forge was asked for too many.
    fn send_again(&self, id: i64) -> Result<bool> {
        let url = match self.source.kind {
            SourceKind::Github => self.url(&format!("deliveries/{id}/attempts")),
            _ => self.url(&format!("events/{id}/resend")),
        };
        let reply = self.ask(true, &url)?;
        match reply.status {
            200..300 => Ok(true),
            429 => Ok(false),
            // GitLab resends, and says that the receiver refused it.
            422 if self.source.kind == SourceKind::Gitlab => Ok(true),
            _ => Err(self.refused(&reply)),
        }
    }
}

/// The next page of a list (RFC 8288).
fn next_page(headers: &[Header]) -> Option<String> {
    let links = first_value(headers, "link")?;
    links.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters
            .split(';')
            .any(|one| matches!(one.trim(), "rel=\"next\"" | "rel=next"));
        is_next.then(|| target.to_owned())
    })
}
