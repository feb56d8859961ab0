//! Look-ups while a person waits: a search, a preview, two attempts to compare.

use std::time::Duration;

use super::body::shown_body;
use crate::error::Result;
use crate::model::diff::Side;
use crate::store::Store;
use crate::time::Clock;

/// How long a look-up may take; the page says what was not reached by then.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// Returns a function that says whether a look-up that begins now may go on.
pub(super) fn until_deadline(clock: &dyn Clock) -> impl Fn() -> bool {
    let until = clock.elapsed() + LOOK_MAX;
    move || clock.elapsed() < until
}

/// Reads an attempt with its delivery and with the event's body as it may be shown.
pub(super) fn side(store: &Store, id: &str) -> Result<Side> {
    let attempt = store.attempt(store.box_id().parse_attempt(id)?)?;
    let delivery = store.delivery(attempt.delivery)?;
    Ok(Side {
        body: shown_body(store, &store.event(delivery.event)?)?,
        attempt,
        delivery,
    })
}
