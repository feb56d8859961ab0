//! The current sources and endpoints, held in memory and loaded again when one changes.
//!
//! The directory must have exactly the version that the transaction sees which routes by it: the
//! writer checks the version in every group.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::model::connection::Connection as Settings;
use crate::model::digest::Digest;
use crate::model::endpoint::{Endpoint, Format, Hold, NewEndpoint};
use crate::model::filter::Filters;
use crate::model::id::{EndpointId, SourceId};
use crate::model::replay::Target;
use crate::model::source::Source;
use crate::signature::{OldSecret, Scheme, Secret};
use crate::store::engine::columns::Millis;
use crate::store::engine::conn::{Conn, Row, params, unreadable};

/// Every source and endpoint that is not removed, in the order in which they were created.
#[derive(Debug, Default)]
pub struct Directory {
    version: i64,
    sources: Vec<Arc<Source>>,
    endpoints: Vec<Arc<Endpoint>>,
}

impl Directory {
    /// The configuration's version: it changes whenever a source or an endpoint changes.
    pub(crate) fn version(&self) -> i64 {
        self.version
    }

    /// The sources, oldest first.
    pub fn sources(&self) -> &[Arc<Source>] {
        &self.sources
    }

    /// The endpoints, oldest first.
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// The source with this name.
    pub fn source(&self, name: &str) -> Option<&Arc<Source>> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// The source with this row id.
    pub(crate) fn source_by_id(&self, id: SourceId) -> Option<&Arc<Source>> {
        self.sources.iter().find(|source| source.id == id)
    }

    /// The endpoint with this name.
    pub fn endpoint(&self, name: &str) -> Option<&Arc<Endpoint>> {
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.set.name == name)
    }

    /// The source with this name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub(crate) fn require_source(&self, name: &str) -> Result<&Arc<Source>> {
        self.source(name).ok_or_else(|| no_source(name))
    }

    /// The endpoint with this name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub(crate) fn require_endpoint(&self, name: &str) -> Result<&Arc<Endpoint>> {
        self.endpoint(name).ok_or_else(|| no_endpoint(name))
    }

    /// The endpoint that a replay goes to, if it exists.
    ///
    /// It is found by its name. For an address it is an endpoint at this address that has only
    /// default settings, is not held, and receives only replays.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no endpoint with the name.
    pub(crate) fn resolve_target(&self, target: &Target) -> Result<Option<&Arc<Endpoint>>> {
        match target {
            Target::Endpoint(name) => self.require_endpoint(name).map(Some),
            Target::Url(url) => Ok(self.endpoints.iter().find(|endpoint| {
                endpoint.set.gets_only_replays
                    && endpoint.set.url == *url
                    && endpoint.held.is_none()
                    && endpoint.set.scheme == Scheme::None
                    && endpoint.set.format.name() == Format::Raw.name()
                    && endpoint.set.connection == Settings::default()
            })),
        }
    }

    /// The endpoint with this row id.
    pub(crate) fn endpoint_by_id(&self, id: EndpointId) -> Option<&Arc<Endpoint>> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id)
    }
}

/// The error for a source that does not exist.
pub(crate) fn no_source(name: &str) -> Error {
    Error::not_found(format!(
        "no source named {name}; `hookbox source list` shows what there is"
    ))
}

/// The error for an endpoint that does not exist.
pub(crate) fn no_endpoint(name: &str) -> Error {
    Error::not_found(format!(
        "no endpoint named {name}; `hookbox endpoint list` shows what there is"
    ))
}

/// Loads the directory from the file, if its version differs from the one in memory.
pub(crate) fn newer(conn: Conn<'_>, held: &Directory) -> Result<Option<Directory>> {
    if current_version(conn)? == held.version {
        Ok(None)
    } else {
        load(conn).map(Some)
    }
}

fn current_version(conn: Conn<'_>) -> Result<i64> {
    conn.one(
        "select config_version from hookbox_meta where id = 1",
        &[],
        |row| row.get(0),
    )
}

/// Loads the whole directory. There are tens of sources and endpoints, not thousands.
pub(crate) fn load(conn: Conn<'_>) -> Result<Directory> {
    // The version is read first: if a change comes in between, the next check loads the directory
    // again.
    let version = current_version(conn)?;
    let sources = conn.all::<Source>(
        "select id, name, kind, secret, tolerance_ms, path_token, on_repeat, generic
         from hookbox_source
         where removed_ms is null
         order by id",
        &[],
        read_source,
    )?;
    let mut complete = Vec::with_capacity(sources.len());
    for mut source in sources {
        source.old_secrets = old_secrets(conn, "source", source.id.0)?;
        complete.push(Arc::new(source));
    }
    let sources = complete;
    let endpoints = conn.all::<Endpoint>(
        "select id, name, url, format, template, sign, secret, signature, connection, types, sources, branches, when_true,
                timeout_ms, concurrency, rate, retry, tries, expire_ms, expire_offline, probe_max_ms, digest_ms, \"window\", ordered, only_replays, manual_retry_seq,
                held_ms, held_reason
         from hookbox_endpoint
         where removed_ms is null
         order by id",
        &[],
        read_endpoint,
    )?;
    let mut complete = Vec::with_capacity(endpoints.len());
    for mut endpoint in endpoints {
        endpoint.old_secrets = old_secrets(conn, "endpoint", endpoint.id.0)?;
        complete.push(Arc::new(endpoint));
    }
    let endpoints = complete;
    Ok(Directory {
        version,
        sources,
        endpoints,
    })
}

fn read_source(row: &Row<'_>) -> Result<Source> {
    Ok(Source {
        id: row.get("id")?,
        name: row.get("name")?,
        kind: row.get("kind")?,
        secret: read_secret(row, "secret")?,
        old_secrets: Vec::new(),
        tolerance: row.get("tolerance_ms")?,
        path_token: read_secret(row, "path_token")?,
        on_repeat: row.get("on_repeat")?,
        generic: row.get("generic")?,
    })
}

/// The replaced secrets of a source or an endpoint, newest first.
fn old_secrets(conn: Conn<'_>, of: &str, owner: i64) -> Result<Vec<OldSecret>> {
    let old = conn.all(
        "select secret, ends_ms
         from hookbox_old_secret
         where of = :of and owner_id = :owner
         order by id desc",
        params! { ":of": of, ":owner": owner },
        |row| {
            let ends = row.get("ends_ms")?;
            let secret = read_secret(row, "secret")?;
            Ok(secret.map(|secret| OldSecret { secret, ends }))
        },
    )?;
    Ok(old.into_iter().flatten().collect())
}

fn read_endpoint(row: &Row<'_>) -> Result<Endpoint> {
    let set = NewEndpoint {
        name: row.get("name")?,
        url: row.get("url")?,
        format: read_format(row)?,
        scheme: row.get("sign")?,
        secret: read_secret(row, "secret")?,
        signature: row.get("signature")?,
        connection: row.get("connection")?,
        filters: Filters {
            types: row.get("types")?,
            sources: row.get("sources")?,
            branches: row.get("branches")?,
            when: row.get("when_true")?,
        },
        timeout: row.get::<Millis>("timeout_ms")?.0,
        concurrency: row.get("concurrency")?,
        rate: row.get("rate")?,
        retry: row.get("retry")?,
        tries: row.get("tries")?,
        expire: row.get::<Option<Millis>>("expire_ms")?.map(|span| span.0),
        expires_offline: row.get("expire_offline")?,
        probe_max: row.get::<Millis>("probe_max_ms")?.0,
        digest: Digest::stored(row.get::<Option<Millis>>("digest_ms")?.map(|span| span.0)),
        window: row.get("window")?,
        is_ordered: row.get("ordered")?,
        gets_only_replays: row.get("only_replays")?,
    };
    let held = match row.get("held_ms")? {
        Some(since) => Some(Hold {
            since,
            reason: row.get("held_reason")?,
        }),
        None => None,
    };
    Ok(Endpoint {
        id: row.get("id")?,
        set,
        old_secrets: Vec::new(),
        held,
        manual_retry_seq: row.get("manual_retry_seq")?,
    })
}

fn read_format(row: &Row<'_>) -> Result<Format> {
    let name: String = row.get("format")?;
    Format::of_name(&name, row.get("template")?)
        .ok_or_else(|| unreadable("format", format!("no format named {name}").into()))
}

/// A secret, or none. The table's check rejects empty secrets.
fn read_secret(row: &Row<'_>, column: &str) -> Result<Option<Secret>> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    Ok(bytes.and_then(|bytes| Secret::new(bytes).ok()))
}
