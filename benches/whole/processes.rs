//! The processes beside the one under measure: the receiver, the load driver; and what is asked
//! of servers by hand.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::driver::Load;
use crate::served::Box;

/// Waits until no more than so many deliveries are pending.
pub(crate) fn wait_for_pending(here: &Box, pending: i64) {
    while here.store.stats().unwrap().pending > pending {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An address where nobody listens.
pub(crate) fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// Runs the driver to its end.
pub(crate) fn drive(load: &Load) -> Value {
    let words = [
        "driver".to_owned(),
        load.address.to_string(),
        load.senders.to_string(),
        load.seconds.to_string(),
        load.total.to_string(),
        load.rate.to_string(),
        load.body_bytes.to_string(),
        load.log.to_string(),
    ];
    let output = Command::new(std::env::current_exe().unwrap())
        .args(words)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["failed"], 0, "every push is accepted");
    result
}

/// What a receiver does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It takes everything and counts.
    Count,
    /// It also says which event came when.
    Log,
    /// It takes every connection and never answers a POST.
    Hang,
}

impl Mode {
    const ALL: [Mode; 3] = [Mode::Count, Mode::Log, Mode::Hang];

    fn name(self) -> &'static str {
        match self {
            Mode::Count => "count",
            Mode::Log => "log",
            Mode::Hang => "hang",
        }
    }

    pub(crate) fn read(name: &str) -> Mode {
        let found = Mode::ALL.into_iter().find(|mode| mode.name() == name);
        found.unwrap_or_else(|| panic!("no receiver does {name}"))
    }
}

/// A receiver's process; killed when dropped.
pub(crate) struct Receiver {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Receiver {
    pub(crate) fn start(mode: Mode) -> Receiver {
        Receiver::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), mode)
    }

    pub(crate) fn start_at(address: SocketAddr, mode: Mode) -> Receiver {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["receiver", &address.to_string(), mode.name()]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Receiver {
            child,
            address: line.trim().parse().unwrap(),
        }
    }

    pub(crate) fn count(&self) -> u64 {
        get(self.address, "/count")
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }

    pub(crate) fn log(&self) -> Vec<(String, f64)> {
        get(self.address, "/log")
            .lines()
            .map(|line| {
                let (key, at) = line.split_once(' ').unwrap();
                (key.to_owned(), at.parse().unwrap())
            })
            .collect()
    }

    /// From each answer "accepted" that the driver tells of to this receiver, in milliseconds: half
    /// of them, and all but one in a hundred, took no longer.
    pub(crate) fn took_ms(&self, accepted: &Value) -> (f64, f64) {
        let received: HashMap<String, f64> = self.log().into_iter().collect();
        let mut took: Vec<f64> = accepted["log"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| {
                let (key, at) = line.as_str().unwrap().split_once(' ').unwrap();
                // A receiver may well have it before the sender has read its answer.
                ((received[key] - at.parse::<f64>().unwrap()) / 1e6).max(0.0)
            })
            .collect();
        took.sort_by(f64::total_cmp);
        let at = |share: f64| took[(took.len() as f64 * share) as usize];
        (at(0.5), at(0.99))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of a GET, by its declared length.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}
