//! Many events in one request from box to hub: what arrives, how often, in what order, and what a hub does
//! about what is no relay.

use std::collections::{HashMap, HashSet};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookbox::model::attempt::Timing;
use hookbox::model::endpoint::{Endpoint, Format};
use hookbox::model::event::NewEvent;
use hookbox::model::settings::Selection;
use hookbox::outbound::{Egress, Exchange, OutboundRequest, SendResult, Transport, UreqTransport};
use hookbox::signature::{Scheme, Secret};
use hookbox::store::{Missing, PAGE_MAX, Store};
use hookbox::time::SystemClock;
use serde_json::{Value, json};

use crate::support::{
    Bench, FREE_PORT, Receiver, Served, TestDb, ask, closed_port, number_from, say, send_signal,
    unreachable, wait_until,
};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// A hub whose source takes relays with the secret, whatever their time: boxes of tests have clocks of their own.
fn hub() -> TestDb {
    let hub = TestDb::new();
    hub.json(&[
        "source",
        "add",
        "boxes",
        "--kind",
        "standard",
        "--secret",
        SECRET,
        "--tolerance",
        "none",
    ]);
    hub
}

/// A box that owes its events to a hub.
fn sender(url: &str, more: &[&str]) -> TestDb {
    let here = TestDb::new();
    let mut options = vec![
        "--format", "relay", "--sign", "standard", "--secret", SECRET,
    ];
    options.extend(more);
    here.add_endpoint("hub", url, &options);
    here
}

fn count(here: &TestDb, state: &str) -> usize {
    let all = ["delivery", "list", "--limit", "1000", "--state", state];
    here.list(&all).len()
}

#[test]
fn many_events_arrive_in_few_requests_with_all_that_they_are() {
    let hub = hub();
    let served = hub.serve();
    let url = format!("{}/in/boxes", served.ingest);
    let here = sender(&url, &["--header", "Hookbox-Name: lamp 7"]);
    here.add_gogs();
    let bytes: &[u8] = b"\x00\xff\r\n\"\\";
    let arguments = ["enqueue", "--type", "reading", "--key", "k", "--data", "@-"];
    assert_eq!(here.run_with_input(&arguments, bytes).code, 0);
    for number in 0..150 {
        let data = format!("{{\"n\":{number}}}");
        here.json(&["enqueue", "--type", "lamp.lit", "--data", &data]);
    }
    let sending = here.serve();
    sending.push("k1", crate::support::PUSH.as_bytes());
    wait_until("all to arrive", || {
        (count(&here, "delivered") == 152).then_some(())
    });
    let seen = hub.list(&["event", "list", "--limit", "1000"]);
    assert_eq!(seen.len(), 152);
    let of = |event_type: &str| {
        let found = seen.iter().find(|event| event["type"] == event_type);
        found.unwrap().clone()
    };
    // The bytes, the type, the key there and the time there.
    let reading = of("reading");
    let body = hub.run(&["event", "body", reading["id"].as_str().unwrap()]);
    assert_eq!(body.stdout, bytes);
    let mine = here.list(&["event", "list", "--type", "reading"]);
    assert_eq!(reading["key"], mine[0]["id"]);
    let header = |event: &Value, name: &str| {
        let shown = hub.json(&["event", "show", event["id"].as_str().unwrap()]);
        let headers = shown["headers"].as_array().unwrap().clone();
        let found = headers.iter().find(|pair| pair[0] == name).cloned();
        found.map(|pair| pair[1].as_str().unwrap().to_owned())
    };
    assert_eq!(header(&reading, "Hookbox-Key").as_deref(), Some("k"));
    assert!(header(&reading, "Date").is_some());
    let push = of("push");
    // It is read as what it was at the box: what it says, and its branch.
    let here_too = here.list(&["event", "list", "--type", "push"]);
    assert_eq!(push["summary"], here_too[0]["summary"]);
    assert_eq!(
        (&push["branch"], &here_too[0]["branch"]),
        (&json!("main"), &json!("main"))
    );
    assert_eq!(header(&push, "X-Gogs-Event").as_deref(), Some("push"));
    assert!(header(&push, "Hookbox-Path").unwrap().ends_with("/gogs"));
    assert_eq!(header(&push, "X-Gogs-Signature"), None);
    // What the hub says of each event is in its attempt.
    let delivery = here.list(&["delivery", "list", "--type", "reading"])[0].clone();
    let attempts = here.list(&["attempt", "list", delivery["id"].as_str().unwrap()]);
    assert_eq!(attempts[0]["status"], 202);
    let said = attempts[0]["response_body"].as_str().unwrap();
    assert!(said.contains(reading["id"].as_str().unwrap()), "{said}");
    // The hub shows which box was heard, when, and with how many requests.
    let boxes = hub.list(&["source", "boxes", "boxes"]);
    let requests = boxes[0]["requests"].as_i64().unwrap();
    assert_eq!(
        (boxes.len(), &boxes[0]["name"], &boxes[0]["events"]),
        (1, &json!("lamp 7"), &json!(152))
    );
    assert!((2..=5).contains(&requests), "{requests}");
    assert_eq!(served.api_get("/sources/boxes/boxes")["items"][0], boxes[0]);
    let (_, _, page) = served.page("/sources/boxes");
    assert!(page.contains("1 box relay here") && page.contains("lamp 7"));
    // On a stick the same events are no others.
    let bundle = here.folder.path().join("a.bundle");
    let bundle = bundle.to_str().unwrap();
    here.json(&["export", "--endpoint", "hub", "-o", bundle]);
    let done = hub.json(&["import", "bundle", bundle, "--source", "boxes"]);
    assert_eq!((&done["seen"], &done["taken"]), (&json!(152), &json!(0)));
    // The preview shows the lines.
    let preview = here.run(&["endpoint", "preview", "hub", "1"]);
    assert!(
        preview.text().contains("hookbox_relay"),
        "{}",
        preview.text()
    );
}

#[test]
fn what_the_hub_does_not_take_is_dead_alone() {
    let hub = hub();
    let served = hub.serve_with(&["--body-max", "64KiB"]);
    let here = sender(&format!("{}/in/boxes", served.ingest), &[]);
    for number in 0..10 {
        let size = if number == 3 { 100_000 } else { 10 };
        let body = vec![b'x'; size];
        let arguments = ["enqueue", "--type", "lamp.lit", "--data", "@-"];
        assert_eq!(here.run_with_input(&arguments, &body).code, 0);
    }
    let _sending = here.serve();
    wait_until("all to be settled", || {
        (count(&here, "delivered") + count(&here, "dead") == 10).then_some(())
    });
    let dead = here.list(&["delivery", "list", "--state", "dead"]);
    assert_eq!(dead.len(), 1);
    let reason = dead[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("the hub says 413") && reason.contains("limit is 65536"),
        "{reason}"
    );
    assert_eq!(hub.list(&["event", "list"]).len(), 9);
}

#[test]
fn a_hub_that_is_full_or_has_to_be_repaired_costs_no_event_a_try() {
    for (status, waiting) in [(503, "pace"), (404, "pace"), (200, "pace")] {
        let hub = Receiver::answering(&[status]);
        let here = sender(&hub.url, &["--tries", "1"]);
        for _ in 0..30 {
            here.json(&["enqueue", "--type", "lamp.lit", "--data", "{}"]);
        }
        let sending = here.serve();
        hub.next();
        let rows = wait_until("the answer to be known", || {
            let rows = here.list(&["delivery", "list"]);
            let waits = rows.iter().all(|row| row["waiting"] == waiting);
            waits.then_some(rows)
        });
        drop(sending);
        assert!(rows.iter().all(|row| row["tries"] == 0), "{status}");
        // One record tells of the request.
        let attempts: i64 = rows
            .iter()
            .map(|row| row["attempts"].as_i64().unwrap())
            .sum();
        assert!((1..=3).contains(&attempts), "{status}: {attempts}");
    }
}

#[test]
fn an_event_that_was_at_the_hub_before_does_not_go_round() {
    let hub = hub();
    let served = hub.serve();
    let here = sender(&format!("{}/in/boxes", served.ingest), &[]);
    here.json(&[
        "source", "add", "back", "--kind", "standard", "--secret", SECRET,
    ]);
    let sending = here.serve();
    let back = format!("{}/in/back", sending.ingest);
    let options = [
        "--format", "relay", "--sign", "standard", "--secret", SECRET,
    ];
    hub.add_endpoint("back", &back, &options);
    here.json(&["enqueue", "--type", "lamp.lit", "--data", "{}"]);
    // To the hub, back to the box, and from there to the hub no more.
    wait_until("it to be refused", || {
        let dead = here.list(&["delivery", "list", "--state", "dead"]);
        let reason = dead.first()?["reason"].as_str()?.to_owned();
        reason.contains("goes round").then_some(())
    });
    assert_eq!(hub.list(&["event", "list"]).len(), 1);
}

#[test]
fn what_is_no_relay_changes_nothing_and_the_error_says_so() {
    let hub = TestDb::new();
    hub.json(&["source", "add", "boxes", "--kind", "standard"]);
    hub.add_gogs();
    let served = hub.serve();
    let head = r#"{"hookbox_relay":1,"box":"2132006e77","ordered":false}"#;
    let event = |number: usize| {
        format!(
            r#"{{"id":"evt_2132006e77_{number}_ejtf5","type":"b","received_at":"2026-11-30T11:58:02Z","headers":[],"body":"x"}}"#
        )
    };
    let pack = |text: &str| zstd::encode_all(text.as_bytes(), 3).unwrap();
    let many: Vec<String> = (0..101).map(event).collect();
    let bomb = zstd::encode_all(std::io::Read::take(std::io::repeat(b' '), 256 << 20), 3).unwrap();
    let mut flipped = pack(&format!("{head}\n{}\n", event(1)));
    let last = flipped.len() - 9;
    flipped.truncate(last);
    for (body, status, says) in [
        (
            b"no zstd".to_vec(),
            400,
            "no relay of hookbox's, or damaged",
        ),
        (flipped, 400, "damaged"),
        (pack(""), 400, "no relay"),
        (pack("{}\n"), 400, "no relay"),
        (pack(&head.replace(":1,", ":2,")), 400, "use a newer one"),
        (pack(&head.replace("2132006e77", "<b>")), 400, "which box"),
        (pack(&format!("{head}\n{}\n{{\n", event(1))), 400, "event 2"),
        (
            pack(&format!("{head}\n{}\n", many.join("\n"))),
            400,
            "more than 100 events",
        ),
        (bomb, 413, "limit is"),
    ] {
        let headers = [("Content-Type", "application/vnd.hookbox.events+jsonl")];
        let url = format!("{}/in/boxes", served.ingest);
        let (found, _, text) = ask("POST", &url, &headers, &body);
        assert_eq!(found, status, "{says}: {text}");
        assert!(text.contains(says), "{says}: {text}");
    }
    assert_eq!(hub.list(&["event", "list"]).len(), 0);
    assert_eq!(hub.list(&["source", "boxes", "boxes"]).len(), 0);
    // One event that is wrong, among others.
    let wrong = event(2).replace("2026-11-30T11:58:02Z", "yesterday");
    let body = pack(&format!("{head}\n{}\n{wrong}\n{}\n", event(1), event(3)));
    let headers = [("Content-Type", "application/vnd.hookbox.events+jsonl")];
    let url = format!("{}/in/boxes", served.ingest);
    let (_, _, text) = ask("POST", &url, &headers, &body);
    let said: Value = serde_json::from_str(&text).unwrap();
    let statuses = |said: &Value| -> Vec<i64> {
        let results = said["results"].as_array().unwrap();
        results
            .iter()
            .map(|one| one["status"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(statuses(&said), [202, 400, 202]);
    assert!(
        said["results"][1]["error"]
            .as_str()
            .unwrap()
            .contains("RFC 3339")
    );
    // In order, what follows it is left.
    let ordered = head.replace("false", "true");
    let body = pack(&format!("{ordered}\n{}\n{wrong}\n{}\n", event(1), event(4)));
    let (_, _, text) = ask("POST", &url, &headers, &body);
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(statuses(&said), [200, 400, 424]);
    assert_eq!(hub.list(&["event", "list"]).len(), 2);
    // A source of another kind takes none, also where nothing is signed.
    hub.json(&["source", "add", "plain", "--kind", "generic"]);
    let url = format!("{}/in/plain", served.ingest);
    let (status, _, text) = ask("POST", &url, &headers, &body);
    assert_eq!(status, 415, "{text}");
}

/// An uplink of a test: it may be down, and loses some answers after the hub took the request.
struct Uplink {
    inner: UreqTransport,
    is_down: AtomicBool,
    random: Mutex<fastrand::Rng>,
    requests: Arc<AtomicUsize>,
}

impl Transport for Uplink {
    fn send(&self, endpoint: &Endpoint, request: &OutboundRequest) -> Exchange {
        if self.is_down.load(Ordering::Relaxed) {
            return Exchange {
                timing: Timing::default(),
                result: unreachable(),
            };
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let exchange = self.inner.send(endpoint, request);
        let is_lost = self.random.lock().unwrap().u8(..10) == 0;
        match is_lost {
            true => Exchange {
                result: SendResult::Broken {
                    error: "the answer was lost".to_owned(),
                },
                ..exchange
            },
            false => exchange,
        }
    }
}

/// One an hour.
const EVENTS: usize = 168;

/// A box that is a week without an uplink, and then has one that is none too good.
fn a_week_offline(
    number: usize,
    is_ordered: bool,
    url: &str,
    requests: &Arc<AtomicUsize>,
) -> String {
    let mut uplink = None;
    let mut bench = Bench::at(TestDb::in_file(), |_, _| {
        let made = Arc::new(Uplink {
            inner: UreqTransport::new(Arc::new(SystemClock::new()), Egress::default()),
            is_down: AtomicBool::new(true),
            random: Mutex::new(fastrand::Rng::with_seed(number as u64)),
            requests: requests.clone(),
        });
        uplink = Some(made.clone());
        made
    });
    bench.endpoint_with("hub", |new| {
        new.url = url.parse().unwrap();
        new.format = Format::Relay;
        new.scheme = Scheme::Standard;
        new.secret = Some(Secret::new(SECRET).unwrap());
        new.is_ordered = is_ordered;
    });
    for hour in 0..EVENTS {
        let body = json!({ "box": number, "hour": hour }).to_string();
        let event = NewEvent::new("reading", body);
        bench.store.accept(event, bench.now()).unwrap();
        if hour % 24 == 0 {
            bench.run_due();
        }
        bench.advance(Duration::from_secs(3_600));
    }
    uplink.unwrap().is_down.store(false, Ordering::Relaxed);
    for _ in 0..20_000 {
        bench.run_due();
        if bench.store.stats().unwrap().pending == 0 {
            break;
        }
        bench.advance(Duration::from_secs(30));
    }
    let stats = bench.store.stats().unwrap();
    assert_eq!(
        (stats.delivered, stats.dead),
        (EVENTS as i64, 0),
        "box {number}"
    );
    bench.store.box_id().to_string()
}

/// Boxes in `HOOKBOX_BOXES`, 20 unless it says otherwise. The hub is killed twice meanwhile.
#[test]
fn boxes_that_were_a_week_offline_lose_nothing_and_nothing_arrives_twice() {
    let boxes = number_from("HOOKBOX_BOXES", 20) as usize;
    let hub = hub();
    let address = format!("127.0.0.1:{}", closed_port());
    let serve = || {
        let arguments = [
            "serve", "--ingest", &address, "--status", FREE_PORT, "--json",
        ];
        Served::start(hub.command(&arguments))
    };
    let served = Mutex::new(serve());
    let url = format!("http://{address}/in/boxes");
    let (requests, next) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let ordered = Mutex::new(HashSet::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= boxes {
                        return;
                    }
                    if number == boxes / 3 || number == boxes / 2 {
                        // The other box that is sending sees it gone, and finds the next one.
                        let mut served = served.lock().unwrap();
                        send_signal(served.pid, "KILL");
                        wait_until("the port to be free", || {
                            TcpListener::bind(&address).ok().map(drop)
                        });
                        *served = serve();
                    }
                    let is_ordered = number % 2 == 1;
                    let id = a_week_offline(number, is_ordered, &url, &requests);
                    if is_ordered {
                        ordered.lock().unwrap().insert(id);
                    }
                }
            });
        }
    });
    let events = boxes * EVENTS;
    let heard = hub.list(&["source", "boxes", "boxes", "--limit", "100000"]);
    assert_eq!(heard.len(), boxes);
    // Every event is there, once, and of a box that asked for order in its order.
    let store = Store::open(hub.location(), Missing::Refuse).unwrap();
    let (mut keys, mut last) = (HashSet::new(), HashMap::new());
    let ordered = ordered.into_inner().unwrap();
    let mut selection = Selection::default();
    loop {
        let page = store.events(&selection, PAGE_MAX).unwrap();
        selection.before = page.last().map(|event| event.id.0);
        for event in &page {
            let key = event.key.clone().unwrap();
            let mut parts = key.split('_').skip(1);
            let from = parts.next().unwrap().to_owned();
            let number: i64 = parts.next().unwrap().parse().unwrap();
            // The list begins with the newest.
            let newer = last.insert(from.clone(), number);
            let is_in_order = newer.is_none_or(|newer| newer > number);
            assert!(is_in_order || !ordered.contains(&from), "{key}");
            assert!(keys.insert(key));
        }
        if page.len() < PAGE_MAX {
            break;
        }
    }
    assert_eq!(keys.len(), events);
    let requests = requests.load(Ordering::Relaxed);
    say(&format!(
        "{boxes} boxes, {events} events, {requests} requests"
    ));
    assert!(
        requests * 20 < events,
        "{requests} requests of {events} events"
    );
}
