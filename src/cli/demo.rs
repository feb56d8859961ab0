//! `hookbox demo`: shows a delivery with retries, without any setup.
//!
//! It runs the real service on a temporary file, with its own receiver that fails twice and then verifies
//! and accepts. Everything it prints is read from the store or from the wire.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tiny_http::{Response, Server};
use tokio::signal::unix::SignalKind;

use super::Context;
use super::serve::Signals;
use crate::error::{Error, Result};
use crate::inbound::IngestConfig;
use crate::model::delivery::State;
use crate::model::endpoint::NewEndpoint;
use crate::model::kind::SourceKind;
use crate::model::settings::Selection;
use crate::model::source::NewSource;
use crate::service::{Parts, Service, ServiceConfig};
use crate::signature::{Scheme, Secret, Signable, gogs, standard};
use crate::status::StatusConfig;
use crate::store::Location;
use crate::time::{Timestamp, show_span};

/// A Gogs push in the documented format; people and hosts are invented.
const PUSH: &str = include_str!("../../examples/payloads/gogs-push.json");

/// The secret that the demo's Gogs signs with.
const GOGS_SECRET: &str = "demo-secret-of-gogs";

/// The secret of the demo's endpoint: 32 bytes whose text says that they are no real secret.
const ENDPOINT_SECRET: &str = "whsec_aG9va2JveC1kZW1vLW5vdC1hLXNlY3JldC0zMmJ5dGU=";

/// Longest time the demo waits for its delivery: three tries take about three seconds.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// End once the event is delivered, instead of keeping the page up
    #[arg(long)]
    exit: bool,
}

/// How often the demo checks whether the delivery is recorded.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What the demo's receiver saw.
struct Seen {
    status: u16,
    bytes: usize,
    body: Vec<u8>,
    signature: &'static str,
}

pub(super) fn run(context: &Context, arguments: &DemoArguments) -> Result<()> {
    // With --json only the result is printed.
    let say = |text: &str| {
        if context.out.is_json() {
            Ok(())
        } else {
            context.out.line(text)
        }
    };
    // Also where the terminal is closed: its folder goes with it.
    let signals = Signals::listen(&[
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ])?;
    let folder =
        tempfile::tempdir().map_err(|error| Error::io("make a temporary folder", error))?;
    let (receiver_address, seen) = start_receiver()?;
    let service = start_service(context, folder.path())?;
    let both = "the demo has both ways to be asked";
    let ingest = service.ingest_address().expect(both);
    let status = service.status_address().expect(both);
    set_up(context, &service, receiver_address)?;
    say("hookbox demo: a temporary store, one source, one endpoint")?;
    say(&format!(
        "  source    gogs   signed pushes at http://{ingest}/in/gogs"
    ))?;
    say(&format!(
        "  endpoint  ci     http://{receiver_address}/ signed as Standard Webhooks; retries after 1s, 2s"
    ))?;
    say("  receiver         answers 500, then 503, then verifies the signature and accepts")?;
    say("")?;
    let began = context.clock.elapsed();
    let tell = |text: String| {
        let at = context.clock.elapsed().saturating_sub(began);
        say(&format!("{:>7.3}s  {text}", at.as_secs_f64()))
    };

    let (status_code, answer, took) = push(context, ingest)?;
    tell(format!(
        "Gogs pushes {} bytes; hookbox has them on disk and answers {status_code} in {}",
        PUSH.len(),
        ms(took)
    ))?;
    tell(format!("  {}", answer.trim()))?;
    for number in 1..=3 {
        let seen = seen.recv_timeout(PATIENCE).map_err(|_| {
            Error::io(
                "finish the demo",
                std::io::Error::other("the receiver waited too long"),
            )
        })?;
        tell(format!(
            "attempt {number}: the receiver got {} bytes{} and answers {}",
            seen.bytes, seen.signature, seen.status
        ))?;
        if seen.status == 200 && seen.body != PUSH.as_bytes() {
            return Err(Error::io(
                "finish the demo",
                std::io::Error::other("the body was changed on the way"),
            ));
        }
    }
    let delivery = wait_until_delivered(context, &service)?;
    tell(format!(
        "delivered after {} tries; the body is byte for byte what Gogs sent",
        delivery.tries
    ))?;
    say("")?;
    let page = format!(
        "http://{status}/deliveries/{}",
        service.store().box_id().delivery(delivery.id)
    );
    if context.out.is_json() {
        let store = service.store();
        context
            .out
            .fields(&delivery.json(store.box_id(), context.now()))?;
    }
    if arguments.exit {
        say("done: accepted, retried, delivered, verified")?;
    } else {
        say(&format!("Look at every attempt, and press Replay: {page}"))?;
        say("Ctrl-C ends the demo and removes its store.")?;
        signals.wait();
    }
    service.stop();
    Ok(())
}

fn start_service(context: &Context, folder: &std::path::Path) -> Result<Service> {
    let free: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 0));
    let usual = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let config = |ingest, status| ServiceConfig {
        database: Location::File(folder.join("demo.db")),
        parts: Parts {
            ingest: Some(IngestConfig::new(ingest)),
            status: Some(StatusConfig::new(status)),
            ..Parts::default()
        },
    };
    // The default ports are easier to read, but a service that already runs uses them.
    Service::start(&config(usual(8420), usual(8421)), context.clock.clone())
        .or_else(|_| Service::start(&config(free, free), context.clock.clone()))
}

fn set_up(context: &Context, service: &Service, receiver: SocketAddr) -> Result<()> {
    let now = context.now();
    service.store().add_source(
        NewSource {
            secret: Some(Secret::new(GOGS_SECRET)?),
            ..NewSource::new("gogs", SourceKind::Gogs)
        },
        now,
    )?;
    let mut endpoint = NewEndpoint::new("ci", format!("http://{receiver}/").parse()?);
    endpoint.scheme = Scheme::Standard;
    endpoint.secret = Some(Secret::new(ENDPOINT_SECRET)?);
    endpoint.retry = "1s,2s".parse()?;
    service.store().add_endpoint(endpoint, now)?;
    Ok(())
}

/// Posts the push as Gogs does; returns the status, the response, and how long it took.
fn push(context: &Context, ingest: SocketAddr) -> Result<(u16, String, Duration)> {
    let signature = gogs::sign(
        &Secret::new(GOGS_SECRET)?,
        Some("application/json"),
        PUSH.as_bytes(),
    );
    let began = context.clock.elapsed();
    let cannot = |error: ureq::Error| Error::io("post the demo's push", error.into_io());
    let mut response = ureq::post(format!("http://{ingest}/in/gogs"))
        .header("Content-Type", "application/json")
        .header("User-Agent", "GogsServer")
        .header("X-Gogs-Event", "push")
        .header("X-Gogs-Delivery", "2f1d0c5e-6b7a-4c3d-9e8f-0a1b2c3d4e5f")
        .header("X-Gogs-Signature", &signature)
        .send(PUSH)
        .map_err(cannot)?;
    let took = context.clock.elapsed().saturating_sub(began);
    let answer = response.body_mut().read_to_string().map_err(cannot)?;
    Ok((response.status().as_u16(), answer, took))
}

/// Starts the receiver; returns its address and the requests that it sees.
fn start_receiver() -> Result<(SocketAddr, Receiver<Seen>)> {
    let server = Server::http("127.0.0.1:0").map_err(|error| {
        Error::io(
            "start the demo's receiver",
            std::io::Error::other(error.to_string()),
        )
    })?;
    let address = server.server_addr().to_ip().ok_or_else(|| {
        Error::io(
            "start the demo's receiver",
            std::io::Error::other("it has no address"),
        )
    })?;
    let (sender, seen) = channel();
    std::thread::Builder::new()
        .name("receiver".to_owned())
        .spawn(move || receive(&server, &sender))
        .map_err(|error| Error::io("start the demo's receiver", error))?;
    Ok((address, seen))
}

fn receive(server: &Server, seen: &Sender<Seen>) {
    for (index, mut request) in server.incoming_requests().enumerate() {
        let mut body = Vec::new();
        let _ = request.as_reader().read_to_end(&mut body);
        let (status, signature) = match index {
            0 => (500, ""),
            1 => (503, ""),
            _ if is_signed(&request, &body) => (200, ", the signature checks,"),
            _ => (401, ", the signature is wrong,"),
        };
        let _ = request.respond(Response::empty(status));
        // A replay from the status page may come after the demo stopped listening for results.
        let _ = seen.send(Seen {
            status,
            bytes: body.len(),
            body,
            signature,
        });
    }
}

/// Verifies as a receiver does, from the request alone.
fn is_signed(request: &tiny_http::Request, body: &[u8]) -> bool {
    let value = |name: &'static str| {
        request
            .headers()
            .iter()
            .find(|header| header.field.equiv(name))
            .map(|header| header.value.as_str())
    };
    let seconds = value("webhook-timestamp").and_then(|text| text.parse::<i64>().ok());
    let (Some(id), Some(seconds), Ok(secret)) =
        (value("webhook-id"), seconds, Secret::new(ENDPOINT_SECRET))
    else {
        return false;
    };
    let message = Signable {
        id,
        timestamp: Timestamp(seconds * 1000),
        content_type: None,
        body,
    };
    standard::verify(&secret, &message, value(standard::HEADER)).is_ok()
}

/// Waits until the receiver's success is recorded; returns the delivery.
#[allow(
    clippy::disallowed_methods,
    reason = "the demo watches from outside, as a person who reloads the page does"
)]
fn wait_until_delivered(
    context: &Context,
    service: &Service,
) -> Result<crate::model::delivery::DeliveryRecord> {
    let deadline = context.clock.elapsed() + PATIENCE;
    loop {
        let deliveries = service.store().deliveries(&Selection::default(), 1)?;
        if let Some(delivery) = deliveries
            .into_iter()
            .find(|delivery| delivery.state == State::Delivered)
        {
            return Ok(delivery);
        }
        if context.clock.elapsed() > deadline {
            let stats = json!(service.store().stats()?.json()).to_string();
            return Err(Error::io(
                "finish the demo",
                std::io::Error::other(format!(
                    "not delivered within {}: {stats}",
                    show_span(PATIENCE)
                )),
            ));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn ms(span: Duration) -> String {
    format!("{:.1} ms", span.as_micros() as f64 / 1000.0)
}
