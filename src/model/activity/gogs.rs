//! The payloads of Gogs, and of Gitea, Forgejo and GitHub, which share their ancestry.
//!
//! Event names are GitHub's. A Gogs push lists five commits at most unless its server is set
//! otherwise (`[ui] FEED_MAX_COMMIT_NUM`) and has no total.

use serde::Deserialize;

use super::{Activity, Push, past};
use crate::model::lenient::{Flag, List, Nothing, Object, Text, read_marked};

/// How many commits a list of five or more stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Commits {
    /// Possibly more.
    CutToFive,
    /// As many as there are, or the total beside it.
    All,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    action: Text,
    number: Text,
    #[serde(rename = "ref")]
    reference: Text,
    ref_type: Text,
    before: Text,
    after: Text,
    commits: List<Nothing>,
    total_commits: Text,
    issue: Object<Subject>,
    pull_request: Object<Subject>,
    release: Object<Release>,
    forkee: Object<Repository>,
    workflow_run: Object<Run>,
    workflow_job: Object<Run>,
    check_suite: Object<Run>,
    check_run: Object<CheckRun>,
    repository: Object<Repository>,
    sender: Object<User>,
    pusher: Object<User>,
}

/// An issue or a pull request.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Subject {
    number: Text,
    title: Text,
    merged: Flag,
    /// Gogs'.
    base_branch: Text,
    base: Object<Base>,
    /// An issue that is a pull request says so by having one.
    pull_request: Object<Nothing>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Base {
    #[serde(rename = "ref")]
    reference: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Release {
    tag_name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Run {
    head_branch: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CheckRun {
    check_suite: Object<Run>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Repository {
    full_name: Text,
    name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    login: Text,
    username: Text,
    name: Text,
}

impl Repository {
    fn shown(self) -> Option<String> {
        self.full_name.0.or(self.name.0)
    }
}

impl User {
    fn shown(self) -> Option<String> {
        self.login.0.or(self.username.0).or(self.name.0)
    }
}

pub(super) fn read(event_type: &str, json: &[u8], counted: Commits) -> (Activity, bool) {
    let (payload, is_json): (Payload, bool) = read_marked(json);
    let payload = Said {
        event_type,
        counted,
        payload,
    };
    (payload.activity(), is_json)
}

struct Said<'a> {
    event_type: &'a str,
    counted: Commits,
    payload: Payload,
}

impl Said<'_> {
    fn activity(mut self) -> Activity {
        let payload = &mut self.payload;
        let repository = payload.repository.0.take().and_then(Repository::shown);
        let actor = payload.sender.0.take().and_then(User::shown);
        let actor = actor.or_else(|| payload.pusher.0.take().and_then(User::shown));
        let (deed, branch) = match self.event_type {
            "push" => self.pushed(),
            "create" | "delete" => self.made_or_removed(),
            "fork" => self.forked(),
            "issues" | "issue_comment" | "pull_request" => self.discussed(),
            "release" => self.released(),
            _ => {
                return self.something(actor, repository);
            }
        };
        Activity {
            actor,
            deed,
            repository,
            title: self.title(),
            branch,
        }
    }

    fn pushed(&self) -> (String, Option<String>) {
        let payload = &self.payload;
        let total = payload.total_commits.number();
        let listed = payload.commits.len;
        let push = Push {
            reference: payload.reference.0.as_deref(),
            before: payload.before.0.as_deref(),
            after: payload.after.0.as_deref(),
            commits: total.unwrap_or(listed),
            or_more: total.is_none() && listed >= 5 && self.counted == Commits::CutToFive,
        };
        push.told()
    }

    fn made_or_removed(&mut self) -> (String, Option<String>) {
        let verb = past(self.event_type);
        let what = self.payload.ref_type.0.as_deref().unwrap_or("branch");
        let name = self.payload.reference.0.take();
        let deed = format!("{verb} {what} {}", name.as_deref().unwrap_or_default());
        (deed.trim_end().to_owned(), name)
    }

    fn forked(&mut self) -> (String, Option<String>) {
        let forkee = self.payload.forkee.0.take().and_then(Repository::shown);
        match forkee {
            Some(forkee) => (format!("forked it to {forkee}"), None),
            None => ("forked it".to_owned(), None),
        }
    }

    fn discussed(&mut self) -> (String, Option<String>) {
        let payload = &mut self.payload;
        let action = payload.action.0.as_deref().unwrap_or("update");
        let of_issue = payload.issue.0.as_ref();
        let is_pull = payload.pull_request.0.is_some()
            || of_issue.is_some_and(|issue| issue.pull_request.0.is_some());
        let subject = payload.pull_request.0.as_ref().or(of_issue);
        let is_merged = action == "closed" && subject.is_some_and(|subject| subject.merged.0);
        let verb = match (self.event_type, action) {
            ("issue_comment", "created") => "commented on".to_owned(),
            ("issue_comment", action) => format!("{} a comment on", past(action)),
            _ if is_merged => "merged".to_owned(),
            (_, action) => past(action),
        };
        let what = if is_pull { "pull request" } else { "issue" };
        let deed = match self.number() {
            Some(number) => format!("{verb} {what} #{number}"),
            None => format!("{verb} {what}"),
        };
        (deed, self.base())
    }

    /// The branch that a pull request goes into.
    fn base(&mut self) -> Option<String> {
        let pull = self.payload.pull_request.0.as_mut()?;
        let base = pull.base.0.take().and_then(|base| base.reference.0);
        pull.base_branch.0.take().or(base)
    }

    fn released(&mut self) -> (String, Option<String>) {
        let verb = past(self.payload.action.0.as_deref().unwrap_or("published"));
        let tag = self
            .payload
            .release
            .0
            .take()
            .and_then(|release| release.tag_name.0);
        match tag {
            Some(tag) => (format!("{verb} release {tag}"), Some(tag)),
            None => (format!("{verb} a release"), None),
        }
    }

    /// An event of a type that has no sentence of its own here.
    fn something(mut self, actor: Option<String>, repository: Option<String>) -> Activity {
        let mut deed = self.event_type.replace('_', " ");
        if let Some(action) = &self.payload.action.0 {
            deed = format!("{deed} {}", action.replace('_', " "));
        }
        if let Some(number) = self.number() {
            deed = format!("{deed} #{number}");
        }
        if let Some(actor) = actor {
            deed = format!("{deed}, by {actor}");
        }
        let payload = &mut self.payload;
        let runs = [
            payload.workflow_run.0.take(),
            payload.workflow_job.0.take(),
            payload.check_suite.0.take(),
            payload.check_run.0.take().and_then(|run| run.check_suite.0),
        ];
        let branch = runs.into_iter().flatten().find_map(|run| run.head_branch.0);
        let branch = branch.or_else(|| self.base());
        Activity {
            actor: None,
            // Without a repository there is nothing to tell but the type.
            deed: if repository.is_some() {
                deed
            } else {
                String::new()
            },
            repository,
            title: self.title(),
            branch,
        }
    }

    fn number(&self) -> Option<&str> {
        let payload = &self.payload;
        let pull = payload.pull_request.0.as_ref();
        let issue = payload.issue.0.as_ref();
        payload
            .number
            .0
            .as_deref()
            .or_else(|| pull.and_then(|pull| pull.number.0.as_deref()))
            .or_else(|| issue.and_then(|issue| issue.number.0.as_deref()))
    }

    /// The title of the issue or pull request.
    fn title(&mut self) -> Option<String> {
        let payload = &mut self.payload;
        let pull = payload.pull_request.0.take();
        pull.or_else(|| payload.issue.0.take())
            .and_then(|subject| subject.title.0)
    }
}
