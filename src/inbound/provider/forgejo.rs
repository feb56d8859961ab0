//! Forgejo: `X-Forgejo-Event`, `X-Forgejo-Delivery`, `X-Forgejo-Signature`, and all of Gitea's.
//!
//! Gitea's headers are read where Forgejo's own are absent, as from servers that have just moved.

use super::{Described, Received, gitea as relative};
use crate::signature::{Rejection, Secret, gitea};

pub(super) fn verify(secret: &Secret, request: &Received<'_>) -> Result<(), Rejection> {
    match request.header(gitea::FORGEJO_HEADER) {
        Some(_) => relative::verify_named(gitea::FORGEJO_HEADER, secret, request),
        None => relative::verify(secret, request),
    }
}

pub(super) fn describe(request: &Received<'_>) -> Described {
    let own_or = |name, relatives| request.header(name).or_else(|| request.header(relatives));
    Described::new(
        own_or("x-forgejo-event", "x-gitea-event"),
        own_or("x-forgejo-delivery", "x-gitea-delivery"),
    )
}
