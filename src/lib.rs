//! hookbox.
pub mod error;
pub mod model;
pub mod signature;
pub mod store;
pub mod time;

pub use error::{Error, Result};
