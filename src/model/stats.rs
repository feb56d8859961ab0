//! The totals of a store.

use serde_json::{Value, json};

use crate::time::Timestamp;

/// What the store holds in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Events stored.
    pub events: i64,
    /// What other programs put into the outbox, and no event was made of yet.
    pub outbox: i64,
    /// Deliveries waiting.
    pub pending: i64,
    /// Deliveries that got through.
    pub delivered: i64,
    /// Deliveries given up, in whose place no replay got through.
    pub dead: i64,
    /// Deliveries called off, in whose place no replay got through.
    pub cancelled: i64,
    /// Deliveries given up or called off in whose place a replay got through.
    pub superseded: i64,
    /// The due time of the pending delivery that is due first.
    pub oldest_due: Option<Timestamp>,
    /// Bytes of the database file and its write-ahead log.
    pub db_bytes: u64,
    /// Bytes in the database file that hold nothing: what comes next is written there.
    pub reusable_bytes: u64,
}

impl Stats {
    /// The contract's JSON object.
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
        })
    }
}
