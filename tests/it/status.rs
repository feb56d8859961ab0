//! The status page over HTTP: what it shows, what it never shows, who may ask.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{
    FREE_PORT, GOGS_SECRET, PATIENCE, PUSH, Receiver, Served, TestDb, connect, raw, wait_until,
};

fn with_one_dead_delivery() -> (TestDb, Served, Receiver) {
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::answering(&[500, 200]);
    here.add_endpoint(
        "ci",
        &format!("{}?token=T0K3N", receiver.url),
        &[
            "--sign",
            "gogs",
            "--secret",
            "endpoint-s3cret",
            "--retry",
            "none",
        ],
    );
    let served = here.serve();
    served.push("k1", PUSH.as_bytes());
    here.wait_for_state("1", "dead");
    receiver.next();
    (here, served, receiver)
}

#[test]
fn every_page_shows_what_it_is_for() {
    let (here, served, _receiver) = with_one_dead_delivery();
    let delivery = here.json(&["delivery", "show", "1"]);
    let (id, event) = (
        delivery["id"].as_str().unwrap(),
        delivery["event"].as_str().unwrap(),
    );
    for (path, shown) in [
        (
            "/".to_owned(),
            vec!["Overview", "ci", "gogs", "/in/gogs", "dead"],
        ),
        ("/deliveries".to_owned(), vec!["Deliveries", "push", "dead"]),
        (
            format!("/deliveries/{id}"),
            vec![
                id,
                "500 Internal Server Error",
                "Replay",
                "X-Gogs-Event",
                "lighthouse/beacon",
            ],
        ),
        (
            format!("/events/{event}"),
            vec![event, "X-Gogs-Delivery", "Keep the lamp lit"],
        ),
    ] {
        let (status, _, html) = served.page(&path);
        assert_eq!(status, 200, "{path}");
        for text in shown {
            assert!(html.contains(text), "{path} does not show {text}");
        }
    }
    let (status, _, css) = served.page("/style.css");
    assert!(status == 200 && css.contains("prefers-color-scheme"));
    for path in [
        "/nothing",
        "/deliveries/99",
        "/events/99",
        "/deliveries/1/nothing",
    ] {
        assert_eq!(served.page(path).0, 404, "{path}");
    }
    assert_eq!(served.page("/deliveries/x").0, 400);
    // The form is still there, as it was filled in.
    for (path, kept) in [
        ("/deliveries?state=dead&since=soon", "value=\"soon\""),
        ("/deliveries?state=lost&type=push", "value=\"push\""),
        ("/events?source=gogs&until=later", "value=\"later\""),
    ] {
        let (status, _, html) = served.page(path);
        assert_eq!(status, 400, "{path}");
        assert!(
            html.contains(kept) && html.contains("id=\"problem\""),
            "{path}"
        );
    }
}

#[test]
fn a_filter_takes_globs_and_says_which_type_nobody_has() {
    let (here, served, _receiver) = with_one_dead_delivery();
    for (glob, fits) in [
        ("pu*", true),
        ("*us*", true),
        ("p%", false),
        ("pus_", false),
    ] {
        let list = here.list(&["delivery", "list", "--type", glob]);
        assert_eq!(!list.is_empty(), fits, "{glob}");
        let encoded: String = form_urlencoded::byte_serialize(glob.as_bytes()).collect();
        let (_, _, page) = served.page(&format!("/deliveries?type={encoded}"));
        let says = page.contains("No event here has the type");
        assert_eq!(says, !fits, "{glob}");
        let replayed = here.run(&["replay", "--state", "dead", "--type", glob, "--dry-run"]);
        assert!(
            replayed.text().contains("1 delivery") || !fits,
            "{}",
            replayed.text()
        );
    }
    let (_, _, page) = served.page("/deliveries?type=push&state=cancelled");
    assert!(page.contains("No deliveries match"), "{page}");
}

#[test]
fn forms_show_what_is_set_now_and_no_secret() {
    let here = TestDb::new();
    here.json(&[
        "source",
        "add",
        "shop",
        "--kind",
        "generic",
        "--secret",
        "hunter2hunter2",
        "--on-repeat",
        "ignore",
        "--type-header",
        "X-Kind",
    ]);
    here.add_endpoint(
        "ci",
        "http://127.0.0.1:9/",
        &[
            "--header",
            "X-Api-Key: hunter2",
            "--proxy",
            "http://proxy.example.org:3128",
            "--tries",
            "4",
        ],
    );
    let served = here.serve();
    for (path, held) in [
        (
            "/sources/shop",
            [
                ("on_repeat", "ignore"),
                ("type_header", "X-Kind"),
                ("signature_algorithm", "sha256"),
                ("secret", "set, and shown to nobody"),
            ],
        ),
        (
            "/endpoints/ci",
            [
                ("proxy", "http://proxy.example.org:3128"),
                ("tries", "4"),
                ("headers", "X-Api-Key"),
                ("timeout", "15s"),
            ],
        ),
    ] {
        let (status, _, html) = served.page(path);
        assert_eq!(status, 200);
        assert!(!html.contains("hunter2"), "{path}");
        for (name, value) in held {
            // What may be shown stands in the field, and what was there before beside it.
            let was = format!("name=\"was:{name}\" value=\"{value}\"");
            let field = html.split(&format!("name=\"{name}\"")).nth(1).unwrap();
            let field = field.split('>').next().unwrap();
            let hint = format!("placeholder=\"{value}\"");
            assert!(
                html.contains(&was) || field.contains(&hint),
                "{path}, {name}: {field}"
            );
        }
    }
}

#[test]
fn the_list_is_filtered_and_paged() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("a", &receiver.url, &[]);
    for index in 0..60 {
        here.json(&[
            "enqueue",
            "--type",
            if index % 2 == 0 { "even" } else { "odd" },
        ]);
    }
    let served = here.serve();
    wait_until("all to be delivered", || {
        (here.json(&["stats"])["pending"] == 0).then_some(())
    });
    let (_, _, html) = served.page("/deliveries");
    assert_eq!(html.matches("href=\"/deliveries/dlv_").count(), 50);
    let older = html
        .split("rel=\"next\" href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let (_, _, second) = served.page(older);
    assert_eq!(second.matches("href=\"/deliveries/dlv_").count(), 10);
    assert!(second.contains(">Newest<") && !second.contains(">Older<"));
    let (_, _, odd) = served.page("/deliveries?type=odd&state=delivered&endpoint=a");
    assert_eq!(odd.matches("href=\"/deliveries/dlv_").count(), 30);
    let (_, _, none) = served.page("/deliveries?state=dead");
    assert!(none.contains("No deliveries match"));
}

#[test]
fn secrets_are_on_no_page() {
    let (_here, served, _receiver) = with_one_dead_delivery();
    for path in ["/", "/deliveries", "/deliveries/1", "/events/1"] {
        let (_, _, html) = served.page(path);
        for secret in ["T0K3N", "endpoint-s3cret", GOGS_SECRET] {
            assert!(!html.contains(secret), "{path} shows {secret}");
        }
    }
    assert!(!served.log().contains("T0K3N"));
}

#[test]
fn what_came_from_outside_is_escaped() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("a", &receiver.url, &[]);
    let evil = "<script>alert(1)</script>";
    here.json(&[
        "enqueue",
        "--type",
        evil,
        "--key",
        evil,
        "--data",
        evil,
        "--content-type",
        evil,
    ]);
    let served = here.serve();
    for path in [
        "/",
        "/deliveries",
        "/deliveries/1",
        "/events/1",
        "/deliveries?type=<script>alert(1)</script>",
    ] {
        let (_, _, html) = served.page(&path.replace('<', "%3C").replace('>', "%3E"));
        let own = "<script src=\"/live.js\" defer></script>";
        assert!(!html.replacen(own, "", 1).contains("<script"), "{path}");
    }
}

#[test]
fn every_reply_has_the_security_headers() {
    let (_here, served, _receiver) = with_one_dead_delivery();
    for path in ["/", "/style.css", "/nothing", "/events/1/body"] {
        let (_, headers, _) = served.page(path);
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{path}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["cache-control"], "no-store");
    }
    let (_, headers, body) = served.page("/events/1/body");
    assert_eq!(headers["content-type"], "application/octet-stream");
    assert!(
        headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    assert_eq!(body, PUSH);
}

#[test]
fn another_host_name_is_refused() {
    let here = TestDb::new();
    let served = here.serve();
    let ask = |host: &str| {
        raw(
            served.status_address(),
            format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes(),
        )
    };
    assert!(ask("localhost:1").starts_with("HTTP/1.1 200"));
    let refused = ask("evil.example");
    assert!(
        refused.starts_with("HTTP/1.1 403") && !refused.contains("Overview"),
        "{refused}"
    );
}

#[test]
fn a_post_from_another_site_changes_nothing() {
    let (here, served, receiver) = with_one_dead_delivery();
    let (_, _, html) = served.page("/deliveries/1");
    let token = html
        .split("name=\"token\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let post = |extra: &str, form: &str| {
        let host = served.status_address();
        let request = format!(
            "POST /deliveries/1/replay HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{extra}\r\n{form}",
            form.len()
        );
        raw(host, request.as_bytes())
    };
    let good = format!("token={token}");
    for (extra, form) in [
        ("", ""),
        ("", "token=0000"),
        ("Origin: http://evil.example\r\n", good.as_str()),
        ("Origin: null\r\n", good.as_str()),
        ("Sec-Fetch-Site: cross-site\r\n", good.as_str()),
    ] {
        let answer = post(extra, form);
        assert!(
            answer.starts_with("HTTP/1.1 403"),
            "{extra}{form}: {answer}"
        );
    }
    assert_eq!(here.list(&["delivery", "list"]).len(), 1);
    let own = post(
        &format!(
            "Origin: {}\r\nSec-Fetch-Site: same-origin\r\n",
            served.status
        ),
        &good,
    );
    assert!(
        own.starts_with("HTTP/1.1 303") && own.contains("/deliveries/dlv_"),
        "{own}"
    );
    receiver.next();
    assert_eq!(here.list(&["delivery", "list"]).len(), 2);
    let get = raw(
        served.status_address(),
        b"GET /deliveries/1/replay HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert!(
        get.starts_with("HTTP/1.1 404"),
        "a GET changes nothing: {get}"
    );
}

#[test]
fn the_page_is_for_this_machine_only() {
    let here = TestDb::new();
    let ran = here.run(&["serve", "--ingest", FREE_PORT, "--status", "0.0.0.0:0"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("ssh -L"), "{}", ran.stderr);
}

#[test]
fn slow_and_abusive_clients_are_let_go_and_others_are_served_meanwhile() {
    let here = TestDb::new();
    here.add_gogs();
    let served = here.serve();
    let mut slow: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = connect(served.status_address());
            stream.write_all(b"GET / HTTP/1.1\r\nHost: loc").unwrap();
            stream
        })
        .collect();
    let ask = |request: &str| raw(served.status_address(), request.as_bytes());
    let huge = "Host: localhost\r\nContent-Length: 9000000000000000000";
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\n{huge}\r\n\r\n"), "413"),
        (
            format!("POST /deliveries/1/replay HTTP/1.1\r\n{huge}\r\n\r\n"),
            "413",
        ),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            "411",
        ),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n".to_owned(),
            "400",
        ),
        ("nonsense\r\n\r\n".to_owned(), "400"),
        (
            format!(
                "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "x".repeat(20_000)
            ),
            "431",
        ),
    ] {
        let answer = ask(&request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    assert_eq!(served.page("/").0, 200);
    assert_eq!(
        served.push("k1", PUSH.as_bytes()).0,
        202,
        "the way in knows nothing of it"
    );
    for stream in &mut slow {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(
            rest.starts_with(b"HTTP/1.1 408"),
            "{}",
            String::from_utf8_lossy(&rest)
        );
    }
    served.stop_and_read_log();
}

/// A replay that passed over a part of the list's filter would send others than were shown.
#[test]
fn a_list_whose_filter_a_replay_does_not_know_offers_no_replay() {
    let (_here, served, _receiver) = with_one_dead_delivery();
    let list = |query: &str| served.page(&format!("/deliveries?{query}")).2;
    assert!(list("state=dead").contains("Replay all that match"));
    for query in [
        "state=dead&superseded=true",
        "state=dead&replay=1",
        "state=dead&event=1",
    ] {
        assert!(!list(query).contains("Replay all that match"), "{query}");
        let (status, _, html) = served.page(&format!("/replays/new?{query}"));
        assert!(
            status == 400 && html.contains("cannot be chosen by"),
            "{query}"
        );
    }
}

#[test]
fn many_go_nowhere_else_than_what_was_looked_at() {
    let (here, served, _receiver) = with_one_dead_delivery();
    let (_, _, html) = served.page("/replays/new?state=dead");
    let rest = html.split("name=\"token\" value=\"").nth(1).unwrap();
    let token = rest.split('"').next().unwrap();
    let post = |to: &str, looked: &str| {
        let form = format!("token={token}&state=dead&to={to}&looked={looked}");
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let (status, _, text) = served.ask("POST", "/replays", &headers, form);
        (status, text)
    };
    here.add_endpoint("other", "http://127.0.0.1:9/", &[]);
    let (status, text) = post("other", "");
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("goes elsewhere than what was looked at"));
    assert!(here.list(&["replays", "list"]).is_empty());
    assert_eq!(post("other", "other").0, 303);
    assert_eq!(here.list(&["replays", "list"]).len(), 1);
}
