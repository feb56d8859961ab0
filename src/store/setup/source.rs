//! Adds, changes and removes sources.

use std::time::Duration;

use super::secrets::{Owner, forget_all, keep};
use crate::error::{Error, Result};
use crate::model::id::SourceId;
use crate::model::source::{NewSource, Source};
use crate::signature::Secret;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::job::Tx;
use crate::time::Timestamp;

impl Store {
    /// Adds a source. If the name was removed before, the old source is used again, with its events and
    /// keys.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the name is not valid or is taken. Nothing is changed then.
    pub fn add_source(&self, source: NewSource, now: Timestamp) -> Result<SourceId> {
        source.check()?;
        self.write(move |tx| add_source(tx, &source, now))
    }

    /// Changes a source, from the next request on. A secret that is changed this way is invalid at once;
    /// see [`Store::rotate_source_secret`].
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such source; the error of `change`; [`Error::Misuse`] when the
    /// values do not fit together. Nothing is changed then.
    pub fn set_source(
        &self,
        name: &str,
        change: impl Fn(&mut NewSource) -> Result<()> + Send + 'static,
        now: Timestamp,
    ) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| {
            let held = tx.directory.require_source(&name)?.clone();
            let mut source = NewSource::from(held.as_ref());
            change(&mut source)?;
            change_source(tx, &held, &source, now)
        })
    }

    /// Gives a source a new secret. The old one stays valid for the time `overlap`, so that the sender can
    /// be changed in the meantime.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such source; [`Error::Misuse`] when the secret does not fit its
    /// kind, or is the one that it has.
    pub fn rotate_source_secret(
        &self,
        name: &str,
        secret: Secret,
        overlap: Duration,
        now: Timestamp,
    ) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| {
            let held = tx.directory.require_source(&name)?.clone();
            let mut source = NewSource::from(held.as_ref());
            let old = source.secret.replace(secret.clone());
            source.check()?;
            keep(tx, owner(held.id), old.as_ref(), &secret, overlap, now)?;
            save(tx, &source, now).map(|_| ())
        })
    }

    /// Removes a source: its path answers 404 from then on. Its events stay.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such source.
    pub fn remove_source(&self, name: &str, now: Timestamp) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| remove_source(tx, &name, now))
    }
}

/// Removes a source. Its events stay.
pub(crate) fn remove_source(tx: &mut Tx<'_>, name: &str, now: Timestamp) -> Result<()> {
    let source = tx.directory.require_source(name)?.clone();
    tx.tally.configured();
    tx.conn.change_one(
        "update hookbox_source set removed_ms = :now where id = :id and removed_ms is null",
        params! { ":now": now, ":id": source.id },
    )
}

/// Adds a source, or uses the removed one of its name again.
pub(crate) fn add_source(tx: &mut Tx<'_>, source: &NewSource, now: Timestamp) -> Result<SourceId> {
    source.check()?;
    if tx.directory.source(&source.name).is_some() {
        return Err(Error::misuse(format!(
            "there is a source named {} already; choose another name, or change that one",
            source.name
        )));
    }
    let id = save(tx, source, now)?;
    // The replaced secrets of the removed source.
    forget_all(tx, owner(id))?;
    Ok(id)
}

/// Changes a source.
pub(crate) fn change_source(
    tx: &mut Tx<'_>,
    held: &Source,
    source: &NewSource,
    now: Timestamp,
) -> Result<()> {
    source.check()?;
    save(tx, source, now)?;
    if source.secret != held.secret {
        forget_all(tx, owner(held.id))?;
    }
    Ok(())
}

/// Writes a source: a new row, or the existing row of its name.
fn save(tx: &mut Tx<'_>, source: &NewSource, now: Timestamp) -> Result<SourceId> {
    let id = tx.conn.one(
        "insert into hookbox_source (
             name, kind, secret, tolerance_ms, path_token, on_repeat, generic, created_ms
         ) values (
             :name, :kind, :secret, :tolerance, :path_token, :on_repeat, :generic, :now
         )
         on conflict (name) do update set
             kind = :kind, secret = :secret, tolerance_ms = :tolerance,
             path_token = :path_token, on_repeat = :on_repeat, generic = :generic,
             removed_ms = null
         returning id",
        params! {
            ":name": source.name,
            ":kind": source.kind,
            ":secret": source.secret.as_ref().map(Secret::expose),
            ":tolerance": source.tolerance,
            ":path_token": source.path_token.as_ref().map(Secret::expose),
            ":on_repeat": source.on_repeat.unwrap_or(source.kind.default_on_repeat()),
            ":generic": source.generic,
            ":now": now,
        },
        |row| row.get(0),
    )?;
    tx.tally.configured();
    Ok(id)
}

fn owner(id: SourceId) -> Owner {
    Owner {
        of: "source",
        id: id.0,
    }
}
