//! The way out: finds what is due, sends it signed, and decides what the answer means.
//!
//! One scheduler a file ([`Scheduler`]) feeds a pool of worker threads that send blocking POSTs.
//! What is in flight is known only in its memory: claiming costs no write, and after a crash a
//! delivery is still pending and is sent again. No transaction is open while a request is on the
//! wire. It must not know how events come in or how they are looked at: it meets those in the
//! store.
//!
//! How to read it: `scheduler` goes round the endpoints, each a `lane` with its `circuit`, its
//! `flow` and its `pace`, by a `steady` time; `pool` runs each `attempt`, which `format`s and signs
//! the event and work_log it to the [`Transport`]; `egress` says where that may go; `policy` turns what
//! came back into a move of the delivery.

mod attempt;
mod circuit;
mod concurrency;
mod egress;
mod format;
mod lane;
mod mailbox;
mod policy;
mod pool;
mod rate_limiter;
mod replayer;
mod scheduler;
mod steady_clock;
mod suspects;
mod transport;

pub use egress::{AddressScope, Egress, Forbidden};
pub use format::{RenderContext, render};
pub use policy::RETRY_AFTER_MAX;
pub use replayer::{Pulse, Replayer, RunningReplayer};
pub use scheduler::{RunningScheduler, Scheduler, WORKERS_MAX};
pub use transport::{Answer, Exchange, OutboundRequest, REPLY_BYTES_MAX, Transport, UreqTransport};

#[cfg(test)]
mod fuzz;
