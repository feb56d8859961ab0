//! Tests of what chats' responses mean: one table for each chat.

use super::tests::{context, endpoint, replied};
use super::*;
use crate::model::endpoint::Format;

/// What happens to a delivery.
#[derive(Debug, PartialEq)]
pub(super) enum Fate {
    Delivered,
    /// Tried again on the retry schedule.
    Again,
    /// Not counted as a try. Nothing is sent for this many seconds; then this delivery is the first.
    Waits(u64),
    Dead,
    /// Not counted as a try; the endpoint is held.
    Held,
}

use Fate::{Again, Dead, Delivered, Held, Waits};

/// Status, headers, body, tries before; then the expected fate and a part of the reason.
pub(super) type Row = (
    u16,
    &'static [(&'static str, &'static str)],
    &'static str,
    u32,
    Fate,
    &'static str,
);

pub(super) fn check(chat: Chat, rows: &[Row]) {
    let mut endpoint = endpoint("5s,5m,30m,2h,5h,10h");
    endpoint.set.format = Format::Chat(chat);
    for (status, headers, body, tries, fate, says) in rows {
        let SendResult::Replied(reply) = replied(*status, headers) else {
            unreachable!("it is a reply")
        };
        let bytes = body.as_bytes().to_vec();
        let answer = SendResult::Replied(Response {
            body: bytes,
            ..reply
        });
        let decision = judge(&endpoint, &answer, context(*tries));
        let case = format!("{} {status} {body} after {tries}", chat.name());
        let found = match (&decision.change, decision.pause, &decision.hold) {
            (Transition::Deliver, _, None) => Delivered,
            (Transition::GiveUp { .. }, None, None) => Dead,
            (Transition::Retry { .. }, None, None) => Again,
            (Transition::Postpone, Some(pause), None) => Waits(pause.as_secs()),
            (Transition::Postpone, None, Some(_)) => Held,
            other => panic!("{case}: {other:?}"),
        };
        assert_eq!(found, *fate, "{case}");
        let said = decision.error.as_deref().unwrap_or_default();
        assert!(said.contains(says), "{case}: {said}");
        if says.is_empty() {
            assert_eq!(said, "", "{case}");
        }
        if let Transition::GiveUp { reason } = &decision.change {
            assert!(reason.contains(says), "{case}: {reason}");
        }
    }
}

#[test]
fn what_slack_answers() {
    check(
        Chat::Slack,
        &[
            (200, &[], "ok", 0, Delivered, ""),
            (
                200,
                &[],
                "okay?",
                0,
                Delivered,
                "Slack said `okay?` in the place of ok",
            ),
            (302, &[], "", 0, Dead, "redirects are not followed"),
            (
                400,
                &[],
                "invalid_payload",
                0,
                Dead,
                "Slack 400: invalid_payload",
            ),
            (400, &[], "invalid_blocks", 0, Dead, "invalid_blocks"),
            (
                403,
                &[],
                "action_prohibited",
                0,
                Dead,
                "an admin of the workspace",
            ),
            (403, &[], "<html>", 0, Dead, "Slack: 403 Forbidden"),
            (
                404,
                &[],
                "channel_not_found",
                0,
                Held,
                "make a webhook for another",
            ),
            (
                404,
                &[],
                "no_service",
                0,
                Held,
                "make a new one, and change the URL",
            ),
            (404, &[], "no_active_hooks", 0, Held, "no_active_hooks"),
            (
                404,
                &[],
                "<html>",
                0,
                Held,
                "404 Not Found: the webhook was removed",
            ),
            (
                404,
                &[],
                "not_found",
                0,
                Held,
                "Slack 404: not_found: the webhook was removed",
            ),
            (429, &[], "", 0, Waits(30), "429"),
            (200, &[], r#"{"success":true}"#, 0, Delivered, ""),
            // The word wins over the status.
            (403, &[], "no_team", 0, Held, "no_team"),
            (
                410,
                &[],
                "channel_is_archived",
                0,
                Held,
                "take the channel out of the archive",
            ),
            (410, &[], "", 0, Held, "410 Gone"),
            (408, &[], "", 0, Again, "408"),
            (
                429,
                &[("retry-after", "30")],
                "rate_limited",
                0,
                Waits(30),
                "429",
            ),
            (500, &[], "rollup_error", 0, Again, "Slack's own fault"),
            (503, &[], "", 0, Again, "503"),
        ],
    );
}

#[test]
fn what_discord_answers() {
    let last = &[
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset-after", "1.5"),
    ];
    check(
        Chat::Discord,
        &[
            (204, &[], "", 0, Delivered, ""),
            (
                200,
                &[("x-ratelimit-remaining", "3")],
                r#"{"id":"1"}"#,
                0,
                Delivered,
                "",
            ),
            (
                429,
                &[("retry-after", "2")],
                r#"{"message":"You are being rate limited.","retry_after":2.75,"global":false}"#,
                0,
                Waits(2),
                "Discord 429: You are being rate limited.",
            ),
            (
                429,
                &[("retry-after", "9")],
                r#"{"retry_after":0.3}"#,
                0,
                Waits(9),
                "429",
            ),
            (429, &[], "", 0, Waits(5), "429"),
            (
                404,
                &[],
                r#"{"message":"Unknown Webhook","code":10015}"#,
                0,
                Held,
                "Unknown Webhook: the webhook was removed",
            ),
            (404, &[], "", 0, Held, "404"),
            (
                401,
                &[],
                r#"{"message":"Invalid Webhook Token","code":50027}"#,
                0,
                Held,
                "copy the webhook's URL again",
            ),
            (403, &[], "", 0, Held, "403"),
            (410, &[], "", 0, Held, "410 Gone"),
            (
                400,
                &[],
                r#"{"message":"Cannot send an empty message","code":50006}"#,
                0,
                Dead,
                "50006",
            ),
            (413, &[], r#"{"code":40005}"#, 0, Dead, "413"),
            (502, &[], "", 0, Again, "502"),
        ],
    );
    let mut endpoint = endpoint("5s");
    endpoint.set.format = Format::Chat(Chat::Discord);
    let decision = judge(&endpoint, &replied(200, last), context(0));
    assert_eq!(decision.change, Transition::Deliver);
    assert_eq!(decision.pause, Some(Duration::from_millis(1_500)));
}

#[test]
fn what_dingtalk_answers() {
    check(
        Chat::Dingtalk,
        &[
            (200, &[], r#"{"errcode":0,"errmsg":"ok"}"#, 0, Delivered, ""),
            (
                200,
                &[],
                r#"{"errcode":"0","errmsg":"ok"}"#,
                0,
                Delivered,
                "",
            ),
            (
                200,
                &[],
                r#"{"errcode":-1,"errmsg":"system busy"}"#,
                2,
                Again,
                "busy",
            ),
            (
                200,
                &[],
                r#"{"errcode":-1,"errmsg":"system busy"}"#,
                3,
                Again,
                "busy",
            ),
            (
                200,
                &[],
                r#"{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#,
                0,
                Waits(60),
                "send too fast",
            ),
            (
                200,
                &[],
                r#"{"errcode":130101,"errmsg":"{\"status\":1111,\"wait\":5,\"punish\":\"deny\"}"}"#,
                0,
                Waits(600),
                "130101",
            ),
            (
                200,
                &[],
                r#"{"errcode":660026,"errmsg":"x"}"#,
                1,
                Waits(60),
                "more than 20 messages a minute",
            ),
            (
                200,
                &[],
                r#"{"errcode":310000,"errmsg":"keywords not in content, more: [https://h/]"}"#,
                0,
                Dead,
                "DingTalk 310000: keywords not in content: add one of the robot's keywords",
            ),
            (
                200,
                &[],
                r#"{"errcode":310000,"errmsg":"description:机器人发送签名不匹配;solution:请确认签名"}"#,
                0,
                Held,
                "机器人发送签名不匹配: the endpoint's secret",
            ),
            (
                200,
                &[],
                r#"{"errcode":310000,"errmsg":"sign not match, more: [https://h/]"}"#,
                0,
                Held,
                "the endpoint's secret is not the robot's",
            ),
            (
                200,
                &[],
                r#"{"errcode":310000,"errmsg":"invalid timestamp, more: [https://h/]"}"#,
                0,
                Again,
                "clock",
            ),
            (
                200,
                &[],
                r#"{"errcode":310000,"errmsg":"description:机器人发送签名过期;solution:x"}"#,
                3,
                Again,
                "机器人发送签名过期: is this machine's clock right?",
            ),
            (
                200,
                &[],
                r#"{"errcode":310000,"errmsg":"错误描述:机器人发送签名不匹配;解决方案:请检查时间戳"}"#,
                0,
                Held,
                "310000: 机器人发送签名不匹配: the endpoint's secret",
            ),
            (
                200,
                &[],
                r#"{"errcode":310000,"errmsg":"ip 192.0.2.1 not in whitelist"}"#,
                0,
                Held,
                "public address",
            ),
            (
                200,
                &[],
                r#"{"errcode":300001,"errmsg":"token is not exist"}"#,
                0,
                Held,
                "copy the robot's URL again",
            ),
            (
                200,
                &[],
                r#"{"errcode":400013,"errmsg":"x"}"#,
                0,
                Held,
                "dissolved",
            ),
            (
                200,
                &[],
                r#"{"errcode":400102,"errmsg":"x"}"#,
                0,
                Held,
                "stopped",
            ),
            (
                200,
                &[],
                r#"{"errcode":400106,"errmsg":"x"}"#,
                0,
                Held,
                "removed",
            ),
            (
                200,
                &[],
                r#"{"errcode":460101,"errmsg":"message too long"}"#,
                0,
                Dead,
                "message too long",
            ),
            (
                200,
                &[],
                r#"{"errcode":430102,"errmsg":"x"}"#,
                0,
                Dead,
                "refuses what is in it",
            ),
            (
                200,
                &[],
                r#"{"errcode":999999,"errmsg":"what?"}"#,
                0,
                Again,
                "DingTalk 999999: what?",
            ),
            (
                200,
                &[],
                r#"{"errcode":999999,"errmsg":"what?"}"#,
                3,
                Again,
                "DingTalk 999999: what?",
            ),
            (200, &[], "<html>", 0, Again, "no errcode"),
            (200, &[], "", 3, Again, "no errcode"),
            (403, &[], "", 0, Dead, "DingTalk: 403"),
            (404, &[], "", 0, Dead, "404"),
            (410, &[], "", 0, Held, "410"),
            (429, &[("retry-after", "5")], "", 0, Waits(60), "429"),
            (502, &[], "", 0, Again, "502"),
        ],
    );
}

#[test]
fn what_wecom_answers() {
    check(
        Chat::Wecom,
        &[
            (200, &[], r#"{"errcode":0,"errmsg":"ok"}"#, 0, Delivered, ""),
            (
                200,
                &[],
                r#"{"errcode":0,"errmsg":"ok. Warning: wrong json format. "}"#,
                0,
                Delivered,
                "in part",
            ),
            (
                200,
                &[],
                r#"{"errcode":-1,"errmsg":"busy"}"#,
                0,
                Again,
                "busy",
            ),
            (
                200,
                &[],
                r#"{"errcode":6000,"errmsg":"x"}"#,
                4,
                Again,
                "6000",
            ),
            (
                200,
                &[],
                r#"{"errcode":45009,"errmsg":"api freq out of limit, hint: [17], from ip: 192.0.2.9, more info at https://h/"}"#,
                0,
                Waits(60),
                "WeCom 45009: api freq out of limit: more",
            ),
            (
                200,
                &[],
                r#"{"errcode":45033,"errmsg":"x"}"#,
                0,
                Waits(60),
                "45033",
            ),
            (
                200,
                &[],
                r#"{"errcode":93000,"errmsg":"invalid webhook url, hint: [1], from ip: 192.0.2.9"}"#,
                0,
                Held,
                "invalid webhook url: the robot was removed",
            ),
            (
                200,
                &[],
                r#"{"errcode":45002,"errmsg":"content size out of limit"}"#,
                0,
                Dead,
                "content size",
            ),
            (
                200,
                &[],
                r#"{"errcode":1,"errmsg":"x"}"#,
                0,
                Again,
                "WeCom 1: x",
            ),
            (200, &[], "[]", 0, Again, "no errcode"),
            (301, &[], "", 0, Dead, "301"),
            (500, &[], "", 0, Again, "500"),
        ],
    );
}

#[test]
fn what_feishu_answers() {
    check(
        Chat::Feishu,
        &[
            (
                200,
                &[],
                r#"{"code":0,"msg":"success","data":{},"StatusCode":0,"StatusMessage":"success"}"#,
                0,
                Delivered,
                "",
            ),
            (
                200,
                &[],
                r#"{"StatusCode":0,"StatusMessage":"success"}"#,
                0,
                Delivered,
                "",
            ),
            // `code` wins over `StatusCode`.
            (
                200,
                &[],
                r#"{"code":19024,"msg":"Key Words Not Found","StatusCode":0}"#,
                0,
                Dead,
                "Feishu 19024: Key Words Not Found: add one of the bot's keywords",
            ),
            (
                200,
                &[],
                r#"{"code":11232,"msg":"frequency limited psm[lark]"}"#,
                0,
                Waits(7),
                "frequency limited",
            ),
            (
                400,
                &[],
                r#"{"code":9499,"msg":"too many request"}"#,
                0,
                Waits(7),
                "too many",
            ),
            (
                400,
                &[],
                r#"{"code":9499,"msg":"Bad Request"}"#,
                0,
                Dead,
                "Bad Request",
            ),
            (
                400,
                &[("x-ogw-ratelimit-reset", "23")],
                r#"{"code":99991400,"msg":"request trigger frequency limit"}"#,
                0,
                Waits(23),
                "99991400",
            ),
            (
                429,
                &[("x-ogw-ratelimit-reset", "23")],
                "",
                0,
                Waits(23),
                "429",
            ),
            (
                200,
                &[],
                r#"{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}"#,
                0,
                Again,
                "clock right?",
            ),
            (
                200,
                &[],
                r#"{"code":19021,"msg":"sign match fail"}"#,
                1,
                Again,
                "is the endpoint's secret the bot's",
            ),
            (
                200,
                &[],
                r#"{"code":19022,"msg":"Ip Not Allowed"}"#,
                0,
                Held,
                "public address",
            ),
            (
                200,
                &[],
                r#"{"code":19001,"msg":"param invalid: incoming webhook access token invalid"}"#,
                0,
                Held,
                "copy its URL again",
            ),
            (
                200,
                &[],
                r#"{"code":19007,"msg":"Bot Not Enabled"}"#,
                0,
                Held,
                "switched off",
            ),
            (
                200,
                &[],
                r#"{"code":200621,"msg":"parse card json err"}"#,
                0,
                Dead,
                "does not take this message",
            ),
            (200, &[], r#"{"code":5,"msg":"x"}"#, 0, Again, "Feishu 5: x"),
            (200, &[], r#"{"code":5,"msg":"x"}"#, 3, Again, "Feishu 5: x"),
            (200, &[], "", 0, Again, "no code"),
            (400, &[], "", 0, Dead, "400"),
            (404, &[], "", 0, Dead, "404"),
            (410, &[], "", 0, Held, "410"),
            (502, &[], r#"{"code":0}"#, 0, Again, "502"),
        ],
    );
}

#[test]
fn a_chat_is_known_by_its_host_whatever_is_sent_there() {
    let mut raw = endpoint("5s");
    raw.set.url = "https://oapi.dingtalk.com/robot/send?access_token=x"
        .parse()
        .unwrap();
    let SendResult::Replied(reply) = replied(200, &[]) else {
        unreachable!("it is a reply")
    };
    let body = br#"{"errcode":300001,"errmsg":"token is not exist"}"#.to_vec();
    let decision = judge(
        &raw,
        &SendResult::Replied(Response { body, ..reply }),
        context(0),
    );
    assert!(
        decision.hold.is_some(),
        "a 200 of DingTalk is no success by itself"
    );
    assert_eq!(
        raw.set.rate().map(ToString::to_string).as_deref(),
        Some("20/m")
    );
    assert_eq!(raw.set.concurrency(), 1);
    // Discord accepts Slack's messages, but answers in its own format.
    raw.set.url = "https://discord.com/api/webhooks/1/x/slack"
        .parse()
        .unwrap();
    raw.set.format = Format::Chat(Chat::Slack);
    assert_eq!(raw.set.chat(), Some(Chat::Discord));
}
