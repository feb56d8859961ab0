//! Takes in what a forge sent and hookbox never got: a Gogs tries a webhook once, and keeps what it tried.
//!
//! Which webhooks are here already is asked of the keys, by the delivery id that a forge makes once for each
//! of them: a row that says "failed" may have arrived, and one that says "delivered" may not. A row is taken in
//! as if its request had come now: verified by the source's secret, of which one that was replaced meanwhile
//! counts as it did then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hyper::http::Uri;
use serde_json::{Value, json};

use super::provider::{Received, event_of, verify};
use crate::error::{Error, Result};
use crate::model::header::{Header, first_value};
use crate::model::kind::SourceKind;
use crate::model::source::Source;
use crate::store::{Forge, HookRequest, HookTask, Store};
use crate::time::Timestamp;

/// How far before the newest event that is here it looks, where nobody says since when.
const LOOK_BACK: Duration = Duration::from_secs(86_400);

/// What to take in.
#[derive(Debug, Clone)]
pub struct Import {
    /// The source that its events belong to.
    pub source: String,
    /// Only what was tried since then.
    pub since: Timestamp,
    /// Only of webhooks whose URL begins so; needed where there are several addresses.
    pub url: Option<String>,
    /// Whether nothing is to be written.
    pub is_dry: bool,
}

/// What was found, and what became of it.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// Webhooks to this source that were tried in that time.
    pub seen: usize,
    /// Those of them that were here already.
    pub had: usize,
    /// Those that were taken in; of a dry run: that would be.
    pub taken: usize,
    /// Those that the forge has not tried yet, and sends by itself.
    pub queued: usize,
    /// Those that could not be taken in: the delivery id, and why.
    pub refused: Vec<(String, String)>,
}

impl Imported {
    /// The JSON object of the command line.
    pub fn json(&self, import: &Import) -> Value {
        let refused = self.refused.iter();
        let refused = refused.map(|(uuid, why)| json!({ "uuid": uuid, "why": why }));
        json!({
            "source": import.source,
            "since": import.since.to_string(),
            "dry_run": import.is_dry,
            "seen": self.seen,
            "had": self.had,
            "taken": self.taken,
            "queued": self.queued,
            "refused": refused.collect::<Vec<Value>>(),
        })
    }
}

/// Finds the one source of a kind, or the one of this name.
///
/// # Errors
/// [`Error::Misuse`] when the kind is that of no forge, or there are none or several and no name is given;
/// [`Error::NotFound`] when there is none of this name.
pub fn source_of(store: &Store, kind: SourceKind, name: Option<&str>) -> Result<String> {
    if !matches!(
        kind,
        SourceKind::Gogs
            | SourceKind::Gitea
            | SourceKind::Forgejo
            | SourceKind::Github
            | SourceKind::Gitlab
    ) {
        return Err(Error::misuse(format!(
            "{kind} keeps nothing that is read here; there are gogs, gitea and forgejo (their database), github and gitlab (their API)"
        )));
    }
    let directory = store.fresh_directory()?;
    if let Some(name) = name {
        let source = directory.require_source(name)?;
        return match source.kind == kind {
            true => Ok(source.name.clone()),
            false => Err(Error::misuse(format!(
                "source {name} is of kind {}, not {kind}",
                source.kind
            ))),
        };
    }
    let of_kind = directory.sources().iter().filter(|one| one.kind == kind);
    let names: Vec<&str> = of_kind.map(|one| one.name.as_str()).collect();
    match names.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Error::misuse(format!(
            "no source is of kind {kind}; add it first: hookbox source add {kind} --kind {kind} --secret -"
        ))),
        several => Err(Error::misuse(format!(
            "several sources are of kind {kind}; say which with --source: {}",
            several.join(", ")
        ))),
    }
}

/// Since when to look where nobody says so: a day before the newest event of the source, which is before
/// everything that was sent while hookbox was away. What may have been here and was removed, since `kept` is how
/// long events are kept, must not come again: so much of that day is left out.
///
/// # Errors
/// [`Error::NotFound`] when there is no such source; [`Error::Database`] when it cannot be read.
pub fn usual_since(
    store: &Store,
    source: &str,
    kept: Option<Duration>,
    now: Timestamp,
) -> Result<Timestamp> {
    let newest = store.source_report(source)?.last_event;
    let newest = newest.unwrap_or(now).min(now);
    let day_before = newest.minus(LOOK_BACK);
    let still_here = kept.map_or(day_before, |kept| now.minus(kept));
    Ok(newest.min(day_before.max(still_here)))
}

/// Takes in what a forge tried and is not here.
///
/// # Errors
/// [`Error::NotFound`] when there is no such source; [`Error::Misuse`] when webhooks go to several addresses and
/// none is named; [`Error::Database`] when the forge's database cannot be read, or this one not be written.
/// What was taken in until then stays, and is not taken in again.
pub fn import(store: &Store, forge: &Forge, import: &Import, now: Timestamp) -> Result<Imported> {
    let directory = store.fresh_directory()?;
    let source = directory.require_source(&import.source)?.clone();
    let (missing, mut imported) = missing(store, forge, import, &source)?;
    // In the order in which the forge made them.
    for task in missing.into_iter().rev() {
        let Some(request) = forge.request(task.id)? else {
            continue;
        };
        match take_in(store, &source, &task, request, import.is_dry, now) {
            Ok(()) => imported.taken += 1,
            Err(error @ (Error::Misuse(_) | Error::Refused(_))) => {
                imported.refused.push((task.uuid, error.chain()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(imported)
}

/// The webhooks that are not here, newest first, and the counts.
fn missing(
    store: &Store,
    forge: &Forge,
    import: &Import,
    source: &Arc<Source>,
) -> Result<(Vec<HookTask>, Imported)> {
    let mut imported = Imported::default();
    let mut missing = Vec::new();
    let mut addresses = BTreeSet::new();
    let mut before = i64::MAX;
    loop {
        let tasks = forge.tasks_before(before)?;
        let Some(last) = tasks.last() else {
            break;
        };
        before = last.id;
        let is_old = |task: &HookTask| task.tried.is_some_and(|at| at < import.since);
        // A webhook that was sent again by hand has an old row and a new time.
        let is_over = tasks.iter().all(is_old);
        let mut tried = Vec::new();
        for task in tasks {
            let Some(address) = address_of(&task.url, source) else {
                continue;
            };
            let is_meant = import
                .url
                .as_ref()
                .is_none_or(|url| task.url.starts_with(url));
            if is_old(&task) || !is_meant {
                continue;
            }
            addresses.insert(address);
            match task.tried {
                None => imported.queued += 1,
                Some(_) => tried.push(task),
            }
        }
        imported.seen += tried.len();
        let keys = tried.iter().map(|task| task.uuid.clone()).collect();
        let known = store.known_keys(source.id, keys)?;
        for (task, is_known) in tried.into_iter().zip(known) {
            match is_known {
                true => imported.had += 1,
                false => missing.push(task),
            }
        }
        if is_over {
            break;
        }
    }
    if addresses.len() > 1 {
        let all = addresses.into_iter().collect::<Vec<String>>().join(", ");
        return Err(Error::misuse(format!(
            "its webhooks for source {} go to several addresses, of which one is this box: {all}; name it with --url",
            source.name
        )));
    }
    Ok((missing, imported))
}

/// The scheme and host of a URL that leads to this source.
fn address_of(url: &str, source: &Source) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let rest = uri.path().strip_prefix("/in/")?;
    let name = rest.split('/').next()?;
    let address = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
    (name == source.name).then_some(address)
}

fn take_in(
    store: &Store,
    source: &Source,
    task: &HookTask,
    request: HookRequest,
    is_dry: bool,
    now: Timestamp,
) -> Result<()> {
    let tried = task.tried.unwrap_or(now);
    let (mut headers, body) = as_sent(source.kind, task, request, tried);
    let received = Received {
        headers: &headers,
        body: &body,
    };
    verify(source, &received, tried).map_err(|why| Error::Refused(why.to_string()))?;
    let event = event_of(source, &mut headers, body)?;
    if event.key.as_deref() != Some(task.uuid.as_str()) {
        return Err(Error::misuse(
            "its request had another delivery id than its row",
        ));
    }
    match is_dry {
        true => Ok(()),
        false => store.accept(event, now).map(drop),
    }
}

/// The headers and the body of the request. What the forge did not keep of the headers, it keeps in columns.
/// `Date` says when it was tried (RFC 9110, section 6.6.1).
fn as_sent(
    kind: SourceKind,
    task: &HookTask,
    request: HookRequest,
    tried: Timestamp,
) -> (Vec<Header>, Vec<u8>) {
    let prefix = match kind {
        SourceKind::Gitea => "X-Gitea",
        SourceKind::Forgejo => "X-Forgejo",
        _ => "X-Gogs",
    };
    let content_type = match request.is_form {
        true => "application/x-www-form-urlencoded",
        false => "application/json",
    };
    let mut headers = request.headers;
    let mut needs = |name: String, value: Option<String>| {
        if let Some(value) = value
            && first_value(&headers, &name).is_none()
        {
            headers.push((name, value));
        }
    };
    needs("Content-Type".to_owned(), Some(content_type.to_owned()));
    needs(format!("{prefix}-Event"), Some(request.event_type));
    needs(format!("{prefix}-Delivery"), Some(task.uuid.clone()));
    needs(format!("{prefix}-Signature"), request.signature);
    needs("Date".to_owned(), Some(tried.to_http_date()));
    (headers, request.body)
}
