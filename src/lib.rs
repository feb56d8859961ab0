//! hookbox: an embedded, local-first delivery store for webhooks, with replay.
//!
//! One binary, one SQLite file. Events go in, are on disk before anyone hears "accepted", and are
//! POSTed, signed, to every endpoint that wants them until each has them.
//!
//! # The path of an event
//!
//! ```text
//!  producer ──POST──▶ inbound ──┐                        ┌──▶ outbound ──POST──▶ endpoint
//!                               ├──▶ store (one file) ───┤        │ what came back
//!  command line ───enqueue──────┤        ▲               └──▶ status (pages)
//!  another program ──insert─────┘        │
//!                                        └───────────────── attempts, moves
//! ```
//!
//! 1. [`inbound`] reads a request, verifies its signature, names its type and key.
//! 2. [`store`] reads what the body says happened ([`model::activity`]) and asks the endpoints'
//!    filters ([`model::filter`]), writes the event and one delivery an endpoint that wants it in
//!    one transaction, fsyncs, and only then lets `inbound` answer 202.
//! 3. [`outbound`]'s scheduler finds what is due, renders and signs it, sends it, and judges what
//!    comes back; the store records the attempt and moves the delivery.
//! 4. [`status`] and [`cli`] show what is in the store and ask it for replays.
//!
//! # Layers
//!
//! Imports point down, and a test holds them to it:
//!
//! ```text
//! cli > service > (inbound, outbound, status) > store > model > signature > (error, time)
//! ```
//!
//! `inbound`, `outbound` and `status` never import each other; they meet in the store.
//!
//! | module | owns | must never |
//! | --- | --- | --- |
//! | [`model`] | the nouns, their states and moves | read a clock, open a file, speak to a network |
//! | [`signature`] | signing and verifying, for both doors | store a signature |
//! | [`store`] | the file and every SQL statement | read a clock, hold a transaction over a call |
//! | [`inbound`] | the way in | answer 2xx before the commit |
//! | [`outbound`] | the way out | write to claim work |
//! | [`status`] | the pages | change anything on a GET, show a secret |
//! | [`service`] | the order of starting and stopping | decide anything |
//!
//! # What always holds
//!
//! - A 2xx at the way in means that the commit has been fsynced.
//! - At least once: `webhook-id` is the event's id and stays the same over retries and replays.
//! - No transaction is open while a request is on the wire.
//! - One scheduler a file, held by a lock; what is in flight is in its memory only, so claiming
//!   costs no write, and a crash leaves deliveries pending.
//! - Unreachable is not refused: it spends no tries, and one outage row stands for all probes.
//! - A settled delivery never changes; a replay is a new delivery.
//! - No expression of a user's runs inside the writer's transaction, but where an endpoint changed
//!   while an event was on its way; one that fails lets its event pass.
//! - Time, chance and the network are arguments: [`time::Clock`], a seed,
//!   [`outbound::Transport`].
//!
//! # Words
//!
//! | word | means |
//! | --- | --- |
//! | source | a verified way in: a kind, a path, a secret |
//! | preset | a sender whose rules over kind `generic` are known |
//! | handshake | what a sender asks before it sends events; no event |
//! | refusal | a request that a source did not take: why, from where, with which headers |
//! | event | one fact, stored once, bytes exact, never changed |
//! | activity | what an event's body says happened: who did what to which repository |
//! | endpoint | where events go: URL, format, signature scheme, filters, retry policy |
//! | path | the boxes and sources that an event has passed, in `Hookbox-Path`, so that it does not go round |
//! | doubt | what may be wrong with an endpoint that works as it is set |
//! | format | the shape in which an event is sent: raw, a message in a chat, or what a template makes of it |
//! | chat | a system whose robots are told what happened, with limits and answers of its own |
//! | window | when an endpoint is sent to |
//! | hold | nothing is sent to an endpoint until a person says so; everything waits |
//! | filter | what an endpoint asks of an event before it is owed it |
//! | outbox | the view that other programs insert into, in transactions of their own |
//! | delivery | one event owed to one endpoint; it has the state |
//! | attempt | one HTTP try of a delivery, with what was sent and what came back |
//! | expectation | what a reply must be, besides a 2xx, to count as delivered |
//! | retry | the scheduler tries a delivery again, by itself |
//! | replay | a person asks for it again: a new delivery, linked by `replay_of` |
//! | outage | the time in which an endpoint cannot be reached: one row that grows |
//! | circuit | what the scheduler knows of an outage: when the next probe may go |
//! | pace | what the scheduler knows of an endpoint's rate: when requests ended, and how long it asked to be left alone |
//! | lane | an endpoint's place in the scheduler: what is ready, what is in flight |

mod caught;
pub mod cli;
pub mod error;
#[cfg(test)]
mod fuzz;
pub mod inbound;
pub mod model;
pub mod outbound;
pub mod service;
pub mod signature;
pub mod status;
pub mod store;
pub mod time;

pub use error::{Error, Result};
pub use service::Hookbox;
pub use store::enqueue;

/// What the store is built on: a program that puts events into its own transactions
/// ([`enqueue`]) needs connections of the same version.
pub use rusqlite;
