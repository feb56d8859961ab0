//! The measures, and the turns in which they are taken.

use std::time::Duration;

use crate::BODY_BYTES;
use crate::disk::disk;
use crate::driver::Load;
use crate::growth::growth;
use crate::isolation::isolation;
use crate::options::{Options, median};
use crate::outage::{outage, week};
use crate::outbox::outbox;
use crate::postgres::postgres;
use crate::processes::{Mode, Receiver, closed_port, drive, wait_for_pending};
use crate::rates::rates;
use crate::replaying::replaying;
use crate::served::Box;
use crate::table::{Goal, Row, Table};

/// Takes every measure in turns and prints the table.
pub(crate) fn run(options: &Options) {
    let table = Table { json: options.json };
    if !options.json {
        println!(
            "{:<44} {:>12} {:<10} {:<26} {:<10} met",
            "measure", "median", "unit", "share", "goal"
        );
    }
    rates(options, &table);
    for (name, measure) in [
        ("latency", latency as fn(&Options, &Table)),
        ("disk", disk),
        ("million", million),
        ("outage", outage),
        ("week", week),
        ("isolation", isolation),
        ("replay", replaying),
        ("sql", outbox),
        ("idle", idle),
        ("postgres", postgres),
    ] {
        if options.wants(name) {
            measure(options, &table);
        }
    }
    if options.long && options.wants("growth") {
        growth(options, &table);
    }
}

/// From the answer "accepted" to the receiver, at 20 events a second.
fn latency(options: &Options, table: &Table) {
    let here = Box::new(&options.folder);
    let receiver = Receiver::start(Mode::Log);
    here.endpoint("ci", receiver.address);
    let served = here.serve();
    let load = Load {
        rate: 20.0,
        log: true,
        ..Load::of(served.ingest, options.seconds * 6.0)
    };
    let accepted = drive(&load);
    wait_for_pending(&here, 0);
    let (p50, p99) = receiver.took_ms(&accepted);
    for (name, value, goal) in [("p50", p50, 0.25), ("p99", p99, 1.0)] {
        table.print(&Row {
            name: format!("accepted to received at 20/s, {name}"),
            value,
            unit: "ms",
            share: None,
            goal: Goal::AtMost(goal),
        });
    }
}

/// A million pending deliveries over a hundred endpoints.
fn million(options: &Options, table: &Table) {
    let here = Box::new(&options.folder);
    let receiver = Receiver::start(Mode::Count);
    for number in 0..100 {
        here.endpoint(&format!("e{number}"), receiver.address);
    }
    here.preload(10_000, BODY_BYTES);
    let served = here.serve();
    while receiver.count() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let first = served.began.elapsed();
    std::thread::sleep(Duration::from_secs_f64(options.seconds));
    let rows = [
        (
            "1,000,000 pending: first delivery",
            first.as_secs_f64() * 1000.0,
            "ms",
            500.0,
        ),
        (
            "1,000,000 pending: resident at most",
            served.memory_kib().1 as f64 / 1024.0,
            "MiB",
            64.0,
        ),
    ];
    for (name, value, unit, goal) in rows {
        table.print(&Row {
            name: name.to_owned(),
            value,
            unit,
            share: None,
            goal: Goal::AtMost(goal),
        });
    }
}

/// What it costs to be there.
fn idle(options: &Options, table: &Table) {
    let here = Box::new(&options.folder);
    here.endpoint("nobody", closed_port());
    let ready = median(
        (0..5)
            .map(|_| here.serve().ready.as_secs_f64() * 1000.0)
            .collect(),
    );
    let served = here.serve();
    std::thread::sleep(Duration::from_secs(1));
    let before = served.cpu();
    let window = Duration::from_secs_f64(options.seconds * 6.0);
    std::thread::sleep(window);
    let share = (served.cpu() - before).as_secs_f64() / window.as_secs_f64() * 100.0;
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_hookbox"))
        .unwrap()
        .len();
    let rows = [
        ("ready", ready, "ms", 100.0),
        ("idle, of one core", share, "%", 0.05),
        (
            "idle, resident",
            served.memory_kib().0 as f64 / 1024.0,
            "MiB",
            20.0,
        ),
        ("binary", binary as f64 / 1_048_576.0, "MiB", 12.0),
    ];
    for (name, value, unit, goal) in rows {
        table.print(&Row {
            name: name.to_owned(),
            value,
            unit,
            share: None,
            goal: Goal::AtMost(goal),
        });
    }
}
