//! Reads DingTalk's responses.
//!
//! Source: DingTalk, "Custom robot access", error codes. Code 310000 has four meanings; only the message
//! text tells which.

use std::time::Duration;

use super::errcode::{SLOW_DOWN, answer};
use super::verdict::{Assessment, Verdict, said};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::time::Timestamp;

/// How long DingTalk blocks a robot that kept sending too much.
const PUNISHED: Duration = Duration::from_secs(600);

pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    let answer = match answer(Chat::Dingtalk, reply, now) {
        Ok(answer) => answer,
        Err(read) => return read,
    };
    let code = answer.code.as_str();
    let explained = |advice: &str| said(&[&format!("DingTalk {code}"), &answer.message, advice]);
    let verdict = match code {
        "0" => Verdict::ACCEPTED,
        "-1" => Verdict::retryable(explained("DingTalk is busy")),
        "130101" | "410100" | "660026" => {
            let is_punished = answer.whole.contains("punish");
            let wait = if is_punished { PUNISHED } else { SLOW_DOWN };
            return Verdict::rate_limited(explained("more than 20 messages a minute"), wait);
        }
        "310000" => refused_by_setting(&answer.message.to_lowercase(), explained),
        "300001" | "300005" | "400101" => {
            Verdict::needs_operator(explained("copy the robot's URL again"))
        }
        "400013" => Verdict::needs_operator(explained("the group was dissolved")),
        "400102" => Verdict::needs_operator(explained(
            "the robot was stopped: start it in the group's settings",
        )),
        "400106" => Verdict::needs_operator(explained(
            "the robot was removed: make a new one, and change the URL",
        )),
        "400105" | "40035" | "43004" | "101002" | "460101" => {
            Verdict::rejected(explained("DingTalk does not take this message"))
        }
        "430101" | "430102" | "430103" | "430104" => {
            Verdict::rejected(explained("DingTalk refuses what is in it"))
        }
        _ => Verdict::retryable(explained("")),
    };
    verdict.into()
}

/// Permanent or temporary: one of the robot's security settings refused the message.
///
/// Newer DingTalk texts are in Chinese.
fn refused_by_setting(words: &str, explained: impl Fn(&str) -> String) -> Verdict {
    let speaks_of = |names: &[&str]| names.iter().any(|name| words.contains(name));
    if speaks_of(&["keyword", "关键词"]) {
        Verdict::rejected(explained(
            "add one of the robot's keywords; `hookbox` is in every message",
        ))
    } else if speaks_of(&["timestamp", "时间戳", "过期"]) {
        // A box that has just started may not have the correct time yet; each attempt is signed anew, so a
        // retry can succeed.
        Verdict::retryable(explained("is this machine's clock right?"))
    } else if speaks_of(&["sign", "签名"]) {
        Verdict::needs_operator(explained(
            "the endpoint's secret is not the robot's; set it with --secret-file",
        ))
    } else if speaks_of(&["whitelist", "white list", "白名单"]) {
        Verdict::needs_operator(explained(
            "add this machine's public address to the robot's list",
        ))
    } else {
        Verdict::rejected(explained("one of the robot's security settings refuses it"))
    }
}
