//! Wording: short names of branches, actions in the past tense, how runs ended.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::details::Tone;

/// Maximum length of the name of a branch or tag, in bytes: file systems under git servers allow no
/// longer ones.
const BRANCH_BYTES_MAX: usize = 255;

/// The kind and short name of a reference: `refs/heads/main` is the branch `main`. Producers send
/// both forms, not always as their documentation says.
pub(super) fn short(reference: &str) -> (&'static str, &str) {
    match reference.strip_prefix("refs/tags/") {
        Some(tag) => ("tag", tag),
        None => {
            let branch = reference.strip_prefix("refs/heads/");
            ("branch", branch.unwrap_or(reference))
        }
    }
}

/// Whether a text can be the name of a branch or tag (git allows no control characters in one).
pub(super) fn is_branch(name: &str) -> bool {
    (1..=BRANCH_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// Whether a commit id is all zeros: it stands for "no commit", before the first and after the
/// last.
pub(super) fn is_zero(commit: Option<&str>) -> bool {
    commit.is_some_and(|id| !id.is_empty() && id.bytes().all(|digit| digit == b'0'))
}

/// Whether a link to a comparison leads to a page. For a new branch it has an all-zero commit, and leads to
/// none.
pub(super) fn is_page(compare_url: &str) -> bool {
    !compare_url.contains("0000000")
}

/// The name of a branch or tag in the path of a URL. It may be several segments.
pub(super) fn path(name: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'/');
    utf8_percent_encode(name, KEPT).to_string()
}

/// How a run ended or is going, in words; an unknown status is used as it is.
pub(super) fn ended(status: &str) -> (String, Tone) {
    let (words, tone) = match status {
        "success" | "succeeded" | "SUCC" | "built" | "passed" => ("succeeded", Tone::Good),
        "failure" | "failed" | "error" | "errored" | "FAIL" | "startup_failure" => {
            ("failed", Tone::Bad)
        }
        "timed_out" => ("ran out of time", Tone::Bad),
        "action_required" => ("asks somebody to act", Tone::Bad),
        "canceled" | "cancelled" | "CANCEL" => ("was cancelled", Tone::Quiet),
        "canceling" => ("is being cancelled", Tone::Quiet),
        "skipped" | "SKIP" => ("was skipped", Tone::Quiet),
        "neutral" => ("ended", Tone::Quiet),
        "stale" => ("went stale", Tone::Quiet),
        "inactive" => ("is no longer active", Tone::Quiet),
        "warning" => ("ended with a warning", Tone::Plain),
        "running" | "in_progress" => ("began", Tone::Plain),
        "pending" => ("is pending", Tone::Quiet),
        "queued" | "requested" => ("is queued", Tone::Quiet),
        "waiting" | "waiting_for_resource" => ("waits", Tone::Quiet),
        "blocked" => ("is blocked", Tone::Quiet),
        "manual" => ("waits for somebody", Tone::Quiet),
        "scheduled" => ("is scheduled", Tone::Quiet),
        "created" | "preparing" => ("was created", Tone::Quiet),
        "rerequested" => ("was asked for again", Tone::Quiet),
        other => return (spaced(other), Tone::Plain),
    };
    (words.to_owned(), tone)
}

/// A producer's action, in words and in the past tense.
pub(super) fn past(action: &str) -> String {
    let known = match action {
        "open" => "opened",
        "close" => "closed",
        "reopen" => "reopened",
        "update" | "synchronize" | "synchronized" => "updated",
        "merge" => "merged",
        "create" => "created",
        "delete" | "destroy" => "deleted",
        "assign" => "assigned",
        "test" => "tested",
        "comment" => "commented on",
        "award" => "awarded",
        "revoke" => "took back",
        "label_updated" | "labeled" | "update_label" => "changed the labels of",
        "label_cleared" | "unlabeled" => "removed labels of",
        "milestoned" => "set the milestone of",
        "demilestoned" => "cleared the milestone of",
        "review_requested" => "asked for a review of",
        "review_request_removed" => "took back a request for a review of",
        "approval" | "approved" => "approved",
        "unapproval" | "unapproved" => "took back the approval of",
        "prereleased" | "released" => "published",
        "typed" => "set the type of",
        "untyped" => "cleared the type of",
        "answered" => "chose an answer to",
        "unanswered" => "took back the answer to",
        "category_changed" => "changed the category of",
        "dismiss" | "auto_dismissed" => "dismissed",
        "resolve" => "resolved",
        "closed_by_user" => "closed",
        "appeared_in_branch" => "found again",
        "auto_reopened" | "reopened_by_user" => "reopened",
        "reintroduced" => "reintroduced",
        "suspend" => "suspended",
        "unsuspend" => "unsuspended",
        "response_submitted" => "answered",
        "request_created" => "made",
        "request_cancelled" => "withdrew",
        "approve" => "approved",
        "deny" => "denied",
        "enqueue" => "asked for",
        "new_permissions_accepted" => "accepted new permissions of",
        other => return spaced(other),
    };
    known.to_owned()
}

/// A phrase for an action on a thing, for actions that do not simply stand before the thing.
pub(super) fn done(action: &str, what: &str) -> String {
    match action {
        "ready_for_review" => format!("marked {what} as ready for review"),
        "converted_to_draft" => format!("made {what} a draft"),
        "auto_merge_enabled" => format!("set {what} to be merged when it is ready"),
        "auto_merge_disabled" => format!("set {what} not to be merged by itself"),
        "enqueued" => format!("put {what} into the merge queue"),
        "dequeued" => format!("took {what} out of the merge queue"),
        "publicized" => format!("made {what} public"),
        "privatized" => format!("made {what} private"),
        "added_to_repository" => format!("gave {what} access"),
        "removed_from_repository" => format!("took access from {what}"),
        "publicly_leaked" => format!("found that {what} has leaked to the public"),
        "converted" => format!("converted {what} to an issue"),
        action => format!("{} {what}", past(action)),
    }
}

/// A producer's name with spaces between its words.
pub(super) fn spaced(name: &str) -> String {
    name.replace(['_', '-'], " ")
}
