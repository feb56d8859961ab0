//! Secrets are in no row where they do not belong: what is set, sent and repeated by a receiver is looked
//! for in the file, on the pages, in the log and on the command line.

use std::io::{BufReader, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::{PUSH, ReceivedRequest, Receiver, TestDb, serve_each, wait_until};

/// What nobody may see, as it was given.
const SECRETS: [&str; 6] = [
    "tokn-in-the-query",
    "value&of\"a/header",
    "p4ss:w\"rd/b",
    "b3arer-t0ken",
    "s1gn1ng-k3y",
    "gitee-p4ssword",
];

/// Answers every request with itself: in a header, and in a body as JSON, as a page and as a form.
fn echo() -> String {
    let address = serve_each(|stream| {
        let mut stream = BufReader::new(stream);
        while let Some(got) = ReceivedRequest::read(&mut stream) {
            let headers: Vec<String> = got
                .headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            let said = format!(
                "{} {}\n{}\n{}",
                got.method,
                got.target,
                headers.join("\n"),
                String::from_utf8_lossy(&got.body)
            );
            let form: String = form_urlencoded::byte_serialize(said.as_bytes()).collect();
            let page = said.replace('&', "&amp;").replace('"', "&quot;");
            let json = serde_json::json!({ "you said": said });
            let body = format!(
                "{json}\n{}\n{page}\n{form}\n{said}",
                json.to_string().replace('/', "\\/")
            );
            let go = serde_json::json!(said)
                .to_string()
                .replace('&', "\\u0026")
                .replace('<', "\\u003c");
            let body = format!("{body}\n{go}\n{}", STANDARD.encode(&said));
            let one = said.replace('\n', " | ");
            let answer = format!(
                "HTTP/1.1 500 No\r\nX-Said: {}\r\nContent-Length: {}\r\n\r\n{body}",
                &one[..one.len().min(6_000)],
                body.len()
            );
            let _ = stream.get_mut().write_all(answer.as_bytes());
        }
    });
    format!("http://{address}/hook?key={}", SECRETS[0])
}

#[test]
fn what_a_receiver_repeats_shows_no_secret_anywhere() {
    let here = TestDb::in_file();
    let ran = here.run(&[
        "source", "add", "gitee", "--kind", "gitee", "--secret", SECRETS[5],
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let url = echo();
    let header = format!("X-Own: {}", SECRETS[1]);
    let common = ["--retry", "1h", "--header", &header];
    let with = |more: &[&'static str]| [&common[..], more].concat();
    here.add_endpoint(
        "basic",
        &url,
        &with(&["--auth", "basic:user", "--auth-secret", SECRETS[2]]),
    );
    here.add_endpoint(
        "bearer",
        &url,
        &with(&["--auth", "bearer", "--auth-secret", SECRETS[3]]),
    );

    here.add_endpoint(
        "token",
        &url,
        &with(&["--sign", "gitea", "--secret", SECRETS[4]]),
    );
    let served = here.serve();
    let body = PUSH.replacen('{', &format!("{{\"password\":\"{}\",", SECRETS[5]), 1);
    let headers = [
        ("Content-Type", "application/json"),
        ("X-Gitee-Event", "Push Hook"),
        ("X-Gitee-Token", SECRETS[5]),
    ];
    let (status, answer) = served.post("/in/gitee", &headers, body.as_bytes());
    assert_eq!(status, 202, "{answer}");
    let attempts: Vec<serde_json::Value> = wait_until("three attempts", || {
        let deliveries = here.list(&["delivery", "list"]);
        let of = |delivery: &serde_json::Value| {
            here.list(&["attempt", "list", delivery["id"].as_str().unwrap()])
        };
        let attempts: Vec<serde_json::Value> = deliveries.iter().flat_map(of).collect();
        (attempts.len() == 3).then_some(attempts)
    });
    let event = answer["id"].as_str().unwrap();
    let mut shown = vec![served.log()];
    for path in [
        "/",
        "/events",
        "/deliveries",
        "/endpoints",
        "/endpoint/token",
        "/endpoint/basic",
        "/api/v1/attempts",
        "/api/v1/deliveries",
        "/api/v1/endpoints",
        "/api/v1/events",
        "/metrics",
    ] {
        let (status, headers, text) = served.page(path);
        assert!(status == 200 || status == 404, "{path}: {status}");
        shown.push(format!("{path} {headers:?} {text}"));
    }
    let run = |arguments: &[&str]| {
        let ran = here.run(arguments);
        format!("{arguments:?} {} {}", ran.text(), ran.stderr)
    };
    let mut saw = 0;
    for attempt in &attempts {
        let (id, delivery) = (
            attempt["id"].as_str().unwrap(),
            attempt["delivery"].as_str().unwrap(),
        );
        for path in [
            format!("/delivery/{delivery}"),
            format!("/attempt/{id}"),
            format!("/api/v1/attempts/{id}"),
            format!("/api/v1/deliveries/{delivery}"),
        ] {
            let (_, headers, text) = served.page(&path);
            saw += usize::from(text.contains("you said"));
            shown.push(format!("{path} {headers:?} {text}"));
        }
        shown.push(run(&["attempt", "show", id]));
        shown.push(run(&["--json", "attempt", "show", id]));
        shown.push(run(&["delivery", "show", delivery]));
        shown.push(run(&["--json", "delivery", "show", delivery]));
        let other = attempts[0]["id"].as_str().unwrap();
        shown.push(run(&["attempt", "diff", id, other]));
    }
    assert!(saw >= 3, "what was repeated is shown: {saw}");
    for arguments in [
        &["endpoint", "list"][..],
        &["endpoint", "show", "basic"],
        &["endpoint", "show", "token"],
        &["--json", "endpoint", "list"],
        &["event", "show", event],
        &["doctor"],
        &["stats"],
    ] {
        shown.push(run(arguments));
    }
    shown.push(run(&["tail", "--no-follow", "--limit", "100"]));
    shown.push(run(&["--json", "tail", "--no-follow", "--limit", "100"]));
    let basic = STANDARD.encode(format!("user:{}", SECRETS[2]));
    let ways = |secret: &str| {
        let json = serde_json::json!(secret).to_string();
        let json = json[1..json.len() - 1].to_owned();
        let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        [
            secret.to_owned(),
            json,
            form,
            secret.replace('&', "&amp;").replace('"', "&quot;"),
        ]
    };
    for text in &shown {
        for secret in SECRETS.iter().copied().chain([basic.as_str()]) {
            for way in ways(secret) {
                let at = text.find(&way).map(|at| at.saturating_sub(200));
                assert!(
                    at.is_none(),
                    "{way}: {}",
                    &text[at.unwrap()..].chars().take(400).collect::<String>()
                );
            }
        }
    }
    // Nor is it in the file, but where it is kept as a secret.
    let connection = rusqlite::Connection::open(&here.db).unwrap();
    let mut statement = connection
        .prepare("select cast(response_body as text) || response_headers || ifnull(error, '') || request_headers from hookbox_attempt")
        .unwrap();
    let rows = statement
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap();
    for row in rows {
        let row = row.unwrap();
        assert!(SECRETS.iter().all(|secret| !row.contains(secret)), "{row}");
    }
}

#[test]
fn a_secret_comes_from_a_file_a_variable_or_standard_input_and_is_never_echoed() {
    let here = TestDb::in_file();
    here.json(&["init"]);
    let file = here.folder.path().join("secret");
    std::fs::write(&file, "s3cret-of-file\n").unwrap();
    let ran = here.run(&[
        "source",
        "add",
        "a",
        "--kind",
        "gogs",
        "--secret-file",
        file.to_str().unwrap(),
    ]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let ran = here.run_with_input(
        &["source", "add", "b", "--kind", "gogs", "--secret", "-"],
        b"s3cret-of-input\r\n",
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let ran = here.run(&[
        "source",
        "add",
        "c",
        "--kind",
        "gogs",
        "--secret",
        "s3cret-of-argument",
    ]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.stderr.contains("shell's history") && !ran.stderr.contains("s3cret"),
        "{}",
        ran.stderr
    );
    let stored: Vec<Vec<u8>> = {
        let connection = rusqlite::Connection::open(&here.db).unwrap();
        let mut statement = connection
            .prepare("select secret from hookbox_source order by name")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(
        stored,
        [
            &b"s3cret-of-file"[..],
            b"s3cret-of-input",
            b"s3cret-of-argument"
        ]
    );
    for arguments in [&["source", "list"][..], &["source", "show", "a"]] {
        assert!(!here.run(arguments).text().contains("s3cret"));
    }
}

#[test]
fn headers_credentials_and_method_are_sent_and_nothing_secret_is_shown_or_recorded() {
    let here = TestDb::in_file();
    let receiver = Receiver::answering(&[200]);
    let added = here.run_with_input(
        &[
            "endpoint",
            "add",
            "ci",
            &receiver.url,
            "--method",
            "put",
            "--header",
            "X-Env: prod",
            "--header",
            "X-Api-Key: k-hunter2",
            "--auth",
            "basic:mira",
            "--auth-secret",
            "-",
        ],
        b"p-hunter2",
    );
    assert_eq!(added.code, 0, "{}", added.stderr);
    let served = here.serve();
    here.json(&["enqueue", "--type", "x", "--data", "{}"]);
    let got = receiver.next();
    assert_eq!(got.method, "PUT");
    assert_eq!(got.header("X-Env"), Some("prod"));
    assert_eq!(got.header("X-Api-Key"), Some("k-hunter2"));
    let basic = "Basic bWlyYTpwLWh1bnRlcjI=";
    assert_eq!(got.header("Authorization"), Some(basic));
    here.wait_for_state("1", "delivered");
    let shown = here.json(&["endpoint", "show", "ci"]);
    assert_eq!(shown["connection"]["method"], "PUT");
    assert_eq!(shown["connection"]["auth"], "basic mira");
    let attempts = here.run(&["attempt", "list", "1", "--json"]);
    let pages: String = ["/", "/deliveries/1"]
        .map(|path| served.page(path).2)
        .concat();
    for text in [
        &shown.to_string(),
        attempts.text(),
        added.text(),
        &pages,
        &served.log(),
    ] {
        for secret in ["hunter2", "bWlyYTpw"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    // Nor does the record of the attempt hold them.
    let recorded: String = rusqlite::Connection::open(&here.db)
        .unwrap()
        .query_row("select request_headers from hookbox_attempt", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert!(
        !recorded.contains("hunter2") && !recorded.contains("bWlyYTpw"),
        "{recorded}"
    );
    // All of it is taken away again.
    let usual = here.json(&[
        "endpoint", "set", "ci", "--method", "post", "--header", "", "--auth", "none",
    ]);
    assert_eq!(usual["connection"]["headers"], serde_json::json!([]));
    assert_eq!(usual["connection"]["auth"], serde_json::Value::Null);
}
