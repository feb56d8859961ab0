//! What the answers of a chat mean: refusals that a person has to look at, and odd successes.

use std::time::Duration;

use hookbox::model::chat::Chat;

use super::robot::{accept, bench, drain, issue, number_of};
use crate::support::{Receiver, TestDb, wait_until};

#[test]
fn a_chat_webhook_that_was_removed_holds_its_endpoint_and_the_rest_waits() {
    for (chat, status, body, says) in [
        (
            Chat::Slack,
            404,
            "no_service",
            "Slack 404: no_service: the webhook was removed",
        ),
        (
            Chat::Discord,
            404,
            r#"{"code":10015,"message":"Unknown Webhook"}"#,
            "Unknown Webhook",
        ),
        (
            Chat::Dingtalk,
            200,
            r#"{"errcode":400106,"errmsg":"robot missing"}"#,
            "DingTalk 400106",
        ),
        (
            Chat::Wecom,
            200,
            r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#,
            "WeCom 93000",
        ),
        (
            Chat::Feishu,
            200,
            r#"{"code":19007,"msg":"Bot Not Enabled"}"#,
            "Feishu 19007",
        ),
        (
            Chat::Teams,
            400,
            r#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"Could not execute workflow trigger 'manual' with state 'Disabled'"}}"#,
            "switched off or removed",
        ),
        (
            Chat::Matrix,
            401,
            r#"{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed.","soft_logout":false}"#,
            "Matrix M_UNKNOWN_TOKEN: Invalid access token",
        ),
        (
            Chat::Telegram,
            400,
            r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001234}}"#,
            "chat_id=-1001234",
        ),
        (
            Chat::Mattermost,
            400,
            r#"{"id":"web.incoming_webhook.general.app_error","message":"Failed to handle the incoming webhook.","status_code":400}"#,
            "the webhook was removed",
        ),
        (
            Chat::Rocketchat,
            404,
            r#"{"success":false,"error":"Invalid integration id or token provided."}"#,
            "the integration was removed",
        ),
        (
            Chat::Ntfy,
            403,
            r#"{"code":40301,"http":403,"error":"forbidden"}"#,
            "ntfy 40301: forbidden",
        ),
    ] {
        let (mut bench, robot) = bench(chat);
        robot.say_first(status, &[], body);
        for number in 0..4 {
            accept(&bench, issue(number));
        }
        for _ in 0..50 {
            bench.run_due();
            bench.advance(Duration::from_secs(60));
        }
        let report = bench.store.endpoint_report("team").unwrap();
        assert_eq!((report.pending, report.dead), (4, 0), "{}", chat.name());
        let hold = report.endpoint.held.unwrap();
        assert!(hold.reason.contains(says), "{}", hold.reason);
        // A person mends it: all that waited goes out.
        bench.store.resume_endpoint("team").unwrap();
        drain(&mut bench, Duration::from_secs(1));
        let state = robot.state.lock().unwrap();
        let numbers: Vec<usize> = state.taken.iter().map(number_of).collect();
        assert_eq!(numbers, [0, 1, 2, 3], "{}", chat.name());
    }
}

#[test]
fn what_is_odd_about_a_success_is_told_with_the_delivery() {
    let here = TestDb::new();
    let receiver = Receiver::saying(&[200], "thank you");
    here.add_endpoint("team", &receiver.url, &["--format", "slack"]);
    // What a network says that wants a login first is no ok.
    let portal = Receiver::saying(&[200], "<html>Sign in to WiFi</html>");
    let options = ["--format", "slack", "--retry", "none"];
    here.add_endpoint("away", &portal.url, &options);
    let _served = here.serve();
    here.json(&["enqueue", "--type", "lamp.lit", "--data", "{}"]);
    let settled = |name: &str, state: &str| {
        wait_until(&format!("{name} to be {state}"), || {
            let all = here.list(&["delivery", "list", "--endpoint", name, "--state", state]);
            Some(all.first()?["reason"].as_str().unwrap().to_owned())
        })
    };
    let reason = settled("team", "delivered");
    assert!(reason.contains("thank you"), "{reason}");
    let reason = settled("away", "dead");
    assert!(reason.contains("login"), "{reason}");
}

#[test]
fn a_token_that_an_error_page_repeats_is_in_no_list_log_or_record() {
    let here = TestDb::new();
    let says = r#"{"errcode":1,"errmsg":"bad request for /hook?access_token=T0K3N-T0K3N"}"#;
    let receiver = Receiver::saying(&[200], says);
    let url = format!("{}?access_token=T0K3N-T0K3N", receiver.url);
    here.add_endpoint("team", &url, &["--format", "dingtalk"]);
    let served = here.serve();
    here.json(&["enqueue", "--type", "lamp.lit", "--data", "{}"]);
    receiver.next();
    let shown = wait_until("the refusal to be recorded", || {
        let shown = here.json(&["delivery", "show", "1"]);
        (shown["tries"] == 1).then_some(shown)
    });
    assert_eq!(
        shown["reason"],
        "DingTalk 1: bad request for /hook?access_token=[hidden]"
    );
    for arguments in [
        &["delivery", "list"][..],
        &["attempt", "list", "1", "--json"],
    ] {
        let ran = here.run(arguments);
        let out = String::from_utf8_lossy(&ran.stdout);
        assert!(!out.contains("T0K3N"), "{arguments:?}: {out}");
    }
    for page in [
        "/",
        "/deliveries",
        &format!("/deliveries/{}", shown["id"].as_str().unwrap()),
    ] {
        let (status, _, html) = served.page(page);
        assert!(status == 200 && !html.contains("T0K3N"), "{page}");
    }
}
