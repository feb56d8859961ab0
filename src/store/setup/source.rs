//! Adding, changing and removing sources.

use rusqlite::named_params;

use super::no_source;
use crate::error::{Error, Result};
use crate::model::check_name;
use crate::model::id::SourceId;
use crate::model::source::NewSource;
use crate::store::Store;
use crate::store::writer::{Tx, expect_one};
use crate::time::Timestamp;

impl Store {
    /// Adds a source. One that was removed is revived: its events and keys are still its own.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the name is not a name or is taken. Nothing is changed then.
    pub fn add_source(&self, source: NewSource, now: Timestamp) -> Result<SourceId> {
        check_name(&source.name)?;
        if let Some(secret) = &source.secret {
            source.kind.check_secret(secret)?;
        }
        self.write(move |tx| {
            if tx.directory.source(&source.name).is_some() {
                return Err(Error::misuse(format!(
                    "there is a source named {} already; choose another name, or remove that one",
                    source.name
                )));
            }
            let id = tx
                .connection
                .prepare_cached(
                    "insert into hookbox_source (name, kind, secret, on_repeat, created_ms)
                     values (:name, :kind, :secret, :on_repeat, :now)
                     on conflict (name) do update set
                         kind = :kind, secret = :secret, on_repeat = :on_repeat, removed_ms = null
                     returning id",
                )?
                .query_row(
                    named_params! {
                        ":name": source.name,
                        ":kind": source.kind,
                        ":secret": source.secret.as_ref().map(|secret| secret.expose()),
                        ":on_repeat": source.on_repeat.unwrap_or(source.kind.default_on_repeat()),
                        ":now": now,
                    },
                    |row| row.get(0),
                )?;
            tx.changes.configured();
            Ok(id)
        })
    }

    /// Removes a source: its path answers 404 from then on. Its events stay.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such source.
    pub fn remove_source(&self, name: &str, now: Timestamp) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| {
            let source = tx.directory.source(&name).ok_or_else(|| no_source(&name))?;
            let changed = tx.connection
                .prepare_cached(
                    "update hookbox_source set removed_ms = :now where id = :id and removed_ms is null",
                )?
                .execute(named_params! { ":now": now, ":id": source.id })?;
            tx.changes.configured();
            expect_one(changed)
        })
    }

    /// Counts requests that were refused at the door, so that a wrong secret is seen.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when it cannot be stored.
    pub fn count_refusals(&self, counts: Vec<(SourceId, i64)>) -> Result<()> {
        self.write(move |tx| count_refusals(tx, &counts))
    }

    /// As [`Store::count_refusals`], without waiting: `answer` is called after the commit, on the
    /// writer's thread.
    pub fn count_refusals_then(
        &self,
        counts: Vec<(SourceId, i64)>,
        answer: impl FnOnce(Result<()>) + Send + 'static,
    ) {
        self.submit(0, false, move |tx| count_refusals(tx, &counts), answer);
    }
}

fn count_refusals(tx: &mut Tx<'_>, counts: &[(SourceId, i64)]) -> Result<()> {
    for (source, count) in counts {
        tx.changes.refused(*source, *count);
    }
    Ok(())
}
