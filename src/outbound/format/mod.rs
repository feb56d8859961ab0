//! The shapes in which an event is sent, one file each.
//!
//! Rendering is pure and happens at every attempt: signatures that cover the time of the attempt
//! are never stored and never used twice.

mod raw;

use crate::error::Result;
use crate::model::endpoint::{Endpoint, Format};
use crate::store::SendableEvent;
use crate::time::Timestamp;

use super::transport::OutboundRequest;

/// The request that carries an event to an endpoint at this moment.
pub(super) fn render(
    endpoint: &Endpoint,
    event: SendableEvent,
    webhook_id: &str,
    now: Timestamp,
) -> Result<OutboundRequest> {
    match endpoint.format {
        Format::Raw => raw::render(endpoint, event, webhook_id, now),
    }
}
