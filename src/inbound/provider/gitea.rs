//! Gitea: `X-Gitea-Event`, `X-Gitea-Delivery`, `X-Gitea-Signature`; JSON and form mode.
//!
//! A request also carries the headers of Gogs and GitHub; Gitea's own are read. The finer
//! `X-Gitea-Event-Type` stays among the event's headers.

use super::{Described, Received};
use crate::signature::{Rejection, Secret, gitea};

pub(super) fn verify(secret: &Secret, request: &Received<'_>) -> Result<(), Rejection> {
    verify_named(gitea::HEADER, secret, request)
}

/// The same under Forgejo's header.
pub(super) fn verify_named(
    header: &'static str,
    secret: &Secret,
    request: &Received<'_>,
) -> Result<(), Rejection> {
    let value = request.header(header);
    gitea::verify(header, secret, request.content_type(), request.body, value)
}

pub(super) fn describe(request: &Received<'_>) -> Described {
    Described::new(
        request.header("x-gitea-event"),
        request.header("x-gitea-delivery"),
    )
}
