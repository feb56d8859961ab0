//! A running `hookbox serve`, killed when it is dropped.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use hookbox::signature::{Secret, gogs};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::http::{Answered, ask, try_ask};
use super::{GOGS_SECRET, wait_until};

/// A port of this machine that the system chooses.
pub const FREE_PORT: &str = "127.0.0.1:0";

/// Serving on free ports.
pub const SERVE: [&str; 5] = ["serve", "--ingest", FREE_PORT, "--status", FREE_PORT];

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
        let url = format!("{}{path}", self.ingest);
        let (status, _, text) = try_ask("POST", &url, headers, body).ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
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

    /// Asks where events come in, other than by a producer's post.
    pub fn ask_ingest(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answered {
        ask(method, &format!("{}{path}", self.ingest), headers, "")
    }

    /// Asks the status server.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answered {
        ask(method, &format!("{}{path}", self.status), headers, body)
    }

    /// Gets a page of the status server.
    pub fn page(&self, path: &str) -> Answered {
        self.ask("GET", path, &[], "")
    }

    /// Asks the JSON API; returns status, headers and the answer.
    pub fn api(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> (u16, http::HeaderMap, Value) {
        let mut headers = headers.to_vec();
        if body.is_some() {
            headers.push(("Content-Type", "application/json"));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let (status, headers, text) = self.ask(method, &format!("/api/v1{path}"), &headers, body);
        let answer = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (status, headers, answer)
    }

    /// What the JSON API has at a path, where there must be something.
    pub fn api_get(&self, path: &str) -> Value {
        let (status, _, answer) = self.api("GET", path, None, &[]);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    pub fn api_post(&self, path: &str, body: Value) -> (u16, Value) {
        let (status, _, answer) = self.api("POST", path, Some(&body), &[]);
        (status, answer)
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
