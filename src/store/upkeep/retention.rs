//! Keeping the file to an age and a size by itself, a little at a time.
//!
//! The order: what is older than it is to be kept goes first. Where the file still holds more than it
//! should, the oldest of what arrived goes, then the oldest of what is dead or cancelled. What is pending
//! never goes, nor the last hour, nor what somebody asked to be sent again.

use std::time::Duration;

use crate::error::Result;
use crate::store::engine::Store;
use crate::store::engine::sqlite::disk_space::Inside;
use crate::store::upkeep::prune::{Before, KEPT_AT_LEAST, Most, Pruned};
use crate::time::Timestamp;

/// What one transaction removes: some hundred microseconds' work, since events wait behind it.
const REMOVED: Most = Most {
    rows: 64,
    bytes: 1024 * 1024,
};

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
    /// [`Error::Database`](crate::Error::Database) when it cannot be written. What was removed until then is.
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
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    pub fn holds_too_much(&self, retention: &Retention) -> Result<bool> {
        let Some(size_max) = retention.size_max else {
            return Ok(false);
        };
        let inside = self.read(Inside::read)?;
        Ok(inside.used() > size_max / 10 * 9)
    }
}
