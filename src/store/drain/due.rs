//! Finds the deliveries that are due, and reads what is needed to send them.
//!
//! Every lookup uses the partial index over pending rows, so its cost does not grow with history.
//! Every result is bounded.

use crate::error::{Error, Result};
use crate::model::activity::Facts;
use crate::model::hops;
use crate::model::id::{BoxId, DeliveryId, EndpointId, EventId};
use crate::model::kind::SourceKind;
use crate::model::sendable::SendableEvent;
use crate::store::engine::Store;
use crate::store::engine::columns::Headers;
use crate::store::engine::conn::{Conn, Row, params};
use crate::store::engine::packed::read_body;
use crate::time::Timestamp;

/// A delivery that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueDelivery {
    /// Its row.
    pub id: DeliveryId,
    /// The event to deliver.
    pub event: EventId,
    /// Tries spent so far.
    pub tries: u32,
    /// When it is due.
    pub due: Timestamp,
    /// Whether its `webhook-id` is the delivery's own id: the receiver must accept the event again.
    pub has_new_id: bool,
    /// Whether a person asked for it.
    pub is_replay: bool,
}

const DUE_OF_ENDPOINT: &str = "select id, event_id, tries, due_ms, new_id, (replay_of is not null or replay_id is not null) as is_replay
     from hookbox_delivery indexed by hookbox_delivery_due
     where endpoint_id = :endpoint and state = 'pending' and due_ms <= :now
     order by due_ms, id
     limit :limit";

/// In the order in which the deliveries were made, which is the order of their events. The partial
/// index is sorted by due time, so this uses the index over all rows of the endpoint, from the
/// first pending row on. Almost all rows after that one are pending too.
const IN_ORDER: &str = "select id, event_id, tries, due_ms, new_id, (replay_of is not null or replay_id is not null) as is_replay
     from hookbox_delivery indexed by hookbox_delivery_endpoint
     where endpoint_id = :endpoint and id >= :from and state = 'pending'
     order by id
     limit :limit";

const FIRST_PENDING: &str = "select min(id)
     from hookbox_delivery indexed by hookbox_delivery_due
     where endpoint_id = :endpoint and state = 'pending'";

const NEXT_DUE_OF_ENDPOINT: &str = "select min(due_ms)
     from hookbox_delivery indexed by hookbox_delivery_due
     where endpoint_id = :endpoint and state = 'pending' and due_ms > :now";

impl Store {
    /// The deliveries of an endpoint that are due, earliest due time first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    #[doc(hidden)]
    pub fn due(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueDelivery>> {
        self.read(|conn| {
            conn.all::<DueDelivery>(
                DUE_OF_ENDPOINT,
                params! { ":endpoint": endpoint, ":now": now, ":limit": limit as i64 },
                read_due,
            )
        })
    }

    /// The pending deliveries of an endpoint in the order in which they were made, due or not: from
    /// `from` on, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    pub(crate) fn in_order(
        &self,
        endpoint: EndpointId,
        from: DeliveryId,
        limit: usize,
    ) -> Result<Vec<DueDelivery>> {
        self.read(|conn| {
            conn.all::<DueDelivery>(
                IN_ORDER,
                params! { ":endpoint": endpoint, ":from": from, ":limit": limit as i64 },
                read_due,
            )
        })
    }

    /// The pending delivery of an endpoint that was made first. The cost grows with the number of
    /// pending deliveries.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    pub(crate) fn first_pending(&self, endpoint: EndpointId) -> Result<Option<DeliveryId>> {
        self.read(|conn| {
            conn.one(FIRST_PENDING, params! { ":endpoint": endpoint }, |row| {
                row.get(0)
            })
        })
    }

    /// When the next delivery of an endpoint becomes due after `now`.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    #[doc(hidden)]
    pub fn next_due(&self, endpoint: EndpointId, now: Timestamp) -> Result<Option<Timestamp>> {
        self.read(|conn| {
            conn.one(
                NEXT_DUE_OF_ENDPOINT,
                params! { ":endpoint": endpoint, ":now": now },
                |row| row.get(0),
            )
        })
    }

    /// What a delivery sends; `None` when it is no longer pending.
    ///
    /// # Errors
    /// [`Error::Database`] when the file cannot be read.
    #[doc(hidden)]
    pub fn sendable(&self, delivery: DeliveryId) -> Result<Option<SendableEvent>> {
        self.read(|conn| read_sendable(conn, self.box_id(), OF_DELIVERY, delivery.0))
    }

    /// What the deliveries of an event send, to look at it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such event.
    #[doc(hidden)]
    pub fn sendable_event(&self, event: EventId) -> Result<SendableEvent> {
        let found = self.read(|conn| read_sendable(conn, self.box_id(), OF_EVENT, event.0))?;
        found.ok_or_else(|| Error::not_found(format!("no event {}", self.box_id().event(event))))
    }
}

fn read_due(row: &Row<'_>) -> Result<DueDelivery> {
    Ok(DueDelivery {
        id: row.get(0)?,
        event: row.get(1)?,
        tries: row.get(2)?,
        due: row.get(3)?,
        has_new_id: row.get(4)?,
        is_replay: row.get(5)?,
    })
}

/// What is sent of an event. A copy of a copy has the key of the first.
const SENDABLE_COLUMNS: &str =
    "select e.id, e.type, e.original_type, e.key, s.name as source, s.kind,
     e.received_ms, e.summary, e.branch, e.is_json, e.content_type, e.headers, e.body,
     e.encoding, e.bytes,
     e.replay_of_event is not null as is_copy,
     case when e.replay_of_event is not null then (
         with recursive older (key, copy_of) as (
             select o.key, o.replay_of_event from hookbox_event as o where o.id = e.replay_of_event
             union all
             select o.key, o.replay_of_event
             from older join hookbox_event as o on o.id = older.copy_of
             where older.key is null
         )
         select key from older where key is not null
     ) end as copied_key";

const OF_DELIVERY: &str =
    ", case when d.replay_of is null and d.replay_id is null then e.received_ms
         else d.created_ms end as owed_ms
     from hookbox_delivery as d
     join hookbox_event as e on e.id = d.event_id
     left join hookbox_source as s on s.id = e.source_id
     where d.id = :id and d.state = 'pending'";

const OF_EVENT: &str = ", e.received_ms as owed_ms
     from hookbox_event as e
     left join hookbox_source as s on s.id = e.source_id
     where e.id = :id";

fn read_sendable(
    conn: Conn<'_>,
    box_id: &BoxId,
    place: &str,
    id: i64,
) -> Result<Option<SendableEvent>> {
    conn.maybe(
        &format!("{SENDABLE_COLUMNS} {place}"),
        params! { ":id": id },
        |row| {
            let source: Option<String> = row.get("source")?;
            let kind: Option<SourceKind> = row.get("kind")?;
            let headers = row.get::<Headers>("headers")?.0;
            let id = row.get("id")?;
            let (key, copied_key): (Option<String>, Option<String>) =
                (row.get("key")?, row.get("copied_key")?);
            let is_copy: bool = row.get("is_copy")?;
            let sendable = SendableEvent {
                id,
                event_type: row.get("type")?,
                original_type: row.get("original_type")?,
                key: key.or(copied_key),
                hops: hops::header(&headers, box_id, source.as_deref()),
                source: source.zip(kind.map(|kind| kind.behind(&headers))),
                received: row.get("received_ms")?,
                owed: row.get("owed_ms")?,
                facts: Facts {
                    summary: row.get("summary")?,
                    branch: row.get("branch")?,
                    is_json: row.get("is_json")?,
                },
                content_type: row.get("content_type")?,
                headers,
                body: read_body(row)?,
            };
            // An edited copy is another event to its receivers, also to those that go by the producer's id.
            Ok(match is_copy {
                true => sendable.renamed(&box_id.event(id)),
                false => sendable,
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::plan::plan_of;

    #[test]
    fn due_work_is_found_by_the_partial_index_without_sorting() {
        for statement in [DUE_OF_ENDPOINT, NEXT_DUE_OF_ENDPOINT] {
            let plan = plan_of(statement);
            assert!(plan.contains("SEARCH hookbox_delivery USING"), "{plan}");
            assert!(
                plan.contains("hookbox_delivery_due (endpoint_id=? AND due_ms"),
                "{plan}"
            );
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }

    #[test]
    fn what_is_sent_in_order_is_found_without_sorting() {
        let plan = plan_of(IN_ORDER);
        assert!(
            plan.contains("hookbox_delivery_endpoint (endpoint_id=? AND rowid>?)"),
            "{plan}"
        );
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        let plan = plan_of(FIRST_PENDING);
        assert!(
            plan.contains("COVERING INDEX hookbox_delivery_due (endpoint_id=?)"),
            "{plan}"
        );
    }
}
