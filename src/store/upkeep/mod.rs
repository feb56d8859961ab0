//! Looking after what is stored: removing what is old, and what the doctor asks.

pub(crate) mod doctor;
pub(crate) mod prune;
pub(crate) mod retention;
