//! Every request to pages and API is answered, and never with a 500.

use tiny_http::{Header, Method, Request, TestRequest};

use super::config::{Neighbours, StatusConfig};
use super::route::respond;
use super::state::AppState;
use crate::error::Error;
use crate::fuzz::{fuzz, parts};
use crate::model::endpoint::NewEndpoint;
use crate::model::event::NewEvent;
use crate::store::{Missing, Store};
use crate::time::{ManualClock, Timestamp};

const NOW: Timestamp = Timestamp(1_764_406_800_000);

fn app(folder: &std::path::Path) -> AppState {
    let store = Store::open(folder.join("hookbox.db"), Missing::Create).unwrap();
    let new = NewEndpoint::new("ci", "http://127.0.0.1:1/".parse().unwrap());
    store.add_endpoint(new, NOW).unwrap();
    store.accept(NewEvent::new("push", "{}"), NOW).unwrap();
    let address = "127.0.0.1:8421".parse().unwrap();
    let neighbours = Neighbours {
        events_at: None,
        preview: |_, _, _, _, _, _| Err(Error::misuse("nothing is sent here")),
    };
    let clock = std::sync::Arc::new(ManualClock::at(NOW));
    AppState::new(
        store,
        clock,
        address,
        &StatusConfig::new(address),
        neighbours,
    )
    .unwrap()
}

fn request(method: &str, url: &str, json: bool, body: String) -> Request {
    let method: Method = method.parse().unwrap_or(Method::Get);
    let kind = match json {
        true => "application/json",
        false => "application/x-www-form-urlencoded",
    };
    let request = TestRequest::new()
        .with_method(method)
        .with_path(url)
        .with_header(Header::from_bytes("Host", "127.0.0.1:8421").unwrap())
        .with_header(Header::from_bytes("Content-Type", kind).unwrap())
        // The test request accepts only a static body.
        .with_body(Box::leak(body.into_boxed_str()));
    request.into()
}

#[test]
fn requests() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    let box_id = app.store.box_id().clone();
    let event = box_id.event(crate::model::id::EventId(1));
    let delivery = box_id.delivery(crate::model::id::DeliveryId(1));
    let token = app.guard.token().to_owned();
    let seeds: Vec<String> = [
        "GET\x1f/".to_owned(),
        format!("GET\x1f/events?cursor={event}&type=push&source=x&text=a&since=2h"),
        format!("GET\x1f/deliveries?cursor={delivery}&state=dead&endpoint=ci&until=yesterday"),
        format!("GET\x1f/api/v1/events?cursor={event}&limit=10&since=2026-11-28"),
        format!("GET\x1f/api/v1/deliveries?cursor={delivery}&state=pending&endpoint=ci"),
        "GET\x1f/api/v1/attempts?cursor=1&limit=2".to_owned(),
        "GET\x1f/api/v1/replays?cursor=1".to_owned(),
        format!("GET\x1f/api/v1/events/{event}/body"),
        format!("GET\x1f/delivery/{delivery}"),
        "POST\x1f/api/v1/endpoints\x1f{\"name\":\"a\",\"url\":\"http://127.0.0.1:1/\",\"retry\":\"5s\",\"types\":\"push\"}".to_owned(),
        "PATCH\x1f/api/v1/endpoints/ci\x1f{\"rate\":\"1/1s\",\"window\":\"0 0 22 * * *+8h\",\"timeout\":\"1s\"}".to_owned(),
        "POST\x1f/api/v1/events\x1f{\"type\":\"t\",\"body\":{\"a\":1},\"key\":\"k\"}".to_owned(),
        "POST\x1f/api/v1/replays/preview\x1f{\"endpoint\":\"ci\",\"since\":\"2h\",\"state\":\"dead\"}".to_owned(),
        "POST\x1f/api/v1/prune\x1f{\"before\":\"90d\",\"dry_run\":true}".to_owned(),
        format!("POST\x1f/endpoints/new\x1ftoken={token}&name=b&url=http%3A%2F%2F127.0.0.1%3A1%2F&retry=5s"),
        format!("POST\x1f/replays/new\x1ftoken={token}&endpoint=ci&since=2h&state=dead"),
        "GET\x1f/openapi.json".to_owned(),
        "GET\x1f/metrics".to_owned(),
    ]
    .into();
    let seeds: Vec<&[u8]> = seeds.iter().map(String::as_bytes).collect();
    fuzz(
        "requests",
        &seeds,
        &[
            "\x1f",
            "/api/v1/",
            "events",
            "deliveries",
            "endpoints",
            "sources",
            "replays",
            "attempts",
            "?",
            "&",
            "=",
            "cursor=",
            "limit=",
            "since=",
            "until=",
            "state=",
            "text=",
            "type=",
            "null",
            "[]",
            "{}",
            "true",
            "\"name\":",
            "GET",
            "POST",
            "PATCH",
            "DELETE",
            "PUT",
            "HEAD",
            "%00",
            "%ff",
            "%2e%2e",
            "//",
            "..",
            &event,
            &delivery,
            &token,
        ],
        |input| {
            let [method, url, body] = parts(input);
            let is_json = url.starts_with("/api/");
            let mut request = request(&method, &url, is_json, body);
            let reply = respond(&app, &mut request);
            assert!(
                reply.status < 500,
                "{}",
                String::from_utf8_lossy(&reply.body)
            );
            (reply.status, url.len().min(4))
        },
    );
}
