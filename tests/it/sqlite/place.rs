//! Where the file lies: moved, replaced, mounted by itself, named twice, and what lies beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::door::gogs_box;
use crate::support::{PUSH, SERVE, Served, TestDb, binary, is_missing, send_signal, wait_until};

pub fn beside(here: &TestDb, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", here.db.display()))
}

/// Serves a box into which one push went, the log of which is quiet again.
fn serve_with_one(here: &TestDb, events: i64) -> Served {
    let served = here.serve();
    assert_eq!(
        served.push(&format!("before-{events}"), PUSH.as_bytes()).0,
        202
    );
    wait_until("the writer to be idle", || {
        (here.json(&["stats"])["events"] == events).then_some(())
    });
    served
}

fn is_shut(served: &Served, why: &str) {
    let told = || -> Value { serde_json::from_str(&served.page("/readyz").2).unwrap() };
    wait_until("the loss to be seen", || {
        let told = told();
        told["error"]
            .as_str()
            .is_some_and(|error| error.contains(why))
            .then_some(())
    });
    assert_eq!(served.page("/readyz").0, 503);
    let (status, answer) = served.push("into-the-void", PUSH.as_bytes());
    assert_eq!(status, 503, "{answer}");
    // Where a copy made a mess of the file there is no page to be made of it.
    let (status, _, page) = served.page("/");
    assert!(
        page.contains(why) || status == 503,
        "the page says it: {page}"
    );
    let log = served.log();
    let lines = log.lines().filter(|line| line.contains("store.gone"));
    assert_eq!(lines.count(), 1, "{log}");
}

/// What the log holds when something is done to its file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Log {
    Emptied,
    Long,
    OfAnother,
}

/// Cause: the writer held the file open and never looked at its path. Damage: after `rm`, `mv` or `cp`
/// over the file, events were acknowledged and gone at the next start. Cure: device, inode and the
/// time of writing are compared before anything is acknowledged.
#[test]
fn a_file_that_is_moved_replaced_or_written_over_takes_nothing_in() {
    type Do = fn(&Path, &Path);
    let is_shut_after = |way: Do, why: &str, log: Log| {
        let here = TestDb::in_file();
        here.add_gogs();
        let copy = here.folder.path().join("copy.db");
        here.json(&["backup", copy.to_str().unwrap()]);
        let served = serve_with_one(&here, 1);
        let push_many = |name: &str, many: usize| {
            for number in 0..many {
                let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
                    .take(50_000)
                    .collect();
                assert_eq!(served.push(&format!("{name}-{number}"), &noise).0, 202);
            }
        };
        // Much of what was acknowledged is in the file alone, not in the log.
        push_many("noise", 20);
        let app = rusqlite::Connection::open(&here.db).unwrap();
        app.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
            .unwrap();
        if log == Log::OfAnother {
            // The service reads what another program commits, and not what its own events are.
            let add = ["source", "add", "other", "--kind", "generic"];
            here.json(&[&add[..], &["--handshake", "microsoft"]].concat());
            wait_until("the service to know it", || {
                let asked = served.post("/in/other?validationToken=1", &[], b"");
                (asked.0 == 200).then_some(())
            });
        } else {
            assert_eq!(served.push("one-more", PUSH.as_bytes()).0, 202);
        }
        if log == Log::Long {
            push_many("more-noise", 25);
            // Of which it moves nothing.
            app.execute_batch(
                "pragma wal_autocheckpoint = 0;
                 insert into hookbox_outbox (type, body) values ('order.paid', 'of another program')",
            )
            .unwrap();
        }
        drop(app);
        way(&here.db, &copy);
        is_shut(&served, why);
        assert_eq!(served.signal("TERM"), Some(0));
    };
    let copy_over: Do = |db, copy| {
        fs::copy(copy, db).unwrap();
    };
    let written_over = "was written over by something other than SQLite";
    std::thread::scope(|scope| {
        // Each of these waits for some seconds.
        for log in [Log::Emptied, Log::Long, Log::OfAnother] {
            scope.spawn(move || is_shut_after(copy_over, written_over, log));
        }
        is_shut_after(
            |db, _| fs::remove_file(db).unwrap(),
            "was moved or deleted",
            Log::Emptied,
        );
        is_shut_after(
            |db, copy| fs::rename(db, copy.with_extension("away")).unwrap(),
            "was moved or deleted",
            Log::Emptied,
        );
        is_shut_after(
            |db, copy| {
                let new = db.with_extension("new");
                fs::copy(copy, &new).unwrap();
                fs::rename(&new, db).unwrap();
            },
            "was replaced by another file",
            Log::Emptied,
        );
    });
}

#[test]
fn what_was_acknowledged_before_the_file_was_moved_is_there_when_it_is_put_back() {
    let here = TestDb::in_file();
    here.add_gogs();
    let served = serve_with_one(&here, 1);
    let away = here.folder.path().join("away.db");
    fs::rename(&here.db, &away).unwrap();
    is_shut(&served, "was moved or deleted");
    fs::rename(&away, &here.db).unwrap();
    wait_until("it to go on by itself", || {
        (served.push("after", PUSH.as_bytes()).0 == 202).then_some(())
    });
    assert_eq!(served.page("/readyz").0, 200);
    assert_eq!(served.signal("KILL"), None);
    assert_eq!(here.json(&["stats"])["events"], 2);
}

#[test]
fn the_log_is_moved_into_the_file_at_a_stop_where_that_was_put_back() {
    let here = TestDb::in_file();
    here.add_gogs();
    let away = here.folder.path().join("away.db");
    let served = serve_with_one(&here, 1);
    fs::rename(&here.db, &away).unwrap();
    is_shut(&served, "was moved or deleted");
    fs::rename(&away, &here.db).unwrap();
    wait_until("it to go on by itself", || {
        (served.page("/readyz").0 == 200).then_some(())
    });
    assert_eq!(served.signal("TERM"), Some(0));
    assert!(!beside(&here, "-wal").exists());
}

#[test]
fn a_file_that_was_only_touched_is_read_through_and_goes_on() {
    let here = TestDb::in_file();
    here.add_gogs();
    let served = serve_with_one(&here, 1);
    let file = fs::OpenOptions::new().append(true).open(&here.db).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    wait_until("it to be looked into", || {
        served.log().contains("store.back").then_some(())
    });
    assert_eq!(served.push("after", PUSH.as_bytes()).0, 202);
    assert_eq!(served.page("/readyz").0, 200);
}

/// Cause: SQLite reads whatever log lies beside a file. Damage: after a file was put in the place of a served
/// one, the next command moved the old log into it, and what was acknowledged last was nowhere. Cure: the lock
/// file says which file was served.
#[test]
fn a_log_that_belongs_to_a_file_that_was_replaced_is_kept_for_it() {
    let here = TestDb::in_file();
    here.add_gogs();
    let copy = here.folder.path().join("copy.db");
    here.json(&["backup", copy.to_str().unwrap()]);
    let served = serve_with_one(&here, 1);
    let away = here.folder.path().join("away.db");
    fs::rename(&here.db, &away).unwrap();
    fs::copy(&copy, &here.db).unwrap();
    is_shut(&served, "was replaced by another file");
    assert_eq!(served.signal("TERM"), Some(0));
    let other = fs::read(&here.db).unwrap();
    for arguments in [&["stats"][..], &SERVE[..]] {
        let ran = here.run(arguments);
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.contains("put that file back"), "{}", ran.stderr);
    }
    assert_eq!(fs::read(&here.db).unwrap(), other, "it was left alone");
    fs::rename(&away, &here.db).unwrap();
    assert_eq!(here.json(&["stats"])["events"], 1, "put back, all is there");
    // Or a backup goes in its place, and works on.
    let served = here.serve();
    assert_eq!(served.push("k2", PUSH.as_bytes()).0, 202);
    fs::rename(&here.db, &away).unwrap();
    fs::copy(&copy, &here.db).unwrap();
    is_shut(&served, "was replaced by another file");
    assert_eq!(served.signal("TERM"), Some(0));
    here.json(&["restore", copy.to_str().unwrap()]);
    for _ in 0..2 {
        here.json(&["enqueue", "--type", "a", "--data", "{}"]);
    }
    let served = here.serve();
    assert_eq!(served.push("k3", PUSH.as_bytes()).0, 202);
    assert_eq!(served.signal("KILL"), None);
    assert_eq!(here.json(&["stats"])["events"], 3);
}

#[test]
fn commits_checkpoints_and_vacuums_of_other_programs_are_no_loss() {
    let here = TestDb::in_file();
    here.add_gogs();
    let served = serve_with_one(&here, 1);
    let app = rusqlite::Connection::open(&here.db).unwrap();
    app.busy_timeout(std::time::Duration::from_secs(10))
        .unwrap();
    let put = "insert into hookbox_outbox (type, body) values ('a', zeroblob(100000))";
    for round in 2..6 {
        app.execute(put, []).unwrap();
        // As one that empties the log after each of its transactions does.
        for table in 0..20 {
            for pragma in ["passive", "restart", "truncate"] {
                app.query_row(&format!("pragma wal_checkpoint({pragma})"), [], |_| Ok(()))
                    .unwrap();
            }
            app.execute_batch(&format!(
                "create table app_{round}_{table} (a); pragma wal_checkpoint(truncate)"
            ))
            .unwrap();
        }
        app.execute_batch("vacuum").unwrap();
        wait_until("it to be taken over", || {
            (here.json(&["stats"])["events"] == round).then_some(())
        });
        here.json(&["doctor"]);
        assert_eq!(served.page("/readyz").0, 200, "{}", served.log());
    }
    let log = served.stop_and_read_log();
    assert!(!log.contains("store.gone"), "{log}");
}

/// Cause: a path without a file was a path to make one at. Damage: a database whose volume was not
/// mounted, or that was moved away, was begun anew without a word. Cure: a log or a lock file beside it
/// says that there was one.
#[test]
fn a_new_file_is_not_made_where_a_log_or_a_lock_says_that_there_was_one() {
    let here = TestDb::in_file();
    here.add_gogs();
    let served = here.serve();
    assert_eq!(served.push("k1", PUSH.as_bytes()).0, 202);
    assert_eq!(served.signal("KILL"), None);
    let away = here.folder.path().join("away.db");
    fs::rename(&here.db, &away).unwrap();
    for (left, ending) in [(".lock", "-wal"), ("-wal", ".lock")] {
        let kept = beside(&here, ending).with_extension("kept");
        fs::rename(beside(&here, ending), &kept).unwrap();
        for arguments in [&SERVE[..], &["init"], &["stats"]] {
            let ran = here.run(arguments);
            assert_eq!(ran.code, 1, "{}", ran.stderr);
            let told = ran.stderr.contains(&format!("hookbox.db{left} says"))
                && ran.stderr.contains("hookbox restore");
            assert!(told, "{}", ran.stderr);
            assert!(!here.db.exists());
        }
        fs::rename(&kept, beside(&here, ending)).unwrap();
    }
    // An empty file is no database either.
    fs::write(&here.db, b"").unwrap();
    assert_eq!(here.run(&["init"]).code, 1);
    fs::remove_file(&here.db).unwrap();
    fs::rename(&away, &here.db).unwrap();
    assert_eq!(here.json(&["stats"])["events"], 1, "put back, all is there");
    fs::remove_file(&here.db).unwrap();
    for ending in ["-wal", "-shm", ".lock"] {
        let _ = fs::remove_file(beside(&here, ending));
    }
    here.json(&["init"]);
}

#[test]
fn a_file_with_two_names_is_refused_and_one_that_gets_a_second_is_shut() {
    let here = TestDb::in_file();
    here.add_gogs();
    let served = serve_with_one(&here, 1);
    let second = here.folder.path().join("second.db");
    fs::hard_link(&here.db, &second).unwrap();
    is_shut(&served, "a second name");
    assert_eq!(served.signal("TERM"), Some(0));
    for db in [&here.db, &second] {
        let ran = here.run(&["stats", "--db", db.to_str().unwrap()]);
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.contains("has 2 names"), "{}", ran.stderr);
    }
    fs::remove_file(&second).unwrap();
    assert_eq!(here.json(&["stats"])["events"], 1);
}

/// Cause: the log lies beside the name by which the file was opened. Damage: of 6 events that a container
/// acknowledged, whose file was mounted by itself, 0 were in the file. Cure: a mounted file is refused.
#[test]
fn a_file_that_is_mounted_by_itself_is_refused() {
    if is_missing(
        "unshare",
        &["-m", "true"],
        "run the tests as the super-user",
    ) {
        return;
    }
    let (here, container) = (TestDb::in_file(), TestDb::in_file());
    here.add_gogs();
    fs::write(&container.db, b"").unwrap();
    let mounted = |what: &Path, place: &Path| {
        let script = r#"mount --bind "$WHAT" "$PLACE" && exec "$0" "$@""#;
        let mut command = container.serve_under("unshare", &["-m", "sh", "-c", script]);
        command.env("WHAT", what).env("PLACE", place);
        command
    };
    let output = mounted(&here.db, &container.db).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("mount the folder"), "{said}");
    // The folder may be.
    let served = Served::start(mounted(here.folder.path(), container.folder.path()));
    assert_eq!(served.push("k1", PUSH.as_bytes()).0, 202);
    assert_eq!(served.signal("KILL"), None);
    assert_eq!(here.json(&["stats"])["events"], 1);
}

#[test]
fn doctor_tells_of_a_file_that_lies_in_memory() {
    if is_missing(
        "unshare",
        &["-m", "true"],
        "run the tests as the super-user",
    ) {
        return;
    }
    let here = TestDb::in_file();
    let script = r#"mount -t tmpfs none "$1" && "$0" init && "$0" doctor"#;
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script, binary()])
        .arg(here.folder.path())
        .env("HOOKBOX_DB", &here.db)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("in memory (tmpfs)"), "{said}");
}

/// Cause: tiny_http listened in a folder of /tmp. Damage: whoever could write there replaced its socket
/// and read the operator's token, a cleaned /tmp was a dead page, and folders stayed behind. Cure: the
/// socket has no name.
#[test]
fn nothing_of_a_service_lies_in_tmp_and_its_private_socket_nowhere() {
    if is_missing("strace", &["-V"], "apt-get install strace") {
        return;
    }
    let here = TestDb::in_file();
    // Longer than the name of a socket may be.
    let deep = here
        .folder
        .path()
        .join("a-folder-with-a-long-name".repeat(8));
    fs::create_dir(&deep).unwrap();
    let here = here.with_file(deep.join("hookbox.db"));
    here.add_gogs();
    let trace = here.folder.path().join("trace");
    let traced = ["-f", "-qq", "-e", "trace=%file,bind", "-o"];
    let traced = [&traced[..], &[trace.to_str().unwrap()]].concat();
    let command = here.serve_under("strace", &traced);
    let served = Served::start(command);
    let listed = || -> Vec<String> {
        let entries = fs::read_dir(&deep).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    for number in 0..30 {
        assert_eq!(served.push(&format!("k{number}"), PUSH.as_bytes()).0, 202);
        assert_eq!(served.page("/events").0, 200);
    }
    assert_eq!(
        listed(),
        [
            "hookbox.db",
            "hookbox.db-shm",
            "hookbox.db-wal",
            "hookbox.db.lock"
        ]
    );
    here.json(&["check", "--full"]);
    // Of the service itself, which strace runs.
    let lock = fs::read_to_string(beside(&here, ".lock")).unwrap();
    let pid = lock.split(' ').next().unwrap();
    send_signal(pid.parse().unwrap(), "TERM");
    assert_eq!(served.wait_for_exit(), Some(0));
    let own = here.folder.path().display().to_string();
    let trace = fs::read_to_string(&trace).unwrap();
    // What is tested may itself lie there.
    let built = Path::new(binary()).ancestors().nth(2);
    let built = built.unwrap().to_str().unwrap();
    let mut others = trace.lines().filter(|line| {
        let is_there = line.contains("\"/tmp/") || line.contains("\"/var/tmp");
        let known = [own.as_str(), built, env!("CARGO_MANIFEST_DIR")];
        is_there && !known.iter().any(|known| line.contains(known))
    });
    assert_eq!(others.next(), None);
}

#[test]
fn a_service_that_is_killed_leaves_no_socket_behind() {
    let here = TestDb::in_file();
    let served = here.serve();
    assert_eq!(served.page("/").0, 200);
    assert_eq!(served.signal("KILL"), None);
    let entries = fs::read_dir(here.folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    let mut left = names.filter(|name| !name.to_string_lossy().starts_with("hookbox.db"));
    assert_eq!(left.next(), None);
}

/// Cause: an unknown name was looked up in the file, on the one thread of all connections. Damage: while
/// another program had the file to itself, `POST /in/unknown` held everybody up for five seconds. Cure: the
/// store sees by itself what was added.
#[test]
fn a_name_that_nobody_knows_is_refused_without_reading_the_file_and_a_new_one_is_known() {
    let (here, served) = gogs_box();
    let away = here.folder.path().join("away.db");
    std::fs::rename(&here.db, &away).unwrap();
    assert_eq!(served.post("/in/unknown", &[], b"{}").0, 404);
    std::fs::rename(&away, &here.db).unwrap();
    for number in 0..5 {
        let name = format!("new-{number}");
        let ran = here.run(&["source", "add", &name, "--kind", "generic"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let (status, answer) = served.post(&format!("/in/{name}"), &[], b"{}");
        assert_eq!(status, 202, "{answer}");
    }
}
