//! Receivers, visitors and senders that mean harm: each gets its answer, and nobody else feels it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::webdriver::{Browser, no_browser};
use crate::support::{PUSH, ReceivedRequest, Receiver, TestDb, raw, say, serve_each, wait_until};

/// What a receiver does with a request: it is given the connection once the request is read.
type Behaviour = fn(&mut TcpStream);

/// Says something and closes.
macro_rules! says {
    ($text:expr) => {
        |stream: &mut TcpStream| {
            let _ = stream.write_all($text.as_ref());
            let _ = stream.shutdown(Shutdown::Write);
        }
    };
}

/// Goes on with something until nobody takes it.
fn forever(stream: &mut TcpStream, first: &[u8], more: &[u8], pause: Duration) {
    let mut sent = stream.write_all(first);
    let mut silence = [0; 1];
    let _ = stream.set_read_timeout(Some(pause.max(Duration::from_millis(1))));
    while sent.is_ok() {
        sent = stream.write_all(more);
        if !pause.is_zero() && matches!(stream.read(&mut silence), Ok(0)) {
            return;
        }
    }
}

/// Waits, without a word, until the other side has had enough.
fn silent(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 1]);
}

const KINDS: [(&str, Behaviour); 41] = [
    ("closes at once", |stream| {
        drop(stream.shutdown(Shutdown::Both))
    }),
    ("is silent", silent),
    ("says half a status line", says!("HTTP/1.1 2")),
    ("stops in the head", says!("HTTP/1.1 200 OK\r\nContent-Le")),
    ("says half a head and waits", |stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: y");
        silent(stream);
    }),
    ("drips a head", |stream| {
        forever(
            stream,
            b"HTTP/1.1 200 OK\r\n",
            b"X: y\r\n",
            Duration::from_millis(20),
        );
    }),
    ("drips a body", |stream| {
        forever(
            stream,
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
            b"x",
            Duration::from_millis(20),
        );
    }),
    ("an endless head", |stream| {
        forever(
            stream,
            b"HTTP/1.1 200 OK\r\n",
            &[b"X: ", &[b'y'; 4_000][..], b"\r\n"].concat(),
            Duration::ZERO,
        );
    }),
    ("an endless line", |stream| {
        forever(
            stream,
            b"HTTP/1.1 200 OK\r\nX: ",
            &[b'y'; 65_536],
            Duration::ZERO,
        );
    }),
    ("an endless status line", |stream| {
        forever(stream, b"HTTP/1.1 200 ", &[b'y'; 65_536], Duration::ZERO);
    }),
    ("an endless body", |stream| {
        forever(
            stream,
            b"HTTP/1.1 200 OK\r\n\r\n",
            &[b'y'; 65_536],
            Duration::ZERO,
        );
    }),
    ("an endless chunk", |stream| {
        forever(
            stream,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
            &[b'y'; 65_536],
            Duration::ZERO,
        );
    }),
    ("endless chunks of one byte", |stream| {
        forever(
            stream,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            &b"1\r\ny\r\n".repeat(1_000),
            Duration::ZERO,
        );
    }),
    ("endless trailers", |stream| {
        forever(
            stream,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            &b"X: y\r\n".repeat(1_000),
            Duration::ZERO,
        );
    }),
    ("endless 100s", |stream| {
        forever(
            stream,
            b"",
            &b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100),
            Duration::ZERO,
        );
    }),
    ("endless 103s", |stream| {
        forever(
            stream,
            b"",
            &b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(100),
            Duration::ZERO,
        );
    }),
    (
        "thousands of headers",
        says!(format!(
            "HTTP/1.1 200 OK\r\n{}\r\n",
            "X-A: b\r\n".repeat(5_000)
        )),
    ),
    (
        "a header of 1 MB",
        says!(format!(
            "HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n",
            "b".repeat(1_000_000)
        )),
    ),
    (
        "a length of 2^64",
        says!("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\nx"),
    ),
    (
        "a length of 2^63",
        says!("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nx"),
    ),
    (
        "a length below zero",
        says!("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx"),
    ),
    (
        "two lengths",
        says!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy"),
    ),
    (
        "a length and chunks",
        says!(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
    ),
    (
        "a chunk size that is none",
        says!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n"),
    ),
    (
        "a chunk size of 2^64",
        says!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\nx\r\n"),
    ),
    (
        "a chunk that breaks off",
        says!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nx"),
    ),
    (
        "a body that breaks off",
        says!("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx"),
    ),
    (
        "two replies",
        says!(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
        ),
    ),
    (
        "a reply and more",
        says!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ),
    (
        "status 000",
        says!("HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n"),
    ),
    (
        "status 999",
        says!("HTTP/1.1 999 Nine\r\nContent-Length: 0\r\n\r\n"),
    ),
    ("status 99999", says!("HTTP/1.1 99999 Many\r\n\r\n")),
    (
        "status 101",
        says!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
    ),
    ("HTTP/2", says!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    (
        "HTTP/9.9",
        says!("HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ),
    ("another protocol", says!("SSH-2.0-OpenSSH_9.2\r\n")),
    ("TLS", says!([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46])),
    ("zeros", says!([0_u8; 100_000])),
    (
        "control characters and escapes",
        says!(
            "HTTP/1.1 500 \x1b[31mred\x07\r\nX-A: \x1b]0;owned\x07\r\nContent-Length: 22\r\n\r\n\x1b[2J\x1b]52;c;b3duZWQ=\x07\0\r\n\u{202e}"
        ),
    ),
    (
        "a redirect into the machine",
        says!(
            "HTTP/1.1 307 No\r\nLocation: http://169.254.169.254/latest/meta-data/\r\nContent-Length: 0\r\n\r\n"
        ),
    ),
    (
        "a wait of a thousand years",
        says!(
            "HTTP/1.1 503 No\r\nRetry-After: 99999999999999999999\r\nX-RateLimit-Reset: 1e999\r\nContent-Length: 0\r\n\r\n"
        ),
    ),
];

/// Listens as a receiver of this kind.
fn receiver(behaviour: Behaviour) -> SocketAddr {
    serve_each(move |stream| {
        let mut reader = BufReader::new(stream);
        if ReceivedRequest::read(&mut reader).is_some() {
            let mut stream = reader.into_inner();
            behaviour(&mut stream);
            // What is still on its way must not be lost to a reset.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = stream.read(&mut [0; 1]);
        }
    })
}

/// What a process takes of memory now, or took at most, in MiB.
fn memory(pid: u32, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}

#[test]
fn whatever_a_receiver_does_its_delivery_is_settled_and_all_others_go_on() {
    let here = TestDb::new();
    here.add_gogs();
    for (index, (_, behaviour)) in KINDS.iter().enumerate() {
        let url = format!("http://{}/hook", receiver(*behaviour));
        here.add_endpoint(
            &format!("hostile-{index}"),
            &url,
            &["--timeout", "2s", "--retry", "none", "--probe-max", "1s"],
        );
    }
    let good = Receiver::answering(&[200]);
    here.add_endpoint("good", &good.url, &[]);
    let served = here.serve();
    for push in 0..3 {
        assert_eq!(served.push(&format!("k{push}"), PUSH.as_bytes()).0, 202);
        good.next();
    }
    // One that is taken for away is asked again by one of its deliveries alone.
    let untried = |name: &str| {
        let deliveries = here.list(&["delivery", "list", "--endpoint", name]);
        let tried = |delivery: &serde_json::Value| {
            let id = delivery["id"].as_str().unwrap();
            !here.list(&["attempt", "list", id]).is_empty()
        };
        !deliveries.iter().any(tried)
    };
    for (index, (kind, _)) in KINDS.iter().enumerate() {
        let name = format!("hostile-{index}");
        wait_until(kind, || (!untried(&name)).then_some(()));
    }
    let good = here.list(&["delivery", "list", "--endpoint", "good"]);
    assert!(good.iter().all(|delivery| delivery["state"] == "delivered"));
    // Nothing that was said reaches a terminal as it was.
    let shown = here.run(&["delivery", "list", "--limit", "200"]);
    let log = served.log();
    for text in [shown.text(), &log] {
        let is_bad = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(
            !text.contains(is_bad) && !text.contains('\u{202e}'),
            "{text}"
        );
    }
    let (now, most) = (memory(served.pid, "VmRSS"), memory(served.pid, "VmHWM"));
    say(&format!(
        "{} kinds of receivers: {most} MiB at most, {now} MiB after",
        KINDS.len()
    ));
    assert!(most < 200, "{most} MiB");
    assert_eq!(served.signal("TERM"), Some(0));
}

#[test]
fn a_senders_pipeline_is_answered_in_order_and_what_is_unsigned_stays_out() {
    let here = TestDb::new();
    here.add_gogs();
    let served = here.serve();
    let one = "POST /in/gogs HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
    let answer = raw(
        served.ingest_address(),
        format!(
            "{}{}",
            one.repeat(50),
            one.replace("Host: h", "Host: h\r\nConnection: close")
        )
        .as_bytes(),
    );
    assert_eq!(answer.matches("HTTP/1.1 401").count(), 51, "{answer}");
    // A request inside a body is a body.
    let inner = "POST /in/gogs HTTP/1.1\r\nHost: h\r\n\r\n";
    let outer = format!(
        "POST /in/none HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{inner}",
        inner.len()
    );
    let answer = raw(served.ingest_address(), outer.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    // A thousand requests on the page's one: it answers one and closes.
    let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    let answer = raw(served.status_address(), get.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
    assert_eq!(here.json(&["stats"])["events"], 0);
}

#[test]
fn large_bodies_against_many_templates_take_little_memory() {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    let template = here.folder.path().join("t.j2");
    std::fs::write(
        &template,
        r#"{"count": {{ body|length }}, "first": {{ body[0]|tojson }}}"#,
    )
    .unwrap();
    let format = format!("template:{}", template.display());
    for index in 0..16 {
        here.add_endpoint(&format!("t{index}"), &receiver.url, &["--format", &format]);
    }
    let body = here.folder.path().join("body.json");
    std::fs::write(&body, format!("[{}0]", "0,".repeat(524_000))).unwrap();
    let data = format!("@{}", body.display());
    let served = here.serve();
    for _ in 0..12 {
        here.json(&["enqueue", "--type", "t", "--data", &data]);
    }
    for _ in 0..12 * 16 {
        assert_eq!(receiver.next().body, br#"{"count": 524001, "first": 0}"#);
    }
    let most = memory(served.pid, "VmHWM");
    let after = memory(served.pid, "VmRSS");
    say(&format!(
        "12 bodies of 1 MiB of numbers, 16 templates: {most} MiB at most, {after} MiB after"
    ));
    assert!(most < 160, "{most} MiB");
}

/// Reads the head of a request to its end.
fn has_head(reader: &mut impl BufRead) -> bool {
    let mut lines = reader.lines().map_while(Result::ok);
    lines.any(|line| line.is_empty())
}

/// A page of another site: it posts forms to the status page as soon as it is looked at.
fn other_site(status: &str) -> String {
    let forms: String = [
        "/deliveries/1/replay",
        "/endpoints/ci/hold",
        "/endpoints/ci/remove",
        "/login",
    ]
    .iter()
    .map(|path| {
        format!(
            "<form method=post target=f action='{status}{path}'><input name=token value=x></form>"
        )
    })
    .collect();
    let page = format!(
        "<!doctype html><iframe name=f></iframe>{forms}<script>
         document.querySelectorAll('form').forEach(form => form.submit());
         fetch('{status}/api/v1/endpoints', {{method: 'POST', body: '{{}}', headers: {{'content-type': 'text/plain'}}}}).catch(() => {{}});
         fetch('{status}/api/v1/endpoints/ci', {{method: 'DELETE'}}).catch(() => {{}});
         fetch('{status}/').then(r => r.text()).then(t => document.title = 'read').catch(() => document.title = 'kept out');
         </script>"
    );
    let address = serve_each(move |stream| {
        let mut reader = BufReader::new(stream);
        while has_head(&mut reader) {
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
                page.len()
            );
            let _ = reader.get_mut().write_all(answer.as_bytes());
        }
    });
    format!("http://localhost:{}/", address.port())
}

#[test]
fn in_a_real_browser_another_site_changes_nothing_and_what_was_stored_does_not_run() {
    if no_browser() {
        return;
    }
    const EVIL: &str = "</pre></script><script>window.owned=1</script><img src=x onerror=\"window.owned=1\"><svg onload=window.owned=1>'\"{{7*7}}";
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::saying(&[500], EVIL);
    here.add_endpoint("ci", &receiver.url, &["--retry", "none"]);
    let served = here.serve();
    let body = PUSH
        .replace("Keep the light on", EVIL)
        .replace("lighthouse/beacon", EVIL);
    served.push(EVIL, body.as_bytes());
    here.json(&[
        "enqueue",
        "--type",
        "t",
        "--key",
        EVIL,
        "--data",
        EVIL,
        "--content-type",
        "text/html",
    ]);
    // Refused, with a header that is shown.
    let headers = [("X-Gogs-Signature", EVIL), ("User-Agent", EVIL)];
    assert_eq!(served.post("/in/gogs", &headers, b"{}").0, 401);
    here.wait_for_state("1", "dead");
    here.wait_for_state("2", "dead");
    let browser = Browser::start();
    browser.open(&other_site(&served.status));
    let answer = "['read', 'kept out'].includes(document.title) && document.title";
    let answer = browser.wait_for("the other site's answer", answer);
    assert_eq!(answer, "kept out");
    assert_eq!(here.list(&["delivery", "list"]).len(), 2);
    let endpoints = here.list(&["endpoint", "list"]);
    assert_eq!(endpoints.len(), 1);
    assert_eq!(endpoints[0]["held"], false);
    for path in [
        "/",
        "/events",
        "/events/1",
        "/events/2",
        "/deliveries",
        "/deliveries/1",
        "/deliveries/2",
        "/endpoints",
        "/endpoints/ci",
        "/sources",
        "/sources/gogs",
        "/attempts/1",
        "/replays",
    ] {
        browser.open(&format!("{}{path}", served.status));
        let owned = browser.script(
            "return window.owned === undefined && document.querySelector('img[src=x]') === null",
        );
        assert_eq!(owned, true, "{path}");
    }
    // Nor where a browser is led to the event's own bytes.
    browser.open(&format!("{}/api/v1/events/2/body", served.status));
    assert_eq!(browser.script("return window.owned === undefined"), true);
}
