//! The engine: connections and transactions, one writer, the readers, and the check for commits of other
//! processes. Nothing above the engine knows how rows are stored on disk.
//!
//! How to read it: `store` is the handle. `writer` commits `job`s in groups, over the `session` that an
//! engine gives it. `readers` read. `published` is the state that the writer shares. `columns` and `packed`
//! define how values are stored in rows. `directory` holds the sources and endpoints in memory. `tally`
//! counts what a transaction changed. `marks` tell the ids of a database from those of its copies. `sqlite/`
//! has everything that is specific to the SQLite file: opening it, its place and lock, its keys, copies of
//! it.

pub(crate) mod columns;
pub(crate) mod conn;
pub(crate) mod directory;
pub(crate) mod forge;
pub(crate) mod group_commit;
pub(crate) mod idempotent_requests;
pub(crate) mod in_progress;
pub(crate) mod job;
#[cfg_attr(
    not(feature = "postgres"),
    allow(dead_code, reason = "a file has no leases")
)]
pub(crate) mod lanes;
pub(crate) mod later;
pub(crate) mod location;
pub(crate) mod marks;
pub(crate) mod measures;
pub(crate) mod moving;
pub(crate) mod packed;
pub(crate) mod partition;
#[cfg(test)]
pub(crate) mod plan;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod published;
pub(crate) mod readers;
pub(crate) mod session;
pub(crate) mod sqlite;
pub(crate) mod store;
pub(crate) mod tally;
pub(crate) mod trouble;
pub(crate) mod value;
pub(crate) mod writer;

pub(crate) use store::Store;
