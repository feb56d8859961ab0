//! Any request is verified and described, by every kind of source.

use hyper::HeaderMap;

use super::head::Head;
use super::provider::{Received, describe, verify};
use crate::fuzz::{fuzz, kind_of};
use crate::model::activity::Facts;
use crate::model::event::is_type;
use crate::model::header::Header;
use crate::model::id::SourceId;
use crate::model::kind::{OnRepeat, SourceKind};
use crate::model::source::{GenericRules, Origin, Source, Tolerance};
use crate::signature::{OldSecret, Secret};
use crate::time::Timestamp;

const WORDS: [&str; 46] = [
    "\n",
    ": ",
    "Content-Type: ",
    "X-Gogs-Event: push",
    "X-Gogs-Signature: ",
    "X-Gitea-Event: ",
    "X-Gitea-Signature: ",
    "X-Forgejo-Event: ",
    "X-Forgejo-Signature: ",
    "X-GitHub-Event: ",
    "X-Hub-Signature-256: sha256=",
    "X-Gitlab-Event: ",
    "X-Gitlab-Token: ",
    "X-Gitee-Event: ",
    "X-Gitee-Token: ",
    "X-Gitee-Timestamp: ",
    "webhook-id: ",
    "webhook-timestamp: ",
    "webhook-signature: v1,AAAA v1a,AAAA",
    "X-Hookbox-Type: ",
    "Push Hook",
    " Hook",
    "_hooks",
    "System Hook",
    "application/x-www-form-urlencoded; charset=utf-8",
    "application/json",
    "1633679083918",
    "payload=",
    "%7B%22",
    "&hook=",
    "\"ref\":",
    "\"commits\":",
    "\"object_kind\":",
    "\"hook_name\":",
    "\"event_name\":",
    "\"password\":",
    "\"sign\":",
    "\"timestamp\":",
    "\"repository\":",
    "\"full_name\":",
    "\"action\":",
    "\"upParams\":",
    "null",
    "[]",
    "{}",
    "\"\"",
];

/// Returns heads and bodies in one text: header lines, an empty line, the body.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = [
        "X-Gogs-Event: push\n\n{\"ref\":\"refs/heads/main\",\"commits\":[{\"id\":\"ab\"}],\"repository\":{\"full_name\":\"a/b\"}}",
        "X-Gitee-Event: Push Hook\nX-Gitee-Timestamp: 1633679083918\n\n{\"hook_name\":\"push_hooks\",\"password\":\"p\",\"sign\":\"s\",\"timestamp\":\"1633679083918\"}",
        "X-Gitee-Event: Pipeline\n\n{\"job\":{\"pipelineId\":1,\"statusCode\":\"SUCC\"},\"sources\":[{\"upParams\":\"{\\\"a\\\":1}\"}]}",
        "Content-Type: application/x-www-form-urlencoded\n\nhook=%7B%22hook_name%22%3A%22push_hooks%22%7D&payload=%7B%7D",
        "webhook-id: m1\nwebhook-timestamp: 1633679083\nwebhook-signature: v1,AAAA\n\n{\"type\":\"order.paid\",\"object_kind\":\"push\"}",
        "X-Gitlab-Event: System Hook\nX-Gitlab-Token: t\n\n{\"event_name\":\"project_create\"}",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/payloads");
    for entry in std::fs::read_dir(folder).unwrap() {
        let body = std::fs::read(entry.unwrap().path()).unwrap();
        seeds.push([b"X-Gogs-Event: push\n\n".to_vec(), body].concat());
    }
    seeds.sort();
    seeds
}

fn request(input: &[u8]) -> (Vec<Header>, &[u8]) {
    let split = input.windows(2).position(|two| two == b"\n\n");
    let (head, body) = split.map_or((input, &[][..]), |at| (&input[..at], &input[at + 2..]));
    let head = String::from_utf8_lossy(head).into_owned();
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    (headers.collect(), body)
}

fn source(kind: SourceKind, secret: &str) -> Source {
    Source {
        id: SourceId(1),
        name: "in".to_owned(),
        kind,
        secret: Some(Secret::new(secret).unwrap()),
        old_secrets: vec![OldSecret {
            secret: Secret::new("battery staple").unwrap(),
            ends: Timestamp(i64::MAX),
        }],
        tolerance: Tolerance::Default,
        path_token: None,
        on_repeat: OnRepeat::Ignore,
        generic: GenericRules {
            type_from: Some(Origin::Expression("body.type".parse().unwrap())),
            key_from: Some(Origin::Expression("body.commits[0].id".parse().unwrap())),
            ..GenericRules::default()
        },
    }
}

#[test]
fn providers() {
    let secrets = ["correct horse", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
    let sources: Vec<Source> = SourceKind::ALL
        .into_iter()
        .flat_map(|kind| secrets.map(|secret| source(kind, secret)))
        .collect();
    let seeds = seeds();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    fuzz("providers", &seeds, &WORDS, |input| {
        let (headers, body) = request(input);
        let request = Received {
            headers: &headers,
            body,
        };
        let said = sources.iter().map(|source| {
            let kind = source.kind;
            let refused = verify(source, &request, Timestamp(1_633_679_083_918));
            let refused = refused.expect_err("it is not signed");
            let described = describe(source, &request);
            let name = &described.event_type;
            let facts = Facts::read(Some(kind), name, request.content_type(), &headers, body);
            let summary = facts.summary.unwrap_or_default();
            assert!(summary.chars().count() <= 200, "{kind}: {summary}");
            assert!(!summary.chars().any(char::is_control), "{kind}: {summary}");
            let branch = facts.branch.unwrap_or_default();
            assert!(!branch.chars().any(char::is_control), "{kind}: {branch}");
            (
                is_type(name),
                kind_of(&refused.to_string()),
                summary.is_empty(),
                branch.is_empty(),
                facts.is_json,
            )
        });
        said.collect::<Vec<_>>()
    });
}

#[test]
fn heads() {
    fuzz(
        "heads",
        &[
            b"POST /in/gogs HTTP/1.1\r\nHost: h\r\nX-Gogs-Event: push\r\nContent-Length: 2\r\n\r\n{}",
            b"GET / HTTP/1.0\r\n\r\n",
            b"POST /in/a HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n2\r\n{}\r\n0\r\n\r\n",
        ],
        &["\r\n", "\r\n\r\n", ": ", "Host", "POST ", " HTTP/1.1", "\t", " ", "Content-Length: 5"],
        |input| {
            let whole = Head::new();
            whole.arrived(input);
            let pieces = Head::new();
            for piece in input.chunks(7) {
                pieces.arrived(piece);
            }
            assert_eq!(whole.is_partial(), pieces.is_partial());
            let none = HeaderMap::new();
            (whole.is_partial(), whole.take(&none).len(), pieces.take(&none).len())
        },
    );
}
