//! The way in: events of requests and of the outbox, who wants each, and requests that were rejected.

pub(crate) mod accept;
pub(crate) mod outbox;
pub(crate) mod rejected;
pub(crate) mod route;
