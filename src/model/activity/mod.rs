//! What an event says happened: who did what to which repository, read from its body.
//!
//! This is pure and lenient: a field that is missing or has another type is left out, and no body is ever
//! rejected here. There is one file per dialect: `gogs` (also for Gitea, Forgejo and GitHub, whose payloads
//! have a common origin; `rare` has their rare events), `gitee`, `gitlab`; `words` has the wording.
//!
//! A body is read once into a bounded tree (`lenient::Tree`), from which the fields are taken by their paths.

use std::borrow::Cow;

use crate::model::header::{Header, first_value};
use crate::model::kind::SourceKind;
use crate::model::lenient::{self, Tree};
use crate::model::line::one_line;
use crate::signature::form;

mod details;
mod gitee;
mod gitlab;
mod gitlab_rare;
mod gogs;
mod rare;
mod words;

pub use details::{Commit, Details, Tone};
use words::{is_branch, is_zero, short};

/// Maximum length of a summary, in characters: one line of a list.
const SUMMARY_CHARS_MAX: usize = 200;

/// Who did what, where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// Who: the login, if there is one.
    pub actor: Option<String>,
    /// What, in the past tense: `pushed 2 commits to main`.
    pub deed: String,
    /// Where: the repository, `owner/name`.
    pub repository: Option<String>,
    /// The title of the issue or other object that this is about.
    pub title: Option<String>,
    /// The short name of the branch or tag that this is about; for a merge, the branch that was merged
    /// into.
    pub branch: Option<String>,
    /// Whether the deed is clear without the person and the repository, because it names its object.
    pub stands_alone: bool,
    /// What only a chat message shows.
    pub details: Details,
}

/// What the store keeps of an event besides its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// One line for lists.
    pub summary: Option<String>,
    /// The branch that `--branches` filters by.
    pub branch: Option<String>,
    /// Whether the body (for a form hook, its one field) is JSON.
    pub is_json: bool,
}

impl Facts {
    /// Reads a body in the form of this kind of producer; `None` for an event without a source.
    ///
    /// ```
    /// use hookbox::model::activity::Facts;
    /// use hookbox::model::kind::SourceKind;
    /// let body = br#"{"ref":"refs/heads/main","commits":[{}],"sender":{"login":"mira"},
    ///     "repository":{"full_name":"lighthouse/beacon"}}"#;
    /// let facts = Facts::read(Some(SourceKind::Gogs), "push", None, &[], body);
    /// assert_eq!(
    ///     facts.summary.as_deref(),
    ///     Some("lighthouse/beacon: mira pushed 1 commit to main"),
    /// );
    /// assert_eq!(facts.branch.as_deref(), Some("main"));
    /// ```
    pub fn read(
        kind: Option<SourceKind>,
        event_type: &str,
        content_type: Option<&str>,
        headers: &[Header],
        body: &[u8],
    ) -> Facts {
        let json = json_of(kind, content_type, body);
        let (activity, is_json) = kind
            .and_then(|kind| read(kind, event_type, &json))
            .unwrap_or_else(|| (Activity::default(), lenient::is_json(&json)));
        let summary = activity.summary();
        Facts {
            summary: if is_test(kind, headers) {
                summary.map(|line| one_line(&format!("test: {line}"), SUMMARY_CHARS_MAX))
            } else {
                summary
            },
            branch: activity
                .branch
                .map(|name| short(&name).1.to_owned())
                .filter(|name| is_branch(name)),
            is_json,
        }
    }
}

/// Reads the event of a git server in one of these dialects; also returns whether it is JSON.
fn read(kind: SourceKind, event_type: &str, json: &[u8]) -> Option<(Activity, bool)> {
    use rare::Dialect;
    let describe: fn(&str, Tree<'_>) -> Activity = match kind {
        SourceKind::Gogs => |event_type, tree| gogs::describe(event_type, tree, Dialect::Gogs),
        SourceKind::Gitea | SourceKind::Forgejo => {
            |event_type, tree| gogs::describe(event_type, tree, Dialect::Gitea)
        }
        SourceKind::Github => |event_type, tree| gogs::describe(event_type, tree, Dialect::Github),
        SourceKind::Gitee => gitee::describe,
        SourceKind::Gitlab => gitlab::describe,
        SourceKind::Standard | SourceKind::Generic => return None,
    };
    Some(lenient::read_marked(json, &[], |tree| {
        let mut activity = describe(event_type, tree);
        activity.link_actor();
        activity
    }))
}

/// Whether the "test" button of a hook sent this. Gitee's test looks like a real event.
fn is_test(kind: Option<SourceKind>, headers: &[Header]) -> bool {
    kind == Some(SourceKind::Gitee) && first_value(headers, "x-gitee-ping") == Some("true")
}

/// The JSON of a body; for a form hook, the field that contains it.
pub fn json_of<'a>(
    kind: Option<SourceKind>,
    content_type: Option<&str>,
    body: &'a [u8],
) -> Cow<'a, [u8]> {
    let field = match kind {
        Some(SourceKind::Gitee) => "hook",
        _ => "payload",
    };
    match form::field(content_type, body, field) {
        Some(json) => Cow::Owned(json.into_bytes()),
        None => Cow::Borrowed(body),
    }
}

impl Activity {
    /// Puts the person at the end of the sentence, if the deed comes first.
    fn name_person_last(&mut self) {
        if let Some(actor) = self.actor.take() {
            self.deed = format!("{}, by {actor}", self.deed);
        }
    }

    /// Reads the event of a git server, with its details; `None` for other events, and if nothing can be
    /// read.
    ///
    /// ```
    /// use hookbox::model::activity::{Activity, Tone};
    /// use hookbox::model::kind::SourceKind;
    /// let body = br#"{"action":"opened","number":5,"sender":{"login":"mira"},
    ///     "issue":{"number":5,"title":"The lamp is dark","body":"Since Monday."},
    ///     "repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/l/b"}}"#;
    /// let activity = Activity::read(SourceKind::Gogs, "issues", None, &[], body).expect("is described");
    /// assert_eq!(activity.deed, "opened issue #5");
    /// assert_eq!(activity.details.text.as_deref(), Some("Since Monday."));
    /// assert_eq!(activity.details.url.as_deref(), Some("https://git.example.org/l/b/issues/5"));
    /// assert_eq!(activity.details.tone, Tone::Good);
    /// ```
    pub fn read(
        kind: SourceKind,
        event_type: &str,
        content_type: Option<&str>,
        headers: &[Header],
        body: &[u8],
    ) -> Option<Activity> {
        let json = json_of(Some(kind), content_type, body);
        let (mut activity, _) = read(kind, event_type, &json)?;
        if is_test(Some(kind), headers) {
            activity.deed = format!("tried the hook: {}", activity.deed);
            activity.details.tone = Tone::Quiet;
        }
        activity.is_known().then_some(activity)
    }

    /// Whether there is enough to show: a deed, and a person, a repository or an object.
    fn is_known(&self) -> bool {
        let known = [&self.actor, &self.repository, &self.branch];
        let is_placed = self.stands_alone || known.iter().any(|part| part.is_some());
        !self.deed.is_empty() && is_placed
    }

    /// Adds a link to the person's page. The server's URL is taken from the repository's page, and the page
    /// of a person is the login after that URL.
    fn link_actor(&mut self) {
        let is_login = |name: &&String| {
            let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            name.bytes().all(letters)
        };
        let actor = self.actor.as_ref().filter(is_login);
        let details = &mut self.details;
        if let (None, Some(actor), Some(repository)) = (&details.actor_url, actor, &self.repository)
            && let Some(url) = &details.repository_url
            && let Some(server) = url.strip_suffix(repository.as_str())
        {
            details.actor_url = Some(format!("{server}{actor}"));
        }
    }

    /// One line: `lighthouse/beacon: mira opened issue #5: The lamp is dark`. `None` when neither the
    /// person nor the repository is known.
    pub fn summary(&self) -> Option<String> {
        if !self.is_known() {
            return None;
        }
        let mut line = String::new();
        if let Some(repository) = &self.repository {
            line.push_str(repository);
            line.push_str(": ");
        }
        if let Some(actor) = &self.actor {
            line.push_str(actor);
            line.push(' ');
        }
        line.push_str(&self.deed);
        if let Some(title) = &self.title {
            line.push_str(": ");
            line.push_str(title);
        }
        Some(one_line(&line, SUMMARY_CHARS_MAX))
    }
}

/// The name of a person or a repository, and its page.
type Named = (Option<String>, Option<String>);

/// A push, in the form that all dialects have.
struct Push<'a> {
    /// `refs/heads/main`, `refs/tags/v1`.
    reference: Option<&'a str>,
    before: Option<&'a str>,
    after: Option<&'a str>,
    /// The number of commits listed, or their total if the payload has one.
    commits: usize,
    /// Whether the list may be incomplete.
    or_more: bool,
    /// Whether it was a force push.
    is_forced: bool,
}

impl<'a> Push<'a> {
    /// Reads a push whose total number of commits is in this field.
    fn read(json: Tree<'a>, total: &str) -> Push<'a> {
        Push {
            reference: json.text("ref"),
            before: json.text("before"),
            after: json.text("after"),
            commits: json.number(total).unwrap_or(json.len("commits")),
            or_more: false,
            is_forced: false,
        }
    }

    /// The deed, the short name of the branch or tag, and the tone.
    fn describe(&self) -> (String, Option<String>, Tone) {
        let (what, name) = short(self.reference.unwrap_or_default());
        if name.is_empty() {
            return ("pushed".to_owned(), None, Tone::Plain);
        }
        let commits = match self.commits {
            0 => None,
            1 => Some("1 commit".to_owned()),
            count if self.or_more => Some(format!("{count} or more commits")),
            count => Some(format!("{count} commits")),
        };
        let (deed, tone) = match (is_zero(self.before), is_zero(self.after), commits) {
            (false, true, _) => (format!("deleted {what} {name}"), Tone::Bad),
            (false, false, _) if self.before.is_some() && self.before == self.after => {
                (format!("sent a test push to {name}"), Tone::Quiet)
            }
            (true, _, Some(commits)) if what == "branch" => {
                (format!("created branch {name} with {commits}"), Tone::Good)
            }
            (true, _, _) => (format!("created {what} {name}"), Tone::Good),
            (false, false, Some(commits)) if self.is_forced => {
                (format!("force-pushed {commits} to {name}"), Tone::Bad)
            }
            (false, false, None) if self.is_forced => (format!("force-pushed {name}"), Tone::Bad),
            (false, false, Some(commits)) => (format!("pushed {commits} to {name}"), Tone::Plain),
            (false, false, None) => (format!("pushed to {name}"), Tone::Plain),
        };
        (deed, Some(name.to_owned()), tone)
    }
}

#[cfg(test)]
mod tests;
