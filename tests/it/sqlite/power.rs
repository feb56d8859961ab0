//! A disk that loses power: what was answered is there, whatever of the rest arrived.
//!
//! `HOOKBOX_POWER_LOSSES` says how often (3), `HOOKBOX_SEED` where and what is lost.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::support::{
    PUSH, Receiver, Served, TestDb, built_shim, is_missing, number_from, say, wait_until,
};

#[test]
fn power_losses_under_load_lose_nothing_that_was_accepted() {
    if is_missing("cc", &["--version"], "install a C compiler") {
        return;
    }
    let losses = number_from("HOOKBOX_POWER_LOSSES", 3);
    let seed = number_from("HOOKBOX_SEED", 1);
    let mut random = fastrand::Rng::with_seed(seed);
    let built = tempfile::tempdir().unwrap();
    let shim = built_shim(built.path(), "power");
    let here = TestDb::in_file();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let accepted: Mutex<BTreeSet<String>> = Mutex::default();
    for loss in 0..losses {
        let mut command = here.serve_command();
        command
            .env("LD_PRELOAD", &shim)
            .env("HOOKBOX_POWER_FOLDER", here.folder.path())
            // Behind what a start writes.
            .env("HOOKBOX_POWER_AT", random.u32(60..4_000).to_string())
            .env("HOOKBOX_POWER_SEED", random.u64(..).to_string());
        let served = Served::start(command);
        std::thread::scope(|scope| {
            for sender in 0..4 {
                let (served, accepted) = (&served, &accepted);
                scope.spawn(move || {
                    for index in 0.. {
                        let key = format!("{loss}-{sender}-{index}");
                        let Some((202, answer)) = served.try_push(&key, PUSH.as_bytes()) else {
                            return;
                        };
                        let id = answer["id"].as_str().unwrap().to_owned();
                        accepted.lock().unwrap().insert(id);
                    }
                });
            }
        });
        assert_eq!(served.wait_for_exit(), Some(137), "the power was lost");
        // It is memory that processes share.
        let _ = std::fs::remove_file(format!("{}-shm", here.db.display()));
        let again = format!("HOOKBOX_POWER_LOSSES={} HOOKBOX_SEED={seed}", loss + 1);
        let faults = here.json(&["check", "--full"])["faults"].clone();
        assert_eq!(faults, serde_json::json!([]), "{again}");
        let there: BTreeSet<String> = here
            .list(&["event", "list", "--limit", "10000000"])
            .iter()
            .map(|event| event["id"].as_str().unwrap().to_owned())
            .collect();
        let accepted = accepted.lock().unwrap();
        let lost: Vec<&String> = accepted.difference(&there).collect();
        assert!(lost.is_empty(), "{again}: {lost:?}");
    }
    let accepted = accepted.into_inner().unwrap();
    let _served = here.serve();
    let mut received: BTreeSet<String> = BTreeSet::new();
    while !accepted.is_subset(&received) {
        received.insert(receiver.next().header("webhook-id").unwrap().to_owned());
    }
    wait_until("all to be delivered", || {
        (here.json(&["stats"])["pending"] == 0).then_some(())
    });
    say(&format!(
        "{losses} power losses, {} accepted, none lost",
        accepted.len()
    ));
}
