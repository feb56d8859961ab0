//! What tests share: a served file, a real receiver, a scripted transport.
//!
//! Fakes are scripted and strict: an unexpected call fails the test.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver as Inbox, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hookbox::model::attempt::Timing;
use hookbox::model::endpoint::{Endpoint, NewEndpoint};
use hookbox::model::event::NewEvent;
use hookbox::model::id::EndpointId;
use hookbox::outbound::{Answer, Exchange, OutboundRequest, Reply, Scheduler, Transport};
use hookbox::signature::{Secret, gogs};
use hookbox::store::{Missing, Store};
use hookbox::time::{Clock, ManualClock, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longest a test waits for another process or thread to do what it must.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A Gogs push in the documented shape.
pub const PUSH: &str = include_str!("../../examples/payloads/gogs-push.json");

pub const GOGS_SECRET: &str = "topsecret";

/// 2026-03-01T12:00:00Z, where manual clocks start.
pub const NOON: Timestamp = Timestamp(1_772_366_400_000);

/// Waits until something that another process does is seen. Such things cannot signal a test.
#[allow(
    clippy::disallowed_methods,
    reason = "other processes cannot be waited on otherwise"
)]
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let step = Duration::from_millis(10);
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(step);
    }
    panic!("waited {PATIENCE:?} for {what}");
}

/// A folder with a database that is removed with it.
pub struct TestDb {
    pub folder: tempfile::TempDir,
    pub db: PathBuf,
}

impl TestDb {
    pub fn new() -> TestDb {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("hookbox.db");
        TestDb { folder, db }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookbox"));
        command
            .env_remove("HOOKBOX_LOG")
            .env("HOOKBOX_DB", &self.db)
            .args(arguments);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, b"")
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read its input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed and returns its one JSON object.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        let ran = self.run(&with_json);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        serde_json::from_slice(&ran.stdout).unwrap()
    }

    /// Runs a list that must succeed and returns its objects.
    pub fn list(&self, arguments: &[&str]) -> Vec<Value> {
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        let ran = self.run(&with_json);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        ran.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub fn serve(&self) -> Served {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, arguments: &[&str]) -> Served {
        let mut command = self.command(&["serve", "--json"]);
        command
            .args(["--ingest", "127.0.0.1:0", "--status", "127.0.0.1:0"])
            .args(arguments);
        Served::start(command)
    }

    /// A source of kind gogs with the usual secret.
    pub fn add_gogs(&self) {
        let ran = self.run_with_input(
            &["source", "add", "gogs", "--kind", "gogs", "--secret", "-"],
            GOGS_SECRET.as_bytes(),
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }

    pub fn add_endpoint(&self, name: &str, url: &str, more: &[&str]) {
        let mut arguments = vec!["endpoint", "add", name, url];
        arguments.extend_from_slice(more);
        let ran = self.run(&arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }

    pub fn wait_for_state(&self, delivery: &str, state: &str) -> Value {
        wait_until(&format!("{delivery} to be {state}"), || {
            let shown = self.json(&["delivery", "show", delivery]);
            (shown["state"] == state).then_some(shown)
        })
    }
}

pub struct Ran {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

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

    /// Posts as Gogs does, signed with the usual secret.
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
}

impl Served {
    /// Waits for the end after a signal that was sent before; returns the exit code.
    pub fn signal_is_sent(mut self) -> Option<i32> {
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

/// An HTTP client that shows every status.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent()
}

/// Sends bytes as they stand and reads all that comes back.
pub fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    // A server that closes early resets the connection after its answer.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// What a receiver got.
#[derive(Debug)]
pub struct Got {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Got {
    /// Reads one request; `None` at the connection's end.
    pub fn read(stream: &mut impl BufRead) -> Option<Got> {
        let mut line = String::new();
        stream
            .read_line(&mut line)
            .ok()
            .filter(|bytes| *bytes > 0)?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            line.clear();
            stream
                .read_line(&mut line)
                .ok()
                .filter(|bytes| *bytes > 0)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut got = Got {
            method,
            target,
            headers,
            body: Vec::new(),
        };
        let length = got.header("content-length")?.parse().ok()?;
        got.body = vec![0; length];
        stream.read_exact(&mut got.body).ok()?;
        Some(got)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let of_name = self
            .headers
            .iter()
            .find(|(held, _)| held.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str())
    }
}

/// A real HTTP receiver that answers the given statuses in turn, the last one ever after.
///
/// A thread a connection, made here: `tiny_http` gives a connection that comes while another one
/// is being handed to an idle thread to that same thread, where it waits until the other closes.
pub struct Receiver {
    pub url: String,
    pub address: SocketAddr,
    got: Inbox<Got>,
    stopped: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Receiver {
    pub fn answering(statuses: &[u16]) -> Receiver {
        Receiver::on("127.0.0.1:0", statuses)
    }

    /// A receiver on a given address, for one that comes back where it was.
    pub fn on(address: &str, statuses: &[u16]) -> Receiver {
        Receiver::saying(address, statuses, "noted")
    }

    /// A receiver that says this in the body of each answer.
    pub fn saying(address: &str, statuses: &[u16], says: &'static str) -> Receiver {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, got) = channel();
        let statuses: VecDeque<u16> = statuses.iter().copied().collect();
        let statuses = Arc::new(Mutex::new(statuses));
        let stopped = Arc::new(AtomicBool::new(false));
        let is_stopped = stopped.clone();
        let listening = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if is_stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (sender, statuses) = (sender.clone(), statuses.clone());
                let is_stopped = is_stopped.clone();
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    while let Some(got) = Got::read(&mut stream) {
                        if is_stopped.load(Ordering::Relaxed) {
                            return;
                        }
                        let mut statuses = statuses.lock().unwrap();
                        let status = match statuses.len() {
                            1 => statuses[0],
                            _ => statuses.pop_front().unwrap(),
                        };
                        drop(statuses);
                        let body = if status == 204 { "" } else { says };
                        let answer = format!(
                            "HTTP/1.1 {status} As Asked\r\nContent-Length: {}\r\n\r\n{body}",
                            body.len()
                        );
                        let _ = stream.get_mut().write_all(answer.as_bytes());
                        let _ = sender.send(got);
                    }
                });
            }
        });
        Receiver {
            url: format!("http://{address}/hook"),
            address,
            got,
            stopped,
            listening: Some(listening),
        }
    }

    /// The next request, when it comes.
    pub fn next(&self) -> Got {
        self.got.recv_timeout(PATIENCE).expect("a request")
    }

    pub fn got_nothing_more(&self) -> bool {
        self.got.try_recv().is_err()
    }
}

impl Drop for Receiver {
    /// Wakes the listening thread, which then gives the port free.
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        let _ = self.listening.take().unwrap().join();
    }
}

/// Listens, and does this with each connection, on a thread of its own.
pub fn listening(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A port where nobody listens.
pub fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A transport that gives the answers of its script, in turn; one call too many panics.
#[derive(Clone, Default)]
pub struct Script {
    state: Arc<Mutex<ScriptState>>,
}

#[derive(Default)]
struct ScriptState {
    answers: VecDeque<Answer>,
    forever: Option<Answer>,
    sent: Vec<(String, OutboundRequest)>,
}

impl Script {
    pub fn then(self, answer: Answer) -> Script {
        self.state.lock().unwrap().answers.push_back(answer);
        self
    }

    /// When the script is at its end, answer this ever after.
    pub fn forever(self, answer: Answer) -> Script {
        self.state.lock().unwrap().forever = Some(answer);
        self
    }

    /// What was sent since the last look: endpoint and request.
    pub fn take_sent(&self) -> Vec<(String, OutboundRequest)> {
        std::mem::take(&mut self.state.lock().unwrap().sent)
    }
}

impl Transport for Script {
    fn send(&self, endpoint: &Endpoint, request: &OutboundRequest) -> Exchange {
        let mut state = self.state.lock().unwrap();
        state.sent.push((endpoint.name.clone(), request.clone()));
        let answer = state.answers.pop_front().or_else(|| state.forever.clone());
        Exchange {
            timing: Timing::default(),
            answer: answer.expect("the script is at its end"),
        }
    }
}

pub fn replied(status: u16) -> Answer {
    replied_with(status, &[])
}

pub fn replied_with(status: u16, headers: &[(&str, &str)]) -> Answer {
    let headers = headers
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    Answer::Replied(Reply {
        status,
        headers,
        body: b"noted".to_vec(),
        ..Reply::default()
    })
}

pub fn unreachable() -> Answer {
    Answer::Unreachable {
        error: "cannot connect: connection refused".to_owned(),
    }
}

/// The clock of a process that began when the other showed this.
struct Restarted(Arc<ManualClock>, Duration);

impl Clock for Restarted {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed() - self.1
    }
}

/// A store and a scheduler without threads, on a clock that stands still.
pub struct Bench {
    /// Kept: dropping it removes the store's folder.
    _folder: tempfile::TempDir,
    pub store: Store,
    pub clock: Arc<ManualClock>,
    pub script: Script,
    pub transport: Arc<dyn Transport>,
    pub scheduler: Scheduler,
}

impl Bench {
    pub fn new(script: Script) -> Bench {
        let mut bench = Bench::over(|_, _| Arc::new(script.clone()));
        bench.script = script;
        bench
    }

    /// A bench with a transport of the test's own, which may use the store and the clock.
    pub fn over(transport: impl FnOnce(&Store, &Arc<ManualClock>) -> Arc<dyn Transport>) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("hookbox.db"), Missing::Create).unwrap();
        let clock = Arc::new(ManualClock::at(NOON));
        let transport = transport(&store, &clock);
        let scheduler = Scheduler::new(store.clone(), clock.clone(), transport.clone(), 7).unwrap();
        Bench {
            _folder: folder,
            store,
            clock,
            script: Script::default(),
            transport,
            scheduler,
        }
    }

    /// The process ends and another begins, with a clock of its own beginning.
    pub fn restart(&mut self) {
        let began = Clock::elapsed(self.clock.as_ref());
        let clock = Arc::new(Restarted(self.clock.clone(), began));
        let transport = self.transport.clone();
        self.scheduler = Scheduler::new(self.store.clone(), clock, transport, 8).unwrap();
    }

    pub fn endpoint(&self, name: &str) -> EndpointId {
        self.endpoint_with(name, |_| {})
    }

    pub fn endpoint_with(&self, name: &str, change: impl FnOnce(&mut NewEndpoint)) -> EndpointId {
        let mut new = NewEndpoint::new(name, "http://127.0.0.1:9/hook".parse().unwrap());
        change(&mut new);
        self.store.add_endpoint(new, NOON).unwrap()
    }

    pub fn event(&self) {
        self.store.accept(event("push"), self.now()).unwrap();
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    pub fn run_due(&mut self) -> usize {
        self.scheduler.run_due().unwrap()
    }
}

pub fn event(event_type: &str) -> NewEvent {
    NewEvent {
        content_type: Some("application/json".to_owned()),
        ..NewEvent::new(event_type, PUSH)
    }
}

/// Holds a text to the one that is kept in a file, which is written anew where `variable` is set.
pub fn hold(file: &Path, told: &str, variable: &str, tests: &str) {
    if std::env::var_os(variable).is_some() {
        std::fs::write(file, told).unwrap();
    }
    let held = std::fs::read_to_string(file).unwrap_or_default();
    let differs = held
        .lines()
        .zip(told.lines())
        .find(|(held, told)| held != told);
    assert_eq!(
        (differs, held.len()),
        (None, told.len()),
        "{}: look at the change, then write it with {variable}=1 cargo test {tests}",
        file.display()
    );
}

/// Says something on the terminal past what the test harness keeps of passing tests.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A number from the environment, such as how often something is tried.
pub fn number_from(variable: &str, usual: u64) -> u64 {
    let text = std::env::var(variable);
    text.ok().map_or(usual, |text| text.parse().unwrap())
}

/// Runs SQL on a database file, as another program would.
pub fn sql(db: &Path, statements: &str) {
    let connection = rusqlite::Connection::open(db).unwrap();
    connection.execute_batch(statements).unwrap();
}

/// Whether a program that is not ours is missing. Counts it on the terminal; where `HOOKBOX_TEST_ALL` is set,
/// as in CI, a missing one fails the test instead, unless `HOOKBOX_TEST_WITHOUT` (names with commas between)
/// has it.
pub fn is_missing(program: &str, probe: &[&str], how: &str) -> bool {
    let found = Command::new(program)
        .args(probe)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verifiers"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if found {
        return false;
    }
    let without = std::env::var("HOOKBOX_TEST_WITHOUT").unwrap_or_default();
    let mut without = without.split(',').filter(|name| !name.is_empty());
    let is_left_out = without.any(|name| probe.iter().any(|part| part.contains(name)));
    assert!(
        is_left_out || std::env::var_os("HOOKBOX_TEST_ALL").is_none(),
        "{program} is missing: {how}"
    );
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    say(&format!(
        "skipped {count}: {test}: {program} is missing ({how})"
    ));
    true
}

/// Builds a library that stands between a process and the system, `tests/shims/NAME.c`.
pub fn built_shim(folder: &Path, name: &str) -> PathBuf {
    let shim = folder.join(format!("{name}.so"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/shims/{name}.c"));
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&shim)
        .arg(source)
        .args(["-ldl", "-lpthread"])
        .status();
    assert!(status.unwrap().success());
    shim
}
