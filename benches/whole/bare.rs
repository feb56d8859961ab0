//! The bare limits of the machine, with nothing of hookbox's in the way: what SQLite can store
//! and what ureq can send.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::payload;

/// The same headers as hookbox keeps of the driver's pushes.
pub(crate) const HEADERS: &str = r#"[["Host","127.0.0.1:8420"],["User-Agent","GogsServer"],["Content-Length","3081"],["Content-Type","application/json"],["X-Github-Event","push"],["X-Gogs-Event","push"],["X-Gogs-Signature","7804d460f7eadad206a6d4c5a760b15defa80add90a31069e5ab2df85f18bcfa"],["Accept-Encoding","gzip"],["X-Github-Delivery","b1c9a7f2-1111-4222-8333-444455556666"],["X-Gogs-Delivery","b1c9a7f2-1111-4222-8333-444455556666"]]"#;

/// What anybody would begin with: the event, a key that is taken once, what is due.
const TABLES: &str = "
    create table event (
        id integer primary key, source_id integer not null, type text not null, key text not null,
        received_ms integer not null, content_type text, headers text not null, body blob not null
    ) strict;
    create unique index event_key on event (source_id, key);
    create table delivery (
        id integer primary key, event_id integer not null, endpoint_id integer not null,
        state text not null, created_ms integer not null, due_ms integer
    ) strict;
    create index delivery_due on delivery (endpoint_id, due_ms) where state = 'pending';
";

/// Rows a second: an event of this size with a random key and its delivery, so many a commit,
/// one thread, WAL, synchronous=FULL.
pub(crate) fn store(folder: &Path, body_bytes: usize, a_commit: usize, seconds: f64) -> f64 {
    let path = folder.join("bare.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("pragma journal_mode = wal; pragma synchronous = full;")
        .unwrap();
    connection.execute_batch(TABLES).unwrap();
    let body = payload::push(body_bytes);
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
                    "insert into event (source_id, type, key, received_ms, content_type, headers, body)
                     values (1, 'push', ?1, 1772366400000, 'application/json', ?2, ?3)",
                )
                .unwrap()
                .execute(params![key, HEADERS, body])
                .unwrap();
            let event = connection.last_insert_rowid();
            connection
                .prepare_cached(
                    "insert into delivery (event_id, endpoint_id, state, created_ms, due_ms)
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
    let body = payload::push(body_bytes);
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
