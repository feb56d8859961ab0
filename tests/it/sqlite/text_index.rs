//! The full-text index: finds what reading the bodies finds, follows the file, and is nobody's only copy.

use std::path::PathBuf;

use rusqlite::Connection;

use crate::support::{TestDb, wait_until};

fn index_of(here: &TestDb) -> PathBuf {
    let mut name = here.db.clone().into_os_string();
    name.push("-text");
    name.into()
}

fn enqueue(here: &TestDb, body: &str) {
    here.json(&["enqueue", "--type", "t", "--data", body]);
}

/// Waits until the index goes as far as the file.
fn wait_for_index(here: &TestDb) {
    let newest = here.list(&["event", "list", "--limit", "1"]);
    let newest = newest.first().map(|event| event["id"].clone());
    wait_until("the index to follow", || {
        let index = Connection::open(index_of(here)).ok()?;
        let reached = index.query_row("select event from reach", [], |row| row.get::<_, String>(0));
        (reached.ok() == newest.as_ref().map(|id| id.as_str().unwrap().to_owned())).then_some(())
    });
}

fn found(here: &TestDb, text: &str) -> Vec<String> {
    let events = here.list(&["event", "list", "--text", text]);
    let ids = events.iter().map(|event| event["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

const BODIES: [&str; 8] = [
    r#"{"message":"Mend the lamp in BEACON"}"#,
    r#"{"message":"\u4fee\u590d\u706f\u5854"}"#,
    r#"{"message":"修复灯塔的灯"}"#,
    r#"{"message":"Исправлен маяк"}"#,
    r#"{"message":"caf\u00e9 12:30"}"#,
    "plain words, \u{1f600} and an end",
    r#"{"a":"b"}"#,
    r#"{"nothing":"of it"}"#,
];

const TEXTS: [&str; 16] = [
    "beacon",
    "Mend the lamp in beacon",
    "lamp",
    "修复",
    "灯塔",
    "灯",
    "修复灯塔的灯",
    "ИСПРАВЛЕН",
    "маяк",
    "café",
    "é 1",
    "\u{1f600} and",
    "a",
    "\":\"",
    "nowhere to be found",
    "灯塔 nowhere",
];

#[test]
fn it_finds_what_reading_finds_and_is_removed_where_it_is_not_asked_for() {
    let here = TestDb::new();
    here.run(&["init"]);
    BODIES.iter().for_each(|body| enqueue(&here, body));
    let read: Vec<_> = TEXTS.iter().map(|text| found(&here, text)).collect();
    let counts: Vec<usize> = read.iter().map(Vec::len).collect();
    assert_eq!(counts, [1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 7, 7, 0, 0]);
    let served = here.serve_with(&["--text-index"]);
    wait_for_index(&here);
    for (text, read) in TEXTS.iter().zip(&read) {
        assert_eq!(&found(&here, text), read, "{text}");
    }
    // What came since is found as well, and pages go on where they ended.
    enqueue(&here, BODIES[0]);
    assert_eq!(found(&here, "beacon").len(), 2);
    let page = served.api_get("/events/search?text=beacon&limit=1");
    let next = format!(
        "/events/search?text=beacon&cursor={}",
        page["next"].as_str().unwrap()
    );
    assert_eq!(served.api_get(&next)["items"].as_array().unwrap().len(), 1);
    wait_for_index(&here);
    // It is what a search asks: without its row an event is not found.
    let index = Connection::open(index_of(&here)).unwrap();
    let row = index.execute("delete from words where rowid = 1", []);
    assert_eq!(row, Ok(1));
    assert_eq!(found(&here, "beacon").len(), 1);
    drop(index);
    assert_eq!(served.signal("TERM"), Some(0));
    drop(here.serve());
    assert!(!index_of(&here).exists());
    assert_eq!(found(&here, "beacon").len(), 2);
}

/// Cause: a file that is set back gives out the same numbers again. Damage: the new events would not be found,
/// since the index goes further already.
#[test]
fn it_is_made_anew_for_a_file_that_was_set_back() {
    let here = TestDb::new();
    here.run(&["init"]);
    enqueue(&here, BODIES[0]);
    let kept = here.folder.path().join("kept.db");
    here.json(&["backup", kept.to_str().unwrap()]);
    (0..4).for_each(|_| enqueue(&here, BODIES[7]));
    let served = here.serve_with(&["--text-index"]);
    wait_for_index(&here);
    assert_eq!(served.signal("TERM"), Some(0));
    std::fs::remove_file(&here.db).unwrap();
    here.json(&["restore", kept.to_str().unwrap()]);
    (0..4).for_each(|_| enqueue(&here, BODIES[2]));
    // The old one, which is of other events, is not asked.
    assert_eq!(found(&here, "灯塔的灯").len(), 4);
    let _served = here.serve_with(&["--text-index"]);
    wait_for_index(&here);
    assert_eq!(found(&here, "灯塔的灯").len(), 4);
    assert_eq!(found(&here, "nothing").len(), 0);
    assert_eq!(found(&here, "beacon").len(), 1);
}

#[test]
fn it_forgets_what_was_removed_and_comes_again_where_it_was_lost() {
    let here = TestDb::new();
    here.run(&["init"]);
    BODIES.iter().for_each(|body| enqueue(&here, body));
    let wait_for_rows = |count: i64| {
        wait_until("the rows", || {
            let index = Connection::open(index_of(&here)).unwrap();
            let rows = index.query_row("select count(*) from words", [], |row| row.get(0));
            (rows == Ok(count)).then_some(())
        });
    };
    {
        let _served = here.serve_with(&["--text-index"]);
        wait_for_index(&here);
        wait_for_rows(8);
        let found = std::fs::metadata(index_of(&here)).unwrap();
        let mode = std::os::unix::fs::MetadataExt::mode(&found);
        assert_eq!(mode & 0o777, 0o600, "bodies can be guessed from it");
        let file = Connection::open(&here.db).unwrap();
        // Also from the middle: what was kept is older.
        file.execute("delete from hookbox_event where id in (2, 3, 5)", [])
            .unwrap();
        wait_for_rows(5);
        // Somebody removes it while it is served.
        for end in ["", "-wal", "-shm"] {
            let mut path = index_of(&here).into_os_string();
            path.push(end);
            let _ = std::fs::remove_file(path);
        }
        wait_until("another one", || index_of(&here).exists().then_some(()));
        wait_for_rows(5);
    }
    // One that cannot be read hides nothing, and the next service makes it anew.
    let mut bytes = std::fs::read(index_of(&here)).unwrap();
    bytes[100..].fill(0xaa);
    std::fs::write(index_of(&here), bytes).unwrap();
    assert_eq!(found(&here, "an end").len(), 1);
    let _served = here.serve_with(&["--text-index"]);
    wait_for_index(&here);
    wait_for_rows(5);
}

/// Cause: a file of the index's name was taken for one. Damage: notes of somebody else, gone.
#[test]
fn a_file_of_somebody_else_stays_as_it_is() {
    let here = TestDb::new();
    here.run(&["init"]);
    std::fs::write(index_of(&here), "notes").unwrap();
    let ran = here.run(&[
        "serve",
        "--ingest",
        "127.0.0.1:0",
        "--status",
        "127.0.0.1:0",
        "--text-index",
    ]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("move it away"), "{}", ran.stderr);
    drop(here.serve());
    assert_eq!(std::fs::read(index_of(&here)).unwrap(), b"notes");
    std::fs::remove_file(index_of(&here)).unwrap();
    let other = Connection::open(index_of(&here)).unwrap();
    other
        .execute_batch("create table words (x); insert into words values (1)")
        .unwrap();
    drop(other);
    drop(here.serve());
    assert!(index_of(&here).exists());
}

/// More events than are looked at in one step, so that each way of searching goes on where it ended.
#[test]
fn pages_of_what_it_finds_go_on_where_they_ended() {
    let here = TestDb::new();
    here.run(&["init"]);
    let file = Connection::open(&here.db).unwrap();
    file.execute_batch("begin").unwrap();
    for number in 0..900 {
        let body = format!(r#"{{"number":"n{number:03}","all":"lighthouse"}}"#);
        file.execute(
            "insert into hookbox_outbox (type, body) values ('t', ?1)",
            [body],
        )
        .unwrap();
    }
    file.execute_batch("commit").unwrap();
    let served = here.serve_with(&["--text-index"]);
    wait_until("all to be taken over", || {
        (here.json(&["stats"])["events"] == 900).then_some(())
    });
    wait_for_index(&here);
    for (text, count) in [
        ("lighthouse", 900),
        ("n49", 10),
        ("%22n007%22", 1),
        ("nxy", 0),
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = served.api_get(&format!("/events/search?limit=170&text={text}{cursor}"));
            let items = page["items"].as_array().unwrap().iter();
            seen.extend(items.map(|event| event["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), count, "{text}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count, "{text}: each once");
    }
}
