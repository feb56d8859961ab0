//! Several nodes over one database on a server: each lane is one node's, and a dead node's go on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;

use hookbox::model::endpoint::NewEndpoint;
use hookbox::model::event::NewEvent;
use hookbox::store::{Missing, Store};
use hookbox::time::{Clock, SystemClock};

use crate::support::{
    NOON, OwnServer, PUSH, Receiver, Served, TestDb, no_server, number_from, say, serve_each,
    wait_until,
};

/// How many lanes each node has.
fn lanes(here: &TestDb) -> Vec<i64> {
    let rows = here.query(
        "select count(l.endpoint_id) from hookbox_node as n
         left join hookbox_lane as l on l.node_id = n.id
         where n.id <> 0 group by n.id order by 1",
    );
    rows.iter().map(|row| row.get(0)).collect()
}

#[test]
fn lanes_are_shared_out_and_those_of_a_node_that_stops_or_dies_go_on() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    for number in 0..6 {
        here.add_endpoint(&format!("e{number}"), &receiver.url, &[]);
    }
    let first = here.serve();
    wait_until("one node to have all", || {
        (lanes(&here) == [6]).then_some(())
    });
    let (second, third) = (here.serve(), here.serve());
    wait_until("each to have its share", || {
        (lanes(&here) == [2, 2, 2]).then_some(())
    });
    // What one takes in is sent by all.
    assert_eq!(first.push("k1", PUSH.as_bytes()).0, 202);
    for _ in 0..6 {
        receiver.next();
    }
    second.stop_and_read_log();
    wait_until("the others to have its lanes", || {
        (lanes(&here) == [3, 3]).then_some(())
    });
    // What the next one sent and did not record yet would be sent again.
    wait_until("all to be recorded", || {
        (here.json(&["stats"])["pending"] == 0).then_some(())
    });
    let clock = SystemClock::new();
    assert_eq!(third.signal("KILL"), None);
    wait_until("doctor to miss it", || {
        let doctor = here.run(&["doctor"]);
        doctor
            .text()
            .contains("says nothing any more")
            .then_some(())
    });
    assert_eq!(first.push("k2", PUSH.as_bytes()).0, 202);
    for _ in 0..6 {
        receiver.next();
    }
    say(&format!(
        "a dead node's lanes went on after {:?}",
        clock.elapsed()
    ));
    assert_eq!(first.push("k2", PUSH.as_bytes()).1["duplicate"], true);
    assert!(receiver.got_nothing_more());
    let log = first.log();
    for (what, times) in [("node.joined", 2), ("node.gone", 2)] {
        assert_eq!(log.matches(what).count(), times, "{log}");
    }
}

#[test]
fn a_node_with_a_long_backlog_has_few_other_lanes() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    for (name, types) in [("hot", "a"), ("b", "b"), ("c", "c"), ("d", "d")] {
        here.add_endpoint(name, "http://127.0.0.1:9/", &["--types", types]);
    }
    let store = Store::open(here.location(), Missing::Refuse).unwrap();
    let (sender, answers) = channel();
    for _ in 0..5_000 {
        let sender = sender.clone();
        store.accept_then(NewEvent::new("a", "{}"), NOON, move |result| {
            sender.send(result.is_ok()).unwrap();
        });
    }
    drop(sender);
    assert!(answers.iter().all(|accepted| accepted));
    let _nodes = (here.serve(), here.serve());
    wait_until("the lanes to be divided", || {
        let mut lanes = lanes(&here);
        lanes.sort_unstable();
        (lanes == [1, 3]).then_some(())
    });
}

#[test]
fn a_key_that_two_processes_take_at_the_same_moment_is_one_event() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    let stores = [(); 2].map(|()| Store::open(here.location(), Missing::Create).unwrap());
    for number in 0..4 {
        let new = NewEndpoint::new(format!("e{number}"), "http://127.0.0.1:9/".parse().unwrap());
        stores[0].add_endpoint(new, NOON).unwrap();
    }
    let keys = 300;
    let new: Vec<usize> = std::thread::scope(|scope| {
        let takers = stores.each_ref().map(|store| {
            scope.spawn(move || {
                let mut numbers: Vec<u32> = (0..keys).collect();
                fastrand::shuffle(&mut numbers);
                let (sender, answers) = channel();
                for number in numbers {
                    let event = NewEvent {
                        key: Some(format!("key-{number}")),
                        ..NewEvent::new("t", "{}")
                    };
                    let sender = sender.clone();
                    store.accept_then(event, NOON, move |answer| sender.send(answer).unwrap());
                }
                drop(sender);
                let accepted = answers.into_iter().map(|answer| answer.unwrap());
                accepted.filter(|accepted| !accepted.duplicate).count()
            })
        });
        takers.map(|taker| taker.join().unwrap()).to_vec()
    });
    assert_eq!(new.iter().sum::<usize>(), keys as usize, "{new:?}");
    let stats = stores[0].stats().unwrap();
    assert_eq!((stats.events, stats.pending), (300, 1_200));
}

/// What a receiver got first: of each sender the numbers, in order.
#[derive(Default)]
struct Got {
    ids: BTreeSet<String>,
    repeats: usize,
    /// By sender, the number of the last event that was new.
    last: BTreeMap<u64, u64>,
    out_of_order: usize,
}

impl Got {
    fn take(&mut self, id: &str, body: &[u8]) {
        if !self.ids.insert(id.to_owned()) {
            self.repeats += 1;
            return;
        }
        let body: serde_json::Value = serde_json::from_slice(body).unwrap();
        let (sender, number) = (body["sender"].as_u64(), body["number"].as_u64());
        let (sender, number) = (sender.unwrap(), number.unwrap());
        let last = self.last.entry(sender).or_default();
        self.out_of_order += usize::from(number < *last);
        *last = number.max(*last);
    }
}

/// Three nodes, senders that go from one to the next, and two receivers.
struct Traffic {
    any: Receiver,
    ordered: Receiver,
    senders: Senders,
}

struct Senders {
    nodes: Vec<Mutex<Option<Served>>>,
    accepted: Mutex<BTreeSet<String>>,
    sent: AtomicU64,
}

impl Traffic {
    fn begin(here: &TestDb) -> Traffic {
        here.add_gogs();
        let (any, ordered) = (Receiver::answering(&[200]), Receiver::answering(&[200]));
        here.add_endpoint("any", &any.url, &[]);
        here.add_endpoint("ordered", &ordered.url, &["--ordered"]);
        here.add_endpoint("other", &any.url, &["--types", "nothing"]);
        Traffic {
            any,
            ordered,
            senders: Senders {
                nodes: (0..3).map(|_| Mutex::new(Some(here.serve()))).collect(),
                accepted: Mutex::default(),
                sent: AtomicU64::new(0),
            },
        }
    }

    /// Lets three senders send while harm is done so often, each time after some events more.
    fn while_harmed(&self, times: u64, mut harm: impl FnMut(&Senders)) {
        let senders = &self.senders;
        let mut random = fastrand::Rng::new();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for sender in 0..3 {
                let stop = &stop;
                scope.spawn(move || senders.send(sender, stop));
            }
            for _ in 0..times {
                senders.wait_for_more(random.u64(50..200));
                harm(senders);
            }
            senders.wait_for_more(50);
            stop.store(true, Ordering::Relaxed);
        });
    }

    /// Waits until both receivers have all; says how they got it.
    fn end(self, harm: &str, repeats_max: usize) {
        let accepted = self.senders.accepted.into_inner().unwrap();
        for (name, receiver) in [("any", &self.any), ("ordered", &self.ordered)] {
            let mut got = Got::default();
            while !accepted.is_subset(&got.ids) {
                let request = receiver.next();
                got.take(request.header("webhook-id").unwrap(), &request.body);
            }
            say(&format!(
                "{harm}: {} accepted, {name} got {} and {} again, {} out of order",
                accepted.len(),
                got.ids.len(),
                got.repeats,
                got.out_of_order,
            ));
            if name == "ordered" {
                assert_eq!(got.out_of_order, 0);
                assert!(got.repeats <= repeats_max, "{}", got.repeats);
            }
        }
    }
}

impl Senders {
    fn send(&self, sender: u64, stop: &AtomicBool) {
        let (mut number, mut node) = (0, sender as usize);
        while !stop.load(Ordering::Relaxed) {
            let body = format!("{{\"sender\":{sender},\"number\":{number}}}");
            let key = format!("{sender}-{number}");
            // Each time another node: what it did not answer may be there already.
            node += 1;
            let served = self.nodes[node % 3].lock().unwrap();
            let answer = served
                .as_ref()
                .and_then(|node| node.try_push(&key, body.as_bytes()));
            drop(served);
            if let Some((202 | 200, answer)) = answer {
                let id = answer["id"].as_str().unwrap().to_owned();
                self.accepted.lock().unwrap().insert(id);
                number += 1;
                self.sent.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn wait_for_more(&self, events: u64) {
        let goal = self.sent.load(Ordering::Relaxed) + events;
        wait_until("some to be accepted", || {
            (self.sent.load(Ordering::Relaxed) >= goal).then_some(())
        });
    }
}

/// `HOOKBOX_NODE_KILLS` says how often (2).
#[test]
fn nodes_that_are_killed_lose_nothing_and_keep_the_order() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    let traffic = Traffic::begin(&here);
    let kills = number_from("HOOKBOX_NODE_KILLS", 2);
    let mut random = fastrand::Rng::new();
    traffic.while_harmed(kills, |senders| {
        let one = &senders.nodes[random.usize(..3)];
        let killed = one.lock().unwrap().take();
        killed.unwrap().signal("KILL");
        *one.lock().unwrap() = Some(here.serve());
    });
    traffic.end(&format!("{kills} kills of nodes"), kills as usize);
}

/// `HOOKBOX_SERVER_RESTARTS` says how often (1).
#[test]
fn a_server_that_is_restarted_under_load_loses_nothing_and_no_node_need_be() {
    if no_server() {
        return;
    }
    let server = OwnServer::start(&[]);
    let here = TestDb::on_own_server(&server.url);
    let traffic = Traffic::begin(&here);
    let restarts = number_from("HOOKBOX_SERVER_RESTARTS", 1);
    traffic.while_harmed(restarts, |_| server.control("restart"));
    traffic.end(
        &format!("{restarts} restarts of the server"),
        restarts as usize,
    );
}

/// Cause: an attempt whose lane's lease had ended could not be recorded, and the delivery counted as on the wire
/// from then on. Damage: it was sent again only after a restart.
#[test]
fn what_cannot_be_recorded_since_the_lease_ended_is_sent_again_without_a_restart() {
    if no_server() {
        return;
    }
    let server = OwnServer::start(&[]);
    let here = TestDb::on_own_server(&server.url);
    let (arrived, arrivals) = channel();
    let (answer, answers) = channel::<()>();
    let answers = Mutex::new(answers);
    let address = serve_each(move |mut stream| {
        let mut head = [0; 4_096];
        let _ = stream.read(&mut head).unwrap();
        arrived.send(()).unwrap();
        let _ = answers.lock().unwrap().recv();
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    });
    here.add_endpoint("ci", &format!("http://{address}/"), &["--timeout", "60s"]);
    let served = here.serve_with(&["--log-level", "debug"]);
    here.json(&["enqueue", "--type", "t", "--data", "{}"]);
    arrivals.recv().unwrap();
    server.control("crash");
    // A lease lasts five rounds. Only the first failure is told without being asked for.
    wait_until("the lease to end", || {
        let failed = served.log().matches("cannot renew the leases").count();
        (failed >= 6).then_some(())
    });
    // For the request on the wire, and for another one.
    answer.send(()).unwrap();
    answer.send(()).unwrap();
    server.control("restart");
    wait_until("it to be recorded", || {
        (here.json(&["stats"])["delivered"] == 1).then_some(())
    });
}

#[test]
fn a_standby_that_takes_over_has_all_that_was_accepted() {
    if no_server() {
        return;
    }
    let primary = OwnServer::start(&[]);
    let standby = OwnServer::start(&["standby", &primary.folder]);
    let here = TestDb::on_own_server(&standby.url);
    let traffic = Traffic::begin(&here);
    traffic.while_harmed(1, |_| {
        primary.control("crash");
        standby.control("promote");
    });
    traffic.end("1 fail-over", 1);
}
