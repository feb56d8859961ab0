//! The totals of a store.

use serde_json::{Value, json};

use crate::model::node::NodeRecord;
use crate::time::Timestamp;

/// The totals of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Events stored.
    pub events: i64,
    /// Rows of the outbox that are not events yet.
    pub outbox: i64,
    /// Pending deliveries.
    pub pending: i64,
    /// Delivered deliveries.
    pub delivered: i64,
    /// Dead deliveries that are not superseded.
    pub dead: i64,
    /// Cancelled deliveries that are not superseded.
    pub cancelled: i64,
    /// Dead and cancelled deliveries that are superseded: a replay was delivered in their place.
    pub superseded: i64,
    /// The earliest due time of a pending delivery.
    pub oldest_due: Option<Timestamp>,
    /// Bytes of the database file and its write-ahead log.
    pub db_bytes: u64,
    /// Unused bytes in the database file: the next rows are written there.
    pub reusable_bytes: u64,
    /// The nodes that serve a database on a server; none of a file.
    pub nodes: Vec<NodeRecord>,
}

impl Stats {
    /// The JSON object of the API.
    pub fn json(&self) -> Value {
        json!({
            "events": self.events,
            "outbox": self.outbox,
            "pending": self.pending,
            "delivered": self.delivered,
            "dead": self.dead,
            "cancelled": self.cancelled,
            "superseded": self.superseded,
            "oldest_due_at": self.oldest_due.map(|at| at.to_string()),
            "db_bytes": self.db_bytes,
            "reusable_bytes": self.reusable_bytes,
            "nodes": self.nodes.iter().map(NodeRecord::json).collect::<Vec<_>>(),
        })
    }
}
