//! What people set up: sources and endpoints, added, changed and removed. One file a noun.

pub(crate) mod endpoint;
mod secrets;
mod source;
mod trial;
