//! Moving from and to a file, with what other programs wrote into it.

use serde_json::{Value, json};

use super::damage::break_off_a_change;
use crate::moving::{broken_off, large, refused, tried};
use crate::support::{TestDb, sql};

fn texts(here: &TestDb, query: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(&here.db).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    let texts = statement.query_map([], |row| row.get(0)).unwrap();
    texts.collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn a_file_that_was_moved_into_has_the_tables_of_a_new_one() {
    let (from, to, new) = (TestDb::in_file(), TestDb::in_file(), TestDb::in_file());
    from.json(&["init"]);
    new.json(&["init"]);
    assert_eq!(tried(&from, &to, &[]).code, 0);
    let tables = "select name || ': ' || ifnull(sql, '') from sqlite_schema order by name";
    assert_eq!(texts(&to, tables), texts(&new, tables));
    for pragma in ["auto_vacuum", "journal_mode"] {
        let query = format!("select cast({pragma} as text) from pragma_{pragma}");
        assert_eq!(texts(&to, &query), texts(&new, &query));
    }
}

#[test]
fn a_row_that_something_else_changed_in_the_target_is_found_and_it_stays_closed() {
    let from = large();
    for change in [
        "update hookbox_event set type = 'other' where id = 1",
        "insert into hookbox_outbox (type, body) values ('a', 'b')",
        "delete from hookbox_mark",
    ] {
        let to = TestDb::in_file();
        assert!(broken_off(&from, &to).is_some(), "it was over too soon");
        sql(&to.db, change);
        let table = change.split(' ').find(|word| word.starts_with("hookbox_"));
        refused(&from, &to, 1, table.unwrap());
        refused(&from, &to, 1, "not as in");
        let ran = to.run(&["stats"]);
        assert!(ran.stderr.contains("is not finished"), "{}", ran.stderr);
        assert_eq!(tried(&from, &to, &["--restart"]).code, 0);
        assert_eq!(to.json(&["check", "--full"])["faults"], json!([]));
    }
}

/// Cause: a file whose last change is to be rolled back was taken for another one. Damage: "is there already".
/// Cure: as for whatever reads a file.
#[test]
fn a_move_that_was_broken_off_as_its_file_was_put_in_wal_mode_goes_on() {
    let (from, to) = (large(), TestDb::in_file());
    assert!(broken_off(&from, &to).is_some(), "it was over too soon");
    break_off_a_change(&to.db);
    let ran = tried(&from, &to, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(to.json(&["check", "--full"])["faults"], json!([]));
}

#[test]
fn a_source_that_is_written_to_meanwhile_is_found() {
    let (from, to) = (large(), TestDb::in_file());
    let moving = std::thread::scope(|scope| {
        let moving = scope.spawn(|| tried(&from, &to, &[]));
        crate::support::wait_until("the move to be midway", || {
            let ran = to.run(&["stats"]);
            ran.stderr.contains("of hookbox_event)").then_some(())
        });
        sql(
            &from.db,
            "insert into hookbox_outbox (type, body) values ('order.paid', '{}')",
        );
        moving.join().unwrap()
    });
    assert_eq!(moving.code, 1);
    assert!(
        moving.stderr.contains("written to during the move"),
        "{}",
        moving.stderr
    );
    assert_eq!(to.run(&["stats"]).code, 1);
    assert_eq!(tried(&from, &to, &["--restart"]).code, 0);
    assert_eq!(to.json(&["stats"])["outbox"], 1);
}

#[test]
fn what_is_no_store_of_now_is_not_moved() {
    let (from, to) = (TestDb::in_file(), TestDb::in_file());
    sql(&from.db, "create table orders (id integer primary key)");
    refused(&from, &to, 3, "no database at");
    from.json(&["init", "--into-existing", "--wal"]);
    for (version, why) in [
        (8, "brings it up to version"),
        (6, "before the first release"),
        (99, "use the newer hookbox"),
    ] {
        sql(
            &from.db,
            &format!("update hookbox_meta set schema_version = {version}"),
        );
        refused(&from, &to, 1, why);
    }
    // What stands in the way is left alone.
    sql(&from.db, "update hookbox_meta set schema_version = 11");
    for file in [&to.db, &to.folder.path().join("hookbox.db-wal")] {
        std::fs::write(file, b"something").unwrap();
        refused(&from, &to, 2, "is there already");
        assert_eq!(std::fs::read(file).unwrap(), b"something");
        std::fs::remove_file(file).unwrap();
    }
    // The tables of the other program stay where they are.
    assert_eq!(tried(&from, &to, &[]).code, 0);
    let others = "select name from sqlite_schema where name = 'orders'";
    assert_eq!(texts(&to, others), Vec::<String>::new());
    assert_eq!(texts(&from, others), ["orders"]);
}

/// SQLite keeps any bytes as a text, PostgreSQL does not.
#[test]
fn texts_that_a_server_cannot_store_are_replaced_and_bodies_never_change() {
    let Some(server) = TestDb::on_server() else {
        return;
    };
    let (from, back) = (TestDb::in_file(), TestDb::in_file());
    from.json(&["init"]);
    sql(
        &from.db,
        "insert into hookbox_outbox_row (type, body, problem)
         values ('order' || char(0) || 'paid', cast(x'00ff41' as text), cast(x'ff' as text));
         insert into hookbox_outbox_row (type, body) values ('order.paid', 'Grüße');
         insert into hookbox_outbox_row (type, body) values ('order.paid', x'00ff');",
    );
    let ran = tried(&from, &server, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("U+FFFD instead in 2 texts"),
        "{}",
        ran.stderr
    );
    let moved: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(moved["replaced_texts"], 2);
    assert_eq!(tried(&server, &back, &[]).code, 0);
    let bodies = "select hex(body) from hookbox_outbox_row order by id";
    assert_eq!(texts(&back, bodies), texts(&from, bodies));
    let kinds = "select typeof(body) from hookbox_outbox_row order by id";
    assert_eq!(texts(&back, kinds), ["blob", "text", "blob"]);
    let types = "select type || problem from hookbox_outbox_row where id = 1";
    assert_eq!(texts(&back, types), ["order\u{fffd}paid\u{fffd}"]);
}
