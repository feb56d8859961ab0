//! Upkeep of the store: removing old rows, and the checks for the doctor.

mod alerts;
pub(crate) mod doctor;
pub(crate) mod index;
pub(crate) mod prune;
pub(crate) mod retention;
