//! The same rates with a long history in the file and without one.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::driver::Load;
use crate::options::{Options, median};
use crate::processes::{Mode, Receiver, drive, get, wait_for_pending};
use crate::served::{Box, Served};
use crate::table::{Goal, Row, Table};

/// Bodies of a long history are smaller than those of the other measures, for the disk's sake.
const BYTES: usize = 1_024;

/// What is drained each time.
const PENDING: u64 = 50_000;

/// What was measured of one file, once for each turn.
#[derive(Default)]
struct Taken {
    drained: Vec<f64>,
    ingested: Vec<f64>,
    first_ms: Vec<f64>,
    page_ms: Vec<f64>,
}

/// Measures both files in turns and prints the long one's share.
pub(crate) fn growth(options: &Options, table: &Table) {
    let receiver = Receiver::start(Mode::Count);
    let boxes = [0, options.growth].map(|history| {
        let here = Box::new(&options.folder);
        here.endpoint("ci", receiver.address);
        preload_delivered(&here, history, BYTES);
        here
    });
    // What the system still has to write of the history is not what is measured.
    assert!(Command::new("sync").status().unwrap().success());
    let mut taken = [Taken::default(), Taken::default()];
    for _ in 0..options.repeats {
        for (here, taken) in boxes.iter().zip(&mut taken) {
            measure(options, here, &receiver, taken);
        }
    }
    let [small, large] = taken;
    let named = |text: &str| format!("{text}, {} delivered", options.growth);
    table.print(&Row {
        name: named("file"),
        value: boxes[1].bytes() as f64 / (1_u64 << 30) as f64,
        unit: "GiB",
        share: None,
        goal: Goal::None,
    });
    for (name, large, small) in [
        ("drain", large.drained, small.drained),
        ("ingest", large.ingested, small.ingested),
    ] {
        let (large, small) = (median(large), median(small));
        table.print(&Row {
            name: named(name),
            value: large,
            unit: "events/s",
            share: Some((large / small, "an empty file")),
            goal: Goal::AtLeast(0.85),
        });
    }
    for (name, values, goal) in [
        ("first delivery", large.first_ms, 300.0),
        ("page of deliveries", large.page_ms, 50.0),
    ] {
        table.print(&Row {
            name: named(name),
            value: median(values),
            unit: "ms",
            share: None,
            goal: Goal::AtMost(goal),
        });
    }
}

/// Drains what is pending, then takes in as fast as it can while it delivers, then asks for pages.
fn measure(options: &Options, here: &Box, receiver: &Receiver, taken: &mut Taken) {
    here.preload(PENDING, BYTES);
    let before = receiver.count();
    let served = here.serve();
    let mut first = None;
    while here.store.stats().unwrap().pending > 0 {
        if first.is_none() && receiver.count() > before {
            first = Some(served.began.elapsed());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let drained = PENDING as f64 / served.began.elapsed().as_secs_f64();
    taken.drained.push(drained);
    let first = first.unwrap_or_else(|| served.began.elapsed());
    taken.first_ms.push(first.as_secs_f64() * 1000.0);
    let load = Load {
        address: served.ingest,
        senders: 64,
        seconds: options.seconds,
        total: u64::MAX,
        rate: 0.0,
        body_bytes: BYTES,
        log: false,
    };
    taken
        .ingested
        .push(drive(&load)["per_second"].as_f64().unwrap());
    taken.page_ms.push(page_ms(&served));
    wait_for_pending(here, 0);
}

/// A history, written as fast as the disk takes it.
fn preload_delivered(here: &Box, events: u64, body_bytes: usize) {
    let connection = rusqlite::Connection::open(&here.db).unwrap();
    connection
        .execute_batch("pragma synchronous = off; pragma cache_size = -262144;")
        .unwrap();
    let body = crate::payload::push(body_bytes);
    let batch = 100_000;
    for first in (0..events).step_by(batch as usize) {
        connection
            .execute(
                "with recursive n(i) as (select ?1 union all select i + 1 from n where i < ?2)
                 insert into hookbox_event (source_id, type, key, received_ms, content_type, summary, branch, is_json, headers, body, bytes)
                 select 1, 'push', lower(hex(randomblob(16))), 1772366400000 + i, 'application/json',
                     'lighthouse/beacon: mira pushed 1 commit to main', 'main', 1, '[]', ?3, length(?3) from n",
                rusqlite::params![first as i64, (first + batch).min(events) as i64 - 1, body],
            )
            .unwrap();
    }
    // The newest keys are in the log, which is nearly as long as it gets: so keys move into the
    // sorted table while the rates are taken.
    let in_log = (events / 32).clamp(16_384, 262_144) - 10_000;
    connection
        .execute(
            "insert into hookbox_recent_key (event_id, hash)
             select id, random() from hookbox_event where id > ?1",
            [events.saturating_sub(in_log) as i64],
        )
        .unwrap();
    connection
        .execute_batch(
            "insert into hookbox_key (hash, event_id)
             select random(), id from hookbox_event
             where id not in (select event_id from hookbox_recent_key) order by 1;
             insert into hookbox_delivery (event_id, endpoint_id, state, created_ms, settled_ms, tries, attempts)
             select id, 1, 'delivered', received_ms, received_ms + 5, 1, 1 from hookbox_event;
             insert into hookbox_attempt (id, delivery_id, number, started_ms, resolve_us, connect_us, wait_us, read_us,
                 total_us, outcome, status, request_headers, response_headers, response_body, response_truncated)
             select id * 1024 + 1, id, 1, created_ms, 0, 0, 300, 0, 300, 'delivered', 204, '[]', '[]', x'', 0 from hookbox_delivery;
             pragma wal_checkpoint(truncate);",
        )
        .unwrap();
}

/// How long a page of deliveries takes, the slowest of those that people ask for.
fn page_ms(served: &Served) -> f64 {
    let paths = [
        "/deliveries",
        "/deliveries?endpoint=ci",
        "/deliveries?state=dead",
        "/deliveries?source=gogs&type=push",
        "/",
    ];
    let of = |path: &str| {
        let times = (0..5).map(|_| {
            let began = Instant::now();
            get(served.status, path);
            began.elapsed().as_secs_f64() * 1000.0
        });
        median(times.collect())
    };
    paths.iter().map(|path| of(path)).fold(0.0, f64::max)
}
