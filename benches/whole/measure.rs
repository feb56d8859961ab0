//! The measures, and the turns in which they are taken.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::driver::Load;
use crate::growth::growth;
use crate::isolation::isolation;
use crate::options::{Options, median};
use crate::outage::{outage, week};
use crate::outbox::outbox;
use crate::postgres::postgres;
use crate::processes::{Mode, Receiver, closed_port, drive, wait_for_pending};
use crate::replaying::replaying;
use crate::served::Box;
use crate::table::{Goal, Row, Table};
use crate::{BODY_BYTES, bare};

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

/// Rates beside the bare limits, in turns.
fn rates(options: &Options, table: &Table) {
    if !["bare", "ingest", "drain", "both"]
        .iter()
        .any(|name| options.wants(name))
    {
        return;
    }
    let mut store = Vec::new();
    let mut alone = Vec::new();
    let mut send: HashMap<usize, Vec<f64>> = HashMap::new();
    let mut ingest: HashMap<usize, Vec<Value>> = HashMap::new();
    let mut drained = Vec::new();
    for _ in 0..options.repeats {
        store.push(bare::store(
            &options.folder,
            BODY_BYTES,
            128,
            options.seconds,
        ));
        if options.wants("ingest") {
            ingest.entry(64).or_default().push(ingest_with(options, 64));
            alone.push(bare::store(
                &options.folder,
                BODY_BYTES,
                1,
                options.seconds / 2.0,
            ));
            ingest.entry(1).or_default().push(ingest_with(options, 1));
        }
        for threads in [1, 2, 4, 8] {
            let receiver = Receiver::start(Mode::Count);
            let rate = bare::send(receiver.address, threads, BODY_BYTES, options.seconds / 2.0);
            send.entry(threads).or_default().push(rate);
        }
        if options.wants("drain") {
            drained.push(drain(options, 100_000));
        }
    }
    let store = median(store);
    let plain = |name: String, value, unit| Row {
        name,
        value,
        unit,
        share: None,
        goal: Goal::None,
    };
    table.print(&plain(
        "bare store, 128 a commit".to_owned(),
        store,
        "events/s",
    ));
    let best = send
        .into_iter()
        .map(|(threads, rates)| (threads, median(rates)))
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .unwrap();
    table.print(&plain(
        format!("bare send, {} threads", best.0),
        best.1,
        "posts/s",
    ));
    if let (Some(many), Some(one)) = (ingest.get(&64), ingest.get(&1)) {
        let of = |values: &[Value], field: &str| {
            median(values.iter().map(|v| v[field].as_f64().unwrap()).collect())
        };
        let rate = of(many, "per_second");
        table.print(&Row {
            name: "ingest, 64 senders".to_owned(),
            value: rate,
            unit: "events/s",
            share: Some((rate / store, "bare store")),
            goal: Goal::AtLeast(0.6),
        });
        let commit_us = 1e6 / median(alone);
        let p50 = of(one, "p50_us");
        table.print(&plain(
            "bare commit of one event".to_owned(),
            commit_us,
            "us",
        ));
        table.print(&Row {
            name: "ingest, 1 sender, p50".to_owned(),
            value: p50,
            unit: "us",
            share: Some((p50 / commit_us, "bare commit")),
            goal: Goal::AtMost(2.0),
        });
        let p99 = of(one, "p99_us") / 1000.0;
        table.print(&Row {
            goal: Goal::AtMost(20.0),
            ..plain("ingest, 1 sender, p99".to_owned(), p99, "ms")
        });
    }
    if !drained.is_empty() {
        let rate = median(drained);
        table.print(&Row {
            name: "drain of 100,000".to_owned(),
            value: rate,
            unit: "events/s",
            share: Some((rate / best.1, "bare send")),
            goal: Goal::AtLeast(0.5),
        });
    }
    if options.wants("both") {
        both(options, table, store.min(best.1) * 0.4);
    }
}

/// What 64 or 1 senders get answered, while an unreachable endpoint is owed every event.
fn ingest_with(options: &Options, senders: usize) -> Value {
    let here = Box::new(&options.folder);
    here.endpoint("nobody", closed_port());
    let served = here.serve();
    drive(&Load {
        address: served.ingest,
        senders,
        seconds: options.seconds,
        total: u64::MAX,
        rate: 0.0,
        body_bytes: BODY_BYTES,
        log: false,
    })
}

/// Events a second from the start of the process until all are delivered and recorded.
fn drain(options: &Options, events: u64) -> f64 {
    let here = Box::new(&options.folder);
    let receiver = Receiver::start(Mode::Count);
    here.endpoint("ci", receiver.address);
    here.preload(events, BODY_BYTES);
    let served = here.serve();
    wait_for_pending(&here, 0);
    let rate = events as f64 / served.began.elapsed().as_secs_f64();
    assert!(receiver.count() >= events);
    rate
}

/// In and out at the same time: pending must not grow.
fn both(options: &Options, table: &Table, rate: f64) {
    let seconds = if options.long {
        300.0
    } else {
        options.seconds * 4.0
    };
    let here = Box::new(&options.folder);
    let receiver = Receiver::start(Mode::Count);
    here.endpoint("ci", receiver.address);
    let served = here.serve();
    let load = Load {
        address: served.ingest,
        senders: 64,
        seconds,
        total: u64::MAX,
        rate,
        body_bytes: BODY_BYTES,
        log: false,
    };
    let result = drive(&load);
    let pending = here.store.stats().unwrap().pending;
    let accepted = result["per_second"].as_f64().unwrap();
    table.print(&Row {
        name: format!("both at once for {seconds:.0} s, accepted"),
        value: accepted,
        unit: "events/s",
        share: Some((accepted / rate, "what was offered")),
        goal: Goal::AtLeast(0.98),
    });
    table.print(&Row {
        name: "both at once, pending at the end".to_owned(),
        value: pending as f64 / rate,
        unit: "s of load",
        share: None,
        goal: Goal::AtMost(0.5),
    });
}

/// From the answer "accepted" to the receiver, at 20 events a second.
fn latency(options: &Options, table: &Table) {
    let here = Box::new(&options.folder);
    let receiver = Receiver::start(Mode::Log);
    here.endpoint("ci", receiver.address);
    let served = here.serve();
    let load = Load {
        address: served.ingest,
        senders: 1,
        seconds: options.seconds * 6.0,
        total: u64::MAX,
        rate: 20.0,
        body_bytes: BODY_BYTES,
        log: true,
    };
    let accepted = drive(&load);
    wait_for_pending(&here, 0);
    let (p50, p99) = receiver.took_ms(&accepted);
    for (name, value, goal) in [("p50", p50, 2.0), ("p99", p99, 10.0)] {
        table.print(&Row {
            name: format!("accepted to received at 20/s, {name}"),
            value,
            unit: "ms",
            share: None,
            goal: Goal::AtMost(goal),
        });
    }
}

/// What reaches the disk for each event that is taken in and delivered.
fn disk(options: &Options, table: &Table) {
    let here = Box::new(&options.folder);
    let receiver = Receiver::start(Mode::Count);
    here.endpoint("ci", receiver.address);
    let served = here.serve();
    let mut load = Load {
        address: served.ingest,
        senders: 64,
        seconds: 60.0,
        total: 20_000,
        rate: 1_000.0,
        body_bytes: BODY_BYTES,
        log: false,
    };
    let before = served.written_bytes();
    let events = drive(&load)["accepted"].as_f64().unwrap();
    wait_for_pending(&here, 0);
    let written = (served.written_bytes() - before) as f64;
    table.print(&Row {
        name: "written to disk at 1,000/s".to_owned(),
        value: written / events / BODY_BYTES as f64,
        unit: "x payload",
        share: None,
        goal: Goal::AtMost(4.0),
    });
    load.rate = 0.0;
    load.total = 80_000;
    let more = drive(&load)["accepted"].as_f64().unwrap();
    wait_for_pending(&here, 0);
    drop(served);
    let bytes = here.bytes() as f64;
    table.print(&Row {
        name: "file after 100,000 events".to_owned(),
        value: bytes / (events + more) / BODY_BYTES as f64,
        unit: "x payload",
        share: None,
        goal: Goal::AtMost(1.5),
    });
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
        ("idle, of one core", share, "%", 0.2),
        (
            "idle, resident",
            served.memory_kib().0 as f64 / 1024.0,
            "MiB",
            20.0,
        ),
        ("binary", binary as f64 / 1_048_576.0, "MiB", 10.0),
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
