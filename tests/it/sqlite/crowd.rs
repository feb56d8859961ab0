//! Eight processes in three languages put events into one file while it is served, with rollbacks
//! and killed processes among them: what is delivered is exactly what was committed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver as Arrivals, channel};
use std::thread;

use rusqlite::{Connection, OpenFlags};

use crate::support::{Receiver, TestDb, is_missing, wait_until};

/// How many write at the same time.
const WRITERS: usize = 8;

/// The programs that they are, as far as this machine has them; none where it has no Python.
fn programs() -> Vec<(&'static str, &'static str)> {
    let (python, node, php) = (
        ("python3", "writer.py"),
        ("node", "writer.mjs"),
        ("php", "writer.php"),
    );
    if is_missing("python3", &["--version"], "apt-get install python3") {
        return Vec::new();
    }
    let driver = "new (require('better-sqlite3'))(':memory:')";
    let has_node = !is_missing("node", &["-e", driver], "npm install in tests/verifiers");
    let extension = "exit(extension_loaded('pdo_sqlite') ? 0 : 1);";
    let has_php = !is_missing(
        "php",
        &["-r", extension],
        "apt-get install php-cli php-sqlite3",
    );
    let found = [
        Some(python),
        has_node.then_some(node),
        has_php.then_some(php),
    ];
    found.into_iter().flatten().collect()
}

/// Events in all: `HOOKBOX_CROWD` sets another number.
fn total() -> usize {
    let asked = std::env::var("HOOKBOX_CROWD").ok();
    asked.map_or(2_000, |text| text.parse().expect("a number of events"))
}

fn start(programs: &[(&str, &str)], db: &Path, index: usize, life: usize) -> Child {
    let (program, script) = programs[index % programs.len()];
    let script = format!("{}/tests/crowd/{script}", env!("CARGO_MANIFEST_DIR"));
    Command::new(program)
        .arg(script)
        .arg(db)
        .args([
            format!("w{index}"),
            (total() / WRITERS).to_string(),
            (index + 1 + 100 * life).to_string(),
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verifiers"))
        .spawn()
        .unwrap()
}

/// The keys that arrive, read away so that nobody waits.
fn arrivals(receiver: Receiver) -> Arrivals<String> {
    let (tell, told) = channel();
    thread::spawn(move || {
        loop {
            let got = receiver.next();
            let body: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
            let key = body["key"].as_str().unwrap_or("the last").to_owned();
            if tell.send(key).is_err() {
                return;
            }
        }
    });
    told
}

#[test]
fn what_is_delivered_is_exactly_what_a_crowd_of_processes_committed() {
    let programs = programs();
    if programs.is_empty() {
        return;
    }
    let here = TestDb::in_file();
    Connection::open(&here.db)
        .unwrap()
        .execute_batch("create table ledger (writer text, number integer, key text primary key)")
        .unwrap();
    here.json(&["init", "--into-existing", "--wal"]);
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &["--concurrency", "32"]);
    let told = arrivals(receiver);
    let mut served = here.serve();
    let mut writers: Vec<Child> = (0..WRITERS)
        .map(|index| start(&programs, &here.db, index, 0))
        .collect();
    let ledger = Connection::open_with_flags(&here.db, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    ledger
        .busy_timeout(std::time::Duration::from_secs(20))
        .unwrap();
    let count = || -> usize {
        let query = "select count(*) from ledger";
        ledger
            .query_row(query, [], |row| row.get::<_, i64>(0))
            .unwrap() as usize
    };

    // Some of them, and the service, are killed while they are at work, and begun again.
    for (life, (part, victim)) in [
        (10, Some(0)),
        (25, None),
        (40, Some(4)),
        (55, Some(2)),
        (70, None),
    ]
    .into_iter()
    .enumerate()
    {
        wait_until_there("a part of the events", || count() * 100 >= total() * part);
        match victim {
            Some(index) => {
                writers[index].kill().unwrap();
                writers[index].wait().unwrap();
                writers[index] = start(&programs, &here.db, index, life + 1);
            }
            None => {
                served.signal("KILL");
                served = here.serve();
            }
        }
    }
    for writer in &mut writers {
        assert!(writer.wait().unwrap().success());
    }
    wait_until_there("all to be delivered", || {
        let stats = here.json(&["stats"]);
        stats["outbox"] == 0 && stats["pending"] == 0
    });
    drop(served);

    let committed: BTreeSet<String> = ledger
        .prepare("select key from ledger")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(committed.len(), total() / WRITERS * WRITERS);
    let mut delivered = BTreeSet::new();
    let mut requests = 0;
    while let Ok(key) = told.try_recv() {
        requests += 1;
        delivered.insert(key);
    }
    let lost: Vec<&String> = committed.difference(&delivered).take(5).collect();
    let invented: Vec<&String> = delivered.difference(&committed).take(5).collect();
    assert!(lost.is_empty(), "committed and not delivered: {lost:?}");
    assert!(
        invented.is_empty(),
        "delivered and not committed: {invented:?}"
    );
    assert!(requests >= committed.len());
    let stats = here.json(&["stats"]);
    assert_eq!(stats["events"].as_u64(), Some(committed.len() as u64));
    #[allow(clippy::print_stderr, reason = "said to whoever runs it by itself")]
    {
        eprintln!("{} committed, {requests} requests", committed.len());
    }
}

/// Waits for as long as it takes in all, where one wait would be too short.
fn wait_until_there(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..30 {
        let mut looks = 0;
        let found = wait_until(what, || {
            looks += 1;
            (is_so() || looks == 100).then(&is_so)
        });
        if found {
            return;
        }
    }
    panic!("waited in vain for {what}");
}
