//! The payloads of Gitee: repositories, enterprises, pipelines, and the form hooks from before
//! 2019, which have fewer fields and put them under `push_data`.

use serde::Deserialize;

use super::details::PushedCommit;
use super::reading::Reading;
use super::words::{ended, is_zero, past, path, short, spaced};
use super::{Activity, Details, Push, Tone};
use crate::model::lenient::{self, List, Object, Text, read_marked};

#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct Payload<R: Reading> {
    /// The form hooks from before 2019 have all other fields in here.
    push_data: Object<Box<Payload<R>>>,
    #[serde(rename = "ref")]
    reference: Text,
    before: Text,
    after: Text,
    commits: List<R::Detail<PushedCommit>>,
    total_commits_count: Text,
    compare: R::Detail<Text>,
    user_name: Text,
    action: Text,
    action_desc: Text,
    iid: Text,
    number: Text,
    title: Text,
    state: Text,
    source_branch: R::Detail<Text>,
    target_branch: Text,
    noteable_type: Text,
    per_iid: Text,
    short_commit_id: Text,
    /// The page of the issue, merge request or comment.
    url: R::Detail<Text>,
    /// The text of a merge request.
    body: R::Detail<Text>,
    /// The text of an issue.
    description: R::Detail<Text>,
    /// The text of a comment.
    note: R::Detail<Text>,
    issue: Object<Subject<R>>,
    pull_request: Object<Subject<R>>,
    comment: R::Detail<Object<Comment>>,
    project: Object<Repository<R>>,
    repository: Object<Repository<R>>,
    sender: Object<User<R>>,
    author: Object<User<R>>,
    job: Object<Job>,
    sources: List<Trigger>,
}

/// An issue or a merge request.
#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct Subject<R: Reading> {
    number: Text,
    title: Text,
    html_url: R::Detail<Text>,
    labels: R::Detail<List<Label>>,
    assignee: R::Detail<Object<Assignee>>,
    milestone: R::Detail<Object<Milestone>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Label {
    name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Assignee {
    login: Text,
    name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Milestone {
    title: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Comment {
    html_url: Text,
    body: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct Repository<R: Reading> {
    /// Always a path; `full_name` is a display name, according to Gitee's documentation.
    path_with_namespace: Text,
    full_name: Text,
    name: Text,
    html_url: R::Detail<Text>,
    url: R::Detail<Text>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct User<R: Reading> {
    login: Text,
    user_name: Text,
    name: Text,
    html_url: R::Detail<Text>,
    url: R::Detail<Text>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Job {
    pipeline_name: Text,
    build_number: Text,
    stage_name: Text,
    job_name: Text,
    status_code: Text,
    pipeline_url: Text,
}

/// What started a pipeline.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Trigger {
    repo_path: Text,
    branch: Text,
    /// For a pipeline that another pipeline started: a text that contains JSON.
    up_params: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "SCREAMING_SNAKE_CASE")]
struct UpParams {
    gitee_repo: Text,
    gitee_branch: Text,
}

/// A name and its page.
type Named = (Option<String>, Option<String>);

impl<R: Reading> Repository<R> {
    fn shown(self) -> Named {
        let name = self
            .path_with_namespace
            .0
            .or(self.full_name.0)
            .or(self.name.0);
        (name, R::open(self.html_url).0.or(R::open(self.url).0))
    }
}

impl<R: Reading> User<R> {
    fn shown(self) -> Named {
        let name = self.login.0.or(self.user_name.0).or(self.name.0);
        (name, R::open(self.html_url).0.or(R::open(self.url).0))
    }
}

pub(super) fn read<R: Reading>(event_type: &str, json: &[u8]) -> (Activity, bool) {
    let (payload, is_json): (Payload<R>, bool) = read_marked(json);
    (activity(event_type, payload), is_json)
}

fn activity<R: Reading>(event_type: &str, mut payload: Payload<R>) -> Activity {
    if let Some(job) = payload.job.0.take()
        && event_type.starts_with("pipeline")
    {
        return ran(job, payload.sources);
    }
    if let Some(data) = payload.push_data.0.take() {
        payload = *data;
    }
    let actor = payload.sender.0.take().or_else(|| payload.author.0.take());
    let (actor, actor_url) = actor.map(User::shown).unwrap_or_default();
    let (project, repository) = (payload.project.0.take(), payload.repository.0.take());
    let repository = project.or(repository).map(Repository::shown);
    let (repository, repository_url) = repository.unwrap_or_default();
    let mut activity = Activity {
        actor: actor.or_else(|| payload.user_name.0.take()),
        repository,
        title: payload.title.0.take(),
        details: Details {
            actor_url,
            repository_url,
            url: R::open(std::mem::take(&mut payload.url)).0,
            ..Details::default()
        },
        ..Activity::default()
    };
    match event_type {
        "push" | "tag_push" => push(&mut activity, payload),
        "merge_request" => merge_request(&mut activity, payload),
        "issue" => issue(&mut activity, payload),
        "note" => note(&mut activity, payload),
        other => activity.deed = spaced(other),
    }
    activity
}

fn push<R: Reading>(activity: &mut Activity, payload: Payload<R>) {
    let listed = payload.commits;
    let push = Push {
        reference: payload.reference.0.as_deref(),
        before: payload.before.0.as_deref(),
        after: payload.after.0.as_deref(),
        commits: payload.total_commits_count.number().unwrap_or(listed.len),
        or_more: false,
        is_forced: false,
    };
    let is_new = is_zero(push.before);
    let details = &mut activity.details;
    (activity.deed, activity.branch, details.tone) = push.describe();
    let commits = listed.first.into_iter().map(|commit| R::open(commit));
    details.set_commits(commits, push.commits, false);
    let is_page = |url: &String| !url.contains("0000000");
    let compared = R::open(payload.compare).0.filter(is_page);
    let commit = details
        .commits
        .first()
        .and_then(|commit| commit.url.clone());
    let tree = match (&details.repository_url, &activity.branch) {
        (Some(repository), Some(name)) if is_new => {
            Some(format!("{repository}/tree/{}", path(name)))
        }
        _ => None,
    };
    details.url = tree.or(compared).or(commit);
}

fn merge_request<R: Reading>(activity: &mut Activity, payload: Payload<R>) {
    let action = payload.action.0.as_deref().unwrap_or("update");
    let action = match payload.action_desc.0.as_deref() {
        Some("update_label") if action == "update" => "update_label",
        _ => action,
    };
    let number = payload.iid.0.as_ref().or(payload.number.0.as_ref());
    let number = number.map_or_else(String::new, |number| format!(" !{number}"));
    activity.deed = format!("{} merge request{number}", past(action));
    let details = &mut activity.details;
    details.tone = match action {
        "close" => Tone::Bad,
        action => Tone::of_action(action),
    };
    if action == "open" {
        details.text = R::open(payload.body).0;
    }
    let source = R::open(payload.source_branch).0;
    if let (Some(source), Some(target)) = (source, &payload.target_branch.0) {
        details.add("Branches", [Some(format!("{source} → {target}"))]);
    }
    subject(details, payload.pull_request.0);
    activity.branch = payload.target_branch.0;
}

fn issue<R: Reading>(activity: &mut Activity, payload: Payload<R>) {
    let issue = match &payload.iid.0 {
        Some(number) => format!("issue #{number}"),
        None => "an issue".to_owned(),
    };
    let action = payload.action.0.as_deref().unwrap_or("update");
    let details = &mut activity.details;
    (activity.deed, details.tone) = match (action, payload.state.0.as_deref()) {
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
        details.text = R::open(payload.description).0;
    }
    subject(details, payload.issue.0);
}

fn note<R: Reading>(activity: &mut Activity, payload: Payload<R>) {
    let verb = past(payload.action.0.as_deref().unwrap_or("comment"));
    let of_commit = payload.noteable_type.0.as_deref() == Some("Commit");
    // Older and newer hooks have it in different places.
    let issue = payload.issue.0.unwrap_or_default();
    let request = payload.pull_request.0.unwrap_or_default();
    let numbered = |sign: char, number: Option<String>| number.map(|n| format!("{sign}{n}"));
    let number = payload.per_iid.0.filter(|number| number.len() > 1);
    let number = number
        .or_else(|| numbered('!', request.number.0))
        .or_else(|| numbered('#', issue.number.0));
    activity.deed = match (&number, &payload.short_commit_id.0) {
        (_, Some(commit)) if of_commit => format!("{verb} commit {commit}"),
        (Some(number), _) => match number.split_at(1) {
            ("!", number) => format!("{verb} merge request !{number}"),
            ("#", number) => format!("{verb} issue #{number}"),
            _ => format!("{verb} {number}"),
        },
        _ => format!("{verb} something"),
    };
    let title = activity.title.take();
    activity.title = title.or(request.title.0).or(issue.title.0);
    let comment = R::open(payload.comment).0.unwrap_or_default();
    let details = &mut activity.details;
    details.text = comment.body.0.or(R::open(payload.note).0);
    details.url = comment.html_url.0.or(details.url.take());
}

/// Adds what is known of the issue or the merge request itself.
fn subject<R: Reading>(details: &mut Details, subject: Option<Subject<R>>) {
    let Some(subject) = subject else {
        return;
    };
    details.url = R::open(subject.html_url).0.or(details.url.take());
    let labels = R::open(subject.labels);
    let names = labels.first.into_iter().map(|label| label.name.0);
    details.add_list("Labels", names, labels.len);
    let assignee = R::open(subject.assignee).0.unwrap_or_default();
    details.add("Assignee", [assignee.login.0.or(assignee.name.0)]);
    let milestone = R::open(subject.milestone).0.unwrap_or_default();
    details.add("Milestone", [milestone.title.0]);
}

/// A job of a pipeline ended. The name of the status is in the reader's language, so the code is
/// used.
fn ran(job: Job, triggers: List<Trigger>) -> Activity {
    let mut deed = "pipeline".to_owned();
    let stands_alone = job.pipeline_name.0.is_some();
    if let Some(name) = &job.pipeline_name.0 {
        deed = format!("{deed} {name}");
    }
    if let Some(number) = &job.build_number.0 {
        deed = format!("{deed} #{number}");
    }
    let (words, tone) = match job.status_code.0.as_deref() {
        Some(status @ ("SUCC" | "FAIL" | "CANCEL" | "SKIP")) => ended(status),
        _ => ("changed".to_owned(), Tone::Plain),
    };
    deed = format!("{deed} {words}");
    let stands_alone = stands_alone || job.build_number.0.is_some();
    let mut repository = None;
    let mut branch: Option<String> = None;
    for trigger in triggers.first {
        let up: UpParams = trigger
            .up_params
            .0
            .map(|text| lenient::read(text.as_bytes()))
            .unwrap_or_default();
        repository = repository.or(trigger.repo_path.0).or(up.gitee_repo.0);
        branch = branch.or(trigger.branch.0).or(up.gitee_branch.0);
    }
    let details = Details {
        tone,
        url: job.pipeline_url.0,
        ..Details::default()
    };
    let branch = branch.map(|name| short(&name).1.to_owned());
    if let Some(branch) = &branch {
        deed = format!("{deed} on {branch}");
    }
    let place: Vec<String> = [job.stage_name.0, job.job_name.0]
        .into_iter()
        .flatten()
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
        stands_alone,
        details,
    }
}
