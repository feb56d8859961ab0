//! The payloads of Gitee: repositories and enterprises, pipelines, and the form hooks of before
//! 2019, which say less and say it under `push_data`.

use serde::Deserialize;

use super::{Activity, Push, past};
use crate::model::lenient::{self, List, Nothing, Object, Text, read_marked};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    /// The form hooks of before 2019 have all the rest in here.
    push_data: Object<Box<Payload>>,
    #[serde(rename = "ref")]
    reference: Text,
    before: Text,
    after: Text,
    commits: List<Nothing>,
    total_commits_count: Text,
    user_name: Text,
    action: Text,
    action_desc: Text,
    iid: Text,
    number: Text,
    title: Text,
    state: Text,
    target_branch: Text,
    noteable_type: Text,
    per_iid: Text,
    short_commit_id: Text,
    project: Object<Repository>,
    repository: Object<Repository>,
    sender: Object<User>,
    author: Object<User>,
    job: Object<Job>,
    sources: List<Trigger>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Repository {
    /// A path always; `full_name` is a display name in the vendor's pages.
    path_with_namespace: Text,
    full_name: Text,
    name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    login: Text,
    user_name: Text,
    name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Job {
    pipeline_name: Text,
    build_number: Text,
    stage_name: Text,
    job_name: Text,
    status_code: Text,
}

/// What set a pipeline off.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Trigger {
    repo_path: Text,
    branch: Text,
    /// Of a pipeline that another one set off: a text that holds JSON.
    up_params: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "SCREAMING_SNAKE_CASE")]
struct UpParams {
    gitee_repo: Text,
    gitee_branch: Text,
}

impl Repository {
    fn shown(self) -> Option<String> {
        self.path_with_namespace
            .0
            .or(self.full_name.0)
            .or(self.name.0)
    }
}

impl User {
    fn shown(self) -> Option<String> {
        self.login.0.or(self.user_name.0).or(self.name.0)
    }
}

pub(super) fn read(event_type: &str, json: &[u8]) -> (Activity, bool) {
    let (payload, is_json): (Payload, bool) = read_marked(json);
    (activity(event_type, payload), is_json)
}

fn activity(event_type: &str, mut payload: Payload) -> Activity {
    if let Some(job) = payload.job.0.take()
        && event_type.starts_with("pipeline")
    {
        return ran(job, payload.sources);
    }
    if let Some(data) = payload.push_data.0.take() {
        payload = *data;
    }
    let actor = payload.sender.0.take().or_else(|| payload.author.0.take());
    let actor = actor
        .and_then(User::shown)
        .or_else(|| payload.user_name.0.take());
    let (deed, branch) = match event_type {
        "push" | "tag_push" => pushed(&payload),
        "merge_request" => {
            let verb = match (
                payload.action.0.as_deref(),
                payload.action_desc.0.as_deref(),
            ) {
                (Some("update"), Some("update_label")) => past("update_label"),
                (action, _) => past(action.unwrap_or("update")),
            };
            let number = payload.iid.0.as_ref().or(payload.number.0.as_ref());
            let number = number.map_or_else(String::new, |number| format!(" !{number}"));
            let deed = format!("{verb} merge request{number}");
            (deed, payload.target_branch.0.take())
        }
        "issue" => (issue(&payload), None),
        "note" => (noted(&payload), None),
        other => (other.replace('_', " "), None),
    };
    let repository = payload
        .project
        .0
        .take()
        .or_else(|| payload.repository.0.take());
    Activity {
        actor,
        deed,
        repository: repository.and_then(Repository::shown),
        title: payload.title.0,
        branch,
    }
}

fn pushed(payload: &Payload) -> (String, Option<String>) {
    let push = Push {
        reference: payload.reference.0.as_deref(),
        before: payload.before.0.as_deref(),
        after: payload.after.0.as_deref(),
        commits: payload
            .total_commits_count
            .number()
            .unwrap_or(payload.commits.len),
        or_more: false,
    };
    push.told()
}

fn issue(payload: &Payload) -> String {
    let issue = match &payload.iid.0 {
        Some(number) => format!("issue #{number}"),
        None => "an issue".to_owned(),
    };
    match (payload.action.0.as_deref(), &payload.state.0) {
        (Some("state_change"), Some(state)) => format!("changed {issue} to {state}"),
        (action, _) => format!("{} {issue}", past(action.unwrap_or("update"))),
    }
}

fn noted(payload: &Payload) -> String {
    let verb = past(payload.action.0.as_deref().unwrap_or("comment"));
    let of_commit = payload.noteable_type.0.as_deref() == Some("Commit");
    match (&payload.per_iid.0, &payload.short_commit_id.0) {
        (_, Some(commit)) if of_commit => format!("{verb} commit {commit}"),
        (Some(number), _) => format!("{verb} {number}"),
        _ => format!("{verb} something"),
    }
}

/// A job of a pipeline came to an end. The status' own name is in the reader's language, so the
/// code is told.
fn ran(job: Job, triggers: List<Trigger>) -> Activity {
    let mut deed = "pipeline".to_owned();
    if let Some(name) = &job.pipeline_name.0 {
        deed = format!("{deed} {name}");
    }
    if let Some(number) = &job.build_number.0 {
        deed = format!("{deed} #{number}");
    }
    let ended = match job.status_code.0.as_deref() {
        Some("SUCC") => "succeeded",
        Some("FAIL") => "failed",
        Some("CANCEL") => "was cancelled",
        Some("SKIP") => "was skipped",
        _ => "changed",
    };
    deed = format!("{deed} {ended}");
    let place: Vec<String> = [job.stage_name.0, job.job_name.0]
        .into_iter()
        .flatten()
        .collect();
    if !place.is_empty() {
        deed = format!("{deed} at {}", place.join(" / "));
    }
    let mut repository = None;
    let mut branch = None;
    for trigger in triggers.first {
        let up: UpParams = trigger
            .up_params
            .0
            .map(|text| lenient::read(text.as_bytes()))
            .unwrap_or_default();
        repository = repository.or(trigger.repo_path.0).or(up.gitee_repo.0);
        branch = branch.or(trigger.branch.0).or(up.gitee_branch.0);
    }
    Activity {
        actor: None,
        repository,
        deed,
        title: None,
        branch,
    }
}
