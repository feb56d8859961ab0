//! Keeping the file to an age and a size by itself, a little at a time.
//!
//! The order: what is older than it is to be kept goes first. Where the file still holds more than it
//! should, the oldest of what arrived goes, then the oldest of what is dead or cancelled. What is pending
//! never goes, nor the last hour, nor what somebody asked to be sent again.

use std::time::Duration;

use super::Store;
use super::prune::{Before, KEPT_AT_LEAST, Most, Pruned};
use super::room::Inside;
use crate::error::Result;
use crate::time::Timestamp;

/// What one transaction removes: some hundred microseconds' work, since events wait behind it.
const REMOVED: Most = Most {
    rows: 64,
    bytes: 1024 * 1024,
};

/// Pages that one transaction cuts off the file.
const PAGES: u32 = 64;

/// How much may be free inside the file: what comes next is written there. More is given back.
const SLACK_BYTES: u64 = 16 * 1024 * 1024;

/// How long things are kept; for good where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// What arrived, and what nobody was owed: since it was settled.
    pub delivered: Option<Duration>,
    /// What is dead or cancelled.
    pub dead: Option<Duration>,
    /// Bytes that the file may hold: from nine tenths of it on the oldest goes, whatever its age.
    pub size_max: Option<u64>,
}

impl Retention {
    /// Whether nothing ever goes.
    pub fn is_none(&self) -> bool {
        *self == Retention::default()
    }
}

/// A time before all others: nothing was settled before it.
const NEVER: Timestamp = Timestamp(i64::MIN);

impl Store {
    /// Removes what is older than it is to be kept, as long as `go_on` says so.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when it cannot be written. What was removed until then is.
    pub fn remove_aged(
        &self,
        retention: &Retention,
        now: Timestamp,
        go_on: impl FnMut(&Pruned) -> bool,
    ) -> Result<Pruned> {
        if (retention.delivered, retention.dead) == (None, None) {
            return Ok(Pruned::nothing());
        }
        let ago = |span: Option<Duration>| match span {
            Some(span) => now.minus(span.max(KEPT_AT_LEAST)),
            None => NEVER,
        };
        let before = Before {
            arrived: ago(retention.delivered),
            failed: ago(retention.dead),
        };
        self.remove_old(before, REMOVED, None, now, go_on)
    }

    /// Removes the oldest while the file holds too much, as long as `go_on` says so.
    ///
    /// # Errors
    /// As [`Store::remove_aged`].
    pub fn remove_oldest(
        &self,
        retention: &Retention,
        now: Timestamp,
        mut go_on: impl FnMut(&Pruned) -> bool,
    ) -> Result<u64> {
        let hour_ago = now.minus(KEPT_AT_LEAST);
        let mut events = 0;
        for failed in [NEVER, hour_ago] {
            if !self.holds_too_much(retention)? {
                break;
            }
            let before = Before {
                arrived: hour_ago,
                failed,
            };
            let pruned = self.remove_old(before, REMOVED, None, now, |pruned| {
                go_on(pruned) && self.holds_too_much(retention).unwrap_or(false)
            })?;
            events += u64::try_from(pruned.events).unwrap_or(0);
        }
        Ok(events)
    }

    /// Whether the oldest is to go, whatever its age.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when the file cannot be read.
    pub fn holds_too_much(&self, retention: &Retention) -> Result<bool> {
        let Some(size_max) = retention.size_max else {
            return Ok(false);
        };
        let inside = self.read(Inside::read)?;
        Ok(inside.used() > size_max / 10 * 9)
    }

    /// Cuts a few pages that hold nothing off the file, where there are many, or any if `all`; returns
    /// whether there may be more to cut off. Files that were made by an older hookbox, or that are another
    /// program's, keep them until they are made anew.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::Error::Sqlite) when it cannot be written.
    pub fn give_back(&self, all: bool) -> Result<bool> {
        let (inside, gives) = self.read(|connection| {
            let mode: i64 = connection
                .prepare_cached("pragma auto_vacuum")?
                .query_row([], |row| row.get(0))?;
            Ok((Inside::read(connection)?, mode == GIVES_BACK))
        })?;
        let slack = match all {
            true => 0,
            false => SLACK_BYTES.max(inside.all / 10),
        };
        if !gives || inside.free <= slack {
            return Ok(false);
        }
        self.write(|tx| {
            let pragma = format!("pragma incremental_vacuum({PAGES})");
            let mut pragma = tx.connection.prepare_cached(&pragma)?;
            // A step of the statement is a page.
            let mut pages = pragma.query([])?;
            while pages.next()?.is_some() {}
            Ok(())
        })?;
        Ok(true)
    }
}

/// `auto_vacuum = incremental`.
pub(super) const GIVES_BACK: i64 = 2;
