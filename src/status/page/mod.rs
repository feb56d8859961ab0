//! The pages, one file each, and the frame around them.
//!
//! Pure: a page gets what it shows and a [`PageContext`], and returns HTML. maud escapes every value. The
//! words of the pages are in `texts`, in four languages.

mod alerts;
mod attempt;
mod body;
mod chart;
mod context;
mod deliveries;
mod delivery;
mod endpoint;
mod event;
mod events;
mod fields;
mod frame;
mod json;
mod login;
mod outages;
mod overview;
mod parts;
mod preview;
mod replay;
mod source;
mod spans;
mod texts;
mod verdict;

pub(super) use alerts::alerts;
pub(super) use attempt::difference;
pub(super) use context::{PageContext, Returned};
pub(super) use deliveries::{DeliveriesView, cancelling, deliveries};
pub(super) use delivery::{DeliveryView, delivery};
pub(super) use endpoint::{EndpointView, endpoint, endpoints};
pub(super) use event::{EventView, event};
pub(super) use events::{EventsView, FoundEvent, events};
pub(super) use frame::problem;
pub(super) use json::indented_text;
pub(super) use login::login;
pub(super) use outages::outages;
pub(super) use overview::{OverviewView, overview};
pub(super) use parts::{asked, without};
pub(super) use preview::{Chosen, Edit, NewReplayView, new_replay};
pub(super) use replay::{replay, replays};
pub(super) use source::{source, sources};
pub(super) use texts::Language;
pub(super) use verdict::Judged;

/// The only style sheet.
pub(super) const STYLE: &str = include_str!("style.css");

/// The only script: it refreshes what is shown, and listens to keys.
///
/// Every page works without it.
pub(super) const SCRIPT: &str = include_str!("live.js");

/// The icon of the pages in browser tabs.
pub(super) const ICON: &str = include_str!("icon.svg");

/// The colour of the icon while all is well; where it is not, the icon has another one.
pub(super) const ICON_COLOUR: &str = "#0b5cad";
