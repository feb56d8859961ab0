//! What the file is: made, checked, shared with an application's tables, refused, and whole on the disk.

use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use hookbox::store::{Missing, Store};

use crate::support::{NOON, PUSH, TestDb, binary, event, is_missing, sql};

#[test]
fn a_file_that_is_not_sqlite_is_refused_and_left_alone() {
    let here = TestDb::in_file();
    std::fs::write(&here.db, "my shopping list").unwrap();
    for arguments in [
        &["init"][..],
        &["serve"],
        &["stats"],
        &["init", "--into-existing"],
    ] {
        let ran = here.run(arguments);
        assert_eq!(ran.code, 1, "{arguments:?}");
        assert!(
            ran.stderr.contains("is not a SQLite database"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(std::fs::read(&here.db).unwrap(), b"my shopping list");
}

#[test]
fn another_programs_database_is_refused_unless_asked_for() {
    let here = TestDb::in_file();
    sql(
        &here.db,
        "create table orders (id integer primary key); insert into orders values (1); pragma user_version = 42;",
    );
    let before = std::fs::read(&here.db).unwrap();
    for arguments in [
        &["init"][..],
        &["serve"],
        &["stats"],
        &["source", "add", "g", "--kind", "gogs"],
    ] {
        let ran = here.run(arguments);
        assert_eq!(ran.code, 1, "{arguments:?}");
        assert!(ran.stderr.contains("--into-existing"), "{}", ran.stderr);
    }
    assert_eq!(
        std::fs::read(&here.db).unwrap(),
        before,
        "not a byte was changed"
    );

    // It keeps the mode, so that is asked for first.
    let ran = here.run(&["init", "--into-existing"]);
    assert!(
        ran.code == 1 && ran.stderr.contains("--wal"),
        "{}",
        ran.stderr
    );
    assert_eq!(std::fs::read(&here.db).unwrap(), before);
    assert_eq!(here.run(&["init", "--into-existing", "--wal"]).code, 0);
    assert_eq!(here.json(&["stats"])["events"], 0);
    let connection = rusqlite::Connection::open(&here.db).unwrap();
    let kept: i64 = connection
        .query_row("select count(*) from orders", [], |row| row.get(0))
        .unwrap();
    let version: i64 = connection
        .query_row("pragma user_version", [], |row| row.get(0))
        .unwrap();
    let page: i64 = connection
        .query_row("pragma page_size", [], |row| row.get(0))
        .unwrap();
    assert_eq!((kept, version, page), (1, 42, 4096));
}

#[test]
fn the_schema_by_itself_leaves_an_applications_file_as_it_was_but_for_its_tables() {
    let here = TestDb::in_file();
    let app = "create table orders (id integer primary key, total integer);
         insert into orders values (1, 42);
         pragma user_version = 7; pragma application_id = 9;";
    sql(&here.db, app);
    let schema = include_str!("../../../schema.sql");
    sql(&here.db, schema);
    sql(&here.db, schema);
    let connection = rusqlite::Connection::open(&here.db).unwrap();
    let text = |pragma: &str| -> String {
        let query = format!("select cast({pragma} as text) from pragma_{pragma}");
        connection.query_row(&query, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(text("user_version"), "7");
    assert_eq!(text("application_id"), "9");
    assert_eq!(text("journal_mode"), "delete");
    let foreign: i64 = connection
        .query_row(
            "select count(*) from sqlite_schema
             where name not glob 'hookbox_*' and name not glob 'sqlite_autoindex*'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(foreign, 1, "every name begins with hookbox_");
    drop(connection);
    // The program says what is missing, and then works with it.
    let ran = here.run(&["stats"]);
    assert!(
        ran.code == 1 && ran.stderr.contains("--wal"),
        "{}",
        ran.stderr
    );
    here.json(&["init", "--into-existing", "--wal"]);
    sql(
        &here.db,
        "insert into hookbox_outbox (type, body) values ('a', '{}')",
    );
    assert_eq!(here.json(&["stats"])["outbox"], 1);
}

#[test]
fn a_schema_that_is_newer_or_of_before_the_first_release_is_refused() {
    let here = TestDb::in_file();
    here.json(&["init"]);
    for (version, says) in [(99, "use the newer hookbox"), (1, "begin with a new file")] {
        let set = format!("update hookbox_meta set schema_version = {version} where id = 1");
        sql(&here.db, &set);
        let ran = here.run(&["stats"]);
        assert_eq!(ran.code, 1);
        let named = ran.stderr.contains(&format!("schema version {version}"));
        assert!(named && ran.stderr.contains(says), "{}", ran.stderr);
    }
}

#[test]
fn schema_sql_applies_by_itself_and_again_without_changing_anything() {
    let here = TestDb::in_file();
    let schema = include_str!("../../../schema.sql");
    sql(&here.db, schema);
    let made = here.json(&["init"])["box"].clone();
    sql(&here.db, schema);
    assert_eq!(here.json(&["init"])["box"], made);
    assert_eq!(here.json(&["stats"])["events"], 0);
}

#[test]
fn another_programs_write_lock_is_waited_for() {
    let here = TestDb::in_file();
    let store = Store::open(&here.db, Missing::Create).unwrap();
    let connection = rusqlite::Connection::open(&here.db).unwrap();
    connection.execute_batch("begin immediate").unwrap();
    let (sender, answers) = channel();
    store.accept_then(event("push"), NOON, move |result| {
        sender.send(result).unwrap()
    });
    // The writer is at the lock by now, or will be; it must not have given up.
    assert!(answers.recv_timeout(Duration::from_millis(300)).is_err());
    connection.execute_batch("commit").unwrap();
    assert!(answers.recv().unwrap().is_ok());
}

#[test]
fn after_a_stop_the_database_file_alone_is_whole() {
    let here = TestDb::in_file();
    here.add_gogs();
    let served = here.serve();
    served.push("k1", PUSH.as_bytes());
    served.page("/");
    served.stop_and_read_log();
    assert!(!std::path::Path::new(&format!("{}-wal", here.db.display())).exists());
    let copy = TestDb::in_file();
    std::fs::copy(&here.db, &copy.db).unwrap();
    assert_eq!(copy.json(&["stats"])["events"], 1);
}

#[test]
fn an_event_is_fsynced_before_its_id_is_told() {
    let tracer = is_missing("strace", &["-V"], "apt-get install strace");
    if tracer {
        return;
    }
    let here = TestDb::in_file();
    here.json(&["init"]);
    let trace = here.folder.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-e", "trace=fsync,fdatasync,write", "-o"])
        .arg(&trace)
        .arg(binary())
        .args(["enqueue", "--type", "x", "--db"])
        .arg(&here.db)
        .status();
    assert!(status.unwrap().success());
    // The id is told only after the sync of the commit.
    let trace = std::fs::read_to_string(&trace).unwrap();
    let told = trace
        .lines()
        .position(|line| line.contains("write(1, \"evt_"))
        .unwrap();
    let synced = trace
        .lines()
        .take(told)
        .filter(|line| line.contains("sync("))
        .count();
    assert!(synced >= 1, "{trace}");
}
