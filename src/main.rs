//! hookbox: argv to exit code.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// A tenth more events a second than with the system's; with musl's it would be several times that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// After how many milliseconds memory that nobody uses is given back: mimalloc reads it when a process begins.
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";

fn main() -> ExitCode {
    let is_service = std::env::args_os().any(|argument| argument == "serve");
    if is_service && std::env::var_os(PURGE_DELAY).is_none() {
        begin_again();
    }
    hookbox::cli::run()
}

/// Begins once more, as the same process, and gives memory back at once: by itself mimalloc keeps it for
/// seconds, and large bodies would take twice as much. Where that cannot be, it goes on as it is.
fn begin_again() {
    let mut arguments = std::env::args_os();
    if let (Some(name), Ok(program)) = (arguments.next(), std::env::current_exe()) {
        let _ = Command::new(program)
            .arg0(name)
            .args(arguments)
            .env(PURGE_DELAY, "0")
            .exec();
    }
}
