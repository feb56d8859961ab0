//! The payloads of GitLab's project and group hooks. Its system hooks and rare events are in `gitlab_rare`.

use serde::Deserialize;

use super::details::PushedCommit;
use super::reading::Reading;
use super::words::{ended, is_zero, past};
use super::{Activity, Details, Push, Tone, gitlab_rare};
use crate::model::lenient::{Flag, List, Object, Text, read_marked};

#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct Payload<R: Reading> {
    action: Text,
    #[serde(rename = "ref")]
    reference: Text,
    before: Text,
    after: Text,
    commits: List<R::Detail<PushedCommit>>,
    total_commits_count: Text,
    tag: Text,
    build_id: R::Detail<Text>,
    build_name: Text,
    build_status: Text,
    environment: Text,
    deployable_url: R::Detail<Text>,
    status: Text,
    user_username: Text,
    user_name: Text,
    user: Object<User>,
    project: Object<Project<R>>,
    /// System hooks have it at the top level.
    path_with_namespace: Text,
    object_attributes: Object<Attributes<R>>,
    issue: Object<Subject>,
    merge_request: Object<Subject>,
    commit: Object<NotedCommit>,
    snippet: Object<Subject>,
    labels: R::Detail<List<Label>>,
    assignees: R::Detail<List<User>>,
    /// The name of a release.
    name: R::Detail<Text>,
    url: R::Detail<Text>,
    description: R::Detail<Text>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    username: Text,
    name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Label {
    title: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct Project<R: Reading> {
    path_with_namespace: Text,
    web_url: R::Detail<Text>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct Attributes<R: Reading> {
    id: Text,
    iid: Text,
    title: Text,
    action: Text,
    /// The kind of an issue: `Issue`, `Task`, `Incident`.
    #[serde(rename = "type")]
    kind: Text,
    confidential: Flag,
    source_branch: R::Detail<Text>,
    target_branch: Text,
    #[serde(rename = "ref")]
    reference: Text,
    status: Text,
    url: R::Detail<Text>,
    description: R::Detail<Text>,
    /// The text of a comment.
    note: R::Detail<Text>,
}

/// The issue or merge request that a note is on.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Subject {
    iid: Text,
    title: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NotedCommit {
    id: Text,
}

pub(super) fn read<R: Reading>(event_type: &str, json: &[u8]) -> (Activity, bool) {
    let (payload, is_json): (Payload<R>, bool) = read_marked(json);
    (activity(event_type, payload, json), is_json)
}

fn activity<R: Reading>(event_type: &str, mut payload: Payload<R>, json: &[u8]) -> Activity {
    let project = payload.project.0.take().unwrap_or_default();
    let repository = project.path_with_namespace.0;
    let repository = repository.or_else(|| payload.path_with_namespace.0.take());
    let user = payload.user.0.take().unwrap_or_default();
    let actor = [
        payload.user_username.0.take(),
        user.username.0,
        payload.user_name.0.take(),
        user.name.0,
    ];
    let mut activity = Activity {
        actor: actor.into_iter().flatten().next(),
        repository,
        details: Details {
            repository_url: R::open(project.web_url).0,
            ..Details::default()
        },
        ..Activity::default()
    };
    describe(event_type, payload, json, &mut activity);
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

fn numbered(what: &str, sign: char, number: Option<&String>) -> String {
    match number {
        Some(number) => format!("{what} {sign}{number}"),
        None => what.to_owned(),
    }
}

fn describe<R: Reading>(
    event_type: &str,
    mut payload: Payload<R>,
    json: &[u8],
    activity: &mut Activity,
) {
    let mut about = payload.object_attributes.0.take().unwrap_or_default();
    let action = about.action.0.clone();
    let action = action.as_deref().unwrap_or("update");
    let page = |activity: &Activity, rest: &str, id: Option<String>| {
        let project = activity.details.repository_url.as_ref()?;
        Some(format!("{project}/-/{rest}/{}", id?))
    };
    match event_type {
        "push" | "tag_push" => push(activity, payload),
        "issue" | "work_item" | "confidential_issue" | "confidential_work_item" => {
            let noun = about.kind.0.take().unwrap_or_else(|| "issue".to_owned());
            let noun = noun.to_lowercase();
            let is_confidential = about.confidential.0 || event_type.starts_with("confidential_");
            let noun = match is_confidential {
                true => format!("confidential {noun}"),
                false => noun,
            };
            let what = numbered(&noun, '#', about.iid.0.as_ref());
            by_person(activity, format!("{} {what}", past(action)), action);
            subject(activity, action, about, payload);
        }
        "merge_request" => {
            let what = numbered("merge request", '!', about.iid.0.as_ref());
            by_person(activity, format!("{} {what}", past(action)), action);
            if action == "close" {
                activity.details.tone = Tone::Bad;
            }
            subject(activity, action, about, payload);
        }
        "note" | "confidential_note" => note(activity, event_type, about, payload),
        "pipeline" => {
            let what = numbered("pipeline", '#', about.id.0.as_ref());
            activity.branch = about.reference.0;
            let url = R::open(about.url).0;
            let url = url.or_else(|| page(activity, "pipelines", about.id.0));
            by_machine(activity, &what, about.status.0.as_deref(), url);
        }
        "job" | "build" => {
            let name = payload.build_name.0.unwrap_or_default();
            activity.branch = payload.reference.0;
            let url = page(activity, "jobs", R::open(payload.build_id).0);
            let status = payload.build_status.0.as_deref();
            by_machine(activity, &format!("job {name}"), status, url);
        }
        "deployment" => {
            let place = payload.environment.0.unwrap_or_default();
            activity.branch = payload.reference.0;
            let url = R::open(payload.deployable_url).0;
            let status = payload.status.0.as_deref();
            by_machine(activity, &format!("deployment to {place}"), status, url);
        }
        "release" => {
            let action = payload.action.0.as_deref().unwrap_or("create");
            let tag = payload.tag.0;
            let deed = format!(
                "{} release {}",
                past(action),
                tag.as_deref().unwrap_or_default()
            );
            by_person(activity, deed.trim_end().to_owned(), action);
            let details = &mut activity.details;
            details.url = R::open(payload.url).0;
            details.text = R::open(payload.description).0;
            let name = R::open(payload.name)
                .0
                .filter(|name| Some(name) != tag.as_ref());
            details.add("Name", [name]);
            activity.branch = tag;
        }
        "wiki_page" => {
            let title = about.title.0.unwrap_or_default();
            let deed = format!("{} wiki page {title}", past(action));
            by_person(activity, deed.trim_end().to_owned(), action);
            let is_there = action != "delete";
            activity.details.url = R::open(about.url).0.filter(|_| is_there);
        }
        other => gitlab_rare::describe(other, json, activity),
    }
}

fn push<R: Reading>(activity: &mut Activity, payload: Payload<R>) {
    let listed = payload.commits;
    let (before, after) = (payload.before.0.as_deref(), payload.after.0.as_deref());
    let push = Push {
        reference: payload.reference.0.as_deref(),
        before,
        after,
        commits: payload.total_commits_count.number().unwrap_or(listed.len),
        or_more: false,
        is_forced: false,
    };
    let details = &mut activity.details;
    (activity.deed, activity.branch, details.tone) = push.describe();
    let commits = listed.first.into_iter().map(|commit| R::open(commit));
    details.set_commits(commits, push.commits, false);
    if let (Some(project), Some(before), Some(after)) = (&details.repository_url, before, after)
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
fn subject<R: Reading>(
    activity: &mut Activity,
    action: &str,
    about: Attributes<R>,
    payload: Payload<R>,
) {
    let details = &mut activity.details;
    details.url = R::open(about.url).0;
    if action == "open" {
        details.text = R::open(about.description).0;
    }
    let source = R::open(about.source_branch).0;
    if let (Some(source), Some(target)) = (source, &about.target_branch.0) {
        details.add("Branches", [Some(format!("{source} → {target}"))]);
    }
    let labels = R::open(payload.labels);
    let names = labels.first.into_iter().map(|label| label.title.0);
    details.add_list("Labels", names, labels.len);
    let assignees = R::open(payload.assignees).first.into_iter();
    details.add(
        "Assignee",
        assignees.map(|user| user.username.0.or(user.name.0)),
    );
    activity.title = about.title.0;
    activity.branch = about.target_branch.0;
}

fn note<R: Reading>(
    activity: &mut Activity,
    event_type: &str,
    about: Attributes<R>,
    payload: Payload<R>,
) {
    let (what, title) = match (payload.merge_request.0, payload.issue.0) {
        (Some(on), _) => (
            numbered("merge request", '!', on.iid.0.as_ref()),
            on.title.0,
        ),
        (None, Some(on)) => (numbered("issue", '#', on.iid.0.as_ref()), on.title.0),
        (None, None) => match (payload.commit.0, payload.snippet.0) {
            (Some(commit), _) => {
                let id: String = commit.id.0.unwrap_or_default().chars().take(8).collect();
                (format!("commit {id}"), None)
            }
            (None, Some(snippet)) => ("a snippet".to_owned(), snippet.title.0),
            (None, None) => ("something".to_owned(), None),
        },
    };
    let noun = match event_type {
        "confidential_note" => "wrote a confidential comment on",
        _ if about.action.0.as_deref() == Some("update") => "edited a comment on",
        _ => "commented on",
    };
    activity.deed = format!("{noun} {what}");
    activity.title = title;
    activity.details.url = R::open(about.url).0;
    activity.details.text = R::open(about.note).0;
}
