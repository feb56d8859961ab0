//! Long work while a thousand a second come in: fifty thousand sent again, then removed, then the
//! file copied.

use std::process::Command;
use std::thread::JoinHandle;
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
    let load = || Load {
        address: served.ingest,
        senders: 64,
        seconds: 20.0,
        total: u64::MAX,
        rate: 1_000.0,
        body_bytes: BODY_BYTES,
        log: false,
    };
    let alone = drive(&load());
    let loaded = while_loaded(load());
    let began = Instant::now();
    let (asked, _) = run(&here, &["replay", "--yes", "--state", "dead"]);
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
    assert_eq!((stats.dead, stats.superseded as u64), (0, DEAD));
    age(&here);
    let loaded = while_loaded(load());
    let (pruned, pruning) = run(&here, &["prune", "--before", "7d", "--yes"]);
    assert_eq!(pruned["events"], DEAD);
    let beside_prune = loaded.join().unwrap();
    let loaded = while_loaded(load());
    let copy = options.folder.join("hookbox-bench-copy.db");
    let (copied, copying) = run(&here, &["backup", copy.to_str().unwrap()]);
    let _ = std::fs::remove_file(&copy);
    let beside_copy = loaded.join().unwrap();
    let mb = copied["bytes"].as_f64().unwrap() / 1e6;
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
        (
            "the same while 50,000 are pruned: p99",
            p99(&beside_prune),
            "ms",
            Goal::AtMost(50.0),
        ),
        (
            "events of two deliveries pruned",
            DEAD as f64 / pruning.as_secs_f64(),
            "a second",
            Goal::None,
        ),
        (
            "the same while the file is copied: p99",
            p99(&beside_copy),
            "ms",
            Goal::AtMost(50.0),
        ),
        ("copied", mb / copying.as_secs_f64(), "MB/s", Goal::None),
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

/// Begins to hand events in; they come when this returns.
fn while_loaded(load: Load) -> JoinHandle<Value> {
    let loaded = std::thread::spawn(move || drive(&load));
    std::thread::sleep(Duration::from_secs(2));
    loaded
}

/// Runs a command on the file; returns what it said and how long it took.
fn run(here: &Box, arguments: &[&str]) -> (Value, Duration) {
    let began = Instant::now();
    let ran = Command::new(env!("CARGO_BIN_EXE_hookbox"))
        .args(arguments)
        .args(["--json", "--db"])
        .arg(&here.db)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    (
        serde_json::from_slice(&ran.stdout).unwrap(),
        began.elapsed(),
    )
}

/// As if all that was dead had been so for a month.
fn age(here: &Box) {
    let connection = rusqlite::Connection::open(&here.db).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection
        .execute_batch(&format!(
            "begin immediate;
             update hookbox_event set received_ms = received_ms - 2592000000 where id <= {DEAD};
             update hookbox_delivery set settled_ms = settled_ms - 2592000000 where event_id <= {DEAD};
             commit;"
        ))
        .unwrap();
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
