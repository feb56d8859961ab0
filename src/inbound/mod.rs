//! The way in over HTTP: a listener that verifies what producers post and stores it before it
//! says "accepted".
//!
//! hyper on tokio, since thousands of connections may wait for one group commit; each has a
//! deadline for its head, its body and its idle time, and their number is capped. It must never
//! answer 2xx before the commit is on disk, and never send anything out.
//!
//! How to read it: `listener` owns sockets and deadlines, `door` turns a request into a stored
//! event and an answer, `provider` knows each kind of source, `head` keeps a request's head as it
//! came.

mod door;
mod head;
mod listener;
mod provider;

pub use listener::{CONNECTIONS_MAX, Ingest, IngestConfig};
