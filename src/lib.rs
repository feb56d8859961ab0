//! hookbox: an embedded, local-first delivery store for webhooks, with replay.
//!
//! One binary, one SQLite file. Events come in and are on disk before their sender gets a success answer.
//! Then they are POSTed, signed, to every endpoint that wants them, until each endpoint has them.
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
//! 1. [`inbound`] reads a request, verifies its signature, and determines the event's type and key.
//! 2. [`store`] reads from the body what happened ([`model::activity`]) and applies the endpoints' filters
//!    ([`model::filter`]). In one transaction it writes the event and one delivery for each endpoint that
//!    wants it. After the fsync `inbound` answers 202.
//! 3. [`outbound`]'s scheduler finds what is due, renders and signs it, sends it, and decides what the
//!    answer means. The store records the attempt and changes the delivery's state.
//! 4. [`status`] and [`cli`] show what is in the store and ask it for replays.
//!
//! # Layers
//!
//! Imports point down only; a test checks this:
//!
//! ```text
//! cli > service > (bundle, config, inbound, outbound, status) > store > model > signature > (error, time)
//! ```
//!
//! `inbound`, `outbound` and `status` never import each other; they meet in the store.
//!
//! | module | owns | must never |
//! | --- | --- | --- |
//! | [`model`] | the nouns, their states and state changes | read a clock, open a file, use the network |
//! | [`signature`] | signing and verifying, for inbound and outbound | store a signature |
//! | [`store`] | the file and every SQL statement | read a clock, keep a transaction open after a call returns |
//! | [`bundle`] | events in a file, for a box without a network | take anything in before all was seen |
//! | [`config`] | `hookbox.toml`: what shall be, in one file | contain SQL |
//! | [`inbound`] | the way in | answer 2xx before the commit |
//! | [`outbound`] | the way out | write to claim work |
//! | [`status`] | the pages | change anything on a GET, show a secret |
//! | [`service`] | the order of start and stop | decide anything |
//!
//! # What always holds
//!
//! - A 2xx to a sender means that the commit has been fsynced.
//! - At least once: `webhook-id` is the event's id and stays the same over retries and replays.
//! - No transaction is open while a request is on the wire.
//! - There is one scheduler per file, guaranteed by a lock. What is in flight is only in its memory, so
//!   claiming costs no write, and a crash leaves deliveries pending.
//! - Unreachable is not refused: it spends no tries, and one outage row stands for all probes.
//! - A settled delivery never changes, except that a replay may supersede it. A replay is a new delivery.
//! - A user's expression never runs inside the writer's transaction, except when an endpoint was changed
//!   while an event was being stored. If an expression fails, its event is sent.
//! - Time, randomness and the network are arguments: [`time::Clock`], a seed, [`outbound::Transport`].
//!
//! # Words
//!
//! | word | means |
//! | --- | --- |
//! | source | a verified way in: a kind, a path, a secret |
//! | preset | a known sender, with its rules for kind `generic` |
//! | handshake | a request that a sender makes once before it sends events; it is not an event |
//! | rejected request | a request that a source did not accept: the reason, the address, the headers (in JSON and in some names in code: `refusal`) |
//! | event | one fact, stored once, bytes exact, never changed |
//! | idempotency key | names an event for its sender: the same key of the same source is the same event |
//! | activity | what an event's body says happened: who did what to which repository |
//! | endpoint | where events go: URL, format, signature scheme, filters, retry policy |
//! | path | the boxes and sources that an event has passed, in `Hookbox-Path`; it prevents endless loops |
//! | doubt | a warning about an endpoint's settings: they are valid, but probably a mistake |
//! | format | the form in which an event is sent: raw, a chat message, or the output of a template |
//! | chat | a chat system that takes events as messages; it has its own limits and answers |
//! | window | the times at which an endpoint may be sent to |
//! | hold | nothing is sent to an endpoint until a person resumes it; its deliveries wait |
//! | filter | a condition that an event must meet before it is owed to an endpoint |
//! | selection | which events, deliveries or outages are listed or replayed (on pages and in JSON: `filter`) |
//! | outbox | the view that other programs insert into, in their own transactions |
//! | delivery | one event owed to one endpoint; it has the state |
//! | settled | delivered, dead or cancelled: no longer pending |
//! | attempt | one HTTP try of a delivery, with the request and the response |
//! | expectation | what a reply must contain, besides a 2xx, to count as delivered |
//! | verdict | what a reply means: accepted, retryable, rate limited, rejected, needs an operator, and so on |
//! | decision | what follows from a verdict: the outcome, the delivery's state change, a pause or a hold of the endpoint |
//! | retry | the scheduler tries a delivery again, on its own |
//! | retry schedule | when a refused delivery is tried again: a ladder (a list of waits) or a cron expression |
//! | replay | a person asks for it again: a new delivery, linked by `replay_of` |
//! | superseded | a dead or cancelled delivery whose event a later replay delivered to the same endpoint |
//! | outage | the time in which an endpoint cannot be reached: one row that grows |
//! | failing endpoint | an endpoint that is reached and refuses everything that it is sent; after five days it is held |
//! | circuit | the scheduler's state of an outage: when the next probe may be sent |
//! | pace | the scheduler's state of an endpoint's rate limit: when requests ended, and until when the endpoint asked for none |
//! | lane | an endpoint's queue in the scheduler: what is ready, what is in flight |
//! | room | how much more is allowed now: requests, deliveries, or bytes of memory or disk |
//! | box | one database file; its random id, a part of every outer id, separates its ids from those of other files |
//! | mark | the last part of an outer id, drawn by each process that creates rows: it separates the ids of a file from those of its copies |

#[macro_use]
mod names;
pub mod bundle;
pub mod cli;
pub mod config;
pub mod error;
#[cfg(test)]
mod fuzz;
pub mod inbound;
pub mod model;
pub mod outbound;
mod panics;
pub mod service;
pub mod signature;
pub mod status;
pub mod store;
pub mod time;

pub use error::{Error, Result};
pub use service::Hookbox;
pub use store::enqueue;
#[cfg(feature = "postgres")]
pub use store::enqueue_async;

/// The database library of the store. A program that adds events in its own transactions ([`enqueue`])
/// needs connections of the same version.
pub use rusqlite;

/// The same for a database on a server.
#[cfg(feature = "postgres")]
pub use postgres;

/// The same for an application that waits without blocking ([`enqueue_async`]).
#[cfg(feature = "postgres")]
pub use tokio_postgres;
