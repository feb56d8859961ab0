//! Sources as people set them: secrets that are replaced, paths with a token, tolerance, how a
//! generic source reads, what was refused and why.

use hookbox::signature::digest::Algorithm;
use hookbox::signature::{Secret, gitee, gogs};
use hookbox::time::{Clock, SystemClock, Timestamp};
use serde_json::Value;

use crate::support::{PUSH, Ran, Served, TestDb, wait_until};

pub fn ok(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

pub fn add(here: &TestDb, kind: &str, secret: &str, more: &[&str]) -> Value {
    let mut arguments = vec!["source", "add", "in", "--kind", kind, "--json"];
    if !secret.is_empty() {
        arguments.extend(["--secret", "-"]);
    }
    arguments.extend(more);
    let ran = ok(here.run_with_input(&arguments, secret.as_bytes()));
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// Gives the source another secret.
pub fn rotate(here: &TestDb, secret: &str, overlap: &str) -> Ran {
    let arguments = [
        "source",
        "rotate-secret",
        "in",
        "--secret",
        "-",
        "--overlap",
        overlap,
    ];
    here.run_with_input(&arguments, secret.as_bytes())
}

/// A Gogs push of this key, signed with this secret.
pub fn push(served: &Served, path: &str, secret: &str, key: &str) -> (u16, Value) {
    let signature = gogs::sign(&Secret::new(secret).unwrap(), None, PUSH.as_bytes());
    let headers = [
        ("X-Gogs-Event", "push"),
        ("X-Gogs-Delivery", key),
        ("X-Gogs-Signature", signature.as_str()),
    ];
    served.post(path, &headers, PUSH.as_bytes())
}

#[test]
fn while_a_secret_is_replaced_both_hold_and_then_the_old_one_is_told_apart() {
    let here = TestDb::new();
    add(&here, "gogs", "first", &[]);
    let rotated = ok(rotate(&here, "second", "1h"));
    assert!(rotated.text().contains("holds until"), "{}", rotated.text());
    let served = here.serve();
    assert_eq!(push(&served, "/in/in", "first", "1").0, 202);
    assert_eq!(push(&served, "/in/in", "second", "2").0, 202);
    assert_eq!(push(&served, "/in/in", "third", "3").0, 401);
    let shown = here.json(&["source", "show", "in"]);
    assert_eq!(shown["old_secrets_end_at"].as_array().unwrap().len(), 1);
    // Without overlap none that was replaced holds any longer: one of them has leaked.
    ok(rotate(&here, "third", "0s"));
    wait_until("the new secret to be known", || {
        (push(&served, "/in/in", "third", "4").0 == 202).then_some(())
    });
    for old in ["first", "second"] {
        let (status, answer) = push(&served, "/in/in", old, "5");
        assert_eq!(status, 401);
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains("old secret, which held until"), "{error}");
    }
    // One that is set holds alone.
    ok(here.run_with_input(&["source", "set", "in", "--secret", "-"], b"fourth"));
    wait_until("the set secret to be known", || {
        (push(&served, "/in/in", "fourth", "7").0 == 202).then_some(())
    });
    for old in ["first", "second", "third"] {
        assert_eq!(push(&served, "/in/in", old, old).0, 401, "{old}");
    }
    let all = ok(here.run(&["source", "show", "in", "--json"]));
    for secret in ["first", "second", "third", "fourth"] {
        assert!(!all.text().contains(secret));
    }
}

#[test]
fn a_rotation_that_makes_no_sense_changes_nothing() {
    let here = TestDb::new();
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    add(&here, "standard", secret, &[]);
    for (input, code, says) in [
        (secret, 2, "already"),
        ("no base64!", 2, "openssl"),
        ("", 2, "empty"),
    ] {
        let ran = here.run_with_input(
            &["source", "rotate-secret", "in", "--secret", "-"],
            input.as_bytes(),
        );
        assert_eq!(ran.code, code, "{input}");
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
    let long = rotate(&here, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "400d");
    assert_eq!(long.code, 2, "{}", long.stderr);
    let none = here.run(&["source", "rotate-secret", "in"]);
    assert_eq!(none.code, 2, "{}", none.stderr);
    let unknown = here.run_with_input(&["source", "rotate-secret", "x", "--secret", "-"], b"s");
    assert_eq!(unknown.code, 3, "{}", unknown.stderr);
    let shown = here.json(&["source", "show", "in"]);
    assert!(shown["old_secrets_end_at"].as_array().unwrap().is_empty());
}

#[test]
fn a_source_with_a_path_token_takes_requests_there_only_and_a_stranger_learns_nothing() {
    let here = TestDb::new();
    let added = add(&here, "gogs", "first", &["--path-token"]);
    let path = added["path"].as_str().unwrap().to_owned();
    let token = path.strip_prefix("/in/in/").unwrap();
    assert_eq!(token.len(), 32, "128 bits in hex");
    let served = here.serve();
    assert_eq!(push(&served, &path, "first", "1").0, 202);
    assert_eq!(push(&served, &format!("{path}/"), "first", "2").0, 202);
    let unknown = served.post("/in/nobody", &[], b"{}");
    for wrong in [
        "/in/in".to_owned(),
        "/in/in/".to_owned(),
        format!("/in/in/{}", "0".repeat(32)),
        format!("{path}0"),
        format!("{path}/more"),
    ] {
        let (status, answer) = push(&served, &wrong, "first", "3");
        assert_eq!(status, 404, "{wrong}");
        let text = answer.to_string().replace("in;", "nobody;");
        let same = text.replace(" in ", " nobody ");
        assert_eq!(same, unknown.1.to_string(), "{wrong}");
    }
    // Whoever sets the sender up sees it; no list does.
    assert_eq!(here.json(&["source", "show", "in"])["path"], path.as_str());
    assert_eq!(here.list(&["source", "list"])[0]["path"], "/in/in/***");
    for page in ["/", "/sources"] {
        let (_, _, html) = served.page(page);
        assert!(
            html.contains("/in/in/***") && !html.contains(token),
            "{page}"
        );
    }
    let (_, _, html) = served.page("/sources/in");
    let whole = format!("http://{}{path}", served.ingest_address());
    assert!(html.contains(&whole), "{html}");
    let log = served.stop_and_read_log();
    assert!(!log.contains(token), "{log}");
    let refusals = here.list(&["source", "refusals", "in"]);
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0]["count"], 5);
    assert_eq!(
        refusals[0]["reason"],
        "the path's token is missing or wrong"
    );
    // One that there is stays; another one is drawn when it was taken away.
    let same = here.json(&["source", "set", "in", "--path-token"]);
    assert_eq!(same["path"], path.as_str());
    let none = here.json(&["source", "set", "in", "--no-path-token"]);
    assert_eq!(none["path"], "/in/in");
    let other = here.json(&["source", "set", "in", "--path-token"]);
    assert_ne!(other["path"], path.as_str());
    assert_eq!(here.run(&["source", "set", "x", "--path-token"]).code, 3);
}

#[test]
fn tolerance_is_set_where_a_request_carries_a_signed_time() {
    let signed_at = |age_ms: i64| Timestamp(SystemClock::new().now().0 - age_ms);
    for (tolerance, age_ms, status) in [
        (None, 3_500_000, 202),
        (None, 3_700_000, 401),
        (Some("5m"), 290_000, 202),
        (Some("5m"), 310_000, 401),
        (Some("none"), 400_000_000, 202),
    ] {
        let here = TestDb::new();
        let more: Vec<&str> = tolerance
            .map(|t| ["--tolerance", t])
            .into_iter()
            .flatten()
            .collect();
        let added = add(&here, "gitee", "s3cret", &more);
        assert_eq!(added["tolerance"], tolerance.unwrap_or("1h"));
        let served = here.serve();
        let stamp = signed_at(age_ms).0.to_string();
        let token = gitee::sign(&Secret::new("s3cret").unwrap(), &stamp);
        let headers = [
            ("X-Gitee-Timestamp", stamp.as_str()),
            ("X-Gitee-Token", token.as_str()),
        ];
        let (got, answer) = served.post("/in/in", &headers, b"{}");
        assert_eq!(got, status, "{tolerance:?} {age_ms}: {answer}");
    }
    let here = TestDb::new();
    for (kind, tolerance, says) in [
        ("gogs", "5m", "carry no signed time"),
        ("gitee", "0s", "is not a tolerance"),
        ("gitee", "soon", "is not a tolerance"),
    ] {
        let ran = here.run(&[
            "source",
            "add",
            "x",
            "--kind",
            kind,
            "--tolerance",
            tolerance,
        ]);
        assert_eq!(ran.code, 2, "{kind} {tolerance}");
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
    assert!(!here.is_made(), "nothing was made");
}

/// The base64 of HMAC-SHA1 over a body, by an implementation that is not this program's.
fn sha1_base64(key: &str, body: &[u8]) -> String {
    use base64::Engine;
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body);
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

#[test]
fn a_generic_source_reads_signature_type_and_key_where_it_is_told_to() {
    let here = TestDb::new();
    let added = add(
        &here,
        "generic",
        "s3cret",
        &[
            "--signature-header",
            "X-Shop-Sig",
            "--signature-algorithm",
            Algorithm::Sha1.name(),
            "--signature-encoding",
            "base64",
            "--type-expr",
            "'order.' ~ body.status if body.status",
            "--key-header",
            "X-Shop-Id",
        ],
    );
    assert_eq!(added["reading"]["signature_header"], "X-Shop-Sig");
    let served = here.serve();
    let body = br#"{"status":"paid","id":1}"#;
    let good = sha1_base64("s3cret", body);
    let post = |signature: &str, id: &str, body: &[u8]| {
        let headers = [("X-Shop-Sig", signature), ("X-Shop-Id", id)];
        served.post("/in/in", &headers, body)
    };
    let (status, answer) = post(&good, "shop-1", body);
    assert_eq!(status, 202, "{answer}");
    let event = here.json(&["event", "show", "1"]);
    assert_eq!(event["type"], "order.paid");
    assert_eq!(event["key"], "shop-1");
    assert_eq!(post(&good, "shop-1", body).0, 200);
    assert_eq!(post("", "shop-2", body).0, 401);
    assert_eq!(post(&good, "shop-2", b"{}").0, 401);
    // What an expression cannot name is of no type, and not refused.
    let unnamed = br#"{"id":2}"#;
    let (status, _) = post(&sha1_base64("s3cret", unnamed), "shop-3", unnamed);
    assert_eq!(status, 202);
    assert_eq!(here.json(&["event", "show", "2"])["type"], "unknown");
    // A key of any length names its event.
    let long = "k".repeat(400);
    assert_eq!(post(&good, &long, body).0, 202);
    assert_eq!(post(&good, &long, body).0, 200);
    // An empty value is the usual again.
    let usual = here.json(&[
        "source",
        "set",
        "in",
        "--signature-header",
        "",
        "--signature-algorithm",
        "sha256",
        "--signature-encoding",
        "hex",
        "--type-expr",
        "",
        "--key-header",
        "",
    ]);
    assert_eq!(usual["reading"], serde_json::json!({}));
}

#[test]
fn a_source_setting_that_cannot_work_is_refused_when_it_is_set() {
    let here = TestDb::new();
    for (kind, option, value, says) in [
        (
            "generic",
            "--signature-header",
            "X Sig",
            "not the name of a header",
        ),
        (
            "generic",
            "--signature-algorithm",
            "md5",
            "unknown algorithm",
        ),
        (
            "generic",
            "--signature-encoding",
            "base32",
            "unknown encoding",
        ),
        ("generic", "--type-expr", "bodi.x", "no event has `bodi`"),
        ("generic", "--key-header", "a:b", "not the name of a header"),
        ("gogs", "--key-header", "X-Id", "for kind generic"),
    ] {
        let ran = here.run(&["source", "add", "x", "--kind", kind, option, value]);
        assert_eq!(ran.code, 2, "{value}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{value}: {}", ran.stderr);
    }
    assert!(!here.is_made(), "nothing was made");
}

#[test]
fn a_generic_source_takes_any_body_exactly() {
    let here = TestDb::new();
    add(&here, "generic", "", &[]);
    let served = here.serve();
    let bodies: [(&str, &[u8], bool); 6] = [
        ("application/x-www-form-urlencoded", b"a=1&b=%C3%A4", false),
        ("text/plain; charset=latin1", b"gr\xf6\xdfer", false),
        ("application/xml", b"<?xml version='1.0'?><a/>", false),
        ("application/octet-stream", b"\x00\x01\xff\xfe", false),
        ("application/json", b"{\"a\":1}\n", true),
        ("application/json", b"", false),
    ];
    for (content_type, body, is_json) in bodies {
        let headers = [("Content-Type", content_type), ("X-Hookbox-Type", "t")];
        let (status, answer) = served.post("/in/in", &headers, body);
        assert_eq!(status, 202, "{content_type}: {answer}");
        let id = answer["id"].as_str().unwrap();
        assert_eq!(here.run(&["event", "body", id]).stdout, body);
        let shown = here.json(&["event", "show", id]);
        assert_eq!(shown["content_type"], content_type);
        assert_eq!(shown["json"], is_json, "{content_type}");
        assert_eq!(served.page(&format!("/events/{id}")).0, 200);
    }
}

#[test]
fn a_body_of_25_mb_is_refused_unless_allowed_and_then_kept_exactly() {
    // GitHub's own limit. Random bytes in JSON, so that packing has something to do.
    let mut random = fastrand::Rng::with_seed(25);
    let mut body = b"{\"ref\":\"refs/heads/main\",\"data\":\"".to_vec();
    body.extend(std::iter::repeat_with(|| random.alphanumeric() as u8).take(25_000_000 - 60));
    body.extend_from_slice(b"\",\"sender\":{\"login\":\"mira\"}}");
    let here = TestDb::new();
    add(&here, "gogs", "s3cret", &[]);
    let post = |served: &Served| {
        let signature = gogs::sign(&Secret::new("s3cret").unwrap(), None, &body);
        let headers = [
            ("Content-Type", "application/json"),
            ("X-Gogs-Event", "push"),
            ("X-Gogs-Signature", signature.as_str()),
        ];
        served.post("/in/in", &headers, &body)
    };
    let served = here.serve();
    let (status, answer) = post(&served);
    assert_eq!(status, 413, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("--body-max"));
    assert_eq!(here.json(&["stats"])["events"], 0);
    served.signal("TERM");
    let served = here.serve_with(&["--body-max", "32MiB"]);
    let (status, answer) = post(&served);
    assert_eq!(status, 202, "{answer}");
    let id = answer["id"].as_str().unwrap();
    assert_eq!(here.run(&["event", "body", id]).stdout, body);
    assert_eq!(here.json(&["event", "show", id])["branch"], "main");
}

#[test]
fn no_more_than_eight_replaced_secrets_hold_at_a_time() {
    let here = TestDb::new();
    add(&here, "gogs", "0", &[]);
    for number in 1..=8 {
        ok(rotate(&here, &number.to_string(), "1h"));
    }
    let ninth = rotate(&here, "9", "1h");
    assert_eq!(ninth.code, 2);
    assert!(ninth.stderr.contains("--overlap 0s"), "{}", ninth.stderr);
    ok(rotate(&here, "9", "0s"));
}

#[test]
fn a_source_is_changed_as_it_is_told_and_a_change_of_nothing_is_refused() {
    let here = TestDb::new();
    add(&here, "gogs", "s3cret", &[]);
    let nothing = here.run(&["source", "set", "in"]);
    assert_eq!(nothing.code, 2);
    assert!(
        nothing.stderr.contains("nothing to change"),
        "{}",
        nothing.stderr
    );
    here.add_endpoint("ci", "http://127.0.0.1:9/", &["--sources", "in"]);
    assert_eq!(here.run(&["endpoint", "set", "ci"]).code, 2);
    let open = here.json(&[
        "source",
        "set",
        "in",
        "--no-secret",
        "--on-repeat",
        "ignore",
    ]);
    assert_eq!(open["signed"], false);
    assert_eq!(open["on_repeat"], "ignore");
    // A secret that GitLab could not have made is a slip.
    let gitlab = here.run_with_input(
        &["source", "add", "gl", "--kind", "gitlab", "--secret", "-"],
        b"whsec_oops",
    );
    assert_eq!(gitlab.code, 2, "{}", gitlab.stderr);
    // Whoever filters by a source that goes is named, and can still be changed.
    let removed = ok(here.run(&["source", "remove", "in"]));
    assert!(removed.stderr.contains("endpoint ci"), "{}", removed.stderr);
    ok(here.run(&["endpoint", "set", "ci", "--timeout", "3s"]));
}
