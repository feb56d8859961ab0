//! Reads the responses of Teams's workflows and of its old connectors.
//!
//! A workflow answers before it has posted: what it does not take fails there, unseen from here.
//!
//! Source: Microsoft, "Create and send messages", rate limiting, and "Troubleshoot request triggers"; the codes
//! are those that others reported.

use std::time::Duration;

use super::retry_after::retry_after;
use super::verdict::{Assessment, Verdict, is_page, of_chat, said, shorten};
use crate::model::attempt::Response;
use crate::model::chat::Chat;
use crate::model::lenient;
use crate::time::Timestamp;

/// Pause after throttling without a wait time: the limits are per second and per half minute.
const SLOW_DOWN: Duration = Duration::from_secs(30);

pub(super) fn read(reply: &Response, now: Timestamp) -> Assessment {
    let (code, message) = lenient::read(&reply.body, &[], |body| {
        let error = body.at("error");
        let message = error.text("message").or(body.text("message"));
        let code = error.owned(&["code"]).or(body.owned(&["code"]));
        (code, shorten(message.unwrap_or_default()))
    });
    let words = shorten(&String::from_utf8_lossy(&reply.body));
    let name = format!("Teams {}", reply.status);
    let code = code.unwrap_or_default();
    let explained = |advice: &str| said(&[&name, &code, &message, advice]);
    let throttled = |why: String| {
        let asked = retry_after(reply, now).map(|at| at.since(now));
        Verdict::rate_limited(why, asked.unwrap_or(SLOW_DOWN))
    };
    let verdict = match (reply.status, code.as_str()) {
        // An old connector reports an error of Teams's in the words of a success.
        (200..300, _) if words.contains("HTTP error 429") => {
            return throttled(said(&[&name, "too many messages"]));
        }
        (200..300, _) if words.contains("delivery failed") => {
            Verdict::retryable(said(&[&name, &words]))
        }
        (200..300, _) if is_page(reply) => Verdict::retryable(
            "an HTML page came in the place of Teams's answer: is the URL right, or does this network want a login?",
        ),
        (200..300, _) => Verdict::ACCEPTED,
        (429, _) => return throttled(explained("too many messages")),
        (_, "WorkflowTriggerIsNotEnabled" | "WorkflowNotFound") | (404 | 410, _) => {
            Verdict::needs_operator(explained(
                "the workflow was switched off or removed: switch it on, or make a new one and change the URL",
            ))
        }
        (401 | 403, _) | (_, "MissingApiVersionParameter") => Verdict::needs_operator(explained(
            "copy the workflow's URL again, the whole of it; anyone must be allowed to trigger it",
        )),
        (_, "TriggerInputSchemaMismatch") => Verdict::needs_operator(explained(
            "the workflow takes other messages: make it of the template that posts to a channel when a webhook request is received",
        )),
        (400 | 413, _) => Verdict::rejected(explained("Teams does not take this message")),
        _ => return of_chat(Chat::Teams, reply, now).or_rate_limited(reply, SLOW_DOWN),
    };
    verdict.into()
}
