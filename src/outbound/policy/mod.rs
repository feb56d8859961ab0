//! Judges a response: decides the next move of the delivery. Pure.
//!
//! `verdict` reads the status. Each chat's file reads that chat's own error texts and codes, since a chat
//! may refuse a message with a 200. This module turns the verdict into a move of the delivery. A refused
//! attempt spends a try of the retry schedule. A permanent failure ends the delivery. An attempt spends no
//! try if the endpoint was unreachable, throttled us, or is gone.

mod dingtalk;
mod discord;
mod errcode;
mod feishu;
mod matrix;
mod mattermost;
mod ntfy;
pub(super) mod relay;
mod retry_after;
mod rocketchat;
mod slack;
mod teams;
mod telegram;
mod verdict;
mod wecom;

use std::time::Duration;

use crate::model::attempt::{Decision, Outcome, Response};
use crate::model::chat::Chat;
use crate::model::delivery::Transition;
use crate::model::endpoint::{Endpoint, Format};
use crate::model::retry::Retry;
use crate::model::text::counted;
use crate::time::{Timestamp, show_span};

use super::transport::SendResult;

use verdict::{Assessment, Verdict};

pub use retry_after::RETRY_AFTER_MAX;
pub(super) use verdict::{PAUSE_MAX, is_page};

/// What a response is judged by, besides the response itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct AttemptContext {
    /// Tries spent before this attempt.
    pub(super) tries: u32,
    /// When the response came.
    pub(super) now: Timestamp,
    /// A random number from 0 to 1, for the jitter.
    pub(super) chance: f64,
    /// When the event is too old to be sent.
    pub(super) deadline: Option<Timestamp>,
    /// What the response is to.
    pub(super) to: AnswerTo,
}

/// What a response is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerTo {
    /// A request with this delivery alone.
    Alone,
    /// A request with this delivery and others.
    Shared,
    /// A request of whose deliveries the receiver says of each what became of it.
    Told,
    /// This delivery of a request with others: the receiver says of each what became of it.
    Part,
}

/// Decides the next move of a delivery after an answer.
pub(super) fn judge(endpoint: &Endpoint, answer: &SendResult, context: AttemptContext) -> Decision {
    let refused = |error: &str, change| Decision {
        outcome: Outcome::Refused,
        error: Some(error.to_owned()),
        change,
        pause: None,
        is_busy: false,
        hold: None,
        splits: false,
    };
    let is_shared = context.to == AnswerTo::Shared;
    let again = |error: &str| match retry_or_give_up(endpoint, error, context, None) {
        // None is given up for the fault of another.
        Transition::GiveUp { .. } if is_shared => split(refused(error, Transition::Postpone)),
        change => refused(error, change),
    };
    match answer {
        SendResult::Replied(reply) => judge_reply(endpoint, reply, context),
        // Perhaps it was more than could be sent in time.
        SendResult::Broken { error } if is_shared => split(refused(error, Transition::Postpone)),
        SendResult::Broken { error } => again(error),
        // Trying again would change nothing. Whoever fixes the cause can replay the delivery.
        SendResult::Unsent {
            error,
            is_final: true,
        } => {
            let reason = error.clone();
            refused(error, Transition::GiveUp { reason })
        }
        SendResult::Unsent {
            error,
            is_final: false,
        } => again(error),
        SendResult::Unreachable { error } | SendResult::Closed { error } => Decision {
            outcome: Outcome::Unreachable,
            ..refused(error, Transition::Postpone)
        },
    }
}

/// Nothing is said of any one delivery where the fault may be another's: they go in smaller requests.
fn split(decision: Decision) -> Decision {
    Decision {
        splits: true,
        ..decision
    }
}

fn judge_reply(endpoint: &Endpoint, reply: &Response, context: AttemptContext) -> Decision {
    let now = context.now;
    let is_relay = endpoint.set.format == Format::Relay;
    let read = || match endpoint.set.chat() {
        _ if context.to == AnswerTo::Told => Verdict::ACCEPTED.into(),
        _ if is_relay && context.to == AnswerTo::Part => relay::read_part(reply),
        _ if is_relay => relay::read(reply, now),
        None => match &endpoint.set.connection.expect {
            Some(expect) if expect.decides(reply.status) => {
                verdict::as_expected(expect, reply, now)
            }
            _ => verdict::of_any(reply, now),
        },
        Some(Chat::Slack) => slack::read(reply, now),
        Some(Chat::Discord) => discord::read(reply, now),
        Some(Chat::Dingtalk) => dingtalk::read(reply, now),
        Some(Chat::Wecom) => wecom::read(reply, now),
        Some(Chat::Feishu) => feishu::read(reply, now),
        Some(Chat::Teams) => teams::read(reply, now),
        Some(Chat::Matrix) => matrix::read(reply, now),
        Some(Chat::Telegram) => telegram::read(reply, now),
        Some(Chat::Mattermost) => mattermost::read(reply, now),
        Some(Chat::Rocketchat) => rocketchat::read(reply, now),
        Some(Chat::Ntfy) => ntfy::read(reply, now),
    };
    let Assessment {
        verdict,
        pause,
        is_busy,
    } = verdict::of_loop(reply).unwrap_or_else(read);
    // However long a response asks to wait, the endpoint is tried again after `PAUSE_MAX`.
    let pause = pause.map(|pause| pause.min(PAUSE_MAX));
    let refused = |error: String, change, hold| Decision {
        outcome: Outcome::Refused,
        error: Some(error),
        change,
        pause,
        is_busy,
        hold,
        splits: false,
    };
    let is_shared = context.to == AnswerTo::Shared;
    match verdict {
        Verdict::Accepted { remark } => Decision {
            outcome: Outcome::Delivered,
            error: remark,
            change: Transition::Deliver,
            pause,
            is_busy: false,
            hold: None,
            splits: false,
        },
        Verdict::NotReached { why } => Decision {
            outcome: Outcome::Unreachable,
            ..refused(why, Transition::Postpone, None)
        },
        Verdict::Rejected { why } if is_shared => split(refused(why, Transition::Postpone, None)),
        // It was too much, or took too long.
        Verdict::Retryable { why, .. } if is_shared && matches!(reply.status, 408 | 413) => {
            split(refused(why, Transition::Postpone, None))
        }
        Verdict::Retryable { why, not_before } => {
            match retry_or_give_up(endpoint, &why, context, not_before) {
                // None is given up for the fault of another.
                Transition::GiveUp { .. } if is_shared => {
                    split(refused(why, Transition::Postpone, None))
                }
                change => refused(why, change, None),
            }
        }
        // The delivery keeps its due time, so it is the first one when the endpoint accepts requests again.
        Verdict::RateLimited { why } => refused(why, Transition::Postpone, None),
        Verdict::NeedsOperator { why } => refused(why.clone(), Transition::Postpone, Some(why)),
        Verdict::Rejected { why } => {
            let reason = why.clone();
            refused(why, Transition::GiveUp { reason }, None)
        }
        Verdict::Gone { why } => {
            let reason = why.clone();
            refused(why.clone(), Transition::GiveUp { reason }, Some(why))
        }
    }
}

fn retry_or_give_up(
    endpoint: &Endpoint,
    error: &str,
    context: AttemptContext,
    floor: Option<Timestamp>,
) -> Transition {
    let tries = context.tries.saturating_add(1);
    let floor = floor.unwrap_or(context.now).max(context.now);
    // A cron schedule's times are kept: the next try is at the first one that the receiver allows.
    let from = match endpoint.set.retry {
        Retry::Cron(_) => floor,
        Retry::Ladder(_) => context.now,
    };
    let next = endpoint
        .set
        .retry
        .next(tries, endpoint.set.tries_max(), from, context.chance);
    let Some(due) = next.map(|due| due.max(floor)) else {
        return Transition::GiveUp {
            reason: gave_up(error, tries),
        };
    };
    Transition::Retry {
        due: context
            .deadline
            .map_or(due, |deadline| in_time(due, floor, deadline, context.now)),
    }
}

/// Moves a due time that would be too late.
///
/// The last try is one second before the deadline, if the receiver allows that time. Otherwise the due time
/// is the deadline itself, when the delivery is given up.
fn in_time(due: Timestamp, floor: Timestamp, deadline: Timestamp, now: Timestamp) -> Timestamp {
    const LAST_MOMENT: Duration = Duration::from_secs(1);
    let last = deadline.minus(LAST_MOMENT);
    if due <= last {
        due
    } else if last > now && last >= floor {
        last
    } else {
        due.min(deadline)
    }
}

/// Returns the reason for giving up a delivery whose event is too old.
pub(super) fn expired(endpoint: &Endpoint) -> String {
    let age = endpoint.set.expire.map(show_span).unwrap_or_default();
    format!("expired: it is owed for more than {age}")
}

fn gave_up(error: &str, tries: u32) -> String {
    let times = counted(i64::from(tries), "try", "tries");
    // What was answered comes first: lists show the beginning.
    format!("{error}; given up after {times}")
}

#[cfg(test)]
mod chat_tests;
#[cfg(test)]
mod more_chat_tests;
#[cfg(test)]
mod tests;
