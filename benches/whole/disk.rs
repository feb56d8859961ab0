//! What reaches the disk for each event that is taken in and delivered.

use crate::BODY_BYTES;
use crate::driver::Load;
use crate::options::Options;
use crate::processes::{Mode, Receiver, drive, wait_for_pending};
use crate::served::Box;
use crate::table::{Goal, Row, Table};

/// Senders, and events a second of all of them.
const LOADS: [(usize, f64); 5] = [
    (1, 200.0),
    (8, 200.0),
    (8, 1_000.0),
    (64, 200.0),
    (64, 1_000.0),
];

/// How long each of them goes on: a log that is moved into the file four times and more.
const SECONDS: f64 = 15.0;

pub(crate) fn disk(options: &Options, table: &Table) {
    for (senders, rate) in LOADS {
        let here = Box::new(&options.folder);
        let receiver = Receiver::start(Mode::Count);
        here.endpoint("ci", receiver.address);
        let served = here.serve();
        let load = Load {
            senders,
            rate,
            ..Load::of(served.ingest, SECONDS)
        };
        let before = served.written_bytes();
        let events = drive(&load)["accepted"].as_f64().unwrap();
        wait_for_pending(&here, 0);
        let written = (served.written_bytes() - before) as f64;
        table.print(&Row {
            name: format!("written to disk, {senders} senders, {rate:.0}/s"),
            value: written / events / BODY_BYTES as f64,
            unit: "x payload",
            share: None,
            goal: Goal::AtMost(3.0),
        });
    }
    let here = Box::new(&options.folder);
    let receiver = Receiver::start(Mode::Count);
    here.endpoint("ci", receiver.address);
    let served = here.serve();
    let load = Load {
        senders: 64,
        total: 100_000,
        ..Load::of(served.ingest, 600.0)
    };
    let events = drive(&load)["accepted"].as_f64().unwrap();
    wait_for_pending(&here, 0);
    drop(served);
    table.print(&Row {
        name: "file after 100,000 events".to_owned(),
        value: here.bytes() as f64 / events / BODY_BYTES as f64,
        unit: "x payload",
        share: None,
        goal: Goal::AtMost(1.5),
    });
}
