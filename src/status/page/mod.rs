//! The pages, one file each, and the frame around them.
//!
//! Pure: they get what they show and the time it is, and return HTML. maud escapes every value.

mod body;
mod deliveries;
mod delivery;
mod event;
mod overview;
mod parts;
mod source;

use maud::{DOCTYPE, Markup, html};

pub(super) use deliveries::{DeliveriesView, deliveries};
pub(super) use delivery::{DeliveryView, delivery};
pub(super) use event::event;
pub(super) use overview::{OverviewView, overview};
pub(super) use source::source;

/// The one style sheet.
pub(super) const STYLE: &str = include_str!("style.css");

/// The frame: head, navigation, main.
fn frame(title: &str, here: &str, main: &Markup) -> String {
    let links = [("/", "Overview"), ("/deliveries", "Deliveries")];
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · hookbox" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                a.skip href="#main" { "Skip to content" }
                header.top {
                    a.brand href="/" { "hookbox" }
                    nav aria-label="Pages" {
                        @for (path, name) in links {
                            a href=(path) aria-current=[(path == here).then_some("page")] { (name) }
                        }
                    }
                }
                main #main { (main) }
                footer { "hookbox " (env!("CARGO_PKG_VERSION")) " · times in UTC" }
            }
        }
    }
    .into_string()
}

/// A page that says what went wrong.
pub(super) fn problem(status: u16, text: &str) -> String {
    let title = match status {
        404 => "Not found",
        400 => "That cannot be done",
        503 => "Not now",
        _ => "Something went wrong",
    };
    let main = html! {
        h1 { (title) }
        p.problem role="alert" { (text) }
        p { a href="/" { "Back to the overview" } }
    };
    frame(title, "", &main)
}
