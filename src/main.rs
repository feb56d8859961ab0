//! hookbox: argv to exit code.

use std::process::ExitCode;

/// A tenth more events a second than with the system's; with musl's it would be several times that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hookbox::cli::run()
}
