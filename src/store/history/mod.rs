//! History: lists and single records, search, reports, and the feed of new events.

pub(crate) mod conditions;
pub(crate) mod follow;
pub(crate) mod matches;
mod place;
pub(crate) mod query;
pub(crate) mod report;
pub(crate) mod search;
