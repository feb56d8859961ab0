//! The way in: events from requests and from the outbox, which endpoints want them, and rejected requests.

pub(crate) mod accept;
pub(crate) mod outbox;
pub(crate) mod rejected;
mod relay_box;
pub(crate) mod route;
