//! Forgejo: its own headers, and all of Gitea's.
//!
//! Its own are `X-Forgejo-Event`, `X-Forgejo-Delivery` and `X-Forgejo-Signature`. Gitea's headers are read
//! if Forgejo's own are absent, as from servers that have just migrated.

use super::{Described, Received};
use crate::signature::{Rejection, Secret, gitea};

pub(super) fn verify(secret: &Secret, request: &Received<'_>) -> Result<(), Rejection> {
    let own = gitea::FORGEJO_HEADER;
    let header = match request.header(own) {
        Some(_) => own,
        None => gitea::HEADER,
    };
    let value = request.header(header);
    gitea::verify(header, secret, request.content_type(), request.body, value)
}

pub(super) fn describe(request: &Received<'_>) -> Described {
    Described::new(
        request.first_of(&[
            "x-forgejo-event",
            "x-gitea-event",
            "x-forgejo-event-type",
            "x-gitea-event-type",
        ]),
        request.first_of(&["x-forgejo-delivery", "x-gitea-delivery"]),
    )
}
