//! Keeps the full-text index up to date.

use crate::error::Result;
use crate::model::id::EventId;
use crate::model::text::searched;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::sqlite::text_index::{Reach, TextIndex};

/// Events that are added in one transaction.
const ADDED_MAX: i64 = 50;

impl Store {
    /// Opens the index of this file, and makes it where there is none.
    ///
    /// # Errors
    /// [`Error::Misuse`](crate::Error::Misuse) when the database is no file; [`Error::Database`]
    /// (crate::Error::Database) and [`Error::Io`](crate::Error::Io) when the index cannot be written.
    pub(crate) fn make_text_index(&self) -> Result<TextIndex> {
        let file = self.location().require_file(
            "--text-index is for a file; on a server, leave it out: searches read the bodies",
        )?;
        TextIndex::make(file)
    }

    /// Removes the index of this file, if it has one.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when it cannot be removed.
    pub(crate) fn remove_text_index(&self) -> Result<()> {
        self.location().file().map_or(Ok(()), TextIndex::remove)
    }

    /// Adds the next events, or takes out some that were removed; whether there is more to do.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read, or the index not written.
    pub(crate) fn index_some(&self, index: &mut TextIndex) -> Result<bool> {
        let mut reach = index.reach()?;
        if reach.as_ref().is_some_and(|reach| !self.has(reach)) {
            index.clear()?;
            reach = None;
        }
        let after = reach.map_or(0, |reach| reach.to.0);
        let ids = self.read(|conn| {
            conn.all::<EventId>(
                "select id from hookbox_event where id > :after order by id limit :limit",
                params! { ":after": after, ":limit": ADDED_MAX },
                |row| row.get(0),
            )
        })?;
        let Some(last) = ids.last().copied() else {
            let first = self.newest_id("select min(id) from hookbox_event")?;
            return Ok(!index.forget_before(EventId(first))?);
        };
        let mut events = Vec::new();
        for id in ids {
            // It may be removed meanwhile.
            if let Ok(body) = self.event_body(id) {
                events.push((id, searched(&body)));
            }
        }
        let reach = Reach {
            to: last,
            event: self.box_id().event(last),
        };
        index.add(&events, &reach)?;
        Ok(true)
    }

    /// Whether an index that goes so far is one of this file, and not of what it was before it was set back.
    pub(crate) fn has(&self, reach: &Reach) -> bool {
        self.box_id().event(reach.to) == reach.event
    }
}
