//! Several nodes over one database on a server: each lane is one node's, and a dead node's go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;

use hookbox::model::endpoint::NewEndpoint;
use hookbox::model::event::NewEvent;
use hookbox::store::{Missing, Store};
use hookbox::time::{Clock, SystemClock};

use crate::support::{
    NOON, PUSH, Receiver, Served, TestDb, no_server, number_from, say, wait_until,
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
    let clock = SystemClock::new();
    assert_eq!(third.signal("KILL"), None);
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

/// `HOOKBOX_NODE_KILLS` says how often (2).
#[test]
fn nodes_that_are_killed_lose_nothing_and_keep_the_order() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    here.add_gogs();
    let (any, ordered) = (Receiver::answering(&[200]), Receiver::answering(&[200]));
    here.add_endpoint("any", &any.url, &[]);
    here.add_endpoint("ordered", &ordered.url, &["--ordered"]);
    here.add_endpoint("other", &any.url, &["--types", "nothing"]);
    let kills = number_from("HOOKBOX_NODE_KILLS", 2);
    let accepted: Mutex<BTreeSet<String>> = Mutex::default();
    let mut random = fastrand::Rng::new();
    let nodes: Vec<Mutex<Option<Served>>> =
        (0..3).map(|_| Mutex::new(Some(here.serve()))).collect();
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for sender in 0..3_u64 {
            let (nodes, accepted, stop, sent) = (&nodes, &accepted, &stop, &sent);
            scope.spawn(move || {
                let (mut number, mut node) = (0, sender as usize);
                while !stop.load(Ordering::Relaxed) {
                    let body = format!("{{\"sender\":{sender},\"number\":{number}}}");
                    let key = format!("{sender}-{number}");
                    // Each time another node: what it did not answer may be there already.
                    node += 1;
                    let served = nodes[node % 3].lock().unwrap();
                    let answer = served
                        .as_ref()
                        .and_then(|node| node.try_push(&key, body.as_bytes()));
                    drop(served);
                    if let Some((202, answer)) = answer {
                        let id = answer["id"].as_str().unwrap().to_owned();
                        accepted.lock().unwrap().insert(id);
                        number += 1;
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for _ in 0..kills {
            let goal = sent.load(Ordering::Relaxed) + random.u64(50..200);
            wait_until("some to be accepted", || {
                (sent.load(Ordering::Relaxed) >= goal).then_some(())
            });
            let one = random.usize(..3);
            let killed = nodes[one].lock().unwrap().take();
            killed.unwrap().signal("KILL");
            *nodes[one].lock().unwrap() = Some(here.serve());
        }
        stop.store(true, Ordering::Relaxed);
    });
    let accepted = accepted.into_inner().unwrap();
    let collect = |receiver: &Receiver| {
        let mut got = Got::default();
        while !accepted.is_subset(&got.ids) {
            let request = receiver.next();
            got.take(request.header("webhook-id").unwrap(), &request.body);
        }
        got
    };
    for (name, receiver) in [("any", &any), ("ordered", &ordered)] {
        let got = collect(receiver);
        say(&format!(
            "{kills} kills of nodes: {} accepted, {name} got {} and {} again, {} out of order",
            accepted.len(),
            got.ids.len(),
            got.repeats,
            got.out_of_order,
        ));
        if name == "ordered" {
            assert_eq!(got.out_of_order, 0);
            assert!(got.repeats <= kills as usize, "{}", got.repeats);
        }
    }
}
