//! Rates beside the bare limits, in turns.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::driver::Load;
use crate::options::{Options, median};
use crate::processes::{Mode, Receiver, closed_port, drive, wait_for_pending};
use crate::served::{Box, Served};
use crate::table::{Goal, Row, Table};
use crate::{BODY_BYTES, bare};

/// How many senders push at the same time.
const SENDERS: [usize; 3] = [1, 8, 64];

/// What a turn measured.
#[derive(Default)]
struct Turns {
    store: Vec<f64>,
    alone: Vec<f64>,
    send: BTreeMap<usize, Vec<f64>>,
    ingest: BTreeMap<usize, Vec<Value>>,
    delivering: BTreeMap<usize, Vec<Value>>,
    drained: Vec<f64>,
    /// Processor time of an event in a drain, by thread, in microseconds.
    threads: BTreeMap<String, Vec<f64>>,
    switches: Vec<f64>,
    /// Resident memory at its highest in a drain, in MiB.
    resident: Vec<f64>,
}

pub(crate) fn rates(options: &Options, table: &Table) {
    let names = ["bare", "ingest", "drain", "delivering", "both"];
    if !names.iter().any(|name| options.wants(name)) {
        return;
    }
    let mut turns = Turns::default();
    for _ in 0..options.repeats {
        turn(options, &mut turns);
    }
    let store = median(turns.store.clone());
    let commit_us = 1e6 / median(turns.alone.clone());
    let (threads, send) = turns
        .send
        .iter()
        .map(|(threads, rates)| (threads, median(rates.clone())))
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .unwrap();
    table.print(&plain("bare store, 128 a commit", store, "events/s"));
    table.print(&plain("bare commit of one event", commit_us, "us"));
    let name = format!("bare send, {threads} threads");
    table.print(&plain(&name, send, "posts/s"));
    ingested(table, &turns, store, commit_us);
    drains(table, &turns, send);
    delivered(table, &turns, commit_us);
    if options.wants("both") {
        both(options, table, store.min(send) * 0.4);
    }
}

/// Takes each measure once.
fn turn(options: &Options, turns: &mut Turns) {
    let stored = |a_commit| bare::store(&options.folder, BODY_BYTES, a_commit, options.seconds);
    turns.store.push(stored(128));
    turns.alone.push(stored(1));
    if options.wants("ingest") {
        for senders in SENDERS {
            let result = ingest_with(options, senders);
            turns.ingest.entry(senders).or_default().push(result);
        }
    }
    for threads in [1, 2, 4, 8] {
        let receiver = Receiver::start(Mode::Count);
        let rate = bare::send(receiver.address, threads, BODY_BYTES, options.seconds / 2.0);
        turns.send.entry(threads).or_default().push(rate);
    }
    if options.wants("drain") {
        drain(options, 100_000, turns);
    }
    if options.wants("delivering") {
        for senders in SENDERS {
            let result = while_delivering(options, senders);
            turns.delivering.entry(senders).or_default().push(result);
        }
    }
}

fn ingested(table: &Table, turns: &Turns, store: f64, commit_us: f64) {
    for (senders, values) in &turns.ingest {
        let rate = of(values, "per_second");
        let is_many = *senders == 64;
        table.print(&Row {
            share: is_many.then_some((rate / store, "bare store")),
            goal: if is_many {
                Goal::AtLeast(0.85)
            } else {
                Goal::None
            },
            ..plain(&format!("ingest, {senders} senders"), rate, "events/s")
        });
        if *senders == 1 {
            let p50 = of(values, "p50_us");
            table.print(&Row {
                share: Some((p50 / commit_us, "bare commit")),
                goal: Goal::AtMost(1.5),
                ..plain("ingest, 1 sender, p50", p50, "us")
            });
            let p99 = of(values, "p99_us") / 1000.0;
            table.print(&Row {
                goal: Goal::AtMost(20.0),
                ..plain("ingest, 1 sender, p99", p99, "ms")
            });
        }
    }
}

fn drains(table: &Table, turns: &Turns, send: f64) {
    if turns.drained.is_empty() {
        return;
    }
    let rate = median(turns.drained.clone());
    table.print(&Row {
        share: Some((rate / send, "bare send")),
        goal: Goal::AtLeast(0.6),
        ..plain("drain of 100,000", rate, "events/s")
    });
    for (name, values) in &turns.threads {
        let value = median(values.clone());
        // What is less than a microsecond an event is not worth a line.
        if value >= 1.0 {
            table.print(&plain(
                &format!("drain: processor, {name}"),
                value,
                "us/event",
            ));
        }
    }
    let switches = median(turns.switches.clone());
    table.print(&plain("drain: context switches", switches, "an event"));
    table.print(&Row {
        goal: Goal::AtMost(64.0),
        ..plain(
            "drain: resident at most",
            median(turns.resident.clone()),
            "MiB",
        )
    });
}

fn delivered(table: &Table, turns: &Turns, commit_us: f64) {
    for (senders, values) in &turns.delivering {
        let rate = of(values, "per_second");
        let goal = match senders {
            1 => Goal::None,
            _ => Goal::AtLeast(8_000.0),
        };
        table.print(&Row {
            goal,
            ..plain(
                &format!("ingest while delivering, {senders} senders"),
                rate,
                "events/s",
            )
        });
        let name = format!("ingest while delivering, {senders} senders, p50");
        let p50 = of(values, "p50_us");
        table.print(&match senders {
            1 => Row {
                share: Some((p50 / commit_us, "bare commit")),
                goal: Goal::AtMost(2.0),
                ..plain(&name, p50, "us")
            },
            _ => plain(&name, p50, "us"),
        });
        let pending = of(values, "pending");
        let name = format!("ingest while delivering, {senders} senders, left");
        table.print(&plain(&name, pending / rate, "s of load"));
        let name = format!("ingest while delivering, {senders} senders, resident at most");
        table.print(&Row {
            goal: Goal::AtMost(64.0),
            ..plain(&name, of(values, "resident"), "MiB")
        });
    }
}

fn plain(name: &str, value: f64, unit: &'static str) -> Row {
    Row {
        name: name.to_owned(),
        value,
        unit,
        share: None,
        goal: Goal::None,
    }
}

fn of(values: &[Value], field: &str) -> f64 {
    let values = values.iter().map(|value| value[field].as_f64().unwrap());
    median(values.collect())
}

/// What senders get answered, while an unreachable endpoint is owed every event.
fn ingest_with(options: &Options, senders: usize) -> Value {
    let here = Box::new(&options.folder);
    here.endpoint("nobody", closed_port());
    let served = here.serve();
    push(options, &served, senders)
}

/// What senders get answered, while all that comes in is delivered; with what is pending at the end.
fn while_delivering(options: &Options, senders: usize) -> Value {
    let here = Box::new(&options.folder);
    let receiver = Receiver::start(Mode::Count);
    here.endpoint("ci", receiver.address);
    let served = here.serve();
    let mut result = push(options, &served, senders);
    result["pending"] = here.store.stats().unwrap().pending.into();
    result["resident"] = resident_mib(&served).into();
    result
}

/// So many senders, each as fast as it is answered.
fn push(options: &Options, served: &Served, senders: usize) -> Value {
    drive(&Load {
        senders,
        ..Load::of(served.ingest, options.seconds)
    })
}

/// Events a second from the start of the process until all are delivered and recorded.
fn drain(options: &Options, events: u64, turns: &mut Turns) {
    let here = Box::new(&options.folder);
    let receiver = Receiver::start(Mode::Count);
    here.endpoint("ci", receiver.address);
    here.preload(events, BODY_BYTES);
    let served = here.serve();
    wait_for_pending(&here, 0);
    let rate = events as f64 / served.began.elapsed().as_secs_f64();
    assert!(receiver.count() >= events);
    turns.drained.push(rate);
    let (threads, switches) = served.threads();
    for (name, used) in threads {
        let us = used.as_secs_f64() * 1e6 / events as f64;
        turns.threads.entry(name).or_default().push(us);
    }
    turns.switches.push(switches as f64 / events as f64);
    turns.resident.push(resident_mib(&served));
}

/// Resident memory at its highest, in MiB.
fn resident_mib(served: &Served) -> f64 {
    served.memory_kib().1 as f64 / 1024.0
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
        senders: 64,
        rate,
        ..Load::of(served.ingest, seconds)
    };
    let result = drive(&load);
    let pending = here.store.stats().unwrap().pending;
    let accepted = result["per_second"].as_f64().unwrap();
    table.print(&Row {
        share: Some((accepted / rate, "what was offered")),
        goal: Goal::AtLeast(0.98),
        ..plain(
            &format!("both at once for {seconds:.0} s, accepted"),
            accepted,
            "events/s",
        )
    });
    table.print(&Row {
        goal: Goal::AtMost(0.5),
        ..plain(
            "both at once, pending at the end",
            pending as f64 / rate,
            "s of load",
        )
    });
}
