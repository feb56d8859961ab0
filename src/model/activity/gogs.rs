//! The payloads of Gogs, and of Gitea, Forgejo and GitHub, which have a common origin.
//!
//! Event names are GitHub's. A Gogs push lists at most five commits, unless its server is
//! configured otherwise (`[ui] FEED_MAX_COMMIT_NUM`), and has no total.

use super::rare::{self, Dialect};
use super::words::{done, is_page, is_zero, past, short};
use super::{Activity, Details, Named, Push, Tone};
use crate::model::lenient::Tree;

fn repository(tree: Tree<'_>) -> Named {
    (
        tree.owned(&["full_name", "name"]),
        tree.owned(&["html_url"]),
    )
}

fn person(tree: Tree<'_>) -> Named {
    let name = tree.owned(&["login", "username", "name"]);
    (name, tree.owned(&["html_url"]))
}

pub(super) fn describe(event_type: &str, json: Tree<'_>, dialect: Dialect) -> Activity {
    let (repository, repository_url) = repository(json.at("repository"));
    let people = ["sender", "pusher"].map(|role| person(json.at(role)));
    let actor = people.into_iter().find(|(name, _)| name.is_some());
    let (actor, actor_url) = actor.unwrap_or_default();
    let mut describer = Describer {
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
        json,
    };
    describer.describe(event_type);
    describer.activity
}

/// A payload and the activity that is built from it.
struct Describer<'a> {
    activity: Activity,
    dialect: Dialect,
    json: Tree<'a>,
}

impl<'a> Describer<'a> {
    fn describe(&mut self, event_type: &str) {
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
            _ => rare::describe(event_type, self.json, self.dialect, &mut self.activity),
        }
    }

    /// The URL of a page of the repository.
    fn page(&self, rest: &str) -> Option<String> {
        let repository = self.activity.details.repository_url.as_ref()?;
        Some(format!("{repository}/{rest}"))
    }

    fn push(&mut self) {
        let json = self.json;
        let mut push = Push::read(json, "total_commits");
        let may_be_cut = self.dialect == Dialect::Gogs && push.commits >= 5;
        push.is_forced = json.is_true("forced");
        push.or_more = may_be_cut && json.number("total_commits").is_none();
        let is_new = is_zero(push.before);
        let (what, name) = short(push.reference.unwrap_or_default());
        let page = details_page(&self.activity.details, self.dialect, what, name);
        let details = &mut self.activity.details;
        (self.activity.deed, self.activity.branch, details.tone) = push.describe();
        details.set_commits(json, push.commits, push.or_more);
        let compared = json.owned(&["compare_url", "compare"]);
        let compared = compared.filter(|url| is_page(url));
        let page = page.filter(|_| is_new).or(compared);
        details.url = page.or_else(|| details.first_commit_url());
    }

    fn make_or_remove(&mut self, event_type: &str) {
        let verb = past(event_type);
        let what = self.json.text("ref_type").unwrap_or("branch");
        // Forgejo writes the full reference.
        let name = self.json.text("ref").map(|name| short(name).1);
        let deed = format!("{verb} {what} {}", name.unwrap_or_default());
        self.activity.deed = deed.trim_end().to_owned();
        let details = &mut self.activity.details;
        details.tone = Tone::of_action(event_type);
        if event_type == "create"
            && let (Some(repository), Some(name)) = (&details.repository_url, name)
        {
            details.url = Some(self.dialect.tree(repository, what, name));
        }
        self.activity.branch = name.map(str::to_owned);
    }

    fn fork(&mut self) {
        let forked = repository(self.json.at("forkee"));
        // In Gitea and Forgejo `forkee` is the original, and `repository` is the new one.
        let (forkee, url) = if self.dialect == Dialect::Gitea && forked.0.is_some() {
            let details = &mut self.activity.details;
            let new = std::mem::replace(&mut self.activity.repository, forked.0);
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

    /// The issue or pull request that the event is about.
    fn about(&self) -> Tree<'a> {
        let about = self.json.object(&["pull_request", "issue"]);
        about.unwrap_or(self.json.at("issue"))
    }

    fn discuss(&mut self, event_type: &str) {
        let json = self.json;
        let action = json.text("action").unwrap_or("update");
        let is_pull = json.is_true("is_pull")
            || json.has_object("pull_request")
            || json.has_object("issue.pull_request");
        let is_merged = action == "closed" && self.about().is_true("merged");
        let is_comment = event_type == "issue_comment";
        let noun = if is_pull { "pull request" } else { "issue" };
        let asked = person(json.at("requested_reviewer")).0.or_else(|| {
            let team = json.text("requested_team.name")?;
            Some(format!("team {team}"))
        });
        let label = json.text("label.name");
        let number = self.number();
        let what = match number {
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
        let fields = &mut self.activity.details.fields;
        fields.retain(|(name, _)| Some(*name) != gone);
        self.comment(is_of_words(action));
    }

    /// Adds what is known of the issue or pull request itself; its text only if the event is about
    /// the text.
    fn subject(&mut self, with_text: bool) {
        let subject = self.about();
        let base = subject.owned(&["base_branch", "base.ref"]);
        let head = subject.first(&["head_branch", "head.ref"]);
        let details = &mut self.activity.details;
        let url = subject.owned(&["html_url"]);
        details.url = url.or(details.url.take());
        if with_text {
            details.text = subject.owned(&["body"]);
        }
        // For a deleted branch only an internal reference of the server is left.
        let head = head.filter(|head| !head.starts_with("refs/"));
        details.add_branches(head, base.as_deref());
        details.add_list("Labels", subject, "labels", &["name"]);
        let login = ["login", "username"];
        if subject.items("assignees").next().is_some() {
            details.add_list("Assignee", subject, "assignees", &login);
        } else {
            details.add("Assignee", subject.at("assignee").owned(&login));
        }
        details.add("Milestone", subject.owned(&["milestone.title"]));
        self.activity.branch = base;
        self.activity.title = subject.owned(&["title"]);
    }

    /// Adds what is known of the comment, if the event is about one.
    fn comment(&mut self, with_text: bool) {
        if !self.json.has_object("comment") {
            return;
        }
        let details = &mut self.activity.details;
        // Some versions of Gogs leave out the comment's id at the end of the URL.
        let url = match self.json.owned(&["comment.html_url"]) {
            Some(url) if url.ends_with("#issuecomment-") => {
                let id = self.json.text("comment.id").unwrap_or_default();
                Some(format!("{url}{id}"))
            }
            url => url,
        };
        details.url = url.or(details.url.take());
        if with_text {
            details.text = self.json.owned(&["comment.body"]);
        }
        // These were shown when they were set.
        details.fields.clear();
    }

    /// A pull request was reviewed. GitHub has one event type for this, Gitea one per result.
    fn review(&mut self, event_type: &str) {
        let review = self.json.at("review");
        let (verb, tone) = match (review.text("state"), event_type) {
            (Some("approved"), _) | (None, "pull_request_approved") => ("approved", Tone::Good),
            (Some("changes_requested"), _) | (None, "pull_request_rejected") => {
                ("asked for changes of", Tone::Bad)
            }
            (Some("dismissed"), _) => ("dismissed a review of", Tone::Quiet),
            (_, "pull_request_review_comment") => ("commented on", Tone::Plain),
            _ => ("reviewed", Tone::Plain),
        };
        let number = self.number().map(|number| format!(" #{number}"));
        let deed = format!("{verb} pull request{}", number.unwrap_or_default());
        self.activity.deed = deed;
        self.subject(false);
        let details = &mut self.activity.details;
        details.tone = tone;
        // Gitea's name of the text is `content`.
        details.text = review.owned(&["body", "content"]);
        details.url = review.owned(&["html_url"]).or(details.url.take());
        details.fields.clear();
        self.comment(true);
    }

    fn release(&mut self) {
        let action = self.json.text("action").unwrap_or("published");
        let verb = past(action);
        let release = self.json.at("release");
        let tag = release.text("tag_name");
        let kind = if release.is_true("prerelease") {
            "pre-release"
        } else {
            "release"
        };
        self.activity.deed = match tag {
            Some(tag) => format!("{verb} {kind} {tag}"),
            None => format!("{verb} a {kind}"),
        };
        if !self.json.has_object("release") {
            return;
        }
        let details = &mut self.activity.details;
        details.tone = Tone::of_action(action);
        details.url = release.owned(&["html_url"]);
        details.text = release.owned(&["body"]);
        let name = release.text("name").filter(|name| Some(*name) != tag);
        details.add("Name", name.map(str::to_owned));
        // Gogs sends no URL; all its releases are on one page.
        if action == "deleted" {
            details.url = None;
        } else if let (None, Some(repository)) = (&details.url, &details.repository_url) {
            details.url = Some(format!("{repository}/releases"));
        }
        self.activity.branch = tag.map(str::to_owned);
    }

    fn number(&self) -> Option<&'a str> {
        let places = ["number", "pull_request.number", "issue.number"];
        self.json.first(&places)
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
