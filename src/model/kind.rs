//! The kinds of senders: a closed set, with the defaults of each.

use std::sync::LazyLock;
use std::time::Duration;

use crate::error::Result;
use crate::model::header::{Header, first_value};
use crate::model::hops;
use crate::signature::{Secret, gitee, standard};

/// The kind of a sender. It decides how requests are verified and how events get their type and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A Gogs server.
    Gogs,
    /// Gitee: repositories, enterprises and pipelines.
    Gitee,
    /// A Gitea server.
    Gitea,
    /// A Forgejo server.
    Forgejo,
    /// GitHub.
    Github,
    /// A GitLab server.
    Gitlab,
    /// Any sender that signs as in the Standard Webhooks specification.
    Standard,
    /// Anything that can POST.
    Generic,
}

names!(SourceKind, "source kind":
    Gogs = "gogs",
    Gitee = "gitee",
    Gitea = "gitea",
    Forgejo = "forgejo",
    Github = "github",
    Gitlab = "gitlab",
    Standard = "standard",
    Generic = "generic",
);

/// The event headers of forges, of those that send several sets their own first.
const EVENT_HEADERS: [(&str, SourceKind); 6] = [
    ("X-Forgejo-Event", SourceKind::Forgejo),
    ("X-Gitea-Event", SourceKind::Gitea),
    ("X-Gogs-Event", SourceKind::Gogs),
    ("X-Gitlab-Event", SourceKind::Gitlab),
    ("X-Gitee-Event", SourceKind::Gitee),
    ("X-GitHub-Event", SourceKind::Github),
];

impl SourceKind {
    /// The kind by which an event is read: of one that another hookbox sent on, that of its first sender.
    pub fn behind(self, headers: &[Header]) -> SourceKind {
        if self != SourceKind::Standard || first_value(headers, hops::HEADER).is_none() {
            return self;
        }
        let mut known = EVENT_HEADERS.iter();
        let found = known.find(|(name, _)| first_value(headers, name).is_some());
        found.map_or(self, |(_, kind)| *kind)
    }

    /// What a known key means, by default.
    ///
    /// Gogs, GitHub and GitLab repeat a key when a person presses Redelivery or Resend (Gogs also at once,
    /// after its own restart). Other senders repeat automatically when an answer got lost.
    pub fn default_on_repeat(self) -> OnRepeat {
        match self {
            SourceKind::Gogs | SourceKind::Github | SourceKind::Gitlab => OnRepeat::Replay,
            SourceKind::Gitee
            | SourceKind::Gitea
            | SourceKind::Forgejo
            | SourceKind::Standard
            | SourceKind::Generic => OnRepeat::Ignore,
        }
    }

    /// How far a signed time may differ from now, by default; `None` for kinds whose requests have no
    /// signed time.
    ///
    /// Gitee's documentation says one hour; the libraries of Standard Webhooks (GitLab signs with it too)
    /// use five minutes.
    pub fn default_tolerance(self) -> Option<Duration> {
        match self {
            SourceKind::Gitee => Some(gitee::TOLERANCE),
            SourceKind::Gitlab | SourceKind::Standard => Some(standard::TOLERANCE),
            SourceKind::Gogs
            | SourceKind::Gitea
            | SourceKind::Forgejo
            | SourceKind::Github
            | SourceKind::Generic => None,
        }
    }

    /// The known types of this kind.
    pub fn event_types(self) -> &'static [&'static str] {
        const GOGS: &[&str] = &[
            "push",
            "create",
            "delete",
            "issues",
            "issue_comment",
            "pull_request",
            "release",
            "fork",
        ];
        const OF_GITEA: &[&str] = &[
            "issue_assign",
            "issue_label",
            "issue_milestone",
            "pull_request_approved",
            "pull_request_rejected",
            "pull_request_comment",
            "pull_request_review",
            "pull_request_review_request",
            "pull_request_sync",
            "repository",
            "wiki",
            "package",
            "status",
            "workflow_run",
            "workflow_job",
        ];
        const OF_FORGEJO: &[&str] = &[
            "action_run_failure",
            "action_run_recover",
            "action_run_success",
        ];
        const GITEE: &[&str] = &[
            "push",
            "tag_push",
            "issue",
            "merge_request",
            "note",
            "pipeline",
            "pipeline.succ",
            "pipeline.fail",
            "pipeline.cancel",
            "pipeline.skip",
        ];
        const GITHUB: &[&str] = &[
            "push",
            "pull_request",
            "pull_request_review",
            "pull_request_review_comment",
            "issues",
            "issue_comment",
            "create",
            "delete",
            "release",
            "check_run",
            "check_suite",
            "commit_comment",
            "deployment",
            "deployment_status",
            "discussion",
            "discussion_comment",
            "fork",
            "gollum",
            "label",
            "member",
            "milestone",
            "package",
            "repository",
            "star",
            "status",
            "workflow_job",
            "workflow_run",
        ];
        const GITLAB: &[&str] = &[
            "push",
            "tag_push",
            "merge_request",
            "issue",
            "confidential_issue",
            "note",
            "confidential_note",
            "pipeline",
            "job",
            "deployment",
            "wiki_page",
            "release",
            "milestone",
            "emoji",
            "feature_flag",
            "member",
        ];
        static GITEA: LazyLock<Vec<&str>> = LazyLock::new(|| [GOGS, OF_GITEA].concat());
        static FORGEJO: LazyLock<Vec<&str>> = LazyLock::new(|| [&GITEA, OF_FORGEJO].concat());
        match self {
            SourceKind::Gogs => GOGS,
            SourceKind::Gitea => &GITEA,
            SourceKind::Forgejo => &FORGEJO,
            SourceKind::Gitee => GITEE,
            SourceKind::Github => GITHUB,
            SourceKind::Gitlab => GITLAB,
            SourceKind::Standard | SourceKind::Generic => &[],
        }
    }

    /// Whether it may send unknown types: GitHub and GitLab have many, and more every year.
    pub fn has_other_types(self) -> bool {
        match self {
            SourceKind::Gogs | SourceKind::Gitea | SourceKind::Forgejo | SourceKind::Gitee => false,
            SourceKind::Github
            | SourceKind::Gitlab
            | SourceKind::Standard
            | SourceKind::Generic => true,
        }
    }

    /// The fields of a body in which this kind sends its secret or an equivalent: they are never shown.
    /// (Old Gogs and Gitea sent theirs this way.)
    pub fn secret_fields(self) -> &'static [&'static str] {
        match self {
            SourceKind::Gitee => &["password", "sign"],
            SourceKind::Gogs | SourceKind::Gitea | SourceKind::Forgejo => &["secret"],
            SourceKind::Github
            | SourceKind::Gitlab
            | SourceKind::Standard
            | SourceKind::Generic => &[],
        }
    }

    /// Checks that this kind can verify with the secret.
    ///
    /// # Errors
    /// [`Error::Misuse`](crate::Error::Misuse) when it cannot, with a way to make a valid secret.
    pub fn check_secret(self, secret: &Secret) -> Result<()> {
        match self {
            SourceKind::Standard => standard::check_verifying(secret),
            SourceKind::Gitlab if secret.expose().starts_with(b"whsec_") => {
                standard::check_verifying(secret)
            }
            _ => Ok(()),
        }
    }
}

/// What hookbox does on a request with a known key, besides the answer that the event is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRepeat {
    /// Nothing.
    Ignore,
    /// A replay, if the request comes long enough after the first one: settled deliveries are sent again,
    /// pending ones are made due now.
    Replay,
}

names!(OnRepeat, "--on-repeat": Ignore = "ignore", Replay = "replay");
