//! What DingTalk's replies mean: a 200, and `errcode` says whether it is one.
//!
//! Source: DingTalk, "Custom robot access", error codes; 310000 has four meanings that only its
//! text tells apart.

use std::time::Duration;

use super::finding::{Finding, Read, of_chat, shorten};
use crate::model::chat::Chat;
use crate::model::lenient::{self, Text};
use crate::outbound::transport::Reply;
use crate::time::Timestamp;

/// After a message too many a minute must pass; ten, if it was more than a slip.
const SLOW_DOWN: Duration = Duration::from_secs(60);
const PUNISHED: Duration = Duration::from_secs(600);

/// What a robot answers. WeCom's answer the same.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Body {
    pub(super) errcode: Text,
    errmsg: Text,
}

impl Body {
    /// What was said, without hints for other programs and the caller's own address.
    pub(super) fn message(&self) -> String {
        let text = self.errmsg.0.as_deref().unwrap_or_default();
        let ends = [
            ", more:",
            ", hint:",
            ", from ip",
            ", more info",
            ";solution",
        ];
        let end = ends.iter().filter_map(|end| text.find(end)).min();
        let text = &text[..end.unwrap_or(text.len())];
        shorten(text.trim_start_matches("description:"))
    }

    /// What was said in full.
    pub(super) fn whole_message(&self) -> &str {
        self.errmsg.0.as_deref().unwrap_or_default()
    }
}

pub(super) fn read(reply: &Reply, tries: u32, now: Timestamp) -> Read {
    if !(200..300).contains(&reply.status) {
        let read = of_chat(Chat::Dingtalk, reply, now);
        return match read.finding {
            Finding::NotNow { why, .. } if reply.status == 429 => {
                let wait = read.pause.unwrap_or_default().max(SLOW_DOWN);
                Finding::slow_down(why, wait, now)
            }
            _ => read,
        };
    }
    let body: Body = lenient::read(&reply.body);
    let Some(code) = body.errcode.0.as_deref() else {
        return Finding::doubtful("DingTalk's reply has no errcode: is the URL right?").into();
    };
    let message = body.message();
    let said = |advice: &str| format!("DingTalk {code}: {message}: {advice}");
    let words = message.to_lowercase();
    // Newer texts are in Chinese.
    let speaks_of = |names: &[&str]| names.iter().any(|name| words.contains(name));
    match code {
        "0" => Finding::TAKEN.into(),
        "-1" => Finding::doubtful(said("DingTalk is busy")).into(),
        "130101" | "410100" | "660026" => {
            let wait = if speaks_of(&["punish"]) || tries > 0 {
                PUNISHED
            } else {
                SLOW_DOWN
            };
            Finding::slow_down(said("more than 20 messages a minute"), wait, now)
        }
        "310000" if speaks_of(&["keyword", "关键词"]) => Finding::Never {
            why: said("add one of the robot's keywords; `hookbox` is in every message"),
        }
        .into(),
        // The next try is signed anew.
        "310000" if speaks_of(&["timestamp", "时间戳"]) && tries == 0 => {
            Finding::not_now(said("is this machine's clock right?")).into()
        }
        "310000" if speaks_of(&["timestamp", "时间戳"]) => Finding::Never {
            why: said("this machine's clock is more than an hour off"),
        }
        .into(),
        "310000" if speaks_of(&["sign", "签名"]) => Finding::Never {
            why: said("the endpoint's secret is not the robot's; set it with --secret-file"),
        }
        .into(),
        "310000" if speaks_of(&["whitelist", "white list", "白名单"]) => Finding::Never {
            why: said("add this machine's public address to the robot's list"),
        }
        .into(),
        "310000" => Finding::Never {
            why: said("one of the robot's security settings refuses it"),
        }
        .into(),
        "300001" | "300005" | "400101" => Finding::Gone {
            why: said("copy the robot's URL again"),
        }
        .into(),
        "400013" => Finding::Gone {
            why: said("the group was dissolved"),
        }
        .into(),
        "400102" => Finding::Gone {
            why: said("the robot was stopped: start it in the group's settings"),
        }
        .into(),
        "400106" => Finding::Gone {
            why: said("the robot was removed: make a new one, and change the URL"),
        }
        .into(),
        "400105" | "40035" | "43004" | "101002" | "460101" => Finding::Never {
            why: said("DingTalk does not take this message"),
        }
        .into(),
        "430101" | "430102" | "430103" | "430104" => Finding::Never {
            why: said("DingTalk refuses what is in it"),
        }
        .into(),
        _ => Finding::doubtful(format!("DingTalk {code}: {message}")).into(),
    }
}
