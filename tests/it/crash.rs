//! Pulling the plug: what was answered is there, and what is pending is sent.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::support::{
    PUSH, Receiver, TestDb, closed_port, listener, number_from, on_server, say, send_signal,
    wait_until,
};

#[test]
fn kill_9_after_202_and_before_delivery_then_a_restart_delivers() {
    let here = TestDb::new();
    here.add_gogs();
    let address = format!("127.0.0.1:{}", closed_port());
    here.add_endpoint("ci", &format!("http://{address}/"), &[]);
    let served = here.serve();
    let (status, answer) = served.push("k1", PUSH.as_bytes());
    assert_eq!(status, 202);
    assert_eq!(served.signal("KILL"), None);
    let receiver = Receiver::on(&address, &[200]);
    let _again = here.serve();
    let got = receiver.next();
    assert_eq!(got.body, PUSH.as_bytes());
    assert_eq!(got.header("webhook-id"), answer["id"].as_str());
    here.wait_for_state("1", "delivered");
}

#[test]
fn kill_9_while_a_request_is_on_the_wire_sends_it_again_with_the_same_id() {
    let here = TestDb::new();
    here.add_gogs();
    let (silent, address) = listener();
    let address = address.to_string();
    here.add_endpoint("ci", &format!("http://{address}/"), &[]);
    let served = here.serve();
    let (_, answer) = served.push("k1", PUSH.as_bytes());
    let on_wire = silent.accept().unwrap();
    served.signal("KILL");
    drop((on_wire, silent));
    let receiver = Receiver::on(&address, &[200]);
    let _again = here.serve();
    assert_eq!(receiver.next().header("webhook-id"), answer["id"].as_str());
    assert_eq!(
        here.wait_for_state("1", "delivered")["attempts"],
        1,
        "the lost attempt left no row"
    );
}

/// `HOOKBOX_KILLS` says how often (3).
#[test]
fn kill_9_under_load_loses_nothing_that_was_accepted() {
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let accepted: Mutex<BTreeSet<String>> = Mutex::default();
    let kills = number_from("HOOKBOX_KILLS", 3);
    let mut random = fastrand::Rng::new();
    for round in 0..kills {
        let served = here.serve();
        let goal = accepted.lock().unwrap().len() + random.usize(1..60);
        std::thread::scope(|scope| {
            for sender in 0..4 {
                let (served, accepted) = (&served, &accepted);
                scope.spawn(move || {
                    // Until the plug is pulled, which is in the middle of it all.
                    for index in 0.. {
                        let key = format!("{round}-{sender}-{index}");
                        let Some((202, answer)) = served.try_push(&key, PUSH.as_bytes()) else {
                            return;
                        };
                        let id = answer["id"].as_str().unwrap().to_owned();
                        accepted.lock().unwrap().insert(id);
                    }
                });
            }
            wait_until("some to be accepted", || {
                (accepted.lock().unwrap().len() >= goal).then_some(())
            });
            send_signal(served.pid, "KILL");
        });
    }
    let accepted = accepted.into_inner().unwrap();
    let served = here.serve();
    let mut received: BTreeSet<String> = BTreeSet::new();
    while !accepted.is_subset(&received) {
        received.insert(receiver.next().header("webhook-id").unwrap().to_owned());
    }
    wait_until("all to be delivered", || {
        (here.json(&["stats"])["pending"] == 0).then_some(())
    });
    drop(served);
    // A server checks its own files.
    if !on_server() {
        assert_eq!(
            here.json(&["check", "--full"])["faults"],
            serde_json::json!([])
        );
    }
    say(&format!(
        "{kills} kills, {} accepted, none lost",
        accepted.len()
    ));
}
