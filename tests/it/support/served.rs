//! A running `hookbox serve`, killed when it is dropped.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use hookbox::signature::{Secret, gogs};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{GOGS_SECRET, agent, wait_until};

/// A running `hookbox serve`. It is killed when dropped.
pub struct Served {
    child: Child,
    pub ingest: String,
    pub status: String,
    pub pid: u32,
    log: Arc<Mutex<String>>,
}

impl Served {
    pub fn start(mut command: Command) -> Served {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (kept, stderr) = (log.clone(), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("serve did not start: {line}{}", log.lock().unwrap()));
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        Served {
            pid: child.id(),
            child,
            ingest: text("ingest"),
            status: text("status"),
            log,
        }
    }

    /// Ends it by SIGTERM, which must succeed, and returns all it logged.
    pub fn stop_and_read_log(mut self) -> String {
        send_signal(self.pid, "TERM");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        wait_until("the end of the log", || {
            self.log().contains("largest_group").then(|| self.log())
        })
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn ingest_address(&self) -> SocketAddr {
        self.ingest.trim_start_matches("http://").parse().unwrap()
    }

    pub fn status_address(&self) -> SocketAddr {
        self.status.trim_start_matches("http://").parse().unwrap()
    }

    /// Posts a body with headers; returns status and answer.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Value) {
        self.try_post(path, headers, body).expect("an answer")
    }

    /// Posts a body with headers; `None` where no answer came.
    fn try_post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<(u16, Value)> {
        let mut request = agent().post(format!("{}{path}", self.ingest));
        for (name, value) in headers {
            // Names in the case in which a producer sends them.
            request = request.header_raw(name, value.as_bytes());
        }
        let mut response = request.send(body).ok()?;
        let text = response.body_mut().read_to_string().ok()?;
        Some((
            response.status().as_u16(),
            serde_json::from_str(&text).unwrap_or(Value::Null),
        ))
    }

    /// Posts as Gogs does, signed with GOGS_SECRET.
    pub fn push(&self, key: &str, body: &[u8]) -> (u16, Value) {
        self.try_push(key, body).expect("an answer")
    }

    /// As [`Served::push`], where the service may be gone.
    pub fn try_push(&self, key: &str, body: &[u8]) -> Option<(u16, Value)> {
        let secret = Secret::new(GOGS_SECRET).unwrap();
        let signature = gogs::sign(&secret, Some("application/json"), body);
        let headers = [
            ("Content-Type", "application/json"),
            ("User-Agent", "GogsServer"),
            ("X-Gogs-Delivery", key),
            ("X-Gogs-Event", "push"),
            ("X-Gogs-Signature", signature.as_str()),
            ("X-Github-Delivery", key),
            ("X-Github-Event", "push"),
        ];
        self.try_post("/in/gogs", &headers, body)
    }

    /// Gets a page of the status server; returns status, headers and text.
    pub fn page(&self, path: &str) -> (u16, http::HeaderMap, String) {
        let response = agent()
            .get(format!("{}{path}", self.status))
            .call()
            .unwrap();
        let (head, mut body) = response.into_parts();
        (
            head.status.as_u16(),
            head.headers,
            body.read_to_string().unwrap(),
        )
    }

    /// Sends a signal by name and waits for the end; returns the exit code.
    pub fn signal(mut self, name: &str) -> Option<i32> {
        send_signal(self.pid, name);
        self.child.wait().unwrap().code()
    }

    /// Waits for the end after a signal that was sent before; returns the exit code.
    pub fn wait_for_exit(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn send_signal(pid: u32, name: &str) {
    let signal = match name {
        "TERM" => Signal::TERM,
        "INT" => Signal::INT,
        "KILL" => Signal::KILL,
        other => panic!("no signal {other} is sent here"),
    };
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}
