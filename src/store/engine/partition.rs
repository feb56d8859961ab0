//! Finding a moment among rows that lie nearly in the order of time, without an index on it.

use crate::error::Result;
use crate::store::engine::conn::{Conn, params};
use crate::time::Timestamp;

/// Rows of room for a clock that was set: as far as that a row may lie from its place.
pub(crate) const CLOCK_SKEW_ROWS: i64 = 10_000;

/// A row behind which those begin that are not older than a moment, as far as the rows are in order,
/// to within so many rows. `next` selects the time of the first row behind `:id`.
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
