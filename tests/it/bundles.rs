//! Events that travel in a file, and the word that they arrived: between boxes of the built binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use hmac::{Hmac, KeyInit, Mac};
use hookbox::signature::{Secret, bundle};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Receiver, TestDb, closed_port, is_missing, on_server};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// Bytes that are no text.
const BYTES: &[u8] = b"\x00\xff\r\n\"\\";

/// A box without a network that owes its events to a hub.
fn sender() -> TestDb {
    let here = TestDb::new();
    let url = format!("http://127.0.0.1:{}/in/boxes", closed_port());
    here.add_endpoint("hub", &url, &["--sign", "standard", "--secret", SECRET]);
    here
}

fn hub() -> TestDb {
    let hub = TestDb::new();
    hub.json(&[
        "source", "add", "boxes", "--kind", "standard", "--secret", SECRET,
    ]);
    hub
}

fn enqueue(here: &TestDb, key: &str, body: &[u8]) {
    let arguments = [
        "enqueue",
        "--type",
        "reading",
        "--key",
        key,
        "--content-type",
        "text/x",
        "--data",
        "@-",
    ];
    let ran = here.run_with_input(&arguments, body);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

fn file(here: &TestDb, name: &str) -> PathBuf {
    here.folder.path().join(name)
}

fn exported(here: &TestDb, name: &str, arguments: &[&str]) -> PathBuf {
    let path = file(here, name);
    let mut all = vec!["export", "-o", path.to_str().unwrap()];
    all.extend(arguments);
    here.json(&all);
    path
}

fn import<'a>(path: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["import", "bundle", path.to_str().unwrap()];
    all.extend(more);
    all
}

fn events(here: &TestDb) -> Vec<Value> {
    here.list(&["event", "list"])
}

fn pending(here: &TestDb) -> usize {
    here.list(&["delivery", "list", "--state", "pending"]).len()
}

#[test]
fn events_travel_on_a_stick_and_the_word_that_they_arrived_comes_back() {
    let (here, hub) = (sender(), hub());
    let receiver = Receiver::answering(&[200]);
    hub.add_endpoint("store", &receiver.url, &[]);
    enqueue(&here, "first", b"{\"n\":1}");
    enqueue(&here, "second", BYTES);
    let bundle = exported(&here, "a.bundle", &["--endpoint", "hub", "--pending"]);
    let dry = hub.json(&import(&bundle, &["--source", "boxes", "--dry-run"]));
    assert_eq!((&dry["taken"], events(&hub).len()), (&json!(2), 0));
    let done = hub.json(&import(&bundle, &["--source", "boxes"]));
    assert_eq!(
        (&done["seen"], &done["had"], &done["taken"]),
        (&json!(2), &json!(0), &json!(2))
    );
    // Once more is no more.
    let again = hub.json(&import(&bundle, &["--source", "boxes"]));
    assert_eq!((&again["had"], &again["taken"]), (&json!(2), &json!(0)));
    let (sent, got) = (events(&here), events(&hub));
    for (sent, got) in sent.iter().zip(&got) {
        assert_eq!(
            (&got["type"], &got["key"]),
            (&json!("reading"), &sent["id"])
        );
        let body = |db: &TestDb, event: &Value| {
            db.run(&["event", "body", event["id"].as_str().unwrap()])
                .stdout
        };
        assert_eq!(body(&here, sent), body(&hub, got));
        let shown = hub.json(&["event", "show", got["id"].as_str().unwrap()]);
        let headers = shown["headers"].as_array().unwrap();
        let value = |name: &str| {
            headers
                .iter()
                .find(|one| one[0] == name)
                .map(|one| one[1].clone())
        };
        assert_eq!(value("Hookbox-Key"), Some(sent["key"].clone()));
        assert!(value("Date").is_some() && value("Hookbox-Path").is_some());
    }
    let served = hub.serve();
    let mut bodies = [receiver.next().body, receiver.next().body];
    bodies.sort();
    assert_eq!(bodies, [BYTES.to_vec(), b"{\"n\":1}".to_vec()]);
    drop(served);

    // The way back; what came since is still owed.
    let acks = exported(&hub, "acks.bundle", &["--acks", "--source", "boxes"]);
    enqueue(&here, "third", b"3");
    let dry = here.json(&import(&acks, &["--endpoint", "hub", "--dry-run"]));
    assert_eq!(
        (&dry["arrived"], &dry["settled"], pending(&here)),
        (&json!(2), &json!(2), 3)
    );
    let done = here.json(&import(&acks, &["--endpoint", "hub"]));
    assert_eq!((&done["settled"], pending(&here)), (&json!(2), 1));
    let delivered = here.list(&["delivery", "list", "--state", "delivered"]);
    let from = done["box"].as_str().unwrap();
    for one in &delivered {
        assert_eq!(
            one["reason"],
            json!(format!("box {from} has it: a bundle said so"))
        );
    }
    assert_eq!(
        here.json(&["endpoint", "show", "hub"])["delivered"],
        json!(2)
    );
    let again = here.json(&import(&acks, &["--endpoint", "hub"]));
    assert_eq!(again["settled"], json!(0));
    // What was cancelled, replayed and arrived is superseded; a replay under an id of its own stays owed.
    let third = here.list(&["delivery", "list", "--state", "pending"])[0]["id"].clone();
    let third = third.as_str().unwrap();
    here.json(&["delivery", "cancel", third]);
    let replay = here.json(&["replay", third]);
    let first = delivered[0]["id"].as_str().unwrap();
    here.json(&["replay", "--new-id", first]);
    // The next stick has what is left.
    let rest = exported(&here, "b.bundle", &["--endpoint", "hub", "--pending"]);
    let done = hub.json(&import(&rest, &["--source", "boxes"]));
    assert_eq!((&done["seen"], &done["taken"]), (&json!(1), &json!(1)));
    let acks = exported(&hub, "acks2.bundle", &["--acks", "--source", "boxes"]);
    let done = here.json(&import(&acks, &["--endpoint", "hub"]));
    assert_eq!(
        (&done["arrived"], &done["settled"], pending(&here)),
        (&json!(3), &json!(1), 1)
    );
    let cancelled = here.json(&["delivery", "show", third]);
    assert_eq!(cancelled["superseded_by"], replay["ids"][0]);
    here.json(&["endpoint", "hold", "hub"]);
    let served = here.serve();
    let page = served
        .page(&format!(
            "/deliveries/{}",
            delivered[0]["id"].as_str().unwrap()
        ))
        .2;
    assert!(page.contains("a bundle said so"), "{page}");
    if !on_server() {
        assert_eq!(here.run(&["check", "--full"]).code, 0);
    }
}

#[test]
fn an_event_that_came_by_wire_comes_by_stick_no_second_time() {
    let hub = hub();
    let served = hub.serve();
    let here = TestDb::new();
    let url = format!("{}/in/boxes", served.ingest);
    here.add_endpoint("hub", &url, &["--sign", "standard", "--secret", SECRET]);
    enqueue(&here, "one", b"{\"type\":\"reading\"}");
    let of_box = here.serve();
    let id = here.list(&["delivery", "list"])[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    here.wait_for_state(&id, "delivered");
    drop(of_box);
    let bundle = exported(&here, "a.bundle", &["--endpoint", "hub"]);
    let done = hub.json(&import(&bundle, &["--source", "boxes"]));
    assert_eq!((&done["had"], &done["taken"]), (&json!(1), &json!(0)));
    // An event that goes back to the source that it came through goes round.
    hub.add_endpoint(
        "back",
        "http://127.0.0.1:9/",
        &["--sign", "standard", "--secret", SECRET],
    );
    hub.json(&["endpoint", "test", "back", "--no-wait"]);
    let own = exported(&hub, "b.bundle", &["--source", "boxes", "--secret", SECRET]);
    let ran = hub.run(&import(&own, &["--source", "boxes"]));
    assert!(
        ran.code == 2 && ran.stderr.contains("this box wrote it itself"),
        "{}",
        ran.stderr
    );
    let there = TestDb::new();
    there.json(&[
        "source", "add", "from", "--kind", "standard", "--secret", SECRET,
    ]);
    there.json(&import(&own, &["--source", "from"]));
    let round = exported(
        &there,
        "c.bundle",
        &["--source", "from", "--secret", SECRET],
    );
    let done = hub.json(&import(&round, &["--source", "boxes"]));
    assert_eq!(
        (&done["went_round"], &done["taken"]),
        (&json!(1), &json!(0))
    );
}

/// Packs lines into a bundle with a right end, signed.
fn made(head: &Value, lines: &[String]) -> Vec<u8> {
    let mut text = format!("{head}\n");
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    let sha256 = hex::encode(Sha256::digest(&text));
    let signature = bundle::sign(&Secret::new(SECRET).unwrap(), &sha256).unwrap();
    let end = json!({ "sha256": sha256, "signature": signature });
    // The order of the keys is part of the form.
    let end = format!("{{\"end\":{},{}\n", lines.len(), &end.to_string()[1..]);
    zstd::encode_all(format!("{text}{end}").as_bytes(), 1).unwrap()
}

fn hmac_of(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn line(id: &str, more: &Value) -> String {
    let mut line = json!({
        "id": id, "type": "reading", "received_at": "2026-11-30T12:00:00.000Z", "headers": [],
        "body": "x", "deliveries": [],
    });
    for (name, value) in more.as_object().unwrap() {
        line[name] = value.clone();
    }
    line.to_string()
}

#[test]
fn what_is_cut_off_damaged_foreign_or_hostile_changes_nothing() {
    let (here, hub) = (sender(), hub());
    for number in 0..20 {
        enqueue(
            &here,
            &number.to_string(),
            format!("body {number}").as_bytes(),
        );
    }
    let bundle = exported(&here, "a.bundle", &["--endpoint", "hub"]);
    let whole = std::fs::read(&bundle).unwrap();
    let path = file(&hub, "bad.bundle");
    let refused = |bytes: &[u8], arguments: &[&str]| {
        std::fs::write(&path, bytes).unwrap();
        let ran = hub.run(&import(&path, arguments));
        assert_ne!(ran.code, 0, "{}", ran.text());
        assert!(events(&hub).is_empty());
        ran.stderr
    };
    let source = ["--source", "boxes"];
    for end in (1..whole.len()).step_by(whole.len() / 15) {
        let error = refused(&whole[..end], &source);
        assert!(
            error.contains("it is cut off") || error.contains("no bundle"),
            "{error}"
        );
    }
    let content = zstd::decode_all(&whole[..]).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 25) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        // Some bits of a zstd stream mean nothing.
        if zstd::decode_all(&damaged[..]).ok().as_ref() != Some(&content) {
            refused(&damaged, &source);
        }
    }
    for at in (0..content.len()).step_by(content.len() / 25) {
        let mut damaged = content.clone();
        damaged[at] ^= 0x10;
        refused(&zstd::encode_all(&damaged[..], 1).unwrap(), &source);
    }
    let twice = [&whole[..], &whole[..]].concat();
    assert!(refused(&twice, &source).contains("something follows its end"));
    assert!(refused(b"nothing of the kind", &source).contains("no bundle of hookbox"));
    let head =
        json!({ "hookbox_bundle": 1, "what": "events", "box": "0123456789", "made_at": "x" });
    let with = |name: &str, value: Value| {
        let mut changed = head.clone();
        changed[name] = value;
        changed
    };
    let fine = line("evt_0123456789_1_abcde", &json!({}));
    let huge = line("evt_2", &json!({ "headers": [["A", "x".repeat(70_000)]] }));
    let cases: [(Vec<u8>, &str); 15] = [
        (
            made(
                &head,
                &[line("evt_2", &json!({ "key": "x".repeat(2_000) }))],
            ),
            "line 2: key is longer",
        ),
        (
            made(
                &with("box", json!("\u{1b}[31m")),
                std::slice::from_ref(&fine),
            ),
            "which box wrote it",
        ),
        (
            made(&head, &[fine.clone(), huge]),
            "line 3: its headers are",
        ),
        (
            made(
                &head,
                &[line("evt_2", &json!({ "headers": [["A b", "x"]] }))],
            ),
            "line 2: a header is none",
        ),
        (
            made(
                &head,
                &[line(
                    "evt_2",
                    &json!({ "received_at": "9999-12-31T23:59:59-01:00" }),
                )],
            ),
            "line 2: received_at",
        ),
        (
            made(
                &head,
                &[line(
                    "evt_2",
                    &json!({ "original_type": "x".repeat(2_000) }),
                )],
            ),
            "line 2: original_type",
        ),
        (
            made(
                &with("hookbox_bundle", json!(2)),
                std::slice::from_ref(&fine),
            ),
            "of version 2",
        ),
        (
            made(&json!({ "a": 1 }), std::slice::from_ref(&fine)),
            "no bundle of hookbox",
        ),
        (
            made(&with("what", json!("acks")), std::slice::from_ref(&fine)),
            "--endpoint NAME",
        ),
        (made(&head, &[fine.clone(), "{}".to_owned()]), "line 3: "),
        (
            made(
                &head,
                &[fine.clone(), line("evt_2", &json!({ "type": "" }))],
            ),
            "line 3: ",
        ),
        (
            made(&head, &[fine.clone(), line("", &json!({}))]),
            "line 3: ",
        ),
        (
            made(
                &head,
                &[fine.clone(), line("evt_2", &json!({ "body": null }))],
            ),
            "line 3: it has no body",
        ),
        (
            made(
                &head,
                &[
                    fine.clone(),
                    line("evt_2", &json!({ "received_at": "soon" })),
                ],
            ),
            "line 3: ",
        ),
        // 200 MB of one line in some KB.
        (
            zstd::encode_all(std::io::Read::take(std::io::repeat(b'x'), 200_000_000), 1).unwrap(),
            "longer than a line may be",
        ),
    ];
    for (bytes, says) in cases {
        let error = refused(&bytes, &source);
        assert!(error.contains(says), "{says}: {error}");
    }
    // Another secret, and none.
    let unsigned = exported(&here, "b.bundle", &["--since", "1d"]);
    let error = refused(&std::fs::read(unsigned).unwrap(), &source);
    assert!(error.contains("it is not signed"), "{error}");
    let other = exported(&here, "c.bundle", &["--since", "1d", "--secret", "hunter2"]);
    let error = refused(&std::fs::read(other).unwrap(), &source);
    assert!(error.contains("signed with another secret"), "{error}");
    // A public key, which others have too, proves nothing.
    let public = "whpk_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    hub.json(&[
        "source", "add", "paired", "--kind", "standard", "--secret", public,
    ]);
    let by_public = {
        let text = String::from_utf8(zstd::decode_all(&whole[..]).unwrap()).unwrap();
        let (lines, _) = text.rsplit_once("{\"end\":").unwrap();
        let sha256 = hex::encode(Sha256::digest(lines));
        let key = hmac_of(public, &format!("hookbox bundle 1 {sha256}"));
        let end = format!("{{\"end\":20,\"sha256\":\"{sha256}\",\"signature\":\"{key}\"}}\n");
        zstd::encode_all(format!("{lines}{end}").as_bytes(), 1).unwrap()
    };
    let error = refused(&by_public, &["--source", "paired"]);
    assert!(error.contains("not with a key pair"), "{error}");
    let ran = here.run(&["export", "--since", "1d", "--secret", public, "-o", "-"]);
    assert!(
        ran.code == 2 && ran.stderr.contains("not with a key pair"),
        "{}",
        ran.stderr
    );
    assert!(refused(&whole, &[]).contains("--source NAME"));
    assert!(refused(&whole, &["--source", "nix"]).contains("no source named nix"));
    // It was whole all the time.
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(hub.json(&import(&path, &source))["taken"], json!(20));

    // What arrived is told of this box's events alone, by who has the secret.
    let acks = exported(&hub, "acks.bundle", &["--acks", "--source", "boxes"]);
    let stranger = sender();
    enqueue(&stranger, "own", b"1");
    let done = stranger.json(&import(&acks, &["--endpoint", "hub"]));
    assert_eq!(
        (&done["arrived"], &done["of_others"], pending(&stranger)),
        (&json!(0), &json!(20), 1)
    );
    // A bare number is of no box.
    let head = json!({ "hookbox_bundle": 1, "what": "acks", "box": "0123456789", "made_at": "x" });
    let path = file(&here, "bare.bundle");
    std::fs::write(&path, made(&head, &[json!({ "arrived": "1" }).to_string()])).unwrap();
    let done = here.json(&import(&path, &["--endpoint", "hub"]));
    assert_eq!((&done["of_others"], pending(&here)), (&json!(1), 20));
    // Where nothing is proved, nothing is settled.
    here.add_endpoint("open", "http://127.0.0.1:9/", &[]);
    let ran = here.run(&import(&path, &["--endpoint", "open"]));
    assert!(
        ran.code == 1 && ran.stderr.contains("has no secret"),
        "{}",
        ran.stderr
    );
    here.run(&[
        "endpoint",
        "set",
        "hub",
        "--secret",
        "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDI=",
    ]);
    let ran = here.run(&import(&acks, &["--endpoint", "hub"]));
    assert!(
        ran.code != 0 && ran.stderr.contains("another secret"),
        "{}",
        ran.stderr
    );
    assert_eq!(pending(&here), 20);
}

#[test]
fn no_credential_of_a_sender_is_in_a_bundle_and_no_file_is_written_over() {
    let here = sender();
    here.json(&[
        "source",
        "add",
        "lab",
        "--kind",
        "gitlab",
        "--secret",
        "tok-hunter2",
    ]);
    let served = here.serve();
    let headers = [
        ("X-Gitlab-Event", "Push Hook"),
        ("X-Gitlab-Token", "tok-hunter2"),
        ("Authorization", "Bearer hunter3"),
        ("Content-Type", "application/json"),
    ];
    let (status, _) = served.post("/in/lab", &headers, b"{\"object_kind\":\"push\"}");
    assert_eq!(status, 202);
    let bundle = exported(&here, "a.bundle", &["--since", "1h"]);
    let text = zstd::decode_all(std::fs::File::open(&bundle).unwrap()).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("X-Gitlab-Event") && text.contains("\"endpoint\":\"hub\""),
        "{text}"
    );
    assert!(!text.contains("hunter"), "{text}");
    let again = here.run(&["export", "--since", "1h", "-o", bundle.to_str().unwrap()]);
    assert_eq!(again.code, 2);
    assert!(
        again.stderr.contains("is there already"),
        "{}",
        again.stderr
    );
    let streamed = here.run(&["export", "--since", "1h", "-o", "-"]);
    assert_eq!(
        zstd::decode_all(&streamed.stdout[..])
            .unwrap()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count(),
        3
    );
    for (arguments, says) in [
        (&["export"][..], "say where the bundle goes"),
        (&["import", "bundle"], "name the bundle alone"),
        (
            &["import", "bundle", "a", "--source", "lab", "--since", "1d"],
            "name the bundle alone",
        ),
        (&["import", "gogs"], "say where the database of gogs is"),
        (&["import", "svn"], "unknown"),
    ] {
        let ran = here.run(arguments);
        assert!(
            ran.code == 2 && ran.stderr.contains(says),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn with_its_secrets_a_bundle_is_encrypted_and_its_recipient_alone_reads_it() {
    let (here, hub) = (TestDb::new(), hub());
    here.add_gogs();
    here.add_endpoint(
        "hub",
        "http://127.0.0.1:9/in/boxes",
        &["--sign", "standard", "--secret", SECRET],
    );
    let served = here.serve();
    assert_eq!(served.push("k1", crate::support::PUSH.as_bytes()).0, 202);
    drop(served);
    let sealed = file(&here, "a.age");
    let all = [
        "export",
        "--endpoint",
        "hub",
        "-o",
        sealed.to_str().unwrap(),
        "--with-secrets",
    ];
    let ran = here.run(&[&all[..], &["nobody"]].concat());
    assert!(ran.code != 0 && !sealed.exists(), "{}", ran.stderr);
    if is_missing("age", &["--version"], "apt-get install age") {
        return;
    }
    assert!(
        ran.stderr.contains("age does not encrypt for `nobody`"),
        "{}",
        ran.stderr
    );
    let key = file(&here, "key");
    let made = Command::new("age-keygen")
        .arg("-o")
        .arg(&key)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&made.stderr).into_owned();
    let recipient = told.trim().rsplit(' ').next().unwrap();
    here.json(&[&all[..], &[recipient]].concat());
    let ran = hub.run(&import(&sealed, &["--source", "boxes"]));
    assert!(
        ran.code == 2 && ran.stderr.contains("age -d -i KEY"),
        "{}",
        ran.stderr
    );
    let opened = Command::new("age")
        .arg("-d")
        .arg("-i")
        .arg(&key)
        .arg(&sealed)
        .output();
    let opened = opened.unwrap().stdout;
    let ran = hub.run_with_input(
        &["import", "bundle", "-", "--source", "boxes", "--json"],
        &opened,
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // The forge's own signature came along; in a bundle as it is it does not.
    let has_signature = |hub: &TestDb| {
        let id = events(hub)[0]["id"].as_str().unwrap().to_owned();
        let shown = hub.json(&["event", "show", &id]);
        let headers = shown["headers"].as_array().unwrap().clone();
        headers.iter().any(|pair| pair[0] == "X-Gogs-Signature")
    };
    assert!(has_signature(&hub));
    let plain = exported(&here, "b.bundle", &["--endpoint", "hub"]);
    let other = self::hub();
    other.json(&import(&plain, &["--source", "boxes"]));
    assert!(!has_signature(&other));
}
