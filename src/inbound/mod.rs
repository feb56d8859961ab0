//! Takes events in: over HTTP and from the SQL outbox.
//!
//! Over HTTP a request is verified and stored before it is accepted. By SQL the event was committed by
//! another program before anything here knew of it.
//!
//! The HTTP listener is hyper on tokio, since thousands of connections may wait for one group commit. Each
//! connection has a deadline for its head, its body and its idle time, and the number of connections is
//! limited. This module must never answer 2xx before the commit is on disk, and never send anything out.
//!
//! How to read it: `listener` owns sockets and deadlines; `crowd` decides which connection is closed when
//! there is no room; `receive` turns a request into a stored event and a response; `handshake` answers a
//! sender's first check; `provider` knows each kind of source; `head` keeps a request's head as it came;
//! `outbox_worker` takes over what other programs insert by SQL; `import` takes in what a forge sent and was
//! never heard of, out of the forge's own database; `redelivery` asks a forge by its API to send that again.

mod body;
mod connection_limiter;
mod handshake;
mod head;
mod import;
mod listener;
mod outbox_worker;
mod provider;
mod receive;
mod redelivery;
mod rejection;
mod relay;
mod reply;

#[doc(hidden)]
pub use import::{Import, Imported, import, source_of, usual_since};
#[doc(hidden)]
pub use listener::Ingest;
pub use listener::{CONNECTIONS_MAX, IngestConfig};
#[doc(hidden)]
pub use outbox_worker::Outbox;
#[doc(hidden)]
pub use redelivery::{ForgeApi, Redelivered, Redelivery, ask_again};

#[cfg(test)]
mod fuzz;
