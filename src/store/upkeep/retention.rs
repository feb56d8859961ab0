//! Retention: keeps the file below an age and a size on its own, a little at a time.
//!
//! First it removes what is older than its maximum age. If the file is still too large, it removes the
//! oldest delivered events, then the oldest dead and cancelled ones. It never removes pending deliveries,
//! anything of the last hour, or what a person asked to send again.

use std::time::Duration;

use crate::error::Result;
use crate::store::engine::Store;
use crate::store::engine::sqlite::disk_space::Inside;
use crate::store::upkeep::prune::{Before, KEPT_AT_LEAST, Most, Pruned};
use crate::time::Timestamp;

/// What one transaction removes: a few hundred microseconds of work, since incoming events wait for it.
const REMOVED: Most = Most {
    rows: 64,
    bytes: 1024 * 1024,
};

/// How long things are kept; forever where no value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// For delivered events, and events without deliveries: the time since they were settled.
    pub delivered: Option<Duration>,
    /// For dead and cancelled deliveries.
    pub dead: Option<Duration>,
    /// Maximum bytes of the file: above nine tenths of it the oldest rows are removed, whatever their age.
    pub size_max: Option<u64>,
}

impl Retention {
    /// Whether nothing is ever removed.
    pub fn is_none(&self) -> bool {
        *self == Retention::default()
    }
}

/// A time before all others: no delivery was settled before it.
const NEVER: Timestamp = Timestamp(i64::MIN);

impl Store {
    /// Removes what is older than its maximum age, as long as `go_on` returns true.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when it cannot be written. What was removed before the
    /// error stays removed.
    #[doc(hidden)]
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

    /// Removes the oldest rows while the file is too large, as long as `go_on` returns true.
    ///
    /// # Errors
    /// As [`Store::remove_aged`].
    #[doc(hidden)]
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

    /// Whether the file is too large, so that the oldest rows must be removed whatever their age.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database) when the file cannot be read.
    #[doc(hidden)]
    pub fn holds_too_much(&self, retention: &Retention) -> Result<bool> {
        let Some(size_max) = retention.size_max else {
            return Ok(false);
        };
        let sizes = self.sizes()?;
        let inside = self.read(|conn| Inside::read(conn, &sizes))?;
        Ok(inside.used() > size_max / 10 * 9)
    }
}
