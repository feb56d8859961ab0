//! Many at once: pending deliveries that a filter means are called off, endpoints that a pattern names are
//! held; and an endpoint like another.

use serde_json::json;

use crate::support::{Receiver, TestDb, closed_port};

/// Two endpoints, of which each is owed three events of type push and one of type tag.
fn owed() -> TestDb {
    let here = TestDb::new();
    let url = format!("http://127.0.0.1:{}/", closed_port());
    for name in ["ci", "log"] {
        here.add_endpoint(name, &url, &[]);
    }
    for event in ["push", "push", "push", "tag"] {
        here.json(&["enqueue", "--type", event, "--data", "{}"]);
    }
    here
}

fn pending(here: &TestDb) -> usize {
    here.list(&["delivery", "list", "--state", "pending"]).len()
}

#[test]
fn what_a_filter_means_is_looked_at_and_called_off() {
    let here = owed();
    let cancel = ["delivery", "cancel", "--endpoint", "ci", "--type", "push"];
    // Nobody is there to be asked.
    let ran = here.run(&cancel);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("3 pending deliveries: 3 to ci"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("nothing was cancelled; --yes cancels"),
        "{}",
        ran.stderr
    );
    let dry = here.json(&[&cancel[..], &["--dry-run"]].concat());
    assert_eq!(
        (&dry["deliveries"], &dry["dry_run"]),
        (&json!(3), &json!(true))
    );
    assert_eq!(pending(&here), 8);
    let done = here.json(&[&cancel[..], &["--yes"]].concat());
    assert_eq!(
        done["endpoints"],
        json!([{ "endpoint": "ci", "deliveries": 3 }])
    );
    assert_eq!(pending(&here), 5);
    // Nothing is left of them; what was cancelled can be sent again.
    let none = here.run(&cancel);
    assert_eq!((none.code, none.text()), (0, "nothing pending matches\n"));
    let replay = [
        "replay",
        "--endpoint",
        "ci",
        "--state",
        "cancelled",
        "--dry-run",
    ];
    assert_eq!(here.json(&replay)["deliveries"], json!(3));
    // All there is must be meant.
    for (arguments, says) in [
        (&["delivery", "cancel"][..], "choose deliveries first"),
        (&["delivery", "cancel", "--endpoint", ""], "no endpoint"),
        (
            &["delivery", "cancel", "1", "--endpoint", "ci"],
            "give a delivery or conditions",
        ),
    ] {
        let ran = here.run(arguments);
        assert!(
            ran.code >= 2 && ran.stderr.contains(says),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
    assert_eq!(pending(&here), 5);
}

#[test]
fn the_api_and_the_page_call_off_what_was_looked_at_and_nothing_later() {
    let here = owed();
    for name in ["ci", "log"] {
        here.json(&["endpoint", "hold", name]);
    }
    let served = here.serve();
    let filter = json!({ "endpoint": "log" });
    let (status, found) = served.api_post(
        "/deliveries/cancel",
        json!({ "filter": filter, "dry_run": true }),
    );
    assert_eq!(
        (status, &found["deliveries"], &found["whole"]),
        (200, &json!(4), &json!(true))
    );
    here.json(&["enqueue", "--type", "push", "--data", "{}"]);
    let (_, done) = served.api_post(
        "/deliveries/cancel",
        json!({ "filter": filter, "up_to": found["up_to"] }),
    );
    assert_eq!(done["deliveries"], json!(4));
    assert_eq!(pending(&here), 6);
    for bad in [
        json!({}),
        json!({ "filter": {} }),
        json!({ "filter": { "state": "dead" } }),
        json!({ "filter": filter, "up_to": "x" }),
    ] {
        let (status, problem) = served.api_post("/deliveries/cancel", bad.clone());
        assert_eq!(status, 400, "{bad}: {problem}");
    }

    // The list of what is pending leads there; one of other states does not.
    let link = "/deliveries/cancel?state=pending&amp;endpoint=ci";
    let (_, _, list) = served.page("/deliveries?state=pending&endpoint=ci");
    assert!(list.contains(link), "{list}");
    for query in ["state=dead&endpoint=ci", "state=pending", "endpoint=ci"] {
        let (_, _, list) = served.page(&format!("/deliveries?{query}"));
        assert!(!list.contains("/deliveries/cancel"), "{query}");
    }
    let (_, _, looked) = served.page("/deliveries/cancel?state=pending&endpoint=ci");
    assert!(
        looked.contains(">5 pending deliveries would be called off.<"),
        "{looked}"
    );
    let up_to = between(&looked, "name=\"up_to\" value=\"", "\"");
    here.json(&["enqueue", "--type", "push", "--data", "{}"]);
    let form = format!("token={}&endpoint=ci&up_to={up_to}", token(&looked));
    let (status, headers, _) = served.ask(
        "POST",
        "/deliveries/cancel",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        form.as_bytes(),
    );
    assert_eq!(status, 303);
    assert_eq!(
        headers["location"],
        "/deliveries?state=cancelled&endpoint=ci&done=called-off"
    );
    assert_eq!(pending(&here), 3);
}

#[test]
fn endpoints_that_a_pattern_names_are_held_and_go_on_together() {
    let here = owed();
    here.add_endpoint("ci-2", "http://127.0.0.1:9/", &[]);
    let held = || {
        let list = here.list(&["endpoint", "list"]);
        let held = list.iter().filter(|one| one["held"] == json!(true));
        let mut names: Vec<String> = held
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let ran = here.run(&["endpoint", "hold", "ci*"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("this would hold ci, ci-2: --yes"),
        "{}",
        ran.stderr
    );
    let dry = here.json(&["endpoint", "hold", "ci*", "--dry-run"]);
    assert_eq!(dry["endpoints"], json!(["ci", "ci-2"]));
    assert!(held().is_empty());
    let ran = here.run(&[
        "endpoint",
        "hold",
        "ci*",
        "--yes",
        "--reason",
        "the CI moves",
    ]);
    assert_eq!(
        (ran.code, held()),
        (0, vec!["ci".to_owned(), "ci-2".to_owned()])
    );
    assert_eq!(here.run(&["endpoint", "resume", "*", "--yes"]).code, 0);
    assert!(held().is_empty());
    assert_eq!(here.run(&["endpoint", "hold", "nix*", "--yes"]).code, 3);

    // The same by the API, and by the page, whose list shows first which these are.
    let served = here.serve();
    let asked = |path: &str, body: serde_json::Value| served.api_post(path, body);
    let (status, dry) = asked(
        "/endpoints/hold",
        json!({ "pattern": "*ci*", "dry_run": true }),
    );
    assert_eq!(
        (status, &dry["endpoints"], held().len()),
        (200, &json!(["ci", "ci-2"]), 0)
    );
    asked(
        "/endpoints/hold",
        json!({ "pattern": "l?g", "reason": "it moves" }),
    );
    assert_eq!(held(), ["log"]);
    asked("/endpoints/resume", json!({ "pattern": "*" }));
    assert!(held().is_empty());
    for bad in [json!({}), json!({ "pattern": "" })] {
        assert_eq!(asked("/endpoints/hold", bad).0, 400);
    }
    assert_eq!(
        asked("/endpoints/hold", json!({ "pattern": "nix*" })).0,
        404
    );
    let (_, _, list) = served.page("/endpoints?name=ci*");
    assert!(
        list.contains(">Hold 2 endpoints<") && !list.contains("/endpoints/log\""),
        "{list}"
    );
    let posted = |path: &str, more: &str| {
        let form = format!("token={}&pattern=ci*{more}", token(&list));
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        served.ask("POST", path, &headers, form.as_bytes()).0
    };
    assert_eq!(
        (posted("/endpoints/hold", "&reason=x"), held().len()),
        (303, 2)
    );
    assert_eq!((posted("/endpoints/resume", ""), held().len()), (303, 0));
    let (_, _, none) = served.page("/endpoints?name=nix*");
    assert!(
        none.contains("No endpoint has such a name.") && !none.contains("endpoints/hold"),
        "{none}"
    );
}

#[test]
fn an_endpoint_like_another_has_its_settings_and_secrets() {
    let here = TestDb::new();
    let (first, second) = (Receiver::answering(&[200]), Receiver::answering(&[200]));
    here.add_endpoint(
        "a",
        &first.url,
        &[
            "--sign",
            "gogs",
            "--secret",
            "hunter2",
            "--retry",
            "7s",
            "--header",
            "X-Team: core",
        ],
    );
    here.json(&[
        "endpoint",
        "copy",
        "a",
        "b",
        "--url",
        &second.url,
        "--tries",
        "2",
    ]);
    let [a, b] = ["a", "b"].map(|name| here.json(&["endpoint", "show", name]));
    assert_eq!(
        (&b["retry"], &b["tries_max"], &b["sign"]),
        (&a["retry"], &json!(2), &a["sign"])
    );
    let served = here.serve();
    here.json(&["enqueue", "--type", "push", "--data", "{}"]);
    let [one, other] = [first.next(), second.next()];
    for name in ["x-gogs-signature", "x-team"] {
        assert_eq!(one.header(name), other.header(name));
        assert!(one.header(name).is_some());
    }
    let (status, made) =
        served.api_post("/endpoints/a/copy", json!({ "name": "c", "timeout": "3s" }));
    assert_eq!(
        (status, &made["url"], &made["timeout"]),
        (201, &a["url"], &json!("3s"))
    );
    assert_eq!(
        served
            .api_post("/endpoints/a/copy", json!({ "name": "b" }))
            .0,
        400
    );
    assert_eq!(
        served
            .api_post("/endpoints/nix/copy", json!({ "name": "d" }))
            .0,
        404
    );
    let (_, _, page) = served.page("/endpoints/a");
    let form = format!("token={}&name=e&url=", token(&page));
    let (status, headers, _) = served.ask(
        "POST",
        "/endpoints/a/copy",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        form.as_bytes(),
    );
    assert_eq!(
        (status, &headers["location"]),
        (303, &"/endpoints/e?done=add".parse().unwrap())
    );
    assert_eq!(here.json(&["endpoint", "show", "e"])["sign"], a["sign"]);
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let (_, rest) = text.split_once(before).unwrap();
    rest.split_once(after).unwrap().0
}

fn token(page: &str) -> &str {
    between(page, "name=\"token\" value=\"", "\"")
}
