//! The frame around every page: head, navigation, errors, the list of keys.

use maud::{DOCTYPE, Markup, html};

use super::context::PageContext;
use super::parts::copy;
use super::texts::{Language, Texts};

/// Puts a page into its frame; `here` is its path in the navigation.
pub(super) fn frame(context: &PageContext<'_>, title: &str, here: &str, main: &Markup) -> String {
    frame_with_icon(context, title, here, ICON, main)
}

/// The icon's usual address.
pub(super) const ICON: &str = "/icon.svg";

/// Puts a page into its frame, with this icon in the tab.
pub(super) fn frame_with_icon(
    context: &PageContext<'_>,
    title: &str,
    here: &str,
    icon: &str,
    main: &Markup,
) -> String {
    let t = &context.texts.frame;
    let links = [
        ("/", t.overview),
        ("/deliveries", t.deliveries),
        ("/events", t.events),
        ("/endpoints", t.endpoints),
        ("/sources", t.sources),
        ("/replays", t.replays),
        ("/outages", t.outages),
        ("/alerts", t.alerts),
    ];
    let inside = html! {
        header.top {
            a.brand href="/" { "hookbox" }
            nav aria-label=(t.pages) {
                @for (path, name) in links {
                    a href=(path) aria-current=[(path == here).then_some("page")] { (name) }
                }
            }
            @if context.has_login {
                form.logout method="post" action="/logout" {
                    input type="hidden" name="token" value=(context.token);
                    button.quiet type="submit" { (t.log_out) }
                }
            }
        }
        main #main data-from=[context.returned.and_then(|returned| returned.page)] {
            @if let Some(trouble) = context.trouble {
                p.problem role="alert" { (context.link_in(t.trouble, &[("why", &context.said(trouble))])) }
            }
            @if let Some(why) = context.config_problem {
                p.problem role="alert" { (context.fill(t.config_problem, &[("why", &why)])) }
            }
            // Shown by the script.
            p.problem #stale role="status" hidden { (t.stale) }
            @if let Some(returned) = context.returned {
                p.problem #problem role="alert" { (context.problem(returned.problem)) }
            }
            @if let Some(done) = context.done {
                p.done role="status" { (done) }
                @let t = &context.texts.done;
                @if [t.add, t.test, t.set, t.rotate].contains(&done) {
                    // Filled in and shown by the script, if it drew the secret that was just saved.
                    @let secret = html! { code {} " " (copy(context, "")) };
                    p.note #drawn role="status" hidden { (context.link_in(context.texts.words.drawn, &[("secret", &secret)])) }
                }
            }
            (main)
        }
        footer {
            (context.fill(t.footer, &[("version", &env!("CARGO_PKG_VERSION")), ("zone", &context.zone_name())]))
            @if !context.may_change { " · " (t.looks_only) }
            // Shown by the script, which also listens to keys; without the script there are no keys.
            " " button.quiet.small #keys-open type="button" hidden { (t.keys) }
            (languages(context.texts, context.token))
        }
        (keys(context))
    };
    whole(context.texts, title, Some(icon), &inside)
}

/// Makes the choice of a language, which a cookie keeps.
pub(super) fn languages(texts: &Texts, form_token: &str) -> Markup {
    html! {
        form.languages method="post" action="/language" aria-label=(texts.frame.languages) {
            input type="hidden" name="token" value=(form_token);
            @for language in Language::ALL {
                @let is_this = language == texts.language;
                button.quiet.small type="submit" name="to" value=(language.tag()) lang=(language.tag()) aria-current=[is_this.then_some("true")] { (language.own_name()) }
            }
        }
    }
}

/// Makes a whole HTML document.
///
/// A page with an icon of its own is kept up to date by the script.
pub(super) fn whole(texts: &Texts, title: &str, live: Option<&str>, inside: &Markup) -> String {
    let t = &texts.frame;
    html! {
        (DOCTYPE)
        html lang=(texts.language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (texts.fill(t.title, &[("page", &title)])) }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href=(live.unwrap_or(ICON)) type="image/svg+xml";
                @if live.is_some() { script src="/live.js" defer {} }
            }
            body {
                a.skip href="#main" { (t.skip) }
                (inside)
            }
        }
    }
    .into_string()
}

/// Lists the keys that the script listens to.
///
/// Users of speech input, or users who hit keys by accident, can turn single-key shortcuts off (WCAG 2.1,
/// 2.1.4).
fn keys(context: &PageContext<'_>) -> Markup {
    let t = &context.texts.keys;
    let (single, places) = (
        [
            (["j", "↓"], t.next),
            (["k", "↑"], t.previous),
            (["o", "Enter"], t.open),
            (["x", ""], t.choose),
            (["/", ""], t.filter),
            (["?", ""], t.help),
        ],
        [
            ("o", "/", t.overview),
            ("d", "/deliveries", t.deliveries),
            ("v", "/events", t.events),
            ("e", "/endpoints", t.endpoints),
            ("s", "/sources", t.sources),
            ("r", "/replays", t.replays),
            ("u", "/outages", t.outages),
            ("a", "/alerts", t.alerts),
        ],
    );
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { (t.title) }
            dl {
                @for (keys, what) in single {
                    dt { @for key in keys.iter().filter(|key| !key.is_empty()) { kbd { (key) } " " } }
                    dd { (what) }
                }
                @for (key, path, what) in places {
                    dt { kbd { "g" } " " (t.then) " " kbd { (key) } }
                    dd { a href=(path) data-key=(key) { (what) } }
                }
            }
            form method="dialog" {
                label.check { input #keys-on type="checkbox" checked; span { (t.are_on) } }
                button.quiet { (t.close) }
            }
        }
    }
}

/// Makes a page that says what went wrong.
pub(in crate::status) fn problem(context: &PageContext<'_>, status: u16, text: &str) -> String {
    let t = &context.texts.problem;
    let title = match status {
        404 => t.not_found,
        400 => t.misuse,
        403 => t.forbidden,
        503 => t.not_now,
        _ => t.other,
    };
    let main = html! {
        h1 { (title) }
        p.problem role="alert" { (context.problem(text)) }
        p { a href="/" { (context.texts.words.back) } }
    };
    frame(context, title, "", &main)
}
