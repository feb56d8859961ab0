//! Standard Webhooks 1.0.0: `webhook-id` (or `svix-id`) is the key.
//!
//! `webhook-signature` may list several signatures. The type is the payload's `type`, as the specification
//! recommends.

use serde::Deserialize;

use super::{Described, Received};
use crate::model::event::is_type;
use crate::model::lenient::{Text, read};
use crate::signature::standard;

#[derive(Default, Deserialize)]
struct Payload {
    #[serde(default, rename = "type")]
    event_type: Text,
}

pub(super) fn describe(request: &Received<'_>) -> Described {
    let payload: Payload = read(request.body);
    let event_type = payload
        .event_type
        .0
        .filter(|name| is_type(name))
        .or_else(|| request.header("x-hookbox-type").map(str::to_owned));
    let names = standard::names(|name| request.header(name));
    Described::new(event_type, request.header(names.id))
}
