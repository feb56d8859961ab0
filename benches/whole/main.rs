//! How fast the whole is, measured from outside: `cargo bench --bench whole`.
//!
//! Every figure stands beside the bare limit of the same machine, taken by the same harness in the
//! same run, in turns: absolute figures mean little on a noisy machine, ratios do. Receiver and
//! driver are processes of their own (this program, started anew), so that their work is not
//! counted as hookbox's.
//!
//! Options: `--json` prints one object a line; `--seconds N` is how long each rate is taken (5);
//! `--repeats N` how often (3), the median is printed; `--long` adds what takes many minutes: five
//! minutes of both at once, and `--growth N` delivered events in the file (10,000,000); `--only
//! WORD` runs the measures whose name has the word; `--folder PATH` is where the files are made.
#![allow(
    clippy::unwrap_used,
    reason = "a measure that cannot go on is to panic"
)]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it prints figures and reads clocks"
)]

mod bare;
mod disk;
mod driver;
mod growth;
mod isolation;
mod measure;
mod options;
mod outage;
mod outbox;
mod payload;
mod postgres;
mod processes;
mod rates;
mod receiver;
mod replaying;
mod served;
mod table;
mod wire;

use std::time::{SystemTime, UNIX_EPOCH};

use driver::Load;
use options::Options;
use processes::Mode;

/// What the driver's pushes are signed with.
pub(crate) const GOGS_SECRET: &str = "topsecret";

/// Size of the pushes: a real one is a few KiB.
pub(crate) const BODY_BYTES: usize = 3_081;

/// A wall clock that two processes share.
pub(crate) fn now_ns() -> u64 {
    u64::try_from(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos(),
    )
    .unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["receiver", address, mode] => receiver::run(address, Mode::read(mode)),
        [
            "driver",
            address,
            senders,
            seconds,
            total,
            rate,
            body_bytes,
            log,
        ] => driver::run(Load {
            address: address.parse().unwrap(),
            senders: senders.parse().unwrap(),
            seconds: seconds.parse().unwrap(),
            total: total.parse().unwrap(),
            rate: rate.parse().unwrap(),
            body_bytes: body_bytes.parse().unwrap(),
            log: *log == "true",
        }),
        options => measure::run(&Options::read(options)),
    }
}
