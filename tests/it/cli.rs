//! The command line: exit codes, JSON, bad input.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Receiver, TestDb, binary, is_missing};

fn fields(object: &Value) -> Vec<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn json_has_the_fields_of_the_contract() {
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::answering(&[200]);
    here.add_endpoint("ci", &receiver.url, &[]);
    let served = here.serve();
    served.push("k1", b"{}");
    here.wait_for_state("1", "delivered");
    let rows: [(Value, &str); 6] = [
        (
            here.json(&["event", "show", "1"]),
            "id type source key received_at bytes content_type summary headers replay_of_event",
        ),
        (
            here.json(&["delivery", "show", "1"]),
            "id event endpoint type source state tries attempts due_at settled_at reason replay_of replay waiting",
        ),
        (
            here.list(&["attempt", "list", "1"]).remove(0),
            "id delivery number started_at duration_ms status outcome error request_headers response_headers response_body response_truncated",
        ),
        (
            here.json(&["endpoint", "show", "ci"]),
            "name url format sign types sources branches when rate concurrency ordered retry window expire held circuit pending oldest_due_at",
        ),
        (
            here.json(&["source", "show", "gogs"]),
            "name kind path last_event_at events refusals",
        ),
        (
            here.json(&["stats"]),
            "events pending delivered dead cancelled oldest_due_at db_bytes reusable_bytes",
        ),
    ];
    for (object, expected) in &rows {
        for field in expected.split(' ') {
            assert!(
                fields(object).contains(&field),
                "{field} is missing in {object}"
            );
        }
        assert!(!object.to_string().contains(crate::support::GOGS_SECRET));
    }
    assert_eq!(here.list(&["event", "list"]).len(), 1);
    assert_eq!(here.list(&["source", "list"])[0], rows[4].0);
    assert_eq!(here.list(&["endpoint", "list"])[0], rows[3].0);
}

#[test]
fn bad_input_is_refused_with_what_to_do_and_changes_nothing() {
    let here = TestDb::new();
    here.add_gogs();
    here.add_endpoint("ci", "http://127.0.0.1:9/", &[]);
    here.json(&["enqueue", "--type", "x"]);
    let rows: [(&[&str], i32, &str); 32] = [
        (&["source", "add", "gogs", "--kind", "gogs"], 2, "already"),
        (
            &["source", "add", "x", "--kind", "svn"],
            2,
            "unknown source kind",
        ),
        (
            &["source", "add", "a/b", "--kind", "gogs"],
            2,
            "is not a name",
        ),
        (
            &["source", "add", "x", "--kind", "gogs", "--secret", ""],
            2,
            "secret is empty",
        ),
        (
            &[
                "source",
                "add",
                "x",
                "--kind",
                "gogs",
                "--secret-file",
                "/nonexistent",
            ],
            1,
            "/nonexistent",
        ),
        (
            &[
                "source",
                "add",
                "x",
                "--kind",
                "gogs",
                "--on-repeat",
                "maybe",
            ],
            2,
            "ignore or replay",
        ),
        (&["source", "show", "x"], 3, "no source named x"),
        (&["source", "remove", "x"], 3, "no source named x"),
        (&["endpoint", "add", "ci", "http://h/"], 2, "already"),
        (
            &["endpoint", "add", "x", "ftp://h/"],
            2,
            "neither http nor https",
        ),
        (
            &["endpoint", "add", "x", "h/path"],
            2,
            "is not an endpoint's URL",
        ),
        (
            &["endpoint", "add", "x", "http://h/", "--sign", "md5"],
            2,
            "unknown signature scheme",
        ),
        (
            &["endpoint", "add", "x", "http://h/", "--sign", "gogs"],
            2,
            "needs a secret",
        ),
        (
            &["endpoint", "add", "x", "http://h/", "--secret", "s"],
            2,
            "add --sign",
        ),
        (
            &[
                "endpoint",
                "add",
                "x",
                "http://h/",
                "--sign",
                "standard",
                "--secret",
                "s",
            ],
            2,
            "openssl rand",
        ),
        (
            &["endpoint", "add", "x", "http://h/", "--timeout", "1h"],
            2,
            "allowed is 1ms to 5m",
        ),
        (
            &["endpoint", "add", "x", "http://h/", "--concurrency", "0"],
            2,
            "allowed is 1 to 64",
        ),
        (
            &["endpoint", "add", "x", "http://h/", "--retry", "soon"],
            2,
            "is not a span",
        ),
        (
            &["endpoint", "add", "x", "http://h/", "--retry", "cron:x"],
            2,
            "six fields",
        ),
        // A wrong value is reported before an unknown name: values are parsed first.
        (
            &["endpoint", "set", "zzz", "--timeout", "soon"],
            2,
            "timeout: `soon`",
        ),
        (
            &["endpoint", "set", "zzz", "--timeout", "5s"],
            3,
            "no endpoint named zzz",
        ),
        (
            &["source", "set", "zzz", "--on-repeat", "perhaps"],
            2,
            "on_repeat: ",
        ),
        (&["enqueue", "--type", ""], 2, "event type is empty"),
        (
            &["enqueue", "--type", "x", "--source", "nowhere"],
            3,
            "no source named nowhere",
        ),
        (&["delivery", "show", "99"], 3, "no delivery dlv_"),
        (&["delivery", "show", "evt_1"], 2, "is not a delivery id"),
        (&["event", "body", "99"], 3, "no event evt_"),
        (
            &["delivery", "list", "--endpoint", "zzz"],
            3,
            "no endpoint named zzz",
        ),
        (
            &["event", "list", "--source", "zzz"],
            3,
            "no source named zzz",
        ),
        (&["delivery", "list", "--event", "99"], 3, "no event evt_"),
        (&["serve", "--ingest", "8420"], 2, "IP:PORT"),
        (
            &["enqueue", "--type", "x", "--content-type", "a\nb"],
            2,
            "cannot stand in a header",
        ),
    ];
    let before = (
        here.list(&["source", "list"]),
        here.list(&["endpoint", "list"]),
        here.list(&["event", "list"]),
    );
    for (arguments, code, text) in rows {
        let ran = here.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(text), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{arguments:?}");
    }
    let large = vec![b'x'; 1024 * 1024 + 1];
    let ran = here.run_with_input(&["enqueue", "--type", "x", "--data", "@-"], &large);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("limit is 1048576"), "{}", ran.stderr);
    let after = (
        here.list(&["source", "list"]),
        here.list(&["endpoint", "list"]),
        here.list(&["event", "list"]),
    );
    assert_eq!(before, after);
}

#[test]
fn setting_up_with_bad_input_does_not_even_make_the_file() {
    let here = TestDb::new();
    for arguments in [
        &["source", "add", "a/b", "--kind", "gogs"][..],
        &["source", "add", "a", "--kind", "gogs", "--secret", ""],
        &["endpoint", "add", "x", "http://h/", "--sign", "gogs"],
    ] {
        assert_eq!(here.run(arguments).code, 2);
        assert!(!here.is_made());
    }
}

#[test]
fn enqueue_takes_a_text_a_file_or_standard_input_and_knows_its_key() {
    let here = TestDb::new();
    here.json(&["init"]);
    let file = here.folder.path().join("body.bin");
    std::fs::write(&file, b"\x00\x01\xfe").unwrap();
    let id = |arguments: &[&str], input: &[u8]| {
        let ran = here.run_with_input(arguments, input);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.text().trim().to_owned()
    };
    let at_file = format!("@{}", file.display());
    let text = id(
        &["enqueue", "--type", "x", "--data", "héllo", "--key", "k"],
        b"",
    );
    let bytes = id(&["enqueue", "--type", "x", "--data", &at_file], b"");
    let input = id(&["enqueue", "--type", "x", "--data", "@-"], b"from stdin");
    assert!(text.starts_with("evt_") && text.contains("_1_"), "{text}");
    assert_eq!(
        here.run(&["event", "body", &text]).stdout,
        "héllo".as_bytes()
    );
    assert_eq!(here.run(&["event", "body", &bytes]).stdout, b"\x00\x01\xfe");
    assert_eq!(here.run(&["event", "body", &input]).stdout, b"from stdin");
    assert_eq!(
        id(
            &["enqueue", "--type", "y", "--data", "other", "--key", "k"],
            b""
        ),
        text
    );
}

#[test]
fn lists_are_newest_first_and_limited() {
    let here = TestDb::new();
    here.json(&["init"]);
    for index in 0..5 {
        here.json(&["enqueue", "--type", &format!("t{index}")]);
    }
    let types: Vec<Value> = here
        .list(&["event", "list", "--limit", "2"])
        .iter()
        .map(|event| event["type"].clone())
        .collect();
    assert_eq!(types, ["t4", "t3"]);
    assert_eq!(here.list(&["event", "list", "--type", "t1"]).len(), 1);
    assert_eq!(here.list(&["event", "list", "--since", "1h"]).len(), 5);
    assert_eq!(here.list(&["event", "list", "--until", "1h"]).len(), 0);
    let table = here.run(&["event", "list"]);
    assert!(table.text().starts_with("ID"), "{}", table.text());
}

#[test]
fn a_shell_completes_commands_words_and_the_names_that_there_are() {
    let here = TestDb::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = here.run(&["completions", shell]);
        assert!(ran.code == 0 && ran.text().contains("hookbox"), "{shell}");
    }
    assert_eq!(here.run(&["completions", "cmd"]).code, 2);
    if is_missing("bash", &["-c", "true"], "install bash") {
        return;
    }
    here.add_gogs();
    here.add_endpoint("ci", "http://127.0.0.1:9/", &[]);
    here.add_endpoint("chat", "http://127.0.0.1:9/", &[]);
    here.json(&["alert", "add", "ops", "chat"]);
    here.json(&["enqueue", "--type", "order.paid"]);
    let program = Path::new(binary());
    // As bash does when the key is pressed after these words.
    let completed = |db: &str, words: &[&str]| {
        let script = r#"source <(hookbox completions bash)
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
            _clap_complete_hookbox hookbox "${@: -1}" "${@: -2:1}"
            printf '%s\n' "${COMPREPLY[@]}""#;
        let path = std::env::var("PATH").unwrap();
        let folder = program.parent().unwrap().to_str().unwrap();
        let ran = Command::new("bash")
            .args(["-c", script, "bash", "hookbox"])
            .args(words)
            .env("PATH", format!("{folder}:{path}"))
            .env("HOOKBOX_DB", db)
            .output()
            .unwrap();
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    };
    let db = here.db.to_str().unwrap();
    let here_completed = |words: &[&str]| completed(db, words);
    assert_eq!(here_completed(&["endpoint", "resu"]), "resume");
    assert_eq!(here_completed(&["endpoint", "show", "c"]), "chat\nci");
    assert_eq!(
        here_completed(&["source", "show", ""]).lines().next(),
        Some("gogs")
    );
    assert_eq!(here_completed(&["alert", "remove", "o"]), "ops");
    assert_eq!(here_completed(&["replay", "--endpoint", "ch"]), "chat");
    assert_eq!(here_completed(&["alert", "set", "ops", "--to", "ci"]), "ci");
    assert_eq!(
        here_completed(&["endpoint", "set", "ci", "--sources", "a,g"]),
        "a,gogs"
    );
    assert_eq!(
        here_completed(&["endpoint", "set", "ci", "--format", "sl"]),
        "slack"
    );
    for (words, expected) in [
        (
            &["source", "add", "x", "--kind", "gite"][..],
            "gitee\ngitea",
        ),
        (&["serve", "--egress", "p"], "public"),
        // Deliveries and events by their numbers.
        (&["delivery", "show", "2"], "2"),
        (&["replay", "2"], "2"),
        (&["event", "show", "1"], "1"),
        (&["endpoint", "match", "ci", "1"], "1"),
        (&["--log-level", "w"], "warn"),
    ] {
        assert_eq!(here_completed(words), expected);
    }
    // A new name is nobody's.
    assert_eq!(here_completed(&["endpoint", "add", "c"]), "");
    // Another database, and one that is not there and does not come to be.
    let words = ["--db", db, "endpoint", "hold", "ci"];
    assert_eq!(completed("nowhere.db", &words), "ci");
    let none = here.db.with_extension("none");
    assert_eq!(
        completed(none.to_str().unwrap(), &["endpoint", "hold", "c"]),
        ""
    );
    assert!(!none.exists());
}

#[test]
fn help_explains_commands_and_words() {
    let here = TestDb::new();
    let told = |topic: &[&str]| {
        let ran = here.run(&[&["help"], topic].concat());
        assert_eq!(ran.code, 0, "{topic:?}: {}", ran.stderr);
        ran.text().to_owned()
    };
    let word = told(&["superseded"]);
    assert!(
        word.starts_with("superseded: a dead or cancelled delivery"),
        "{word}"
    );
    let both = told(&["replay"]);
    assert!(
        both.starts_with("replay: a person asks for it again"),
        "{both}"
    );
    assert!(both.contains("Usage: hookbox replay"), "{both}");
    let command = told(&["endpoint", "add"]);
    assert!(command.contains("Usage: hookbox endpoint add"), "{command}");
    assert!(told(&["rejected", "request"]).starts_with("rejected request: "));
    // What means one thing of a delivery that waits and another elsewhere is told both ways.
    let window = told(&["window"]);
    assert!(window.starts_with("window: the times at which"), "{window}");
    assert!(
        window.contains("window (Why a delivery waits): outside"),
        "{window}"
    );
    assert!(told(&["deliveries"]).starts_with("delivery: "));
    assert_eq!(here.list(&["help", "pace"]).len(), 2);
    let words = here.list(&["help", "words"]);
    for word in [
        "source", "endpoint", "delivery", "backfill", "pending", "offline",
    ] {
        let found = words.iter().find(|row| row["word"] == word);
        assert!(
            found.is_some_and(|row| row["means"].as_str().unwrap().len() > 10),
            "{word}"
        );
    }
    assert!(told(&[]).contains("Look after:"));
    let ran = here.run(&["help", "destination"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("`hookbox help words` lists them"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_demo_runs_to_its_end() {
    let here = TestDb::new();
    let ran = here.run(&["demo", "--exit"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for text in [
        "answers 202",
        "answers 500",
        "answers 503",
        "the signature checks",
        "delivered after 3 tries",
    ] {
        assert!(
            ran.text().contains(text),
            "{text} is missing in\n{}",
            ran.text()
        );
    }
    let told = here.json(&["demo", "--exit"]);
    assert_eq!(
        (&told["state"], &told["tries"]),
        (&Value::from("delivered"), &Value::from(3))
    );
}

#[test]
fn a_cron_schedule_is_taken_and_shown() {
    let here = TestDb::new();
    here.add_endpoint(
        "night",
        "http://127.0.0.1:9/",
        &["--retry", "cron:0 0 2 * * *"],
    );
    assert_eq!(
        here.json(&["endpoint", "show", "night"])["retry"],
        "cron:0 0 2 * * *"
    );
}

#[test]
fn a_reader_that_hangs_up_is_no_failure() {
    let here = TestDb::new();
    here.json(&["init"]);
    let script = format!("'{}' completions bash | head -n 1", binary());
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
