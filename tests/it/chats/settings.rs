//! How an endpoint is set to a chat: its format, its secret, and what a preview shows of them.

use std::time::Duration;

use hookbox::model::chat::Chat;
use serde_json::{Value, json};

use super::robot::{accept, bench, drain, hmac, issue};
use crate::support::{PUSH, Receiver, TestDb};

#[test]
fn settings_that_a_chat_does_not_know_are_refused_with_advice() {
    let here = TestDb::new();
    for (arguments, says) in [
        (
            &["--format", "zulip"][..],
            "raw, relay, slack, discord, dingtalk, wecom, feishu, teams, matrix, telegram, mattermost, rocketchat, ntfy or template:FILE",
        ),
        (
            &["--format", "slack", "--sign", "gogs", "--secret", "s"],
            "--sign none",
        ),
        (&["--format", "wecom", "--secret", "s"], "no --secret"),
        (
            &["--format", "discord", "--content-type", "text/plain"],
            "brings its own",
        ),
        (&["--format", "telegram"], "sendMessage?chat_id="),
        (&["--format", "matrix"], "_matrix/client/v3/rooms/"),
        (&["--format", "ntfy"], "https://SERVER/TOPIC"),
        (&["--format", "ntfy", "--secret", "s"], "--auth bearer"),
        (&["--format", "slack", "--digest", "1s"], "10s to 7d"),
        (&["--digest", "10m"], "for chats"),
        (
            &["--format", "slack", "--digest", "2h", "--expire", "1h"],
            "give a shorter --digest",
        ),
    ] {
        let mut all = vec!["endpoint", "add", "x", "http://h/"];
        all.extend_from_slice(arguments);
        let ran = here.run(&all);
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
    }
    let ran = here.run(&[
        "endpoint",
        "add",
        "x",
        "https://hooks.slack.com/services/T/B/X",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("--format slack"), "{}", ran.stderr);
}

#[test]
fn an_event_is_sent_to_a_chat_and_its_secrets_are_shown_nowhere() {
    let here = TestDb::new();
    here.add_gogs();
    let receiver = Receiver::saying(&[200], r#"{"errcode":0,"errmsg":"ok"}"#);
    let url = format!("{}?access_token=T0K3N&timestamp=1&sign=old", receiver.url);
    let settings = ["--format", "dingtalk", "--secret", "this is secret"];
    here.add_endpoint("team", &url, &settings);
    let shown = here.json(&["endpoint", "show", "team"]);
    assert_eq!(shown["format"], "dingtalk");
    assert_eq!(
        (&shown["rate"], &shown["concurrency"]),
        (&json!("20/m"), &json!(1))
    );
    let served = here.serve();
    served.push("k1", PUSH.as_bytes());
    let delivered = here.wait_for_state("1", "delivered");
    let got = receiver.next();
    let (_, query) = got.target.split_once('?').unwrap();
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["access_token", "timestamp", "sign"]);
    let signed = hmac(
        b"this is secret",
        format!("{}\nthis is secret", pairs[1].1).as_bytes(),
    );
    assert_eq!(pairs[2].1, signed);
    let message: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(message["msgUuid"], delivered["id"]);
    assert!(
        message["markdown"]["text"]
            .as_str()
            .unwrap()
            .contains("mira")
    );

    for arguments in [
        &["endpoint", "show", "team", "--json"][..],
        &["endpoint", "list"],
        &["endpoint", "preview", "team", "1"],
        &["attempt", "list", "1", "--json"],
    ] {
        let ran = here.run(arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let out = String::from_utf8_lossy(&ran.stdout);
        for secret in ["T0K3N", "this is secret", signed.as_str(), "=old"] {
            assert!(!out.contains(secret), "{arguments:?}: {secret}");
        }
    }
    let (_, _, page) = served.page("/endpoints");
    assert!(page.contains("dingtalk") && !page.contains("T0K3N"));
}

#[test]
fn a_signature_is_made_anew_for_every_try() {
    for chat in [Chat::Dingtalk, Chat::Feishu] {
        let (mut bench, robot) = bench(chat);
        for _ in 0..6 {
            robot.say_first(502, &[], "");
        }
        accept(&bench, issue(1));
        // The last tries are ten hours apart and more, and the robot takes a signature for one.
        let took = drain(&mut bench, Duration::from_secs(600));
        assert!(took > Duration::from_secs(10 * 3_600), "{took:?}");
        let state = robot.state.lock().unwrap();
        assert_eq!(
            (state.refused.len(), state.taken.len()),
            (0, 1),
            "{}",
            chat.name()
        );
    }
}

#[test]
fn a_feishu_preview_has_its_signature_only_when_asked_for() {
    let here = TestDb::new();
    let url = "https://open.feishu.cn/open-apis/bot/v2/hook/3f2b8c1e-9d4a-4e6f-8b7c-1a2b3c4d5e6f";
    here.add_endpoint("team", url, &["--format", "feishu", "--secret", "demo"]);
    here.json(&["enqueue", "--type", "lamp.lit", "--data", "{}"]);
    let plain = here.json(&["endpoint", "preview", "team", "1"]);
    let body: Value = serde_json::from_str(plain["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["sign"], "[hidden]");
    assert_eq!(
        plain["url"],
        "https://open.feishu.cn/open-apis/bot/v2/hook/***"
    );
    let signed = here.json(&["endpoint", "preview", "team", "1", "--signed"]);
    let body: Value = serde_json::from_str(signed["body"].as_str().unwrap()).unwrap();
    let stamp = body["timestamp"].as_str().unwrap();
    assert_eq!(
        body["sign"],
        json!(hmac(format!("{stamp}\ndemo").as_bytes(), b""))
    );
    assert_eq!(signed["url"], url);
}

#[test]
fn a_robots_secret_goes_with_its_format_and_a_preview_is_what_was_sent() {
    let here = TestDb::new();
    let receiver = Receiver::saying(&[200], r#"{"errcode":0}"#);
    let settings = ["--format", "dingtalk", "--secret", "this is secret"];
    here.add_endpoint("team", &receiver.url, &settings);
    assert_eq!(here.json(&["endpoint", "show", "team"])["has_secret"], true);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "lamp.lit", "--data", "{}"]);
    here.wait_for_state("1", "delivered");
    let sent: Value = serde_json::from_slice(&receiver.next().body).unwrap();
    let preview = here.json(&["endpoint", "preview", "team", "1"]);
    let shown: Value = serde_json::from_str(preview["body"].as_str().unwrap()).unwrap();
    assert_eq!(shown, sent);
    for format in ["slack", "raw"] {
        let set = here.json(&["endpoint", "set", "team", "--format", format]);
        assert_eq!(
            (&set["format"], &set["has_secret"]),
            (&json!(format), &json!(false))
        );
    }
}
