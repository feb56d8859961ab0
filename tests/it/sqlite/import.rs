//! What a forge sent and never arrived is taken in out of its own database, once.

use std::path::PathBuf;

use hookbox::inbound::usual_since;
use hookbox::model::event::NewEvent;
use hookbox::model::kind::SourceKind;
use hookbox::model::source::NewSource;
use hookbox::signature::{Secret, gogs};
use hookbox::store::{Missing, Store};
use hookbox::time::{Clock, SystemClock};
use rusqlite::{Connection, named_params};
use serde_json::json;

use crate::support::{DAY, GOGS_SECRET, HOUR, NOON, PUSH, Receiver, TestDb, wait_until};

/// The tables of a Gogs 0.11.91, as far as they are about webhooks.
const GOGS: &str = "
    create table webhook (
        id integer primary key autoincrement, repo_id integer, org_id integer, url text,
        content_type integer, secret text, events text, is_ssl integer, is_active integer,
        hook_task_type integer, meta text, last_status integer, created_unix integer,
        updated_unix integer
    );
    create table hook_task (
        id integer primary key autoincrement, repo_id integer, hook_id integer, uuid text, type integer,
        url text, signature text, payload_content text, content_type integer, event_type text,
        is_ssl integer, is_delivered integer, delivered integer, is_succeed integer,
        request_content text, response_content text
    );
    insert into webhook (repo_id, url, content_type, secret, is_active)
    values (1, 'http://127.0.0.1:8420/in/gogs', 1, 'topsecret', 1);";

/// As Gitea has them since it keeps the request: no URL and no signature beside it.
const GITEA: &str = "
    create table webhook (id integer primary key autoincrement, repo_id integer, url text, secret text);
    create table hook_task (
        id integer primary key autoincrement, hook_id integer, uuid text, payload_content text,
        event_type text, is_delivered integer, delivered integer, is_succeed integer,
        request_content text, response_content text
    );
    insert into webhook (url) values ('https://hooks.example.org/in/gitea');";

/// A webhook that a Gogs tried, or has yet to.
struct Tried<'t> {
    uuid: &'t str,
    url: &'t str,
    body: &'t str,
    is_form: bool,
    secret: &'t str,
    hours_ago: i64,
    is_delivered: bool,
    is_succeed: bool,
}

const TRIED: Tried<'static> = Tried {
    uuid: "",
    url: "http://127.0.0.1:8420/in/gogs",
    body: PUSH,
    is_form: false,
    secret: GOGS_SECRET,
    hours_ago: 0,
    is_delivered: true,
    is_succeed: true,
};

struct Gogs {
    path: PathBuf,
    connection: Connection,
}

impl Gogs {
    fn new(here: &TestDb) -> Gogs {
        let path = here.folder.path().join("gogs.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(GOGS).unwrap();
        Gogs { path, connection }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn tries(&self, tried: &Tried<'_>) {
        let secret = Secret::new(tried.secret).unwrap();
        let content_type = match tried.is_form {
            true => "application/x-www-form-urlencoded",
            false => "application/json",
        };
        let signature = gogs::sign(&secret, Some(content_type), tried.body.as_bytes());
        let request = json!({ "headers": {
            "Content-Type": content_type,
            "X-Gogs-Delivery": tried.uuid,
            "X-Gogs-Event": "push",
            "X-Gogs-Signature": signature,
        }});
        let request = tried.is_delivered.then(|| request.to_string());
        self.connection
            .execute(
                "insert into hook_task (repo_id, hook_id, uuid, type, url, signature, payload_content,
                     content_type, event_type, is_delivered, delivered, is_succeed, request_content)
                 values (1, 1, :uuid, 1, :url, :signature, :body, :content_type, 'push', :is_delivered,
                     :delivered, :is_succeed, :request)",
                named_params! {
                    ":uuid": tried.uuid,
                    ":url": tried.url,
                    ":signature": signature,
                    ":body": tried.body,
                    ":content_type": if tried.is_form { 2 } else { 1 },
                    ":is_delivered": tried.is_delivered,
                    ":delivered": nanos_ago(tried.hours_ago),
                    ":is_succeed": tried.is_succeed,
                    ":request": request,
                },
            )
            .unwrap();
    }
}

fn nanos_ago(hours: i64) -> i64 {
    (SystemClock::new().now().0 - hours * 3_600_000) * 1_000_000
}

#[test]
fn what_gogs_sent_while_nobody_listened_comes_in_once() {
    let here = TestDb::in_file();
    let receiver = Receiver::answering(&[200]);
    here.add_gogs();
    here.add_endpoint("ci", &receiver.url, &[]);
    let gogs = Gogs::new(&here);
    let body = |number: usize| PUSH.replacen("lighthouse", &format!("lighthouse-{number}"), 1);
    // In mid-traffic: the first five arrive, and of two of them Gogs does not know it.
    let served = here.serve();
    for number in 0..5 {
        let (uuid, body) = (format!("uuid-{number}"), body(number));
        assert_eq!(served.push(&uuid, body.as_bytes()).0, 202);
        gogs.tries(&Tried {
            uuid: &uuid,
            body: &body,
            is_succeed: number % 2 == 0,
            ..TRIED
        });
    }
    for _ in 0..5 {
        receiver.next();
    }
    assert_eq!(served.signal("TERM"), Some(0));
    for number in 5..9 {
        gogs.tries(&Tried {
            uuid: &format!("uuid-{number}"),
            body: &body(number),
            is_succeed: false,
            ..TRIED
        });
    }
    let form = format!(
        "payload={}",
        form_urlencoded::byte_serialize(PUSH.as_bytes()).collect::<String>()
    );
    gogs.tries(&Tried {
        uuid: "a-form",
        body: &form,
        is_form: true,
        ..TRIED
    });
    // Not ours: to another address, not tried yet, signed with another secret, of last month.
    gogs.tries(&Tried {
        uuid: "elsewhere",
        url: "http://127.0.0.1:8420/hooks",
        ..TRIED
    });
    gogs.tries(&Tried {
        uuid: "queued",
        is_delivered: false,
        ..TRIED
    });
    gogs.tries(&Tried {
        uuid: "foreign",
        secret: "othersecret",
        ..TRIED
    });
    gogs.tries(&Tried {
        uuid: "old",
        hours_ago: 24 * 31,
        ..TRIED
    });

    let import = |more: &[&str]| {
        let ran = here.run(&[&["import", "gogs", "--from", gogs.path(), "--json"], more].concat());
        let told: serde_json::Value = serde_json::from_str(ran.text()).unwrap();
        (ran.code, told, ran.stderr)
    };
    let counts = |told: &serde_json::Value| {
        ["seen", "had", "taken", "queued"].map(|name| told[name].as_u64().unwrap())
    };
    let (code, told, stderr) = import(&["--dry-run"]);
    assert_eq!((code, counts(&told)), (1, [11, 5, 5, 1]), "{told}");
    assert_eq!(told["refused"][0]["uuid"], "foreign");
    assert!(stderr.contains("signature does not match"), "{stderr}");
    assert_eq!(here.json(&["stats"])["events"], 5, "only looked at");
    let (code, told, _) = import(&[]);
    assert_eq!((code, counts(&told)), (1, [11, 5, 5, 1]), "{told}");
    let (code, told, _) = import(&[]);
    assert_eq!((code, counts(&told)), (1, [11, 10, 0, 1]), "{told}");
    // A wider look finds the old one, which was never here either.
    let (_, told, _) = import(&["--since", "60d"]);
    assert_eq!(counts(&told), [12, 10, 1, 1], "{told}");

    let _served = here.serve();
    let mut got: Vec<String> = (0..6)
        .map(|_| {
            receiver
                .next()
                .header("X-Gogs-Delivery")
                .unwrap()
                .to_owned()
        })
        .collect();
    got.sort();
    assert_eq!(
        got,
        ["a-form", "old", "uuid-5", "uuid-6", "uuid-7", "uuid-8"]
    );
    let events = here.list(&["event", "list"]);
    assert_eq!(events.len(), 11);
    let shown = here.json(&["event", "show", "6"]);
    assert_eq!(
        (&shown["type"], &shown["key"]),
        (&"push".into(), &"uuid-5".into())
    );
    assert!(shown["headers"].to_string().contains("\"Date\""), "{shown}");
    assert_eq!(here.run(&["event", "body", "6"]).stdout, body(5).as_bytes());
}

#[test]
fn serve_heals_by_itself_after_a_start_and_now_and_then() {
    let here = TestDb::in_file();
    let receiver = Receiver::answering(&[200]);
    here.add_gogs();
    here.add_endpoint("ci", &receiver.url, &[]);
    let gogs = Gogs::new(&here);
    gogs.tries(&Tried {
        uuid: "while-away",
        is_succeed: false,
        ..TRIED
    });
    let heal = format!("gogs={}", gogs.path());
    let served = here.serve_with(&["--heal", &heal, "--heal-every", "100ms"]);
    let key =
        |got: &crate::support::ReceivedRequest| got.header("X-Gogs-Delivery").unwrap().to_owned();
    assert_eq!(key(&receiver.next()), "while-away");
    gogs.tries(&Tried {
        uuid: "later",
        is_succeed: false,
        ..TRIED
    });
    assert_eq!(key(&receiver.next()), "later");
    // What comes by itself and is in the database is one event.
    served.push("both-ways", PUSH.as_bytes());
    gogs.tries(&Tried {
        uuid: "both-ways",
        ..TRIED
    });
    gogs.tries(&Tried {
        uuid: "last",
        is_succeed: false,
        ..TRIED
    });
    let mut got = [key(&receiver.next()), key(&receiver.next())];
    got.sort();
    assert_eq!(got, ["both-ways", "last"]);
    assert_eq!(here.json(&["stats"])["events"], 4);
    // What cannot be read is said once.
    std::fs::remove_file(&gogs.path).unwrap();
    let log = wait_until("the word of it", || {
        let log = served.log();
        log.contains("heal.left_out").then_some(log)
    });
    assert!(log.contains("No such file"), "{log}");
}

#[test]
fn a_gitea_that_keeps_the_request_is_read_as_well() {
    let here = TestDb::in_file();
    here.json(&[
        "source",
        "add",
        "gitea",
        "--kind",
        "gitea",
        "--secret",
        GOGS_SECRET,
    ]);
    let path = here.folder.path().join("gitea.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(GITEA).unwrap();
    let secret = Secret::new(GOGS_SECRET).unwrap();
    let request = json!({
        "url": "https://hooks.example.org/in/gitea",
        "headers": {
            "Content-Type": "application/json",
            "X-Gitea-Delivery": "uuid-1",
            "X-Gitea-Event": "issue_comment",
            "X-Gitea-Signature": gogs::sign(&secret, Some("application/json"), PUSH.as_bytes()),
        },
        "body": PUSH,
    });
    connection
        .execute(
            "insert into hook_task (hook_id, uuid, payload_content, event_type, is_delivered, delivered, request_content)
             values (1, 'uuid-1', '{\"its\": \"own\"}', 'pull_request_comment', 1, ?1, ?2)",
            rusqlite::params![nanos_ago(1), request.to_string()],
        )
        .unwrap();
    let told = here.json(&["import", "gitea", "--from", path.to_str().unwrap()]);
    assert_eq!(
        (&told["taken"], &told["source"]),
        (&1.into(), &"gitea".into())
    );
    let shown = here.json(&["event", "show", "1"]);
    assert_eq!(
        (&shown["type"], &shown["key"]),
        (&"issue_comment".into(), &"uuid-1".into())
    );
    assert_eq!(here.run(&["event", "body", "1"]).stdout, PUSH.as_bytes());
}

#[test]
fn what_is_not_clear_is_asked_and_nothing_is_changed() {
    let here = TestDb::in_file();
    let gogs = Gogs::new(&here);
    let refused = |arguments: &[&str], why: &str| {
        let ran = here.run(&[&["import"], arguments].concat());
        assert!(
            ran.code == 2 && ran.stderr.contains(why),
            "{} {}",
            ran.code,
            ran.stderr
        );
    };
    here.json(&["init"]);
    refused(&["gogs", "--from", gogs.path()], "hookbox source add gogs");
    refused(
        &["github", "--from", gogs.path()],
        "hookbox import github --api URL",
    );
    refused(
        &["gogs", "--from", here.db.to_str().unwrap()],
        "no table hook_task",
    );
    let text = here.folder.path().join("text");
    std::fs::write(
        &text,
        "a text that is long enough to be no database at all, by far",
    )
    .unwrap();
    refused(
        &["gogs", "--from", text.to_str().unwrap()],
        "no table hook_task",
    );
    assert_eq!(
        here.run(&["import", "gogs", "--from", "nowhere.db"]).code,
        1
    );
    here.add_gogs();
    here.json(&[
        "source",
        "add",
        "other",
        "--kind",
        "gogs",
        "--secret",
        GOGS_SECRET,
    ]);
    refused(&["gogs", "--from", gogs.path()], "--source: gogs, other");
    // Two boxes that are told of the same pushes: one of them is this one.
    gogs.tries(&Tried {
        uuid: "here",
        ..TRIED
    });
    gogs.tries(&Tried {
        uuid: "there",
        url: "http://10.0.0.9:8420/in/gogs",
        ..TRIED
    });
    let of_gogs = ["gogs", "--from", gogs.path(), "--source", "gogs"];
    refused(
        &of_gogs,
        "http://10.0.0.9:8420, http://127.0.0.1:8420; name it with --url",
    );
    assert_eq!(here.json(&["stats"])["events"], 0);
    let url = ["--url", "http://127.0.0.1:8420/"];
    let told = here.json(&[&["import"], &of_gogs[..], &url].concat());
    assert_eq!((&told["seen"], &told["taken"]), (&1.into(), &1.into()));
}

/// Cause: what retention removes is not here any more, and Gogs still has it. Damage: it is sent again.
#[test]
fn it_does_not_look_at_what_may_have_been_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("h.db"), Missing::Create).unwrap();
    store
        .add_source(NewSource::new("gogs", SourceKind::Gogs), NOON)
        .unwrap();
    let since = |kept, now| usual_since(&store, "gogs", kept, now).unwrap();
    assert_eq!(since(None, NOON), NOON.minus(DAY), "where nothing came yet");
    let source = store.directory().source("gogs").unwrap().id;
    let event = NewEvent {
        source: Some(source),
        ..NewEvent::new("push", "{}")
    };
    store.accept(event, NOON).unwrap();
    let week_later = NOON.plus(7 * DAY);
    assert_eq!(since(None, week_later), NOON.minus(DAY));
    assert_eq!(since(Some(30 * DAY), week_later), NOON.minus(DAY));
    // An hour is kept: of what came before the newest nothing can be told.
    assert_eq!(since(Some(HOUR), week_later), NOON);
    assert_eq!(since(Some(HOUR), NOON.plus(HOUR / 2)), NOON.minus(HOUR / 2));
}
