//! What people type, paste and point at the wrong place: taken as it was meant, or answered with what
//! to do.

use hookbox::signature::{Secret, gogs};

use crate::support::{PUSH, TestDb};

/// Cause: a file that Windows' Notepad or PowerShell wrote begins with a byte order mark, which became a part
/// of the secret. Damage: every event of a sender whose secret was right was refused. Cure: it is left out;
/// of blanks, which may be meant, it is warned.
#[test]
fn a_secret_is_what_was_meant_whatever_editor_wrote_it() {
    for (text, secret, warns) in [
        (&b"\xef\xbb\xbftopsecret\r\n"[..], "topsecret", false),
        (b"topsecret\n", "topsecret", false),
        (b"top secret", "top secret", false),
        (b"topsecret \n", "topsecret ", true),
        (b"\ttopsecret", "\ttopsecret", true),
        (b"topsecret\n\n", "topsecret\n", true),
    ] {
        let here = TestDb::new();
        let file = here.folder.path().join("secret");
        std::fs::write(&file, text).unwrap();
        let path = file.to_str().unwrap();
        let added = here.run(&[
            "source",
            "add",
            "gogs",
            "--kind",
            "gogs",
            "--secret-file",
            path,
        ]);
        assert_eq!(added.code, 0);
        let is_warned = added.stderr.contains("begins or ends with a blank");
        assert_eq!(is_warned, warns, "{text:?}: {}", added.stderr);
        assert!(!added.stderr.contains("topsecret"), "{}", added.stderr);
        let served = here.serve();
        let secret = Secret::new(secret).unwrap();
        let signature = gogs::sign(&secret, None, PUSH.as_bytes());
        let headers = [("X-Gogs-Event", "push"), ("X-Gogs-Signature", &signature)];
        let (status, answer) = served.post("/in/gogs", &headers, PUSH.as_bytes());
        assert_eq!(status, 202, "{text:?}: {answer}");
    }
}

#[test]
fn a_secret_of_another_encoding_is_refused() {
    let here = TestDb::new();
    let text: Vec<u8> = "\u{feff}topsecret\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let ran = here.run_with_input(
        &["source", "add", "gogs", "--kind", "gogs", "--secret", "-"],
        &text,
    );
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("save it as UTF-8"), "{}", ran.stderr);
    assert!(!here.is_made(), "nothing was made");
}

#[test]
fn other_files_are_read_without_a_byte_order_mark_too() {
    let here = TestDb::new();
    let file = here.folder.path().join("chat.jinja");
    std::fs::write(&file, "\u{feff}{\"text\": {{ summary|tojson }}}").unwrap();
    let format = format!("template:{}", file.display());
    here.add_endpoint(
        "chat",
        "https://chat.example.org/hook",
        &["--format", &format],
    );
    here.json(&["enqueue", "--type", "push", "--data", "{}"]);
    let preview = here.run(&["endpoint", "preview", "chat", "1"]);
    assert!(
        preview.text().contains("{\"text\""),
        "{} {}",
        preview.text(),
        preview.stderr
    );
    assert!(!preview.text().contains('\u{feff}'));
}

#[test]
fn a_type_that_no_source_sends_is_answered_with_those_it_does() {
    let here = TestDb::new();
    here.add_gogs();
    let url = "https://ci.example.org/hook";
    for (types, says) in [
        ("pull-request", Some("did you mean pull_request?")),
        ("push,issue", Some("did you mean issues?")),
        ("PullRequest", Some("did you mean pull_request?")),
        ("merge_train", Some("it sends such as")),
        ("push,issue*", None),
        ("*", None),
    ] {
        let ran = here.run(&["endpoint", "add", "ci", url, "--types", types]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        match says {
            Some(says) => assert!(ran.stderr.contains(says), "{types}: {}", ran.stderr),
            None => assert_eq!(ran.stderr, "", "{types}"),
        }
        let doctor = here.run(&["doctor"]);
        assert_eq!(
            doctor.text().contains("--types has"),
            says.is_some(),
            "{types}: {}",
            doctor.text()
        );
        here.json(&["endpoint", "remove", "ci"]);
    }
    let mixed = ["source", "add", "shop", "--kind", "stripe"];
    assert_eq!(here.run(&mixed).code, 0);
    let ran = here.run(&["endpoint", "add", "ci", url, "--types", "pull-request"]);
    assert!(ran.stderr.contains("did you mean"), "{}", ran.stderr);
    let ran = here.run(&["endpoint", "set", "ci", "--types", "invoice.paid"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    for (kind, types, says) in [
        ("github", "pull-request", "did you mean pull_request?"),
        ("gitlab", "merge-requests", "did you mean merge_request?"),
        ("github", "something_new", ""),
    ] {
        let of_kind = TestDb::new();
        assert_eq!(
            of_kind.run(&["source", "add", "in", "--kind", kind]).code,
            0
        );
        let ran = of_kind.run(&["endpoint", "add", "ci", url, "--types", types]);
        assert!(ran.code == 0 && ran.stderr.contains(says), "{}", ran.stderr);
        assert!(!says.is_empty() || ran.stderr.is_empty(), "{}", ran.stderr);
    }
    // What a program sends may be of any type.
    let other = TestDb::new();
    let added = other.run(&["source", "add", "shop", "--kind", "generic"]);
    assert_eq!(added.code, 0, "{}", added.stderr);
    let ran = other.run(&["endpoint", "add", "ci", url, "--types", "pull-request"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

/// Cause: the page answered a webhook as it answers a stranger's form. Damage: Gogs showed "403" and a text
/// about names, and the events were lost. Cure: it says where events go.
#[test]
fn a_webhook_that_is_sent_to_the_page_is_told_where_events_go() {
    let here = TestDb::new();
    here.add_gogs();
    let served = here.serve();
    let port = served.ingest_address().port();
    for (path, headers) in [
        ("/in/gogs", &[][..]),
        ("/", &[("X-Gogs-Event", "push")]),
        ("/api/v1/events", &[("X-GitHub-Event", "push")]),
        ("/hooks?x=1", &[("webhook-id", "msg_1")]),
        ("/", &[("Content-Type", "application/json")]),
        // By a name that is not the page's.
        ("/in/gogs", &[("Host", "box.example.org")]),
    ] {
        let (status, _, text) = served.ask("POST", path, headers, PUSH);
        assert_eq!(status, 421, "{path}");
        let says = format!("events go to port {port} (http://127.0.0.1:{port}/in/SOURCE)");
        assert!(text.contains(&says), "{path}: {text}");
    }
    assert!(here.list(&["event", "list"]).is_empty());
}
