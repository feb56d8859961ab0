//! Who may look and who may change: tokens, logins, and what is kept out.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{FREE_PORT, SERVE, Served, TestDb, no_server};

const OPERATOR: &str = "an-operators-token-of-32-letters";
const READER: &str = "a-readers-token-of-some-letters";

fn token_file(here: &TestDb, name: &str, token: &str) -> PathBuf {
    let path = here.folder.path().join(name);
    std::fs::write(&path, format!("{token}\n")).unwrap();
    path
}

/// A served box that asks for tokens.
fn guarded(more: &[&str]) -> (TestDb, Served) {
    let here = TestDb::new();
    here.add_endpoint("ci", "http://127.0.0.1:9/", &[]);
    let served = serve_guarded(&here, more);
    (here, served)
}

fn serve_guarded(here: &TestDb, more: &[&str]) -> Served {
    let operator = token_file(here, "operator", OPERATOR);
    let reader = token_file(here, "reader", READER);
    let mut arguments = vec![
        "--token-file",
        operator.to_str().unwrap(),
        "--read-token-file",
        reader.to_str().unwrap(),
    ];
    arguments.extend_from_slice(more);
    here.serve_with(&arguments)
}

fn form_token(html: &str) -> String {
    let (_, rest) = html.split_once("name=\"token\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Logs in; returns the cookie.
fn log_in(served: &Served, token: &str, next: &str) -> (String, String) {
    let (_, _, html) = served.ask("GET", "/login", &[], "");
    let form = [
        ("token", form_token(&html).as_str()),
        ("secret", token),
        ("next", next),
    ]
    .iter()
    .fold(
        form_urlencoded::Serializer::new(String::new()),
        |mut form, (name, value)| {
            form.append_pair(name, value);
            form
        },
    )
    .finish();
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let (status, headers, html) = served.ask("POST", "/login", &[kind], &form);
    assert_eq!(status, 303, "{html}");
    let cookie = headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict; "), "{cookie}");
    let pair = cookie.split(';').next().unwrap().to_owned();
    (pair, headers["location"].to_str().unwrap().to_owned())
}

#[test]
fn without_a_token_nothing_is_shown_and_with_the_readers_nothing_changed() {
    let (_here, served) = guarded(&[]);
    let (status, headers, _) = served.ask("GET", "/deliveries?state=dead", &[], "");
    assert_eq!(
        (status, headers["location"].to_str().unwrap()),
        (303, "/login?next=%2Fdeliveries%3Fstate%3Ddead")
    );
    for path in ["/api/v1/stats", "/metrics", "/openapi.json"] {
        let (status, headers, _) = served.ask("GET", path, &[], "");
        assert_eq!(
            (status, headers["www-authenticate"].to_str().unwrap()),
            (401, "Bearer realm=\"hookbox\"")
        );
    }
    for path in ["/healthz", "/readyz", "/style.css", "/live.js", "/login"] {
        assert_eq!(served.ask("GET", path, &[], "").0, 200, "{path}");
    }
    let bearer = |token: &str| format!("Bearer {token}");
    let (reader, operator) = (bearer(READER), bearer(OPERATOR));
    let json = ("Content-Type", "application/json");
    for (token, may_change) in [(&reader, 403), (&operator, 201)] {
        let auth = ("Authorization", token.as_str());
        assert_eq!(served.ask("GET", "/api/v1/stats", &[auth], "").0, 200);
        assert_eq!(served.ask("GET", "/", &[auth], "").0, 200);
        let made = served.ask("POST", "/api/v1/events", &[auth, json], "{\"type\":\"x\"}");
        assert_eq!(made.0, may_change, "{}", made.2);
    }
    let wrong = bearer("no-token-at-all-no-no");
    assert_eq!(
        served
            .ask("GET", "/api/v1/stats", &[("Authorization", &wrong)], "")
            .0,
        401
    );
}

#[test]
fn a_person_logs_in_goes_where_they_wanted_and_logs_out() {
    let (_here, served) = guarded(&[]);
    let (cookie, next) = log_in(&served, OPERATOR, "/deliveries?state=dead");
    assert_eq!(next, "/deliveries?state=dead");
    let cookie = ("Cookie", cookie.as_str());
    let (status, _, html) = served.ask("GET", "/endpoints/ci", &[cookie], "");
    assert!(status == 200 && html.contains("Hold") && html.contains("Log out"));
    let token = form_token(&html);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let body = format!("token={token}");
    assert_eq!(
        served
            .ask("POST", "/endpoints/ci/hold", &[cookie, form], "token=x")
            .0,
        403
    );
    assert_eq!(
        served
            .ask("POST", "/endpoints/ci/hold", &[cookie, form], &body)
            .0,
        303
    );
    assert_eq!(served.ask("POST", "/logout", &[cookie, form], &body).0, 303);
    assert_eq!(served.ask("GET", "/", &[cookie], "").0, 303);
    // Only to a page of this server.
    for elsewhere in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "/\r\nSet-Cookie: a=b",
    ] {
        assert_eq!(log_in(&served, OPERATOR, elsewhere).1, "/");
    }
    // A reader sees no forms, and may not send one.
    let (reader, _) = log_in(&served, READER, "/");
    let reader = ("Cookie", reader.as_str());
    let (_, _, html) = served.ask("GET", "/endpoints/ci", &[reader], "");
    assert!(
        !html.contains("Change it") && html.contains("change nothing"),
        "{html}"
    );
    let body = format!("token={}", form_token(&html));
    assert_eq!(
        served
            .ask("POST", "/endpoints/ci/resume", &[reader, form], &body)
            .0,
        403
    );
}

#[test]
fn a_login_holds_on_every_node_and_after_a_restart() {
    let (here, served) = guarded(&[]);
    let (cookie, _) = log_in(&served, OPERATOR, "/");
    // A file is served by one process at a time.
    let first = (!no_server()).then_some(served);
    let other = serve_guarded(&here, &[]);
    let cookie = ("Cookie", cookie.as_str());
    for served in first.iter().chain([&other]) {
        let (status, _, html) = served.ask("GET", "/endpoints/ci", &[cookie], "");
        assert!(status == 200 && html.contains("Hold"), "{html}");
    }
}

#[test]
fn repeated_wrong_tokens_are_throttled() {
    let (_here, served) = guarded(&[]);
    let mut statuses = Vec::new();
    for number in 0..7 {
        let guess = format!("Bearer guess-number-{number}-of-many");
        let (status, headers, _) =
            served.ask("GET", "/api/v1/stats", &[("Authorization", &guess)], "");
        statuses.push(status);
        assert_eq!(status == 429, headers.contains_key("retry-after"));
    }
    assert_eq!(statuses[..5], [401; 5]);
    assert_eq!(statuses[5], 429, "{statuses:?}");
    // Where it came from is what the gate saw, not what a request says.
    let guess = [
        ("Authorization", "Bearer guess"),
        ("X-Hookbox-Client", "192.0.2.9"),
    ];
    assert_eq!(served.ask("GET", "/api/v1/stats", &guess, "").0, 429);
}

#[test]
fn beyond_this_machine_a_token_is_needed_and_the_names_are_those_that_were_given() {
    let here = TestDb::new();
    let refused = here.run(&["serve", "--ingest", FREE_PORT, "--status", "0.0.0.0:0"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("--token-file"),
        "{}",
        refused.stderr
    );
    for (token, says) in [
        ("short", "16 visible characters"),
        ("with a blank in it, so no", "no token"),
    ] {
        let file = token_file(&here, "bad", token);
        let ran = here.run(&[&SERVE[..], &["--token-file", file.to_str().unwrap()]].concat());
        assert!(ran.code == 2 && ran.stderr.contains(says), "{}", ran.stderr);
    }
    let (_here, served) = guarded(&["--status-name", "box.example.org"]);
    for (host, status) in [
        ("box.example.org", 200),
        ("BOX.example.org:8421", 200),
        ("evil.example", 403),
        ("localhost", 200),
    ] {
        assert_eq!(
            served.ask("GET", "/healthz", &[("Host", host)], "").0,
            status,
            "{host}"
        );
    }
    // Its secrets are told to nobody.
    let auth = format!("Bearer {OPERATOR}");
    let (_, _, endpoint) = served.ask(
        "GET",
        "/api/v1/endpoints/ci",
        &[("Authorization", &auth)],
        "",
    );
    let endpoint: Value = serde_json::from_str(&endpoint).unwrap();
    assert_eq!(endpoint["has_secret"], false);
}
