//! The preview of a replay, and the form that starts it.

use maud::{Markup, Render, html};

use super::context::PageContext;
use super::frame::frame;
use super::parts::{progress, size, table};
use crate::model::replay::ReplayKind;
use crate::model::settings::{Listing, Selection};
use crate::store::{Original, Preview, Stopped};

/// The preview of a replay.
pub(in crate::status) struct NewReplayView {
    pub(in crate::status) chosen: Chosen,
    /// The fields as they came; the form shows them again.
    pub(in crate::status) fields: Vec<(String, String)>,
    /// `None` if nothing was chosen yet, or an event and no target.
    pub(in crate::status) preview: Option<Preview>,
    /// Whether the preview is of the deliveries as they are, since what was filled in cannot be.
    pub(in crate::status) is_plain: bool,
    /// Names of the endpoints that the replay could go to.
    pub(in crate::status) endpoints: Vec<String>,
}

/// The deliveries that a replay is for.
pub(in crate::status) enum Chosen {
    /// What is given by id, and how the body of the event can be edited, if it is one event.
    Named(Vec<Original>, Option<Edit>),
    /// Deliveries of a filter.
    Filtered(ReplayKind, Selection),
}

impl Chosen {
    /// Whether an event is among them, so that the endpoint that gets it must be named.
    pub(in crate::status) fn needs_target(&self) -> bool {
        match self {
            Chosen::Named(named, _) => named.iter().any(|one| matches!(one, Original::Event(_))),
            Chosen::Filtered(..) => false,
        }
    }
}

/// How a body can be edited on a page.
pub(in crate::status) enum Edit {
    /// It can be edited: this is its text, indented if it is JSON in one line.
    Text(String),
    /// It cannot be edited: it holds a secret that no page shows.
    Secret,
    /// It cannot be edited: it is too long, or not text.
    Not,
}

impl NewReplayView {
    fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(held, _)| held == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

pub(in crate::status) fn new_replay(context: &PageContext<'_>, view: &NewReplayView) -> String {
    let t = &context.texts.replays;
    let list = html! { a href="/deliveries" { (t.the_list) } };
    let of = match &view.chosen {
        Chosen::Named(..) if view.chosen.needs_target() => t.to_whom.into(),
        Chosen::Named(named, _) => context.fill(t.of_named, &[("count", &named.len())]),
        Chosen::Filtered(kind, what) => {
            let text = match kind {
                ReplayKind::Replay => t.of,
                ReplayKind::Recover => t.recover_of,
                ReplayKind::Backfill => t.backfill_of,
            };
            context.fill(text, &[("what", &context.selection(what))])
        }
    };
    let main = html! {
        h1 { (t.new_title) }
        @if view.preview.is_none() && !view.chosen.needs_target() {
            p.empty { (context.link_in(t.choose_first, &[("list", &list)])) }
        } @else {
            @if context.may_change || view.preview.is_some() {
                p {
                    // The conditions lead back to the list that they make.
                    @match listed(&view.chosen) {
                        Some(list) => a href={ "/deliveries?" (list) } { (of) },
                        None => (of),
                    }
                }
            }
            @if let Some(preview) = &view.preview { (what(context, preview)) }
            @if context.may_change { (start(context, view)) }
        }
    };
    frame(context, t.new_title, "/replays", &main)
}

/// The query of the list of what is chosen, where there is one: it looks into no body.
fn listed(chosen: &Chosen) -> Option<String> {
    let Chosen::Filtered(ReplayKind::Replay, selection) = chosen else {
        return None;
    };
    let pairs: Vec<_> = selection.pairs().collect();
    let is_listed = pairs
        .iter()
        .all(|(name, _)| Listing::Deliveries.knows(name));
    is_listed.then(|| {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish()
    })
}

/// Makes the form that starts the replay, or previews it again.
fn start(context: &PageContext<'_>, view: &NewReplayView) -> Markup {
    let t = &context.texts.replays;
    let action = match view.chosen {
        Chosen::Named(..) => "/replays/chosen",
        Chosen::Filtered(..) => "/replays",
    };
    let preview = view.preview.as_ref();
    let is_empty = preview.is_some_and(|preview| preview.deliveries == 0 && preview.is_whole);
    let count = preview.map_or(1, |preview| preview.deliveries);
    html! {
        form.settings method="post" action=(action) {
            input type="hidden" name="token" value=(context.token);
            // The target of the shown preview: if the user changes it, the new preview is shown first.
            @let looked = if view.is_plain { "" } else { view.field("to").trim() };
            input type="hidden" name="looked" value=(looked);
            @match &view.chosen {
                Chosen::Named(named, edit) => {
                    @for one in named { input type="hidden" name="id" value=(one.outer(context.box_id)); }
                    (to(context, view))
                    (new_ids(context, view))
                    @if let Some(edit) = edit { (body(context, view, edit)) }
                }
                Chosen::Filtered(kind, selection) => {
                    input type="hidden" name="kind" value=(kind);
                    input type="hidden" name="up_to" value=[preview.map(|preview| preview.up_to)];
                    // An age is a time here, so that it means the same when the form is sent.
                    @for (name, value) in selection.pairs() { input type="hidden" name=(name) value=(value); }
                    @if *kind == ReplayKind::Replay { (to(context, view)) }
                    label {
                        span { (t.rate_at_most) }
                        input name="rate" placeholder="10/s" autocomplete="off" value=(view.field("rate"));
                    }
                    (new_ids(context, view))
                }
            }
            div.buttons {
                button #start type="submit" disabled[is_empty] { (context.fill(t.send, &[("count", &count)])) }
                button.quiet #look-again type="submit" formaction="/replays/new" { (t.look_again) }
            }
        }
    }
}

/// Makes the field for an endpoint's name or a URL.
fn to(context: &PageContext<'_>, view: &NewReplayView) -> Markup {
    let t = &context.texts.replays;
    let is_needed = view.chosen.needs_target();
    let hint = if is_needed { "" } else { t.each_own };
    html! {
        label {
            span { (t.to_what) }
            input name="to" list="endpoints" required[is_needed] placeholder=(hint) autocomplete="off" value=(view.field("to"));
        }
        datalist #endpoints { @for name in &view.endpoints { option value=(name) {} } }
    }
}

fn new_ids(context: &PageContext<'_>, view: &NewReplayView) -> Markup {
    html! {
        label.check {
            input type="checkbox" name="new_id" value="true" checked[view.field("new_id") == "true"];
            span { (context.texts.replays.with_new_ids) }
        }
    }
}

/// A body that is longer is shown when it is asked for.
const UNFOLDED_BYTES_MAX: usize = 8 * 1024;

fn body(context: &PageContext<'_>, view: &NewReplayView, edit: &Edit) -> Markup {
    let t = &context.texts.replays;
    let command = html! { code { "hookbox replay ID --edit FILE" } };
    let typed = view.fields.iter().find(|(name, _)| name == "body");
    let typed = typed.map(|(_, body)| body);
    let is_short = matches!(edit, Edit::Text(held) if held.len() <= UNFOLDED_BYTES_MAX);
    html! {
        details.wide open[typed.is_some() || is_short] {
            summary { (t.edit) }
            p.dim { (t.edit_told) }
            @match edit {
                Edit::Secret => p { (context.link_in(t.edit_secret, &[("command", &command)])) },
                Edit::Not => p { (context.link_in(t.edit_long, &[("command", &command)])) },
                Edit::Text(held) => {
                    label {
                        span { (t.new_body) }
                        // HTML ignores the first line break in a textarea, so one is added.
                        textarea.mono name="body" rows="16" spellcheck="false" autocomplete="off" { "\n" (typed.unwrap_or(held)) }
                    }
                    label.check { input type="checkbox" name="any_body" value="true" checked[view.field("any_body") == "true"]; span { (t.any_body) } }
                }
            }
        }
    }
}

/// Shows what would be sent, to which endpoint, and how long that takes.
fn what(context: &PageContext<'_>, preview: &Preview) -> Markup {
    let (t, dash) = (&context.texts.replays, context.texts.words.dash);
    let bytes = |bytes: i64| size(u64::try_from(bytes).unwrap_or(0));
    let rows = html! {
        @for endpoint in &preview.endpoints {
            tr {
                td data-label=(t.endpoint) { (endpoint.name.as_deref().unwrap_or(t.new_endpoint)) div.dim.mono { (endpoint.url) } }
                td data-label=(t.count) { (endpoint.deliveries) }
                td data-label=(t.size) { (bytes(endpoint.bytes)) }
                td data-label=(t.had) { (endpoint.had) }
                td data-label=(t.takes) {
                    @match endpoint.lasts {
                        Some(span) if span.as_secs() == 0 => (t.less_than_a_second),
                        Some(span) => (context.span(span)),
                        None => (dash),
                    }
                }
                td data-label=(t.now) {
                    @match &endpoint.stopped {
                        Some(Stopped::Held(reason)) => (context.link_in(t.held, &[("reason", &context.said(reason))])),
                        Some(Stopped::Offline(error)) => (context.link_in(t.offline, &[("error", &context.said(error))])),
                        Some(Stopped::Removed) => (t.removed),
                        None => (dash),
                    }
                }
            }
        }
    };
    let columns = [t.endpoint, t.count, t.size, t.had, t.takes, t.now];
    let most = preview.days.iter().map(|(_, count)| *count).max();
    let count = context.fill(t.deliveries, &[("count", &preview.deliveries)]);
    let count = html! { strong { (count) } };
    let in_all: [(&str, &dyn Render); 3] = [
        ("deliveries", &count),
        ("size", &bytes(preview.bytes)),
        ("had", &preview.had),
    ];
    html! {
        p #preview {
            (context.link_in(t.in_all, &in_all))
            @if !preview.is_whole { " " (t.may_be_more) }
        }
        @if preview.deliveries > 0 {
            (table(&columns, &rows))
            h2 { (t.by_day) }
            dl.days {
                @for (day, count) in &preview.days {
                    dt { (day) }
                    dd { (progress(context, *count, most.unwrap_or(1), t.of_that_day)) " " (count) }
                }
            }
        }
    }
}
