//! Adds, changes and removes endpoints.

use std::time::Duration;

use super::secrets::{Owner, forget_all, keep};
use crate::error::{Error, Result};
use crate::model::activity::Facts;
use crate::model::delivery::State;
use crate::model::endpoint::{Endpoint, MADE_FOR_REPLAYS, NewEndpoint};
use crate::model::event::NewEvent;
use crate::model::filter::{Filters, Globs};
use crate::model::id::{DeliveryId, EndpointId};
use crate::model::replay::Target;
use crate::signature::Secret;
use crate::store::drain::endpoint_state::forget_failing;
use crate::store::drain::hold::allow_request;
use crate::store::engine::Store;
use crate::store::engine::columns::Millis;
use crate::store::engine::conn::params;
use crate::store::engine::directory::no_endpoint;
use crate::store::engine::job::Tx;
use crate::store::engine::packed::pack;
use crate::store::intake::accept::{NewDelivery, add_delivery, insert_event};
use crate::time::Timestamp;

/// The type of test events.
const TEST_TYPE: &str = "hookbox.test";

/// Maximum deliveries cancelled in one transaction, so that nobody waits long for the writer.
const CANCEL_BATCH: i64 = 1_000;

impl Store {
    /// Adds an endpoint: it gets the events accepted from now on. If the name was removed before, the old
    /// endpoint is used again: its old deliveries can be replayed to the new URL.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a value is out of its limits, the template fails on the newest event, or the
    /// name is taken. Nothing is changed then.
    pub fn add_endpoint(&self, endpoint: NewEndpoint, now: Timestamp) -> Result<EndpointId> {
        endpoint.check()?;
        endpoint.check_ahead(now)?;
        self.check_template(&endpoint, None)?;
        self.write(move |tx| add_endpoint(tx, &endpoint, now))
    }

    /// Adds an endpoint with the settings and the secrets of another one, and then a change of it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such endpoint; the error of `change`; those of
    /// [`Store::add_endpoint`].
    pub fn copy_endpoint(
        &self,
        from: &str,
        name: &str,
        change: impl Fn(&mut NewEndpoint) -> Result<()>,
        now: Timestamp,
    ) -> Result<EndpointId> {
        let directory = self.fresh_directory()?;
        let mut copy = directory.require_endpoint(from)?.set.clone();
        name.clone_into(&mut copy.name);
        change(&mut copy)?;
        self.add_endpoint(copy, now)
    }

    /// Changes an endpoint. Pending deliveries use the new settings too.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such endpoint; the error of `change`, which may be caused by
    /// another change in between; [`Error::Misuse`] when a value is out of its limits, or a new template
    /// fails on the newest event. Nothing is changed then.
    pub fn set_endpoint(
        &self,
        name: &str,
        change: impl Fn(&mut NewEndpoint) -> Result<()> + Send + 'static,
        now: Timestamp,
    ) -> Result<()> {
        let name = name.to_owned();
        if let Some(held) = self.fresh_directory()?.endpoint(&name) {
            let mut changed = held.set.clone();
            change(&mut changed)?;
            self.check_template(&changed, Some(&held.set))?;
        }
        self.write(move |tx| {
            let held = tx.directory.require_endpoint(&name)?.clone();
            let mut endpoint = held.set.clone();
            change(&mut endpoint)?;
            change_endpoint(tx, &held, &endpoint, now)
        })
    }

    /// Gives an endpoint a new secret.
    ///
    /// For the time `overlap` requests are signed with the old secret as well, if the scheme allows several
    /// signatures; otherwise only with the new one from now on.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such endpoint; [`Error::Misuse`] when it signs nothing, or the
    /// secret does not fit its scheme or is the one that it has.
    pub fn rotate_endpoint_secret(
        &self,
        name: &str,
        secret: Secret,
        overlap: Duration,
        now: Timestamp,
    ) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| {
            let held = tx.directory.require_endpoint(&name)?.clone();
            let mut endpoint = held.set.clone();
            let old = endpoint.secret.replace(secret.clone());
            endpoint.check()?;
            keep(tx, owner(held.id), old.as_ref(), &secret, overlap, now)?;
            save(tx, &endpoint, now).map(|_| ())
        })
    }

    /// Sends a test event to one endpoint only, whatever its filters are; returns the delivery.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such endpoint.
    pub fn test_endpoint(&self, name: &str, now: Timestamp) -> Result<DeliveryId> {
        let name = name.to_owned();
        let body = serde_json::json!({
            "message": "This is a test that a person asked for. Nothing has happened.",
            "endpoint": name,
            "sent_at": now.to_string(),
        });
        let event = NewEvent {
            content_type: Some("application/json".to_owned()),
            ..NewEvent::new(TEST_TYPE, Vec::new())
        };
        let body = body.to_string().into_bytes();
        let facts = Facts {
            summary: Some(format!("a test of {name}")),
            ..Facts::read(None, TEST_TYPE, Some("application/json"), &[], &body)
        };
        self.write(move |tx| {
            let endpoint = tx.directory.require_endpoint(&name)?.id;
            // Whoever tests an endpoint that was mended just now wants its answer.
            allow_request(tx, endpoint)?;
            let event = insert_event(tx, &event, &pack(body.clone()), &facts, now)?;
            add_delivery(tx, &NewDelivery::new(event, endpoint), now)
        })
    }

    /// Removes an endpoint. Its deliveries can still be looked at. Pending ones are cancelled, with the
    /// reason, if `cancel_pending` allows it. Returns how many were cancelled.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such endpoint; [`Error::Misuse`] when deliveries are pending
    /// and may not be cancelled.
    pub fn remove_endpoint(&self, name: &str, cancel_pending: bool, now: Timestamp) -> Result<i64> {
        let mut cancelled = 0;
        loop {
            let name = name.to_owned();
            let (batch, done) =
                self.write(move |tx| remove_endpoint_batch(tx, &name, cancel_pending, now))?;
            cancelled += batch;
            if done {
                return Ok(cancelled);
            }
        }
    }
}

/// Adds an endpoint, or uses the removed one of its name again.
pub(crate) fn add_endpoint(
    tx: &mut Tx<'_>,
    endpoint: &NewEndpoint,
    now: Timestamp,
) -> Result<EndpointId> {
    if tx.directory.endpoint(&endpoint.name).is_some() {
        return Err(Error::misuse(format!(
            "there is an endpoint named {} already; choose another name, or change that one",
            endpoint.name
        )));
    }
    check_sources(tx, endpoint.filters.sources.as_ref())?;
    let id = save(tx, endpoint, now)?;
    // The replaced secrets of the removed endpoint.
    forget_all(tx, owner(id))?;
    forget_failing(tx, id)?;
    Ok(id)
}

/// Changes an endpoint.
pub(crate) fn change_endpoint(
    tx: &mut Tx<'_>,
    held: &Endpoint,
    endpoint: &NewEndpoint,
    now: Timestamp,
) -> Result<()> {
    endpoint.check()?;
    if endpoint.window != held.set.window || endpoint.retry != held.set.retry {
        endpoint.check_ahead(now)?;
    }
    let sources = |filters: &Filters| filters.sources.as_ref().map(Globs::to_string);
    // A source may have been removed in the meantime; that is no error of this change, so only new
    // names are checked.
    if sources(&endpoint.filters) != sources(&held.set.filters) {
        check_sources(tx, endpoint.filters.sources.as_ref())?;
    }
    save(tx, endpoint, now)?;
    if endpoint.url != held.set.url {
        forget_failing(tx, held.id)?;
    }
    if endpoint.secret != held.set.secret || endpoint.scheme != held.set.scheme {
        forget_all(tx, owner(held.id))?;
    }
    Ok(())
}

/// The endpoint that a replay goes to; one is created for a URL that has none.
pub(crate) fn endpoint_for(tx: &mut Tx<'_>, target: &Target, now: Timestamp) -> Result<EndpointId> {
    let url = match (tx.directory.resolve_target(target)?, target) {
        (Some(endpoint), _) => return Ok(endpoint.id),
        (None, Target::Endpoint(name)) => return Err(no_endpoint(name)),
        (None, Target::Url(url)) => url,
    };
    let host = url.uri().host().unwrap_or_default();
    let host: String = host
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    // A name that was ever used has its own history, so a new name is needed.
    let mut number = 1;
    let name = loop {
        let name = format!("{MADE_FOR_REPLAYS}{host}-{number}");
        if !was_used(tx, &name)? {
            break name;
        }
        number += 1;
    };
    let mut endpoint = NewEndpoint::new(name, url.clone());
    endpoint.gets_only_replays = true;
    endpoint.check()?;
    save(tx, &endpoint, now)
}

fn was_used(tx: &Tx<'_>, name: &str) -> Result<bool> {
    tx.conn.one(
        "select exists (select 1 from hookbox_endpoint where name = :name)",
        params! { ":name": name },
        |row| row.get(0),
    )
}

fn owner(id: EndpointId) -> Owner {
    Owner {
        of: "endpoint",
        id: id.0,
    }
}

/// Writes an endpoint: a new row, or the existing row of its name.
fn save(tx: &mut Tx<'_>, endpoint: &NewEndpoint, now: Timestamp) -> Result<EndpointId> {
    let filters = &endpoint.filters;
    let text = |globs: &Option<Globs>| globs.as_ref().map(Globs::to_string);
    let id = tx.conn.one(
        "insert into hookbox_endpoint as p (
             name, url, format, template, sign, secret, signature, connection, types, sources, branches, when_true,
             timeout_ms, concurrency, rate, retry, tries, expire_ms, expire_offline, probe_max_ms, digest_ms, \"window\", ordered, only_replays, created_ms
         ) values (
             :name, :url, :format, :template, :sign, :secret, :signature, :connection, :types, :sources, :branches, :when,
             :timeout, :concurrency, :rate, :retry, :tries, :expire, :expire_offline, :probe_max, :digest, :window, :ordered, :only_replays, :now
         )
         on conflict (name) do update set
             url = :url, format = :format, template = :template, sign = :sign, secret = :secret,
             signature = :signature, connection = :connection,
             types = :types, sources = :sources, branches = :branches, when_true = :when,
             timeout_ms = :timeout, concurrency = :concurrency, rate = :rate,
             retry = :retry, tries = :tries, expire_ms = :expire, expire_offline = :expire_offline,
             probe_max_ms = :probe_max, digest_ms = :digest, \"window\" = :window, ordered = :ordered, only_replays = :only_replays,
             held_ms = case when p.removed_ms is null then p.held_ms end,
             held_reason = case when p.removed_ms is null then p.held_reason end,
             removed_ms = null
         returning id",
        params! {
                ":name": endpoint.name,
                ":url": endpoint.url.as_text(),
                ":format": endpoint.format.name(),
                ":template": endpoint.format.template(),
                ":sign": endpoint.scheme,
                ":secret": endpoint.secret.as_ref().map(|secret| secret.expose()),
                ":signature": endpoint.signature,
                ":connection": endpoint.connection,
                ":types": text(&filters.types),
                ":sources": text(&filters.sources),
                ":branches": text(&filters.branches),
                ":when": filters.when.as_ref().map(ToString::to_string),
                ":timeout": Millis(endpoint.timeout),
                ":concurrency": endpoint.concurrency,
                ":rate": endpoint.rate.as_ref().map(ToString::to_string),
                ":retry": endpoint.retry.to_string(),
                ":tries": endpoint.tries,
                ":expire": endpoint.expire.map(Millis),
                ":expire_offline": endpoint.expires_offline,
                ":probe_max": Millis(endpoint.probe_max),
                ":digest": endpoint.digest.to_store().map(Millis),
                ":window": endpoint.window.as_ref().map(ToString::to_string),
                ":ordered": endpoint.is_ordered,
                ":only_replays": endpoint.gets_only_replays,
                ":now": now,
            },
        |row| row.get(0),
    )?;
    tx.tally.configured();
    Ok(id)
}

/// A source that does not exist is a typing error. The filter would then match no event at all.
pub(crate) fn check_sources(tx: &Tx<'_>, sources: Option<&Globs>) -> Result<()> {
    let Some(sources) = sources else {
        return Ok(());
    };
    let held = tx.directory.sources();
    match sources.first_idle(held.iter().map(|source| source.name.as_str())) {
        None => Ok(()),
        Some(pattern) => Err(Error::misuse(format!(
            "no source matches `{pattern}` of --sources; `hookbox source list` shows what there is"
        ))),
    }
}

/// Cancels one batch; when none is left, removes the endpoint in the same transaction.
pub(crate) fn remove_endpoint_batch(
    tx: &mut Tx<'_>,
    name: &str,
    cancel_pending: bool,
    now: Timestamp,
) -> Result<(i64, bool)> {
    let endpoint = tx.directory.require_endpoint(name)?.clone();
    refuse_if_told(tx, endpoint.id, name)?;
    let pending: Option<i64> = tx.conn.maybe("select id from hookbox_delivery where endpoint_id = :endpoint and state = 'pending' limit 1", params! { ":endpoint": endpoint.id }, |row| row.get(0))?;
    if pending.is_some() && !cancel_pending {
        return Err(Error::misuse(format!(
            "endpoint {name} has deliveries pending; to cancel them and remove it, add --cancel-pending"
        )));
    }
    let batch = tx.conn.run(
        "update hookbox_delivery
         set state = 'cancelled', due_ms = null, settled_ms = :now, reason = 'the endpoint was removed'
         where state = 'pending' and id in (
             select id from hookbox_delivery
             where endpoint_id = :endpoint and state = 'pending'
             limit :limit
         )",
        params! { ":now": now, ":endpoint": endpoint.id, ":limit": CANCEL_BATCH },
    )?;
    let batch = i64::try_from(batch).unwrap_or(CANCEL_BATCH);
    if batch > 0 {
        tx.tally
            .deliveries_moved(endpoint.id, State::Pending, State::Cancelled, batch);
    }
    if batch == CANCEL_BATCH {
        return Ok((batch, false));
    }
    // No delivery waits for the outage to end any more.
    tx.conn.run(
        "update hookbox_outage set ended_ms = :now where endpoint_id = :id and ended_ms is null",
        params! { ":now": now, ":id": endpoint.id },
    )?;
    tx.conn.change_one(
        "update hookbox_endpoint set removed_ms = :now where id = :id and removed_ms is null",
        params! { ":now": now, ":id": endpoint.id },
    )?;
    tx.tally.configured();
    Ok((batch, true))
}

/// Refuses to remove an endpoint that alerts are sent to.
fn refuse_if_told(tx: &Tx<'_>, endpoint: EndpointId, name: &str) -> Result<()> {
    let alert: Option<String> = tx.conn.maybe(
        "select name from hookbox_alert where endpoint_id = :endpoint order by name limit 1",
        params! { ":endpoint": endpoint },
        |row| row.get(0),
    )?;
    match alert {
        None => Ok(()),
        Some(alert) => Err(Error::misuse(format!(
            "endpoint {name} gets the messages of alert {alert}; remove that first (`hookbox alert remove {alert}`), or send them elsewhere"
        ))),
    }
}
