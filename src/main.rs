//! hookbox: argv to exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    hookbox::cli::run()
}
