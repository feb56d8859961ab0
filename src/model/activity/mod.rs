//! What an event says happened: who did what to which repository, read from its body.
//!
//! Pure, and lenient: a field that is missing or of another shape is not told of, and no body is
//! ever refused here. One file a dialect: `gogs` (with Gitea, Forgejo and GitHub, whose payloads
//! descend from one another; `kin` has the events that come seldom), `gitee`, `gitlab`; `words` has how
//! things are put. Each is read at two depths: [`Facts`] when an event
//! comes in, a few fields of it; an [`Activity`] with its [`Details`] when it is told in a chat.

use std::borrow::Cow;

use crate::model::header::{Header, first_value};
use crate::model::kind::SourceKind;
use crate::model::lenient;
use crate::model::line::one_line;
use crate::signature::form;

mod details;
mod gitee;
mod gitlab;
mod gitlab_rest;
mod gogs;
mod kin;
mod reading;
mod tree;
mod words;

pub use details::{Commit, Details, Tone};
use reading::{Full, Summary};
use words::{is_branch, is_zero, short};

/// Longest summary, in characters: one line of a list.
const SUMMARY_CHARS_MAX: usize = 200;

/// Who did what, where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// Who: the login, where there is one.
    pub actor: Option<String>,
    /// What, in the past tense: `pushed 2 commits to main`.
    pub deed: String,
    /// Where: `owner/name`.
    pub repository: Option<String>,
    /// The title of the issue or the like that it is about.
    pub title: Option<String>,
    /// The short name of the branch or tag that it is about; of a merge, the one merged into.
    pub branch: Option<String>,
    /// Whether what was done says enough without who and where, since it names what it is about.
    pub stands_alone: bool,
    /// What a chat tells besides; empty unless it was asked for.
    pub details: Details,
}

/// What the store keeps of it beside the body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// One line for lists.
    pub summary: Option<String>,
    /// What `--branches` asks about.
    pub branch: Option<String>,
    /// Whether the body (of a form hook, its one field) is JSON.
    pub is_json: bool,
}

impl Facts {
    /// Reads a body as this kind of producer writes it; `None` for an event of no source.
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
        let (activity, is_json) = match kind {
            Some(kind) => read::<Summary>(kind, event_type, &json)
                .unwrap_or_else(|| (Activity::default(), lenient::is_json(&json))),
            None => (Activity::default(), lenient::is_json(&json)),
        };
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

/// What a git server's event says, of one of these dialects.
fn read<R: reading::Reading>(
    kind: SourceKind,
    event_type: &str,
    json: &[u8],
) -> Option<(Activity, bool)> {
    use kin::Dialect;
    let read = match kind {
        SourceKind::Gogs => gogs::read::<R>(event_type, json, Dialect::Gogs),
        SourceKind::Gitea | SourceKind::Forgejo => {
            gogs::read::<R>(event_type, json, Dialect::Gitea)
        }
        SourceKind::Github => gogs::read::<R>(event_type, json, Dialect::Github),
        SourceKind::Gitee => gitee::read::<R>(event_type, json),
        SourceKind::Gitlab => gitlab::read::<R>(event_type, json),
        SourceKind::Standard | SourceKind::Generic => return None,
    };
    let (mut activity, is_json) = read;
    activity.link_actor();
    Some((activity, is_json))
}

/// Whether it was sent by a button for trying a hook. Gitee's sends what looks like the real thing.
fn is_test(kind: Option<SourceKind>, headers: &[Header]) -> bool {
    kind == Some(SourceKind::Gitee) && first_value(headers, "x-gitee-ping") == Some("true")
}

/// The JSON of a body: of a form hook, the field that holds it.
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
    /// Where what happened comes first, who did it is said at the end of it.
    fn name_person_last(&mut self) {
        if let Some(actor) = self.actor.take() {
            self.deed = format!("{}, by {actor}", self.deed);
        }
    }

    /// What an event of a git server says, with its details; `None` for any other, and where
    /// nothing can be read from it.
    ///
    /// ```
    /// use hookbox::model::activity::{Activity, Tone};
    /// use hookbox::model::kind::SourceKind;
    /// let body = br#"{"action":"opened","number":5,"sender":{"login":"mira"},
    ///     "issue":{"number":5,"title":"The lamp is dark","body":"Since Monday."},
    ///     "repository":{"full_name":"lighthouse/beacon","html_url":"https://git.example.org/l/b"}}"#;
    /// let activity = Activity::read(SourceKind::Gogs, "issues", None, &[], body).expect("is told");
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
        let (mut activity, _) = read::<Full>(kind, event_type, &json)?;
        if is_test(Some(kind), headers) {
            activity.deed = format!("tried the hook: {}", activity.deed);
            activity.details.tone = Tone::Quiet;
        }
        activity.is_known().then_some(activity)
    }

    /// Whether there is something to tell: what was done, and by whom, where or to what.
    fn is_known(&self) -> bool {
        let known = [&self.actor, &self.repository, &self.branch];
        let is_placed = self.stands_alone || known.iter().any(|part| part.is_some());
        !self.deed.is_empty() && is_placed
    }

    /// Links whoever did it, where the payload lets one know the server: the repository's page is one
    /// of its pages, and a person's page has the name.
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

    /// One line: `lighthouse/beacon: mira opened issue #5: The lamp is dark`. `None` when
    /// neither who nor where is known.
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

/// A push, as every dialect has it.
struct Push<'a> {
    /// `refs/heads/main`, `refs/tags/v1`.
    reference: Option<&'a str>,
    before: Option<&'a str>,
    after: Option<&'a str>,
    /// Commits listed, or their total where the payload has one.
    commits: usize,
    /// Whether the list may be cut.
    or_more: bool,
    /// Whether it was moved to where it did not lead.
    is_forced: bool,
}

impl Push<'_> {
    /// What was done, the short name of the branch or tag, and how it is to be taken.
    fn told(&self) -> (String, Option<String>, Tone) {
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
