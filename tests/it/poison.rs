//! What ends the process twice in a row is set aside, so that a third start goes on.
//!
//! What an evaluation may make is bounded, so an end has to be made: a machine that has not the memory for
//! one large body as values (`tests/shims/memory.c`).

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Receiver, Served, TestDb, built_shim, is_missing, wait_until};

/// As values more than eight million bytes, and never less than one.
const LARGE: &str = "8000000";

/// A body of which the values take more than that.
pub fn large(folder: &Path) -> PathBuf {
    let path = folder.join("large.json");
    std::fs::write(&path, format!("[{}0]", "0,".repeat(500_000))).unwrap();
    path
}

pub fn serve(here: &TestDb, shim: &Path) -> Command {
    let mut command = here.serve_command();
    command
        .env("LD_PRELOAD", shim)
        // Where a node of a server notes what it works on.
        .env("TMPDIR", here.folder.path())
        // Each piece is asked for by itself.
        .env("MIMALLOC_DISALLOW_ARENA_ALLOC", "1")
        .env("HOOKBOX_MEMORY_MAX", LARGE);
    command
}

/// Starts it, and sees it end by an abort.
pub fn start_and_end(here: &TestDb, shim: &Path) {
    let mut child = serve(here, shim)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ended = wait_until("the process to end", || child.try_wait().unwrap());
    assert_eq!(
        ended.signal(),
        Some(rustix::process::Signal::ABORT.as_raw())
    );
}

fn delivery_of(here: &TestDb, event: &Value) -> String {
    let id = event["id"].as_str().unwrap();
    let listed = here.list(&["delivery", "list", "--event", id]);
    listed[0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_delivery_that_ends_the_process_twice_is_set_aside_and_all_others_go_on() {
    if is_missing("cc", &["--version"], "install a C compiler") {
        return;
    }
    let here = TestDb::new();
    let shim = built_shim(here.folder.path(), "memory");
    let receiver = Receiver::answering(&[200]);
    let template = here.folder.path().join("t.j2");
    std::fs::write(&template, r#"{"count": {{ body|length }}}"#).unwrap();
    let format = format!("template:{}", template.display());
    here.add_endpoint("counted", &receiver.url, &["--format", &format]);
    let body = large(here.folder.path());
    let text = format!("@{}", body.display());
    let before = here.json(&["enqueue", "--type", "t", "--data", "[1,2]"]);
    let poison = here.json(&["enqueue", "--type", "t", "--data", &text]);
    let after = here.json(&["enqueue", "--type", "t", "--data", "[1,2,3]"]);
    start_and_end(&here, &shim);
    start_and_end(&here, &shim);
    let served = Served::start(serve(&here, &shim));
    let mut got: Vec<String> = (0..2)
        .map(|_| String::from_utf8(receiver.next().body).unwrap())
        .collect();
    got.sort();
    assert_eq!(got, [r#"{"count": 2}"#, r#"{"count": 3}"#]);
    let id = &delivery_of(&here, &poison);
    let aside = here.json(&["delivery", "show", id]);
    assert_eq!(aside["state"], "dead");
    assert_eq!(aside["reason"], "it ended the process, twice in a row");
    for event in [before, after] {
        here.wait_for_state(&delivery_of(&here, &event), "delivered");
    }
    drop(served);
    // Where there is the memory, it can be sent again.
    let _served = here.serve();
    here.json(&["replay", id]);
    assert_eq!(receiver.next().body, br#"{"count": 500001}"#);
}
