//! Sends deliveries: finds what is due, sends it signed, judges the response.
//!
//! Each database file has one scheduler ([`Scheduler`]). It feeds a pool of worker threads that send
//! blocking POSTs. The scheduler keeps the deliveries in flight only in memory: claiming a delivery costs
//! no write, and after a crash a delivery is still pending and is sent again. No transaction is open while
//! a request is on the wire. This module must not know how events come in or how they are looked at: it
//! meets those parts only in the store.
//!
//! How to read it: `scheduler` goes round the endpoints. Each endpoint has a `lane` with its `circuit`, its
//! concurrency limit (`concurrency`) and its rate limit (`rate_limiter`); due times follow `steady_clock`.
//! `pool` runs each `attempt`, which formats (`format`) and signs the event and hands it to the
//! [`Transport`]. `egress` says which addresses may be sent to. `policy` turns the response into a move of
//! the delivery.

mod attempt;
mod circuit;
mod concurrency;
mod egress;
mod format;
mod lane;
mod mailbox;
mod policy;
mod pool;
mod preview;
mod rate_limiter;
mod replayer;
mod scheduler;
mod steady_clock;
mod suspects;
mod transport;

pub use egress::{AddressScope, Egress, Forbidden};
#[doc(hidden)]
pub use format::{Outgoing, render};
#[doc(hidden)]
pub use policy::RETRY_AFTER_MAX;
#[doc(hidden)]
pub use preview::preview;
#[doc(hidden)]
pub use replayer::{Pulse, Replayer, RunningReplayer};
#[doc(hidden)]
pub use scheduler::{RunningScheduler, Scheduler, WORKERS_MAX};
#[doc(hidden)]
pub use transport::{
    ApiClient, Exchange, OutboundRequest, REPLY_BYTES_MAX, SendResult, Transport, UreqTransport,
};

#[cfg(test)]
mod fuzz;
