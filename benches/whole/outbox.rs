//! Another program's inserts: how soon they are with the receiver, and how long that program waits
//! for the file's lock, beside a service that has much to do.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::driver::Load;
use crate::options::Options;
use crate::processes::{Mode, Receiver, drive, wait_for_pending};
use crate::served::Box;
use crate::table::{Goal, Row, Table};
use crate::{BODY_BYTES, now_ns};

/// Inserts whose way is timed.
const TIMED: usize = 400;

pub(crate) fn outbox(options: &Options, table: &Table) {
    let (p50, p99) = committed_to_received(options);
    let print = |name: &str, value: f64, share: Option<(f64, &'static str)>, goal: Goal| {
        table.print(&Row {
            name: name.to_owned(),
            value,
            unit: "ms",
            share,
            goal,
        });
    };
    print("inserted to received, p50", p50, None, Goal::AtMost(50.0));
    print("inserted to received, p99", p99, None, Goal::None);
    let alone = transactions(options, None);
    let beside = transactions(options, Some(1_000.0));
    print(
        "a program's own transaction alone, p50",
        alone.0,
        None,
        Goal::None,
    );
    print("the same, p99", alone.1, None, Goal::None);
    let share = |value: f64, of: f64| Some((value / of, "alone"));
    print(
        "the same beside 1,000 events/s, p50",
        beside.0,
        share(beside.0, alone.0),
        Goal::None,
    );
    print(
        "the same, p99",
        beside.1,
        share(beside.1, alone.1),
        Goal::None,
    );
}

fn connect(db: &Path) -> Connection {
    let connection = Connection::open(db).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection
}

/// From the end of a commit to the request's arrival, in milliseconds: half of them, and all but one
/// in a hundred, took no longer.
fn committed_to_received(options: &Options) -> (f64, f64) {
    let here = Box::new(&options.folder);
    let receiver = Receiver::start(Mode::Log);
    here.endpoint("ci", receiver.address);
    let _served = here.serve();
    let app = connect(&here.db);
    let mut committed = Vec::new();
    for number in 0..TIMED {
        // At no fixed distance to the looks of the service.
        std::thread::sleep(Duration::from_micros(fastrand::u64(20_000..90_000)));
        let key = format!("k{number}");
        app.execute(
            "insert into hookbox_outbox (type, body, headers)
             values ('push', '{\"n\":1}', json_object('X-Gogs-Delivery', ?))",
            [&key],
        )
        .unwrap();
        committed.push((key, now_ns() as f64));
    }
    while here.store.stats().unwrap().outbox > 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    wait_for_pending(&here, 0);
    let received: std::collections::HashMap<String, f64> = receiver.log().into_iter().collect();
    let took = committed
        .iter()
        .map(|(key, at)| (received[key] - at) / 1e6)
        .collect();
    shares(took)
}

/// How long a short writing transaction of another program takes, lock and commit, in milliseconds.
fn transactions(options: &Options, load: Option<f64>) -> (f64, f64) {
    let here = Box::new(&options.folder);
    let receiver = Receiver::start(Mode::Count);
    here.endpoint("ci", receiver.address);
    let served = here.serve();
    let loaded = load.map(|rate| {
        let load = Load {
            address: served.ingest,
            senders: 16,
            seconds: 12.0,
            total: u64::MAX,
            rate,
            body_bytes: BODY_BYTES,
            log: false,
        };
        std::thread::spawn(move || drive(&load))
    });
    std::thread::sleep(Duration::from_secs(1));
    let app = connect(&here.db);
    app.execute_batch("create table orders (id integer primary key, total integer)")
        .unwrap();
    let mut took = Vec::new();
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(fastrand::u64(5..15)));
        let began = Instant::now();
        app.execute_batch("begin immediate; insert into orders (total) values (42); commit;")
            .unwrap();
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    if let Some(loaded) = loaded {
        loaded.join().unwrap();
    }
    shares(took)
}

fn shares(mut took: Vec<f64>) -> (f64, f64) {
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took[(took.len() as f64 * share) as usize];
    (at(0.5), at(0.99))
}
