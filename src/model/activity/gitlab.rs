//! The payloads of GitLab: project and group hooks; system hooks say little more than their name.

use serde::Deserialize;

use super::{Activity, Push, past};
use crate::model::lenient::{List, Nothing, Object, Text, read_marked};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    action: Text,
    #[serde(rename = "ref")]
    reference: Text,
    before: Text,
    after: Text,
    commits: List<Nothing>,
    total_commits_count: Text,
    tag: Text,
    build_name: Text,
    build_status: Text,
    environment: Text,
    status: Text,
    user_username: Text,
    user_name: Text,
    user: Object<User>,
    project: Object<Project>,
    /// System hooks have it on top.
    path_with_namespace: Text,
    object_attributes: Object<Attributes>,
    issue: Object<Subject>,
    merge_request: Object<Subject>,
    commit: Object<Commit>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    username: Text,
    name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Project {
    path_with_namespace: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attributes {
    id: Text,
    iid: Text,
    title: Text,
    action: Text,
    target_branch: Text,
    #[serde(rename = "ref")]
    reference: Text,
    status: Text,
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
struct Commit {
    id: Text,
}

pub(super) fn read(event_type: &str, json: &[u8]) -> (Activity, bool) {
    let (payload, is_json): (Payload, bool) = read_marked(json);
    (activity(event_type, payload), is_json)
}

fn activity(event_type: &str, mut payload: Payload) -> Activity {
    let project = payload.project.0.take();
    let repository = project.and_then(|project| project.path_with_namespace.0);
    let repository = repository.or_else(|| payload.path_with_namespace.0.take());
    let user = payload.user.0.take().unwrap_or_default();
    let actor = [
        payload.user_username.0.take(),
        user.username.0,
        payload.user_name.0.take(),
        user.name.0,
    ];
    let actor = actor.into_iter().flatten().next();
    let told = tell(event_type, payload);
    let of_machine = |actor| match actor {
        Some(actor) if told.is_of_machine => format!("{}, by {actor}", told.deed),
        _ => told.deed.clone(),
    };
    Activity {
        deed: of_machine(actor.as_ref()),
        actor: actor.filter(|_| !told.is_of_machine),
        repository,
        title: told.title,
        branch: told.branch,
    }
}

/// What happened, before it is said who did it.
struct Told {
    deed: String,
    title: Option<String>,
    branch: Option<String>,
    /// Whether a machine did it, on somebody's behalf.
    is_of_machine: bool,
}

impl Told {
    fn by_person(deed: String, title: Option<String>, branch: Option<String>) -> Told {
        Told {
            deed,
            title,
            branch,
            is_of_machine: false,
        }
    }

    fn by_machine(deed: String, branch: Option<String>) -> Told {
        Told {
            deed,
            title: None,
            branch,
            is_of_machine: true,
        }
    }
}

fn tell(event_type: &str, payload: Payload) -> Told {
    let about = payload.object_attributes.0.unwrap_or_default();
    let numbered = |what: &str, sign: char, number: Option<&String>| match number {
        Some(number) => format!("{what} {sign}{number}"),
        None => what.to_owned(),
    };
    match event_type {
        "push" | "tag_push" => {
            let total = payload.total_commits_count.number();
            let push = Push {
                reference: payload.reference.0.as_deref(),
                before: payload.before.0.as_deref(),
                after: payload.after.0.as_deref(),
                commits: total.unwrap_or(payload.commits.len),
                or_more: false,
            };
            let (deed, branch) = push.told();
            Told::by_person(deed, None, branch)
        }
        "issue" | "work_item" => {
            let verb = past(about.action.0.as_deref().unwrap_or("update"));
            let what = numbered("issue", '#', about.iid.0.as_ref());
            Told::by_person(format!("{verb} {what}"), about.title.0, None)
        }
        "merge_request" => {
            let verb = past(about.action.0.as_deref().unwrap_or("update"));
            let what = numbered("merge request", '!', about.iid.0.as_ref());
            Told::by_person(
                format!("{verb} {what}"),
                about.title.0,
                about.target_branch.0,
            )
        }
        "note" => {
            let (what, subject) = match (payload.merge_request.0, payload.issue.0) {
                (Some(on), _) => (numbered("merge request", '!', on.iid.0.as_ref()), on),
                (None, Some(on)) => (numbered("issue", '#', on.iid.0.as_ref()), on),
                (None, None) => {
                    let commit = payload.commit.0.and_then(|commit| commit.id.0);
                    let short = commit.map_or_else(
                        || "something".to_owned(),
                        |id| format!("commit {}", id.chars().take(8).collect::<String>()),
                    );
                    (short, Subject::default())
                }
            };
            Told::by_person(format!("commented on {what}"), subject.title.0, None)
        }
        "pipeline" => {
            let what = numbered("pipeline", '#', about.id.0.as_ref());
            let status = about.status.0.as_deref().unwrap_or("changed");
            Told::by_machine(format!("{what} {status}"), about.reference.0)
        }
        "job" | "build" => {
            let name = payload.build_name.0.unwrap_or_default();
            let status = payload.build_status.0.as_deref().unwrap_or("changed");
            Told::by_machine(format!("job {name} {status}"), payload.reference.0)
        }
        "deployment" => {
            let status = payload.status.0.as_deref().unwrap_or("changed");
            let place = payload.environment.0.unwrap_or_default();
            let deed = format!("deployment to {place} {status}");
            Told::by_machine(deed, payload.reference.0)
        }
        "release" => {
            let verb = past(payload.action.0.as_deref().unwrap_or("create"));
            let tag = payload.tag.0;
            let deed = format!("{verb} release {}", tag.as_deref().unwrap_or_default());
            Told::by_person(deed.trim_end().to_owned(), None, tag)
        }
        "wiki_page" => {
            let verb = past(about.action.0.as_deref().unwrap_or("update"));
            Told::by_person(format!("{verb} a wiki page"), about.title.0, None)
        }
        other => Told::by_machine(other.replace('_', " "), None),
    }
}
