//! An outage: one row that grows while an endpoint cannot be reached.

use serde_json::{Value, json};

use crate::time::Timestamp;

/// An endpoint's outage. An unreachable endpoint spends none of a delivery's tries, and its probes
/// write no row each: this row stands for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// When the endpoint was first found unreachable.
    pub since: Timestamp,
    /// The time of the last probe.
    pub last_probe: Timestamp,
    /// The number of probes.
    pub probes: i64,
    /// The error of the last probe.
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
