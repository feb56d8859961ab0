//! Gogs: `X-Gogs-Event`, `X-Gogs-Delivery`, `X-Gogs-Signature`; JSON and form mode.
//!
//! The delivery id is a UUID that Gogs makes once for each hook task. A Redelivery, and a resend after a
//! restart of Gogs, carry it again, so it is the idempotency key.

use super::{Described, Received};

pub(super) fn describe(request: &Received<'_>) -> Described {
    Described::new(
        request.header("x-gogs-event"),
        request.header("x-gogs-delivery"),
    )
}
