//! The part of HTML that Matrix and Telegram show alike.

use super::compose::{BREAK, Dialect, Fence, Place, Quote, utf16_units};

/// The markup; the end of a line is Telegram's, who knows no `<br>`.
pub(super) const DIALECT: Dialect = Dialect {
    escape,
    url: |url| escaped(url),
    link: |text, url| format!("<a href=\"{}\">{text}</a>", escaped(url)),
    strong: ("<b>", "</b>"),
    quote: Quote {
        before: "<blockquote>",
        line: "",
        after: "</blockquote>",
    },
    fence: Some(Fence {
        before: "<pre>",
        after: "</pre>",
        escape: entity,
    }),
    line_end: "\n",
    cost: utf16_units,
};

/// Writes the characters that have a meaning in HTML as entities. No `@` may begin a name, which Telegram would
/// notify.
fn escape(letter: char, place: Place, out: &mut String) {
    match letter {
        '@' if place.before.is_none_or(|before| !before.is_alphanumeric()) => {
            out.extend(['@', BREAK]);
        }
        letter => entity(letter, out),
    }
}

fn entity(letter: char, out: &mut String) {
    match letter {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        letter => out.push(letter),
    }
}

pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    text.chars().for_each(|letter| entity(letter, &mut out));
    out
}
