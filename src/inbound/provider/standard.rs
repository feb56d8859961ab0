//! Standard Webhooks 1.0.0: `webhook-id` (or `svix-id`) is the key.
//!
//! `webhook-signature` may list several signatures. The type is the payload's `type`, as the specification
//! recommends.

use super::{Described, Received};
use crate::model::event::is_type;
use crate::model::lenient;
use crate::signature::standard;

pub(super) fn describe(request: &Received<'_>) -> Described {
    let event_type = lenient::read(request.body, &["type"], |json| json.owned(&["type"]));
    let event_type = event_type
        .filter(|name| is_type(name))
        .or_else(|| request.header("x-hookbox-type").map(str::to_owned));
    let names = standard::names(|name| request.header(name));
    Described::new(event_type, request.header(names.id))
}
