//! The way out: which deliveries are due, the result of each attempt, and what the scheduler must
//! keep over a restart.

mod arrived;
pub(crate) mod clock_shift;
pub(crate) mod due;
pub(crate) mod endpoint_state;
pub(crate) mod expire;
pub(crate) mod hold;
pub(crate) mod record;
pub(crate) mod set_aside;
