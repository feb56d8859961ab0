//! Binary search by id for the first row at or after a time.
//!
//! Rows are almost sorted by time, because ids are given out in order. So no index on the time is needed.

use crate::error::Result;
use crate::store::engine::conn::{Conn, params};
use crate::time::Timestamp;

/// How many rows a row may be out of place, because the wall clock was set. Callers search this many rows
/// more.
pub(crate) const CLOCK_SKEW_ROWS: i64 = 10_000;

/// Returns an id after which the rows at or after `than` begin.
///
/// The result is the last row before that time, or up to `within` rows earlier. It is exact only as far as
/// the rows are sorted by time; see [`CLOCK_SKEW_ROWS`]. `next` must select the time of the first row after
/// `:id`.
pub(crate) fn partition_by_time(
    conn: Conn<'_>,
    next: &str,
    newest: i64,
    than: Timestamp,
    within: i64,
) -> Result<i64> {
    let (mut low, mut high) = (0, newest);
    while high - low > within {
        let middle = low + (high - low) / 2;
        let at: Option<Timestamp> =
            conn.maybe(next, params! { ":id": middle }, |row| row.get(0))?;
        match at {
            Some(at) if at < than => low = middle,
            _ => high = middle,
        }
    }
    Ok(low)
}
