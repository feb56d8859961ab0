//! Any event can be sent, and any response can be judged.

use std::mem::discriminant;

use super::format::{Outgoing, render};
use super::policy::{AnswerTo, AttemptContext, judge};
use super::transport::SendResult;
use crate::fuzz::{fuzz, kind_of, parts};
use crate::model::activity::Facts;
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::endpoint::{Endpoint, Format, NewEndpoint};
use crate::model::id::{EndpointId, EventId};
use crate::model::kind::SourceKind;
use crate::model::sendable::SendableEvent;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp(1_764_406_800_000);

/// Creates one endpoint of each format.
fn endpoints() -> Vec<Endpoint> {
    let made = |format: Option<Format>| {
        let mut new = NewEndpoint::new("e", "https://r.example.org/h?key=abc".parse().unwrap());
        if let Some(format) = format {
            new.format = format;
        }
        new.stored_as(EndpointId(1))
    };
    let chats = Chat::ALL.map(|chat| Some(Format::Chat(chat)));
    chats.into_iter().chain([None]).map(made).collect()
}

#[test]
fn replies() {
    let endpoints = endpoints();
    fuzz(
        "replies",
        &[
            b"200\x1f\x1f{\"errcode\":0,\"errmsg\":\"ok\"}",
            b"200\x1f\x1f{\"errcode\":45009,\"errmsg\":\"api freq out of limit\"}",
            b"200\x1f\x1f{\"code\":11232,\"msg\":\"frequency limited\",\"data\":{}}",
            b"429\x1fretry-after: 30\x1f{\"message\":\"limited\",\"retry_after\":0.3,\"global\":false}",
            b"503\x1fretry-after: Sun, 06 Nov 1994 08:49:37 GMT\x1f<html>",
            b"404\x1fcontent-type: text/plain\x1fno_service",
            b"302\x1flocation: /login\x1f",
            b"200\x1fcontent-type: text/html\x1f<!doctype html><title>Sign in</title>",
        ],
        &[
            "\x1f", "retry-after: ", "x-ratelimit-reset: ", "errcode", "code", "StatusCode", "retry_after", "ok",
            "invalid_payload", "310000", "130101", "9499", "19001", "null", "true", "{}", "location: ", "\r\n",
        ],
        |input| {
            let [status, headers, body] = parts(input);
            let headers = headers.lines().filter_map(|line| line.split_once(": "));
            let reply = Response {
                status: status.parse().unwrap_or(200),
                headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
                body: body.into_bytes(),
                truncated: input.len() % 7 == 0,
                unreadable: None,
            };
            let answer = SendResult::Replied(reply);
            let judged = endpoints.iter().map(|endpoint| {
                let context = AttemptContext {
                    tries: (input.len() % 9) as u32,
                    now: NOW,
                    chance: 0.5,
                    deadline: None, to: AnswerTo::Alone,
                };
                let decision = judge(endpoint, &answer, context);
                (discriminant(&decision.change), decision.pause.is_some(), decision.hold.is_some())
            });
            judged.collect::<Vec<_>>()
        },
    );
}

#[test]
fn messages() {
    let endpoints = endpoints();
    fuzz(
        "messages",
        &[
            b"gogs\x1fpush\x1f{\"ref\":\"refs/heads/main\",\"commits\":[{\"id\":\"c1\",\"message\":\"a\\nb\",\"url\":\"https://x/c1\",\"author\":{\"name\":\"mira\"}}],\"compare_url\":\"https://x/c\",\"repository\":{\"full_name\":\"lighthouse/beacon\",\"html_url\":\"https://x\"},\"pusher\":{\"login\":\"mira\"}}",
            b"gitlab\x1fPipeline Hook\x1f{\"object_kind\":\"pipeline\",\"object_attributes\":{\"id\":7,\"status\":\"failed\",\"duration\":63},\"project\":{\"path_with_namespace\":\"a/b\",\"web_url\":\"https://x\"},\"user\":{\"name\":\"m\"}}",
            b"github\x1fpull_request\x1f{\"action\":\"opened\",\"number\":7,\"pull_request\":{\"title\":\"<b>*x*</b> @all\",\"html_url\":\"https://x\",\"base\":{\"ref\":\"main\"},\"head\":{\"ref\":\"f\"}},\"repository\":{\"full_name\":\"a/b\"},\"sender\":{\"login\":\"m\"}}",
            b"gitee\x1fIssue Hook\x1f{\"hook_name\":\"issue_hooks\",\"action\":\"open\",\"issue\":{\"title\":\"t\",\"number\":\"I1\"},\"password\":\"p\",\"repository\":{\"full_name\":\"a/b\"}}",
            b"generic\x1forder.paid\x1f{\"total\":42,\"items\":[1,2,3]}",
            b"generic\x1ft\x1fplain text",
        ],
        &[
            "\x1f", "push", "issues", "release", "note", "comment", "tag_push", "build", "wiki_page", "null", "[]", "{}",
            "<!channel>", "@everyone", "<at user_id=\"all\">", "](http://x)", "```", "\\u0000", "\\n", "https://", "javascript:",
        ],
        |input| {
            let [kind, event_type, body] = parts(input);
            let kind = kind.parse().unwrap_or(SourceKind::Generic);
            let json = Some("application/json");
            let facts = Facts::read(Some(kind), &event_type, json, &[], body.as_bytes());
            let said = endpoints.iter().map(|endpoint| {
                let event = SendableEvent {
                    hops: ("Hookbox-Path".to_owned(), "x/in".to_owned()),
                    id: EventId(7),
                    event_type: event_type.clone(),
                    original_type: None,
                    key: None,
                    source: Some(("s".to_owned(), kind)),
                    received: NOW,
                    owed: NOW,
                    facts: facts.clone(),
                    content_type: Some("application/json".to_owned()),
                    headers: Vec::new(),
                    body: body.clone().into_bytes(),
                };
                let outgoing = Outgoing {
                    event,
                    webhook_id: "evt_x_7".to_owned(),
                    delivery_id: None,
                };
                let count = endpoint.set.batch_max().min(1 + body.len() % 3);
                match render(endpoint, vec![outgoing; count], NOW) {
                    Err(error) => kind_of(&error.to_string()),
                    Ok(request) => {
                        // A chat is always sent JSON, whatever the event holds.
                        if endpoint.set.chat().is_some() {
                            let made = serde_json::from_slice::<serde_json::Value>(&request.body);
                            assert!(made.is_ok(), "{}", request.body.escape_ascii());
                        }
                        (request.body.len() / 100).min(40).to_string()
                    }
                }
            });
            said.collect::<Vec<_>>()
        },
    );
}
