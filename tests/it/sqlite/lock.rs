//! The lock beside the file: one service at a time.

use std::fs;

use super::place::beside;
use crate::support::{SERVE, TestDb, wait_until};

/// Cause: the lock file was opened by name, emptied, and made for its owner alone. Damage: a symbolic link
/// of that name emptied what it led to. Cure: links are not followed, and nothing is cut off.
#[test]
fn the_lock_file_follows_no_link_and_cuts_nothing_off() {
    let here = TestDb::in_file();
    here.json(&["init"]);
    let precious = here.folder.path().join("precious");
    fs::write(&precious, b"do not touch").unwrap();
    std::os::unix::fs::symlink(&precious, beside(&here, ".lock")).unwrap();
    let ran = here.run(&SERVE);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("it is a link"), "{}", ran.stderr);
    assert_eq!(fs::read(&precious).unwrap(), b"do not touch");
    fs::remove_file(beside(&here, ".lock")).unwrap();
    let letter = b"a letter that somebody saved under a bad name";
    fs::write(beside(&here, ".lock"), letter).unwrap();
    let served = here.serve();
    let ran = here.run(&SERVE);
    assert!(
        ran.stderr.contains("already being served"),
        "{}",
        ran.stderr
    );
    assert_eq!(served.signal("TERM"), Some(0));
    assert_eq!(fs::read(beside(&here, ".lock")).unwrap(), letter);
}

#[test]
fn a_lock_file_that_is_removed_is_made_again_so_that_nobody_else_serves() {
    let here = TestDb::in_file();
    let served = here.serve();
    fs::remove_file(beside(&here, ".lock")).unwrap();
    wait_until("the lock to be back", || {
        beside(&here, ".lock").exists().then_some(())
    });
    let ran = here.run(&SERVE);
    let who = format!("already being served by process {}", served.pid);
    assert!(ran.stderr.contains(&who), "{}", ran.stderr);
    assert_eq!(served.page("/readyz").0, 200);
}

#[test]
fn a_second_serve_is_refused_and_told_the_firsts_process_id() {
    let here = TestDb::in_file();
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
