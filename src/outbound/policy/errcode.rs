//! Reads DingTalk's and WeCom's responses: a 200, whose `errcode` says the result.

use std::time::Duration;

use super::verdict::{Assessment, Verdict, of_chat, shorten};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::lenient;
use crate::time::Timestamp;

/// Pause after one message too many: the limit is per minute.
pub(super) const SLOW_DOWN: Duration = Duration::from_secs(60);

/// A code and its message.
pub(super) struct Coded {
    pub(super) code: String,
    /// The message without hints for other programs and without the caller's IP address.
    pub(super) message: String,
    /// The whole message.
    pub(super) whole: String,
}

/// Reads a robot's response, or judges a response that has no `errcode`.
pub(super) fn answer(chat: Chat, reply: &Response, now: Timestamp) -> Result<Coded, Assessment> {
    if !(200..300).contains(&reply.status) {
        return Err(of_chat(chat, reply, now).or_rate_limited(reply, SLOW_DOWN));
    }
    let (code, whole) = lenient::read(&reply.body, &[], |body| {
        (body.owned(&["errcode"]), body.owned(&["errmsg"]))
    });
    let Some(code) = code else {
        let why = format!("{}'s reply has no errcode: is the URL right?", chat.title());
        return Err(Verdict::retryable(why).into());
    };
    let whole = whole.unwrap_or_default();
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
