//! History: lists and single records, search, reports, and the feed of new events.

pub(crate) mod follow;
pub(crate) mod list_filter;
pub(crate) mod matches;
pub(crate) mod query;
pub(crate) mod report;
pub(crate) mod search;
