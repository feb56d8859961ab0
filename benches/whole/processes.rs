//! The processes beside the one under measure: the receiver, the load driver; and what is asked
//! of servers by hand.

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

/// A receiver's process; killed when dropped.
pub(crate) struct Receiver {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Receiver {
    pub(crate) fn start(log: bool) -> Receiver {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("receiver").stdout(Stdio::piped());
        if log {
            command.arg("log");
        }
        let mut child = command.spawn().unwrap();
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
