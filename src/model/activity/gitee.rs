//! The payloads of Gitee: repositories, enterprises, pipelines, and the form hooks from before
//! 2019, which have fewer fields and put them under `push_data`.

use super::words::{ended, is_page, is_zero, past, path, short, spaced};
use super::{Activity, Details, Named, Push, Tone};
use crate::model::lenient::{self, Tree};

/// `full_name` is a display name, according to Gitee's documentation; the other is always a path.
fn repository(tree: Tree<'_>) -> Named {
    let name = tree.owned(&["path_with_namespace", "full_name", "name"]);
    (name, tree.owned(&["html_url", "url"]))
}

fn person(tree: Tree<'_>) -> Named {
    let name = tree.owned(&["login", "user_name", "name"]);
    (name, tree.owned(&["html_url", "url"]))
}

pub(super) fn describe(event_type: &str, json: Tree<'_>) -> Activity {
    if json.has_object("job") && event_type.starts_with("pipeline") {
        return ran(json.at("job"), json.items("sources"));
    }
    let json = json.object(&["push_data"]).unwrap_or(json);
    let actor = json.object(&["sender", "author"]).map(person);
    let (actor, actor_url) = actor.unwrap_or_default();
    let repository = json.object(&["project", "repository"]).map(repository);
    let (repository, repository_url) = repository.unwrap_or_default();
    let mut activity = Activity {
        actor: actor.or_else(|| json.owned(&["user_name"])),
        repository,
        title: json.owned(&["title"]),
        details: Details {
            actor_url,
            repository_url,
            // The page of the issue, merge request or comment.
            url: json.owned(&["url"]),
            ..Details::default()
        },
        ..Activity::default()
    };
    match event_type {
        "push" | "tag_push" => push(&mut activity, json),
        "merge_request" => merge_request(&mut activity, json),
        "issue" => issue(&mut activity, json),
        "note" => note(&mut activity, json),
        other => activity.deed = spaced(other),
    }
    activity
}

fn push(activity: &mut Activity, json: Tree<'_>) {
    let push = Push::read(json, "total_commits_count");
    let is_new = is_zero(push.before);
    let details = &mut activity.details;
    (activity.deed, activity.branch, details.tone) = push.describe();
    details.set_commits(json, push.commits, false);
    let compared = json.owned(&["compare"]).filter(|url| is_page(url));
    let tree = match (&details.repository_url, &activity.branch) {
        (Some(repository), Some(name)) if is_new => {
            Some(format!("{repository}/tree/{}", path(name)))
        }
        _ => None,
    };
    details.url = tree.or(compared).or_else(|| details.first_commit_url());
}

fn merge_request(activity: &mut Activity, json: Tree<'_>) {
    let action = match (json.text("action"), json.text("action_desc")) {
        (None | Some("update"), Some("update_label")) => "update_label",
        (action, _) => action.unwrap_or("update"),
    };
    let number = json.first(&["iid", "number"]);
    let number = number.map_or_else(String::new, |number| format!(" !{number}"));
    activity.deed = format!("{} merge request{number}", past(action));
    let details = &mut activity.details;
    details.tone = match action {
        "close" => Tone::Bad,
        action => Tone::of_action(action),
    };
    if action == "open" {
        details.text = json.owned(&["body"]);
    }
    let target = json.text("target_branch");
    details.add_branches(json.text("source_branch"), target);
    subject(details, json.at("pull_request"));
    activity.branch = target.map(str::to_owned);
}

fn issue(activity: &mut Activity, json: Tree<'_>) {
    let issue = match json.text("iid") {
        Some(number) => format!("issue #{number}"),
        None => "an issue".to_owned(),
    };
    let action = json.text("action").unwrap_or("update");
    let details = &mut activity.details;
    (activity.deed, details.tone) = match (action, json.text("state")) {
        ("state_change", Some(state)) => {
            let tone = match state {
                "closed" | "rejected" => Tone::Done,
                _ => Tone::Plain,
            };
            (format!("changed {issue} to {state}"), tone)
        }
        (action, _) => (format!("{} {issue}", past(action)), Tone::of_action(action)),
    };
    if action == "open" {
        details.text = json.owned(&["description"]);
    }
    subject(details, json.at("issue"));
}

fn note(activity: &mut Activity, json: Tree<'_>) {
    let verb = past(json.text("action").unwrap_or("comment"));
    let of_commit = json.text("noteable_type") == Some("Commit");
    // Older and newer hooks have it in different places.
    let numbered = |sign: char, path: &str| json.text(path).map(|n| format!("{sign}{n}"));
    let number = json.owned(&["per_iid"]).filter(|number| number.len() > 1);
    let number = number
        .or_else(|| numbered('!', "pull_request.number"))
        .or_else(|| numbered('#', "issue.number"));
    activity.deed = match (&number, json.text("short_commit_id")) {
        (_, Some(commit)) if of_commit => format!("{verb} commit {commit}"),
        (Some(number), _) if number.starts_with('!') => format!("{verb} merge request {number}"),
        (Some(number), _) if number.starts_with('#') => format!("{verb} issue {number}"),
        (Some(number), _) => format!("{verb} {number}"),
        _ => format!("{verb} something"),
    };
    activity.title = json.owned(&["title", "pull_request.title", "issue.title"]);
    let details = &mut activity.details;
    details.text = json.owned(&["comment.body", "note"]);
    details.url = json.owned(&["comment.html_url", "url"]);
}

/// Adds what is known of the issue or the merge request itself.
fn subject(details: &mut Details, subject: Tree<'_>) {
    details.url = subject.owned(&["html_url"]).or(details.url.take());
    details.add_list("Labels", subject, "labels", &["name"]);
    details.add(
        "Assignee",
        subject.owned(&["assignee.login", "assignee.name"]),
    );
    details.add("Milestone", subject.owned(&["milestone.title"]));
}

/// A job of a pipeline ended. The name of the status is in the reader's language, so the code is
/// used.
fn ran<'a>(job: Tree<'_>, triggers: impl Iterator<Item = Tree<'a>>) -> Activity {
    let mut deed = "pipeline".to_owned();
    let (name, number) = (job.text("pipelineName"), job.text("buildNumber"));
    if let Some(name) = name {
        deed = format!("{deed} {name}");
    }
    if let Some(number) = number {
        deed = format!("{deed} #{number}");
    }
    let (words, tone) = match job.text("statusCode") {
        Some(status @ ("SUCC" | "FAIL" | "CANCEL" | "SKIP")) => ended(status),
        _ => ("changed".to_owned(), Tone::Plain),
    };
    deed = format!("{deed} {words}");
    let mut repository = None;
    let mut branch: Option<String> = None;
    for trigger in triggers {
        // For a pipeline that another pipeline started: a text that contains JSON.
        let up = trigger.text("upParams").unwrap_or_default();
        let up = lenient::read(up.as_bytes(), &[], |up| {
            ["GITEE_REPO", "GITEE_BRANCH"].map(|name| up.owned(&[name]))
        });
        let [up_repository, up_branch] = up;
        repository = repository
            .or(trigger.owned(&["repoPath"]))
            .or(up_repository);
        branch = branch.or(trigger.owned(&["branch"])).or(up_branch);
    }
    let branch = branch.map(|name| short(&name).1.to_owned());
    if let Some(branch) = &branch {
        deed = format!("{deed} on {branch}");
    }
    let place: Vec<&str> = ["stageName", "jobName"]
        .into_iter()
        .filter_map(|name| job.text(name))
        .collect();
    if !place.is_empty() {
        deed = format!("{deed} at {}", place.join(" / "));
    }
    Activity {
        actor: None,
        repository,
        deed,
        title: None,
        branch,
        stands_alone: name.or(number).is_some(),
        details: Details {
            tone,
            url: job.owned(&["pipelineUrl"]),
            ..Details::default()
        },
    }
}
