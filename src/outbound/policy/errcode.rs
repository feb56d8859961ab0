//! What DingTalk's and WeCom's robots answer: a 200, and `errcode` says whether it is one.

use std::time::Duration;

use super::verdict::{Assessment, Verdict, of_chat, shorten};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::lenient::{self, Text};
use crate::time::Timestamp;

/// After a message too many a minute must pass.
pub(super) const SLOW_DOWN: Duration = Duration::from_secs(60);

/// A code, and what is said about it.
pub(super) struct Coded {
    pub(super) code: String,
    /// What was said, without hints for other programs and the caller's own address.
    pub(super) message: String,
    /// What was said in full.
    pub(super) whole: String,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Body {
    errcode: Text,
    errmsg: Text,
}

/// Reads a robot's answer, or what a reply without one means.
pub(super) fn answer(chat: Chat, reply: &Response, now: Timestamp) -> Result<Coded, Assessment> {
    if !(200..300).contains(&reply.status) {
        return Err(of_chat(chat, reply, now).or_rate_limited(reply, SLOW_DOWN));
    }
    let body: Body = lenient::read(&reply.body);
    let Some(code) = body.errcode.0 else {
        let why = format!("{}'s reply has no errcode: is the URL right?", chat.title());
        return Err(Verdict::retryable(why).into());
    };
    let whole = body.errmsg.0.unwrap_or_default();
    Ok(Coded {
        code,
        message: essence(&whole),
        whole,
    })
}

fn essence(text: &str) -> String {
    let ends = [
        ", more:",
        ", hint:",
        ", from ip",
        ", more info",
        ";solution",
        ";解决方案",
    ];
    let end = ends.iter().filter_map(|end| text.find(end)).min();
    let text = &text[..end.unwrap_or(text.len())];
    let begins = ["错误描述:", "错误描述：", "description:"];
    let begin = begins.iter().find_map(|begin| text.strip_prefix(begin));
    shorten(begin.unwrap_or(text))
}
