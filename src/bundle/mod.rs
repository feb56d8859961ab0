//! Bundles: events in a file, for a box without a network, and the word that they arrived.
//!
//! A bundle is a zstd stream of lines, each a JSON object: a head, the events or the ids of events that
//! arrived, and an end with the hash of all lines before it and a signature of that hash. A bundle is read
//! twice: nothing is taken in before all of it was seen to be whole, signed and within its limits.

mod line;
mod read;
mod write;

pub use read::{Acknowledged, TakenIn, acknowledge, take_in};
pub use write::{Chosen, Written, write_acks, write_events};

#[cfg(test)]
mod fuzz;
