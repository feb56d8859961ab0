//! Markdown with all its escapes. Chats that read less of it change what they must.

use super::compose::{Dialect, Fence, Place, Quote, Start, utf16_units};

pub(super) const DIALECT: Dialect = Dialect {
    escape,
    url: str::to_owned,
    link,
    strong: ("**", "**"),
    quote: Quote::each_line("> "),
    fence: Some(Fence {
        before: "```\n",
        after: "\n```",
        escape: |letter, out| out.push(letter),
    }),
    line_end: "\n",
    cost: utf16_units,
};

/// Adds a backslash before characters with a meaning in Markdown (CommonMark 0.31, section 2.4).
pub(super) fn escape(letter: char, place: Place, out: &mut String) {
    let is_marked = match letter {
        '\\' | '*' | '_' | '~' | '`' | '|' | '[' | ']' | '<' | '>' => true,
        // Headings, lists and heading underlines.
        '#' | '-' | '+' | '=' => place.after == Start::Blank,
        '.' | ')' => place.after == Start::Number,
        _ => false,
    };
    if is_marked {
        out.push('\\');
    }
    out.push(letter);
}

fn link(text: &str, url: &str) -> String {
    format!("[{text}]({url})")
}
