//! The way out: what is due, what came of an attempt, and what the scheduler has to remember.

pub(crate) mod clock_shift;
pub(crate) mod due;
pub(crate) mod endpoint_state;
pub(crate) mod expire;
pub(crate) mod hold;
pub(crate) mod record;
pub(crate) mod set_aside;
