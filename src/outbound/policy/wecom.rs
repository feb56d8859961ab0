//! Reads WeCom's responses.
//!
//! Source: WeCom, "Global error codes".

use super::errcode::{SLOW_DOWN, answer};
use super::verdict::{Assessment, Verdict, said};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::time::Timestamp;

pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    let answer = match answer(Chat::Wecom, reply, now) {
        Ok(answer) => answer,
        Err(read) => return read,
    };
    let code = answer.code.as_str();
    let explained = |advice: &str| said(&[&format!("WeCom {code}"), &answer.message, advice]);
    let verdict = match code {
        "0" if answer.whole.contains("wrong json format") => Verdict::Accepted {
            remark: Some(said(&["WeCom took it in part", &answer.message])),
        },
        "0" => Verdict::ACCEPTED,
        "-1" => Verdict::retryable(explained("WeCom is busy")),
        "6000" => Verdict::retryable(explained("somebody changed the same thing")),
        "45009" | "45033" => {
            return Verdict::rate_limited(explained("more than 20 messages a minute"), SLOW_DOWN);
        }
        "93000" => Verdict::needs_operator(explained(
            "the robot was removed, or the key is wrong: copy its URL again",
        )),
        "40008" | "40058" | "44004" | "45002" => {
            Verdict::rejected(explained("WeCom does not take this message"))
        }
        _ => Verdict::retryable(explained("")),
    };
    verdict.into()
}
