//! A store with everything in it that a store can hold: each table has rows.

use hookbox::model::event::NewEvent;
use hookbox::model::id::DeliveryId;
use hookbox::model::settings::Selection;
use hookbox::store::{IdempotentRequest, PAGE_MAX, ReplayOptions};
use serde_json::Value;

use super::{Bench, DAY, GOGS_SECRET, HOUR, PUSH, Script, TestDb, replied, sql, unreachable};
use super::{at, wait_until};

impl TestDb {
    /// A file with sources and endpoints of several kinds, with deliveries in each state, and all else.
    pub fn filled() -> TestDb {
        let here = TestDb::in_file();
        set_up_sources(&here);
        here.scripted(Script::default(), |bench| {
            // Long ago, so that it is removed.
            bench.clock.set_wall(at("2025-06-01T12:00:00Z"));
            accept(bench, "removed-1", b"1");
            accept(bench, "removed-2", b"2");
        });
        set_up_endpoints(&here);
        here.scripted(Script::default().forever(replied(500)), |bench| {
            accept(bench, "refused-1", PUSH.as_bytes());
            accept(bench, "refused-2", b"\x00\xff\xfe no text");
            bench.run_due();
            bench.advance(HOUR);
            bench.run_due();
            let before = bench.now().minus(DAY);
            let pruned = bench.store.prune(before, None, bench.now(), |_| true);
            assert_eq!(pruned.unwrap().events, 2);
        });
        here.scripted(Script::default().forever(replied(200)), |bench| {
            for number in 0..8 {
                // Short, and long enough to be packed.
                let body = "x".repeat(number * 3_000);
                accept(bench, &format!("fine-{number}"), body.as_bytes());
            }
            bench
                .store
                .accept(NewEvent::new("ohne", ""), bench.now())
                .unwrap();
            bench.run_due();
            bench.advance(HOUR);
            bench.run_due();
            // One that was given up arrives after all, and one with another body.
            let dead = dead_of(bench);
            let replay = |ids: Vec<DeliveryId>, options| {
                bench.store.replay(ids, options, bench.now()).unwrap();
            };
            replay(vec![dead[0]], ReplayOptions::default());
            let edited = ReplayOptions {
                edited_body: Some(b"another".to_vec()),
                ..ReplayOptions::default()
            };
            replay(vec![dead[1]], edited);
            bench.run_due();
            let once = IdempotentRequest {
                key: "once".to_owned(),
                request: "hash".to_owned(),
                at: bench.now(),
            };
            let answer = b"{\"held\":true}".to_vec();
            bench.store.store_answer(once, 200, answer, true).unwrap();
        });
        // Endpoints are away, come back and refuse all, and are away again.
        for (key, answer) in [
            ("away-1", unreachable()),
            ("refused-3", replied(500)),
            ("away-2", unreachable()),
        ] {
            here.scripted(Script::default().forever(answer), |bench| {
                accept(bench, key, b"waits");
                for _ in 0..3 {
                    bench.run_due();
                    bench.advance(HOUR);
                }
            });
        }
        here.scripted(Script::default().forever(unreachable()), |bench| {
            bench.run_due();
            // Somebody sets the clock.
            bench.clock.set_wall(bench.now().plus(3 * DAY));
            bench.run_due();
        });
        finish(&here);
        here
    }

    /// Works on the file for a while, in this process.
    fn scripted(&self, script: Script, work: impl FnOnce(&mut Bench)) {
        let same = TestDb::in_file().with_file(self.db.clone());
        let mut bench = Bench::at(same, |_, _| std::sync::Arc::new(script));
        work(&mut bench);
        bench.store.close();
    }
}

fn ok(here: &TestDb, arguments: &[&str], input: &str) {
    let ran = here.run_with_input(arguments, input.as_bytes());
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
}

fn set_up_sources(here: &TestDb) {
    here.add_gogs();
    let own = ["source", "add", "own", "--kind", "generic", "--path-token"];
    ok(here, &[&own[..], &["--key-header", "X-Key"]].concat(), "");
    ok(
        here,
        &["source", "add", "gone", "--kind", "github", "--secret", "-"],
        "abc",
    );
    ok(here, &["source", "remove", "gone"], "");
    ok(here, &["source", "add", "boxes", "--kind", "standard"], "");
    let rotate = ["source", "rotate-secret", "gogs", "--secret", "-"];
    ok(here, &rotate, "another");
    ok(here, &rotate, GOGS_SECRET);
    let served = here.serve();
    for _ in 0..3 {
        let (status, _) = served.post("/in/gogs", &[("X-Gogs-Event", "push")], b"{}");
        assert_eq!(status, 401);
    }
    let head = br#"{"hookbox_relay":1,"box":"2132006e77","ordered":false}"#;
    let relay = [
        ("Content-Type", "application/vnd.hookbox.events+jsonl"),
        ("Hookbox-Name", "lamp 7"),
    ];
    let packed = zstd::encode_all(&head[..], 3).unwrap();
    assert_eq!(served.post("/in/boxes", &relay, &packed).0, 200);
    wait_until("the refusals to be written down", || {
        let listed = here.list(&["source", "refusals", "gogs"]);
        (!listed.is_empty()).then_some(())
    });
    served.stop_and_read_log();
}

fn set_up_endpoints(here: &TestDb) {
    let url = "http://127.0.0.1:9/hook";
    let template = here.folder.path().join("short.jinja");
    std::fs::write(&template, r#"{"text": {{ summary|tojson }}}"#).unwrap();
    let format = format!("template:{}", template.display());
    for (name, more) in [
        ("ci", &["--retry", "none", "--sources", "gogs"][..]),
        ("slow", &["--rate", "2/h", "--retry", "5m,1h", "--ordered"]),
        ("chat", &["--format", "slack", "--when", "type == 'push'"]),
        (
            "short",
            &["--format", &format, "--window", "0 0 2 * * *+3h"],
        ),
        ("held", &["--expire", "3000d", "--header", "X-A: b"]),
        ("gone", &[]),
    ] {
        here.add_endpoint(name, url, more);
    }
    let sign = ["--sign", "gogs", "--secret", "-"];
    ok(
        here,
        &[&["endpoint", "set", "ci"], &sign[..]].concat(),
        "s1",
    );
    ok(
        here,
        &["endpoint", "rotate-secret", "ci", "--secret", "-"],
        "s2",
    );
    ok(
        here,
        &["endpoint", "hold", "held", "--reason", "it moves"],
        "",
    );
    ok(here, &["endpoint", "remove", "gone"], "");
    ok(here, &["alert", "add", "ops", "chat", "--every", "1h"], "");
}

fn accept(bench: &Bench, key: &str, body: &[u8]) {
    let source = bench
        .store
        .directory()
        .source("gogs")
        .map(|source| source.id);
    let event = NewEvent {
        source,
        key: Some(key.to_owned()),
        ..NewEvent::new("push", body)
    };
    let accepted = bench.store.accept(event, bench.now()).unwrap();
    assert!(!accepted.duplicate, "{key}");
}

fn dead_of(bench: &Bench) -> Vec<DeliveryId> {
    let dead = Selection {
        state: Some(hookbox::model::delivery::State::Dead),
        ..Selection::default()
    };
    let found = bench.store.deliveries(&dead, PAGE_MAX).unwrap();
    found.iter().map(|delivery| delivery.id).collect()
}

/// What is done from the command line, and by other programs.
fn finish(here: &TestDb) {
    let pending = here.list(&[
        "delivery",
        "list",
        "--state",
        "pending",
        "--endpoint",
        "held",
    ]);
    let id = pending[0]["id"].as_str().unwrap().to_owned();
    here.json(&["delivery", "cancel", &id]);
    let asked = [
        "replay",
        "--endpoint",
        "ci",
        "--state",
        "delivered",
        "--rate",
        "1/h",
        "--yes",
    ];
    ok(here, &asked, "");
    sql(
        &here.db,
        "insert into hookbox_outbox (type, body, key, headers)
         values ('order.paid', '{\"id\":1}', 'o-1', '{\"X-A\": \"b\"}');
         insert into hookbox_outbox (type, body) values ('order.paid', x'00ff');
         insert into hookbox_outbox_row (type, body, problem)
         values ('order.paid', 'text', 'a problem')",
    );
}

/// Fields that say how the file lies on the disk.
const OF_THE_FILE: [&str; 2] = ["db_bytes", "reusable_bytes"];

/// Rows of a list that are looked at one by one, too.
const SHOWN_MAX: usize = 12;

impl TestDb {
    /// All that commands show of the database, save how many bytes it has and where it is.
    pub fn shown(&self) -> Vec<(String, Value)> {
        let mut shown = Vec::new();
        let mut look = |arguments: &[&str]| -> Vec<Value> {
            let mut found = self.list(arguments);
            for object in found.iter_mut().filter_map(Value::as_object_mut) {
                object.retain(|name, _| !OF_THE_FILE.contains(&name.as_str()));
            }
            for object in &found {
                shown.push((arguments.join(" "), object.clone()));
            }
            found
        };
        let ids = |found: &[Value], field: &str| -> Vec<String> {
            let texts = found
                .iter()
                .take(SHOWN_MAX)
                .map(|object| object[field].as_str().unwrap());
            texts.map(str::to_owned).collect()
        };
        look(&["stats"]);
        for source in ids(&look(&["source", "list"]), "name") {
            look(&["source", "show", &source]);
            look(&["source", "refusals", &source]);
            look(&["source", "boxes", &source]);
        }
        look(&["alert", "list"]);
        for endpoint in ids(&look(&["endpoint", "list"]), "name") {
            look(&["endpoint", "show", &endpoint]);
        }
        for event in ids(&look(&["event", "list", "--limit", "10000"]), "id") {
            look(&["event", "show", &event]);
        }
        for delivery in ids(&look(&["delivery", "list", "--limit", "10000"]), "id") {
            look(&["delivery", "show", &delivery]);
        }
        for replay in ids(&look(&["replays", "list"]), "id") {
            look(&["replays", "show", &replay]);
        }
        look(&["tail", "--no-follow", "--limit", "1000"]);
        shown
    }
}
