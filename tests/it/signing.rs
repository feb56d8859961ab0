//! How requests are signed on the way out: every scheme, secrets that are replaced, and by hand.

use hookbox::signature::digest::{Algorithm, Encoding};
use hookbox::signature::generic::Rules;
use hookbox::signature::{Rejection, Scheme, Secret, Signed, gitee, standard};
use hookbox::time::{Clock, SystemClock};
use serde_json::Value;

use crate::support::{PUSH, ReceivedRequest, Receiver, TestDb, wait_until};

const SECRET: &str = "topsecret";
const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
// RFC 8032, section 7.1, test 1.
const PRIVATE: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn check(
    scheme: Scheme,
    secret: &str,
    rules: &Rules,
    got: &ReceivedRequest,
) -> Result<(), Rejection> {
    let header = |name: &str| got.header(name);
    let signed = Signed {
        header: &header,
        body: &got.body,
        now: SystemClock::new().now(),
        tolerance: Some(standard::TOLERANCE),
    };
    scheme.verify(&Secret::new(secret).unwrap(), rules, &signed)
}

/// What a receiver gets of one event from an endpoint that is set so.
fn delivered(arguments: &[&str], secret: &str) -> (TestDb, ReceivedRequest) {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    let mut all = vec!["endpoint", "add", "ci", &receiver.url, "--secret", "-"];
    all.extend_from_slice(arguments);
    let added = here.run_with_input(&all, secret.as_bytes());
    assert_eq!(added.code, 0, "{}", added.stderr);
    here.json(&["enqueue", "--type", "push", "--key", "k1", "--data", PUSH]);
    let _served = here.serve();
    let got = receiver.next();
    (here, got)
}

#[test]
fn every_scheme_signs_so_that_it_is_verified_and_with_another_secret_it_is_not() {
    let generic = Rules {
        header: "X-Sig".into(),
        algorithm: Algorithm::Sha512,
        encoding: Encoding::Base64,
        prefix: "v0=".to_owned(),
        over: "v0:{timestamp}:{body}".parse().unwrap(),
        timestamp_header: None,
    };
    let options = [
        "--signature-header",
        "X-Sig",
        "--signature-algorithm",
        "sha512",
        "--signature-encoding",
        "base64",
        "--signature-prefix",
        "v0=",
        "--signature-over",
        "v0:{timestamp}:{body}",
    ];
    for (scheme, secret, verifies, another) in [
        (Scheme::Standard, STANDARD, STANDARD, OTHER),
        (Scheme::Standard, PRIVATE, PUBLIC, OTHER),
        (Scheme::Github, SECRET, SECRET, "other"),
        (Scheme::Gogs, SECRET, SECRET, "other"),
        (Scheme::Gitea, SECRET, SECRET, "other"),
        (Scheme::Gitee, SECRET, SECRET, "other"),
        (Scheme::Generic, SECRET, SECRET, "other"),
    ] {
        let mut arguments = vec!["--sign", scheme.name()];
        if scheme == Scheme::Generic {
            arguments.extend(options);
        }
        let (here, got) = delivered(&arguments, secret);
        assert_eq!(got.body, PUSH.as_bytes(), "{scheme}");
        assert_eq!(check(scheme, verifies, &generic, &got), Ok(()), "{scheme}");
        assert!(check(scheme, another, &generic, &got).is_err(), "{scheme}");
        let shown = here.run(&["endpoint", "show", "ci", "--json"]);
        assert!(!shown.text().contains(secret), "{scheme}");
    }
}

#[test]
fn a_receiver_of_each_style_finds_the_headers_it_knows() {
    for (scheme, expected) in [
        (
            "github",
            &[
                "X-GitHub-Event",
                "X-GitHub-Delivery",
                "X-Hub-Signature",
                "X-Hub-Signature-256",
            ][..],
        ),
        (
            "gogs",
            &[
                "X-Gogs-Event",
                "X-Gogs-Delivery",
                "X-Gogs-Signature",
                "X-Github-Event",
            ],
        ),
        (
            "gitea",
            &[
                "X-Gitea-Event",
                "X-Gitea-Event-Type",
                "X-Gitea-Delivery",
                "X-Gitea-Signature",
                "X-Gogs-Signature",
                "X-GitHub-Event",
                "X-Hub-Signature",
                "X-Hub-Signature-256",
            ],
        ),
        (
            "gitee",
            &[
                "X-Gitee-Event",
                "X-Git-Oschina-Event",
                "X-Gitee-Token",
                "X-Gitee-Timestamp",
            ],
        ),
    ] {
        let (_here, got) = delivered(&["--sign", scheme], SECRET);
        for name in expected {
            let value = got.header(name);
            assert!(
                value.is_some_and(|value| !value.is_empty()),
                "{scheme}: {name}"
            );
        }
        for (name, value) in [("Event", "push"), ("Delivery", "k1")] {
            let suffix = format!("-{name}");
            for (held, got) in got
                .headers
                .iter()
                .filter(|(held, _)| held.ends_with(&suffix))
            {
                assert_eq!(got, value, "{scheme}: {held}");
            }
        }
    }
}

#[test]
fn a_gitee_signature_is_made_at_each_attempt() {
    let (_here, got) = delivered(&["--sign", "gitee"], SECRET);
    let stamp = got.header("X-Gitee-Timestamp").unwrap();
    let age_ms = SystemClock::new().now().0 - stamp.parse::<i64>().unwrap();
    assert!((0..60_000).contains(&age_ms), "{age_ms}");
    let token = gitee::sign(&Secret::new(SECRET).unwrap(), stamp);
    assert_eq!(got.header("X-Gitee-Token"), Some(token.as_str()));
    // Gitee's own vector, by hand.
    let here = TestDb::new();
    let signed = here.run_with_input(
        &[
            "signature",
            "sign",
            "--sign",
            "gitee",
            "--secret",
            "-",
            "--at",
            "2019-12-19T11:27:07.988Z",
        ],
        b"this is secret",
    );
    let expected = "X-Gitee-Token: 2D978FIy4DMMTbiN80zQkNH1Eq/kMBt3gL6OnWfGzzY=";
    assert!(signed.text().contains(expected), "{}", signed.text());
}

#[test]
fn while_a_secret_is_replaced_both_sign_where_the_scheme_allows_it_else_the_newer_one() {
    for (scheme, first, second) in [("standard", STANDARD, OTHER), ("gogs", "first", "second")] {
        let here = TestDb::new();
        let receiver = Receiver::answering(&[200]);
        here.add_endpoint("ci", &receiver.url, &["--sign", scheme, "--secret", first]);
        let rotated = here.run_with_input(
            &[
                "endpoint",
                "rotate-secret",
                "ci",
                "--secret",
                "-",
                "--overlap",
                "1h",
            ],
            second.as_bytes(),
        );
        assert_eq!(rotated.code, 0, "{}", rotated.stderr);
        let _served = here.serve();
        here.json(&["enqueue", "--type", "x", "--data", "{}"]);
        let got = receiver.next();
        let scheme: Scheme = scheme.parse().unwrap();
        let rules = Rules::default();
        assert_eq!(check(scheme, second, &rules, &got), Ok(()), "{scheme}");
        let with_old = check(scheme, first, &rules, &got);
        assert_eq!(with_old.is_ok(), scheme == Scheme::Standard, "{scheme}");
        // Without overlap the old one is gone at once.
        let third = if scheme == Scheme::Standard {
            STANDARD
        } else {
            "third"
        };
        let rotated = here.run_with_input(
            &[
                "endpoint",
                "rotate-secret",
                "ci",
                "--secret",
                "-",
                "--overlap",
                "0s",
            ],
            third.as_bytes(),
        );
        assert_eq!(rotated.code, 0, "{}", rotated.stderr);
        wait_until("the new secret to be used", || {
            here.json(&["enqueue", "--type", "x", "--data", "{}"]);
            check(scheme, third, &rules, &receiver.next()).ok()
        });
    }
}

#[test]
fn a_signing_secret_that_cannot_work_is_refused_and_nothing_is_changed() {
    let here = TestDb::new();
    here.add_endpoint("none", "http://h/", &[]);
    here.add_endpoint(
        "std",
        "http://h/",
        &["--sign", "standard", "--secret", STANDARD],
    );
    for (arguments, input, says) in [
        (
            &["endpoint", "rotate-secret", "none", "--secret", "-"][..],
            "x",
            "nothing to sign with",
        ),
        (
            &["endpoint", "rotate-secret", "std", "--secret", "-"],
            STANDARD,
            "already",
        ),
        (
            &["endpoint", "rotate-secret", "std", "--secret", "-"],
            PUBLIC,
            "public key",
        ),
        (
            &["endpoint", "rotate-secret", "std"],
            "",
            "give the new secret",
        ),
        (
            &["endpoint", "set", "std", "--signature-header", "X-S"],
            "",
            "for --sign generic",
        ),
        (
            &[
                "endpoint",
                "add",
                "g",
                "http://h/",
                "--sign",
                "generic",
                "--secret",
                "-",
                "--signature-over",
                "{id}",
            ],
            "x",
            "without {body}",
        ),
        (
            &[
                "endpoint",
                "add",
                "g",
                "http://h/",
                "--sign",
                "generic",
                "--secret",
                "-",
                "--signature-header",
                "Content-Type",
            ],
            "x",
            "cannot carry the signature",
        ),
        (
            &[
                "endpoint",
                "add",
                "g",
                "http://h/",
                "--sign",
                "generic",
                "--secret",
                "-",
                "--signature-header",
                "X S",
            ],
            "x",
            "not the name of a header",
        ),
    ] {
        let ran = here.run_with_input(arguments, input.as_bytes());
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
    }
    assert_eq!(here.list(&["endpoint", "list"]).len(), 2);
}

#[test]
fn what_is_signed_by_hand_is_verified_by_hand() {
    let here = TestDb::new();
    for (scheme, secret, verifies) in [
        ("standard", STANDARD, STANDARD),
        ("standard", PRIVATE, PUBLIC),
        ("github", SECRET, SECRET),
        ("gogs", SECRET, SECRET),
        ("gitea", SECRET, SECRET),
        ("gitee", SECRET, SECRET),
        ("generic", SECRET, SECRET),
    ] {
        let data = "{\"ref\":\"refs/heads/main\"}";
        let sign = [
            "signature",
            "sign",
            "--sign",
            scheme,
            "--secret",
            "-",
            "--data",
            data,
        ];
        let signed = here.run_with_input(&sign, secret.as_bytes());
        assert_eq!(signed.code, 0, "{scheme}: {}", signed.stderr);
        if scheme == "gogs" {
            // Recomputed with Python's hmac and with OpenSSL.
            let vector = "7804d460f7eadad206a6d4c5a760b15defa80add90a31069e5ab2df85f18bcfa";
            assert!(signed.text().contains(vector), "{}", signed.text());
        }
        let headers: Vec<&str> = signed.text().lines().collect();
        let verify = |data: &str| {
            let mut all = vec![
                "signature",
                "verify",
                "--sign",
                scheme,
                "--secret",
                "-",
                "--data",
                data,
            ];
            for header in &headers {
                all.extend(["--header", header]);
            }
            here.run_with_input(&all, verifies.as_bytes())
        };
        let fine = verify(data);
        assert_eq!(fine.code, 0, "{scheme}: {}", fine.stderr);
        let changed = verify("{}");
        // Gitee's does not cover the body.
        assert_eq!(changed.code, i32::from(scheme != "gitee"), "{scheme}");
    }
    let object = here.run_with_input(
        &[
            "signature",
            "sign",
            "--sign",
            "gogs",
            "--secret",
            "-",
            "--json",
        ],
        SECRET.as_bytes(),
    );
    let object: Value = serde_json::from_slice(&object.stdout).unwrap();
    assert_eq!(object["headers"].as_array().unwrap().len(), 3);
    for (arguments, says) in [
        (
            &["signature", "sign", "--sign", "none"][..],
            "signs nothing",
        ),
        (&["signature", "sign", "--sign", "gogs"], "give the secret"),
        (
            &[
                "signature",
                "verify",
                "--sign",
                "gogs",
                "--secret",
                "x",
                "--header",
                "nonsense",
            ],
            "is not a header",
        ),
    ] {
        let ran = here.run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
}

#[test]
fn a_producers_header_does_not_stand_before_the_signature_of_that_name() {
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    let settings = [
        "--sign",
        "generic",
        "--secret",
        SECRET,
        "--signature-header",
        "X-GitHub-Event",
    ];
    here.add_endpoint("ci", &receiver.url, &settings);
    let served = here.serve();
    served.push("k1", PUSH.as_bytes());
    let got = receiver.next();
    let of_name = got
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-github-event"));
    assert_eq!(of_name.count(), 1);
    let rules = Rules {
        header: "X-GitHub-Event".into(),
        ..Rules::default()
    };
    assert_eq!(check(Scheme::Generic, SECRET, &rules, &got), Ok(()));
}
