//! Keeps the full-text index up to date.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::model::id::EventId;
use crate::model::text::searched;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::sqlite::text_index::{Reach, TextIndex};

/// Events that are added in one transaction, and bytes of their bodies.
const ADDED_MAX: i64 = 50;
const ADDED_BYTES_MAX: usize = 1024 * 1024;

/// Events of the index that are looked up at a time: those that were removed are taken out.
const LOOKED_UP: i64 = 500;

/// The index of a file, and how far it was gone through for what was removed.
pub(crate) struct IndexWork {
    index: TextIndex,
    looked_up_to: EventId,
}

impl Store {
    /// Opens the index of this file, and makes it where there is none.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the database is no file, or another program's file has the index's name;
    /// [`Error::Database`] and [`Error::Io`] when the index cannot be written.
    pub(crate) fn make_text_index(&self) -> Result<IndexWork> {
        let file = self.location().require_file(
            "--text-index is for a file; on a server, leave it out: searches read the bodies",
        )?;
        Ok(IndexWork {
            index: TextIndex::make(file)?,
            looked_up_to: EventId(0),
        })
    }

    /// Removes the index of this file, if it has one.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be removed.
    pub(crate) fn remove_text_index(&self) -> Result<()> {
        self.location().file().map_or(Ok(()), TextIndex::remove)
    }

    /// Adds the next events, or takes out some that were removed; whether there is more to add.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read, or the index not written.
    pub(crate) fn index_some(&self, work: &mut IndexWork) -> Result<bool> {
        // What is taken in and recorded goes before it.
        if self.trouble().is_some() || self.sizes()?.low().is_some() {
            return Ok(false);
        }
        if !work.index.is_there() {
            *work = self.make_text_index()?;
        }
        match self.add_some(&mut work.index) {
            Ok(true) => Ok(true),
            Ok(false) => self.take_out_some(work).map(|()| false),
            Err(error) if error.is_damage() => {
                *work = self.make_text_index()?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn add_some(&self, index: &mut TextIndex) -> Result<bool> {
        let mut reach = index.reach()?;
        if reach
            .as_ref()
            .is_some_and(|reach| !self.is_of_this_file(reach))
        {
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
        let (mut events, mut bytes, mut last) = (Vec::new(), 0, None);
        for id in ids {
            match self.event_body(id) {
                Ok(body) => {
                    bytes += body.len();
                    events.push((id, searched(&body)));
                }
                // Removed meanwhile.
                Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
            last = Some(id);
            if bytes >= ADDED_BYTES_MAX {
                break;
            }
        }
        let Some(last) = last else {
            return Ok(false);
        };
        let reach = Reach {
            to: last,
            event: self.box_id().event(last),
        };
        index.add(&events, &reach)?;
        Ok(true)
    }

    /// Takes out what the file has no more, of some events at a time; begins anew at the end.
    fn take_out_some(&self, work: &mut IndexWork) -> Result<()> {
        let indexed = work.index.events_after(work.looked_up_to, LOOKED_UP)?;
        work.looked_up_to = match indexed.len() as i64 == LOOKED_UP {
            true => indexed[indexed.len() - 1],
            false => EventId(0),
        };
        let ids: Vec<i64> = indexed.iter().map(|id| id.0).collect();
        let ids = serde_json::json!(ids).to_string();
        let there: HashSet<EventId> = self.read(|conn| {
            let rows = conn.all::<EventId>(
                "select id from hookbox_event
                 where id in (select value from json_each(:ids) as e)",
                params! { ":ids": ids },
                |row| row.get(0),
            )?;
            Ok(rows.into_iter().collect())
        })?;
        let gone: Vec<EventId> = indexed
            .into_iter()
            .filter(|id| !there.contains(id))
            .collect();
        match gone.is_empty() {
            true => Ok(()),
            false => work.index.forget(&gone),
        }
    }

    /// Whether an index that goes so far is one of this file, and not of what it was before it was set back.
    pub(crate) fn is_of_this_file(&self, reach: &Reach) -> bool {
        self.box_id().event(reach.to) == reach.event
    }
}
