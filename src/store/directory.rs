//! The sources and endpoints as they are now, held in memory and loaded anew when one changes.
//!
//! It must never be newer or older than the transaction that routes by it: the writer checks its
//! version inside every group.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, named_params};

use super::columns::Millis;
use crate::error::{Error, Result};
use crate::model::endpoint::{Endpoint, Format, Hold, NewEndpoint};
use crate::model::filter::Filters;
use crate::model::id::{EndpointId, SourceId};
use crate::model::source::Source;
use crate::signature::{OldSecret, Secret};

/// Every source and endpoint that is not removed, in the order they were made.
#[derive(Debug, Default)]
pub struct Directory {
    version: i64,
    sources: Vec<Arc<Source>>,
    endpoints: Vec<Arc<Endpoint>>,
}

impl Directory {
    /// Another number when a source or an endpoint is another than before.
    pub(super) fn version(&self) -> i64 {
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

    /// The source of this name.
    pub fn source(&self, name: &str) -> Option<&Arc<Source>> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// The source of this row.
    pub(crate) fn source_by_id(&self, id: SourceId) -> Option<&Arc<Source>> {
        self.sources.iter().find(|source| source.id == id)
    }

    /// The endpoint of this name.
    pub fn endpoint(&self, name: &str) -> Option<&Arc<Endpoint>> {
        self.endpoints.iter().find(|endpoint| endpoint.name == name)
    }

    /// The endpoint of this row.
    pub(crate) fn endpoint_by_id(&self, id: EndpointId) -> Option<&Arc<Endpoint>> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id)
    }
}

/// The directory in the file, if it is another than this one.
pub(super) fn newer(connection: &Connection, held: &Directory) -> Result<Option<Directory>> {
    if current_version(connection)? == held.version {
        Ok(None)
    } else {
        load(connection).map(Some)
    }
}

fn current_version(connection: &Connection) -> Result<i64> {
    let version = connection
        .prepare_cached("select config_version from hookbox_meta where id = 1")?
        .query_row([], |row| row.get(0))?;
    Ok(version)
}

/// Loads the whole directory; there are tens of sources and endpoints, not thousands.
pub(super) fn load(connection: &Connection) -> Result<Directory> {
    // The version is read first: a change in between makes the next check load again.
    let version = current_version(connection)?;
    let sources = connection
        .prepare_cached(
            "select id, name, kind, secret, tolerance_ms, path_token, on_repeat, generic
             from hookbox_source
             where removed_ms is null
             order by id",
        )?
        .query_map([], read_source)?
        .collect::<rusqlite::Result<Vec<Source>>>()?;
    let mut complete = Vec::with_capacity(sources.len());
    for mut source in sources {
        source.old_secrets = old_secrets(connection, "source", source.id.0)?;
        complete.push(Arc::new(source));
    }
    let sources = complete;
    let endpoints = connection
        .prepare_cached(
            "select id, name, url, format, template, sign, secret, signature, connection, types, sources, branches, when_true,
                    timeout_ms, concurrency, rate, retry, tries, expire_ms, expire_offline, probe_max_ms, window, ordered, only_replays, nudges,
                    held_ms, held_reason
             from hookbox_endpoint
             where removed_ms is null
             order by id",
        )?
        .query_map([], read_endpoint)?
        .collect::<rusqlite::Result<Vec<Endpoint>>>()?;
    let mut complete = Vec::with_capacity(endpoints.len());
    for mut endpoint in endpoints {
        endpoint.old_secrets = old_secrets(connection, "endpoint", endpoint.id.0)?;
        complete.push(Arc::new(endpoint));
    }
    let endpoints = complete;
    Ok(Directory {
        version,
        sources,
        endpoints,
    })
}

fn read_source(row: &Row<'_>) -> rusqlite::Result<Source> {
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

/// The replaced secrets of a source or endpoint, newest first.
fn old_secrets(connection: &Connection, of: &str, owner: i64) -> Result<Vec<OldSecret>> {
    let mut rows = connection.prepare_cached(
        "select secret, ends_ms
         from hookbox_old_secret
         where of = :of and owner_id = :owner
         order by id desc",
    )?;
    let mut rows = rows.query(named_params! { ":of": of, ":owner": owner })?;
    let mut old = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(secret) = read_secret(row, "secret")? {
            let ends = row.get("ends_ms")?;
            old.push(OldSecret { secret, ends });
        }
    }
    Ok(old)
}

fn read_endpoint(row: &Row<'_>) -> rusqlite::Result<Endpoint> {
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
        timeout: row.get::<_, Millis>("timeout_ms")?.0,
        concurrency: row.get("concurrency")?,
        rate: row.get("rate")?,
        retry: row.get("retry")?,
        tries: row.get("tries")?,
        expire: row
            .get::<_, Option<Millis>>("expire_ms")?
            .map(|span| span.0),
        expires_offline: row.get("expire_offline")?,
        probe_max: row.get::<_, Millis>("probe_max_ms")?.0,
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
        nudges: row.get("nudges")?,
    })
}

fn read_format(row: &Row<'_>) -> rusqlite::Result<Format> {
    let name: String = row.get("format")?;
    Format::of_name(&name, row.get("template")?).ok_or_else(|| {
        let error = Error::misuse(format!("no format named {name}")).into();
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error)
    })
}

/// A secret, or none; the table's check keeps empty ones out.
fn read_secret(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Secret>> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    Ok(bytes.and_then(|bytes| Secret::new(bytes).ok()))
}
