//! What WeCom's replies mean: a 200, and `errcode` says whether it is one.
//!
//! Source: WeCom, "Global error codes".

use std::time::Duration;

use super::dingtalk::Body;
use super::finding::{Finding, Read, of_chat};
use crate::model::chat::Chat;
use crate::model::lenient;
use crate::outbound::transport::Reply;
use crate::time::Timestamp;

const SLOW_DOWN: Duration = Duration::from_secs(60);

pub(super) fn read(reply: &Reply, now: Timestamp) -> Read {
    if !(200..300).contains(&reply.status) {
        let read = of_chat(Chat::Wecom, reply, now);
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
        return Finding::doubtful("WeCom's reply has no errcode: is the URL right?").into();
    };
    let message = body.message();
    let said = |advice: &str| format!("WeCom {code}: {message}: {advice}");
    match code {
        "0" if body.whole_message().contains("wrong json format") => Finding::Taken {
            remark: Some(format!("WeCom took it in part: {message}")),
        }
        .into(),
        "0" => Finding::TAKEN.into(),
        "-1" => Finding::doubtful(said("WeCom is busy")).into(),
        "6000" => Finding::not_now(said("somebody changed the same thing")).into(),
        "45009" | "45033" => {
            Finding::slow_down(said("more than 20 messages a minute"), SLOW_DOWN, now)
        }
        "93000" => Finding::Gone {
            why: said("the robot was removed, or the key is wrong: copy its URL again"),
        }
        .into(),
        "40008" | "40058" | "44004" | "45002" => Finding::Never {
            why: said("WeCom does not take this message"),
        }
        .into(),
        _ => Finding::doubtful(format!("WeCom {code}: {message}")).into(),
    }
}
