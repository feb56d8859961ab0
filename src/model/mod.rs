//! The nouns of hookbox, their states and state changes: pure data and pure functions.
//!
//! Nothing here reads a clock, opens a file or uses the network. There is one file per noun; start
//! with [`event`], then [`endpoint`] and [`delivery`].

#[doc(hidden)]
pub mod activity;
#[doc(hidden)]
pub mod address;
pub mod alert;
pub mod attempt;
#[doc(hidden)]
pub mod calendar;
pub(crate) mod carried;
pub mod chat;
pub mod connection;
pub mod delivery;
#[doc(hidden)]
pub mod diff;
pub mod digest;
pub mod endpoint;
pub mod event;
pub mod expect;
#[doc(hidden)]
pub mod expression;
pub mod filter;
pub mod header;
#[doc(hidden)]
pub mod hops;
pub mod id;
mod jinja;
mod json_value;
pub mod kind;
pub(crate) mod large_body;
pub(crate) mod lenient;
pub(crate) mod line;
pub(crate) mod name;
#[doc(hidden)]
pub mod node;
pub mod outage;
pub mod rate;
#[doc(hidden)]
pub mod redact;
pub mod rejected;
pub(crate) mod relay;
mod repair;
pub mod replay;
pub mod retry;
#[doc(hidden)]
pub mod scope;
#[doc(hidden)]
pub mod sendable;
#[doc(hidden)]
pub mod settings;
pub mod source;
#[doc(hidden)]
pub mod standing;
pub mod stats;
#[doc(hidden)]
pub mod template;
#[doc(hidden)]
pub mod text;
pub mod url;
#[doc(hidden)]
pub mod warning;
pub mod window;

pub use name::check_name;

#[cfg(test)]
mod fuzz;
