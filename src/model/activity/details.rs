//! The details of an activity that only a chat message shows: links, texts, commits, and the tone,
//! which is shown as a colour.

use crate::model::lenient::Tree;

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

impl Commit {
    /// A commit in the form that all dialects use.
    fn read(pushed: Tree<'_>) -> Commit {
        Commit {
            id: pushed.owned(&["id"]),
            url: pushed.owned(&["url"]),
            message: pushed.owned(&["message"]),
            author: pushed.owned(&["author.name", "author.username"]),
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
    pub(super) fn set_commits(&mut self, tree: Tree<'_>, all: usize, or_more: bool) {
        self.commits = tree.items("commits").map(Commit::read).collect();
        self.commits_unlisted = all.saturating_sub(self.commits.len());
        self.commits_or_more = or_more;
    }

    /// The page of the first listed commit.
    pub(super) fn first_commit_url(&self) -> Option<String> {
        self.commits.first()?.url.clone()
    }

    /// Adds the branches of a merge, if both are known.
    pub(super) fn add_branches(&mut self, source: Option<&str>, target: Option<&str>) {
        let branches = source.zip(target);
        self.add(
            "Branches",
            branches.map(|(source, target)| format!("{source} → {target}")),
        );
    }

    /// Adds a field, if it has a value.
    pub(super) fn add(&mut self, name: &'static str, value: Option<String>) {
        self.fields.extend(value.map(|value| (name, value)));
    }

    /// Adds a field with the first text of each item of the list at a path.
    pub(super) fn add_list(
        &mut self,
        name: &'static str,
        tree: Tree<'_>,
        path: &str,
        of_item: &[&str],
    ) {
        let items = tree.items(path);
        let mut values: Vec<&str> = items.filter_map(|item| item.first(of_item)).collect();
        let more = tree.len(path).max(values.len()).saturating_sub(NAMES_MAX);
        values.truncate(NAMES_MAX);
        let more = (more > 0 && values.len() == NAMES_MAX).then(|| format!("{more} more"));
        values.extend(more.as_deref());
        if !values.is_empty() {
            self.fields.push((name, values.join(", ")));
        }
    }
}
