//! Gitea: `X-Gitea-Event`, `X-Gitea-Delivery`, `X-Gitea-Signature`; JSON and form mode.
//!
//! A request also carries the headers of Gogs and GitHub; Gitea's own are read. The more exact
//! `X-Gitea-Event-Type` stays among the event's headers. It gives the type if `X-Gitea-Event` is empty, as
//! it is for packages and statuses.

use super::{Described, Received};

pub(super) fn describe(request: &Received<'_>) -> Described {
    Described::new(
        request.first_of(&["x-gitea-event", "x-gitea-event-type"]),
        request.header("x-gitea-delivery"),
    )
}
