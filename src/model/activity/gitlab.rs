//! The payloads of GitLab's project and group hooks. Its system hooks and rare events are in `gitlab_rare`.

use super::words::{ended, is_zero, past};
use super::{Activity, Details, Push, Tone, gitlab_rare};
use crate::model::lenient::Tree;

pub(super) fn describe(event_type: &str, json: Tree<'_>) -> Activity {
    let actor = ["user_username", "user.username", "user_name", "user.name"];
    let mut activity = Activity {
        actor: json.owned(&actor),
        // System hooks have it at the top level.
        repository: json.owned(&["project.path_with_namespace", "path_with_namespace"]),
        details: Details {
            repository_url: json.owned(&["project.web_url"]),
            ..Details::default()
        },
        ..Activity::default()
    };
    describe_into(event_type, json, &mut activity);
    activity
}

/// A person did something.
fn by_person(activity: &mut Activity, deed: String, action: &str) {
    activity.deed = deed;
    activity.details.tone = Tone::of_action(action);
}

/// A pipeline or job did something, on behalf of a person.
fn by_machine(activity: &mut Activity, what: &str, status: Option<&str>, page: Option<String>) {
    let (words, tone) = ended(status.unwrap_or("changed"));
    activity.deed = match &activity.branch {
        Some(branch) => format!("{what} {words} on {branch}"),
        None => format!("{what} {words}"),
    };
    activity.name_person_last();
    activity.details.tone = tone;
    activity.details.url = page;
}

fn numbered(what: &str, sign: char, number: Option<&str>) -> String {
    match number {
        Some(number) => format!("{what} {sign}{number}"),
        None => what.to_owned(),
    }
}

fn describe_into(event_type: &str, json: Tree<'_>, activity: &mut Activity) {
    let about = json.at("object_attributes");
    let action = about.text("action").unwrap_or("update");
    let branch = json.owned(&["ref"]);
    let page = |activity: &Activity, rest: &str, id: Option<&str>| {
        let project = activity.details.repository_url.as_ref()?;
        Some(format!("{project}/-/{rest}/{}", id?))
    };
    match event_type {
        "push" | "tag_push" => push(activity, json),
        "issue" | "work_item" | "confidential_issue" | "confidential_work_item" => {
            // The kind of an issue: `Issue`, `Task`, `Incident`.
            let noun = about.text("type").unwrap_or("issue").to_lowercase();
            let is_confidential =
                about.is_true("confidential") || event_type.starts_with("confidential_");
            let noun = match is_confidential {
                true => format!("confidential {noun}"),
                false => noun,
            };
            let what = numbered(&noun, '#', about.text("iid"));
            by_person(activity, format!("{} {what}", past(action)), action);
            subject(activity, action, json);
        }
        "merge_request" => {
            let what = numbered("merge request", '!', about.text("iid"));
            by_person(activity, format!("{} {what}", past(action)), action);
            if action == "close" {
                activity.details.tone = Tone::Bad;
            }
            subject(activity, action, json);
        }
        "note" | "confidential_note" => note(activity, event_type, json),
        "pipeline" => {
            let id = about.text("id");
            let what = numbered("pipeline", '#', id);
            activity.branch = about.owned(&["ref"]);
            let url = about.owned(&["url"]);
            let url = url.or_else(|| page(activity, "pipelines", id));
            by_machine(activity, &what, about.text("status"), url);
        }
        "job" | "build" => {
            let name = json.text("build_name").unwrap_or_default();
            activity.branch = branch;
            let url = page(activity, "jobs", json.text("build_id"));
            let status = json.text("build_status");
            by_machine(activity, &format!("job {name}"), status, url);
        }
        "deployment" => {
            let place = json.text("environment").unwrap_or_default();
            activity.branch = branch;
            let url = json.owned(&["deployable_url"]);
            let what = format!("deployment to {place}");
            by_machine(activity, &what, json.text("status"), url);
        }
        "release" => {
            let action = json.text("action").unwrap_or("create");
            let tag = json.text("tag");
            let deed = format!("{} release {}", past(action), tag.unwrap_or_default());
            by_person(activity, deed.trim_end().to_owned(), action);
            let details = &mut activity.details;
            details.url = json.owned(&["url"]);
            details.text = json.owned(&["description"]);
            let name = json.text("name").filter(|name| Some(*name) != tag);
            details.add("Name", name.map(str::to_owned));
            activity.branch = tag.map(str::to_owned);
        }
        "wiki_page" => {
            let title = about.text("title").unwrap_or_default();
            let deed = format!("{} wiki page {title}", past(action));
            by_person(activity, deed.trim_end().to_owned(), action);
            let is_there = action != "delete";
            activity.details.url = about.owned(&["url"]).filter(|_| is_there);
        }
        other => gitlab_rare::describe(other, json, activity),
    }
}

fn push(activity: &mut Activity, json: Tree<'_>) {
    let push = Push::read(json, "total_commits_count");
    let details = &mut activity.details;
    (activity.deed, activity.branch, details.tone) = push.describe();
    details.set_commits(json, push.commits, false);
    if let (Some(project), Some(before), Some(after)) =
        (&details.repository_url, push.before, push.after)
        && !is_zero(Some(after))
    {
        details.url = Some(if is_zero(Some(before)) {
            format!("{project}/-/commits/{after}")
        } else {
            format!("{project}/-/compare/{before}...{after}")
        });
    }
}

/// An issue or a merge request.
fn subject(activity: &mut Activity, action: &str, json: Tree<'_>) {
    let about = json.at("object_attributes");
    let details = &mut activity.details;
    details.url = about.owned(&["url"]);
    if action == "open" {
        details.text = about.owned(&["description"]);
    }
    let target = about.text("target_branch");
    details.add_branches(about.text("source_branch"), target);
    details.add_list("Labels", json, "labels", &["title"]);
    details.add_list("Assignee", json, "assignees", &["username", "name"]);
    activity.title = about.owned(&["title"]);
    activity.branch = target.map(str::to_owned);
}

fn note(activity: &mut Activity, event_type: &str, json: Tree<'_>) {
    let kinds = ["merge_request", "issue", "commit", "snippet"];
    let kind = kinds.into_iter().find(|kind| json.has_object(kind));
    let on = json.at(kind.unwrap_or_default());
    let what = match kind {
        Some("merge_request") => numbered("merge request", '!', on.text("iid")),
        Some("issue") => numbered("issue", '#', on.text("iid")),
        Some("commit") => {
            let id: String = on.text("id").unwrap_or_default().chars().take(8).collect();
            format!("commit {id}")
        }
        Some(_) => "a snippet".to_owned(),
        None => "something".to_owned(),
    };
    let about = json.at("object_attributes");
    let noun = match event_type {
        "confidential_note" => "wrote a confidential comment on",
        _ if about.text("action") == Some("update") => "edited a comment on",
        _ => "commented on",
    };
    activity.deed = format!("{noun} {what}");
    activity.title = on.owned(&["title"]).filter(|_| kind != Some("commit"));
    activity.details.url = about.owned(&["url"]);
    activity.details.text = about.owned(&["note"]);
}
