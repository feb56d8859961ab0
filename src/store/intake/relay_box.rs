//! Boxes that relay their events to a source: when each was heard.

use crate::error::Result;
use crate::model::id::SourceId;
use crate::model::source::RelayBox;
use crate::store::engine::Store;
use crate::store::engine::conn::params;
use crate::store::engine::job::{Outline, Tx};
use crate::time::Timestamp;

/// Most boxes of a source that are kept. Whoever may send to it can invent them.
const BOXES_MAX: i64 = 10_000;

impl Store {
    /// Notes that a box was heard, without waiting.
    pub(crate) fn heard_box(
        &self,
        source: SourceId,
        box_id: String,
        name: String,
        events: usize,
        now: Timestamp,
    ) {
        let events = i64::try_from(events).unwrap_or(i64::MAX);
        self.submit(
            Outline::default(),
            move |tx| heard(tx, source, &box_id, &name, events, now),
            |_| {},
        );
    }

    /// The boxes that were heard through a source, the last one first.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such source.
    #[doc(hidden)]
    pub fn relay_boxes(&self, source: &str) -> Result<Vec<RelayBox>> {
        let directory = self.fresh_directory()?;
        let source = directory.require_source(source)?.id;
        self.read(|conn| {
            conn.all::<RelayBox>(
                "select box, name, first_ms, last_ms, requests, events
                 from hookbox_relay_box
                 where source_id = :source
                 order by last_ms desc, box",
                params! { ":source": source },
                |row| {
                    Ok(RelayBox {
                        box_id: row.get("box")?,
                        name: row.get("name")?,
                        first_heard: row.get("first_ms")?,
                        last_heard: row.get("last_ms")?,
                        requests: row.get("requests")?,
                        events: row.get("events")?,
                    })
                },
            )
        })
    }
}

fn heard(
    tx: &Tx<'_>,
    source: SourceId,
    box_id: &str,
    name: &str,
    events: i64,
    now: Timestamp,
) -> Result<()> {
    let known = tx.conn.run(
        "update hookbox_relay_box
         set name = :name, last_ms = :now, requests = requests + 1, events = events + :events
         where source_id = :source and box = :box",
        params! {
            ":name": name, ":now": now, ":events": events, ":source": source, ":box": box_id,
        },
    )?;
    if known == 0 {
        tx.conn.run(
            "insert into hookbox_relay_box (source_id, box, name, first_ms, last_ms, requests, events)
             select :source, :box, :name, :now, :now, 1, :events
             where (select count(*) from hookbox_relay_box where source_id = :source) < :most",
            params! {
                ":name": name, ":now": now, ":events": events, ":source": source, ":box": box_id,
                ":most": BOXES_MAX,
            },
        )?;
    }
    Ok(())
}
