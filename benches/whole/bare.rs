//! The bare limits of the machine, with nothing of hookbox's in the way: what SQLite can store
//! and what ureq can send.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::body;

/// The same headers as hookbox keeps of the driver's pushes.
const HEADERS: &str = r#"[["Host","127.0.0.1:8420"],["User-Agent","GogsServer"],["Content-Length","3081"],["Content-Type","application/json"],["X-Github-Event","push"],["X-Gogs-Event","push"],["X-Gogs-Signature","7804d460f7eadad206a6d4c5a760b15defa80add90a31069e5ab2df85f18bcfa"],["Accept-Encoding","gzip"],["X-Github-Delivery","b1c9a7f2-1111-4222-8333-444455556666"],["X-Gogs-Delivery","b1c9a7f2-1111-4222-8333-444455556666"]]"#;

/// Rows a second: an event of this size with a random key and its delivery, so many a commit,
/// one thread, WAL, synchronous=FULL.
pub(crate) fn store(folder: &Path, body_bytes: usize, a_commit: usize, seconds: f64) -> f64 {
    let path = folder.join("bare.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("pragma journal_mode = wal; pragma synchronous = full;")
        .unwrap();
    connection
        .execute_batch(include_str!("../../schema.sql"))
        .unwrap();
    connection
        .execute_batch(
            "insert into hookbox_source (id, name, kind, on_repeat, created_ms) values (1, 'gogs', 'gogs', 'replay', 0);
             insert into hookbox_endpoint (id, name, url, format, sign, timeout_ms, concurrency, retry, created_ms)
             values (1, 'ci', 'http://127.0.0.1:9/', 'raw', 'none', 15000, 4, '5s', 0);",
        )
        .unwrap();
    let body = body(body_bytes);
    let mut random = fastrand::Rng::new();
    let (began, mut rows) = (Instant::now(), 0_u64);
    while began.elapsed().as_secs_f64() < seconds {
        connection.execute_batch("begin immediate").unwrap();
        for _ in 0..a_commit {
            let (high, low) = (random.u64(..), random.u64(..));
            let key = format!(
                "{:08x}-{:04x}-4{:03x}-8000-{:012x}",
                high >> 32,
                high & 0xffff,
                high & 0xfff,
                low >> 16
            );
            connection
                .prepare_cached(
                    "insert into hookbox_event (source_id, type, key, received_ms, content_type, headers, body)
                     values (1, 'push', ?1, 1772366400000, 'application/json', ?2, ?3)",
                )
                .unwrap()
                .execute(params![key, HEADERS, body])
                .unwrap();
            let event = connection.last_insert_rowid();
            connection
                .prepare_cached(
                    "insert into hookbox_delivery (event_id, endpoint_id, state, created_ms, due_ms)
                     values (?1, 1, 'pending', 1772366400000, 1772366400000)",
                )
                .unwrap()
                .execute([event])
                .unwrap();
        }
        connection.execute_batch("commit").unwrap();
        rows += a_commit as u64;
    }
    let rate = rows as f64 / began.elapsed().as_secs_f64();
    drop(connection);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    rate
}

/// Requests a second from so many ureq threads to the receiver, each on its own connection.
pub(crate) fn send(receiver: SocketAddr, threads: usize, body_bytes: usize, seconds: f64) -> f64 {
    let body = body(body_bytes);
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let agent = ureq::Agent::config_builder()
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(15)))
        .max_idle_connections_per_host(threads)
        .build()
        .new_agent();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (agent, body, stop, sent) = (&agent, &body, &stop, &sent);
            scope.spawn(move || {
                let url = format!("http://{receiver}/hook");
                while !stop.load(Ordering::Relaxed) {
                    agent
                        .post(&url)
                        .header("content-type", "application/json")
                        .header("x-gogs-event", "push")
                        .header("x-gogs-delivery", "b1c9a7f2-1111-4222-8333-444455556666")
                        .header("webhook-id", "evt_0123456789_1")
                        .header("webhook-timestamp", "1772366400")
                        .send(body.as_slice())
                        .unwrap()
                        .body_mut()
                        .read_to_vec()
                        .unwrap();
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(Duration::from_secs_f64(seconds));
        stop.store(true, Ordering::Relaxed);
    });
    sent.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}
