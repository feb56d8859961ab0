//! The engine: connections and transactions, one writer, readers, and who else wrote. Nothing above it knows
//! how the rows lie on the disk.
//!
//! How to read it: `store` is the handle, `writer` commits the `job`s that it is handed in groups, `readers` read;
//! `published` is what both share. `columns` and `packed` say how values lie in rows, `directory` holds the
//! sources and endpoints in memory, `tally` counts what a transaction changed. `sqlite/` is all that is the
//! file's own: opening it, its place and lock, its keys and marks, copies of it.

pub(crate) mod columns;
pub(crate) mod conn;
pub(crate) mod directory;
pub(crate) mod group_commit;
pub(crate) mod idempotent_requests;
pub(crate) mod job;
pub(crate) mod measures;
pub(crate) mod packed;
pub(crate) mod partition;
#[cfg(test)]
pub(crate) mod plan;
pub(crate) mod published;
pub(crate) mod readers;
pub(crate) mod sqlite;
pub(crate) mod store;
pub(crate) mod tally;
pub(crate) mod trouble;
pub(crate) mod value;
pub(crate) mod writer;

pub(crate) use store::Store;
