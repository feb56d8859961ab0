//! The pages, one file each, and the frame around them.
//!
//! Pure: they get what they show and what is around it, and return HTML. maud escapes every value.

mod attempt;
mod body;
mod deliveries;
mod delivery;
mod endpoint;
mod event;
mod events;
mod login;
mod outages;
mod overview;
mod parts;
mod replay;
mod source;

use maud::{DOCTYPE, Markup, html};

pub(super) use attempt::difference;
pub(super) use deliveries::{DeliveriesView, deliveries};
pub(super) use delivery::{DeliveryView, delivery};
pub(super) use endpoint::{endpoint, endpoints};
pub(super) use event::event;
pub(super) use events::{EventsView, events};
pub(super) use login::login;
pub(super) use outages::outages;
pub(super) use overview::{OverviewView, overview};
pub(super) use replay::{NewReplayView, new_replay, replay, replays};
pub(super) use source::{source, sources};

use crate::model::id::BoxId;
use crate::time::Timestamp;

/// The one style sheet.
pub(super) const STYLE: &str = include_str!("style.css");

/// The one script: it keeps what is shown up to date. Every page works without it.
pub(super) const SCRIPT: &str = include_str!("live.js");

/// What is around a page, whatever it shows.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) box_id: &'a BoxId,
    pub(super) now: Timestamp,
    /// What forms carry.
    pub(super) token: &'a str,
    /// Whether whoever looks may change something.
    pub(super) may_change: bool,
    /// Whether whoever looks has logged in.
    pub(super) has_login: bool,
    /// Why nothing can be written now.
    pub(super) trouble: Option<&'a str>,
}

/// The frame: head, navigation, main.
fn frame(around: &Around<'_>, title: &str, here: &str, main: &Markup) -> String {
    let links = [
        ("/", "Overview"),
        ("/deliveries", "Deliveries"),
        ("/events", "Events"),
        ("/endpoints", "Endpoints"),
        ("/sources", "Sources"),
        ("/replays", "Replays"),
        ("/outages", "Outages"),
    ];
    let inside = html! {
        header.top {
            a.brand href="/" { "hookbox" }
            nav aria-label="Pages" {
                @for (path, name) in links {
                    a href=(path) aria-current=[(path == here).then_some("page")] { (name) }
                }
            }
            @if around.has_login {
                form.logout method="post" action="/logout" {
                    input type="hidden" name="token" value=(around.token);
                    button.quiet type="submit" { "Log out" }
                }
            }
        }
        main #main {
            @if let Some(trouble) = around.trouble {
                p.problem role="alert" {
                    "Nothing can be written, so nothing is taken in and nothing is sent: " (trouble)
                }
            }
            (main)
        }
        footer {
            "hookbox " (env!("CARGO_PKG_VERSION")) " · times in UTC"
            @if !around.may_change { " · you may look, and change nothing" }
        }
    };
    whole(title, true, &inside)
}

/// A whole document.
fn whole(title: &str, is_live: bool, inside: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · hookbox" }
                link rel="stylesheet" href="/style.css";
                @if is_live { script src="/live.js" defer {} }
            }
            body {
                a.skip href="#main" { "Skip to content" }
                (inside)
            }
        }
    }
    .into_string()
}

/// A page that says what went wrong.
pub(super) fn problem(around: &Around<'_>, status: u16, text: &str) -> String {
    let title = match status {
        404 => "Not found",
        400 => "That cannot be done",
        403 => "That may not be done",
        503 => "Not now",
        _ => "Something went wrong",
    };
    let main = html! {
        h1 { (title) }
        p.problem role="alert" { (text) }
        p { a href="/" { "Back to the overview" } }
    };
    frame(around, title, "", &main)
}
