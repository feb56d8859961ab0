//! GitLab's system hooks and other rare events: people, projects, groups, keys, milestones,
//! vulnerabilities. They are read from a tree. An event without a sentence of its own is described by its
//! name.

use super::words::{past, spaced};
use super::{Activity, Tone};
use crate::model::lenient::Tree;

/// Describes an event; its people and project are known already, if the payload has them.
pub(super) fn describe(event_type: &str, tree: Tree<'_>, activity: &mut Activity) {
    // Group hooks have the general name in the header and the exact name in the body.
    let event_type = match event_type {
        "member" | "project" | "subgroup" => tree.text("event_name").unwrap_or(event_type),
        event_type => event_type,
    };
    let places = [
        "path_with_namespace",
        "project_path_with_namespace",
        "full_path",
        "group.full_path",
        "group_path",
    ];
    if activity.repository.is_none() {
        activity.repository = tree.owned(&places);
    }
    if activity.repository.is_none() && event_type.contains("group_") {
        activity.repository = tree.owned(&["path", "name"]);
    }
    let about = tree.at("object_attributes");
    let of_system = of_system(event_type, tree, activity);
    let (deed, tone) = match event_type {
        _ if of_system.is_some() => of_system.unwrap_or_default(),
        "milestone" => {
            let action = tree.first(&["action", "object_attributes.action"]);
            let action = action.unwrap_or("update");
            let title = about.text("title").unwrap_or_default();
            activity.details.text = about.owned(&["description"]);
            (
                format!("{} milestone {title}", past(action)),
                Tone::of_action(action),
            )
        }
        "feature_flag" => {
            let name = about.text("name").unwrap_or_default();
            let state = if about.has("active") { "on" } else { "off" };
            (format!("turned feature flag {name} {state}"), Tone::Plain)
        }
        "emoji" => {
            let name = about.text("name").unwrap_or("something");
            let on = about.text("awardable_type").unwrap_or("something");
            let on = match on {
                "MergeRequest" => "a merge request".to_owned(),
                "Note" => "a comment".to_owned(),
                "Issue" => "an issue".to_owned(),
                other => format!("a {}", other.to_lowercase()),
            };
            let verb = match tree.text("event_type") {
                Some("revoke") => "took back",
                _ => "gave",
            };
            (format!("{verb} :{name}: for {on}"), Tone::Quiet)
        }
        "vulnerability" => {
            let state = about.text("state").unwrap_or("changed");
            activity.title = about.owned(&["title"]);
            let tone = match state {
                "resolved" | "dismissed" => Tone::Done,
                _ => Tone::Bad,
            };
            (format!("vulnerability {}", spaced(state)), tone)
        }
        "access_token" | "resource_access_token" => {
            let name = about.text("name").unwrap_or_default();
            let ends = about.text("expires_at").unwrap_or("soon");
            (format!("access token {name} ends on {ends}"), Tone::Bad)
        }
        "repository_update" => ("updated the repository".to_owned(), Tone::Plain),
        other => {
            activity.deed = spaced(other);
            activity.name_person_last();
            (std::mem::take(&mut activity.deed), Tone::Plain)
        }
    };
    activity.deed = deed;
    let details = &mut activity.details;
    details.tone = tone;
    if details.url.is_none() {
        details.url = about.owned(&["url"]);
    }
    activity.stands_alone = true;
}

/// Describes a system hook, or a hook about people and groups. These name the people concerned, but not the
/// person who did it.
fn of_system(event: &str, tree: Tree<'_>, activity: &mut Activity) -> Option<(String, Tone)> {
    let name = tree.first(&["username", "user_username", "user_name", "name"]);
    let name = name.unwrap_or("somebody");
    let level = tree.first(&["access_level", "project_access", "group_access"]);
    let level = level.map_or_else(String::new, |level| format!(" as {}", level.to_lowercase()));
    let old = tree.first(&[
        "old_username",
        "old_path_with_namespace",
        "old_full_path",
        "old_path",
    ]);
    let from = old.map_or_else(String::new, |old| format!(" (it was {old})"));
    let blocked = tree.text("state").filter(|state| state.contains("blocked"));
    let place = match event.ends_with("_group") {
        true => "the group",
        false => "the project",
    };
    let (deed, tone) = match event {
        "user_create" => (format!("user {name} created"), Tone::Good),
        "user_destroy" => (format!("user {name} deleted"), Tone::Bad),
        "user_rename" => (format!("user {name} renamed{from}"), Tone::Plain),
        "user_failed_login" => {
            let why = blocked.map_or_else(String::new, |state| format!(" ({})", spaced(state)));
            (format!("user {name} could not log in{why}"), Tone::Bad)
        }
        "user_add_to_team" | "user_add_to_group" => {
            (format!("{name} added to {place}{level}"), Tone::Good)
        }
        "user_update_for_team" | "user_update_for_group" => {
            (format!("{name} is in {place}{level} now"), Tone::Plain)
        }
        "user_remove_from_team" | "user_remove_from_group" => {
            (format!("{name} removed from {place}"), Tone::Bad)
        }
        _ if event.starts_with("user_access_request") => {
            let what = match event {
                _ if event.contains("_denied_") => "was refused access to",
                _ if event.contains("_revoked_") => "took back the request for access to",
                _ => "asks for access to",
            };
            (format!("{name} {what} {place}"), Tone::Plain)
        }
        "key_create" | "key_destroy" => {
            let verb = past(event.trim_start_matches("key_"));
            (
                format!("SSH key of {name} {verb}"),
                Tone::of_action(&event[4..]),
            )
        }
        "project_create" => ("project created".to_owned(), Tone::Good),
        "project_destroy" => ("project deleted".to_owned(), Tone::Bad),
        "project_rename" => (format!("project renamed{from}"), Tone::Plain),
        "project_transfer" => (format!("project transferred{from}"), Tone::Plain),
        "project_update" => ("project updated".to_owned(), Tone::Plain),
        "group_create" | "subgroup_create" => ("group created".to_owned(), Tone::Good),
        "group_destroy" | "subgroup_destroy" => ("group deleted".to_owned(), Tone::Bad),
        "group_rename" => (format!("group renamed{from}"), Tone::Plain),
        "gitlab_subscription_member_approval" | "gitlab_subscription_member_approvals" => {
            let action = tree.text("action").unwrap_or("asked for");
            (
                format!("approval of new members {}", past(action)),
                Tone::Plain,
            )
        }
        _ => return None,
    };
    activity.actor = None;
    Some((deed, tone))
}
