//! Fifty thousand sent again while a thousand a second come in.

use std::process::Command;
use std::time::{Duration, Instant};

use hookbox::model::id::ReplayId;
use hookbox::model::replay::ReplayState;
use serde_json::Value;

use crate::BODY_BYTES;
use crate::driver::Load;
use crate::options::Options;
use crate::processes::{Mode, Receiver, drive};
use crate::served::Box;
use crate::table::{Goal, Row, Table};

const DEAD: u64 = 50_000;

pub(crate) fn replaying(options: &Options, table: &Table) {
    let here = Box::new(&options.folder);
    let receiver = Receiver::start(Mode::Count);
    here.endpoint("ci", receiver.address);
    here.preload(DEAD, BODY_BYTES);
    give_up_all(&here);
    let served = here.serve();
    let load = Load {
        address: served.ingest,
        senders: 64,
        seconds: 20.0,
        total: u64::MAX,
        rate: 1_000.0,
        body_bytes: BODY_BYTES,
        log: false,
    };
    let alone = drive(&load);
    let loaded = std::thread::spawn(move || drive(&load));
    std::thread::sleep(Duration::from_secs(2));
    let began = Instant::now();
    let ran = Command::new(env!("CARGO_BIN_EXE_hookbox"))
        .args(["replay", "--state", "dead", "--json", "--db"])
        .arg(&here.db)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let asked: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(asked["deliveries"], DEAD);
    let record = loop {
        let record = here.store.replay_record(ReplayId(1)).unwrap();
        if record.state == ReplayState::Done {
            break record;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let took = began.elapsed();
    let beside = loaded.join().unwrap();
    assert_eq!(record.made as u64, DEAD);
    while here.store.stats().unwrap().pending > 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let stats = here.store.stats().unwrap();
    assert_eq!((stats.dead, stats.mended as u64), (0, DEAD));
    let p99 = |result: &Value| result["p99_us"].as_f64().unwrap() / 1000.0;
    let lost = stats.events
        - DEAD as i64
        - alone["accepted"].as_i64().unwrap()
        - beside["accepted"].as_i64().unwrap();
    for (name, value, unit, goal) in [
        ("1,000/s come in: p99", p99(&alone), "ms", Goal::None),
        (
            "the same while 50,000 are replayed: p99",
            p99(&beside),
            "ms",
            Goal::AtMost(50.0),
        ),
        (
            "the same: slowest",
            beside["max_us"].as_f64().unwrap() / 1000.0,
            "ms",
            Goal::None,
        ),
        ("events lost", lost as f64, "", Goal::AtMost(0.0)),
        (
            "50,000 replayed and recorded",
            DEAD as f64 / took.as_secs_f64(),
            "a second",
            Goal::None,
        ),
    ] {
        table.print(&Row {
            name: name.to_owned(),
            value,
            unit,
            share: None,
            goal,
        });
    }
}

/// As if the endpoint had refused all of it.
fn give_up_all(here: &Box) {
    let connection = rusqlite::Connection::open(&here.db).unwrap();
    connection
        .execute_batch(
            "begin immediate;
             update hookbox_delivery set state = 'dead', due_ms = null, settled_ms = created_ms,
                 tries = 1, attempts = 0, reason = 'gave up after 1 try';
             update hookbox_tally set what = 'dead' where of = 'endpoint' and what = 'pending';
             commit;",
        )
        .unwrap();
}
