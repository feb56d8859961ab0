//! The settings of the status page.

use std::net::SocketAddr;

use super::access::Tokens;

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
