//! A JSON text, indented and coloured.

use maud::{Markup, PreEscaped, Render};

use crate::model::text::{string_length, unescape};

/// An indented text.
pub(super) struct Indented {
    pub(super) markup: Markup,
    /// How many bytes of the source it shows.
    pub(super) shown: usize,
}

/// Indents a JSON text by two spaces, up to about `bytes_max` bytes; `None` if it is not JSON.
///
/// Deep nesting makes the indented text many times as long, so the limit is checked while writing.
pub(super) fn indented(bytes: &[u8], bytes_max: usize) -> Option<Indented> {
    let (out, shown) = written(bytes, bytes_max, true)?;
    let markup = PreEscaped(out);
    Some(Indented { markup, shown })
}

/// Indents a JSON text as [`indented`] does, without colours; `None` if it is not JSON, or longer then.
pub(in crate::status) fn indented_text(source: &str, bytes_max: usize) -> Option<String> {
    let (out, shown) = written(source.as_bytes(), bytes_max, false)?;
    (shown == source.len()).then_some(out)
}

/// Returns the indented text and how much of the source it shows.
fn written(bytes: &[u8], bytes_max: usize, has_markup: bool) -> Option<(String, usize)> {
    // Only checks that the text is JSON; no value is built.
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).ok()?;
    let source = std::str::from_utf8(bytes).ok()?;
    let mut writer = Writer {
        has_markup,
        ..Writer::default()
    };
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        if writer.written > bytes_max {
            break;
        }
        let length = match first {
            '"' => string_length(rest),
            '-' | '0'..='9' | 'a'..='z' => {
                let is_in = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
                rest.find(|c| !is_in(c)).unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        // One long string is cut too.
        let room = bytes_max.saturating_sub(writer.written).max(1);
        if token.len() > room {
            let end = (0..=room).rev().find(|at| token.is_char_boundary(*at));
            let end = end.unwrap_or(0);
            writer.coloured("s", &token[..end]);
            rest = &rest[end..];
            break;
        }
        rest = after;
        match first {
            '"' if after.trim_start().starts_with(':') => writer.coloured("k", &unescape(token)),
            '"' => writer.coloured("s", &unescape(token)),
            '{' | '[' => {
                let close = if first == '{' { '}' } else { ']' };
                writer.plain(token);
                match after.trim_start().strip_prefix(close) {
                    Some(after) => {
                        writer.plain(close.encode_utf8(&mut [0; 4]));
                        rest = after;
                    }
                    None => writer.line(1),
                }
            }
            '}' | ']' => {
                writer.line(-1);
                writer.plain(token);
            }
            ',' => {
                writer.plain(token);
                writer.line(0);
            }
            ':' => writer.plain(": "),
            c if c.is_ascii_whitespace() => {}
            _ => writer.coloured("n", token),
        }
    }
    Some((writer.out, source.len() - rest.len()))
}

#[derive(Default)]
struct Writer {
    out: String,
    has_markup: bool,
    /// Bytes of text, without the markup.
    written: usize,
    depth: usize,
}

impl Writer {
    fn plain(&mut self, text: &str) {
        self.written += text.len();
        match self.has_markup {
            true => text.render_to(&mut self.out),
            false => self.out.push_str(text),
        }
    }

    fn coloured(&mut self, class: &str, text: &str) {
        if !self.has_markup {
            return self.plain(text);
        }
        self.out.push_str(&format!("<span class=\"{class}\">"));
        self.plain(text);
        self.out.push_str("</span>");
    }

    fn line(&mut self, deeper: isize) {
        self.depth = self.depth.saturating_add_signed(deeper);
        self.plain("\n");
        let spaces = "  ".repeat(self.depth);
        self.plain(&spaces);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(source: &[u8]) -> Option<String> {
        let html = indented(source, 1_000)?.markup.into_string();
        let mut text = String::new();
        let mut is_text = true;
        for c in html.chars() {
            match c {
                '<' => is_text = false,
                '>' => is_text = true,
                c if is_text => text.push(c),
                _ => {}
            }
        }
        let text = text.replace("&lt;", "<").replace("&gt;", ">");
        Some(text.replace("&quot;", "\"").replace("&amp;", "&"))
    }

    #[test]
    fn json_is_indented_numbers_stay_as_they_were_and_letters_are_shown() {
        let source = br#"{"a":[1.0,12345678901234567890123,"\u003cb\u003e, {x}\"\n\u4fee\ud83d\ude00\ud83d"],"e":{},"l":[ ],"t":true}"#;
        let expected = "{\n  \"a\": [\n    1.0,\n    12345678901234567890123,\n    \"<b>, {x}\\\"\\n修😀\\ud83d\"\n  ],\n  \"e\": {},\n  \"l\": [],\n  \"t\": true\n}";
        assert_eq!(plain(source).unwrap(), expected);
        let source = std::str::from_utf8(source).unwrap();
        assert_eq!(indented_text(source, 1_000).unwrap(), expected);
        assert_eq!(indented_text(source, 20), None);
    }

    #[test]
    fn keys_and_values_are_told_apart_and_nothing_is_markup() {
        let html = indented(br#"{"<k>" : "<s>"}"#, 1_000).unwrap().markup;
        assert_eq!(
            html.into_string(),
            "{\n  <span class=\"k\">&quot;&lt;k&gt;&quot;</span>: <span class=\"s\">&quot;&lt;s&gt;&quot;</span>\n}"
        );
    }

    #[test]
    fn a_deeply_nested_body_is_cut_while_it_is_indented() {
        let deep = format!(
            "{}{}0{}",
            "[".repeat(120),
            "0,".repeat(100_000),
            "]".repeat(120)
        );
        let cut = indented(deep.as_bytes(), 10_000).unwrap();
        assert!(cut.shown < 1_000);
        assert!(cut.markup.into_string().len() < 20_000);
    }

    #[test]
    fn a_long_string_is_cut() {
        let long = format!("[\"{}\"]", "\u{4fee}".repeat(10_000));
        let cut = indented(long.as_bytes(), 1_000).unwrap();
        assert!(cut.markup.into_string().len() < 1_100);
        assert!((900..=1_010).contains(&cut.shown), "{}", cut.shown);
    }

    #[test]
    fn what_is_not_json_is_left_alone() {
        for source in [&b"{\"a\": 1,}"[..], b"", b"\xff"] {
            assert!(indented(source, 1_000).is_none());
        }
    }
}
