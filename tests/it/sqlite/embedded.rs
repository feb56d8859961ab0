//! hookbox inside another Rust program, on a database of that program's own and with its connection.

use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use hookbox::model::delivery::State;
use hookbox::model::event::NewEvent;
use hookbox::model::settings::Selection;
use hookbox::rusqlite::Connection;
use hookbox::{Error, Hookbox};

use crate::embedded::{add_ci, free};
use crate::support::{Receiver, ask, is_missing, try_ask, wait_until};

/// A program's database, with a table of its own.
fn application(folder: &Path) -> (PathBuf, Connection) {
    let path = folder.join("app.db");
    let app = Connection::open(&path).unwrap();
    app.execute_batch("create table orders (id integer primary key, total integer)")
        .unwrap();
    (path, app)
}

#[test]
fn a_program_serves_its_own_database_stops_and_serves_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut app) = application(folder.path());
    let refused = Hookbox::open(&path).unwrap_err();
    assert!(
        matches!(refused, Error::ForeignDatabase { mode: Some(_), .. }),
        "{refused}"
    );
    let hookbox = Hookbox::open_in_wal_mode(&path).unwrap();
    let receiver = Receiver::answering(&[200]);
    add_ci(&hookbox, &receiver);

    let (tell, told) = channel();
    let running = hookbox
        .serve()
        .ingest(free())
        .status(free())
        .on_stopped(move || tell.send("stopped").unwrap())
        .start()
        .unwrap();
    let again = hookbox.serve().start().unwrap_err();
    assert!(matches!(again, Error::AlreadyServing { .. }), "{again}");
    let page = format!("http://{}/healthz", running.status_address().unwrap());
    assert_eq!(ask("GET", &page, &[], "").0, 200);

    let tx = app.transaction().unwrap();
    tx.execute("insert into orders (total) values (42)", [])
        .unwrap();
    hookbox::enqueue(&tx, &NewEvent::new("order.paid", r#"{"total":42}"#)).unwrap();
    tx.commit().unwrap();
    assert_eq!(receiver.next().body, br#"{"total":42}"#);

    // Another thread asks for the stop, as a signal's would.
    let stopper = running.stopper();
    let asks = std::thread::spawn(move || stopper.stop());
    running.wait();
    asks.join().unwrap();
    assert_eq!(told.try_recv(), Ok("stopped"));
    assert!(
        try_ask("GET", &page, &[], "").is_err(),
        "nobody answers any more"
    );

    // Nothing is sent, and nothing lost, until it is served again.
    hookbox
        .enqueue(NewEvent::new("order.paid", r#"{"total":43}"#))
        .unwrap();
    assert!(receiver.got_nothing_more());
    let running = hookbox.serve().start().unwrap();
    assert_eq!(
        (running.ingest_address(), running.status_address()),
        (None, None)
    );
    assert_eq!(receiver.next().body, br#"{"total":43}"#);
    drop(running);
    let pending = Selection {
        state: Some(State::Pending),
        ..Selection::default()
    };
    assert!(hookbox.store().deliveries(&pending, 10).unwrap().is_empty());
}

#[test]
fn what_cannot_be_an_event_is_refused_before_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let hookbox = Hookbox::open(folder.path().join("app.db")).unwrap();
    let app = Connection::open(hookbox.store().location().file().unwrap()).unwrap();
    let bad = [
        NewEvent::new("", "{}"),
        NewEvent::new("t", vec![0; 1024 * 1024 + 1]),
        NewEvent {
            key: Some(String::new()),
            ..NewEvent::new("t", "{}")
        },
        NewEvent {
            headers: vec![("A B".to_owned(), "x".to_owned())],
            ..NewEvent::new("t", "{}")
        },
        NewEvent {
            original_type: Some("T".to_owned()),
            ..NewEvent::new("t", "{}")
        },
    ];
    for event in &bad {
        assert!(matches!(
            hookbox::enqueue(&app, event),
            Err(Error::Misuse(_))
        ));
    }
    let of_nobody = NewEvent {
        source: Some(hookbox::model::id::SourceId(7)),
        ..NewEvent::new("t", "{}")
    };
    let refused = hookbox::enqueue(&app, &of_nobody);
    assert!(matches!(refused, Err(Error::NotFound(_))));
    let with_headers = NewEvent {
        key: Some("k".to_owned()),
        headers: vec![
            ("X-A".to_owned(), "1".to_owned()),
            ("X-A".to_owned(), "2".to_owned()),
        ],
        ..NewEvent::new("t", "{}")
    };
    hookbox::enqueue(&app, &with_headers).unwrap();
    hookbox::enqueue(&app, &with_headers).unwrap();
    let running = hookbox.serve().start().unwrap();
    wait_until("the outbox to be empty", || {
        (hookbox.store().stats().unwrap().outbox == 0).then_some(())
    });
    running.stop();
    let events = hookbox.store().events(&Default::default(), 10).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].headers, with_headers.headers, "each, in order");
    // Elsewhere than in hookbox's own tables there is nothing to put it in.
    let stranger = Connection::open_in_memory().unwrap();
    assert!(hookbox::enqueue(&stranger, &NewEvent::new("t", "{}")).is_err());
}

#[test]
fn opening_a_file_takes_no_lock_away_that_the_program_has_on_it() {
    if is_missing("sqlite3", &["--version"], "apt-get install sqlite3") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (path, app) = application(folder.path());
    app.execute_batch("pragma journal_mode = wal; select * from orders")
        .unwrap();
    let hookbox = Hookbox::open(&path).unwrap();
    drop(Hookbox::open(&path).unwrap());
    // Another process may do this only where nobody else has the file open; closing any handle of it
    // by hand would have dropped all locks of this process (fcntl(2)).
    let output = std::process::Command::new("sqlite3")
        .arg(&path)
        .arg("pragma journal_mode = delete")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("locked"), "{said}");
    drop((app, hookbox));
}
