//! The examples, run as their first lines say, against the built binary.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{
    Receiver, Served, TestDb, binary, is_missing, no_server, send_signal, try_ask, wait_until,
};

const SECRET: &str = "whsec_aG9va2JveC1leGFtcGxlLXJlY2VpdmVyLXNlY3JldA==";

/// Where Node finds what its examples need.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verifiers");

fn example(name: &str) -> String {
    format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The program that Cargo made of an example in Rust.
fn built(name: &str) -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_hookbox"));
    binary.parent().unwrap().join("examples").join(name)
}

/// An example that puts one order in and rolls another one back: what is delivered is the first.
fn puts_one_order_in(mut program: Command) {
    let here = TestDb::in_file();
    rusqlite::Connection::open(&here.db)
        .unwrap()
        .execute_batch("create table customers (id integer primary key)")
        .unwrap();
    here.json(&["init", "--into-existing", "--wal"]);
    program.arg(&here.db);
    puts_one_order_into(&here, program);
}

/// The same for a program that knows its database.
fn puts_one_order_into(here: &TestDb, mut program: Command) {
    let receiver = Receiver::answering(&[204]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let _served = here.serve();
    let output = program
        .current_dir(MODULES)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("order 2 was rolled back"), "{said}");
    assert!(said.contains("orders: 1"), "{said}");
    let got = receiver.next();
    let body: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(body, serde_json::json!({ "order": 1, "total": 42 }));
    assert_eq!(got.header("x-hookbox-type"), Some("order.paid"));
    assert!(receiver.got_nothing_more());
    assert_eq!(here.list(&["event", "list"])[0]["key"], "order-1");
}

fn run(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

#[test]
fn an_event_goes_in_with_the_transaction_from_rust_on_a_server() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    let mut program = Command::new(built("enqueue_postgres"));
    program.arg(here.location());
    puts_one_order_into(&here, program);
}

#[test]
fn an_event_goes_in_with_the_transaction_from_rust() {
    puts_one_order_in(Command::new(built("enqueue")));
}

#[test]
fn an_event_goes_in_with_the_transaction_from_python() {
    let probe = "import sqlite3; assert sqlite3.sqlite_version_info >= (3, 37)";
    if !is_missing("python3", &["-c", probe], "apt-get install python3") {
        puts_one_order_in(run("python3", &[&example("enqueue.py")]));
    }
}

#[test]
fn an_event_goes_in_with_the_transaction_from_node() {
    let probe = "new (require('better-sqlite3'))(':memory:')";
    if !is_missing("node", &["-e", probe], "npm install in tests/verifiers") {
        puts_one_order_in(run("node", &[&example("enqueue.mjs")]));
    }
}

#[test]
fn an_event_goes_in_with_the_transaction_from_php() {
    let probe = "exit(extension_loaded('pdo_sqlite') ? 0 : 1);";
    if !is_missing("php", &["-r", probe], "apt-get install php-cli php-sqlite3") {
        puts_one_order_in(run("php", &[&example("enqueue.php")]));
    }
}

#[test]
fn an_event_goes_in_with_the_transaction_from_the_shell() {
    if !is_missing("sqlite3", &["--version"], "apt-get install sqlite3") {
        puts_one_order_in(run("sh", &[&example("enqueue.sh")]));
    }
}

#[test]
fn an_event_goes_in_with_the_transaction_from_go() {
    // Debian's packages of Go libraries lie where modules are not looked for.
    let path = "/usr/share/gocode";
    let driver = format!("{path}/src/github.com/mattn/go-sqlite3");
    let has_all =
        Command::new("go").arg("version").output().is_ok() && PathBuf::from(&driver).is_dir();
    if !has_all {
        // Where there is no Go there is nothing to try.
        return;
    }
    let mut go = run("go", &["run", &example("enqueue.go")]);
    go.env("GO111MODULE", "off").env("GOPATH", path);
    go.env("GOFLAGS", "-tags=libsqlite3");
    puts_one_order_in(go);
}

/// A receiver that was started, and ends with the test.
struct Listening {
    child: Child,
    url: String,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Listening {
    fn start(mut program: Command) -> Listening {
        let mut child = program.arg("0").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let url = first.strip_prefix("listening on ").unwrap().to_owned();
        Listening { child, url, lines }
    }

    fn says(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A receiver that takes what is signed with its secret, and nothing else.
fn takes_what_is_genuine(program: Command) {
    let mut receiver = Listening::start(program);
    let here = TestDb::in_file();
    here.add_endpoint(
        "me",
        &receiver.url,
        &["--sign", "standard", "--secret", SECRET, "--retry", "none"],
    );
    here.add_endpoint(
        "forger",
        &receiver.url,
        &[
            "--sign",
            "standard",
            "--secret",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "--retry",
            "none",
            "--types",
            "forged",
        ],
    );
    here.json(&["endpoint", "set", "me", "--types", "order.*"]);
    let _served = here.serve();
    let body = "{\"note\":\"größer\"}";
    here.json(&["enqueue", "--type", "order.paid", "--data", body]);
    let said = receiver.says();
    assert!(
        said.ends_with(&format!("{} bytes, genuine", body.len())),
        "{said}"
    );
    here.wait_for_state("1", "delivered");
    here.json(&["enqueue", "--type", "forged", "--data", body]);
    assert!(receiver.says().ends_with("refused"));
    let dead = here.wait_for_state("2", "dead");
    assert!(dead["reason"].as_str().unwrap().contains("401"), "{dead}");
}

#[test]
fn the_receiver_in_rust_takes_what_is_genuine() {
    takes_what_is_genuine(Command::new(built("receiver")));
}

#[test]
fn the_receiver_in_python_takes_what_is_genuine() {
    if !is_missing("python3", &["--version"], "apt-get install python3") {
        takes_what_is_genuine(run("python3", &[&example("receiver.py")]));
    }
}

#[test]
fn the_receiver_in_node_takes_what_is_genuine() {
    if !is_missing("node", &["--version"], "apt-get install nodejs") {
        takes_what_is_genuine(run("node", &[&example("receiver.mjs")]));
    }
}

#[test]
fn three_nodes_serve_one_database_and_end_together() {
    let Some(here) = TestDb::on_server() else {
        return;
    };
    let from = fastrand::u16(20_000..30_000);
    let hookbox = Path::new(binary());
    let path = std::env::var("PATH").unwrap();
    let mut nodes = Command::new("sh")
        .args([
            &example("three-nodes.sh"),
            &here.location(),
            &from.to_string(),
        ])
        .env(
            "PATH",
            format!("{}:{path}", hookbox.parent().unwrap().display()),
        )
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for node in 11..14 {
        let ready = format!("http://127.0.0.1:{}/readyz", from + node);
        wait_until("a node to be ready", || {
            let answered = try_ask("GET", &ready, &[], "").ok()?;
            (answered.0 == 200).then_some(())
        });
    }
    let living = "select count(*) from hookbox_node where id <> 0";
    assert_eq!(here.query(living)[0].get::<_, i64>(0), 3);
    send_signal(nodes.id(), "TERM");
    assert!(nodes.wait().unwrap().success());
    wait_until("all to have left", || {
        (here.query(living)[0].get::<_, i64>(0) == 0).then_some(())
    });
}

/// An endpoint with three dead deliveries, which takes what comes next; and the folder with the API's document.
fn three_dead() -> (TestDb, Served, Receiver) {
    let here = TestDb::new();
    let receiver = Receiver::answering(&[400, 400, 400, 204]);
    here.add_endpoint("ci", &receiver.url, &["--retry", "none"]);
    let served = here.serve();
    for order in 1..=3 {
        let data = format!("{{\"order\":{order}}}");
        here.json(&["enqueue", "--type", "order.paid", "--data", &data]);
    }
    for delivery in ["1", "2", "3"] {
        here.wait_for_state(delivery, "dead");
    }
    let (_, _, document) = served.page("/openapi.json");
    std::fs::write(here.folder.path().join("openapi.json"), document).unwrap();
    (here, served, receiver)
}

/// Runs a program of somebody else's there, which must succeed; returns what it prints.
fn ran(here: &TestDb, command: &mut Command) -> String {
    let output = command.current_dir(here.folder.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}{failed}");
    told
}

fn assert_replayed(here: &TestDb, told: &str) {
    assert!(told.contains("to be sent to ci again: 3"), "{told}");
    assert!(told.contains(": 3 delivered, 0 dead"), "{told}");
    assert_eq!(here.list(&["replays", "list"]).len(), 1);
    assert_eq!(here.json(&["stats"])["superseded"], 3);
}

#[test]
fn a_python_client_made_from_the_document_replays() {
    let maker = "openapi-python-client";
    if is_missing(maker, &["--version"], "pip install openapi-python-client") {
        return;
    }
    let (here, served, _receiver) = three_dead();
    let made = ["generate", "--path", "openapi.json", "--meta", "none"];
    let said = ran(&here, Command::new(maker).args(made));
    assert!(
        !said.contains("WARNING") && !said.contains("ERROR"),
        "{said}"
    );
    // What it is made with brings what it needs.
    let beside = Command::new("sh")
        .args(["-c", &format!("command -v {maker}")])
        .output()
        .unwrap();
    let beside = String::from_utf8(beside.stdout).unwrap();
    let python = Path::new(beside.trim()).with_file_name("python3");
    let mut replay = Command::new(python);
    replay.env("PYTHONPATH", here.folder.path()).args([
        &example("replay.py"),
        &served.status,
        "ci",
    ]);
    assert_replayed(&here, &ran(&here, &mut replay));
}

#[test]
fn a_typescript_client_made_from_the_document_replays() {
    let how = "npm install in tests/verifiers";
    let probe = "require.resolve('openapi-fetch'); require.resolve('typescript')";
    if is_missing("node", &["-e", probe], how) {
        return;
    }
    let (here, served, _receiver) = three_dead();
    let modules = format!("{MODULES}/node_modules");
    std::os::unix::fs::symlink(&modules, here.folder.path().join("node_modules")).unwrap();
    std::fs::copy(example("replay.mts"), here.folder.path().join("replay.mts")).unwrap();
    let tool = |name: &str| Command::new(format!("{modules}/.bin/{name}"));
    ran(
        &here,
        tool("openapi-typescript").args(["openapi.json", "-o", "hookbox.d.ts"]),
    );
    let compile = [
        "--target",
        "es2022",
        "--module",
        "nodenext",
        "--strict",
        "replay.mts",
    ];
    ran(&here, tool("tsc").args(compile));
    let told = ran(
        &here,
        Command::new("node").args(["replay.mjs", &served.status, "ci"]),
    );
    assert_replayed(&here, &told);
}

#[test]
fn a_public_linter_finds_nothing_wrong_with_the_document() {
    let how = "npm install in tests/verifiers";
    let probe = "require.resolve('@redocly/cli/package.json')";
    if is_missing("node", &["-e", probe], how) {
        return;
    }
    let (here, _served, _receiver) = three_dead();
    let mut lint = Command::new(format!("{MODULES}/node_modules/.bin/redocly"));
    lint.env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    lint.args(["lint", "openapi.json", "--max-problems", "20"]);
    let output = lint.current_dir(here.folder.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(!told.contains("Warning was generated"), "{told}");
}
