//! The status page: what happened, looked at and sent again, in a browser.
//!
//! tiny_http on its own port, private by default, so that nothing done to one listener can stop
//! the other. Pages are rendered here, work without JavaScript and load nothing from outside. It
//! must never show a secret, and never change anything on a GET.
//!
//! How to read it: `server` owns the socket and its threads, `guard` decides who may ask, `route`
//! finds the page, `page` renders it.

mod guard;
mod page;
mod route;
mod server;

pub use server::{StatusConfig, StatusServer};
