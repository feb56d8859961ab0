//! What tests share, one file a noun: the database under test, the served process, receivers,
//! a scripted transport, proxies, a browser, and what asks over HTTP.
//!
//! Fakes are scripted and strict: an unexpected call fails the test.

mod bench;
mod filled;
mod http;
mod own_server;
pub mod proxy;
mod receiver;
mod samples;
mod script;
mod served;
mod snapshot;
mod test_db;
mod tools;
mod waiting;
pub mod webdriver;

pub use bench::Bench;
pub use http::{ask, connect, raw, try_ask};
pub use own_server::OwnServer;
pub use receiver::{ReceivedRequest, Receiver, closed_port, listener, serve_each};
pub use samples::{DAY, GOGS_SECRET, HOUR, NOON, PUSH, at, event};
pub use script::{Script, replied, replied_with, unreachable};
pub use served::{FREE_PORT, SERVE, Served, send_signal};
pub use snapshot::assert_kept;
pub use test_db::{Ran, TestDb, sql};
pub use tools::{binary, built_shim, is_missing, no_server, number_from, on_server, say};
pub use waiting::{PATIENCE, wait_until};
