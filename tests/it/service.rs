//! A service from its start to its end: what it needs, how it commits, and how it stops.

use std::sync::mpsc::channel;

use hookbox::model::event::NewEvent;
use hookbox::store::{Missing, Store};
use hookbox::time::Timestamp;

use crate::support::{
    FREE_PORT, NOON, PUSH, Receiver, Served, TestDb, event, listener, on_server, send_signal,
    wait_until,
};

#[test]
fn jobs_that_wait_together_are_committed_together_and_a_bad_one_is_refused_before() {
    let here = TestDb::new();
    let store = Store::open(here.location(), Missing::Create).unwrap();
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
    let store = Store::open(here.location(), Missing::Create).unwrap();
    store.accept(event("push"), NOON).unwrap();
    store.close();
    let error = store.accept(event("push"), Timestamp(0)).unwrap_err();
    assert!(matches!(error, hookbox::Error::Stopped));
    assert_eq!(
        Store::open(here.location(), Missing::Refuse)
            .unwrap()
            .stats()
            .unwrap()
            .events,
        1
    );
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
        assert!(!here.is_made());
    }
    here.add_gogs();
    assert!(here.is_made());
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

#[test]
fn a_log_on_a_full_disk_does_not_end_the_service() {
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let script = "exec \"$0\" \"$@\" 2>/dev/full";
    let served = Served::start(here.serve_under("sh", &["-c", script]));
    for number in 0..3 {
        assert_eq!(served.push(&format!("k{number}"), PUSH.as_bytes()).0, 202);
        receiver.next();
    }
    assert_eq!(served.signal("TERM"), Some(0));
}

#[test]
fn too_few_file_descriptors_are_refused_with_a_sentence_and_48_suffice() {
    let here = TestDb::in_file();
    here.add_gogs();
    let serve = |files: u32| {
        let script = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
        here.serve_under("sh", &["-c", &script])
    };
    let output = serve(24).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("may open 24 files") && said.contains("ulimit -n"),
        "{said}"
    );
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let served = Served::start(serve(48));
    for number in 0..20 {
        assert_eq!(served.push(&format!("k{number}"), PUSH.as_bytes()).0, 202);
        assert_eq!(served.page("/").0, 200);
        receiver.next();
    }
}

/// Cause: the service sent before it knew that it could listen, and left a new database. Damage: a
/// second copy started by mistake sent everything that the first was sending. Cure: the ports first.
#[test]
fn where_a_port_is_in_use_nothing_is_sent_and_nothing_made() {
    let (_taken, taken_at) = listener();
    let taken_at = taken_at.to_string();
    let receiver = Receiver::answering(&[200]);
    for (ingest, status) in [
        (taken_at.as_str(), FREE_PORT),
        (FREE_PORT, taken_at.as_str()),
    ] {
        let fresh = TestDb::new();
        let ran = fresh.run(&["serve", "--ingest", ingest, "--status", status]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(&taken_at), "{}", ran.stderr);
        let option = if status == FREE_PORT {
            "--ingest"
        } else {
            "--status"
        };
        assert!(ran.stderr.contains(option), "{}", ran.stderr);
        let left: Vec<_> = std::fs::read_dir(fresh.folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        let here = TestDb::new();
        here.add_endpoint("ci", &receiver.url, &[]);
        here.json(&["enqueue", "--type", "x", "--data", "{}"]);
        assert_eq!(
            here.run(&["serve", "--ingest", ingest, "--status", status])
                .code,
            1
        );
        assert!(receiver.got_nothing_more());
        assert_eq!(here.json(&["delivery", "show", "1"])["attempts"], 0);
        if on_server() {
            continue;
        }
        // Where it is served already, that is what is said.
        let other = TestDb::new();
        let served = other.serve();
        let ran = other.run(&["serve", "--ingest", ingest, "--status", status]);
        let pid = served.pid.to_string();
        assert!(ran.code == 1 && ran.stderr.contains(&pid), "{}", ran.stderr);
    }
}
