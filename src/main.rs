//! hookbox.
fn main() {}
