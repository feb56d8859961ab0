//! Setup: sources and endpoints are added, changed and removed. One file per noun.

pub(crate) mod alert;
pub(crate) mod apply;
pub(crate) mod endpoint;
mod secrets;
pub(crate) mod source;
mod template_check;
