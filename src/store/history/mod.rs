//! Looking at what happened: lists and single records, search, reports, and following what is new.

pub(crate) mod filter;
pub(crate) mod follow;
pub(crate) mod matches;
pub(crate) mod query;
pub(crate) mod report;
pub(crate) mod search;
