//! Forgejo: `X-Forgejo-Event`, `X-Forgejo-Delivery`, `X-Forgejo-Signature`, and all of Gitea's.
//!
//! Gitea's headers are read where Forgejo's own are absent, as from servers that have just moved.

use super::{Received, gitea as relative};
use crate::signature::{Rejection, Secret, gitea};

pub(super) fn verify(secret: &Secret, request: &Received<'_>) -> Result<(), Rejection> {
    match request.header(gitea::FORGEJO_HEADER) {
        Some(_) => relative::verify_named(gitea::FORGEJO_HEADER, secret, request),
        None => relative::verify(secret, request),
    }
}

pub(super) fn describe<'a>(request: &Received<'a>) -> (Option<&'a str>, Option<&'a str>) {
    let (event_type, key) = relative::describe(request);
    (
        request.header("x-forgejo-event").or(event_type),
        request.header("x-forgejo-delivery").or(key),
    )
}
