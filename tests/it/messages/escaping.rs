//! What people write stands for itself in a message, and only links that lead to web pages are links.

use hookbox::model::chat::Chat;
use serde_json::json;

use super::{NASTY, endpoints, event, markup, message, nasty_issue};

#[test]
fn what_people_write_stands_for_itself() {
    let body = nasty_issue(NASTY[8], 1).to_string();
    for (chat, endpoint) in endpoints() {
        let message = message(&endpoint, event("gogs", "issues", None, body.as_bytes()));
        let text = markup(chat, &message);
        let forbidden: &[&str] = match chat {
            // The last two for Mattermost and its like.
            Chat::Slack => &["<!", "<@", "[x](", " @everyone"],
            Chat::Discord | Chat::Dingtalk => &[" [x](", "![y](", " **b", " `e", "\n# f", " <@"],
            Chat::Wecom => &["[x](", "**b", "<@", "\n# f"],
            Chat::Teams => &["[x](", " **b", " `e", "\n# f", "<@"],
            Chat::Matrix | Chat::Telegram => &["<!", "<@", " @everyone"],
            Chat::Mattermost => &[
                " [x](",
                "![y](",
                " **b",
                " `e",
                "\n# f",
                "<@",
                "<!",
                " @everyone",
            ],
            Chat::Rocketchat => &["[x](", "**b", "<@", "\n# f", " @everyone", "`e"],
            // It shows what is there, and nothing else.
            Chat::Ntfy => &[],
            Chat::Feishu => &["[x](", "**b", "<@", "<at", "`e"],
        };
        for markup in forbidden {
            assert!(!text.contains(markup), "{}: {markup}: {text}", chat.name());
        }
        for hidden in ['\u{7}', '\0', '\u{202e}'] {
            assert!(!text.contains(hidden), "{}: {hidden:?}", chat.name());
        }
        if chat == Chat::Discord {
            assert_eq!(message["allowed_mentions"], json!({ "parse": [] }));
        }
        if chat == Chat::Slack {
            assert_eq!(message["link_names"], 0);
        }
    }
}

#[test]
fn only_web_pages_are_linked_and_no_link_ends_early() {
    for (url, linked) in [
        (
            "https://git.example.org/a_(b)?c=<d>|e",
            Some("https://git.example.org/a_%28b%29?c=%3Cd%3E%7Ce"),
        ),
        (
            "http://git.example.org/灯#l1",
            Some("http://git.example.org/%E7%81%AF#l1"),
        ),
        (
            "http://[2001:db8::7]:3000/l/b/compare/a1...b2",
            Some("http://[2001:db8::7]:3000/l/b/compare/a1...b2"),
        ),
        (
            "https://b\u{fc}cher.example/l/b?x=[1]",
            Some("https://b\u{fc}cher.example/l/b?x=%5B1%5D"),
        ),
        ("http://[2001:db8::7/x", None),
        ("http://[nonsense]/x", None),
        ("http://h:port/x", None),
        ("http://h|x/y", None),
        ("javascript:alert(1)", None),
        ("/relative", None),
        ("https://user:hunter2@git.example.org/", None),
        (
            "https://git.example.org/\u{0}x\n",
            Some("https://git.example.org/%00x"),
        ),
    ] {
        let body = json!({
            "ref": "refs/heads/main", "before": "a1", "after": "b2", "compare_url": url,
            "repository": { "full_name": "l/b" }, "sender": { "login": "mira" },
        });
        for (chat, endpoint) in endpoints() {
            let body = body.to_string();
            let message = message(&endpoint, event("gogs", "push", None, body.as_bytes()));
            let text = match chat {
                // One page, beside the text.
                Chat::Ntfy => message["click"].as_str().unwrap_or_default(),
                _ => markup(chat, &message),
            };
            match linked {
                Some(linked) => assert!(text.contains(linked), "{}: {text}", chat.name()),
                None => assert!(!text.contains(url), "{}: {text}", chat.name()),
            }
            assert!(!text.contains("hunter2"), "{}: {text}", chat.name());
        }
    }
}

#[test]
fn a_url_in_a_text_is_shown_as_it_was_written() {
    let page = "https://example.org/a_b_c?x=1&y=*2*_z";
    let body = json!({
        "action": "opened", "number": 5,
        "issue": { "title": format!("See {page}."), "body": format!("({page}), not http://, nor httpx://a_b") },
        "repository": { "full_name": "l/b" }, "sender": { "login": "mira" },
    });
    for (chat, endpoint) in endpoints() {
        let body = body.to_string();
        let message = message(&endpoint, event("gogs", "issues", None, body.as_bytes()));
        let text = markup(chat, &message);
        let shown = match chat {
            Chat::Slack | Chat::Matrix | Chat::Telegram => {
                "https://example.org/a_b_c?x=1&amp;y=%2A2%2A_z"
            }
            _ => "https://example.org/a_b_c?x=1&y=%2A2%2A_z",
        };
        assert_eq!(text.matches(shown).count(), 2, "{}: {text}", chat.name());
    }
}

/// Cause: Discord and DingTalk link a URL inside the text of a link by themselves. Damage: a title with
/// one in it ended the link to its own page. Cure: there it stands without its scheme.
#[test]
fn a_url_in_a_title_does_not_break_the_link_around_it() {
    let page = "https://git.example.org/l/b/issues/5";
    let body = json!({
        "action": "opened", "number": 5,
        "issue": { "title": "See https://example.org/a_b (or http://[::1]/) soon", "html_url": page },
        "repository": { "full_name": "l/b" }, "sender": { "login": "mira" },
    });
    for (chat, endpoint) in endpoints() {
        let body = body.to_string();
        let message = message(&endpoint, event("gogs", "issues", None, body.as_bytes()));
        let text = match chat {
            Chat::Ntfy => message["click"].as_str().unwrap(),
            _ => markup(chat, &message),
        };
        assert_eq!(text.matches("://").count(), 1, "{}: {text}", chat.name());
        assert!(text.contains(page), "{}: {text}", chat.name());
        let text = markup(chat, &message);
        assert!(text.contains("example.org/a"), "{}: {text}", chat.name());
    }
}

#[test]
fn lists_headings_code_and_tabs_in_a_text_stay_a_text() {
    let text = "  # one\n\tkey\tvalue\r\nTitle\n=====\n12. three\r- four `x` ```\ny\n```";
    let body = json!({
        "action": "opened", "number": 5, "issue": { "title": "1) `a`", "body": text },
        "repository": { "full_name": "l/b" }, "sender": { "login": "mira" },
    });
    for (chat, endpoint) in endpoints() {
        let body = body.to_string();
        let message = message(&endpoint, event("gogs", "issues", None, body.as_bytes()));
        let text = markup(chat, &message);
        assert!(text.contains("key    value"), "{}: {text}", chat.name());
        let (title, heading, underline, list) = match chat {
            Chat::Discord | Chat::Dingtalk | Chat::Mattermost => {
                ("1\\)", "> \\# one", "> \\=====", "> 12\\. three")
            }
            Chat::Teams => (
                "1\u{200b}) ˋaˋ",
                "┃ \u{200b}# one",
                "┃ \u{200b}=====",
                "┃ 12\u{200b}. three",
            ),
            Chat::Rocketchat => ("1\u{200b}) ˋaˋ", "> \\# one", "> =====", "> 12\\. three"),
            Chat::Matrix | Chat::Telegram => ("1) `a`", "<blockquote># one", "=====", "12. three"),
            Chat::Ntfy => ("1) `a`", "> # one", "> =====", "> 12. three"),
            Chat::Feishu => ("1&#41;", "┃ &#35; one", "┃ &#61;=====", "┃ 12&#46; three"),
            Chat::Wecom => ("1) ˋaˋ", "> \u{200b}# one", "> =====", "> 12. three"),
            Chat::Slack => ("1) ˋaˋ", "> # one", "> =====", "> 12. three"),
        };
        for part in [title, heading, underline.trim_end_matches("===="), list] {
            assert!(text.contains(part), "{}: {part:?} in {text}", chat.name());
        }
        let knows_fences = !matches!(chat, Chat::Matrix | Chat::Telegram | Chat::Ntfy);
        let fences = text.matches("```").count();
        assert!(fences == 0 || !knows_fences, "{}: {text}", chat.name());
    }
}
