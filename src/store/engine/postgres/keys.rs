//! Idempotency keys in PostgreSQL: one unique index.
//!
//! Two nodes may add the same key at the same moment. The second one then waits for the first one's commit
//! and fails with a conflict; its job runs again and finds the key.

use crate::error::Result;
use crate::model::id::{EventId, SourceId};
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::session::{Keys, Known};

/// The keys. All of them are in the database, so there is nothing to keep.
pub(crate) struct PgKeys;

/// The row id that stands for no source: a primary key has no nulls.
fn owner(source: Option<SourceId>) -> i64 {
    source.map_or(0, |id| id.0)
}

impl Keys for PgKeys {
    fn find(
        &mut self,
        conn: Conn<'_>,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<Option<Known>> {
        conn.maybe(
            "select e.id, e.received_ms
             from hookbox_key as k
             join hookbox_event as e on e.id = k.event_id
             where k.source_id = :source and k.key = :key",
            params! { ":source": owner(source), ":key": key },
            |row| {
                Ok(Known {
                    id: row.get(0)?,
                    received: row.get(1)?,
                })
            },
        )
    }

    fn add(
        &mut self,
        conn: Conn<'_>,
        id: EventId,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<()> {
        conn.change_one(
            "insert into hookbox_key (source_id, key, event_id) values (:source, :key, :id)",
            params! { ":source": owner(source), ":key": key, ":id": id },
        )
    }

    fn remove(
        &mut self,
        conn: Conn<'_>,
        id: EventId,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<()> {
        conn.run(
            "delete from hookbox_key
             where source_id = :source and key = :key and event_id = :id",
            params! { ":source": owner(source), ":key": key, ":id": id },
        )?;
        Ok(())
    }
}
