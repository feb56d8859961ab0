//! What WeCom's replies mean.
//!
//! Source: WeCom, "Global error codes".

use super::errcode::{SLOW_DOWN, answer};
use super::finding::{Finding, Read, said};
use crate::model::chat::Chat;
use crate::outbound::transport::Reply;
use crate::time::Timestamp;

pub(super) fn read(reply: &Reply, now: Timestamp) -> Read {
    let answer = match answer(Chat::Wecom, reply, now) {
        Ok(answer) => answer,
        Err(read) => return read,
    };
    let code = answer.code.as_str();
    let told = |advice: &str| said(&[&format!("WeCom {code}"), &answer.message, advice]);
    let finding = match code {
        "0" if answer.whole.contains("wrong json format") => Finding::Taken {
            remark: Some(said(&["WeCom took it in part", &answer.message])),
        },
        "0" => Finding::TAKEN,
        "-1" => Finding::not_now(told("WeCom is busy")),
        "6000" => Finding::not_now(told("somebody changed the same thing")),
        "45009" | "45033" => {
            return Finding::slow_down(told("more than 20 messages a minute"), SLOW_DOWN);
        }
        "93000" => Finding::mend(told(
            "the robot was removed, or the key is wrong: copy its URL again",
        )),
        "40008" | "40058" | "44004" | "45002" => {
            Finding::never(told("WeCom does not take this message"))
        }
        _ => Finding::not_now(told("")),
    };
    finding.into()
}
