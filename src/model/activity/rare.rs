//! Rare events of GitHub, Gitea and Forgejo: workflow runs, wikis, packages, members, alerts and others.
//! They are read from a tree. An event without a sentence of its own is described by its type, action, name
//! and sender, never by its body.

use super::words::{done, ended, past, path, short, spaced};
use super::{Activity, Tone};
use crate::model::lenient::Tree;

/// The dialect of a payload, where it makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Gogs,
    /// Also Forgejo.
    Gitea,
    Github,
}

impl Dialect {
    /// The page of a branch or tag.
    pub(super) fn tree(self, repository: &str, what: &str, name: &str) -> String {
        let name = path(name);
        match self {
            Dialect::Gogs => format!("{repository}/src/{name}"),
            Dialect::Gitea => format!("{repository}/src/{what}/{name}"),
            Dialect::Github => format!("{repository}/tree/{name}"),
        }
    }
}

/// The path of the object in the body that people created, changed or removed.
fn object_of(event_type: &str) -> &str {
    match event_type {
        "branch_protection_rule" => "rule",
        "code_scanning_alert"
        | "dependabot_alert"
        | "repository_vulnerability_alert"
        | "secret_scanning_alert" => "alert",
        "custom_property" | "organization_custom_property" => "definition",
        "deploy_key" => "key",
        "bypass_request_push_ruleset"
        | "bypass_request_secret_scanning"
        | "dismissal_request_code_scanning"
        | "dismissal_request_dependabot"
        | "dismissal_request_secret_scanning"
        | "exemption_request_push_ruleset" => "exemption_request",
        other => other,
    }
}

/// What people call that object.
fn noun_of(event_type: &str) -> String {
    let noun = match event_type {
        "bypass_request_push_ruleset"
        | "bypass_request_secret_scanning"
        | "exemption_request_push_ruleset" => "bypass request",
        "dependabot_alert" => "Dependabot alert",
        "dismissal_request_code_scanning"
        | "dismissal_request_dependabot"
        | "dismissal_request_secret_scanning" => "dismissal request",
        "hook" => "webhook",
        "installation" => "installation of app",
        "marketplace_purchase" => "marketplace plan",
        "organization_custom_property" => "custom property",
        "personal_access_token_request" => "request for an access token",
        "projects_v2" => "project",
        "projects_v2_item" => "project item",
        "projects_v2_status_update" => "project status",
        "registry_package" => "package",
        "repository_advisory" => "security advisory",
        "repository_ruleset" => "ruleset",
        "repository_vulnerability_alert" => "vulnerability alert",
        other => return spaced(other),
    };
    noun.to_owned()
}

/// Fields that may contain the name of a thing.
const NAMES: [&str; 16] = [
    "plan.name",
    "app_slug",
    "title",
    "name",
    "display_title",
    "rule.description",
    "rule.name",
    "security_advisory.summary",
    "summary",
    "secret_type_display_name",
    "secret_type",
    "property_name",
    "account.login",
    "login",
    "slug",
    "affected_package_name",
];

/// Describes an event; its people and repository are known already, if the payload has them.
pub(super) fn describe(
    event_type: &str,
    json: Tree<'_>,
    dialect: Dialect,
    activity: &mut Activity,
) {
    let places = [
        "organization.login",
        "organization.username",
        "enterprise.name",
        "installation.account.login",
        "package.repository.full_name",
        "run.repository.full_name",
        "package.owner.login",
    ];
    if activity.repository.is_none() {
        activity.repository = json.owned(&places);
    }
    if activity.details.repository_url.is_none() {
        let urls = ["package.repository.html_url", "run.repository.html_url"];
        activity.details.repository_url = json.owned(&urls);
    }
    let mut describer = Describer {
        action: json.text("action").unwrap_or_default(),
        json,
        activity,
    };
    describer.describe(event_type, dialect);
}

struct Describer<'a> {
    json: Tree<'a>,
    action: &'a str,
    activity: &'a mut Activity,
}

/// A run of a workflow, a check or similar.
struct Run<'a> {
    what: String,
    status: &'a str,
    branch: Option<&'a str>,
    /// Its own title, or the branch that it ran for.
    about: Option<&'a str>,
    url: Option<&'a str>,
}

impl Describer<'_> {
    fn describe(&mut self, event_type: &str, dialect: Dialect) {
        match event_type {
            "status" | "deployment_status" | "page_build" | "workflow_run" | "workflow_job"
            | "check_run" | "check_suite" | "repository_import" | "action_run_failure"
            | "action_run_success" | "action_run_recover" => self.ran(event_type),
            "deployment" => self.deployment(),
            "wiki" => self.wiki_page(dialect),
            "gollum" => self.wiki_pages(),
            "repository" => self.repository(),
            "public" => self.did("made the repository public".to_owned(), None),
            "star" if self.action == "deleted" => {
                self.did("took back a star".to_owned(), None);
                self.activity.details.tone = Tone::Quiet;
            }
            "star" | "watch" => self.did("starred it".to_owned(), None),
            "member" | "membership" | "organization" | "team_add" | "org_block" => {
                self.people(event_type);
            }
            "commit_comment" | "discussion_comment" | "pull_request_review_thread" => {
                self.talk(event_type);
            }
            "sub_issues" | "issue_dependencies" => self.related(event_type),
            "deployment_review" | "deployment_protection_rule" => self.review(event_type),
            "ping" => self.named("ping"),
            "meta" => self.did("removed the webhook".to_owned(), None),
            "installation_repositories" => {
                let deed = match self.action {
                    "removed" => "took repositories from an app",
                    _ => "gave an app access to more repositories",
                };
                self.did(deed.to_owned(), None);
            }
            "repository_dispatch" => self.did(format!("dispatched {}", self.action), None),
            "workflow_dispatch" => {
                let name = self.json.text("workflow").unwrap_or("a workflow");
                let deed = format!("dispatched {}", name.rsplit('/').next().unwrap_or(name));
                self.did(deed, None);
            }
            _ => self.thing(event_type),
        }
        self.activity.stands_alone = true;
    }

    fn did(&mut self, deed: String, url: Option<String>) {
        self.activity.deed = deed;
        self.activity.details.tone = Tone::of_action(self.action);
        if url.is_some() {
            self.activity.details.url = url;
        }
    }

    /// Describes it only by its name and its sender.
    fn named(&mut self, name: &str) {
        self.did(name.to_owned(), None);
        self.activity.name_person_last();
    }

    fn ran(&mut self, event_type: &str) {
        let tree = self.json;
        let run = run_of(event_type, tree, self.action);
        let (words, tone) = ended(run.status);
        let mut deed = format!("{} {words}", run.what);
        let branch = run.branch.map(|branch| short(branch).1.to_owned());
        if let Some(branch) = &branch {
            deed = format!("{deed} on {branch}");
        }
        if let Some(about) = run.about {
            let line = about.lines().next().unwrap_or_default();
            deed = format!("{deed}: {line}");
        }
        let triggers = ["run.trigger_user.login", "run.trigger_user.username"];
        if self.activity.actor.is_none() {
            self.activity.actor = tree.owned(&triggers);
        }
        let is_page = |url: &&str| url.starts_with("http");
        let url = run.url.filter(is_page).map(str::to_owned);
        self.did(deed, url);
        self.activity.name_person_last();
        self.activity.details.tone = tone;
        self.activity.branch = branch;
    }

    fn deployment(&mut self) {
        let tree = self.json;
        let reference = tree.text("deployment.ref").map(|name| short(name).1);
        let what = reference.unwrap_or("something");
        let place = tree.text("deployment.environment").unwrap_or("somewhere");
        let url = tree.first(&["workflow_run.html_url", "workflow.html_url"]);
        let deed = format!("began to deploy {what} to {place}");
        self.did(deed, url.map(str::to_owned));
        self.activity.details.tone = Tone::Plain;
        let is_commit =
            |name: &&str| name.len() == 40 && name.bytes().all(|b| b.is_ascii_hexdigit());
        self.activity.branch = reference.filter(|name| !is_commit(name)).map(str::to_owned);
        self.activity.details.text = tree.owned(&["deployment.description"]);
    }

    fn wiki_page(&mut self, dialect: Dialect) {
        let page = self.json.text("page").unwrap_or("a page").to_owned();
        let remark = self.json.text("comment");
        let remark = remark.map_or_else(String::new, |text| format!(" ({text})"));
        let repository = self.activity.details.repository_url.clone();
        let is_there = self.action != "deleted" && dialect != Dialect::Github;
        let url = repository.filter(|_| is_there);
        let url = url.map(|repository| format!("{repository}/wiki/{}", path(&page)));
        let deed = done(self.action, &format!("wiki page {page}{remark}"));
        self.did(deed, url);
    }

    fn wiki_pages(&mut self) {
        let pages: Vec<Tree<'_>> = self.json.items("pages").collect();
        let first = pages.first().copied().unwrap_or_default();
        let name = |page: Tree<'_>| {
            page.first(&["title", "page_name"])
                .unwrap_or("a page")
                .to_owned()
        };
        let deed = match pages.len() {
            0 | 1 => {
                let action = first.text("action").unwrap_or("edited");
                done(action, &format!("wiki page {}", name(first)))
            }
            count => {
                let names: Vec<String> = pages.iter().copied().take(3).map(name).collect();
                format!("changed {count} wiki pages: {}", names.join(", "))
            }
        };
        let url = first.owned(&["html_url"]);
        self.did(deed, url);
    }

    fn repository(&mut self) {
        let tree = self.json;
        let from = tree.first(&[
            "changes.repository.name.from",
            "changes.owner.from.user.login",
            "changes.owner.from.organization.login",
            "changes.default_branch.from",
        ]);
        let what = match (tree.text("changes.default_branch.from"), from) {
            (Some(_), _) => "the default branch",
            (None, _) => "the repository",
        };
        let mut deed = done(self.action, what);
        if let Some(from) = from {
            let from = if self.action == "edited" {
                format!(" (it was {from})")
            } else {
                format!(" from {from}")
            };
            deed.push_str(&from);
        }
        let url = self.activity.details.repository_url.clone();
        let url = url.filter(|_| self.action != "deleted");
        self.did(deed, url);
    }

    fn people(&mut self, event_type: &str) {
        let tree = self.json;
        let who = tree.first(&[
            "member.login",
            "membership.user.login",
            "invitation.login",
            "user.login",
            "blocked_user.login",
        ]);
        let who = who.unwrap_or("somebody");
        let team = tree.text("team.name").unwrap_or("a team");
        let place = if event_type == "membership" {
            format!("team {team}")
        } else if event_type == "member" {
            "the repository".to_owned()
        } else {
            "the organisation".to_owned()
        };
        let deed = match (event_type, self.action) {
            ("team_add", _) => format!("gave team {team} access"),
            (_, "added" | "member_added") => format!("added {who} to {place}"),
            (_, "removed" | "member_removed") => format!("removed {who} from {place}"),
            (_, "member_invited") => format!("invited {who} to {place}"),
            ("organization", "renamed") => {
                let from = tree.text("changes.login.from");
                let from = from.map_or_else(String::new, |from| format!(" from {from}"));
                format!("renamed {place}{from}")
            }
            ("organization", action) => done(action, &place),
            (_, action) => done(action, who),
        };
        self.did(deed, None);
        self.activity.details.tone = match self.action {
            "removed" | "member_removed" | "deleted" => Tone::Bad,
            _ => Tone::Plain,
        };
    }

    fn talk(&mut self, event_type: &str) {
        let tree = self.json;
        let commit = tree.text("comment.commit_id").unwrap_or_default();
        let (object, what) = match event_type {
            "commit_comment" => {
                let id: String = commit.chars().take(7).collect();
                ("comment", format!("commit {id}"))
            }
            "discussion_comment" => ("discussion", numbered("discussion", tree, "discussion")),
            _ => (
                "pull_request",
                numbered("pull request", tree, "pull_request"),
            ),
        };
        let deed = match (event_type, self.action) {
            ("pull_request_review_thread", action) => {
                format!("{} a thread of {what}", past(action))
            }
            (_, "created") => format!("commented on {what}"),
            (_, action) => format!("{} a comment on {what}", past(action)),
        };
        let url = tree.first(&[
            "comment.html_url",
            "thread.comments.html_url",
            &format!("{object}.html_url"),
        ]);
        self.did(deed, url.map(str::to_owned));
        self.activity.title = tree.owned(&[&format!("{object}.title")]);
        self.activity.details.tone = Tone::Plain;
        if matches!(self.action, "created" | "edited") {
            self.activity.details.text = tree.owned(&["comment.body"]);
        }
        self.activity.branch = tree.owned(&["pull_request.base.ref"]);
    }

    /// One issue became part of another, or is blocked by it.
    fn related(&mut self, event_type: &str) {
        let tree = self.json;
        let number = |object: &str| tree.text(&format!("{object}.number"));
        let (one, other, how) = match event_type {
            "sub_issues" => ("sub_issue", "parent_issue", "a part of"),
            _ => ("blocked_issue", "blocking_issue", "blocked by"),
        };
        let (Some(first), Some(second)) = (number(one), number(other)) else {
            return self.thing(event_type);
        };
        let made = match self.action.ends_with("removed") {
            true => "no longer ",
            false => "",
        };
        let deed = format!("made issue #{first} {made}{how} #{second}");
        let url = tree.owned(&[&format!("{one}.html_url")]);
        self.did(deed, url);
        self.activity.title = tree.owned(&[&format!("{one}.title")]);
    }

    /// A deployment waits for a person's approval, or was approved or rejected.
    fn review(&mut self, event_type: &str) {
        let tree = self.json;
        let place = tree.first(&["environment", "workflow_job_run.environment"]);
        let place = place.map_or_else(String::new, |place| format!(" to {place}"));
        let approver = tree.owned(&["approver.login"]);
        let requested = tree.owned(&["requestor.login"]);
        let deed = match (event_type, self.action) {
            ("deployment_review", "approved") => format!("approved the deployment{place}"),
            ("deployment_review", "rejected") => format!("rejected the deployment{place}"),
            _ => format!("asked for leave to deploy{place}"),
        };
        self.activity.actor = approver.or(requested).or(self.activity.actor.take());
        let url = tree.first(&["workflow_run.html_url", "deployment.html_url"]);
        self.did(deed, url.map(str::to_owned));
        if self.action == "rejected" {
            self.activity.details.tone = Tone::Bad;
        }
    }

    /// Something was created, changed or removed.
    fn thing(&mut self, event_type: &str) {
        let tree = self.json;
        let object = tree.at(object_of(event_type));
        let mut what = noun_of(event_type);
        let name = object.owned(&NAMES);
        let version = object.first(&["package_version.version", "version"]);
        match (object.text("number"), &name) {
            (Some(number), _) => what = format!("{what} #{number}"),
            (None, Some(name)) => what = format!("{what} {name}"),
            (None, None) => {}
        }
        if let Some(version) = version {
            what = format!("{what} {version}");
        }
        if object.has("number") {
            self.activity.title = name;
        }
        let action = self.action;
        let is_phrase = |action: &str| past(action) == spaced(action) && action.contains('_');
        let deed = match (self.activity.actor.is_some(), action) {
            (_, "") => return self.named(&what),
            // Some actions do not apply to a thing as an object: `checks_requested`.
            (_, action) if is_phrase(action) && done(action, "").trim() == spaced(action) => {
                return self.named(&format!("{what}: {}", spaced(action)));
            }
            (true, action) => done(action, &what),
            (false, action) => format!("{what} {}", past(action)),
        };
        let url = object.first(&["html_url", "external_url"]);
        let url = url.filter(|_| action != "deleted").map(str::to_owned);
        self.did(deed, url);
        let is_alert = event_type.contains("alert") || event_type.contains("advisory");
        let details = &mut self.activity.details;
        if is_alert {
            details.tone = match action {
                "fixed" | "resolved" | "closed_by_user" | "dismissed" | "auto_dismissed"
                | "withdrawn" | "resolve" | "dismiss" | "validated" => Tone::Done,
                _ => Tone::Bad,
            };
        }
        if matches!(action, "created" | "opened" | "edited") {
            details.text = object.owned(&["body", "description"]);
        }
        details.add_list("Labels", object, "labels", &["name"]);
    }
}

/// A thing with its number: `discussion #9`.
fn numbered(noun: &str, tree: Tree<'_>, object: &str) -> String {
    match tree.text(&format!("{object}.number")) {
        Some(number) => format!("{noun} #{number}"),
        None => format!("a {noun}"),
    }
}

/// What is shown of a run.
fn run_of<'a>(event_type: &str, tree: Tree<'a>, action: &'a str) -> Run<'a> {
    let object = tree.at(event_type);
    let named = |noun: &str, name: Option<&str>| match name {
        Some(name) => format!("{noun} {name}"),
        None => noun.to_owned(),
    };
    // The conclusion is preferred over the status.
    let status = object
        .first(&["conclusion", "status"])
        .filter(|status| *status != "completed");
    let status = status.unwrap_or(if action.is_empty() { "ended" } else { action });
    let status = match action {
        "rerequested" => action,
        _ => status,
    };
    let run = Run {
        what: String::new(),
        status,
        branch: object.text("head_branch"),
        about: None,
        url: object.text("html_url"),
    };
    match event_type {
        "status" => Run {
            what: named("status", tree.text("context")),
            status: tree.text("state").unwrap_or("changed"),
            branch: tree
                .items("branches")
                .next()
                .and_then(|branch| branch.text("name")),
            about: tree.text("description"),
            url: tree.first(&["target_url", "commit.html_url", "commit.url"]),
        },
        "deployment_status" => Run {
            what: match tree.first(&["deployment_status.environment", "deployment.environment"]) {
                Some(place) => format!("deployment to {place}"),
                None => "deployment".to_owned(),
            },
            status: object.text("state").unwrap_or("changed"),
            branch: tree.text("deployment.ref").filter(|name| name.len() < 40),
            about: object.text("description"),
            url: object.first(&["log_url", "target_url", "environment_url"]),
        },
        "page_build" => Run {
            what: "page build".to_owned(),
            status: tree.text("build.status").unwrap_or("ended"),
            branch: None,
            about: tree.text("build.error.message"),
            url: None,
        },
        "repository_import" => Run {
            what: "import of the repository".to_owned(),
            status: tree.text("status").unwrap_or("ended"),
            ..run
        },
        "workflow_run" => {
            let name = object.first(&["name"]).or(tree.text("workflow.name"));
            let what = named("workflow", name);
            Run {
                what: match object.text("run_number") {
                    Some(number) => format!("{what} #{number}"),
                    None => what,
                },
                about: object.text("display_title"),
                ..run
            }
        }
        "workflow_job" => Run {
            what: match object.text("workflow_name") {
                Some(workflow) => format!(
                    "{} of workflow {workflow}",
                    named("job", object.text("name"))
                ),
                None => named("job", object.text("name")),
            },
            ..run
        },
        "check_run" => Run {
            what: named("check", object.text("name")),
            branch: object.text("check_suite.head_branch"),
            about: object.text("output.title"),
            ..run
        },
        "check_suite" => Run {
            what: match object.text("app.name") {
                Some(app) => format!("check suite of {app}"),
                None => "check suite".to_owned(),
            },
            about: object.text("head_commit.message"),
            ..run
        },
        // Forgejo's form.
        _ => {
            let run = tree.at("run");
            let what = named("workflow", run.text("workflow_id"));
            Run {
                what: match run.text("index_in_repo") {
                    Some(number) => format!("{what} #{number}"),
                    None => what,
                },
                status: match (run.text("status"), event_type) {
                    (Some(status), _) => status,
                    (None, "action_run_failure") => "failure",
                    (None, _) => "success",
                },
                branch: run.text("prettyref").filter(|name| !name.starts_with('#')),
                about: run.text("title"),
                url: run.text("html_url"),
            }
        }
    }
}
