//! The nouns of hookbox, their states and state changes: pure data and pure functions.
//!
//! Nothing here reads a clock, opens a file or uses the network. There is one file per noun; start
//! with [`event`], then [`endpoint`] and [`delivery`].

pub mod activity;
pub mod address;
pub mod alert;
pub mod attempt;
pub mod calendar;
pub(crate) mod carried;
pub mod chat;
pub mod connection;
pub mod delivery;
pub mod diff;
pub mod digest;
pub mod endpoint;
pub mod event;
pub mod expect;
pub mod expression;
pub mod filter;
pub mod header;
pub mod hops;
pub mod id;
mod jinja;
mod json_value;
pub mod kind;
pub(crate) mod large_body;
pub(crate) mod lenient;
pub(crate) mod line;
pub(crate) mod name;
pub mod node;
pub mod outage;
pub mod rate;
pub mod redact;
pub mod rejected;
pub(crate) mod relay;
mod repair;
pub mod replay;
pub mod retry;
pub mod scope;
pub mod sendable;
pub mod settings;
pub mod source;
pub mod standing;
pub mod stats;
pub mod template;
pub mod text;
pub mod url;
pub mod warning;
pub mod window;

pub use name::check_name;

#[cfg(test)]
mod fuzz;
