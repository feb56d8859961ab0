//! What the pure parts cost, each beside the bare work that bounds it: `cargo bench --bench parts`.
//!
//! Signing and verifying are compared with one HMAC-SHA256 over the same bytes, so that what is
//! added to it is seen.
#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(
    clippy::unwrap_used,
    reason = "a measure that cannot go on is to panic"
)]

#[path = "../whole/payload.rs"]
mod payload;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use hookbox::model::activity::Facts;
use hookbox::model::chat::Chat;
use hookbox::model::endpoint::{Format, NewEndpoint};
use hookbox::model::filter::Filters;
use hookbox::model::id::{BoxId, EventId};
use hookbox::model::kind::SourceKind;
use hookbox::model::retry::Retry;
use hookbox::model::scope::Scope;
use hookbox::model::sendable::SendableEvent;
use hookbox::outbound::{Outgoing, render};
use hookbox::signature::{Secret, Signable, github, gogs, standard};
use hookbox::store::{Missing, Store};
use hookbox::time::{Timestamp, parse_span};
use sha2::Sha256;

const NOW: Timestamp = Timestamp(1_772_366_400_000);

fn signatures(criterion: &mut Criterion) {
    let body = payload::push(3_081);
    let secret = Secret::new("topsecret").unwrap();
    let key = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let mut group = criterion.benchmark_group("signature of 3,081 bytes");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("bare HMAC-SHA256", |bencher| {
        bencher.iter(|| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose()).unwrap();
            mac.update(black_box(&body));
            mac.finalize().into_bytes()
        });
    });
    group.bench_function("gogs, sign", |bencher| {
        bencher.iter(|| gogs::sign(&secret, Some("application/json"), black_box(&body)));
    });
    let signed = gogs::sign(&secret, Some("application/json"), &body);
    group.bench_function("gogs, verify", |bencher| {
        bencher.iter(|| {
            gogs::verify(
                &secret,
                Some("application/json"),
                black_box(&body),
                Some(&signed),
            )
            .unwrap();
        });
    });
    group.bench_function("github, sign", |bencher| {
        bencher.iter(|| github::sign(&secret, black_box(&body)));
    });
    let message = Signable {
        id: "evt_0123456789_1",
        timestamp: NOW,
        content_type: Some("application/json"),
        body: &body,
    };
    group.bench_function("standard, sign", |bencher| {
        bencher.iter(|| standard::sign(&key, black_box(&message)).unwrap());
    });
    group.finish();
}

/// What is read from a payload when it comes, beside reading all of it and keeping nothing.
fn payloads(criterion: &mut Criterion) {
    let body = payload::push(3_081);
    let mut group = criterion.benchmark_group("payload of 3,081 bytes");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("bare read of JSON", |bencher| {
        bencher.iter(|| {
            serde_json::from_slice::<serde::de::IgnoredAny>(black_box(&body)).unwrap();
        });
    });
    group.bench_function("summary and branch", |bencher| {
        bencher.iter(|| Facts::read(Some(SourceKind::Gogs), "push", None, &[], black_box(&body)));
    });
    let when = Filters {
        when: Some(
            "type == 'push' and body.commits|length > 0"
                .parse()
                .unwrap(),
        ),
        ..Filters::default()
    };
    group.bench_function("an expression over the body", |bencher| {
        bencher.iter(|| when.wants(&Scope::new("push", None, black_box(&body))));
    });
    let lists = Filters {
        types: Some("push,tag*".parse().unwrap()),
        branches: Some("main,release/*".parse().unwrap()),
        ..Filters::default()
    };
    let scope = Scope::new("push", None, &body);
    group.bench_function("types and branches", |bencher| {
        bencher.iter(|| lists.wants(black_box(&scope)));
    });
    group.finish();
}

/// A comment of a megabyte as a message to a chat, beside reading all of its event's JSON: what looks
/// like the beginnings of URLs must cost no more than words.
fn chats(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("h.db"), Missing::Create).unwrap();
    let mut new = NewEndpoint::new("team", "https://chat.example.org/x".parse().unwrap());
    new.format = Format::Chat(Chat::Discord);
    store.add_endpoint(new, NOW).unwrap();
    let endpoint = store.endpoint_report("team").unwrap().endpoint;
    let mut group = criterion.benchmark_group("a comment of 1 MB, to a chat");
    group.sample_size(20);
    for (what, piece) in [
        ("words", "lamp "),
        ("http://@", "http://@"),
        ("http://a/", "http://a/"),
        ("https://a.example/b ", "https://a.example/b "),
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        let body = format!(
            r#"{{"action":"created","issue":{{"number":5}},"comment":{{"body":"{text}"}},"repository":{{"full_name":"l/b"}}}}"#
        );
        let event = || SendableEvent {
            id: EventId(1),
            event_type: "issue_comment".to_owned(),
            original_type: None,
            key: None,
            source: Some(("gogs".to_owned(), SourceKind::Gogs)),
            received: NOW,
            owed: NOW,
            facts: Facts::default(),
            content_type: Some("application/json".to_owned()),
            headers: Vec::new(),
            body: body.clone().into_bytes(),
            hops: ("Hookbox-Path".to_owned(), "0123456789/gogs".to_owned()),
        };
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("bare read of JSON, {what}"), |bencher| {
            bencher.iter(|| {
                serde_json::from_slice::<serde_json::Value>(black_box(body.as_bytes())).unwrap();
            });
        });
        group.bench_function(format!("message, {what}"), |bencher| {
            let outgoing = || Outgoing {
                event: event(),
                webhook_id: "evt_0123456789_1".to_owned(),
                delivery_id: None,
            };
            bencher.iter(|| render(&endpoint, vec![black_box(outgoing())], NOW).unwrap());
        });
    }
    group.finish();
}

fn schedules(criterion: &mut Criterion) {
    let ladder: Retry = "5s,5m,30m,2h,5h,10h,14h,20h,24h".parse().unwrap();
    criterion.bench_function("next moment of a ladder", |bencher| {
        bencher.iter(|| ladder.next(black_box(4), 10, NOW, 0.5));
    });
    let cron: Retry = "cron:0 0 2 * * *".parse().unwrap();
    criterion.bench_function("next moment of a cron schedule", |bencher| {
        bencher.iter(|| cron.next(black_box(4), 10, NOW, 0.5));
    });
}

fn texts(criterion: &mut Criterion) {
    let box_id = BoxId::new("0123456789");
    criterion.bench_function("read an outer id", |bencher| {
        bencher.iter(|| {
            box_id
                .parse_event(black_box("evt_0123456789_8412345"))
                .unwrap()
        });
    });
    criterion.bench_function("show a time", |bencher| {
        bencher.iter(|| black_box(NOW).to_string());
    });
    criterion.bench_function("read a span", |bencher| {
        bencher.iter(|| parse_span(black_box("1h30m")).unwrap());
    });
}

criterion_group!(parts, signatures, payloads, chats, schedules, texts);
criterion_main!(parts);
