//! The outbox: what other programs put in by SQL, in transactions of their own.

use std::path::Path;
use std::time::Duration;

use hookbox::time::{Clock, SystemClock};
use rusqlite::Connection;
use serde_json::json;

use crate::poison::{large, serve, start_and_end};
use crate::support::{
    NOON, PUSH, Receiver, Served, TestDb, built_shim, is_missing, sql, wait_until,
};

/// A connection as another program has it.
fn other(db: &Path) -> Connection {
    let connection = Connection::open(db).unwrap();
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    connection
}

fn all_taken(here: &TestDb) {
    wait_until("the outbox to be empty", || {
        (here.json(&["stats"])["outbox"] == 0).then_some(())
    });
}

/// How often the threads of a process have given way.
fn switches(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of_task = |task: std::io::Result<std::fs::DirEntry>| -> Option<u64> {
        let status = std::fs::read_to_string(task.ok()?.path().join("status")).ok()?;
        let line = status
            .lines()
            .find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    tasks.filter_map(of_task).sum()
}

/// Cause: a service that had nothing to do looked for others' commits twenty times a second. Damage: the battery
/// of a small box.
#[test]
fn a_service_that_rests_is_told_of_an_insert_and_need_not_look_for_one() {
    let receiver = Receiver::answering(&[200]);
    let here = TestDb::in_file();
    here.add_endpoint("ci", &receiver.url, &[]);
    let served = here.serve();
    let clock = SystemClock::new();
    let mut since = (clock.elapsed(), switches(served.pid));
    wait_until("the service to rest", || {
        let (began, before) = since;
        if clock.elapsed() - began < Duration::from_secs(1) {
            return None;
        }
        let now = switches(served.pid);
        since = (clock.elapsed(), now);
        // Once a second it looks all the same.
        (now - before < 10).then_some(())
    });
    let app = other(&here.db);
    app.execute_batch("insert into hookbox_outbox (type, body) values ('t', 'x')")
        .unwrap();
    receiver.next();
}

#[test]
fn what_is_committed_is_delivered_and_what_is_rolled_back_never_was() {
    let receiver = Receiver::answering(&[200]);
    let here = TestDb::in_file();
    here.add_endpoint("ci", &receiver.url, &[]);
    let _served = here.serve();
    let mut app = other(&here.db);
    app.execute_batch("create table orders (id integer primary key, total integer)")
        .unwrap();
    for (total, commits) in [(1, true), (2, false), (3, true)] {
        let tx = app.transaction().unwrap();
        tx.execute("insert into orders (total) values (?)", [total])
            .unwrap();
        tx.execute(
            "insert into hookbox_outbox (type, body, headers) values ('order.paid', ?, '{\"X-Shop\":\"north\"}')",
            [json!({ "total": total }).to_string()],
        )
        .unwrap();
        if commits {
            tx.commit().unwrap();
        } else {
            tx.rollback().unwrap();
        }
    }
    for total in [1, 3] {
        let got = receiver.next();
        assert_eq!(got.body, json!({ "total": total }).to_string().as_bytes());
        assert_eq!(got.header("content-type"), Some("application/json"));
        assert_eq!(got.header("x-shop"), Some("north"));
        assert_eq!(got.header("x-hookbox-type"), Some("order.paid"));
    }
    assert!(receiver.got_nothing_more());
    assert_eq!(here.json(&["stats"])["events"], 2);
}

#[test]
fn a_repeated_key_is_silently_the_same_event_also_of_a_source_that_replays() {
    let receiver = Receiver::answering(&[200]);
    let here = TestDb::in_file();
    here.add_gogs();
    here.add_endpoint("ci", &receiver.url, &[]);
    let app = other(&here.db);
    let put = |key: &str, source: Option<&str>| {
        app.execute(
            "insert into hookbox_outbox (type, body, key, source) values ('push', ?, ?, ?)",
            rusqlite::params![PUSH, key, source],
        )
        .unwrap();
    };
    // Two wait in one transaction, and one comes when the first is long known.
    put("k", Some("gogs"));
    put("k", Some("gogs"));
    put("k", None);
    let _served = here.serve();
    all_taken(&here);
    put("k", Some("gogs"));
    all_taken(&here);
    let events = here.list(&["event", "list"]);
    assert_eq!(events.len(), 2, "one of the source, one of none");
    assert_eq!(events[1]["source"], "gogs");
    // What it says is read as of any event of its source.
    let summary = events[1]["summary"].as_str().unwrap();
    assert!(summary.contains("lighthouse/beacon"), "{summary}");
    receiver.next();
    receiver.next();
    assert!(receiver.got_nothing_more());
}

/// What both engines refuse, and what their errors say. `LONG` stands for 300 characters, `MANY` for headers of
/// 9,000 bytes.
pub const BAD_ROWS: [(&str, &str); 12] = [
    ("(body) values ('x')", "type is missing"),
    ("(type, body) values (' ', 'x')", "type is missing"),
    ("(type, body) values ('LONG', 'x')", "longer than 128"),
    ("(type) values ('a')", "body is missing"),
    (
        "(type, body, key) values ('a', 'b', '')",
        "key is no text, or empty",
    ),
    (
        "(type, body, key) values ('a', 'b', 'LONG')",
        "longer than 256",
    ),
    (
        "(type, body, source) values ('a', 'b', 'gogs')",
        "no source of that name",
    ),
    (
        "(type, body, headers) values ('a', 'b', '[\"x\"]')",
        "no JSON object",
    ),
    (
        "(type, body, headers) values ('a', 'b', 'x')",
        "no JSON object",
    ),
    (
        "(type, body, headers) values ('a', 'b', '{\"A B\":\"x\"}')",
        "a name that none can have",
    ),
    (
        "(type, body, headers) values ('a', 'b', '{\"A\":1}')",
        "a header is no text",
    ),
    ("(type, body, headers) values ('a', 'b', 'MANY')", "8 KiB"),
];

/// The statement for such a row.
pub fn insert_of(values: &str) -> String {
    let many = format!("{{\"A\":\"{}\"}}", "x".repeat(9_000));
    let values = values
        .replace("LONG", &"x".repeat(300))
        .replace("MANY", &many);
    format!("insert into hookbox_outbox {values}")
}

#[test]
fn bad_input_makes_the_insert_fail_and_says_what_to_do() {
    let here = TestDb::in_file();
    here.json(&["init"]);
    let app = other(&here.db);
    let of_sqlite = [
        ("(type, body) values (7, 'x')", "type is missing"),
        (
            "(type, body) values ('a' || char(10), 'x')",
            "control characters",
        ),
        ("(type, body) values ('a', 7)", "a text or a blob"),
        ("(type, body) values ('a', zeroblob(1048577))", "1 MiB"),
        (
            "(type, body, key) values ('a', 'b', 'k' || char(0))",
            "control characters",
        ),
        (
            "(type, body, headers) values ('a', 'b', '{\"A\":\"x\\r\\nB: y\"}')",
            "control characters",
        ),
        (
            "(type, body, content_type) values ('a', 'b', 'text/plain' || char(0))",
            "cannot stand in a header",
        ),
        (
            r#"(type, body, headers) values ('a', 'b', '{"A":"x\u0000"}')"#,
            "control characters",
        ),
        (
            "(type, body, content_type) values ('a', 'b', 'x' || char(13))",
            "cannot stand in a header",
        ),
    ];
    for (values, says) in BAD_ROWS.into_iter().chain(of_sqlite) {
        let error = app
            .execute_batch(&insert_of(values))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(says) && error.contains("hookbox_outbox: "),
            "{values}: {error}"
        );
    }
    assert_eq!(here.json(&["stats"])["outbox"], 0);
    // What is just within the limits is taken, and nothing is made of it but an event.
    app.execute(
        "insert into hookbox_outbox (type, body, key) values (?, zeroblob(1048576), ?)",
        ["t".repeat(128), "k".repeat(256)],
    )
    .unwrap();
    let _served = here.serve();
    all_taken(&here);
    assert_eq!(here.list(&["event", "list"])[0]["bytes"], 1_048_576);
}

#[test]
fn what_was_put_in_while_nobody_served_keeps_its_bytes_its_order_and_its_time() {
    let here = TestDb::in_file();
    here.json(&["init"]);
    let app = other(&here.db);
    app.execute_batch(
        "insert into hookbox_outbox (type, body) values ('json', '{\"a\": 1.0}');
         insert into hookbox_outbox (type, body) values ('text', 'ünï');
         insert into hookbox_outbox (type, body) values ('json.bytes', cast('[1]' as blob));
         insert into hookbox_outbox (type, body) values ('bytes', x'00ff0a');
         insert into hookbox_outbox (type, body) values ('empty', '');
         insert into hookbox_outbox (type, body, content_type) values ('own', '<a/>', 'text/xml');
         update hookbox_outbox_row set inserted_ms = 1772366400000 where type = 'json';
         update hookbox_outbox_row set inserted_ms = 5 where type = 'text';",
    )
    .unwrap();
    let waiting: i64 = app
        .query_row("select count(*) from hookbox_outbox", [], |row| row.get(0))
        .unwrap();
    assert_eq!(waiting, 6);
    let served = here.serve();
    all_taken(&here);
    let mut events = here.list(&["event", "list"]);
    events.reverse();
    let told: Vec<(&str, &str)> = events
        .iter()
        .map(|event| {
            (
                event["type"].as_str().unwrap(),
                event["content_type"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("json", "application/json"),
            ("text", "text/plain; charset=utf-8"),
            ("json.bytes", "application/json"),
            ("bytes", "application/octet-stream"),
            ("empty", "text/plain; charset=utf-8"),
            ("own", "text/xml"),
        ]
    );
    assert_eq!(events[0]["received_at"], NOON.to_string());
    let odd = events[1]["received_at"].as_str().unwrap();
    assert!(
        odd > "2026-03-02",
        "a clock that was wrong says nothing: {odd}"
    );
    assert_eq!(here.run(&["event", "body", "4"]).stdout, b"\x00\xff\n");
    drop(served);
}

#[test]
fn what_no_event_can_be_made_of_stays_with_the_reason_and_keeps_nobody_waiting() {
    let here = TestDb::in_file();
    here.add_gogs();
    let app = other(&here.db);
    app.execute_batch(
        "insert into hookbox_outbox (type, body, source) values ('push', '{}', 'gogs')",
    )
    .unwrap();
    here.json(&["source", "remove", "gogs"]);
    let served = here.serve();
    app.execute_batch("insert into hookbox_outbox (type, body) values ('fine', '{}')")
        .unwrap();
    wait_until("the other to be taken", || {
        (here.json(&["stats"])["events"] == 1).then_some(())
    });
    let problem: String = app
        .query_row("select problem from hookbox_outbox", [], |row| row.get(0))
        .unwrap();
    assert!(problem.contains("source gogs was removed"), "{problem}");
    drop(served);
    here.add_gogs();
    let _served = here.serve();
    all_taken(&here);
    assert_eq!(here.json(&["stats"])["events"], 2);
}

#[test]
fn a_program_that_holds_the_lock_for_seconds_is_waited_for() {
    let receiver = Receiver::answering(&[200]);
    let here = TestDb::in_file();
    here.add_endpoint("ci", &receiver.url, &[]);
    let _served = here.serve();
    let app = other(&here.db);
    app.execute_batch("insert into hookbox_outbox (type, body) values ('first', '{}')")
        .unwrap();
    // Longer than a writer waits at one go.
    let held = other(&here.db);
    held.execute_batch("begin immediate").unwrap();
    let waited = wait_until("a while", {
        let mut looks = 0;
        move || {
            looks += 1;
            (looks == 700).then_some(looks)
        }
    });
    assert_eq!(waited, 700);
    held.execute_batch("commit").unwrap();
    assert_eq!(receiver.next().body, b"{}");
    assert!(receiver.got_nothing_more());
}

#[test]
fn a_row_that_is_no_utf8_stays_with_the_reason_and_keeps_nobody_waiting() {
    let here = TestDb::in_file();
    here.json(&["init"]);
    let app = other(&here.db);
    app.execute_batch(
        "insert into hookbox_outbox (type, body, key) values ('latin', '{}', cast(x'6bfc' as text));
         insert into hookbox_outbox (type, body) values ('fine', '{}');",
    )
    .unwrap();
    let _served = here.serve();
    wait_until("the other to be taken", || {
        (here.json(&["stats"])["events"] == 1).then_some(())
    });
    let problem: String = app
        .query_row("select problem from hookbox_outbox", [], |row| row.get(0))
        .unwrap();
    assert!(problem.contains("key is not UTF-8"), "{problem}");
    let ran = here.run(&["doctor", "--json"]);
    assert_eq!(ran.code, 1, "something does not work");
    let told: serde_json::Value = serde_json::from_str(ran.text()).unwrap();
    let findings = told["findings"].to_string();
    assert!(findings.contains("cannot be made an event"), "{findings}");
    assert!(!findings.contains("rows wait"), "{findings}");
}

#[test]
fn a_row_that_was_deleted_is_not_mistaken_for_one_that_has_its_id() {
    let here = TestDb::in_file();
    here.json(&["init"]);
    let app = other(&here.db);
    let put = |body: &str| {
        app.execute(
            "insert into hookbox_outbox (type, body) values ('t', ?)",
            [body],
        )
        .unwrap();
    };
    put("A");
    let served = here.serve();
    wait_until("the first to be taken", || {
        (here.json(&["stats"])["events"] == 1).then_some(())
    });
    // Seen by the service, which then has to wait for the lock.
    app.execute_batch("begin immediate").unwrap();
    put("B");
    app.execute_batch("commit; begin immediate").unwrap();
    let looks = std::cell::Cell::new(0);
    wait_until("the service to have read it", || {
        looks.set(looks.get() + 1);
        (looks.get() > 30).then_some(())
    });
    let is_there: bool = app
        .query_row("select exists (select 1 from hookbox_outbox)", [], |row| {
            row.get(0)
        })
        .unwrap();
    app.execute_batch("delete from hookbox_outbox").unwrap();
    put("C");
    app.execute_batch("commit").unwrap();
    all_taken(&here);
    let events = here.list(&["event", "list"]);
    let last = here.run(&["event", "body", events[0]["id"].as_str().unwrap()]);
    assert_eq!(last.text(), "C");
    // The service may have been quicker than the second transaction.
    assert_eq!(events.len(), if is_there { 2 } else { 3 });
    drop(served);
}

#[test]
fn an_application_that_does_not_trust_its_schema_can_use_its_file_and_the_outbox() {
    let here = TestDb::in_file();
    let app = other(&here.db);
    app.execute_batch("create table orders (id integer primary key)")
        .unwrap();
    here.json(&["init", "--into-existing", "--wal"]);
    app.execute_batch("pragma trusted_schema = off").unwrap();
    app.execute_batch(
        "insert into orders values (1);
         insert into hookbox_outbox (type, body, headers) values ('t', '{}', ' {\"X-A\":\"1\"}');",
    )
    .unwrap();
    assert_eq!(here.json(&["stats"])["outbox"], 1);
}

#[test]
fn a_row_of_the_outbox_that_ends_the_process_twice_is_set_aside() {
    if is_missing("cc", &["--version"], "install a C compiler") {
        return;
    }
    let here = TestDb::in_file();
    let shim = built_shim(here.folder.path(), "memory");
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("some", &receiver.url, &["--when", "body|length > 1"]);
    let text = std::fs::read_to_string(large(here.folder.path())).unwrap();
    for body in [text.as_str(), "[1,2]"] {
        let row = format!("insert into hookbox_outbox (type, body) values ('t', '{body}')");
        sql(&here.db, &row);
    }
    start_and_end(&here, &shim);
    start_and_end(&here, &shim);
    for _ in 0..2 {
        let served = Served::start(serve(&here, &shim));
        let problems = wait_until("the row to be set aside", || {
            let doctor = here.run(&["doctor"]);
            let said = doctor
                .text()
                .contains("it ended the process, twice in a row");
            said.then(|| doctor.text().to_owned())
        });
        assert!(!problems.is_empty());
        drop(served);
    }
    assert_eq!(receiver.next().body, b"[1,2]");
}
