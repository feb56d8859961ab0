//! Endpoints that refuse whatever they are sent.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, named_params};

use super::columns::Millis;
use super::job::Tx;
use crate::error::Result;
use crate::model::id::EndpointId;

/// For how long an endpoint has refused whatever it was sent; `None` when it does not.
pub(super) fn read_refusing(
    connection: &Connection,
    endpoint: EndpointId,
) -> Result<Option<Duration>> {
    let lasting: Option<Millis> = connection
        .prepare_cached("select lasting_ms from hookbox_refusing where endpoint_id = :id")?
        .query_row(named_params! { ":id": endpoint }, |row| row.get(0))
        .optional()?;
    Ok(lasting.map(|span| span.0))
}

/// Forgets for how long the endpoint has refused everything: that is over, or was elsewhere.
pub(super) fn forget_refusals(tx: &Tx<'_>, id: EndpointId) -> Result<()> {
    tx.connection
        .prepare_cached("delete from hookbox_refusing where endpoint_id = :id")?
        .execute(named_params! { ":id": id })?;
    Ok(())
}
