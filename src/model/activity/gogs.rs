//! The payloads of Gogs, and of Gitea, Forgejo and GitHub, which have a common origin.
//!
//! Event names are GitHub's. A Gogs push lists at most five commits, unless its server is
//! configured otherwise (`[ui] FEED_MAX_COMMIT_NUM`), and has no total.

use serde::Deserialize;

use super::details::PushedCommit;
use super::rare::{self, Dialect};
use super::reading::Reading;
use super::words::{done, is_zero, past, short};
use super::{Activity, Details, Push, Tone};
use crate::model::lenient::{Flag, List, Nothing, Object, Text, read_marked};

#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct Payload<R: Reading> {
    action: Text,
    number: Text,
    #[serde(rename = "ref")]
    reference: Text,
    ref_type: Text,
    before: Text,
    after: Text,
    commits: List<R::Detail<PushedCommit>>,
    total_commits: Text,
    compare_url: R::Detail<Text>,
    /// GitHub's name of the field.
    compare: R::Detail<Text>,
    issue: Object<Subject<R>>,
    pull_request: Object<Subject<R>>,
    comment: R::Detail<Object<Comment>>,
    review: Object<Review<R>>,
    release: Object<Release<R>>,
    forkee: Object<Repository<R>>,
    /// Who was asked for a review, on GitHub and Gitea: a person or a team.
    requested_reviewer: Object<User<R>>,
    requested_team: Object<Team>,
    /// The label that was added or removed, on GitHub.
    label: Object<Label>,
    /// Whether it was a force push, on GitHub.
    forced: Flag,
    is_pull: Flag,
    repository: Object<Repository<R>>,
    sender: Object<User<R>>,
    pusher: Object<User<R>>,
}

/// An issue or a pull request.
#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct Subject<R: Reading> {
    number: Text,
    title: Text,
    merged: Flag,
    /// Gogs' name of the field.
    base_branch: Text,
    base: Object<Branch>,
    /// An issue that is a pull request has this field.
    pull_request: Object<Nothing>,
    html_url: R::Detail<Text>,
    body: R::Detail<Text>,
    labels: R::Detail<List<Label>>,
    assignee: R::Detail<Object<Assignee>>,
    assignees: R::Detail<List<Assignee>>,
    milestone: R::Detail<Object<Milestone>>,
    /// Gogs' name of the field.
    head_branch: R::Detail<Text>,
    head: R::Detail<Object<Branch>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Branch {
    #[serde(rename = "ref")]
    reference: Text,
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
    username: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Milestone {
    title: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Comment {
    id: Text,
    html_url: Text,
    body: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct Review<R: Reading> {
    /// GitHub's name of the field.
    state: Text,
    html_url: R::Detail<Text>,
    body: R::Detail<Text>,
    /// Gitea's name of the field.
    content: R::Detail<Text>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct Release<R: Reading> {
    tag_name: Text,
    name: R::Detail<Text>,
    body: R::Detail<Text>,
    html_url: R::Detail<Text>,
    prerelease: Flag,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Team {
    name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct Repository<R: Reading> {
    full_name: Text,
    name: Text,
    html_url: R::Detail<Text>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "R: Reading")]
struct User<R: Reading> {
    login: Text,
    username: Text,
    name: Text,
    html_url: R::Detail<Text>,
}

/// A name and its page.
type Named = (Option<String>, Option<String>);

impl<R: Reading> Repository<R> {
    fn shown(self) -> Named {
        (self.full_name.0.or(self.name.0), R::open(self.html_url).0)
    }
}

impl<R: Reading> User<R> {
    fn shown(self) -> Named {
        let name = self.login.0.or(self.username.0).or(self.name.0);
        (name, R::open(self.html_url).0)
    }
}

pub(super) fn read<R: Reading>(
    event_type: &str,
    json: &[u8],
    dialect: Dialect,
) -> (Activity, bool) {
    let (mut payload, is_json): (Payload<R>, bool) = read_marked(json);
    let repository = payload.repository.0.take().map(Repository::shown);
    let (repository, repository_url) = repository.unwrap_or_default();
    let (pusher, sender) = (payload.pusher.0.take(), payload.sender.0.take());
    let actor = [sender, pusher]
        .into_iter()
        .flatten()
        .map(User::shown)
        .find(|(name, _)| name.is_some());
    let (actor, actor_url) = actor.unwrap_or_default();
    let describer = Describer {
        activity: Activity {
            actor,
            repository,
            details: Details {
                actor_url,
                repository_url,
                ..Details::default()
            },
            ..Activity::default()
        },
        dialect,
        payload,
    };
    (describer.describe(event_type, json), is_json)
}

/// A payload and the activity that is built from it.
struct Describer<R: Reading> {
    activity: Activity,
    dialect: Dialect,
    payload: Payload<R>,
}

impl<R: Reading> Describer<R> {
    fn describe(mut self, event_type: &str, json: &[u8]) -> Activity {
        match event_type {
            "push" => self.push(),
            "create" | "delete" => self.make_or_remove(event_type),
            "fork" => self.fork(),
            "issues" | "issue_comment" | "pull_request" => self.discuss(event_type),
            "pull_request_review"
            | "pull_request_approved"
            | "pull_request_rejected"
            | "pull_request_comment"
            | "pull_request_review_comment" => self.review(event_type),
            "release" => self.release(),
            _ => rare::describe(event_type, json, self.dialect, &mut self.activity),
        }
        self.activity
    }

    /// The URL of a page of the repository.
    fn page(&self, rest: &str) -> Option<String> {
        let repository = self.activity.details.repository_url.as_ref()?;
        Some(format!("{repository}/{rest}"))
    }

    fn push(&mut self) {
        let payload = &mut self.payload;
        let total = payload.total_commits.number();
        let listed = std::mem::take(&mut payload.commits);
        let push = Push {
            reference: payload.reference.0.as_deref(),
            before: payload.before.0.as_deref(),
            after: payload.after.0.as_deref(),
            commits: total.unwrap_or(listed.len),
            or_more: total.is_none() && listed.len >= 5 && self.dialect == Dialect::Gogs,
            is_forced: payload.forced.0,
        };
        let is_new = is_zero(push.before);
        let (what, name) = short(payload.reference.0.as_deref().unwrap_or_default());
        let page = details_page(&self.activity.details, self.dialect, what, name);
        let (count, or_more) = (push.commits, push.or_more);
        let details = &mut self.activity.details;
        (self.activity.deed, self.activity.branch, details.tone) = push.describe();
        let compare_url = R::open(std::mem::take(&mut payload.compare_url)).0;
        let compare = R::open(std::mem::take(&mut payload.compare)).0;
        let commits = listed.first.into_iter().map(|commit| R::open(commit));
        details.set_commits(commits, count, or_more);
        // For a new branch Gitea's compare URL has an all-zero commit; it leads to no page.
        let is_page = |url: &String| !url.contains("0000000");
        let compared = compare_url.or(compare).filter(is_page);
        let commit = details
            .commits
            .first()
            .and_then(|commit| commit.url.clone());
        details.url = match is_new {
            true => page.or(compared).or(commit),
            false => compared.or(commit),
        };
    }

    fn make_or_remove(&mut self, event_type: &str) {
        let verb = past(event_type);
        let what = self.payload.ref_type.0.as_deref().unwrap_or("branch");
        let name = self.payload.reference.0.take();
        // Forgejo writes the full reference.
        let name = name.map(|name| short(&name).1.to_owned());
        let deed = format!("{verb} {what} {}", name.as_deref().unwrap_or_default());
        self.activity.deed = deed.trim_end().to_owned();
        let details = &mut self.activity.details;
        details.tone = Tone::of_action(event_type);
        if event_type == "create"
            && let (Some(repository), Some(name)) = (&details.repository_url, &name)
        {
            details.url = Some(self.dialect.tree(repository, what, name));
        }
        self.activity.branch = name;
    }

    fn fork(&mut self) {
        let forkee = self.payload.forkee.0.take().map(Repository::shown);
        let forked = forkee.unwrap_or_default();
        // In Gitea and Forgejo `forkee` is the original, and `repository` is the new one.
        let (forkee, url) = if self.dialect == Dialect::Gitea && forked.0.is_some() {
            let details = &mut self.activity.details;
            let new = self
                .activity
                .repository
                .replace(forked.0.unwrap_or_default());
            let url = std::mem::replace(&mut details.repository_url, forked.1);
            (new, url)
        } else {
            forked
        };
        self.activity.deed = match forkee {
            Some(forkee) => format!("forked it to {forkee}"),
            None => "forked it".to_owned(),
        };
        self.activity.details.tone = Tone::Good;
        self.activity.details.url = url;
    }

    fn discuss(&mut self, event_type: &str) {
        let payload = &mut self.payload;
        let action = payload.action.0.take();
        let action = action.as_deref().unwrap_or("update");
        let comment = R::open(std::mem::take(&mut payload.comment)).0;
        let of_issue = payload.issue.0.as_ref();
        let is_pull = payload.is_pull.0
            || payload.pull_request.0.is_some()
            || of_issue.is_some_and(|issue| issue.pull_request.0.is_some());
        let subject = payload.pull_request.0.as_ref().or(of_issue);
        let is_merged = action == "closed" && subject.is_some_and(|subject| subject.merged.0);
        let is_comment = event_type == "issue_comment";
        let noun = if is_pull { "pull request" } else { "issue" };
        let asked = payload.requested_reviewer.0.take().map(User::shown);
        let asked = asked.and_then(|(name, _)| name);
        let asked = asked.or_else(|| {
            let team = payload.requested_team.0.take()?.name.0?;
            Some(format!("team {team}"))
        });
        let label = payload.label.0.take().and_then(|label| label.name.0);
        let number = self.number().map(str::to_owned);
        let what = match &number {
            Some(number) => format!("{noun} #{number}"),
            None => noun.to_owned(),
        };
        self.activity.deed = match (action, asked, label) {
            ("created", _, _) if is_comment => format!("commented on {what}"),
            (action, _, _) if is_comment => format!("{} a comment on {what}", past(action)),
            _ if is_merged => format!("merged {what}"),
            ("review_requested", Some(who), _) => format!("asked {who} for a review of {what}"),
            ("review_request_removed", Some(who), _) => {
                format!("asked {who} no longer for a review of {what}")
            }
            ("labeled", _, Some(label)) => format!("added label {label} to {what}"),
            ("unlabeled", _, Some(label)) => format!("removed label {label} from {what}"),
            (action, _, _) => done(action, &what),
        };
        self.activity.details.tone = match action {
            "deleted" if is_comment => Tone::Quiet,
            _ if is_comment => Tone::Plain,
            "closed" if is_pull && !is_merged => Tone::Bad,
            action => Tone::of_action(action),
        };
        if let Some(number) = number {
            let pages = if is_pull { "pulls" } else { "issues" };
            self.activity.details.url = self.page(&format!("{pages}/{number}"));
        }
        let gone = match action {
            "demilestoned" => Some("Milestone"),
            "label_cleared" => Some("Labels"),
            _ => None,
        };
        self.subject(!is_comment && is_of_words(action));
        // Payloads of Gogs and Gitea still contain the value that was removed.
        self.activity
            .details
            .fields
            .retain(|(name, _)| Some(*name) != gone);
        if let Some(comment) = comment {
            self.comment(comment, is_of_words(action));
        }
    }

    /// Adds what is known of the issue or pull request itself; its text only if the event is about
    /// the text.
    fn subject(&mut self, with_text: bool) {
        let pull = self.payload.pull_request.0.take();
        let Some(subject) = pull.or_else(|| self.payload.issue.0.take()) else {
            return;
        };
        let base = subject.base.0.and_then(|base| base.reference.0);
        let base = subject.base_branch.0.or(base);
        let head = R::open(subject.head).0.and_then(|head| head.reference.0);
        let head = R::open(subject.head_branch).0.or(head);
        let details = &mut self.activity.details;
        let url = R::open(subject.html_url).0;
        details.url = url.or(details.url.take());
        if with_text {
            details.text = R::open(subject.body).0;
        }
        // For a deleted branch only an internal reference of the server is left.
        let head = head.filter(|head| !head.starts_with("refs/"));
        if let (Some(head), Some(base)) = (head, &base) {
            details.add("Branches", [Some(format!("{head} → {base}"))]);
        }
        let labels = R::open(subject.labels);
        let names = labels.first.into_iter().map(|label| label.name.0);
        details.add_list("Labels", names, labels.len);
        let mut assignees = R::open(subject.assignees);
        if assignees.first.is_empty() {
            assignees.first.extend(R::open(subject.assignee).0);
        }
        let names = assignees.first.into_iter();
        let names = names.map(|user| user.login.0.or(user.username.0));
        details.add_list("Assignee", names, assignees.len);
        let milestone = R::open(subject.milestone).0.unwrap_or_default();
        details.add("Milestone", [milestone.title.0]);
        self.activity.branch = base;
        self.activity.title = subject.title.0;
    }

    fn comment(&mut self, comment: Comment, with_text: bool) {
        let details = &mut self.activity.details;
        // Some versions of Gogs leave out the comment's id at the end of the URL.
        let url = match (comment.html_url.0, comment.id.0) {
            (Some(url), Some(id)) if url.ends_with("#issuecomment-") => Some(format!("{url}{id}")),
            (url, _) => url,
        };
        details.url = url.or(details.url.take());
        if with_text {
            details.text = comment.body.0;
        }
        // These were shown when they were set.
        details.fields.clear();
    }

    /// A pull request was reviewed. GitHub has one event type for this, Gitea one per result.
    fn review(&mut self, event_type: &str) {
        let review = self.payload.review.0.take().unwrap_or_default();
        let (verb, tone) = match (review.state.0.as_deref(), event_type) {
            (Some("approved"), _) | (None, "pull_request_approved") => ("approved", Tone::Good),
            (Some("changes_requested"), _) | (None, "pull_request_rejected") => {
                ("asked for changes of", Tone::Bad)
            }
            (Some("dismissed"), _) => ("dismissed a review of", Tone::Quiet),
            (_, "pull_request_review_comment") => ("commented on", Tone::Plain),
            _ => ("reviewed", Tone::Plain),
        };
        let comment = R::open(std::mem::take(&mut self.payload.comment)).0;
        let number = self.number().map(|number| format!(" #{number}"));
        let deed = format!("{verb} pull request{}", number.unwrap_or_default());
        self.activity.deed = deed;
        self.subject(false);
        let details = &mut self.activity.details;
        details.tone = tone;
        details.text = R::open(review.body).0.or(R::open(review.content).0);
        details.url = R::open(review.html_url).0.or(details.url.take());
        details.fields.clear();
        if let Some(comment) = comment {
            self.comment(comment, true);
        }
    }

    fn release(&mut self) {
        let action = self.payload.action.0.take();
        let action = action.as_deref().unwrap_or("published");
        let verb = past(action);
        let Some(release) = self.payload.release.0.take() else {
            self.activity.deed = format!("{verb} a release");
            return;
        };
        let tag = release.tag_name.0;
        let kind = if release.prerelease.0 {
            "pre-release"
        } else {
            "release"
        };
        self.activity.deed = match &tag {
            Some(tag) => format!("{verb} {kind} {tag}"),
            None => format!("{verb} a {kind}"),
        };
        let details = &mut self.activity.details;
        details.tone = Tone::of_action(action);
        details.url = R::open(release.html_url).0;
        details.text = R::open(release.body).0;
        let name = R::open(release.name)
            .0
            .filter(|name| Some(name) != tag.as_ref());
        details.add("Name", [name]);
        // Gogs sends no URL; all its releases are on one page.
        if action == "deleted" {
            details.url = None;
        } else if let (None, Some(repository)) = (&details.url, &details.repository_url) {
            details.url = Some(format!("{repository}/releases"));
        }
        self.activity.branch = tag;
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
}

/// The page of a branch or tag of a repository.
fn details_page(details: &Details, dialect: Dialect, what: &str, name: &str) -> Option<String> {
    let repository = details.repository_url.as_ref()?;
    (!name.is_empty()).then(|| dialect.tree(repository, what, name))
}

/// Whether an action is about the text.
fn is_of_words(action: &str) -> bool {
    matches!(action, "opened" | "edited" | "created")
}
