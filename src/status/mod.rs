//! The status page: shows what happened, and replays it, in a browser.
//!
//! It is tiny_http on its own port, private by default, so that nothing done to one listener can stop the
//! other. Pages are rendered here, work without JavaScript and load nothing from outside. The page must
//! never show a secret, and must never change anything on a GET.
//!
//! How to read it: `gate` owns the socket and lets only whole, small requests through to tiny_http, which
//! `server` runs with its workers. `access` checks tokens, `guard` blocks requests of other sites, `route`
//! finds the page, and `page` renders it.

mod access;
mod actions;
mod api;
mod api_requests;
mod body;
mod config;
mod connections;
mod deadline;
mod gate;
mod guard;
mod in_progress_keys;
mod login_session;
mod metrics;
mod page;
mod private_socket;
mod replaying;
mod reply;
mod role;
mod route;
mod sent;
mod server;
mod site;
mod state;

pub use access::Tokens;
pub use config::StatusConfig;
#[doc(hidden)]
pub use config::{Neighbours, Preview};
#[doc(hidden)]
pub use server::StatusServer;

#[cfg(test)]
mod fuzz;
