//! An outage: one row that grows while an endpoint cannot be reached.

use serde_json::{Value, json};

use crate::time::Timestamp;

/// An endpoint's outage. Being unreachable spends none of a delivery's tries and writes no row a
/// try: this row stands for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// When the endpoint was first found unreachable.
    pub since: Timestamp,
    /// When it was last tried.
    pub last_probe: Timestamp,
    /// How often it was tried.
    pub probes: i64,
    /// What the last try said.
    pub error: String,
}

impl Outage {
    /// The JSON object inside an endpoint's.
    pub fn json(&self) -> Value {
        json!({
            "since": self.since.to_string(),
            "last_probe_at": self.last_probe.to_string(),
            "probes": self.probes,
            "error": self.error,
        })
    }
}
