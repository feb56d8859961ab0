//! Files of older schemas: brought up to the newest, whole or not at all; and what never repeats over
//! copies of a file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;
use sha2::Digest;

use crate::support::{PUSH, Receiver, TestDb, sql, wait_until};

/// Stored files of each schema that files are brought up from, as text.
const STORED: [(i64, &str); 2] = [
    (7, include_str!("../../schemas/7.sql")),
    (8, include_str!("../../schemas/8.sql")),
];

/// What a file is made of, without comments and without how it is written down.
fn shape(db: &Path) -> BTreeSet<String> {
    let connection = Connection::open(db).unwrap();
    let mut shape = BTreeSet::new();
    let texts = |query: &str| -> Vec<String> {
        let mut rows = connection.prepare(query).unwrap();
        let rows = rows.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let words = |sql: &str| -> String {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap());
        let text = lines.collect::<Vec<_>>().join(" ").replace('"', "");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for sql in texts(
        "select type || ' ' || name || ' ' || sql from sqlite_schema where sql is not null and type <> 'table'",
    ) {
        shape.insert(words(&sql));
    }
    for table in texts("select name from sqlite_schema where type = 'table'") {
        let columns = format!(
            "select '{table} ' || name || ' ' || type || ' ' || \"notnull\" || ' ' || ifnull(dflt_value, '') || ' ' || pk || ' ' || cid
             from pragma_table_xinfo('{table}')"
        );
        shape.extend(texts(&columns));
        let keys = format!(
            "select '{table} ' || \"from\" || ' refers to ' || \"table\" from pragma_foreign_key_list('{table}')"
        );
        shape.extend(texts(&keys));
    }
    // The checks of tables stand in their text alone.
    for sql in texts("select name || ' ' || sql from sqlite_schema where type = 'table'") {
        let words = words(&sql);
        let checks = words.matches("check (").count();
        let name = words.split(' ').next().unwrap().to_owned();
        shape.insert(format!(
            "{name} has {checks} checks, strict: {}",
            words.ends_with("strict") || words.contains("strict,")
        ));
    }
    shape
}

#[test]
fn a_stored_file_of_each_older_schema_becomes_what_a_new_file_is() {
    let new = TestDb::in_file();
    new.json(&["init"]);
    for (version, stored) in STORED {
        let here = TestDb::in_file();
        sql(&here.db, stored);
        sql(&here.db, "pragma journal_mode = wal");
        // What an application made of our tables, and of one that it dropped.
        let views = "create view recent as select id from hookbox_event;
             create view turned_away as select r.reason, d.mended_by from hookbox_refusal as r, hookbox_delivery as d;
             create table orders (id integer primary key);
             create trigger asked after insert on orders
             begin update hookbox_endpoint set nudges = nudges + 1; delete from hookbox_refusal; end;
             create table gone (a); create view broken as select a from gone; drop table gone;";
        sql(&here.db, views);
        let before = Connection::open(&here.db).unwrap();
        let rows = |connection: &Connection, table: &str| -> i64 {
            connection
                .query_row(&format!("select count(*) from {table}"), [], |row| {
                    row.get(0)
                })
                .unwrap()
        };
        let tables = [
            "hookbox_event",
            "hookbox_delivery",
            "hookbox_attempt",
            "hookbox_answer",
        ];
        let counted = tables.map(|table| rows(&before, table));
        drop(before);
        let ran = here.run(&["stats", "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let from = format!("from={version}");
        assert!(
            ran.stderr.contains("store.migrating") && ran.stderr.contains(&from),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("store.migrated"), "{}", ran.stderr);
        assert_eq!(here.run(&["stats"]).stderr, "", "it says so once");
        // They go on working, by the new names.
        sql(
            &here.db,
            "create table seen as select * from turned_away; insert into orders default values",
        );
        let leftovers = "drop view recent; drop view broken; drop view turned_away; drop table seen; drop table orders";
        sql(&here.db, leftovers);
        assert_eq!(shape(&here.db), shape(&new.db), "schema {version}");
        assert_eq!(
            here.json(&["check", "--full"])["faults"],
            serde_json::json!([])
        );
        let after = Connection::open(&here.db).unwrap();
        assert_eq!(tables.map(|table| rows(&after, table)), counted);
    }
}

/// The newest schema as it is released, with rows. To change `schema.sql`, add a step, and a stored file of the
/// new version; this one stays what it is.
const NEWEST: (i64, &str) = (11, include_str!("../../schemas/11.sql"));

/// The hash of `schema.postgres.sql` of that version.
const SERVER_SCHEMA_SHA256: &str =
    "e3500795ea6b425c424e532766b3aaf70643c4db9122ef6d007a401af3357689";

#[test]
fn the_newest_schema_is_frozen() {
    let (version, stored) = NEWEST;
    let new = TestDb::in_file();
    new.json(&["init"]);
    let here = TestDb::in_file();
    sql(&here.db, stored);
    sql(&here.db, "pragma journal_mode = wal");
    let ran = here.run(&["stats", "--json"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (0, ""),
        "nothing is migrated"
    );
    let connection = Connection::open(&new.db).unwrap();
    let found: i64 = connection
        .query_row("select schema_version from hookbox_meta", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(found, version, "a new version has a stored file of its own");
    assert_eq!(
        shape(&here.db),
        shape(&new.db),
        "schema.sql changed: that is a new version, with a step in migrations/"
    );
    let checked = here.run(&["check", "--full"]);
    assert_eq!(checked.code, 0, "{}", checked.text());
    // On a server one file is schema and steps.
    let now = sha2::Sha256::digest(include_str!("../../../schema.postgres.sql"));
    assert_eq!(
        hex::encode(now),
        SERVER_SCHEMA_SHA256,
        "schema.postgres.sql changed: that is a new version, too"
    );
    // It is one that was used.
    let stats = here.json(&["stats"]);
    assert!(
        stats["pending"].as_i64() > Some(0) && stats["superseded"].as_i64() > Some(0),
        "{stats}"
    );
}

/// Cause: what looks at a file as it lies knew the newest schema alone. Damage: a backup of an older one could
/// not be put back, and a damaged older file not be saved. Cure: a copy is brought up before it is looked at, and
/// what had another name is read by it.
#[test]
fn a_backup_of_each_older_schema_is_restored_and_a_file_salvaged() {
    for (version, stored) in STORED {
        let old = TestDb::in_file();
        sql(&old.db, stored);
        sql(&old.db, "pragma journal_mode = wal");
        let counts = |here: &TestDb| {
            let stats = here.json(&["stats"]);
            ["events", "pending", "delivered", "dead", "superseded"].map(|name| stats[name].clone())
        };
        let checked = old.run(&["check", "--full"]);
        assert_eq!(checked.code, 1, "{}", checked.text());
        assert!(
            checked.stderr.contains("of an older schema"),
            "{}",
            checked.stderr
        );
        let saved = TestDb::in_file();
        let to = saved.db.to_str().unwrap();
        let ran = old.run(&["salvage", to]);
        assert_eq!(ran.code, 0, "schema {version}: {}", ran.text());
        let here = TestDb::in_file();
        let ran = here.run(&["restore", old.db.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "schema {version}: {}", ran.text());
        let expected = counts(&old);
        for found in [&saved, &here] {
            assert_eq!(counts(found), expected, "schema {version}");
            let checked = found.run(&["check", "--full"]);
            assert_eq!(checked.code, 0, "schema {version}: {}", checked.text());
        }
    }
}

/// What a person sees of a file of schema 7, and that it works on.
#[test]
fn a_file_of_schema_7_keeps_its_ids_bodies_and_pending_deliveries() {
    let here = TestDb::in_file();
    sql(&here.db, STORED[0].1);
    sql(&here.db, "pragma journal_mode = wal");
    let shown = here.json(&["event", "show", "7"]);
    assert_eq!(
        (&shown["id"], &shown["key"]),
        (&"evt_514e1d9203_7".into(), &"once".into())
    );
    let body = |id: &str| here.run(&["event", "body", id]).stdout;
    assert_eq!(body("7"), br#"{"n":7}"#);
    assert_eq!(body("8"), b"x\0y");
    assert_eq!(body("9"), vec![b'a'; 20_000]);
    let receiver = Receiver::answering(&[200]);
    let away = [
        "endpoint",
        "set",
        "away",
        "--url",
        &receiver.url,
        "--rate",
        "",
    ];
    here.json(&away);
    let served = here.serve();
    // In order: 1 to 9, each with the id that it had, then what the outbox held.
    for number in 1..=9 {
        let got = receiver.next();
        assert_eq!(
            got.header("webhook-id").unwrap(),
            format!("evt_514e1d9203_{number}")
        );
    }
    let got = receiver.next();
    assert_eq!(got.body, br#"{"w":1}"#);
    let id = got.header("webhook-id").unwrap().to_owned();
    assert!(
        id.starts_with("evt_514e1d9203_11_"),
        "new ids have a mark: {id}"
    );
    let repeated = here.json(&[
        "enqueue",
        "--type",
        "order.made",
        "--key",
        "once",
        "--data",
        "{}",
    ]);
    assert_eq!(repeated["duplicate"], true, "{repeated}");
    assert_eq!(served.signal("TERM"), Some(0));
}

#[test]
fn a_step_that_is_broken_off_is_done_or_undone() {
    let stored = TestDb::in_file();
    sql(&stored.db, STORED[0].1);
    sql(
        &stored.db,
        "pragma journal_mode = wal;
         with recursive n (i) as (select 100 union all select i + 1 from n where i < 20000)
         insert into hookbox_event (id, type, received_ms, is_json, headers, body, bytes)
         select i, 'more', 0, 0, '[]', randomblob(1000), 1000 from n;
         update hookbox_tally set value = value + 19901 where of = 'source' and id = 0 and what = 'events';",
    );
    let whole = fs::read(&stored.db).unwrap();
    let (mut undone, mut done) = (0, 0);
    for round in 0..16 {
        let here = TestDb::in_file();
        fs::write(&here.db, &whole).unwrap();
        let mut child = here
            .command(&["stats"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Somewhere between the first write and the last: as the log grows.
        let log = format!("{}-wal", here.db.display());
        let written = round * 3_000_000;
        wait_until("so much to be written, or the end", || {
            let length = fs::metadata(&log).map_or(0, |found| found.len());
            (length > written || child.try_wait().unwrap().is_some()).then_some(())
        });
        let _ = child.kill();
        let _ = child.wait();
        let version: i64 = Connection::open(&here.db)
            .unwrap()
            .query_row("select schema_version from hookbox_meta", [], |row| {
                row.get(0)
            })
            .unwrap();
        match version {
            7 => undone += 1,
            _ => done += 1,
        }
        // Whatever it was: the next command finishes it, and nothing is lost.
        assert_eq!(here.json(&["stats"])["events"], 19_911);
        if round % 8 == 0 {
            assert_eq!(
                here.json(&["check", "--full"])["faults"],
                serde_json::json!([])
            );
        }
    }
    assert!(undone >= 3 && done >= 1, "{undone} undone, {done} done");
}

#[test]
fn a_file_that_an_older_program_serves_is_left_alone_and_one_too_old_is_refused() {
    let here = TestDb::in_file();
    sql(&here.db, STORED[0].1);
    sql(&here.db, "pragma journal_mode = wal");
    let lock = fs::File::create(format!("{}.lock", here.db.display())).unwrap();
    lock.lock().unwrap();
    let ran = here.run(&["stats"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("served by an older hookbox"),
        "{}",
        ran.stderr
    );
    lock.unlock().unwrap();
    sql(
        &here.db,
        "update hookbox_meta set schema_version = 6 where id = 1",
    );
    let ran = here.run(&["stats"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("schema version 6"), "{}", ran.stderr);
}

/// Cause: an id was the file's box and a number. Damage: after a snapshot was put back, 5 of 8 new events
/// had a webhook-id that receivers knew, and were dropped there. Cure: a mark that each process draws.
#[test]
fn a_file_and_its_copies_never_give_out_the_same_id() {
    let here = TestDb::in_file();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let mut seen = BTreeSet::new();
    let mut push = |here: &TestDb, count: usize| {
        let served = here.serve();
        for number in 0..count {
            let key = format!("{}-{number}", fastrand::u64(..));
            let (status, answer) = served.push(&key, PUSH.as_bytes());
            assert_eq!(status, 202);
            let id = answer["id"].as_str().unwrap().to_owned();
            assert!(id.len() <= 26, "{id} is short");
            assert!(seen.insert(id.clone()), "{id} was given out twice");
            assert_eq!(receiver.next().header("webhook-id"), Some(id.as_str()));
        }
        wait_until("all to be recorded", || {
            (here.json(&["stats"])["pending"] == 0).then_some(())
        });
        assert_eq!(served.signal("TERM"), Some(0));
    };
    push(&here, 3);
    let copy = TestDb::in_file();
    fs::copy(&here.db, &copy.db).unwrap();
    // Both go on, and the first is set back to what it was; with commands in between.
    push(&here, 5);
    push(&copy, 5);
    fs::copy(&copy.db, &here.db).unwrap();
    let put = |here: &TestDb| -> String {
        let put = here.json(&["enqueue", "--type", "a", "--data", "{}"]);
        put["id"].as_str().unwrap().to_owned()
    };
    let ids = [put(&here), put(&copy), put(&here), put(&copy)];
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 4, "{ids:?}");
    // What was given out is found by its id, here and not there.
    assert_eq!(here.run(&["event", "show", &ids[2]]).code, 0);
    let elsewhere = copy.run(&["event", "show", &ids[2]]);
    assert_eq!(elsewhere.code, 2);
    assert!(
        elsewhere.stderr.contains("another copy"),
        "{}",
        elsewhere.stderr
    );
}

#[test]
fn beside_a_service_commands_use_its_mark_and_marks_go_with_their_rows() {
    let here = TestDb::in_file();
    here.add_gogs();
    let served = here.serve();
    let mark = |answer: &Value| -> String {
        let id = answer["id"].as_str().unwrap();
        id.rsplit('_').next().unwrap().to_owned()
    };
    let of_service = mark(&served.push("k1", PUSH.as_bytes()).1);
    for _ in 0..3 {
        let put = here.json(&["enqueue", "--type", "a", "--data", "{}"]);
        assert_eq!(mark(&put), of_service);
    }
    assert_eq!(served.signal("TERM"), Some(0));
    let marks = || -> i64 {
        let connection = Connection::open(&here.db).unwrap();
        let count = "select count(*) from hookbox_mark";
        connection.query_row(count, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(marks(), 1);
    for _ in 0..5 {
        here.json(&["enqueue", "--type", "a", "--data", "{}"]);
    }
    assert_eq!(marks(), 6);
    // As if two days had passed.
    sql(
        &here.db,
        "update hookbox_event set received_ms = received_ms - 172800000",
    );
    here.json(&["prune", "--before", "1d", "--yes"]);
    assert_eq!(marks(), 1, "the newest event stays, with its mark");
}
