//! Tests of what the responses of more chats mean. A table is read by its rows.

use super::chat_tests::Fate::{Again, Dead, Delivered, Held, Waits};
use super::chat_tests::check;
use super::*;

#[test]
#[rustfmt::skip]
fn what_teams_answers() {
    const OFF: &str = r#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"Could not execute workflow 'x' trigger 'manual' with state 'Disabled': trigger is not enabled."}}"#;
    check(
        Chat::Teams,
        &[
            (202, &[], "", 0, Delivered, ""),
            (200, &[], "1", 0, Delivered, ""),
            (200, &[], "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x", 0, Waits(30), "too many messages"),
            (200, &[], "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 500", 0, Again, "delivery failed"),
            (200, &[], "<html>Sign in</html>", 0, Again, "login"),
            (429, &[("retry-after", "9")], "", 0, Waits(9), "too many messages"),
            (400, &[], OFF, 0, Held, "switched off or removed"),
            (404, &[], "", 0, Held, "switched off or removed"),
            (401, &[], r#"{"error":{"code":"AuthorizationFailed","message":"The authentication credentials are not valid."}}"#, 0, Held, "copy the workflow's URL again"),
            (400, &[], r#"{"error":{"code":"TriggerInputSchemaMismatch","message":"x"}}"#, 0, Held, "takes other messages"),
            (400, &[], "Summary or Text is required.", 0, Dead, "does not take this message"),
            (413, &[], "", 0, Dead, "does not take this message"),
            (502, &[], "", 0, Again, "502"),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn what_matrix_answers() {
    check(
        Chat::Matrix,
        &[
            (200, &[], r#"{"event_id":"$x"}"#, 0, Delivered, ""),
            (200, &[], "<html>Sign in</html>", 0, Again, "is the URL right?"),
            (404, &[], "<html>", 0, Held, "is the URL right?"),
            (429, &[("retry-after", "3")], r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many Requests","retry_after_ms":9000}"#, 0, Waits(3), "Too Many Requests"),
            (429, &[], r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":9000}"#, 0, Waits(9), "M_LIMIT_EXCEEDED"),
            (429, &[], "", 0, Waits(5), "429"),
            (401, &[], r#"{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed.","soft_logout":false}"#, 0, Held, "--auth bearer"),
            (401, &[], r#"{"errcode":"M_MISSING_TOKEN","error":"Missing access token"}"#, 0, Held, "--auth bearer"),
            (403, &[], r#"{"errcode":"M_FORBIDDEN","error":"User @box:h not in room !x:h"}"#, 0, Held, "not in room"),
            (404, &[], r#"{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}"#, 0, Held, "is the URL right?"),
            (413, &[], r#"{"errcode":"M_TOO_LARGE","error":"event too large"}"#, 0, Dead, "event too large"),
            (400, &[], r#"{"errcode":"M_BAD_JSON","error":"x"}"#, 0, Dead, "does not take this message"),
            (500, &[], r#"{"errcode":"M_UNKNOWN","error":"Internal server error"}"#, 0, Again, "500"),
            (502, &[], "<html>", 0, Again, "502"),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn what_telegram_answers() {
    check(
        Chat::Telegram,
        &[
            (200, &[], r#"{"ok":true,"result":{"message_id":1}}"#, 0, Delivered, ""),
            (200, &[], "<html>", 0, Again, "is the URL right?"),
            (429, &[], r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 35","parameters":{"retry_after":35}}"#, 0, Waits(35), "retry after 35"),
            (429, &[], "", 0, Waits(30), "429"),
            (401, &[], r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#, 0, Held, "the token is wrong"),
            (404, &[], r#"{"ok":false,"error_code":404,"description":"Not Found"}"#, 0, Held, "the token is wrong"),
            (403, &[], r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked from the supergroup chat"}"#, 0, Held, "add the bot to the chat"),
            (400, &[], r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#, 0, Held, "is chat_id right"),
            (400, &[], r#"{"ok":false,"error_code":400,"description":"Bad Request: message thread not found"}"#, 0, Held, "message_thread_id"),
            (400, &[], r#"{"ok":false,"error_code":400,"description":"Bad Request: not enough rights to send text messages to the chat"}"#, 0, Held, "let the bot write"),
            (400, &[], r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001234}}"#, 0, Held, "chat_id=-1001234"),
            (400, &[], r#"{"ok":false,"error_code":400,"description":"Bad Request: can't parse entities: Unsupported start tag"}"#, 0, Dead, "can't parse entities"),
            (400, &[], r#"{"ok":false,"error_code":400,"description":"Bad Request: need administrator rights in the channel chat"}"#, 0, Held, "let the bot write"),
            (404, &[], "<html>", 0, Held, "is the URL right?"),
            (502, &[], "", 0, Again, "502"),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn what_mattermost_answers() {
    const ERROR: &str = r#"{"id":"web.incoming_webhook.general.app_error","message":"Failed to handle the payload of media type application/json","status_code":400}"#;
    check(
        Chat::Mattermost,
        &[
            (200, &[], "ok", 0, Delivered, ""),
            (200, &[], "{}", 0, Delivered, "did not say ok"),
            (200, &[], "<html>Sign in</html>", 0, Again, "login"),
            (400, &[], ERROR, 0, Held, "the webhook was removed"),
            (403, &[], ERROR, 0, Held, "may not post"),
            (404, &[], "", 0, Held, "is the URL right"),
            (501, &[], ERROR, 0, Held, "switched off"),
            (413, &[], "", 0, Dead, "does not take this message"),
            (429, &[("retry-after", "20")], "limit exceeded", 0, Waits(20), "429"),
            (429, &[], "limit exceeded", 0, Waits(10), "429"),
            (500, &[], ERROR, 0, Again, "500"),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn what_rocketchat_answers() {
    // The time of the tests, and forty seconds more.
    const RESET: &str = "784111817000";
    check(
        Chat::Rocketchat,
        &[
            (200, &[], r#"{"success":true}"#, 0, Delivered, ""),
            (200, &[], "", 0, Again, "is the URL right?"),
            (429, &[], r#"{"success":false,"error":"Error, too many requests."}"#, 0, Waits(60), "too many"),
            (429, &[("x-ratelimit-reset", RESET)], "", 0, Waits(40), "too many"),
            (404, &[], r#"{"success":false,"error":"Invalid integration id or token provided."}"#, 0, Held, "was removed"),
            (503, &[], r#"{"success":false,"error":"Service Unavailable"}"#, 0, Held, "switched off"),
            (503, &[], "<html>", 0, Again, "503"),
            (400, &[], r#"{"success":false,"error":"invalid-channel"}"#, 0, Held, "is the integration's channel there"),
            (400, &[], r#"{"success":false,"error":"error-message-size-exceeded"}"#, 0, Dead, "does not take"),
            (500, &[], "", 0, Again, "500"),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn what_ntfy_answers() {
    check(
        Chat::Ntfy,
        &[
            (200, &[], r#"{"id":"x","time":1,"event":"message","topic":"t","message":"m"}"#, 0, Delivered, ""),
            (200, &[], "<html>", 0, Again, "is the URL right?"),
            (429, &[], r#"{"code":42901,"http":429,"error":"limit reached: too many requests"}"#, 0, Waits(30), "ntfy 42901"),
            (429, &[], r#"{"code":42908,"http":429,"error":"limit reached: daily message quota reached"}"#, 0, Waits(3_600), "no more messages today"),
            (401, &[], r#"{"code":40101,"http":401,"error":"unauthorized"}"#, 0, Held, "--auth bearer"),
            (403, &[], r#"{"code":40301,"http":403,"error":"forbidden"}"#, 0, Held, "--auth bearer"),
            (400, &[], r#"{"code":40010,"http":400,"error":"invalid request: topic invalid"}"#, 0, Held, "choose another topic"),
            (400, &[], r#"{"code":40014,"http":400,"error":"invalid request: attachments not allowed"}"#, 0, Dead, "does not take"),
            (404, &[], r#"{"code":40401,"http":404,"error":"page not found"}"#, 0, Held, "is the URL right?"),
            (507, &[], "", 0, Again, "507"),
        ],
    );
}

/// What a hub answers to a whole request says nothing of its events: none is given up for it.
#[test]
fn what_a_hub_answers_to_a_whole_relay_gives_no_event_up() {
    let mut hub = super::tests::endpoint("5s");
    hub.set.format = Format::Relay;
    let judged = |status: u16, to: AnswerTo, tries: u32| {
        let context = AttemptContext {
            to,
            ..super::tests::context(tries)
        };
        judge(&hub, &super::tests::replied(status, &[]), context)
    };
    for to in [AnswerTo::Alone, AnswerTo::Shared] {
        for (status, pause) in [
            (200, 60),
            (302, 60),
            (400, 60),
            (401, 60),
            (404, 60),
            (410, 60),
            (415, 60),
            (421, 60),
            (429, 5),
            (503, 5),
        ] {
            let decision = judged(status, to, 9);
            assert_eq!(decision.change, Transition::Postpone, "{status}");
            assert_eq!(decision.hold, None, "{status}");
            let pause = Duration::from_secs(pause);
            assert_eq!(decision.pause, Some(pause), "{status}");
        }
    }
    for (status, tries, splits) in [
        (408, 0, true),
        (413, 0, true),
        (500, 0, false),
        (500, 9, true),
    ] {
        let decision = judged(status, AnswerTo::Shared, tries);
        assert_eq!(decision.splits, splits, "{status} after {tries}");
        let is_dead = matches!(decision.change, Transition::GiveUp { .. });
        assert!(!is_dead, "{status} after {tries}");
    }
    // Alone it is judged as any other.
    let decision = judged(500, AnswerTo::Alone, 9);
    assert!(matches!(decision.change, Transition::GiveUp { .. }));
    let timed_out = SendResult::Broken {
        error: "no reply within 15s".to_owned(),
    };
    let context = AttemptContext {
        to: AnswerTo::Shared,
        ..super::tests::context(9)
    };
    assert!(judge(&hub, &timed_out, context).splits);
}
