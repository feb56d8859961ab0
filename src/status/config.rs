//! The settings of the status page.

use std::net::SocketAddr;

use super::access::Tokens;
use crate::error::Result;
use crate::model::endpoint::Endpoint;
use crate::model::sendable::{SendableEvent, ShownRequest};
use crate::time::Timestamp;

/// The settings of the status page.
#[derive(Debug, Clone)]
pub struct StatusConfig {
    /// The address to listen on.
    ///
    /// Without a token it must be a loopback address; port 0 takes a free port.
    pub address: SocketAddr,
    /// The tokens that give access.
    pub tokens: Tokens,
    /// Host names of the page, besides localhost and IP addresses.
    pub names: Vec<String>,
}

impl StatusConfig {
    /// Settings with this address, no token and no names.
    pub fn new(address: SocketAddr) -> StatusConfig {
        StatusConfig {
            address,
            tokens: Tokens::default(),
            names: Vec::new(),
        }
    }
}

/// Makes the request that would carry an event to an endpoint now: its `webhook-id`, its delivery, the time, and
/// whether secrets and signatures are in it.
pub type Preview =
    fn(&Endpoint, SendableEvent, &str, Option<&str>, Timestamp, bool) -> Result<ShownRequest>;

/// What the pages know of the other parts of the service.
#[derive(Debug, Clone, Copy)]
pub struct Neighbours {
    /// The address that takes events in over HTTP, if there is one.
    pub events_at: Option<SocketAddr>,
    /// How a request is made.
    pub preview: Preview,
}
