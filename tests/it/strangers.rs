//! Thousands who connect and say nothing, or not all: who has something to say is answered.
//!
//! `HOOKBOX_STRANGERS` says how many there are (5,000).

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};

use crate::support::{PUSH, Served, TestDb, is_missing, number_from, on_server, raw, say};

/// Threads that keep the strangers connected.
const THREADS: usize = 2;

/// Takes all the file descriptors that there are; returns how many strangers that allows.
fn strangers() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let wanted = number_from("HOOKBOX_STRANGERS", 5_000) as usize;
    let most = limit.maximum.unwrap_or(u64::MAX).saturating_sub(1_000) as usize;
    if most < wanted {
        say(&format!("only {most} strangers: so many files may be open"));
    }
    wanted.min(most)
}

/// What a stranger says before it falls silent, and what it adds now and then.
#[derive(Clone, Copy)]
struct Says {
    first: &'static str,
    then: &'static str,
}

const NOTHING: Says = Says {
    first: "",
    then: "",
};
const SLOW_HEAD: Says = Says {
    first: "POST /in/gogs HTTP/1.1\r\nHost: h\r\n",
    then: "X-A: b\r\n",
};
const SLOW_BODY: Says = Says {
    first: "POST /in/gogs HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n",
    then: "{",
};

/// Opens a stranger's connection where it is closed, and lets it say a little more where it is not.
fn keep(address: SocketAddr, stranger: &mut Option<TcpStream>, says: Says, held: usize) -> bool {
    if let Some(stream) = stranger {
        let mut byte = [0; 512];
        let is_open = match stream.read(&mut byte) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        if is_open && (says.then.is_empty() || stream.write_all(says.then.as_bytes()).is_ok()) {
            return false;
        }
    }
    *stranger = TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    if let Some(stream) = stranger {
        let _ = stream.write_all(says.first.as_bytes());
        let _ = stream.write_all(&vec![b' '; held]);
        let _ = stream.set_nonblocking(true);
    }
    true
}

/// Sends the crowd home, also where what is done meanwhile fails.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Lets a crowd stand at an address while `meanwhile` is done; says how often one had to come again.
fn amid<T>(
    address: SocketAddr,
    count: usize,
    says: Says,
    held: usize,
    meanwhile: impl FnOnce() -> T,
) -> (T, usize) {
    let (stop, ready, opened) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let done = std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let (stop, ready, opened) = (&stop, &ready, &opened);
            scope.spawn(move || {
                // Strangers have machines of their own; here they leave this one to the others.
                let _ = nice(10);
                let mut crowd: Vec<Option<TcpStream>> =
                    (0..count / THREADS).map(|_| None).collect();
                let mut is_first = true;
                while !stop.load(Ordering::Relaxed) {
                    for stranger in &mut crowd {
                        if keep(address, stranger, says, held) {
                            opened.fetch_add(1, Ordering::Relaxed);
                        }
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    if std::mem::take(&mut is_first) {
                        ready.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        while ready.load(Ordering::Relaxed) < THREADS {
            std::thread::yield_now();
        }
        let _stops = Stops(&stop);
        meanwhile()
    });
    (done, opened.into_inner())
}

#[allow(
    clippy::disallowed_methods,
    reason = "how long a push takes is shown, and decides nothing"
)]
fn now() -> Instant {
    Instant::now()
}

/// Pushes as Gogs does, each with a connection of its own; returns how long each took, the shortest first.
/// Where this machine has not come to a sender for longer than a connection is left alone, it is closed: that may be
/// now and then, beside all the other tests.
fn pushes(served: &Served, count: usize, name: &str) -> Vec<Duration> {
    let mut took = Vec::new();
    for index in 0..count {
        let began = now();
        match served.try_push(&format!("{name}-{index}"), PUSH.as_bytes()) {
            Some((status, _)) => {
                assert_eq!(status, 202, "{name}");
                took.push(began.elapsed());
            }
            None => say(&format!("{name}: a push was closed on")),
        }
    }
    // A build without optimization comes to fewer of them.
    let closed_max = if cfg!(debug_assertions) {
        count / 3
    } else {
        count / 10
    };
    assert!(
        took.len() + closed_max >= count,
        "{name}: {} of {count}",
        took.len()
    );
    took.sort();
    took
}

fn show(what: &str, took: &[Duration], opened: usize) {
    let (half, most) = (took[took.len() / 2], took[took.len() - 1]);
    say(&format!(
        "{what}: {} pushes answered 202; half within {half:?}, all within {most:?}; strangers connected {opened} times",
        took.len()
    ));
}

#[test]
fn a_push_is_answered_whatever_thousands_of_strangers_do() {
    let here = TestDb::new();
    here.add_gogs();
    let served = here.serve();
    let count = strangers();
    for (what, says) in [
        ("idle", NOTHING),
        ("slow heads", SLOW_HEAD),
        ("slow bodies", SLOW_BODY),
    ] {
        let address = served.ingest_address();
        let (took, opened) = amid(address, count, says, 0, || pushes(&served, 50, what));
        show(&format!("{count} strangers, {what}"), &took, opened);
    }
}

#[test]
fn a_push_is_answered_where_there_are_few_file_descriptors() {
    if is_missing("prlimit", &["--version"], "install util-linux") {
        return;
    }
    let here = TestDb::new();
    here.add_gogs();
    // Connections to a server take some.
    let files = if on_server() { 128 } else { 64 };
    let limit = format!("--nofile={files}:{files}");
    let served = Served::start(here.serve_under("prlimit", &[&limit]));
    let count = strangers().min(1_000);
    let address = served.ingest_address();
    let (took, opened) = amid(address, count, NOTHING, 0, || pushes(&served, 50, "few"));
    show(&format!("{count} strangers, {files} files"), &took, opened);
}

#[test]
fn senders_who_hold_the_last_byte_back_take_no_memory_from_others() {
    let here = TestDb::new();
    here.add_gogs();
    let served = here.serve();
    strangers();
    let address = served.ingest_address();
    let (took, opened) = amid(
        address,
        900,
        Says {
            then: "",
            ..SLOW_BODY
        },
        999_999,
        || pushes(&served, 50, "held back"),
    );
    show("900 senders hold a byte of 1 MB back", &took, opened);
    let large = format!("{{\"pad\":\"{}\"}}", "x".repeat(900_000));
    assert_eq!(served.push("large", large.as_bytes()).0, 202);
}

#[test]
fn the_status_page_is_there_whoever_sits_before_it() {
    let here = TestDb::new();
    let served = here.serve();
    let address = served.status_address();
    for says in [
        NOTHING,
        Says {
            first: "GET / HTTP/1.1\r\nHost: localhost\r\n",
            then: "X-A: b\r\n",
        },
    ] {
        let ((), _) = amid(address, 200, says, 0, || {
            for path in ["/", "/api/v1/events", "/healthz", "/readyz", "/metrics"] {
                assert_eq!(served.page(path).0, 200, "{path}");
            }
        });
    }
}

/// What RFC 9112 calls an error is one, at both doors: who stands before them may have understood it
/// otherwise.
#[test]
fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let here = TestDb::new();
    here.add_gogs();
    let served = here.serve();
    let post = "POST /in/gogs HTTP/1.1\r\n";
    for (head, why) in [
        ("\r\n", "no Host"),
        ("Host: a\r\nHost: a\r\n\r\n", "two Hosts"),
        ("Host: a b\r\n\r\n", "a Host that is none"),
        (
            "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "two codings",
        ),
        (
            "Host: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            "chunked twice",
        ),
        (
            "Host: a\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
            "a coding that says nothing",
        ),
        (
            "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "a coding that is not known",
        ),
        (
            "Host: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            "two lengths",
        ),
        (
            "Host: a\r\nContent-Length: +2\r\n\r\n{}",
            "a length with a sign",
        ),
        (
            "Host: a\r\nContent-Length: 2, 2\r\n\r\n{}",
            "a list of lengths",
        ),
        ("Host: a\r\n Folded: b\r\n\r\n", "a folded line"),
        ("Host: a\r\nX-A : b\r\n\r\n", "a blank before the colon"),
        ("Host: a\r\nX-A\r\n\r\n", "a line without a colon"),
        ("Host: a\r\nX-A: b\0c\r\n\r\n", "a zero in a value"),
    ] {
        let answer = raw(served.ingest_address(), format!("{post}{head}").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400"), "{why}: {answer}");
        let get = format!("GET / HTTP/1.1\r\n{head}");
        let answer = raw(served.status_address(), get.as_bytes());
        let is_refused = ["HTTP/1.1 400", "HTTP/1.1 411", "HTTP/1.1 403"];
        assert!(
            is_refused.iter().any(|status| answer.starts_with(status)),
            "{why}: {answer}"
        );
    }
    // With both, the coding counts and nothing comes after it (section 6.3, 3).
    let both = "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n";
    let second = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    let sent = format!("{post}{both}{second}");
    let answer = raw(served.ingest_address(), sent.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    assert_eq!(here.json(&["stats"])["events"], 0);
}
