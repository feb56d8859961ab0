//! What a chat tells of an activity besides who did what: where to click, what was written, which
//! commits, and in which colour.

use serde::Deserialize;

use crate::model::lenient::{Object, Text};

/// Most labels and the like that are told; more are a wall of text.
const NAMES_MAX: usize = 8;

/// What a chat tells besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// How it is to be taken.
    pub tone: Tone,
    /// The page of what it is about.
    pub url: Option<String>,
    /// The page of whoever did it.
    pub actor_url: Option<String>,
    /// The repository's page.
    pub repository_url: Option<String>,
    /// What was written: of an issue, a comment, a release.
    pub text: Option<String>,
    /// The first of the commits, in the order in which the producer lists them.
    pub commits: Vec<Commit>,
    /// How many commits there are besides.
    pub commits_unlisted: usize,
    /// Whether there may be more than that.
    pub commits_or_more: bool,
    /// Labels, milestone and the like: name and value.
    pub fields: Vec<(&'static str, String)>,
}

/// A commit of a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its whole id.
    pub id: Option<String>,
    /// Its page.
    pub url: Option<String>,
    /// Its message, of which a chat tells the first line.
    pub message: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
}

/// A commit as every dialect lists it.
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

/// How something is to be taken; chats show it as a colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// It happened: a push, a comment.
    #[default]
    Plain,
    /// Something began or went well: opened, created, published, succeeded.
    Good,
    /// Something is finished: merged, closed.
    Done,
    /// Something is gone or went wrong: deleted, failed, closed without a merge.
    Bad,
    /// It hardly matters: labels, a test, cancelled, skipped.
    Quiet,
}

impl Tone {
    /// The tone of an action on an issue, a request to merge or the like, as producers name it.
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
    /// Takes over the commits that were listed, of so many in all.
    pub(super) fn tell_commits(
        &mut self,
        listed: impl Iterator<Item = PushedCommit>,
        all: usize,
        or_more: bool,
    ) {
        self.commits = listed.map(Commit::from).collect();
        self.commits_unlisted = all.saturating_sub(self.commits.len());
        self.commits_or_more = or_more;
    }

    /// Tells of a field that has these values, if there are any.
    pub(super) fn tell(
        &mut self,
        name: &'static str,
        values: impl IntoIterator<Item = Option<String>>,
    ) {
        self.tell_of(name, values, 0);
    }

    /// The same of a list that has so many items, of which these were read.
    pub(super) fn tell_of(
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
