//! One file shared with other programs: what they may do to it while it is served, and what `doctor`
//! says of those who do too much.

use rusqlite::Connection;

use crate::support::{PUSH, Receiver, TestDb, sql, wait_until};

fn findings(here: &TestDb, level: &str) -> Vec<String> {
    let told = here.json(&["doctor"]);
    let findings = told["findings"].as_array().unwrap();
    let of_level = findings.iter().filter(|finding| finding["level"] == level);
    of_level
        .map(|finding| format!("{} | {}", finding["what"], finding["do"]))
        .collect()
}

#[test]
fn doctor_finds_nothing_wrong_with_a_box_that_works_and_says_what_is() {
    let here = TestDb::in_file();
    here.json(&["init"]);
    let ran = here.run(&["doctor"]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.text()
            .starts_with("note     nothing serves this database"),
        "{}",
        ran.text()
    );
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    here.add_gogs();
    let served = here.serve();
    assert_eq!(here.run(&["doctor"]).text().trim_end(), "nothing is wrong");

    here.json(&["endpoint", "hold", "ci", "--reason", "moves"]);
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
    std::fs::set_permissions(&here.db, mode).unwrap();
    assert!(findings(&here, "note")[0].contains("ci is held: moves"));
    assert!(findings(&here, "warning")[0].contains("chmod o="));
    drop(served);
}

#[test]
fn a_reader_that_never_ends_is_told_of_with_who_has_the_file_open() {
    let here = TestDb::in_file();
    here.json(&["init"]);
    let reader = Connection::open(&here.db).unwrap();
    reader
        .execute_batch("begin; select count(*) from hookbox_event;")
        .unwrap();
    let body = format!("@{}", here.folder.path().join("body").display());
    let bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
        .take(1_000_000)
        .collect();
    std::fs::write(here.folder.path().join("body"), bytes).unwrap();
    for _ in 0..20 {
        here.json(&["enqueue", "--type", "large", "--data", &body]);
    }
    let warnings = findings(&here, "warning");
    assert!(
        warnings[0].contains("cannot be moved into the file"),
        "{warnings:?}"
    );
    let own = std::process::id().to_string();
    assert!(warnings[0].contains(&own), "{warnings:?}");
    reader.execute_batch("commit").unwrap();
    drop(reader);
    assert!(findings(&here, "warning").is_empty());
}

#[test]
fn a_vacuum_beside_serve_loses_nothing_and_gives_room_back() {
    let receiver = Receiver::answering(&[200]);
    let here = TestDb::in_file();
    here.add_endpoint("ci", &receiver.url, &[]);
    sql(
        &here.db,
        "create table ballast (bytes blob); insert into ballast values (zeroblob(8000000));",
    );
    let _served = here.serve();
    sql(
        &here.db,
        "insert into hookbox_outbox (type, body) values ('before', '{}'); drop table ballast;",
    );
    receiver.next();
    let large = std::fs::metadata(&here.db).unwrap().len();
    let other = Connection::open(&here.db).unwrap();
    wait_until("the file to be free for a vacuum", || {
        other
            .execute_batch("vacuum; pragma wal_checkpoint(truncate);")
            .ok()
    });
    sql(
        &here.db,
        "insert into hookbox_outbox (type, body) values ('after', '{\"n\":2}')",
    );
    assert_eq!(receiver.next().body, b"{\"n\":2}");
    wait_until("the file to be small", || {
        let _ = other.execute_batch("pragma wal_checkpoint(truncate)");
        (std::fs::metadata(&here.db).unwrap().len() < large / 2).then_some(())
    });
    let ids: Vec<i64> = other
        .prepare("select id from hookbox_event order by id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(ids, [1, 2], "ids stay as they were");
}

#[test]
fn an_attached_file_takes_events_with_the_checks_of_its_own() {
    let receiver = Receiver::answering(&[200]);
    let here = TestDb::in_file();
    here.add_endpoint("ci", &receiver.url, &[]);
    let _served = here.serve();
    let mut app = Connection::open(here.folder.path().join("app.db")).unwrap();
    app.execute_batch("create table orders (id integer primary key)")
        .unwrap();
    app.execute("attach ? as box", [here.db.to_str().unwrap()])
        .unwrap();
    let tx = app.transaction().unwrap();
    tx.execute("insert into orders values (1)", []).unwrap();
    tx.execute(
        "insert into box.hookbox_outbox (type, body) values ('order.paid', '{\"id\":1}')",
        [],
    )
    .unwrap();
    let bad = tx.execute(
        "insert into box.hookbox_outbox (type, body) values ('', '{}')",
        [],
    );
    assert!(bad.unwrap_err().to_string().contains("type is missing"));
    tx.commit().unwrap();
    assert_eq!(receiver.next().body, b"{\"id\":1}");
    let tx = app.transaction().unwrap();
    tx.execute(
        "insert into box.hookbox_outbox (type, body) values ('order.paid', '{\"id\":2}')",
        [],
    )
    .unwrap();
    tx.rollback().unwrap();
    assert!(receiver.got_nothing_more());
}

/// Cause: the log keeps its length. Damage: a report that ran for an hour left a log of gigabytes for good.
#[test]
fn a_log_that_a_long_reader_made_long_is_cut_back_when_the_reader_is_done() {
    let here = TestDb::in_file();
    here.add_gogs();
    let served = here.serve();
    assert_eq!(served.push("first", PUSH.as_bytes()).0, 202);
    let reader = rusqlite::Connection::open(&here.db).unwrap();
    reader.execute_batch("begin").unwrap();
    reader
        .query_row("select count(*) from hookbox_event", [], |_| Ok(()))
        .unwrap();
    let log = format!("{}-wal", here.db.display());
    let length = || std::fs::metadata(&log).unwrap().len();
    let mut number = 0;
    let mut push = || {
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
            .take(500_000)
            .collect();
        number += 1;
        assert_eq!(served.push(&format!("k{number}"), &noise).0, 202);
    };
    while length() < 30 * 1024 * 1024 {
        push();
    }
    reader.execute_batch("commit").unwrap();
    wait_until("the log to be cut back", || {
        push();
        (length() <= 16 * 1024 * 1024).then_some(())
    });
}
