//! A node: a process that serves a database on a server, and the lanes that it has.

use serde_json::{Value, json};

use crate::time::Timestamp;

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRecord {
    /// Where it runs: the host and the process.
    pub name: String,
    /// When it began.
    pub since: Timestamp,
    /// When it last said that it is there, by the server's clock.
    pub seen: Timestamp,
    /// The endpoints that it sends to.
    pub endpoints: Vec<String>,
}

impl NodeRecord {
    /// The JSON object of the API.
    pub fn json(&self) -> Value {
        json!({
            "name": self.name,
            "since": self.since.to_string(),
            "seen_at": self.seen.to_string(),
            "endpoints": self.endpoints,
        })
    }
}
