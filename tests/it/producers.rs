//! Every kind of source through the built binary: what is accepted, what is refused, and how the
//! event is typed and keyed.

use hookbox::signature::{Secret, Signable, gitee, github, gogs, standard};
use hookbox::time::{Clock, SystemClock, Timestamp};
use serde_json::Value;

use crate::support::{PUSH, Served, TestDb};

const SECRET: &str = "correct horse";
const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// One kind of producer: a source of that kind and a request as it sends it.
struct Producer {
    kind: &'static str,
    secret: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// What the event's type and key must be.
    event_type: &'static str,
    key: Option<String>,
}

fn now() -> Timestamp {
    SystemClock::new().now()
}

fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

fn hex_of(body: &[u8]) -> String {
    gogs::sign(&secret(), Some("application/json"), body)
}

fn sha256_key(body: &[u8]) -> String {
    use sha2::Digest;
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(body)))
}

fn standard_headers(body: &[u8], at: Timestamp) -> Vec<(&'static str, String)> {
    let signed = standard::sign(
        &Secret::new(STANDARD_SECRET).unwrap(),
        &Signable {
            id: "msg_1",
            timestamp: at,
            content_type: None,
            body,
        },
    );
    vec![
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", at.unix_seconds().to_string()),
        ("webhook-signature", format!("v1,AAAA {}", signed.unwrap())),
    ]
}

fn producers() -> Vec<Producer> {
    let push = PUSH.as_bytes().to_vec();
    let text = |text: &str| text.to_owned();
    let gitee_push =
        br#"{"hook_name":"push_hooks","ref":"refs/heads/main","password":"","timestamp":"1"}"#;
    let pipeline = br#"{"job":{"pipelineId":7,"statusCode":"SUCC","jobName":"build"},"sources":[],"globalParams":[]}"#;
    let order = br#"{"type":"order.paid","data":{"id":1}}"#;
    let at = now();
    let stamp = at.0.to_string();
    let mut gitlab_signed = standard_headers(&push, at);
    gitlab_signed.push(("X-Gitlab-Event", text("Confidential Issue Hook")));
    vec![
        Producer {
            kind: "gogs",
            secret: SECRET,
            headers: vec![
                ("X-Gogs-Event", text("push")),
                ("X-Gogs-Delivery", text("g-1")),
                ("X-Gogs-Signature", hex_of(&push)),
            ],
            body: push.clone(),
            event_type: "push",
            key: Some(text("g-1")),
        },
        Producer {
            kind: "gitea",
            secret: SECRET,
            headers: vec![
                ("X-Gogs-Event", text("another")),
                ("X-Gitea-Event", text("pull_request")),
                ("X-Gitea-Event-Type", text("pull_request_assign")),
                ("X-Gitea-Delivery", text("t-1")),
                ("X-Gitea-Signature", hex_of(&push)),
            ],
            body: push.clone(),
            event_type: "pull_request",
            key: Some(text("t-1")),
        },
        Producer {
            kind: "forgejo",
            secret: SECRET,
            headers: vec![
                ("X-Gitea-Event", text("another")),
                ("X-Forgejo-Event", text("release")),
                ("X-Forgejo-Delivery", text("f-1")),
                ("X-Forgejo-Signature", hex_of(&push)),
            ],
            body: push.clone(),
            event_type: "release",
            key: Some(text("f-1")),
        },
        Producer {
            kind: "github",
            secret: SECRET,
            headers: vec![
                ("X-GitHub-Event", text("workflow_run")),
                ("X-GitHub-Delivery", text("h-1")),
                ("X-GitHub-Hook-ID", text("42")),
                ("X-Hub-Signature-256", github::sign(&secret(), &push)),
            ],
            body: push.clone(),
            event_type: "workflow_run",
            key: Some(text("h-1/42")),
        },
        Producer {
            kind: "gitee",
            secret: SECRET,
            headers: vec![
                ("X-Gitee-Event", text("Push Hook")),
                ("X-Gitee-Timestamp", stamp.clone()),
                ("X-Gitee-Token", gitee::sign(&secret(), &stamp)),
            ],
            body: gitee_push.to_vec(),
            event_type: "push",
            key: Some(sha256_key(gitee_push)),
        },
        // The password, as a pipeline may send it; typed by its shape alone.
        Producer {
            kind: "gitee",
            secret: SECRET,
            headers: vec![("X-Gitee-Token", text(SECRET))],
            body: pipeline.to_vec(),
            event_type: "pipeline.succ",
            key: Some(sha256_key(pipeline)),
        },
        Producer {
            kind: "gitlab",
            secret: SECRET,
            headers: vec![
                ("X-Gitlab-Event", text("Merge Request Hook")),
                ("X-Gitlab-Token", text(SECRET)),
                ("X-Gitlab-Event-UUID", text("u-1")),
                ("Idempotency-Key", text("l-1")),
            ],
            body: push.clone(),
            event_type: "merge_request",
            key: Some(text("l-1")),
        },
        Producer {
            kind: "gitlab",
            secret: STANDARD_SECRET,
            headers: gitlab_signed,
            body: push.clone(),
            event_type: "confidential_issue",
            key: Some(text("msg_1")),
        },
        Producer {
            kind: "standard",
            secret: STANDARD_SECRET,
            headers: standard_headers(order, at),
            body: order.to_vec(),
            event_type: "order.paid",
            key: Some(text("msg_1")),
        },
        Producer {
            kind: "generic",
            secret: SECRET,
            headers: vec![
                ("X-Hookbox-Type", text("order.paid")),
                ("X-Hub-Signature-256", github::sign(&secret(), order)),
            ],
            body: order.to_vec(),
            event_type: "order.paid",
            key: None,
        },
    ]
}

impl Producer {
    /// A box with a source of this kind, and its service.
    fn serve(&self) -> (TestDb, Served) {
        let here = TestDb::new();
        let added = here.run_with_input(
            &["source", "add", "in", "--kind", self.kind, "--secret", "-"],
            self.secret.as_bytes(),
        );
        assert_eq!(added.code, 0, "{}", added.stderr);
        let served = here.serve();
        (here, served)
    }

    fn post(&self, served: &Served, but: &[(&'static str, &str)], body: &[u8]) -> (u16, Value) {
        let mut headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .filter(|(name, _)| but.iter().all(|(other, _)| other != name))
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        headers.extend(but);
        headers.push(("Content-Type", "application/json"));
        served.post("/in/in", &headers, body)
    }
}

#[test]
fn every_kind_is_verified_typed_and_keyed_and_a_repeat_is_the_same_event() {
    for producer in producers() {
        let kind = producer.kind;
        let (here, served) = producer.serve();
        let (status, answer) = producer.post(&served, &[], &producer.body);
        assert_eq!(status, 202, "{kind}: {answer}");
        let id = answer["id"].as_str().unwrap();
        let event = here.json(&["event", "show", id]);
        assert_eq!(event["type"], producer.event_type, "{kind}");
        assert_eq!(event["key"].as_str(), producer.key.as_deref(), "{kind}");
        assert_eq!(here.run(&["event", "body", id]).stdout, producer.body);
        if producer.key.is_some() {
            let (status, again) = producer.post(&served, &[], &producer.body);
            assert_eq!((status, again["id"].as_str()), (200, Some(id)), "{kind}");
        }
    }
}

#[test]
fn no_kind_takes_a_request_that_is_unsigned_or_signed_with_another_secret() {
    const PROOFS: [&str; 8] = [
        "X-Gogs-Signature",
        "X-Gitea-Signature",
        "X-Forgejo-Signature",
        "X-Hub-Signature-256",
        "X-Gitee-Token",
        "X-Gitlab-Token",
        "webhook-signature",
        "webhook-timestamp",
    ];
    for producer in producers() {
        let kind = producer.kind;
        let (here, served) = producer.serve();
        let proofs = producer
            .headers
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| PROOFS.contains(name));
        let mut refused = 0;
        for proof in proofs {
            for wrong in ["", "sha256=", "0123", "v1,AAAA", "v1a,AAAA", "sha256=zz"] {
                let (status, answer) = producer.post(&served, &[(proof, wrong)], &producer.body);
                assert_eq!(status, 401, "{kind} with {proof}: {wrong}");
                let error = answer["error"].as_str().unwrap();
                assert!(!error.contains(producer.secret), "{error}");
                refused += 1;
            }
        }
        assert!(refused > 0, "{kind}");
        assert_eq!(here.json(&["stats"])["events"], 0, "{kind}");
    }
}

#[test]
fn a_body_that_was_changed_is_refused_by_every_kind_whose_signature_covers_it() {
    for producer in producers() {
        let kind = producer.kind;
        let (here, served) = producer.serve();
        let mut changed = producer.body.clone();
        changed.push(b' ');
        let (status, _) = producer.post(&served, &[], &changed);
        let source = here.json(&["source", "show", "in"]);
        let signed = source["body_signed"] == true;
        assert_eq!(status, if signed { 401 } else { 202 }, "{kind}");
        let shown = here.run(&["source", "show", "in"]);
        let warned = shown.stderr.contains("does not cover the body");
        assert_eq!(warned, !signed, "{kind}: {}", shown.stderr);
    }
}

#[test]
fn a_signature_that_carries_a_time_is_refused_when_it_is_old() {
    for (kind, secret, age_ms, headers) in [
        (
            "standard",
            STANDARD_SECRET,
            301_000,
            (|at| standard_headers(b"{}", at)) as fn(Timestamp) -> Vec<(&'static str, String)>,
        ),
        ("gitee", SECRET, 3_601_000, |at| {
            let stamp = at.0.to_string();
            let token = gitee::sign(&secret(), &stamp);
            vec![("X-Gitee-Timestamp", stamp), ("X-Gitee-Token", token)]
        }),
    ] {
        let old = Timestamp(now().0 - age_ms);
        let producer = Producer {
            kind,
            secret,
            headers: headers(old),
            body: b"{}".to_vec(),
            event_type: "unknown",
            key: None,
        };
        let (_here, served) = producer.serve();
        let (status, answer) = producer.post(&served, &[], b"{}");
        assert_eq!(status, 401, "{kind}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains("clocks"), "{error}");
    }
}

#[test]
fn a_gitee_body_that_is_no_json_is_kept_exactly_and_read_as_far_as_it_goes() {
    let pipeline = br#"{"job": {"pipelineId": 1, // a comment, as in the vendor's sample
        "statusCode": "FAIL"}, "sources": [{"sourceType": "PIPELINE", "upParams": "{"a": 1}"}]}"#;
    let producer = Producer {
        kind: "gitee",
        secret: SECRET,
        headers: vec![("X-Gitee-Token", SECRET.to_owned())],
        body: pipeline.to_vec(),
        event_type: "pipeline.fail",
        key: None,
    };
    let (here, served) = producer.serve();
    for (header, body, expected) in [
        (None, &pipeline[..], "pipeline.fail"),
        // Commented, and whole but for that.
        (
            None,
            &b"{ // one\n \"job\": {\"pipelineId\": 1, \"statusCode\": \"SKIP\"} }"[..],
            "pipeline.skip",
        ),
        (Some("pipeline_hooks"), &b"no JSON at all"[..], "pipeline"),
        (Some("Tag Push Hook"), &b"{"[..], "tag_push"),
        (None, &b"{"[..], "unknown"),
    ] {
        let more: Vec<(&'static str, &str)> = header
            .map(|name| ("X-Gitee-Event", name))
            .into_iter()
            .collect();
        let mut body = body.to_vec();
        body.extend_from_slice(b" ");
        body.extend(std::iter::repeat_n(b' ', expected.len()));
        let (status, answer) = producer.post(&served, &more, &body);
        assert_eq!(status, 202);
        let id = answer["id"].as_str().unwrap();
        assert_eq!(here.json(&["event", "show", id])["type"], expected);
        assert_eq!(here.run(&["event", "body", id]).stdout, body);
    }
}

#[test]
fn a_gitee_form_hook_of_before_2019_is_verified_by_the_password_in_its_body() {
    let producer = Producer {
        kind: "gitee",
        secret: "pw",
        headers: Vec::new(),
        body: Vec::new(),
        event_type: "push",
        key: None,
    };
    let (here, served) = producer.serve();
    let form = |password: &str| {
        let json =
            format!(r#"{{"password":"{password}","hook_name":"push_hooks","push_data":{{}}}}"#);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("hook", &json).finish()
    };
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let (status, answer) = served.post("/in/in", &headers, form("pw").as_bytes());
    assert_eq!(status, 202);
    let event = here.json(&["event", "show", answer["id"].as_str().unwrap()]);
    assert_eq!(event["type"], "push");
    let (status, _) = served.post("/in/in", &headers, form("other").as_bytes());
    assert_eq!(status, 401);
}

#[test]
fn a_standard_source_takes_a_public_key_and_refuses_what_is_no_secret() {
    let here = TestDb::new();
    for (secret, code) in [
        ("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", 0),
        ("whpk_AAAA", 2),
        ("whsec_AAAA", 2),
        ("not base64!", 2),
    ] {
        let name = format!("s{code}{}", secret.len());
        let added = here.run_with_input(
            &[
                "source", "add", &name, "--kind", "standard", "--secret", "-",
            ],
            secret.as_bytes(),
        );
        assert_eq!(added.code, code, "{secret}: {}", added.stderr);
    }
}

#[test]
fn no_page_shows_the_password_that_gitee_puts_in_its_bodies() {
    let body = br#"{"hook_name":"push_hooks","password":"correct horse","sign":"","ref":"refs/heads/shown"}"#;
    let producer = Producer {
        kind: "gitee",
        secret: SECRET,
        headers: vec![("X-Gitee-Token", SECRET.to_owned())],
        body: body.to_vec(),
        event_type: "push",
        key: None,
    };
    let (here, served) = producer.serve();
    here.add_endpoint("nobody", "http://127.0.0.1:9/", &[]);
    let (status, answer) = producer.post(&served, &[], body);
    assert_eq!(status, 202);
    let id = answer["id"].as_str().unwrap();
    let (status, _, page) = served.page(&format!("/events/{id}"));
    assert_eq!(status, 200);
    assert!(page.contains("refs/heads/shown"));
    assert!(page.contains("[hidden]"));
    assert!(!page.contains(SECRET), "{page}");
    // The exact bytes are there for who asks for them.
    assert_eq!(here.run(&["event", "body", id]).stdout, body);
    let shown = here.run(&["event", "show", id, "--json"]);
    assert!(!shown.text().contains(SECRET));
}
