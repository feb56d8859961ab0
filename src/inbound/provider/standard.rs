//! Standard Webhooks 1.0.0: `webhook-id` is the key, `webhook-signature` may list several, the
//! type is the payload's `type`, as the specification recommends it.

use serde::Deserialize;

use super::{Described, Received, When};
use crate::model::event::is_type;
use crate::model::lenient::{Text, read};
use crate::signature::{Rejection, Secret, Signable, standard};
use crate::time::Timestamp;

#[derive(Default, Deserialize)]
struct Payload {
    #[serde(default, rename = "type")]
    event_type: Text,
}

pub(super) fn verify(secret: &Secret, request: &Received<'_>, when: When) -> Result<(), Rejection> {
    let signature = request.header(standard::HEADER);
    if signature.is_none() {
        return Err(Rejection::missing(standard::HEADER));
    }
    let id = request
        .header(standard::ID_HEADER)
        .ok_or(Rejection::missing(standard::ID_HEADER))?;
    let seconds = request
        .header(standard::TIMESTAMP_HEADER)
        .ok_or(Rejection::missing(standard::TIMESTAMP_HEADER))?;
    let seconds: i64 = seconds
        .parse()
        .map_err(|_| Rejection::malformed(standard::TIMESTAMP_HEADER))?;
    let timestamp = Timestamp(seconds.saturating_mul(1000));
    let message = Signable {
        id,
        timestamp,
        content_type: request.content_type(),
        body: request.body,
    };
    standard::verify(secret, &message, signature)?;
    // Last, so that a stranger learns nothing of this machine's clock.
    Rejection::unless_recent(timestamp, when.now, when.tolerance)
}

pub(super) fn describe(request: &Received<'_>) -> Described {
    let payload: Payload = read(request.body);
    let event_type = payload
        .event_type
        .0
        .filter(|name| is_type(name))
        .or_else(|| request.header("x-hookbox-type").map(str::to_owned));
    Described::new(event_type, request.header(standard::ID_HEADER))
}
