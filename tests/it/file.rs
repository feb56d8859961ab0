//! What the file is: made, checked, shared, refused; and how commits are grouped.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use hookbox::model::event::NewEvent;
use hookbox::store::{Missing, Store};
use hookbox::time::Timestamp;

use crate::support::{
    NOON, PUSH, Receiver, SERVE, Served, TestDb, event, is_missing, listener, raw, send_signal,
    sql, wait_until,
};

#[test]
fn a_new_file_is_readable_by_its_owner_alone() {
    let here = TestDb::new();
    here.add_gogs();
    let served = here.serve();
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let path = format!("{}{suffix}", here.db.display());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{path}");
    }
    drop(served);
}

#[test]
fn a_second_serve_is_refused_and_told_the_firsts_process_id() {
    let here = TestDb::new();
    let served = here.serve();
    // By another name of the same file, too.
    let link = here.folder.path().join("link.db");
    std::os::unix::fs::symlink(&here.db, &link).unwrap();
    for db in [&here.db, &link] {
        let ran = here.run(&[&SERVE[..], &["--db", db.to_str().unwrap()]].concat());
        assert_eq!(ran.code, 1);
        let expected = format!("already being served by process {}", served.pid);
        assert!(ran.stderr.contains(&expected), "{}", ran.stderr);
    }
    drop(served);
    drop(here.serve());
}

#[test]
fn a_file_that_is_not_sqlite_is_refused_and_left_alone() {
    let here = TestDb::new();
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
    let here = TestDb::new();
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
    assert_eq!((kept, version), (1, 42));
}

#[test]
fn the_schema_by_itself_leaves_an_applications_file_as_it_was_but_for_its_tables() {
    let here = TestDb::new();
    let app = "create table orders (id integer primary key, total integer);
         insert into orders values (1, 42);
         pragma user_version = 7; pragma application_id = 9;";
    sql(&here.db, app);
    let schema = include_str!("../../schema.sql");
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
    let here = TestDb::new();
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

/// Runs the program as a user to whom the box's file does not belong: the super-user may write everything,
/// so as nobody then.
fn run_as_other(arguments: &[&str], db: &std::path::Path) -> String {
    let script = r#"if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else exec "$@"; fi"#;
    let copy = tempfile::tempdir().unwrap();
    set_mode(copy.path(), 0o755);
    let program = copy.path().join("hookbox");
    std::fs::copy(env!("CARGO_BIN_EXE_hookbox"), &program).unwrap();
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(&program)
        .args(arguments)
        .arg("--db")
        .arg(db)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

fn set_mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Cause: SQLite's words were passed on ("unable to open database file: Error code 14"). Damage: nobody
/// could tell a wrong owner from a broken file. Cure: what stands in the way is looked for and named, with
/// whose it is.
#[test]
fn what_may_not_be_opened_is_said_with_its_owner_and_mode() {
    let here = TestDb::new();
    here.json(&["init"]);
    let folder = here.folder.path();
    let name = |path: &std::path::Path| path.display().to_string();
    // Modes of the folder and the file; what is named.
    for (arguments, folder_mode, mode, place, shown) in [
        (&SERVE[..], 0o555, 0o444, name(&here.db), "0444"),
        (&["stats"][..], 0o755, 0o000, name(&here.db), "0000"),
        (&["stats"][..], 0o555, 0o666, name(folder), "0555"),
        (&["stats"][..], 0o000, 0o666, name(folder), "0000"),
    ] {
        set_mode(&here.db, mode);
        set_mode(folder, folder_mode);
        let said = run_as_other(arguments, &here.db);
        set_mode(folder, 0o755);
        assert!(said.contains(&format!("{place} belongs to `")), "{said}");
        let words = [format!("(mode {shown})"), "this runs as `".to_owned()];
        assert!(words.iter().all(|one| said.contains(one)), "{said}");
        assert!(!said.contains("code"), "{said}");
    }
    let made = run_as_other(&["init"], std::path::Path::new("/none.db"));
    assert!(
        made.contains("cannot make /none.db") && made.contains("/ belongs to `root`"),
        "{made}"
    );
    let lost = here.folder.path().join("away/hookbox.db");
    let ran = here.run(&["init", "--db", lost.to_str().unwrap()]);
    assert!(ran.stderr.contains("there is no folder"), "{}", ran.stderr);
}

#[test]
fn a_path_that_does_not_exist_is_made_by_setting_up_and_refused_by_looking() {
    let here = TestDb::new();
    for arguments in [
        &["stats"][..],
        &["event", "list"],
        &["enqueue", "--type", "x"],
    ] {
        let ran = here.run(arguments);
        assert_eq!(ran.code, 3, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("hookbox init"), "{}", ran.stderr);
        assert!(!here.db.exists());
    }
    here.add_gogs();
    assert!(here.db.exists());
}

#[test]
fn schema_sql_applies_by_itself_and_again_without_changing_anything() {
    let here = TestDb::new();
    let schema = include_str!("../../schema.sql");
    sql(&here.db, schema);
    let made = here.json(&["init"])["box"].clone();
    sql(&here.db, schema);
    assert_eq!(here.json(&["init"])["box"], made);
    assert_eq!(here.json(&["stats"])["events"], 0);
}

#[test]
fn jobs_that_wait_together_are_committed_together_and_a_bad_one_is_refused_before() {
    let here = TestDb::new();
    let store = Store::open(&here.db, Missing::Create).unwrap();
    let (entered, is_entered) = channel();
    let (release, released) = channel::<()>();
    // The writer is held after its first commit until 33 jobs wait behind it.
    store.accept_then(event("first"), NOON, move |_| {
        entered.send(()).unwrap();
        released.recv().unwrap();
    });
    is_entered.recv().unwrap();
    let (sender, answers) = channel();
    for index in 0..33 {
        let sender = sender.clone();
        let event_type = if index == 7 {
            String::new()
        } else {
            format!("type{index}")
        };
        let new = NewEvent {
            event_type,
            ..event("x")
        };
        store.accept_then(new, NOON, move |result| {
            sender.send((index, result)).unwrap()
        });
    }
    release.send(()).unwrap();
    for _ in 0..33 {
        let (index, result) = answers.recv().unwrap();
        assert_eq!(result.is_err(), index == 7, "{index}");
    }
    let groups = store.group_stats();
    assert_eq!((groups.commits, groups.jobs, groups.largest), (2, 33, 32));
    assert_eq!(store.stats().unwrap().events, 33);
}

#[test]
fn a_closed_store_answers_that_it_has_stopped() {
    let here = TestDb::new();
    let store = Store::open(&here.db, Missing::Create).unwrap();
    store.accept(event("push"), NOON).unwrap();
    store.close();
    let error = store.accept(event("push"), Timestamp(0)).unwrap_err();
    assert!(matches!(error, hookbox::Error::Stopped));
    assert_eq!(
        Store::open(&here.db, Missing::Refuse)
            .unwrap()
            .stats()
            .unwrap()
            .events,
        1
    );
}

#[test]
fn another_programs_write_lock_is_waited_for() {
    let here = TestDb::new();
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
    let here = TestDb::new();
    here.add_gogs();
    let served = here.serve();
    served.push("k1", PUSH.as_bytes());
    served.page("/");
    served.stop_and_read_log();
    assert!(!std::path::Path::new(&format!("{}-wal", here.db.display())).exists());
    let copy = TestDb::new();
    std::fs::copy(&here.db, &copy.db).unwrap();
    assert_eq!(copy.json(&["stats"])["events"], 1);
}

#[test]
fn an_event_is_fsynced_before_its_id_is_told() {
    let tracer = is_missing("strace", &["-V"], "apt-get install strace");
    if tracer {
        return;
    }
    let here = TestDb::new();
    here.json(&["init"]);
    let trace = here.folder.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-e", "trace=fsync,fdatasync,write", "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_hookbox"))
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

/// A disk that is full, by the process's file size limit: SQLite's writes fail as they do on a
/// full disk, and space returns when the limit is lifted.
#[test]
fn a_full_disk_is_answered_503_and_the_service_recovers_by_itself() {
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    // Blocks of 512 bytes; a process that ignores SIGXFSZ gets an error from write instead.
    let script = "trap '' XFSZ; ulimit -S -f 600; exec \"$0\" \"$@\"";
    let served = Served::start(here.serve_under("sh", &["-c", script]));
    let body = vec![b'x'; 50_000];
    let mut accepted = 0;
    let refused = wait_until("the disk to be full", || {
        let (status, answer) = served.push(&format!("k{accepted}"), &body);
        if status == 202 {
            accepted += 1;
            return None;
        }
        Some((status, answer))
    });
    assert_eq!(refused.0, 503, "{}", refused.1);
    assert!(
        refused.1["error"]
            .as_str()
            .unwrap()
            .contains("nothing was kept")
    );
    assert!(accepted >= 1);
    let retry_after = raw(
        served.ingest_address(),
        format!(
            "POST /in/gogs HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Gogs-Signature: {}\r\nContent-Length: {}\r\n\r\n{}",
            hookbox::signature::gogs::sign(
                &hookbox::signature::Secret::new(crate::support::GOGS_SECRET).unwrap(),
                None,
                &body
            ),
            body.len(),
            String::from_utf8_lossy(&body)
        )
        .as_bytes(),
    );
    assert!(
        retry_after.starts_with("HTTP/1.1 503") && retry_after.contains("retry-after: 5"),
        "{retry_after}"
    );

    let lifted = Command::new("prlimit")
        .args(["--pid", &served.pid.to_string(), "--fsize=unlimited"])
        .status();
    assert!(lifted.unwrap().success());
    wait_until("space to be used again", || {
        (served.push("after", &body).0 == 202).then_some(())
    });
    let stats = wait_until("everything to be delivered", || {
        let stats = here.json(&["stats"]);
        (stats["pending"] == 0 && stats["delivered"] == accepted + 1).then_some(stats)
    });
    assert_eq!(
        stats["events"],
        accepted + 1,
        "what was refused was not kept"
    );
    assert_eq!(served.signal("TERM"), Some(0));
}

#[test]
fn a_stop_by_signal_commits_and_exits_with_zero() {
    for name in ["TERM", "INT"] {
        let here = TestDb::new();
        here.add_gogs();
        let served = here.serve();
        assert_eq!(served.push("k1", PUSH.as_bytes()).0, 202);
        assert_eq!(served.signal(name), Some(0), "{name}");
        assert_eq!(here.json(&["stats"])["events"], 1);
    }
}

#[test]
fn a_stop_lets_a_request_on_the_wire_end_and_records_it() {
    let here = TestDb::new();
    here.add_gogs();
    let (listener, address) = listener();
    here.add_endpoint("slow", &format!("http://{address}/"), &[]);
    let served = here.serve();
    served.push("k1", PUSH.as_bytes());
    let (mut stream, _) = listener.accept().unwrap();
    send_signal(served.pid, "TERM");
    wait_until("the way in to close", || {
        std::net::TcpStream::connect(served.ingest_address())
            .is_err()
            .then_some(())
    });
    std::io::Write::write_all(&mut stream, b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    let pid = served.pid;
    assert_eq!(served.wait_for_exit(), Some(0), "{pid}");
    assert_eq!(here.json(&["stats"])["delivered"], 1);
}
