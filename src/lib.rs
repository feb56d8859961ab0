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
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `cli` (default) | the program: its commands, and `hookbox.toml`; it takes `page` |
//! | `page` | the status page, its API and the metrics ([`status`]) |
//! | `postgres` (default) | databases at `postgres://...` |
//!
//! Without any, a program takes events in, stores and delivers them: `default-features = false`.
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
#![doc = include_str!("../docs/words.md")]

#[macro_use]
mod names;
#[doc(hidden)]
pub mod bundle;
#[cfg(feature = "cli")]
#[doc(hidden)]
#[allow(rustdoc::bare_urls, reason = "its comments are help texts")]
pub mod cli;
#[cfg(feature = "cli")]
#[doc(hidden)]
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
#[cfg(feature = "page")]
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
