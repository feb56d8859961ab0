//! What real receivers do to a connection, and what is made of it: kept connections that close, heads
//! that no library takes, certificates as people make them.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver as Inbox, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookbox::model::attempt::Response;
use hookbox::model::attempt::Timing;
use hookbox::model::connection::Authorities;
use hookbox::model::delivery::State;
use hookbox::model::endpoint::{Endpoint, NewEndpoint};
use hookbox::model::header::first_value;
use hookbox::model::id::DeliveryId;
use hookbox::outbound::{Egress, Exchange, OutboundRequest, SendResult, Transport, UreqTransport};
use hookbox::time::SystemClock;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::proxy::{http_connect, proxy, socks5};
use crate::support::{
    Bench, ReceivedRequest, Receiver, Script, TestDb, event, listener, replied as answered,
    wait_until,
};

/// What a receiver does about a request.
pub enum Does {
    Says(Vec<u8>),
    /// Closes the connection without a byte.
    Closes,
    /// Keeps silent.
    Waits,
}

pub const YES: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Does this about the requests of each connection, which are counted from 0.
pub type About = fn(usize) -> Does;

pub trait Wire: Read + Write + Send {}

impl<T: Read + Write + Send> Wire for T {}

/// A receiver, over TLS where it has a certificate and its key.
pub fn listen(
    identity: Option<(String, String)>,
    about: About,
) -> (SocketAddr, Inbox<ReceivedRequest>) {
    let config = identity.map(|(certificate, key)| Arc::new(tls_config(&certificate, &key)));
    let (listener, address) = listener();
    let (sender, got) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (sender, config) = (sender.clone(), config.clone());
            std::thread::spawn(move || {
                let wire: Box<dyn Wire> = match config {
                    None => Box::new(stream),
                    Some(config) => {
                        let connection = ServerConnection::new(config).unwrap();
                        Box::new(StreamOwned::new(connection, stream))
                    }
                };
                let mut wire = BufReader::new(wire);
                for number in 0.. {
                    let Some(request) = ReceivedRequest::read(&mut wire) else {
                        return;
                    };
                    let _ = sender.send(request);
                    match about(number) {
                        Does::Says(answer) => {
                            let _ = wire.get_mut().write_all(&answer);
                            let _ = wire.get_mut().flush();
                        }
                        Does::Closes => return,
                        Does::Waits => std::thread::park(),
                    }
                }
            });
        }
    });
    (address, got)
}

pub fn tls_config(certificate: &str, key: &str) -> ServerConfig {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap);
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.collect(), key)
        .unwrap()
}

pub fn endpoint(url: &str, change: impl FnOnce(&mut NewEndpoint)) -> Endpoint {
    let bench = Bench::new(Script::default());
    bench.endpoint_with("ci", |new| {
        new.url = url.parse().unwrap();
        new.timeout = Duration::from_secs(10);
        change(new);
    });
    bench.store.endpoint_report("ci").unwrap().endpoint
}

pub fn transport() -> UreqTransport {
    UreqTransport::new(Arc::new(SystemClock::new()), Egress::default())
}

pub fn send(
    transport: &UreqTransport,
    endpoint: &Endpoint,
    headers: &[(&str, &str)],
) -> SendResult {
    let headers = headers.iter();
    let request = OutboundRequest {
        method: endpoint.set.connection.method,
        url: endpoint.set.url.clone(),
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: b"{\"lamp\":1}".to_vec(),
    };
    transport.send(endpoint, &request).result
}

pub fn replied(answer: SendResult) -> Response {
    match answer {
        SendResult::Replied(reply) => reply,
        other => panic!("{other:?}"),
    }
}

/// As `openssl req -x509 -subj /CN=NAME` makes it: self-signed, CA:TRUE, used as the server's own.
pub fn self_signed(names: &[&str], days: std::ops::Range<i64>) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "lamp.lan");
    let year = |year: i64| rcgen::date_time_ymd(i32::try_from(year).unwrap(), 1, 1);
    (params.not_before, params.not_after) = (year(days.start), year(days.end));
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// Cause: a receiver may close a kept connection just as the next request goes out. Damage: with
/// `--retry none` 11 to 150 of 300 deliveries died. Cure: what was sent on a kept connection that
/// ends without a byte of reply is sent again at once on a fresh one.
#[test]
fn a_kept_connection_that_closes_costs_no_try_also_over_tls_and_through_proxies() {
    let twice: About = |number| match number {
        0 => Does::Says(YES.to_vec()),
        _ => Does::Closes,
    };
    let identity = self_signed(&["127.0.0.1"], 2020..2090);
    let ca: Authorities = identity.0.parse().unwrap();
    for over in [
        "plain",
        "tls",
        "connect",
        "connect-tls",
        "socks",
        "socks-tls",
    ] {
        let is_tls = over.contains("tls");
        let (address, got) = listen(is_tls.then(|| identity.clone()), twice);
        let through = match over.split('-').next() {
            Some("connect") => Some(format!("http://u:hunter2@{}", proxy(http_connect).0)),
            Some("socks") => Some(format!("socks5://{}", proxy(socks5).0)),
            _ => None,
        };
        let scheme = if is_tls { "https" } else { "http" };
        let endpoint = endpoint(&format!("{scheme}://{address}/"), |new| {
            new.connection.ca = Some(ca.clone());
            new.connection.proxy = through.map(|url| url.parse().unwrap());
        });
        let transport = transport();
        for number in 0..20 {
            let reply = replied(send(&transport, &endpoint, &[]));
            assert_eq!(
                (reply.status, &reply.body[..]),
                (200, &b"ok"[..]),
                "{over} {number}"
            );
        }
        // Each request after the first went out on a kept connection first.
        assert_eq!(got.try_iter().count(), 39, "{over}");
    }
}

#[test]
fn a_connection_that_is_taken_and_closed_without_a_byte_is_an_outage() {
    // As a tunnel or a port forwarder does whose far end is away.
    let (address, _got) = listen(None, |_| Does::Closes);
    let forwarder = endpoint(&format!("http://{address}/"), |_| {});
    let SendResult::Closed { error } = send(&transport(), &forwarder, &[]) else {
        panic!("nobody is there");
    };
    assert!(error.contains("closed before any reply"), "{error}");
    // One that takes the request and says nothing may have seen it.
    let (address, _got) = listen(None, |_| Does::Waits);
    let silent = endpoint(&format!("http://{address}/"), |new| {
        new.timeout = Duration::from_millis(200);
    });
    let answer = send(&transport(), &silent, &[]);
    assert!(matches!(answer, SendResult::Broken { .. }), "{answer:?}");
    // And so may one that breaks off in the middle of its reply.
    let (address, _got) = listen(None, |number| match number {
        0 => Does::Says(b"HTTP/1.".to_vec()),
        _ => Does::Closes,
    });
    let broken = endpoint(&format!("http://{address}/"), |new| {
        new.timeout = Duration::from_millis(200);
    });
    let answer = send(&transport(), &broken, &[]);
    assert!(matches!(answer, SendResult::Broken { .. }), "{answer:?}");
}

/// Takes every connection and closes those of type `poison`, as a firewall or a handler does that breaks off.
struct Picky {
    got: Mutex<Vec<String>>,
    is_away: AtomicBool,
}

impl Transport for Picky {
    fn send(&self, _: &Endpoint, request: &OutboundRequest) -> Exchange {
        let event_type = first_value(&request.headers, "X-Hookbox-Type")
            .unwrap()
            .to_owned();
        self.got.lock().unwrap().push(event_type.clone());
        let is_closed = event_type == "poison" || self.is_away.load(Ordering::Relaxed);
        let error = "the connection was closed before any reply".to_owned();
        Exchange {
            timing: Timing::default(),
            result: if is_closed {
                SendResult::Closed { error }
            } else {
                answered(200)
            },
        }
    }
}

/// Cause: a new connection that is closed without a byte was an outage, whose probe was always the oldest
/// delivery. Damage: one request that the receiver does not like kept all others waiting for ever. Cure:
/// another delivery is the next probe, and what alone is closed on spends its tries.
#[test]
fn a_request_that_closes_its_connection_blocks_no_other_and_ends() {
    let picky = Arc::new(Picky {
        got: Mutex::default(),
        is_away: AtomicBool::new(false),
    });
    let mut bench = Bench::over(|_, _| picky.clone());
    bench.endpoint_with("ci", |new| new.retry = "1s,1s".parse().unwrap());
    let now = bench.now();
    for event_type in ["poison", "poison", "good", "poison", "good", "good"] {
        bench.store.accept(event(event_type), now).unwrap();
    }
    let run = |bench: &mut Bench, seconds: u64| {
        for _ in 0..seconds {
            bench.run_due();
            bench.advance(Duration::from_secs(1));
        }
    };
    run(&mut bench, 60);
    let count = |wanted: &str| {
        picky
            .got
            .lock()
            .unwrap()
            .iter()
            .filter(|one| *one == wanted)
            .count()
    };
    assert_eq!(count("good"), 3);
    let state = |id| bench.store.delivery(DeliveryId(id)).unwrap().state;
    for (id, expected) in [
        (1, State::Dead),
        (2, State::Dead),
        (3, State::Delivered),
        (4, State::Dead),
        (6, State::Delivered),
    ] {
        assert_eq!(state(id), expected, "{id}");
    }
    assert!(count("poison") < 40, "{}", count("poison"));
    // Where it is away for all, no tries are spent.
    picky.is_away.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        bench.store.accept(event("good"), bench.now()).unwrap();
    }
    run(&mut bench, 3_600);
    for id in [7, 8, 9] {
        let row = bench.store.delivery(DeliveryId(id)).unwrap();
        assert_eq!((row.state, row.tries), (State::Pending, 0), "{id}");
    }
    picky.is_away.store(false, Ordering::Relaxed);
    run(&mut bench, 120);
    let row = bench.store.delivery(DeliveryId(9)).unwrap();
    assert_eq!(row.state, State::Delivered);
}

#[test]
fn a_head_as_large_as_one_that_came_in_goes_out() {
    let (address, got) = listen(None, |_| Does::Says(YES.to_vec()));
    let endpoint = endpoint(&format!("http://{address}/"), |_| {});
    let transport = transport();
    let long = "x".repeat(60_000);
    for value in ["short", &long, "short", &long] {
        let reply = replied(send(&transport, &endpoint, &[("X-Long", value)]));
        assert_eq!(reply.status, 200);
        assert_eq!(got.recv().unwrap().header("X-Long"), Some(value));
    }
    let many: Vec<(String, String)> = (0..90)
        .map(|number| (format!("X-Number-{number}"), "y".repeat(600)))
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(replied(send(&transport, &endpoint, &many)).status, 200);
}

/// What people make with `openssl req -x509` and give to both sides (gogs/gogs#891).
#[test]
fn a_given_certificate_is_trusted_as_it_is_and_otherwise_the_fault_is_named() {
    let with_name = self_signed(&["127.0.0.1"], 2020..2090);
    let cn_only = self_signed(&[], 2020..2090);
    let other_name = self_signed(&["lamp.lan"], 2020..2090);
    let ended = self_signed(&["127.0.0.1"], 2020..2021);
    let not_begun = self_signed(&["127.0.0.1"], 2080..2090);
    let stranger = self_signed(&["127.0.0.1"], 2020..2090);
    let outcome = |identity: &(String, String), ca: Option<&str>| {
        let (address, _got) = listen(Some(identity.clone()), |_| Does::Says(YES.to_vec()));
        let endpoint = endpoint(&format!("https://{address}/"), |new| {
            new.connection.ca = ca.map(|pem| pem.parse().unwrap());
        });
        match send(&transport(), &endpoint, &[]) {
            SendResult::Replied(reply) => reply.status.to_string(),
            SendResult::Unreachable { error } => error,
            other => panic!("{other:?}"),
        }
    };
    for identity in [&with_name, &cn_only, &other_name] {
        assert_eq!(outcome(identity, Some(&identity.0)), "200");
    }
    for (identity, ca, says) in [
        (&with_name, None, "--ca"),
        (&with_name, Some(&stranger.0), "--ca"),
        (&cn_only, None, "--ca"),
        (&ended, Some(&ended.0), "has ended"),
        (&not_begun, Some(&not_begun.0), "clock"),
    ] {
        let error = outcome(identity, ca.map(String::as_str));
        assert!(error.contains(says), "{error}");
    }
    // What speaks no TLS is told apart.
    let (plain, address) = listener();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = plain.accept().unwrap();
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let endpoint = endpoint(&format!("https://{address}/"), |_| {});
    match send(&transport(), &endpoint, &[]) {
        SendResult::Unreachable { error } => assert!(error.contains("http://"), "{error}"),
        other => panic!("{other:?}"),
    }
    server.join().unwrap();
    let here = TestDb::new();
    let bad = here.folder.path().join("bad.pem");
    std::fs::write(
        &bad,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let refused = here.run(&[
        "endpoint",
        "add",
        "x",
        "https://h/",
        "--ca",
        bad.to_str().unwrap(),
    ]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("openssl req -x509"),
        "{}",
        refused.stderr
    );
}

#[test]
fn what_can_never_be_sent_is_refused_when_it_is_set() {
    let here = TestDb::new();
    let long = format!("http://h/{}", "x".repeat(8_000));
    let header = format!("X-Long: {}", "x".repeat(20_000));
    for (arguments, says) in [
        (&["http://169.254.169.254/"][..], "never sent to"),
        (&["http://[fe80::1]/"], "never sent to"),
        (&["http://2852039166/"], "a.b.c.d"),
        (&["http://mira:hunter2@h/"], "--auth basic:"),
        (&[&long], "limit is"),
        (&["http://h/", "--header", &header], "limit is"),
    ] {
        let mut all = vec!["endpoint", "add", "x"];
        all.extend_from_slice(arguments);
        let refused = here.run(&all);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
        assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    }
    assert!(!here.is_made());
}

#[test]
fn a_receiver_that_closes_kept_connections_gets_everything_at_the_first_try() {
    // As many servers do: a few requests, then the connection ends without a word of it.
    let (address, _got) = listen(None, |number| match number {
        0..3 => Does::Says(YES.to_vec()),
        _ => Does::Closes,
    });
    let here = TestDb::new();
    here.add_endpoint("ci", &format!("http://{address}/"), &["--retry", "none"]);
    let _served = here.serve();
    for _ in 0..60 {
        here.json(&["enqueue", "--type", "x", "--data", "{}"]);
    }
    wait_until("all of them to arrive", || {
        let stats = here.json(&["stats"]);
        assert_eq!(stats["dead"], 0);
        (stats["delivered"] == 60).then_some(())
    });
    let _ = TcpStream::connect(address);
}

#[test]
fn what_the_event_is_and_where_it_belongs_passes_and_what_is_asked_for() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    assert_eq!(
        here.run(&["source", "add", "in", "--kind", "generic"]).code,
        0
    );
    here.add_endpoint(
        "ci",
        &receiver.url,
        &["--forward-headers", "accept-language,x-request-*,host"],
    );
    let served = here.serve();
    let headers = [
        ("ce-id", "A234-1234-1234"),
        ("ce-source", "/lamps/1"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ("tracestate", "lamp=1"),
        ("baggage", "keeper=mira"),
        ("Accept-Language", "de"),
        ("X-Request-Id", "r-1"),
        ("Accept", "application/json"),
        ("Authorization", "Bearer hunter2"),
    ];
    assert_eq!(served.post("/in/in", &headers, b"{}").0, 202);
    let got = receiver.next();
    for (name, value) in &headers[..7] {
        assert_eq!(got.header(name), Some(*value), "{name}");
    }
    assert_ne!(got.header("Accept"), Some("application/json"));
    assert_eq!(got.header("Authorization"), None);
    assert_eq!(
        got.header("Host"),
        Some(receiver.address.to_string().as_str())
    );
    let refused = here.run(&[
        "endpoint",
        "set",
        "ci",
        "--forward-headers",
        "authorization",
    ]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--auth"), "{}", refused.stderr);
}
