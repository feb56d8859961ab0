//! A Gogs on a MySQL server (here MariaDB, on a socket of its own): what it sent while nobody listened comes in.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use hookbox::signature::{Secret, gogs};
use hookbox::time::{Clock, SystemClock};
use serde_json::json;

use crate::support::{GOGS_SECRET, PUSH, TestDb, is_missing, wait_until};

/// A server in a folder, without a network. It is killed when it is dropped.
struct Server {
    child: Child,
    socket: String,
}

impl Server {
    fn start(folder: &Path) -> Server {
        let data = folder.join("data");
        let socket = folder.join("s").display().to_string();
        let user = if rustix::process::geteuid().is_root() {
            "--user=root"
        } else {
            "--skip-name-resolve"
        };
        let made = Command::new("mariadb-install-db")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .args([
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
                user,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let child = Command::new("mariadbd")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={socket}"))
            .args(["--skip-networking", user])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let server = Server {
            child: child.unwrap(),
            socket,
        };
        wait_until("the server", || {
            server.run("mysql", "select 1").then_some(())
        });
        server
    }

    fn run(&self, database: &str, statements: &str) -> bool {
        let ran = Command::new("mariadb")
            .args(["--no-defaults", "--user=root", database])
            .arg(format!("--socket={}", self.socket))
            .arg(format!("--execute={statements}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        ran.unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The tables of a Gogs, with the types that it makes on MySQL.
const GOGS: &str = "
    create table webhook (id bigint primary key auto_increment, repo_id bigint, url text, secret text);
    create table hook_task (
        id bigint primary key auto_increment, repo_id bigint, hook_id bigint, uuid varchar(255), type int,
        url text, signature text, payload_content text, content_type int, event_type varchar(255),
        is_ssl tinyint(1), is_delivered tinyint(1), delivered bigint, is_succeed tinyint(1),
        request_content text, response_content text
    ) character set utf8mb4;";

#[test]
fn what_a_gogs_on_mysql_sent_while_nobody_listened_comes_in_once() {
    if is_missing("mariadbd", &["--version"], "apt-get install mariadb-server") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let here = TestDb::new();
    here.add_gogs();
    assert!(server.run(
        "mysql",
        "create database gogs character set utf8mb4; create user g@localhost identified by 'p@ss word';
         grant select on gogs.* to g@localhost",
    ));
    let from = format!(
        "mysql://g:p%40ss%20word@localhost/gogs?socket={}",
        server.socket
    );
    let import = ["import", "gogs", "--from", &from];
    let ran = here.run(&import);
    assert!(
        ran.code == 2 && ran.stderr.contains("it has no table hook_task"),
        "{}",
        ran.stderr
    );
    assert!(server.run("gogs", GOGS));
    let now = SystemClock::new().now().0;
    let secret = Secret::new(GOGS_SECRET).unwrap();
    // What a client could change on its way: line feeds, tabs, letters beyond ASCII, a text that looks null.
    let odd = PUSH.replacen(
        '{',
        "{\"odd\":\"a\\u{1F600}灯 \\t \\n NULL '\",\n\t\"x\": 'y',",
        1,
    );
    let odd = odd.replace("\"x\": 'y',", "");
    for (uuid, body, is_signed, is_delivered) in [
        ("a", PUSH, true, 1),
        ("b", PUSH, false, 1),
        ("c", PUSH, true, 0),
        ("d", odd.as_str(), true, 1),
    ] {
        let signature = gogs::sign(&secret, Some("application/json"), body.as_bytes());
        let signature = if is_signed {
            signature
        } else {
            "00".to_owned()
        };
        let content = hex::encode(body);
        let statement = format!(
            "insert into hook_task (repo_id, hook_id, uuid, type, url, signature, payload_content,
                 content_type, event_type, is_ssl, is_delivered, delivered, is_succeed)
             values (1, 1, '{uuid}', 1, 'http://127.0.0.1:8420/in/gogs', '{signature}', x'{content}',
                 1, 'push', 0, {is_delivered}, {}, 0)",
            now * 1_000_000
        );
        assert!(server.run("gogs", &statement));
    }
    let ran = here.run(&[&import[..], &["--json"]].concat());
    let done: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(
        (&done["seen"], &done["taken"], &done["queued"]),
        (&json!(3), &json!(2), &json!(1)),
        "{done} {}",
        ran.stderr
    );
    assert_eq!((ran.code, &done["refused"][0]["uuid"]), (1, &json!("b")));
    let events = here.list(&["event", "list"]);
    let keys: Vec<_> = events.iter().map(|event| &event["key"]).collect();
    assert_eq!(keys, ["d", "a"]);
    let id = events[0]["id"].as_str().unwrap();
    assert_eq!(here.run(&["event", "body", id]).stdout, odd.as_bytes());
    let served = here.serve_with(&["--heal", &format!("gogs={from}")]);
    wait_until("a look", || {
        served.log().contains("heal.left_out").then_some(())
    });
    assert_eq!(here.list(&["event", "list"]).len(), 2);
    let log = served.log();
    assert!(!log.contains("p@ss") && !log.contains("p%40ss"), "{log}");
    // A wrong password says so, and shows none.
    let wrong = from.replace("p%40ss", "hunter2");
    let ran = here.run(&["import", "gogs", "--from", &wrong]);
    assert!(
        ran.code == 1 && ran.stderr.contains("Access denied") && !ran.stderr.contains("hunter2"),
        "{}",
        ran.stderr
    );
}
