//! What is so on a server only: the outbox as an application there sees it, and the commands that are for
//! files.

use std::sync::mpsc::channel;

use hookbox::model::event::NewEvent;
use hookbox::model::id::SourceId;
use hookbox::postgres::{Client, NoTls};
use hookbox::signature::{Secret, gogs};
use hookbox::store::{Missing, Store};
use hookbox::time::{Clock, SystemClock};
use hookbox::{Error, Hookbox};
use serde_json::json;

use crate::embedded::{add_ci, free};
use crate::outbox::{BAD_ROWS, insert_of};
use crate::support::{
    GOGS_SECRET, NOON, OwnServer, PUSH, Receiver, Served, TestDb, no_server, wait_until,
};

/// A connection to the database as an application has it.
fn app(here: &TestDb) -> Client {
    Client::connect(&here.location(), NoTls).unwrap()
}

fn all_taken(here: &TestDb) {
    wait_until("the outbox to be empty", || {
        (here.json(&["stats"])["outbox"] == 0).then_some(())
    });
}

/// What the server said.
fn said(error: &hookbox::postgres::Error) -> &str {
    error
        .as_db_error()
        .unwrap_or_else(|| panic!("{error}"))
        .message()
}

#[test]
fn what_an_application_commits_is_delivered_and_what_it_rolls_back_never_was() {
    if no_server() {
        return;
    }
    let receiver = Receiver::answering(&[200]);
    let here = TestDb::new();
    here.add_endpoint("ci", &receiver.url, &[]);
    let _served = here.serve();
    let mut app = app(&here);
    app.batch_execute("create table orders (id serial primary key, total bigint)")
        .unwrap();
    for (total, commits) in [(1i64, true), (2, false), (3, true)] {
        let mut tx = app.transaction().unwrap();
        tx.execute("insert into orders (total) values ($1)", &[&total])
            .unwrap();
        tx.execute(
            "insert into hookbox_outbox (type, body, headers)
             values ('order.paid', $1, '{\"X-Shop\":\"north\"}')",
            &[&json!({ "total": total }).to_string()],
        )
        .unwrap();
        match commits {
            true => tx.commit().unwrap(),
            false => tx.rollback().unwrap(),
        }
    }
    for total in [1, 3] {
        let got = receiver.next();
        assert_eq!(got.body, json!({ "total": total }).to_string().as_bytes());
        assert_eq!(got.header("content-type"), Some("application/json"));
        assert_eq!(got.header("x-shop"), Some("north"));
        assert_eq!(got.header("x-hookbox-type"), Some("order.paid"));
    }
    assert!(receiver.got_nothing_more());
    assert_eq!(here.json(&["stats"])["events"], 2);
}

/// Adds an event and rolls another one back from a task that may move between threads; returns what waits.
fn enqueued_on_tokio(url: String, source: SourceId) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let task = async move {
        let (mut app, connection) =
            hookbox::tokio_postgres::connect(&url, hookbox::tokio_postgres::NoTls)
                .await
                .unwrap();
        tokio::spawn(connection);
        let event = |body: &str| NewEvent {
            source: Some(source),
            headers: vec![("X-Shop".to_owned(), "west".to_owned())],
            ..NewEvent::new("order.paid", body)
        };
        let tx = app.transaction().await.unwrap();
        hookbox::enqueue_async(&tx, &event("[4]")).await.unwrap();
        tx.rollback().await.unwrap();
        hookbox::enqueue_async(&app, &event("[5]")).await.unwrap();
        let of_nobody = NewEvent {
            source: Some(SourceId(99)),
            ..event("[6]")
        };
        let refused = hookbox::enqueue_async(&app, &of_nobody).await;
        assert_eq!(
            refused.unwrap_err().to_string(),
            "the event's source is not there"
        );
        let bad = hookbox::enqueue_async(&app, &NewEvent::new("", "{}")).await;
        assert_eq!(bad.unwrap_err().exit_code(), 2);
        let waits = "select count(*) from hookbox_outbox_row";
        app.query_one(waits, &[]).await.unwrap().get(0)
    };
    runtime.block_on(runtime.spawn(task)).unwrap()
}

#[test]
fn enqueue_adds_an_event_in_the_transaction_of_the_application() {
    if no_server() {
        return;
    }
    let receiver = Receiver::answering(&[200]);
    let here = TestDb::new();
    here.add_endpoint("ci", &receiver.url, &[]);
    let source = {
        here.add_gogs();
        let store = Store::open(here.location(), Missing::Refuse).unwrap();
        store.directory().source("gogs").unwrap().id
    };
    let mut app = app(&here);
    let event = |body: &str| NewEvent {
        source: Some(source),
        headers: vec![
            ("X-Shop".to_owned(), "north".to_owned()),
            ("X-Shop".to_owned(), "south".to_owned()),
        ],
        ..NewEvent::new("order.paid", body)
    };
    let mut tx = app.transaction().unwrap();
    hookbox::enqueue(&mut tx, &event("[1]")).unwrap();
    tx.rollback().unwrap();
    let mut tx = app.transaction().unwrap();
    let mut part = tx.savepoint("part").unwrap();
    hookbox::enqueue(&mut part, &event("[2]")).unwrap();
    part.rollback().unwrap();
    hookbox::enqueue(&mut tx, &event("[3]")).unwrap();
    tx.commit().unwrap();
    hookbox::enqueue(&mut app, &NewEvent::new("own", b"\x00\xff".to_vec())).unwrap();
    assert_eq!(here.json(&["stats"])["outbox"], 2);
    assert_eq!(enqueued_on_tokio(here.location(), source), 3);
    let _served = here.serve();
    let first = receiver.next();
    assert_eq!(first.body, b"[3]");
    let mut others = [receiver.next(), receiver.next()];
    others.sort_by(|one, other| one.body.cmp(&other.body));
    let [bytes, last] = &others;
    assert_eq!(bytes.body, b"\x00\xff");
    assert_eq!(
        (last.body.as_slice(), last.header("x-shop")),
        (&b"[5]"[..], Some("west"))
    );
    let events = here.list(&["event", "list"]);
    assert_eq!(events[0]["source"], "gogs");
    let events = &events[1..];
    assert_eq!(events[1]["source"], "gogs");
    assert!(receiver.got_nothing_more());

    // What cannot be an event is refused before it is written, and the transaction goes on.
    let mut tx = app.transaction().unwrap();
    let bad = [
        NewEvent::new("", "{}"),
        NewEvent::new("t", vec![0; 1024 * 1024 + 1]),
        NewEvent {
            headers: vec![("A B".to_owned(), "x".to_owned())],
            ..NewEvent::new("t", "{}")
        },
    ];
    for event in &bad {
        let refused = hookbox::enqueue(&mut tx, event);
        assert!(matches!(refused, Err(Error::Misuse(_))), "{refused:?}");
    }
    let of_nobody = NewEvent {
        source: Some(SourceId(7_000)),
        ..NewEvent::new("t", "{}")
    };
    let refused = hookbox::enqueue(&mut tx, &of_nobody);
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    hookbox::enqueue(&mut tx, &NewEvent::new("fine", "{}")).unwrap();
    tx.commit().unwrap();
    assert_eq!(receiver.next().body, b"{}");

    // Elsewhere than in hookbox's own tables there is nothing to put it in.
    app.batch_execute("set search_path = pg_catalog").unwrap();
    let refused = hookbox::enqueue(&mut app, &NewEvent::new("t", "{}")).unwrap_err();
    assert!(
        refused.chain().contains("hookbox_outbox_row"),
        "{}",
        refused.chain()
    );
}

#[test]
fn bytes_and_texts_of_the_outbox_keep_their_bytes_their_order_and_their_time() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    here.json(&["init"]);
    let mut app = app(&here);
    app.batch_execute(
        "insert into hookbox_outbox (type, body) values ('json', '{\"a\": 1.0}');
         insert into hookbox_outbox (type, body) values ('text', 'ünï');
         insert into hookbox_outbox (type, body_bytes) values ('json.bytes', '[1]');
         insert into hookbox_outbox (type, body_bytes) values ('bytes', '\\x00ff0a');
         insert into hookbox_outbox (type, body) values ('empty', '');
         insert into hookbox_outbox (type, body, content_type) values ('own', '<a/>', 'text/xml');
         update hookbox_outbox_row set inserted_ms = 1772366400000 where type = 'json';
         update hookbox_outbox_row set inserted_ms = 5 where type = 'text';",
    )
    .unwrap();
    // More at once than is taken over in one go, in rows and in bytes.
    let large = "x".repeat(1024 * 1024);
    for _ in 0..6 {
        app.execute(
            "insert into hookbox_outbox (type, body) values ('large', $1)",
            &[&large],
        )
        .unwrap();
    }
    app.batch_execute(
        "insert into hookbox_outbox (type, body)
         select 'many', n::text from generate_series(1, 300) as n",
    )
    .unwrap();
    let served = here.serve();
    all_taken(&here);
    let mut events = here.list(&["event", "list", "--limit", "1000"]);
    events.reverse();
    assert_eq!(events.len(), 6 + 6 + 300);
    let told: Vec<(&str, &str)> = events[..6]
        .iter()
        .map(|event| {
            let text = |name: &str| event[name].as_str().unwrap();
            (text("type"), text("content_type"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("json", "application/json"),
            ("text", "text/plain; charset=utf-8"),
            ("json.bytes", "application/json"),
            ("bytes", "application/octet-stream"),
            ("empty", "text/plain; charset=utf-8"),
            ("own", "text/xml"),
        ]
    );
    assert_eq!(events[0]["received_at"], NOON.to_string());
    let odd = events[1]["received_at"].as_str().unwrap();
    assert!(
        odd > "2026-03-02",
        "a clock that was wrong says nothing: {odd}"
    );
    let body = |index: usize| {
        let id = events[index]["id"].as_str().unwrap();
        here.run(&["event", "body", id]).stdout
    };
    assert_eq!(body(1), "ünï".as_bytes());
    assert_eq!(body(3), b"\x00\xff\n");
    assert_eq!(body(12), b"1");
    assert_eq!(body(311), b"300");
    drop(served);
}

#[test]
fn a_repeated_key_is_the_same_event_and_a_row_without_its_source_stays_with_the_reason() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    here.add_gogs();
    let mut app = app(&here);
    let mut put = |key: &str, source: Option<&str>| {
        app.execute(
            "insert into hookbox_outbox (type, body, key, source) values ('push', $1, $2, $3)",
            &[&PUSH, &key, &source],
        )
        .unwrap();
    };
    put("k", Some("gogs"));
    put("k", Some("gogs"));
    put("k", None);
    let served = here.serve();
    all_taken(&here);
    put("k", Some("gogs"));
    all_taken(&here);
    let events = here.list(&["event", "list"]);
    assert_eq!(events.len(), 2, "one of the source, one of none");
    assert_eq!(events[1]["source"], "gogs");
    drop(served);

    put("of one that goes", Some("gogs"));
    here.json(&["source", "remove", "gogs"]);
    let served = here.serve();
    put("fine", None);
    wait_until("the other to be taken", || {
        (here.json(&["stats"])["events"] == 3).then_some(())
    });
    let row = app
        .query_one("select problem from hookbox_outbox", &[])
        .unwrap();
    let problem: String = row.get(0);
    assert!(problem.contains("source gogs was removed"), "{problem}");
    drop(served);
    here.run_with_input(
        &["source", "add", "gogs", "--kind", "gogs", "--secret", "-"],
        GOGS_SECRET.as_bytes(),
    );
    let _served = here.serve();
    all_taken(&here);
    assert_eq!(here.json(&["stats"])["events"], 4);
}

#[test]
fn bad_input_makes_the_insert_fail_and_says_what_to_do() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    here.json(&["init"]);
    let mut app = app(&here);
    let of_postgres = [
        ("(type, body) values (E'a\\n', 'x')", "control characters"),
        (
            "(type, body, body_bytes) values ('a', 'b', 'c')",
            "both given",
        ),
        (
            "(type, body) values ('a', '\\x00ff'::bytea::text)",
            "give them in body_bytes",
        ),
        ("(type, body) values ('a', repeat('x', 1048577))", "1 MiB"),
        (
            "(type, body, content_type) values ('a', 'b', E'x\\r')",
            "cannot stand in a header",
        ),
    ];
    for (values, says) in BAD_ROWS.into_iter().chain(of_postgres) {
        let statement = insert_of(values);
        let error = app.batch_execute(&statement).unwrap_err();
        let message = said(&error);
        assert!(
            message.starts_with("hookbox_outbox: ") && message.contains(says),
            "{values}: {message}"
        );
    }
    assert_eq!(here.json(&["stats"])["outbox"], 0);
    let update = "insert into hookbox_outbox (type, body) values ('t', '{}');
         update hookbox_outbox set body = 'x'";
    let error = app.batch_execute(update).unwrap_err();
    assert!(said(&error).contains("is not changed here"), "{error}");
}

#[test]
fn a_role_that_may_only_insert_into_the_outbox_needs_nothing_else() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    here.json(&["init"]);
    let mut owner = app(&here);
    let schema: String = owner
        .query_one("select current_schema()", &[])
        .unwrap()
        .get(0);
    let role = format!("{schema}_app");
    owner
        .batch_execute(&format!(
            "create role {role};
             grant usage on schema {schema} to {role};
             grant insert on hookbox_outbox to {role}"
        ))
        .unwrap();
    let mut app = app(&here);
    app.batch_execute(&format!("set role {role}")).unwrap();
    app.batch_execute("insert into hookbox_outbox (type, body) values ('t', '{}')")
        .unwrap();
    for forbidden in [
        "select type from hookbox_outbox",
        "delete from hookbox_outbox",
        "insert into hookbox_outbox_row (type, body) values ('t', '{}')",
        "select name from hookbox_source",
    ] {
        let error = app.batch_execute(forbidden).unwrap_err();
        assert!(said(&error).contains("permission denied"), "{forbidden}");
    }
    let event = NewEvent::new("t", "{}");
    let error = hookbox::enqueue(&mut app, &event).unwrap_err();
    assert!(error.chain().contains("permission denied"), "{error}");
    // As the schema says of hookbox::enqueue.
    owner
        .batch_execute(&format!(
            "grant insert (type, body, key, source, content_type, headers) on hookbox_outbox_row to {role};
             grant select (id, name, removed_ms) on hookbox_source to {role}"
        ))
        .unwrap();
    hookbox::enqueue(&mut app, &event).unwrap();
    let _served = here.serve();
    all_taken(&here);
    assert_eq!(here.json(&["stats"])["events"], 2);
    owner
        .batch_execute(&format!("drop owned by {role}; drop role {role}"))
        .unwrap();
}

#[test]
fn what_is_for_files_says_what_to_use_on_a_server() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    here.add_gogs();
    for (arguments, says) in [
        (&["backup", "copy.db"][..], "pg_dump"),
        (&["restore", "copy.db"], "PostgreSQL's own tools"),
        (&["check"], "pg_amcheck"),
        (&["salvage", "new.db"], "restore a backup"),
        (&["compact"], "autovacuum"),
        (&["serve", "--max-size", "1GiB"], "--keep-delivered"),
    ] {
        let ran = here.run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
    }
    let ran = here.run(&["doctor"]);
    assert_eq!(ran.code, 0, "{}{}", ran.text(), ran.stderr);
    let sizes = here.json(&["stats"]);
    let bytes = sizes["db_bytes"].as_u64().unwrap();
    assert!((100_000..10_000_000).contains(&bytes), "{bytes}");
}

#[test]
fn few_file_descriptors_suffice_and_too_few_are_refused_with_a_sentence() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    here.add_gogs();
    let serve = |files: u32| {
        let script = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
        here.serve_under("sh", &["-c", &script])
    };
    let output = serve(100).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("may open 100 files"), "{said}");
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let served = Served::start(serve(112));
    for number in 0..20 {
        assert_eq!(served.push(&format!("k{number}"), PUSH.as_bytes()).0, 202);
        assert_eq!(served.page("/").0, 200);
        receiver.next();
    }
}

#[test]
fn a_program_on_tokio_serves_a_server_too_and_may_forget_that_its_calls_block() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    let receiver = Receiver::answering(&[200]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let hookbox = Hookbox::open(here.location()).unwrap();
        add_ci(&hookbox, &receiver);
        let running = hookbox.serve().ingest(free()).start().unwrap();
        let accepted = hookbox.enqueue(NewEvent::new("order.paid", "{}")).unwrap();
        assert_eq!(accepted.deliveries, 1);
        assert_eq!(receiver.next().body, b"{}");
        assert_eq!(hookbox.store().stats().unwrap().events, 1);
        running.stop();
        hookbox.store().close();
    });
}

/// Cause: statements of a group are sent together, so the server's error comes after the job that it belongs to.
#[test]
fn of_a_group_only_the_event_that_the_server_refuses_fails() {
    if no_server() {
        return;
    }
    let here = TestDb::new();
    here.add_endpoint("ci", "http://127.0.0.1:9/", &[]);
    let mut app = app(&here);
    app.batch_execute(
        "create function refuse() returns trigger language plpgsql as $$
         begin
             if new.type = 'bad' then raise exception 'no bad events'; end if;
             return new;
         end $$;
         create trigger refuse before insert on hookbox_event
             for each row execute function refuse()",
    )
    .unwrap();
    let store = Store::open(here.location(), Missing::Refuse).unwrap();
    let (sender, answers) = channel();
    for number in 0..30 {
        let event_type = if number % 10 == 7 { "bad" } else { "good" };
        let event = NewEvent {
            key: Some(format!("k{number}")),
            ..NewEvent::new(event_type, "{}")
        };
        let sender = sender.clone();
        store.accept_then(event, NOON, move |result| {
            sender.send((number, result)).unwrap();
        });
    }
    drop(sender);
    for (number, result) in answers {
        match result {
            Ok(accepted) => assert!(number % 10 != 7 && !accepted.duplicate, "{number}"),
            Err(error) => {
                assert_eq!(number % 10, 7, "{}", error.chain());
                assert!(error.chain().contains("no bad events"), "{}", error.chain());
            }
        }
    }
    let stats = store.stats().unwrap();
    assert_eq!((stats.events, stats.pending), (27, 27));
    assert!(store.group_stats().largest > 1);
    let again = NewEvent {
        key: Some("k7".to_owned()),
        ..NewEvent::new("good", "{}")
    };
    assert!(!store.accept(again, NOON).unwrap().duplicate);
}

#[test]
fn a_server_that_takes_tls_alone_is_spoken_to_by_tls_and_its_certificate_is_checked() {
    if no_server() {
        return;
    }
    let server = OwnServer::start(&["tls"]);
    let (address, _) = server.url.split_once('?').unwrap();
    let here = TestDb::in_file();
    let init = |url: &str| here.run(&["init", "--db", url]);
    let made = init(&server.url);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let served = here.serve_with(&["--db", &server.url]);
    assert_eq!(served.ask("GET", "/readyz", &[], "").0, 200);
    served.stop_and_read_log();
    let other = here.folder.path().join("other.pem");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&other, made.cert.pem()).unwrap();
    let required = format!("{address}?sslmode=require");
    let of_other = format!("{required}&sslrootcert={}", other.display());
    let of_no_database = server.url.replace("/postgres?", "/nothing?");
    let nobody = "postgres://localhost:1/hookbox".to_owned();
    for (url, why) in [
        (
            format!("{address}?sslmode=disable"),
            "write sslmode=require",
        ),
        (required, "with sslrootcert=FILE"),
        (of_other, "invalid peer certificate: "),
        (of_no_database, "make the database first (createdb)"),
        (nobody, "postgres://localhost:1/hookbox: "),
    ] {
        let refused = init(&url);
        assert_ne!(refused.code, 0, "{url}");
        assert!(refused.stderr.contains(why), "{url}: {}", refused.stderr);
    }
}

/// Cause: an error of missing tables or rights was taken for one of the request. Damage: senders were answered
/// 500 and gave up, and `/readyz` said that all was well.
#[test]
fn while_a_table_is_missing_or_closed_senders_are_asked_to_come_again() {
    let Some(here) = TestDb::on_server() else {
        return;
    };
    here.add_gogs();
    let served = here.serve();
    assert_eq!(served.push("k1", PUSH.as_bytes()).0, 202);
    here.query("alter table hookbox_event rename to aside");
    let (status, answer) = served.push("k2", PUSH.as_bytes());
    assert_eq!(status, 503, "{answer}");
    assert_eq!(served.ask("GET", "/readyz", &[], "").0, 503);
    here.query("alter table aside rename to hookbox_event");
    // A balancer that asks first sends nothing until then.
    wait_until("the node to be ready", || {
        (served.ask("GET", "/readyz", &[], "").0 == 200).then_some(())
    });
    assert_eq!(served.push("k2", PUSH.as_bytes()).0, 202);
}

/// The tables of a Gogs, with the types that it makes on PostgreSQL.
const GOGS: &str = "
    create table webhook (id bigserial primary key, repo_id bigint, url text, secret text);
    create table hook_task (
        id bigserial primary key, repo_id bigint, hook_id bigint, uuid varchar(255), type integer,
        url text, signature text, payload_content text, content_type integer, event_type varchar(255),
        is_ssl boolean, is_delivered boolean, delivered bigint, is_succeed boolean,
        request_content text, response_content text
    );";

#[test]
fn what_a_gogs_on_a_server_sent_while_nobody_listened_comes_in_once() {
    if no_server() {
        return;
    }
    let (here, forge) = (TestDb::new(), TestDb::new());
    here.add_gogs();
    let import = ["import", "gogs", "--from", &forge.location()];
    let ran = here.run(&import);
    assert!(
        ran.code == 2 && ran.stderr.contains("it has no table hook_task"),
        "{}",
        ran.stderr
    );
    let mut client = app(&forge);
    client.batch_execute(GOGS).unwrap();
    let now = SystemClock::new().now().0;
    let secret = Secret::new(GOGS_SECRET).unwrap();
    let signature = gogs::sign(&secret, Some("application/json"), PUSH.as_bytes());
    for (uuid, signature, is_delivered) in [
        ("a", signature.as_str(), true),
        ("b", "00", true),
        ("c", signature.as_str(), false),
    ] {
        client.execute(
            "insert into hook_task (repo_id, hook_id, uuid, type, url, signature, payload_content,
                 content_type, event_type, is_ssl, is_delivered, delivered, is_succeed)
             values (1, 1, $1, 1, 'http://127.0.0.1:8420/in/gogs', $2, $3, 1, 'push', false, $4, $5, false)",
            &[&uuid, &signature, &PUSH, &is_delivered, &(now * 1_000_000)],
        )
        .unwrap();
    }
    let ran = here.run(&[&import[..], &["--json"]].concat());
    let done: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(
        (&done["seen"], &done["taken"], &done["queued"]),
        (&json!(2), &json!(1), &json!(1)),
        "{done}"
    );
    // The one that its secret does not prove is told.
    assert_eq!((ran.code, &done["refused"][0]["uuid"]), (1, &json!("b")));
    let events = here.list(&["event", "list"]);
    assert_eq!((events.len(), &events[0]["key"]), (1, &json!("a")));
    let healed = format!("gogs={}", forge.location());
    let served = here.serve_with(&["--heal", &healed]);
    wait_until("a look", || {
        served.log().contains("heal.left_out").then_some(())
    });
    assert_eq!(here.list(&["event", "list"]).len(), 1);
}
