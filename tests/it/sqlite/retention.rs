//! How old rows and how large the file become, and that room inside it is given back.

use std::fs;

use rusqlite::Connection;

use crate::support::{PUSH, Receiver, TestDb, sql, wait_until};

#[test]
fn serve_removes_by_itself_what_is_older_than_it_is_to_be_kept() {
    let here = TestDb::in_file();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let served = here.serve();
    for number in 0..30 {
        assert_eq!(served.push(&format!("k{number}"), PUSH.as_bytes()).0, 202);
    }
    wait_until("all to be delivered", || {
        (here.json(&["stats"])["delivered"] == 30).then_some(())
    });
    assert_eq!(served.signal("TERM"), Some(0));
    // As if two days had passed since, for most of them.
    sql(
        &here.db,
        "update hookbox_event set received_ms = received_ms - 172800000 where id <= 20;
         update hookbox_delivery set settled_ms = settled_ms - 172800000 where id <= 20;",
    );
    let served = here.serve_with(&["--keep-delivered", "1d"]);
    wait_until("the old to be gone", || {
        (here.json(&["stats"])["events"] == 10).then_some(())
    });
    wait_until("that to be told", || {
        served.log().contains("store.pruned").then_some(())
    });
    assert_eq!(
        here.json(&["check", "--full"])["faults"],
        serde_json::json!([])
    );
    assert_eq!(
        served.push("k5", PUSH.as_bytes()).0,
        202,
        "its key went with it"
    );
}

/// Cause: more had to go before anything was taken in again than went by itself. Damage: a file that was held
/// to a size shut its way in for good.
#[test]
fn a_file_that_grew_to_its_size_takes_in_again_once_the_oldest_went() {
    let here = TestDb::in_file();
    here.add_gogs();
    sql(
        &here.db,
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 900)
         insert into hookbox_event (id, type, received_ms, is_json, headers, body, bytes)
         select i, 'more', 1700000000000, 0, '[]', randomblob(50000), 50000 from n;
         insert into hookbox_tally (of, id, what, value) values ('source', 0, 'events', 900);",
    );
    let served = here.serve_with(&["--max-size", "40MiB"]);
    wait_until("it to take in", || {
        (served.push("new", PUSH.as_bytes()).0 == 202).then_some(())
    });
    assert_eq!(served.page("/readyz").0, 200);
    let left = here.json(&["stats"])["events"].as_u64().unwrap();
    assert!((500..800).contains(&left), "no more than it takes: {left}");
}

fn length(here: &TestDb) -> u64 {
    fs::metadata(&here.db).unwrap().len()
}

/// Fills a file, and removes all but the newest.
fn emptied(here: &TestDb) {
    here.json(&["init"]);
    sql(
        &here.db,
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 3000)
         insert into hookbox_event (id, type, received_ms, is_json, headers, body, bytes)
         select i, 'more', 1700000000000, 0, '[]', randomblob(10000), 10000 from n;
         insert into hookbox_tally (of, id, what, value) values ('source', 0, 'events', 3000);",
    );
    here.json(&["prune", "--before", "1d", "--yes"]);
}

#[test]
fn room_inside_the_file_is_shown_given_back_by_serve_and_all_of_it_by_compact() {
    let here = TestDb::in_file();
    emptied(&here);
    let stats = here.json(&["stats"]);
    let full = length(&here);
    assert!(full > 30_000_000, "{full}");
    assert!(
        stats["reusable_bytes"].as_u64().unwrap() > 29_000_000,
        "{stats}"
    );
    let served = here.serve_with(&["--keep-delivered", "1d"]);
    wait_until("room to be given back", || {
        let reusable = here.json(&["stats"])["reusable_bytes"].as_u64().unwrap();
        (reusable < 17 * 1024 * 1024).then_some(())
    });
    assert_eq!(served.signal("TERM"), Some(0));
    assert!(length(&here) < 19_000_000, "{}", length(&here));
    let compacted = here.json(&["compact"]);
    assert!(
        compacted["after"].as_u64().unwrap() < 1_000_000,
        "{compacted}"
    );
    assert_eq!(compacted["after"], length(&here));
    assert_eq!(here.json(&["stats"])["reusable_bytes"], 0);
    assert_eq!(
        here.json(&["check", "--full"])["faults"],
        serde_json::json!([])
    );
}

#[test]
fn a_file_that_gives_nothing_back_is_made_anew_by_compact_while_nobody_has_it_open() {
    let here = TestDb::in_file();
    emptied(&here);
    // As an older hookbox made it.
    let connection = Connection::open(&here.db).unwrap();
    connection
        .execute_batch("pragma journal_mode = delete; pragma auto_vacuum = none; pragma page_size = 4096; vacuum; pragma journal_mode = wal;")
        .unwrap();
    connection
        .execute_batch("create table filler (a); insert into filler values (zeroblob(3000000)); drop table filler")
        .unwrap();
    drop(connection);
    let before = length(&here);
    let served = here.serve();
    let ran = here.run(&["compact"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("already being served"),
        "{}",
        ran.stderr
    );
    assert_eq!(served.signal("TERM"), Some(0));
    let compacted = here.json(&["compact"]);
    assert!(
        compacted["after"].as_u64().unwrap() + 2_000_000 < before,
        "{compacted}"
    );
    let connection = Connection::open(&here.db).unwrap();
    let number = |pragma: &str| -> i64 {
        let text = format!("pragma {pragma}");
        connection.query_row(&text, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(number("auto_vacuum"), 2, "from now on it gives room back");
    assert_eq!(number("page_size"), 1024, "as of a new file");
    assert_eq!(here.json(&["stats"])["events"], 1);
}
