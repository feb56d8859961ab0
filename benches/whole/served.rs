//! The program under measure: the built binary, on a file of its own, and what the system says
//! of its process.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hookbox::model::endpoint::NewEndpoint;
use hookbox::model::event::NewEvent;
use hookbox::model::kind::SourceKind;
use hookbox::model::source::NewSource;
use hookbox::signature::Secret;
use hookbox::store::{Missing, Store};
use hookbox::time::Timestamp;
use serde_json::Value;

use crate::{GOGS_SECRET, payload};

/// When everything that is preloaded came in.
pub(crate) const BEFORE: Timestamp = Timestamp(1_772_366_400_000);

/// A folder with a database that has the source.
pub(crate) struct Box {
    _folder: tempfile::TempDir,
    /// The file; there is none on a server.
    pub(crate) db: PathBuf,
    location: String,
    pub(crate) store: Store,
}

impl Box {
    pub(crate) fn new(root: &Path) -> Box {
        let folder = tempfile::tempdir_in(root).unwrap();
        let location = folder.path().join("hookbox.db").display().to_string();
        Box::made(folder, location)
    }

    /// A database on a server.
    pub(crate) fn at(root: &Path, url: String) -> Box {
        Box::made(tempfile::tempdir_in(root).unwrap(), url)
    }

    fn made(folder: tempfile::TempDir, location: String) -> Box {
        let db = folder.path().join("hookbox.db");
        let store = Store::open(&location, Missing::Create).unwrap();
        let source = NewSource {
            secret: Some(Secret::new(GOGS_SECRET).unwrap()),
            ..NewSource::new("gogs", SourceKind::Gogs)
        };
        store.add_source(source, BEFORE).unwrap();
        Box {
            _folder: folder,
            db,
            location,
            store,
        }
    }

    pub(crate) fn endpoint(&self, name: &str, address: SocketAddr) {
        let url = format!("http://{address}/hook").parse().unwrap();
        self.store
            .add_endpoint(NewEndpoint::new(name, url), BEFORE)
            .unwrap();
    }

    /// Stores events as if they had come in, many a commit.
    pub(crate) fn preload(&self, events: u64, body_bytes: usize) {
        let body = payload::push(body_bytes);
        let round = fastrand::u64(..);
        let (done, answers) = std::sync::mpsc::channel();
        let mut under_way = 0;
        for number in 0..events {
            let event = NewEvent {
                key: Some(format!("preloaded-{round}-{number}")),
                content_type: Some("application/json".to_owned()),
                headers: vec![("X-Gogs-Event".to_owned(), "push".to_owned())],
                ..NewEvent::new("push", body.as_slice())
            };
            let done = done.clone();
            self.store.accept_then(event, BEFORE, move |result| {
                done.send(result.is_ok()).unwrap()
            });
            under_way += 1;
            // Bounded, and enough that every commit is full.
            if under_way == 512 {
                assert!(answers.recv().unwrap());
                under_way -= 1;
            }
        }
        for _ in 0..under_way {
            assert!(answers.recv().unwrap());
        }
    }

    pub(crate) fn serve(&self) -> Served {
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_hookbox"))
            .args([
                "serve",
                "--json",
                "--ingest",
                "127.0.0.1:0",
                "--status",
                "127.0.0.1:0",
                "--db",
            ])
            .arg(&self.location)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready = began.elapsed();
        let object: Value = serde_json::from_str(&line).unwrap();
        let address = |name: &str| {
            object[name].as_str().unwrap()["http://".len()..]
                .parse()
                .unwrap()
        };
        Served {
            ingest: address("ingest"),
            status: address("status"),
            child,
            began,
            ready,
        }
    }

    /// Bytes of the database and its log.
    pub(crate) fn bytes(&self) -> u64 {
        let of = |path: String| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        of(self.db.display().to_string()) + of(format!("{}-wal", self.db.display()))
    }

    /// Bytes of the database when all that is in its log was moved into it.
    pub(crate) fn settled_bytes(&self) -> u64 {
        let connection = rusqlite::Connection::open(&self.db).unwrap();
        let is_busy: bool = connection
            .query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))
            .unwrap();
        assert!(!is_busy, "somebody reads or writes");
        self.bytes()
    }
}

/// A running `hookbox serve`; killed when dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) ingest: SocketAddr,
    pub(crate) status: SocketAddr,
    pub(crate) began: Instant,
    /// From the start of the process to its word that it serves.
    pub(crate) ready: Duration,
}

impl Served {
    /// Resident memory in KiB: now, and at its highest.
    pub(crate) fn memory_kib(&self) -> (u64, u64) {
        let text = self.proc("status");
        let of = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> Duration {
        let text = self.proc("stat");
        let fields: Vec<&str> = text
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    /// Processor time of the threads so far, those of one name together, and how often they gave way.
    pub(crate) fn threads(&self) -> (BTreeMap<String, Duration>, u64) {
        let tasks = format!("/proc/{}/task", self.child.id());
        let (mut used, mut switches) = (BTreeMap::new(), 0);
        for task in std::fs::read_dir(tasks).unwrap() {
            let read =
                |name: &str| std::fs::read_to_string(task.as_ref().unwrap().path().join(name));
            // A worker may end meanwhile.
            let (Ok(name), Ok(on_cpu), Ok(status)) =
                (read("comm"), read("schedstat"), read("status"))
            else {
                continue;
            };
            let name = name
                .trim()
                .trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
            let ns = on_cpu.split_whitespace().next().unwrap().parse().unwrap();
            *used.entry(name.to_owned()).or_default() += Duration::from_nanos(ns);
            let counts = status
                .lines()
                .filter(|line| line.contains("_ctxt_switches:"));
            switches += counts
                .map(|line| line.rsplit('\t').next().unwrap().parse::<u64>().unwrap())
                .sum::<u64>();
        }
        (used, switches)
    }

    /// Bytes that were sent to the disk on behalf of the process so far.
    pub(crate) fn written_bytes(&self) -> u64 {
        let text = self.proc("io");
        let line = text
            .lines()
            .find(|line| line.starts_with("write_bytes:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn proc(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
