//! The ways in: over HTTP, where what producers post is verified and stored before it is called
//! "accepted", and by SQL, where it was committed before anybody here knew of it.
//!
//! hyper on tokio, since thousands of connections may wait for one group commit; each has a
//! deadline for its head, its body and its idle time, and their number is capped. It must never
//! answer 2xx before the commit is on disk, and never send anything out.
//!
//! How to read it: `listener` owns sockets and deadlines, `intake` turns a request into a stored
//! event and an answer, `provider` knows each kind of source, `head` keeps a request's head as it
//! came; `outbox` takes over what other programs put in by SQL.

mod crowd;
mod handshake;
mod head;
mod listener;
mod outbox_worker;
mod provider;
mod receive;

pub use listener::{CONNECTIONS_MAX, Ingest, IngestConfig};
pub use outbox_worker::Outbox;

#[cfg(test)]
mod fuzz;
