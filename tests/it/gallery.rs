//! docs/messages.html: what the messages look like, as near as a page can come to the chats, made
//! of what is really sent.

use std::path::Path;

use hookbox::model::chat::Chat;
use hookbox::model::sendable::SendableEvent;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use pulldown_cmark::{Event, Options, Parser};
use serde_json::Value;

use crate::messages::{SAMPLES, body_of, digest, endpoints, event, markup, message};

/// The samples that are shown: kind, type and what it shows.
const SHOWN: &[(&str, &str, &str)] = &[
    ("gogs", "push", "five commits or more"),
    ("gogs", "issues", "opened"),
    ("gogs", "pull_request", "merged"),
    ("gitee", "pipeline.fail", ""),
    ("standard", "order.paid", "any other JSON"),
];

const STYLE: &str = "
body { font: 13px/1.45 system-ui, sans-serif; margin: 24px; color: #1f2328; background: #fff; }
h1 { font-size: 22px; } h2 { font-size: 15px; margin: 28px 0 8px; }
.row { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 12px; align-items: start; }
.chat > b { display: block; font-size: 11px; color: #59636e; margin-bottom: 4px; }
.card { border: 1px solid #d1d9e0; border-radius: 8px; padding: 8px 10px; overflow-wrap: anywhere; background: #fff; }
.slack .card, .discord .card, .mattermost .card, .rocketchat .card { border-left: 4px solid var(--colour); }
.discord .card { background: #313338; color: #dbdee1; border-color: #313338; border-left-color: var(--colour); }
.discord a { color: #00a8fc; } .discord pre { background: #2b2d31; border-color: #1e1f22; }
.feishu .card, .teams .card { padding: 0; overflow: hidden; } .feishu .card > div, .teams .card > div { padding: 8px 10px; }
.teams header { background: var(--colour); padding: 6px 10px; font-weight: 600; } .teams p { margin: 0; }
.lines { white-space: pre-wrap; } .lines pre, .lines blockquote { margin: 0; }
.feishu header { background: var(--colour); color: #fff; padding: 6px 10px; font-weight: 600; }
a { color: #0b57d0; text-decoration: none; }
p { margin: 0 0 6px; } blockquote { margin: 4px 0; padding-left: 8px; border-left: 3px solid #c4c9d0; }
blockquote:has(+ blockquote) { margin-bottom: 0; } blockquote + blockquote { margin-top: 0; }
.discord blockquote { border-color: #4e5058; }
pre { background: #f6f8fa; border: 1px solid #d1d9e0; border-radius: 6px; padding: 6px; margin: 4px 0; white-space: pre-wrap; font-size: 11.5px; }
footer { font-size: 11px; color: #818b98; margin-top: 4px; }
font[color=info] { color: #2da44e; } font[color=warning] { color: #e36209; } font[color=comment] { color: #818b98; }
";

/// Markdown as a page.
fn markdown(text: &str) -> Markup {
    let events = Parser::new_ext(text, Options::empty()).map(|event| match event {
        // Chats keep the lines.
        Event::SoftBreak => Event::HardBreak,
        event => event,
    });
    let mut page = String::new();
    pulldown_cmark::html::push_html(&mut page, events);
    PreEscaped(page)
}

/// Slack's own markup as a page.
fn mrkdwn(text: &str) -> Markup {
    let mut page = String::new();
    let mut fenced = false;
    for line in text.lines() {
        if line == "```" {
            page.push_str(if fenced { "</pre>" } else { "<pre>" });
            fenced = !fenced;
        } else if fenced {
            page.push_str(line);
            page.push('\n');
        } else {
            let (tag, line) = match line.strip_prefix("> ") {
                Some(quoted) => ("blockquote", quoted),
                None => ("div", line),
            };
            page.push_str(&format!("<{tag}>{}</{tag}>", links(line)));
        }
    }
    PreEscaped(page)
}

/// WeCom's subset of Markdown as a page: quotes, links, strong words and colours.
fn wecom(text: &str) -> Markup {
    let mut page = String::new();
    for line in text.lines() {
        let (tag, line) = match line.strip_prefix("> ").or(line.strip_prefix('>')) {
            Some(quoted) => ("blockquote", quoted),
            None => ("div", line),
        };
        let mut line = line.replace("<\u{200b}", "&lt;");
        while let Some((before, rest)) = line.split_once("](") {
            let (url, after) = rest.split_once(')').expect("a link ends");
            let (before, text) = before.rsplit_once('[').expect("a link begins");
            line = format!("{before}<a href=\"{url}\">{text}</a>{after}");
        }
        if let Some((name, value)) = line
            .strip_prefix("**")
            .and_then(|rest| rest.split_once("**"))
        {
            line = format!("<strong>{name}</strong>{value}");
        }
        page.push_str(&format!("<{tag}>{line}</{tag}>"));
    }
    PreEscaped(page)
}

/// A line of Slack's, with its links and its strong words.
fn links(line: &str) -> String {
    let mut page = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        let (link, after) = after.split_once('>').expect("a link ends");
        let (url, text) = link.split_once('|').expect("a link has a text");
        page.push_str(&format!("{before}<a href=\"{url}\">{text}</a>"));
        rest = after;
    }
    page.push_str(rest);
    match page
        .strip_prefix('*')
        .and_then(|rest| rest.split_once(":*"))
    {
        Some((name, value)) => format!("<strong>{name}:</strong>{value}"),
        None => page,
    }
}

fn card(chat: Chat, message: &Value) -> Markup {
    let text = markup(chat, message);
    match chat {
        Chat::Slack => {
            let attachment = &message["attachments"][0];
            let colour = attachment["color"].as_str().unwrap();
            html! { div.card style={ "--colour:" (colour) } {
                (mrkdwn(text))
                footer { (attachment["footer"].as_str().unwrap()) }
            } }
        }
        Chat::Discord => {
            let embed = &message["embeds"][0];
            let colour = format!("#{:06x}", embed["color"].as_u64().unwrap());
            html! { div.card style={ "--colour:" (colour) } {
                (markdown(text))
                footer { (embed["footer"]["text"].as_str().unwrap()) }
            } }
        }
        Chat::Dingtalk => html! { div.card { (markdown(text)) } },
        Chat::Mattermost | Chat::Rocketchat => {
            let attachment = &message["attachments"][0];
            let colour = attachment["color"].as_str().unwrap();
            html! { div.card style={ "--colour:" (colour) } {
                (markdown(text))
                @if let Some(footer) = attachment["footer"].as_str() { footer { (footer) } }
            } }
        }
        Chat::Teams => {
            let body = &message["attachments"][0]["content"]["body"];
            let colour = match body[0]["style"].as_str().unwrap() {
                "accent" => "#deecf9",
                "good" => "#dff6dd",
                "attention" => "#fde7e9",
                _ => "#f0f0f0",
            };
            html! { div.card style={ "--colour:" (colour) } {
                header { (markdown(body[0]["items"][0]["text"].as_str().unwrap())) }
                div {
                    (markdown(text))
                    footer { (markdown(body[2]["text"].as_str().unwrap())) }
                }
            } }
        }
        Chat::Matrix | Chat::Telegram => {
            html! { div.card.lines[chat == Chat::Telegram] { (PreEscaped(text)) } }
        }
        Chat::Ntfy => html! { div.card.lines {
            b { (message["title"].as_str().unwrap()) }
            div { (text) }
        } },
        Chat::Wecom => html! { div.card { (wecom(text)) } },
        Chat::Feishu => {
            let header = &message["card"]["header"];
            let colour = match header["template"].as_str().unwrap() {
                "blue" => "#3370ff",
                "green" => "#2ea121",
                "purple" => "#7f3bf5",
                "red" => "#d83931",
                _ => "#8f959e",
            };
            let footer = &message["card"]["elements"][1]["elements"][0]["content"];
            html! { div.card style={ "--colour:" (colour) } {
                header { (header["title"]["content"].as_str().unwrap()) }
                div { (markdown(text)) footer { (footer.as_str().unwrap()) } }
            } }
        }
    }
}

/// The event of a sample that is shown.
fn shown_event(shown: &(&str, &str, &str)) -> SendableEvent {
    let mut samples = SAMPLES.iter();
    let sample = samples.find(|sample| (sample.0, sample.1, sample.2) == *shown);
    let sample = sample.unwrap();
    let (body, content_type) = body_of(sample);
    event(sample.0, sample.1, content_type, &body)
}

#[test]
fn the_gallery_shows_what_is_sent() {
    let endpoints = endpoints();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "hookbox: messages in chats" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "What hookbox tells in chats" }
                p { "As near as a page comes to the chats; made of what is really sent. Below each message stands the id by which hookbox finds the event again." }
                @for sample in SAMPLES.iter().filter(|sample| SHOWN.contains(&(sample.0, sample.1, sample.2))) {
                    @let (kind, event_type, what, _) = *sample;
                    h2 { (kind) " " (event_type) @if !what.is_empty() { ": " (what) } }
                    div.row {
                        @for (chat, endpoint) in &endpoints {
                            @let (body, content_type) = body_of(sample);
                            @let message = message(endpoint, event(kind, event_type, content_type, &body));
                            div.chat.(chat.name()) { b { (chat.title()) } (card(*chat, &message)) }
                        }
                    }
                }
                h2 { "all of these, as a digest" }
                div.row {
                    @for (chat, endpoint) in &endpoints {
                        @let message = digest(endpoint, SHOWN.iter().map(shown_event).collect());
                        div.chat.(chat.name()) { b { (chat.title()) } (card(*chat, &message)) }
                    }
                }
            }
        }
    };
    let page = page.into_string();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/messages.html");
    if std::env::var_os("HOOKBOX_WRITE_MESSAGES").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap_or_default() == page,
        "docs/messages.html is another: write it with HOOKBOX_WRITE_MESSAGES=1 cargo test gallery::, and take its pictures anew (docs/chats.md)"
    );
}
