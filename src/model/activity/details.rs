//! The details of an activity that only a chat message shows: links, texts, commits, and the tone,
//! which is shown as a colour.

use serde::Deserialize;

use crate::model::lenient::{Object, Text};

/// Maximum labels and similar names that are shown; more would be a wall of text.
const NAMES_MAX: usize = 8;

/// The additional details that a chat message shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// The tone of the activity.
    pub tone: Tone,
    /// The page of the issue, commit or other object that this is about.
    pub url: Option<String>,
    /// The page of the person who did it.
    pub actor_url: Option<String>,
    /// The repository's page.
    pub repository_url: Option<String>,
    /// The text of an issue, a comment or a release.
    pub text: Option<String>,
    /// The first commits, in the order in which the producer lists them.
    pub commits: Vec<Commit>,
    /// How many more commits there are.
    pub commits_unlisted: usize,
    /// Whether there may be even more commits than counted.
    pub commits_or_more: bool,
    /// Labels, milestone and similar fields: name and value.
    pub fields: Vec<(&'static str, String)>,
}

/// A commit of a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its full id.
    pub id: Option<String>,
    /// Its page.
    pub url: Option<String>,
    /// Its message; a chat shows the first line.
    pub message: Option<String>,
    /// Its author.
    pub author: Option<String>,
}

/// A commit in the form that all dialects use.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct PushedCommit {
    id: Text,
    message: Text,
    url: Text,
    author: Object<Author>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Author {
    name: Text,
    username: Text,
}

impl From<PushedCommit> for Commit {
    fn from(pushed: PushedCommit) -> Commit {
        let author = pushed.author.0.unwrap_or_default();
        Commit {
            id: pushed.id.0,
            url: pushed.url.0,
            message: pushed.message.0,
            author: author.name.0.or(author.username.0),
        }
    }
}

/// The tone of an activity; chats show it as a colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// Neutral: a push, a comment.
    #[default]
    Plain,
    /// Something began or succeeded: opened, created, published, succeeded.
    Good,
    /// Something is finished: merged, closed.
    Done,
    /// Something was removed or failed: deleted, failed, closed without a merge.
    Bad,
    /// Unimportant: labels, a test, cancelled, skipped.
    Quiet,
}

impl Tone {
    /// The tone of an action on an issue, a merge request or similar, by the producer's name for
    /// the action.
    pub(super) fn of_action(action: &str) -> Tone {
        match action {
            "open" | "opened" | "reopen" | "reopened" | "create" | "created" | "published"
            | "prereleased" | "released" | "approved" | "approval" => Tone::Good,
            "close" | "closed" | "merge" | "merged" => Tone::Done,
            "delete" | "deleted" | "destroy" | "unpublished" => Tone::Bad,
            "label_updated" | "label_cleared" | "labeled" | "unlabeled" | "milestoned"
            | "demilestoned" | "assign" | "assigned" | "unassigned" | "update_label" => Tone::Quiet,
            _ => Tone::Plain,
        }
    }
}

impl Details {
    /// Stores the listed commits; `all` is the total number.
    pub(super) fn set_commits(
        &mut self,
        listed: impl Iterator<Item = PushedCommit>,
        all: usize,
        or_more: bool,
    ) {
        self.commits = listed.map(Commit::from).collect();
        self.commits_unlisted = all.saturating_sub(self.commits.len());
        self.commits_or_more = or_more;
    }

    /// Adds a field with these values, if there are any.
    pub(super) fn add(
        &mut self,
        name: &'static str,
        values: impl IntoIterator<Item = Option<String>>,
    ) {
        self.add_list(name, values, 0);
    }

    /// As [`Details::add`], for a list with `all` items, of which only these were read.
    pub(super) fn add_list(
        &mut self,
        name: &'static str,
        values: impl IntoIterator<Item = Option<String>>,
        all: usize,
    ) {
        let mut values: Vec<String> = values.into_iter().flatten().collect();
        let more = all.max(values.len()).saturating_sub(NAMES_MAX);
        values.truncate(NAMES_MAX);
        if more > 0 && values.len() == NAMES_MAX {
            values.push(format!("{more} more"));
        }
        if !values.is_empty() {
            self.fields.push((name, values.join(", ")));
        }
    }
}
