//! Disks that fill up: what is there goes on, nothing more is taken in, and it recovers by itself.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{PUSH, Receiver, SERVE, Served, TestDb, binary, is_missing, raw, wait_until};

/// A box whose folder is a disk of its own for the service: of so many MiB, with a ballast on it.
struct Disk {
    here: TestDb,
    served: Served,
}

const MIB: usize = 1024 * 1024;

impl Disk {
    /// `None` where disks cannot be mounted.
    fn serve(
        mib: usize,
        ballast_mib: usize,
        more: &str,
        set_up: impl FnOnce(&TestDb),
    ) -> Option<Disk> {
        if is_missing(
            "unshare",
            &["-m", "true"],
            "run the tests as the super-user",
        ) {
            return None;
        }
        let (here, made) = (TestDb::in_file(), TestDb::in_file());
        made.add_gogs();
        set_up(&made);
        let script = format!(
            "mount -t tmpfs -o size={mib}m none \"$FOLDER\" && cp \"$MADE\" \"$HOOKBOX_DB\" \
             && head -c {} /dev/zero > \"$FOLDER/ballast\" && exec \"$0\" \"$@\"",
            ballast_mib * MIB
        );
        let mut command = here.serve_under("unshare", &["-m", "sh", "-c", &script]);
        command
            .args(more.split_whitespace())
            .env("FOLDER", here.folder.path())
            .env("MADE", &made.db);
        let served = Served::start(command);
        Some(Disk { here, served })
    }

    /// A path on the disk, as seen from outside.
    fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.served.pid));
        let inside = self.here.folder.path().join(name);
        root.join(inside.strip_prefix("/").unwrap())
    }

    fn stats(&self) -> Value {
        self.served.api_get("/stats")
    }

    /// Pushes bodies that cannot be packed until one is refused; returns how many were taken.
    fn fill(&self) -> u64 {
        let mut random = fastrand::Rng::with_seed(1);
        for number in 0.. {
            let body: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
                .take(MIB / 4)
                .collect();
            let (status, answer) = self.served.push(&format!("fill-{number}"), &body);
            if status != 202 {
                assert_eq!(status, 503, "{answer}");
                return number;
            }
        }
        unreachable!()
    }
}

/// Cause: events were taken in up to the last byte. Damage: there was no room left to record, remove or
/// move the log into the file, so the disk stayed full for good. Cure: a reserve.
#[test]
fn a_disk_that_it_filled_itself_has_room_left_to_deliver_and_recovers_by_itself() {
    let receiver = Receiver::answering(&[200]);
    let disk = Disk::serve(48, 8, "--keep-free 16MiB", |made| {
        made.add_endpoint("ci", &receiver.url, &[]);
        made.json(&["endpoint", "hold", "ci", "--reason", "a test"]);
    });
    let Some(disk) = disk else {
        return;
    };
    let served = &disk.served;
    let taken = disk.fill();
    assert!(taken > 20, "{taken}");
    let (status, _, told) = served.page("/readyz");
    assert_eq!(status, 503);
    assert!(told.contains("--keep-free"), "{told}");
    assert!(served.page("/").2.contains("are kept free"));
    // What is there goes out, and is recorded.
    let resumed = served.api("POST", "/endpoints/ci/resume", None, &[]);
    assert_eq!(resumed.0, 200);
    wait_until("all to be delivered and recorded", || {
        let stats = disk.stats();
        (stats["pending"] == 0 && stats["delivered"] == taken).then_some(())
    });
    assert_eq!(served.push("still", PUSH.as_bytes()).0, 503);
    std::fs::remove_file(disk.path("ballast")).unwrap();
    wait_until("it to take in again", || {
        (served.push("after", PUSH.as_bytes()).0 == 202).then_some(())
    });
    assert_eq!(served.page("/readyz").0, 200);
    let log = served.log();
    assert_eq!(log.matches("store.no_room").count(), 1, "{log}");
    assert!(!log.contains("cannot_write"), "{log}");
}

#[test]
fn a_file_may_be_held_to_a_size_and_what_was_removed_does_not_count() {
    let here = TestDb::in_file();
    here.add_gogs();
    let served = here.serve_with(&["--max-size", "2MiB"]);
    let mut random = fastrand::Rng::with_seed(1);
    let mut taken = 0;
    let answer = loop {
        let body: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
            .take(100_000)
            .collect();
        let (status, answer) = served.push(&format!("k{taken}"), &body);
        if status != 202 {
            assert_eq!(status, 503);
            break answer;
        }
        taken += 1;
    };
    assert!((15..25).contains(&taken), "{taken}");
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains("nothing was kept")
    );
    assert!(served.page("/readyz").2.contains("--max-size"));
    // Pages that hold nothing are used again.
    let app = rusqlite::Connection::open(&here.db).unwrap();
    app.busy_timeout(Duration::from_secs(10)).unwrap();
    app.execute_batch("delete from hookbox_event where id < 10")
        .unwrap();
    wait_until("it to take in again", || {
        (served.push("after", PUSH.as_bytes()).0 == 202).then_some(())
    });
}

/// Cause: a stop waited for what could not be recorded, as for what is on the wire. Damage: on a full disk
/// it took ten seconds, and a service manager kills before that.
#[test]
fn a_stop_on_a_full_disk_does_not_wait_for_what_cannot_be_recorded() {
    let receiver = Receiver::answering(&[200]);
    let disk = Disk::serve(6, 1, "--keep-free 0", |made| {
        made.add_endpoint("ci", &receiver.url, &[]);
    });
    let Some(disk) = disk else {
        return;
    };
    let ballast = std::fs::OpenOptions::new()
        .write(true)
        .open(disk.path("ballast"))
        .unwrap();
    let mut left = MIB as u64;
    disk.fill();
    wait_until("an attempt that cannot be recorded", || {
        // Room for a few events and not for all that is recorded of them, again and again.
        left = left.saturating_sub(12 * 1024);
        ballast.set_len(left).unwrap();
        for number in 0..20 {
            disk.served.push(
                &format!("small-{number}-{}", disk.served.log().len()),
                PUSH.as_bytes(),
            );
        }
        disk.served
            .log()
            .contains("cannot record an attempt")
            .then_some(())
    });
    let log = disk.served.stop_and_read_log();
    assert!(
        log.contains("stopped though attempts could not be recorded"),
        "{log}"
    );
    assert!(!log.contains("while requests were on the wire"), "{log}");
}

/// The limit of a file's size ends a process that does not handle its signal.
#[test]
fn a_limit_of_file_sizes_is_an_error_and_not_the_end() {
    let here = TestDb::in_file();
    here.add_gogs();
    let limited = |kib: u32, arguments: &[&str]| {
        let script = format!("ulimit -S -f {kib}; exec \"$0\" \"$@\"");
        let mut command = Command::new("bash");
        command
            .args(["-c", &script, binary()])
            .args(arguments)
            .env("HOOKBOX_DB", &here.db);
        command
    };
    let served = Served::start(limited(600, &[&SERVE[..], &["--json"]].concat()));
    let body = vec![b'x'; 50_000];
    let mut random = fastrand::Rng::with_seed(1);
    let refused = wait_until("the file to be as large as it may be", || {
        let body: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
            .take(50_000)
            .collect();
        let (status, answer) = served.push(&random.u64(..).to_string(), &body);
        (status != 202).then_some((status, answer))
    });
    assert_eq!(refused.0, 503, "{}", refused.1);
    let _ = served.push("packed", &body);
    assert_eq!(served.signal("TERM"), Some(0));
    let copy = here.folder.path().join("copy.db");
    let output = limited(100, &["backup", copy.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{:?}", output.status);
    assert!(!copy.exists());
}

/// A disk that is full, by the process's file size limit: SQLite's writes fail as they do on a
/// full disk, and space returns when the limit is lifted.
#[test]
fn a_full_disk_is_answered_503_and_the_service_recovers_by_itself() {
    let here = TestDb::in_file();
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
    let request = format!(
        "POST /in/gogs HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Gogs-Signature: {}\r\nContent-Length: {}\r\n\r\n{}",
        hookbox::signature::gogs::sign(
            &hookbox::signature::Secret::new(crate::support::GOGS_SECRET).unwrap(),
            None,
            &body
        ),
        body.len(),
        String::from_utf8_lossy(&body)
    );
    // Without the record of an attempt beside it one more event may fit.
    let retry_after = wait_until("another refusal", || {
        let answer = raw(served.ingest_address(), request.as_bytes());
        let is_taken = answer.starts_with("HTTP/1.1 202");
        accepted += i32::from(is_taken);
        (!is_taken).then_some(answer)
    });
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
