//! Moving a store to another place, of the same engine or another: nothing is lost, changed or half done.

use std::process::{Child, Stdio};

use hookbox::model::event::NewEvent;
use hookbox::store::{Missing, Store};
use hookbox::time::Timestamp;
use serde_json::{Value, json};

use crate::support::{PUSH, Ran, Receiver, TestDb, number_from, say, send_signal, wait_until};

/// The words that move from one place to another.
fn words(from: &TestDb, to: &TestDb) -> Vec<String> {
    let places = ["move", "--json", "--from", &from.location(), "--to"].map(str::to_owned);
    [&places[..], &[to.location()]].concat()
}

/// Moves, as a person would.
pub(crate) fn tried(from: &TestDb, to: &TestDb, more: &[&str]) -> Ran {
    let words = words(from, to);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    TestDb::in_file().run(&[&words[..], more].concat())
}

fn moved(from: &TestDb, to: &TestDb) -> Value {
    let ran = tried(from, to, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_slice(&ran.stdout).unwrap()
}

pub(crate) fn refused(from: &TestDb, to: &TestDb, code: i32, why: &str) {
    let ran = tried(from, to, &[]);
    assert_eq!(ran.code, code, "{}", ran.stderr);
    assert!(ran.stderr.contains(why), "{why}: {}", ran.stderr);
}

/// All that commands show of both is the same, to the letter.
fn assert_same(one: &TestDb, other: &TestDb) {
    let (one, other) = (one.shown(), other.shown());
    for (before, after) in one.iter().zip(&other) {
        assert_eq!(before, after);
    }
    assert_eq!(one.len(), other.len());
}

#[test]
fn a_file_is_moved_to_a_file_with_all_that_is_in_it() {
    let (from, to) = (TestDb::filled(), TestDb::in_file());
    let before = from.shown();
    let moved = moved(&from, &to);
    let tables = moved["tables"].as_array().unwrap().iter();
    let empty: Vec<&Value> = tables.filter(|table| table["rows"] == 0).collect();
    assert!(empty.is_empty(), "{empty:?}");
    assert_eq!(moved["resumed"], false);
    assert_eq!(to.json(&["check", "--full"])["faults"], json!([]));
    assert_same(&from, &to);
    assert_eq!(from.shown(), before, "the source is as it was");
    // Once more would put it into something that is there.
    refused(&from, &to, 2, "is there already");
}

#[test]
fn a_file_is_moved_to_a_server_and_back_and_is_the_same() {
    let (Some(server), Some(second)) = (TestDb::on_server(), TestDb::on_server()) else {
        return;
    };
    let (from, back) = (TestDb::filled(), TestDb::in_file());
    let there = moved(&from, &server);
    assert_eq!(there["replaced_texts"], 0);
    assert_same(&from, &server);
    let between = moved(&server, &second);
    assert_same(&from, &second);
    let again = moved(&second, &back);
    assert_same(&from, &back);
    assert_eq!(there["tables"], between["tables"]);
    assert_eq!(there["tables"], again["tables"]);
    assert_eq!(there["box"], again["box"]);
    assert_eq!(back.json(&["check", "--full"])["faults"], json!([]));
    refused(&back, &server, 2, "has a store already");
}

/// What is pending is sent from the new place, with the ids that it had; what comes next has new ids; what
/// comes again is known.
#[test]
fn after_a_move_everything_goes_on() {
    let from = TestDb::in_file();
    goes_on(from, TestDb::in_file());
    if let (Some(server), Some(second)) = (TestDb::on_server(), TestDb::on_server()) {
        goes_on(TestDb::in_file(), server);
        goes_on(second, TestDb::in_file());
    }
}

fn goes_on(from: TestDb, to: TestDb) {
    from.add_gogs();
    let receiver = Receiver::answering(&[200]);
    from.add_endpoint("ci", &receiver.url, &[]);
    from.json(&["endpoint", "hold", "ci", "--reason", "moves"]);
    let served = from.serve();
    let ids: Vec<String> = (0..5)
        .map(|number| {
            let (status, answer) = served.push(&format!("k{number}"), PUSH.as_bytes());
            assert_eq!(status, 202);
            answer["id"].as_str().unwrap().to_owned()
        })
        .collect();
    refused(&from, &to, 1, "being served");
    served.stop_and_read_log();
    assert_eq!(moved(&from, &to)["pending"], 5);
    to.json(&["endpoint", "resume", "ci"]);
    let served = to.serve();
    let mut got: Vec<String> = (0..5)
        .map(|_| receiver.next().header("webhook-id").unwrap().to_owned())
        .collect();
    got.sort();
    assert_eq!(got, ids);
    let (status, known) = served.push("k3", PUSH.as_bytes());
    assert_eq!(
        (status, &known["duplicate"]),
        (200, &json!(true)),
        "{known}"
    );
    assert_eq!(known["id"], ids[3].as_str());
    let (_, new) = served.push("k5", PUSH.as_bytes());
    let number = |id: &str| id.split('_').nth(2).unwrap().parse::<i64>().unwrap();
    let new = new["id"].as_str().unwrap();
    assert_eq!(number(new), number(&ids[4]) + 1);
    assert_eq!(receiver.next().header("webhook-id"), Some(new));
    wait_until("all to be delivered", || {
        (to.json(&["stats"])["delivered"] == 6).then_some(())
    });
}

/// Events of a large store.
const LARGE: i64 = 120;

/// A store whose move takes a while: its bodies are large, and cannot be packed.
pub(crate) fn large() -> TestDb {
    let here = TestDb::in_file();
    let store = Store::open(&here.db, Missing::Create).unwrap();
    for number in 0..LARGE {
        let body: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
            .take(200_000)
            .collect();
        let event = NewEvent {
            key: Some(format!("key-{number}")),
            ..NewEvent::new("push", body)
        };
        store.accept(event, Timestamp(number)).unwrap();
    }
    store.close();
    here
}

fn begun(from: &TestDb, to: &TestDb) -> Child {
    let words = words(from, to);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = TestDb::in_file().command(&words);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Kills a move when some rows of its largest table are there; `None` where it was over before that.
pub(crate) fn broken_off(from: &TestDb, to: &TestDb) -> Option<()> {
    let mut child = begun(from, to);
    let is_midway = wait_until("the move to be midway", || {
        let ran = to.run(&["stats"]);
        let is_midway =
            ran.stderr.contains("of hookbox_event)") && !ran.stderr.contains("row 0 of");
        match child.try_wait().unwrap() {
            None => is_midway.then_some(Some(())),
            Some(_) => Some(None),
        }
    });
    send_signal(child.id(), "KILL");
    child.wait().unwrap();
    is_midway
}

fn kill_9_is_survived(from: &TestDb, to: &TestDb) {
    assert!(broken_off(from, to).is_some(), "it was over too soon");
    // Nothing opens it, and whoever tries is told what to do.
    for arguments in [&["serve"][..], &["stats"], &["init"], &["event", "list"]] {
        let ran = to.run(arguments);
        assert_eq!(ran.code, 1, "{arguments:?}");
        assert!(ran.stderr.contains("is not finished"), "{}", ran.stderr);
        assert!(ran.stderr.contains("hookbox move --from"), "{}", ran.stderr);
    }
    // Nor is it a store to move.
    refused(to, &TestDb::in_file(), 1, "is not finished");
    let moved = moved(from, to);
    assert_eq!(moved["resumed"], true);
    assert_same(from, to);
}

#[test]
fn a_move_to_a_file_goes_on_after_kill_9() {
    let (from, to) = (large(), TestDb::in_file());
    kill_9_is_survived(&from, &to);
    assert_eq!(to.json(&["check", "--full"])["faults"], json!([]));
    let again = ["enqueue", "--type", "push", "--key", "key-7", "--data", "x"];
    assert_eq!(to.json(&again)["duplicate"], true);
}

#[test]
fn a_move_to_a_server_and_one_from_it_go_on_after_kill_9() {
    let Some(server) = TestDb::on_server() else {
        return;
    };
    let (from, back) = (large(), TestDb::in_file());
    kill_9_is_survived(&from, &server);
    kill_9_is_survived(&server, &back);
    assert_eq!(back.json(&["check", "--full"])["faults"], json!([]));
}

/// `HOOKBOX_KILLS` says how often (3).
#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "a moment that nothing leads to is what is tried"
)]
fn killed_at_any_moment_a_move_goes_on_or_begins_again() {
    let kills = number_from("HOOKBOX_KILLS", 3);
    let from = large();
    for to in [Some(TestDb::in_file()), TestDb::on_server()]
        .into_iter()
        .flatten()
    {
        for _ in 0..kills {
            let mut child = begun(&from, &to);
            let pause = std::time::Duration::from_millis(fastrand::u64(..150));
            std::thread::sleep(pause);
            send_signal(child.id(), "KILL");
            child.wait().unwrap();
        }
        let ran = tried(&from, &to, &[]);
        let is_over = ran.stderr.contains("already");
        assert!(ran.code == 0 || is_over, "{}", ran.stderr);
        assert_same(&from, &to);
    }
    say(&format!("{kills} kills of a move"));
}

#[test]
fn of_two_moves_into_one_place_one_is_refused_and_the_other_goes_on() {
    let (from, other) = (large(), TestDb::filled());
    for to in [Some(TestDb::in_file()), TestDb::on_server()]
        .into_iter()
        .flatten()
    {
        let mut child = begun(&from, &to);
        wait_until("the move to be midway", || {
            let ran = to.run(&["stats"]);
            ran.stderr.contains("of hookbox_event)").then_some(())
        });
        let ran = tried(&other, &to, &[]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_same(&from, &to);
    }
}

#[test]
fn a_source_that_changed_is_not_mixed_with_what_is_there() {
    let (from, to) = (large(), TestDb::in_file());
    assert!(broken_off(&from, &to).is_some(), "it was over too soon");
    from.json(&["enqueue", "--type", "push", "--data", "later"]);
    refused(&from, &to, 1, "was written to since");
    let other = TestDb::in_file();
    other.json(&["init"]);
    refused(&other, &to, 1, "another store");
    let ran = tried(&from, &to, &["--restart"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_same(&from, &to);
    assert_eq!(to.json(&["stats"])["events"], LARGE + 1);
}

#[test]
fn what_cannot_be_moved_is_said_and_nothing_is_made() {
    let (from, none) = (TestDb::in_file(), TestDb::in_file());
    from.json(&["init"]);
    refused(&none, &TestDb::in_file(), 3, "no database at");
    refused(&from, &from, 2, "is there already");
    let folder = TestDb::in_file().with_file(none.folder.path().join("none/hookbox.db"));
    refused(&from, &folder, 1, "none");
    let ran = from.run(&["move", "--from", "hookbox.db"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let left = std::fs::read_dir(none.folder.path()).unwrap();
    assert_eq!(left.count(), 0);
    // An empty store is one too.
    assert_eq!(moved(&from, &none)["rows"], 0);
    assert_same(&from, &none);
}

/// Somebody made the store on the server before, and served it.
#[test]
fn an_empty_store_on_a_server_is_moved_into_and_a_served_one_is_not() {
    let Some(server) = TestDb::on_server() else {
        return;
    };
    let from = TestDb::filled();
    let served = server.serve();
    refused(&from, &server, 1, "being served");
    served.stop_and_read_log();
    moved(&from, &server);
    assert_same(&from, &server);
}

fn rows(here: &TestDb, query: &str) -> Vec<String> {
    let mut client = postgres::Client::connect(&here.location(), postgres::NoTls).unwrap();
    let rows = client.query(query, &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[test]
fn a_server_that_was_moved_to_has_the_tables_of_a_new_one_and_gives_out_new_ids() {
    let (Some(server), Some(new)) = (TestDb::on_server(), TestDb::on_server()) else {
        return;
    };
    let from = TestDb::filled();
    new.json(&["init"]);
    moved(&from, &server);
    for what in [
        "select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
         from pg_constraint where connamespace = current_schema()::regnamespace order by 1",
        "select table_name || ' ' || column_name || ' ' || data_type
         from information_schema.columns where table_schema = current_schema() order by 1",
        "select replace(indexdef, current_schema(), '')
         from pg_indexes where schemaname = current_schema() order by 1",
        "select tgrelid::regclass || ' ' || tgname from pg_trigger
         where not tgisinternal and tgrelid in (
             select oid from pg_class where relnamespace = current_schema()::regnamespace
         ) order by 1",
    ] {
        let of_new = rows(&new, what);
        assert!(of_new.len() > 5, "{of_new:?}");
        assert_eq!(rows(&server, what), of_new);
    }
    let tables = rows(
        &server,
        "select table_name from information_schema.columns
         where table_schema = current_schema() and is_identity = 'YES'",
    );
    assert!(tables.len() > 10, "{tables:?}");
    for table in tables.iter().filter(|table| *table != "hookbox_node") {
        let next = format!(
            "select cast(nextval(pg_get_serial_sequence('{table}', 'id')) as text)
             union all select cast(max(id) + 1 as text) from {table}"
        );
        let next = rows(&server, &next);
        assert_eq!(next[0], next[1], "{table}");
    }
}

#[test]
fn a_row_that_something_else_changed_on_the_server_is_found_and_it_stays_closed() {
    let Some(server) = TestDb::on_server() else {
        return;
    };
    let from = large();
    assert!(broken_off(&from, &server).is_some(), "it was over too soon");
    rows(
        &server,
        "update hookbox_event set type = 'other' where id = 1 returning type",
    );
    refused(&from, &server, 1, "hookbox_event in");
    assert_eq!(server.run(&["serve"]).code, 1);
    let ran = tried(&from, &server, &["--restart"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_same(&from, &server);
}
