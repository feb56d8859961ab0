//! The JSON API: all that pages and commands can do, by cursor, with keys against repeats.

use std::collections::HashSet;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Receiver, Served, TestDb, is_missing, wait_until};

#[test]
fn a_template_that_fails_on_an_event_is_refused_before_it_is_kept() {
    let here = TestDb::new();
    here.json(&["init"]);
    let served = here.serve();
    let endpoint = |text: &str| json!({ "name": "x", "url": "http://h/", "template": text });
    let (status, answer) = served.api_post("/endpoints", endpoint("{{ summary }}"));
    assert_eq!(status, 400);
    let detail = answer["detail"].as_str().unwrap();
    assert!(
        detail.contains("|tojson") && detail.contains("a sample push"),
        "{detail}"
    );
    let (status, _) = served.api_post("/endpoints", endpoint("{{ summary|tojson }}"));
    assert_eq!(status, 201);
    let worse = json!({ "template": "{{ body.commits[0].id|upper + 1 }}" });
    let (status, _, _) = served.api("PATCH", "/endpoints/x", Some(&worse), &[]);
    assert_eq!(status, 400);
    let kept = here.json(&["endpoint", "show", "x"]);
    assert_eq!(kept["format"], "template:template");
    // What has nothing to do with the template is changed all the same.
    let slower = json!({ "rate": "1/s" });
    let (status, _, _) = served.api("PATCH", "/endpoints/x", Some(&slower), &[]);
    assert_eq!(status, 200);
}

#[test]
fn a_program_sets_a_box_up_sends_looks_and_sends_again() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[500, 200]);
    let served = here.serve();
    let (status, source) = served.api_post(
        "/sources",
        json!({ "name": "shop", "kind": "generic", "secret": "hunter2hunter2" }),
    );
    assert_eq!((status, &source["signed"]), (201, &json!(true)));
    assert!(!source.to_string().contains("hunter2"));
    let endpoint = json!({
        "name": "ci", "url": receiver.url, "types": ["order.*", "test"], "retry": "none",
        "ordered": true, "headers": ["X-A: 1", "X-B: 2"],
    });
    let (status, made) = served.api_post("/endpoints", endpoint);
    assert_eq!(status, 201, "{made}");
    assert_eq!(
        (&made["types"], &made["ordered"]),
        (&json!(["order.*", "test"]), &json!(true))
    );

    let event =
        json!({ "type": "order.paid", "body": "{\"id\":7}", "key": "o-7", "source": "shop" });
    let (status, accepted) = served.api_post("/events", event.clone());
    assert_eq!((status, &accepted["deliveries"]), (201, &json!(1)));
    assert_eq!(served.api_post("/events", event).1["duplicate"], true);
    assert_eq!(receiver.next().header("X-B"), Some("2"));
    here.wait_for_state("1", "dead");

    let dead = served.api_get("/deliveries?state=dead&endpoint=ci");
    let id = dead["items"][0]["id"].as_str().unwrap();
    let wish = json!({ "filter": { "state": "dead", "endpoint": "ci" }, "dry_run": true });
    let (_, seen) = served.api_post("/replays", wish.clone());
    assert_eq!(
        (&seen["deliveries"], &seen["complete"]),
        (&json!(1), &json!(true))
    );
    let mut wish = wish;
    wish["dry_run"] = json!(false);
    let (status, begun) = served.api_post("/replays", wish);
    assert_eq!(status, 201, "{begun}");
    assert_eq!(receiver.next().body, b"{\"id\":7}");
    here.wait_for_state("2", "delivered");
    let replay = begun["replay"].as_str().unwrap();
    wait_until("the replay to be done", || {
        (served.api_get(&format!("/replays/{replay}"))["state"] == "done").then_some(())
    });
    let shown = served.api_get(&format!("/deliveries/{id}"));
    assert_eq!(
        shown["superseded_by"],
        served.api_get("/deliveries/2")["id"]
    );

    let of = |delivery: &str| {
        served.api_get(&format!("/deliveries/{delivery}/attempts"))["items"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let diff = served.api_get(&format!("/attempts/{}/diff/{}", of("1"), of("2")));
    let status = diff["facts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|fact| fact["name"] == "status");
    assert_eq!(status.unwrap()["differs"], true);

    let (_, _, held) = served.api(
        "POST",
        "/endpoints/ci/hold",
        Some(&json!({ "reason": "moved" })),
        &[],
    );
    assert_eq!(held["held_reason"], "moved");
    let (status, tested) = served.api_post("/endpoints/ci/test", json!({}));
    assert_eq!(status, 201);
    let test = served.api_get(&format!("/events/{}", tested["event"].as_str().unwrap()));
    assert_eq!(test["type"], "hookbox.test");
    let (_, _, set) = served.api(
        "PATCH",
        "/endpoints/ci",
        Some(&json!({ "rate": "20/m", "types": null, "tries": 3, "retry": "1s" })),
        &[],
    );
    assert_eq!(
        (&set["rate"], &set["types"], &set["tries_max"]),
        (&json!("20/m"), &Value::Null, &json!(3))
    );
    let found = served.api_get("/events/search?text=%22ID%22:7");
    assert_eq!(
        (found["items"].as_array().unwrap().len(), &found["complete"]),
        (1, &json!(true))
    );
    let (status, _, gone) = served.api("DELETE", "/endpoints/ci?cancel_pending=true", None, &[]);
    assert_eq!((status, &gone["cancelled"]), (200, &json!(1)));
    assert_eq!(served.api_get("/stats")["superseded"], 1);
}

#[test]
fn a_list_is_read_to_its_end_by_its_cursors() {
    let here = TestDb::new();
    let served = here.serve();
    for number in 0..25 {
        here.json(&["enqueue", "--type", "x", "--data", &number.to_string()]);
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = served.api_get(&format!("/events?limit=10{cursor}"));
        let items = page["items"].as_array().unwrap().clone();
        seen.extend(
            items
                .iter()
                .map(|event| event["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen.len(), 25);
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 25);
}

#[test]
fn a_repeat_with_its_key_is_answered_as_the_first_was_and_does_nothing() {
    let here = TestDb::new();
    let served = here.serve();
    let key = [("Idempotency-Key", "k-1")];
    let event = json!({ "type": "order.paid" });
    let (status, headers, first) = served.api("POST", "/events", Some(&event), &key);
    assert!(status == 201 && headers.get("idempotency-replayed").is_none());
    let (status, headers, again) = served.api("POST", "/events", Some(&event), &key);
    assert_eq!((status, &again), (201, &first));
    assert_eq!(headers["idempotency-replayed"], "true");
    assert_eq!(served.api_get("/stats")["events"], 1);
    let other = json!({ "type": "order.lost" });
    assert_eq!(served.api("POST", "/events", Some(&other), &key).0, 422);
    // It is known after a restart, too; what was refused may be asked again.
    drop(served);
    let served = here.serve();
    assert_eq!(served.api("POST", "/events", Some(&event), &key).2, first);
    let bad = [("Idempotency-Key", "k-2")];
    assert_eq!(served.api("POST", "/events", Some(&json!({})), &bad).0, 400);
    assert_eq!(served.api("POST", "/events", Some(&event), &bad).0, 201);
}

#[test]
fn a_wrong_filter_gets_the_same_words_from_page_api_and_command_line() {
    let here = TestDb::new();
    here.add_endpoint("ci", "http://127.0.0.1:9/", &[]);
    let served = here.serve();
    for (name, value) in [
        ("state", "paper"),
        ("superseded", "perhaps"),
        ("endpoint", "nobody"),
        ("source", "nowhere"),
        ("event", "99"),
        ("event", "dlv_1"),
        ("replay", "x"),
        ("since", "soon"),
    ] {
        let query = format!("/deliveries?{name}={value}");
        let (status, _, answer) = served.api("GET", &query, None, &[]);
        let detail = answer["detail"].as_str().unwrap();
        let option = format!("--{name}={value}");
        let ran = here.run(&["delivery", "list", &option]);
        assert!(ran.stderr.contains(detail), "{detail}: {}", ran.stderr);
        assert_eq!(ran.code, if status == 404 { 3 } else { 2 }, "{detail}");
        let shown = detail.replace('"', "&quot;");
        let (of_page, _, html) = served.page(&query);
        assert!(of_page == status && html.contains(&shown), "{detail}");
        if let "superseded" | "event" | "replay" = name {
            continue;
        }
        let filter = json!({ name: value });
        let (again, answer) = served.api_post("/replays", json!({ "filter": filter }));
        assert_eq!((again, answer["detail"].as_str()), (status, Some(detail)));
        let ran = here.run(&["replay", "--dry-run", &option]);
        assert!(ran.stderr.contains(detail), "{detail}: {}", ran.stderr);
        let (of_page, _, html) = served.page(&format!("/replays/new?{name}={value}"));
        assert!(of_page == status && html.contains(&shown), "{detail}");
    }
    // An empty value is none, but of a replay, which would send more than was meant.
    here.json(&["enqueue", "--type", "x"]);
    assert_eq!(here.list(&["event", "list", "--source", ""]).len(), 1);
    for path in ["/events?source=", "/deliveries?endpoint=%20&state="] {
        assert_eq!(served.api_get(path)["items"].as_array().unwrap().len(), 1);
    }
    let filter = json!({ "state": "dead", "endpoint": "" });
    let (status, _) = served.api_post("/replays", json!({ "filter": filter }));
    assert_eq!(status, 404);
    let dead = ["replay", "--dry-run", "--state", "dead", "--endpoint", ""];
    assert_eq!(here.run(&dead).code, 3);
    assert_eq!(served.page("/replays/new?state=dead&endpoint=").0, 404);
}

#[test]
fn a_wrong_request_is_answered_with_a_problem_document() {
    let here = TestDb::new();
    here.add_endpoint("ci", "http://127.0.0.1:9/", &[]);
    let served = here.serve();
    for (method, path, body, status, says) in [
        ("GET", "/nothing", None::<Value>, 404, "openapi.json"),
        ("PUT", "/endpoints", Some(json!({})), 405, "method"),
        (
            "GET",
            "/events?color=red",
            None::<Value>,
            400,
            "no parameter `color`",
        ),
        ("GET", "/events?limit=0", None::<Value>, 400, "1 to 1000"),
        ("GET", "/deliveries/99", None::<Value>, 404, "no delivery"),
        (
            "GET",
            "/deliveries?endpoint=nobody",
            None::<Value>,
            404,
            "no endpoint",
        ),
        (
            "POST",
            "/events",
            Some(json!({ "type": "x", "colour": 1 })),
            400,
            "no field `colour`",
        ),
        ("POST", "/events", Some(json!([])), 400, "a JSON object"),
        (
            "POST",
            "/events",
            Some(json!({ "type": 7 })),
            400,
            "type is a text",
        ),
        (
            "POST",
            "/endpoints",
            Some(json!({ "name": "ci", "url": "http://h/" })),
            400,
            "already",
        ),
        (
            "POST",
            "/endpoints",
            Some(json!({ "name": "b", "url": "ftp://h/" })),
            400,
            "neither http nor https",
        ),
        (
            "PATCH",
            "/endpoints/ci",
            Some(json!({ "tries": "many" })),
            400,
            "tries",
        ),
        (
            "PATCH",
            "/endpoints/ci",
            Some(json!({})),
            400,
            "nothing to change",
        ),
        ("POST", "/replays", Some(json!({})), 400, "one of the two"),
        (
            "POST",
            "/replays",
            Some(json!({ "filter": {} })),
            400,
            "empty",
        ),
        (
            "POST",
            "/replays",
            Some(json!({ "filter": { "state": "pending" } })),
            400,
            "sent by itself",
        ),
        (
            "POST",
            "/replays",
            Some(json!({ "kind": "recover", "filter": { "since": "1d" } })),
            400,
            "endpoint",
        ),
    ] {
        let (got, headers, answer) = served.api(method, path, body.as_ref(), &[]);
        assert_eq!(got, status, "{method} {path}: {answer}");
        assert_eq!(
            headers["content-type"], "application/problem+json",
            "{method} {path}"
        );
        assert_eq!(answer["status"], status);
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{method} {path}: {detail}");
    }
    assert_eq!(
        served.api("PUT", "/endpoints", Some(&json!({})), &[]).1["allow"],
        "GET, POST"
    );
    // No page of another site may ask, in whatever way.
    let event = json!({ "type": "x" });
    for header in [
        ("Origin", "http://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ] {
        assert_eq!(
            served.api("POST", "/events", Some(&event), &[header]).0,
            403
        );
    }
    let plain = [("Content-Type", "text/plain")];
    let plain = served.ask("POST", "/api/v1/events", &plain, "{\"type\":\"x\"}");
    assert_eq!(plain.0, 415);
    assert_eq!(served.api_get("/stats")["events"], 0);
}

/// A box with something of everything.
fn lively() -> (TestDb, Served, Receiver) {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    here.add_gogs();
    here.add_endpoint("ci", &receiver.url, &[]);
    here.add_endpoint(
        "dead",
        "http://127.0.0.1:9/",
        &["--retry", "none", "--timeout", "1s"],
    );
    let served = here.serve();
    for number in 0..3 {
        served.push(&number.to_string(), crate::support::PUSH.as_bytes());
    }
    here.wait_for_state("1", "delivered");
    (here, served, receiver)
}

#[test]
fn the_document_says_what_there_is() {
    let (_here, served, _receiver) = lively();
    let (status, _, text) = served.page("/openapi.json");
    assert_eq!(status, 200);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    // Every list and every object is as the document says.
    for (path, methods) in paths {
        let Some(described) = methods.get("get").filter(|_| !path.contains('{')) else {
            continue;
        };
        let short = path.strip_prefix("/api/v1").unwrap();
        let asked = if short.ends_with("/search") {
            format!("{short}?text=a")
        } else {
            short.to_owned()
        };
        let answer = served.api_get(&asked);
        let schema = &described["responses"]["200"]["content"]["application/json"]["schema"];
        if let Some(items) = answer["items"]
            .as_array()
            .filter(|_| schema["properties"].is_object())
        {
            let reference = schema["properties"]["items"]["items"]["$ref"]
                .as_str()
                .unwrap();
            let name = reference.rsplit('/').next().unwrap();
            let fields = document["components"]["schemas"][name]["required"]
                .as_array()
                .unwrap();
            for (item, field) in items
                .iter()
                .flat_map(|item| fields.iter().map(move |field| (item, field)))
            {
                assert!(
                    item.get(field.as_str().unwrap()).is_some(),
                    "{path}: {field}"
                );
            }
        }
    }
    assert!(paths.len() > 25, "{}", paths.len());
}

/// An outside tool asks in hundreds of ways and compares what comes with the document.
#[test]
fn an_outside_tool_finds_the_running_server_as_the_document_says() {
    let how = "pip install schemathesis, or run .ci/run";
    if is_missing("schemathesis", &["--version"], how) {
        return;
    }
    let (here, served, _receiver) = lively();
    let ran = Command::new("schemathesis")
        .args(["run", &format!("{}/openapi.json", served.status)])
        .args(["--max-examples", "15", "--seed", "7", "--phases", "examples,coverage,fuzzing"])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"])
        .args(["--generation-database", "none"])
        .current_dir(here.folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert_eq!(served.page("/healthz").0, 200);
}
