//! Files of which something cannot be read: it is seen, said, and what can be read is saved.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{PUSH, Receiver, TestDb, binary, is_missing, sql, wait_until};

const PAGE: usize = 1024;

/// A box with so many events of bodies that cannot be packed, each delivered once, and a name in each.
fn filled(events: usize) -> TestDb {
    let here = TestDb::in_file();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let served = here.serve();
    let mut random = fastrand::Rng::with_seed(7);
    for number in 0..events {
        let noise: String = std::iter::repeat_with(|| random.alphanumeric())
            .take(1_500)
            .collect();
        let body = format!("{{\"name\":\"body-{number:05}\",\"noise\":\"{noise}\"}}");
        assert_eq!(
            served.push(&format!("key-{number:05}"), body.as_bytes()).0,
            202
        );
    }
    wait_until("all to be delivered", || {
        (here.json(&["stats"])["delivered"] == events).then_some(())
    });
    assert_eq!(served.signal("TERM"), Some(0));
    here
}

/// Overwrites the page of an event on which its key stands. What was sent of it, which names the key as well, has
/// headers of its own.
fn break_page(db: &Path, text: &str) {
    let bytes = fs::read(db).unwrap();
    let has = |page: &[u8], text: &str| {
        let mut windows = page.windows(text.len());
        windows.any(|window| window == text.as_bytes())
    };
    let mut pages = bytes.chunks(PAGE);
    let number = pages.position(|page| has(page, text) && !has(page, "webhook-"));
    let file = fs::OpenOptions::new().write(true).open(db).unwrap();
    file.write_all_at(&[0xa5; PAGE], (number.unwrap() * PAGE) as u64)
        .unwrap();
}

/// Leaves the file as a loss of power does midway in a change, before it was in WAL mode: half of it is
/// overwritten, and its journal has what was there (SQLite, "Database File Format", "The Rollback Journal").
pub(super) fn break_off_a_change(db: &Path) {
    const SECTOR: usize = 512;
    sql(db, "pragma journal_mode = delete");
    let bytes = fs::read(db).unwrap();
    let pages = u32::try_from(bytes.len() / PAGE).unwrap();
    let mut journal = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7".to_vec();
    let (nonce, sector, page) = (0, SECTOR as u32, PAGE as u32);
    for number in [pages, nonce, pages, sector, page] {
        journal.extend(number.to_be_bytes());
    }
    journal.resize(SECTOR, 0);
    for (number, page) in (1_u32..).zip(bytes.chunks(PAGE)) {
        let sampled = (1..PAGE).rev().skip(199).step_by(200);
        let sum: u32 = sampled.map(|at| u32::from(page[at])).sum();
        journal.extend(number.to_be_bytes());
        journal.extend(page);
        journal.extend(sum.to_be_bytes());
    }
    let file = fs::OpenOptions::new().write(true).open(db).unwrap();
    file.write_all_at(&vec![0xa5; bytes.len() / 2], 0).unwrap();
    fs::write(format!("{}-journal", db.display()), journal).unwrap();
}

fn beside(here: &TestDb, name: &str) -> PathBuf {
    here.folder.path().join(name)
}

/// Cause: SQLite's "malformed" was an error like any other. Damage: a file of which pages could not be read
/// answered 202, was ready, and was copied as a backup. Cure: it shuts the way in and is said everywhere.
#[test]
fn a_damaged_file_is_not_ready_and_every_command_says_so() {
    let here = filled(60);
    assert_eq!(
        here.json(&["check", "--full"])["faults"],
        serde_json::json!([])
    );
    break_page(&here.db, "key-00030");
    let served = here.serve();
    // Nobody has read that page yet.
    assert_eq!(served.page("/readyz").0, 200);
    served.page("/events");
    assert_eq!(served.page("/readyz").0, 503, "{}", served.log());
    let (status, answer) = served.push("after", PUSH.as_bytes());
    assert_eq!(status, 503, "{answer}");
    assert!(served.page("/").2.contains("the file is damaged"));
    let log = served.stop_and_read_log();
    assert_eq!(log.matches("store.damaged").count(), 1, "{log}");

    for arguments in [&["check"][..], &["check", "--full"], &["doctor"]] {
        let ran = here.run(arguments);
        assert_eq!(ran.code, 1, "{arguments:?}: {}", ran.text());
        assert!(
            ran.text().contains("hookbox restore FILE"),
            "{}",
            ran.text()
        );
    }
    let ran = here.run(&["check", "--json"]);
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(told["faults"][0]["damage"], true, "{told}");
    let copy = beside(&here, "copy.db");
    let ran = here.run(&["backup", copy.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    assert!(!copy.exists(), "{}", ran.stderr);
}

#[test]
fn what_is_pending_is_delivered_from_a_damaged_file_all_the_same() {
    let here = filled(60);
    here.json(&["endpoint", "hold", "ci", "--reason", "a test"]);
    let served = here.serve();
    assert_eq!(served.push("last", PUSH.as_bytes()).0, 202);
    assert_eq!(served.signal("TERM"), Some(0));
    break_page(&here.db, "key-00030");
    let served = here.serve();
    served.page("/events");
    assert_eq!(served.page("/readyz").0, 503);
    let receiver = Receiver::answering(&[200]);
    here.json(&["endpoint", "set", "ci", "--url", &receiver.url]);
    here.json(&["endpoint", "resume", "ci"]);
    assert_eq!(receiver.next().body, PUSH.as_bytes());
    here.wait_for_state("61", "delivered");
}

#[test]
fn salvage_saves_what_can_be_read_and_says_what_could_not() {
    let here = filled(200);
    break_page(&here.db, "key-00100");
    let saved = beside(&here, "saved.db");
    let told = here.json(&["salvage", saved.to_str().unwrap()]);
    assert_eq!(told["whole"], false, "{told}");
    let table = |name: &str| {
        let tables = told["tables"].as_array().unwrap();
        tables
            .iter()
            .find(|table| table["name"] == name)
            .unwrap()
            .clone()
    };
    let events = table("hookbox_event");
    let rows = events["rows"].as_i64().unwrap();
    assert!((190..200).contains(&rows), "{told}");
    assert!(!events["lost"].as_array().unwrap().is_empty(), "{told}");
    assert_eq!(table("hookbox_endpoint")["rows"], 1);
    let left_out = told["left_out"].to_string();
    assert!(left_out.contains("deliveries whose event"), "{told}");
    // It goes on with the new file: counts, keys and settings are whole.
    let restored = here.json(&["restore", saved.to_str().unwrap()]);
    assert_eq!(restored["events"], rows);
    assert_eq!(
        here.json(&["check", "--full"])["faults"],
        serde_json::json!([])
    );
    assert_eq!(here.json(&["stats"])["delivered"], rows);
    let served = here.serve();
    let (status, answer) = served.push("new", PUSH.as_bytes());
    assert_eq!(status, 202, "{answer}");
    let (status, answer) = served.push("key-00007", PUSH.as_bytes());
    assert_eq!((status, &answer["duplicate"]), (200, &true.into()));
    assert_eq!(served.signal("TERM"), Some(0));
    // The damaged file is still there to be looked into.
    let kept = PathBuf::from(restored["kept"].as_str().unwrap());
    assert!(kept.exists());
}

/// Whatever page is broken: salvage ends, and what it makes is whole.
#[test]
fn salvage_makes_a_whole_file_whichever_page_is_broken() {
    let here = filled(40);
    let pages = fs::metadata(&here.db).unwrap().len() as usize / PAGE;
    let whole = fs::read(&here.db).unwrap();
    let mut saved_some = 0;
    for page in 0..pages {
        let broken = TestDb::in_file();
        fs::write(&broken.db, &whole).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&broken.db).unwrap();
        file.write_all_at(&[0xa5; PAGE], (page * PAGE) as u64)
            .unwrap();
        let saved = beside(&broken, "saved.db");
        match hookbox::store::salvage(&broken.db, &saved, |_, _| {}) {
            Ok(_) => {
                let faults = hookbox::store::check(&saved, hookbox::store::Depth::Full).unwrap();
                assert_eq!(faults, [], "page {page}");
                saved_some += 1;
            }
            // Of the pages that say what tables there are none can be done without.
            Err(error) => {
                assert!(
                    error.to_string().contains("only a backup helps"),
                    "{}",
                    error.chain()
                );
                assert!(!saved.exists(), "page {page}: {error}");
            }
        }
    }
    let of_schema = rusqlite::Connection::open(&here.db)
        .unwrap()
        .query_row(
            "select sum(length(sql) + 200) / 1024 + 8 from sqlite_schema",
            [],
            |row| row.get::<_, u32>(0),
        )
        .unwrap() as usize;
    assert!(saved_some + of_schema >= pages, "{saved_some} of {pages}");
}

#[test]
fn check_tells_of_counts_references_and_keys_that_do_not_agree() {
    let here = filled(10);
    for (statement, told) in [
        (
            "update hookbox_tally set value = value + 1 where what = 'delivered'",
            "endpoint ci has 10 deliveries that are delivered, and its count says 11",
        ),
        (
            "update hookbox_tally set value = value - 1 where of = 'source' and what = 'events'",
            "source gogs has 10 events, and its count says 9",
        ),
        (
            "delete from hookbox_recent_key where event_id = 3",
            "the key of event 3 would not be found if it came again",
        ),
        (
            "pragma foreign_keys = off; update hookbox_delivery set replay_of = 99 where id = 4",
            "row 4 of hookbox_delivery refers to a row of hookbox_delivery that is not there",
        ),
        (
            "insert into hookbox_attempt select 99 * 1024 + 1, 99, 1, started_ms, 0, 0, 0, 0, 0, outcome, status, null, '[]', '[]', x'', 0
             from hookbox_attempt limit 1",
            "is of delivery 99, which is not there",
        ),
    ] {
        sql(&here.db, statement);
        let ran = here.run(&["check", "--full"]);
        assert_eq!(ran.code, 1);
        assert!(ran.text().contains(told), "{told}: {}", ran.text());
    }
    assert_eq!(here.run(&["check"]).code, 0, "the quick look is at pages");
    let saved = beside(&here, "saved.db");
    here.json(&["salvage", saved.to_str().unwrap()]);
    here.json(&["restore", saved.to_str().unwrap()]);
    assert_eq!(
        here.json(&["check", "--full"])["faults"],
        serde_json::json!([])
    );
    assert_eq!(here.json(&["stats"])["events"], 10);
}

#[test]
fn restore_puts_a_backup_in_place_and_keeps_what_was_there() {
    let here = filled(5);
    let copy = beside(&here, "copy.db");
    here.json(&["backup", copy.to_str().unwrap()]);
    let served = here.serve();
    assert_eq!(served.push("later", PUSH.as_bytes()).0, 202);
    let restore = ["restore", copy.to_str().unwrap()];
    let ran = here.run(&restore);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("already being served"),
        "{}",
        ran.stderr
    );
    assert_eq!(served.signal("KILL"), None);
    // Another program has it open.
    let app = rusqlite::Connection::open(&here.db).unwrap();
    app.query_row("select count(*) from hookbox_event", [], |_| Ok(()))
        .unwrap();
    let ran = here.run(&restore);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("end it first"), "{}", ran.stderr);
    drop(app);
    assert_eq!(here.json(&["stats"])["events"], 6, "nothing was changed");
    let restored = here.json(&restore);
    assert_eq!(restored["events"], 5);
    assert_eq!(here.json(&["stats"])["events"], 5);
    // What the log of the old file held is kept with it.
    let kept = restored["kept"].as_str().unwrap();
    assert_eq!(here.json(&["stats", "--db", kept])["events"], 6);
    // What is no backup changes nothing.
    let bad = beside(&here, "bad.db");
    fs::write(
        &bad,
        b"not a database at all, and long enough to be looked at by SQLite as one",
    )
    .unwrap();
    let broken = beside(&here, "broken.db");
    fs::copy(&copy, &broken).unwrap();
    break_page(&broken, "key-00002");
    let other = beside(&here, "other.db");
    sql(&other, "create table t (a)");
    for (file, why) in [
        (&bad, "is damaged or no database"),
        (&broken, "is damaged or no database"),
        (&other, "none of hookbox's tables"),
        (&here.db, "the database itself"),
        (&beside(&here, "none.db"), "no backup at"),
    ] {
        let ran = here.run(&["restore", file.to_str().unwrap()]);
        assert_ne!(ran.code, 0);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert_eq!(here.json(&["stats"])["events"], 5);
    }
    // And where there is no file, only its log.
    fs::remove_file(&here.db).unwrap();
    here.json(&restore);
    assert_eq!(here.json(&["stats"])["events"], 5);
}

#[test]
fn a_backup_is_restored_where_there_was_no_database_and_a_bad_one_leaves_nothing() {
    let here = filled(3);
    let copy = beside(&here, "copy.db");
    here.json(&["backup", copy.to_str().unwrap()]);
    let bad = beside(&here, "bad.db");
    fs::copy(&copy, &bad).unwrap();
    break_page(&bad, "key-00001");
    let new = TestDb::in_file();
    let ran = new.run(&["restore", bad.to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(fs::read_dir(new.folder.path()).unwrap().count(), 0);
    new.json(&["restore", copy.to_str().unwrap()]);
    assert_eq!(new.json(&["stats"])["events"], 3);
    let served = new.serve();
    assert_eq!(served.push("new", PUSH.as_bytes()).0, 202);
}

#[test]
fn a_restore_that_was_broken_off_is_gone_on_with_and_an_applications_tables_are_kept() {
    let here = filled(3);
    let copy = beside(&here, "copy.db");
    here.json(&["backup", copy.to_str().unwrap()]);
    let served = here.serve();
    assert_eq!(served.push("in-the-log", PUSH.as_bytes()).0, 202);
    assert_eq!(served.signal("KILL"), None);
    // Between moving the file away and its log.
    let kept = beside(&here, "hookbox.db.before-20260101T000000000Z");
    fs::rename(&here.db, &kept).unwrap();
    let restored = here.json(&["restore", copy.to_str().unwrap()]);
    assert_eq!(restored["kept"], kept.to_str().unwrap());
    assert_eq!(here.json(&["stats"])["events"], 3);
    assert_eq!(
        here.json(&["stats", "--db", kept.to_str().unwrap()])["events"],
        4
    );
    sql(&here.db, "create table orders (id integer primary key)");
    let ran = here.run(&["restore", copy.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("another program's tables"),
        "{}",
        ran.stderr
    );
    // And a rule of theirs that a row breaks is no damage.
    sql(
        &here.db,
        "pragma ignore_check_constraints = on; create table rule (a check (a > 1)); insert into rule values (0)",
    );
    here.json(&["check", "--full"]);
    here.json(&["backup", beside(&here, "both.db").to_str().unwrap()]);
}

#[test]
fn a_backup_on_a_medium_that_cannot_be_written_is_restored() {
    use std::os::unix::fs::PermissionsExt;

    if is_missing(
        "unshare",
        &["-m", "true"],
        "run the tests as the super-user",
    ) {
        return;
    }
    let here = filled(3);
    let stick = tempfile::tempdir().unwrap();
    let copy = stick.path().join("copy.db");
    here.json(&["backup", copy.to_str().unwrap()]);
    fs::set_permissions(stick.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let script = r#"mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$0" restore "$1/copy.db""#;
    let output = std::process::Command::new("unshare")
        .args(["-m", "sh", "-c", script, binary()])
        .arg(stick.path())
        .env("HOOKBOX_DB", &here.db)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(here.json(&["stats"])["events"], 3);
}

/// Cause: only a connection that writes may roll a journal back. Damage: a copy of such a file was restored
/// half changed, and other commands said that they cannot write. Cure: whoever reads it has it rolled back.
#[test]
fn a_file_that_was_left_in_the_middle_of_a_change_is_rolled_back_by_whatever_reads_it() {
    let here = filled(3);
    let events = here.list(&["event", "list"]);
    let (copy, saved, restored, moved) = (
        beside(&here, "copy.db"),
        beside(&here, "saved.db"),
        beside(&here, "restored.db"),
        beside(&here, "moved.db"),
    );
    let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let (db, copy) = (path(&here.db), path(&copy));
    let (saved, restored, moved) = (path(&saved), path(&restored), path(&moved));
    // SQLite has the journal beside the file, and not beside a link to it.
    let (link, of_link) = (beside(&here, "latest.db"), beside(&here, "of-link.db"));
    std::os::unix::fs::symlink(&here.db, &link).unwrap();
    let (link, of_link) = (path(&link), path(&of_link));
    for (made, command) in [
        (&db, &["check", "--full"][..]),
        (&copy, &["backup", &copy]),
        (&saved, &["salvage", &saved]),
        (&restored, &["restore", &db, "--db", &restored]),
        (&moved, &["move", "--from", &db, "--to", &moved]),
        (&of_link, &["restore", &link, "--db", &of_link]),
    ] {
        break_off_a_change(&here.db);
        here.json(command);
        assert_eq!(here.list(&["event", "list", "--db", made]), events);
    }
}

/// A journal that stays would be rolled back into the file that comes.
#[test]
fn the_journal_of_a_file_goes_away_with_it_before_a_backup_takes_its_place() {
    let (here, other) = (filled(3), filled(5));
    let copy = beside(&other, "copy.db");
    other.json(&["backup", copy.to_str().unwrap()]);
    break_off_a_change(&here.db);
    // Nothing can be rolled back into it.
    fs::remove_file(&here.db).unwrap();
    let restored = here.json(&["restore", copy.to_str().unwrap()]);
    assert_eq!(restored["events"], 5);
    assert_eq!(here.json(&["check", "--full"])["faults"], json!([]));
    assert_eq!(here.json(&["stats"])["events"], 5);
}
