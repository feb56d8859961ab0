//! Everything that is specific to PostgreSQL: the connection, the SQL that it speaks, the schema, and how
//! keys are stored in it.

pub(crate) mod app;
mod balance;
pub(crate) mod client;
pub(crate) mod fault;
pub(crate) mod keys;
pub(crate) mod moving;
pub(crate) mod node_file;
pub(crate) mod nodes;
pub(crate) mod open;
mod posted;
pub(crate) mod session;
mod tls;
mod translate;
mod value;
