//! Idempotency keys in PostgreSQL: one unique index.
//!
//! Two nodes may add the same key at the same moment. The second one then waits for the first one's commit
//! and fails with a conflict; its job runs again and finds the key.

use std::collections::HashMap;

use crate::error::Result;
use crate::model::id::{EventId, SourceId};
use crate::store::engine::conn::{Conn, params};
use crate::store::engine::session::{KeyOf, Keys, Known};

/// The keys of the open transaction. All others are in the database alone.
#[derive(Default)]
pub(crate) struct PgKeys {
    /// What the group will ask for and was not looked up yet.
    wanted: Vec<OwnKey>,
    /// What was looked up, and not written since.
    known: HashMap<OwnKey, Option<Known>>,
}

/// The row id of the source, 0 for none (a primary key has no nulls), and the key.
type OwnKey = (i64, String);

/// A text of PostgreSQL has no NUL, in JSON either.
fn own((source, key): KeyOf<'_>) -> OwnKey {
    let key = key.replace('\0', "\u{fffd}");
    (source.map_or(0, |id| id.0), key)
}

/// `limit` keeps the planner from reading a whole table instead: it does not know how many keys come.
const LOOK_UP: &str = "select k.source_id, k.key, e.id, e.received_ms
     from json_array_elements(cast(:keys as json)) as w (pair)
     cross join lateral (
         select source_id, key, event_id from hookbox_key
         where source_id = cast(w.pair ->> 0 as bigint) and key = w.pair ->> 1
         limit 1
     ) as k
     cross join lateral (
         select id, received_ms from hookbox_event where id = k.event_id limit 1
     ) as e";

impl PgKeys {
    /// A transaction begins that will ask for these keys.
    pub(super) fn begin(&mut self, keys: &mut dyn Iterator<Item = KeyOf<'_>>) {
        self.forget();
        self.wanted.extend(keys.map(own));
    }

    /// Something was undone: what is known may not be so.
    pub(super) fn forget(&mut self) {
        self.wanted.clear();
        self.known.clear();
    }

    /// Looks up all that the group will ask for, in one go.
    fn look_up(&mut self, conn: Conn<'_>) -> Result<()> {
        let found = conn.all(
            LOOK_UP,
            params! { ":keys": serde_json::json!(self.wanted).to_string() },
            |row| {
                let known = Known {
                    id: row.get(2)?,
                    received: row.get(3)?,
                };
                Ok(((row.get(0)?, row.get(1)?), known))
            },
        )?;
        let missing = self.wanted.drain(..).map(|key| (key, None));
        self.known.extend(missing);
        self.known
            .extend(found.into_iter().map(|(key, known)| (key, Some(known))));
        Ok(())
    }
}

impl Keys for PgKeys {
    fn find(
        &mut self,
        conn: Conn<'_>,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<Option<Known>> {
        let own = own((source, key));
        if self.wanted.contains(&own) {
            self.look_up(conn)?;
        }
        if let Some(known) = self.known.get(&own) {
            return Ok(*known);
        }
        conn.maybe(
            "select e.id, e.received_ms
             from hookbox_key as k
             join hookbox_event as e on e.id = k.event_id
             where k.source_id = :source and k.key = :key",
            params! { ":source": own.0, ":key": own.1 },
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
        let own = own((source, key));
        self.known.remove(&own);
        conn.later().change_one(
            "insert into hookbox_key (source_id, key, event_id) values (:source, :key, :id)",
            params! { ":source": own.0, ":key": own.1, ":id": id },
        )
    }

    fn remove(
        &mut self,
        conn: Conn<'_>,
        id: EventId,
        source: Option<SourceId>,
        key: &str,
    ) -> Result<()> {
        let own = own((source, key));
        self.known.remove(&own);
        conn.later().run(
            "delete from hookbox_key
             where source_id = :source and key = :key and event_id = :id",
            params! { ":source": own.0, ":key": own.1, ":id": id },
        )
    }
}
