//! How the status page is set.

use std::net::SocketAddr;

use super::access::Tokens;

/// How the status page is set.
#[derive(Debug, Clone)]
pub struct StatusConfig {
    /// Where to listen; without a token a loopback address; port 0 takes a free one.
    pub address: SocketAddr,
    /// What lets somebody in.
    pub tokens: Tokens,
    /// Names that it is called by, besides localhost and addresses.
    pub names: Vec<String>,
}

impl StatusConfig {
    /// At this address, with no token and no names.
    pub fn new(address: SocketAddr) -> StatusConfig {
        StatusConfig {
            address,
            tokens: Tokens::default(),
            names: Vec::new(),
        }
    }
}
