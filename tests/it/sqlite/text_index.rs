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
fn it_forgets_what_was_removed_and_a_broken_one_hides_nothing() {
    let here = TestDb::new();
    here.run(&["init"]);
    BODIES.iter().for_each(|body| enqueue(&here, body));
    let rows = |sql: &str| -> i64 {
        let index = Connection::open(index_of(&here)).unwrap();
        index.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    {
        let _served = here.serve_with(&["--text-index"]);
        wait_for_index(&here);
        assert_eq!(rows("select count(*) from words"), 8);
        let mode =
            std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(index_of(&here)).unwrap());
        assert_eq!(mode & 0o777, 0o600, "bodies can be guessed from it");
        let file = Connection::open(&here.db).unwrap();
        file.execute("delete from hookbox_event where id <= 5", [])
            .unwrap();
        wait_until("the rows to go", || {
            (rows("select count(*) from words") == 3).then_some(())
        });
    }
    std::fs::write(index_of(&here), "no index").unwrap();
    assert_eq!(found(&here, "end").len(), 1);
    // The next service throws it away.
    let _served = here.serve_with(&["--text-index"]);
    wait_for_index(&here);
    assert_eq!(rows("select count(*) from words"), 3);
}
