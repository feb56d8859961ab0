//! A body in a form that a person can read.
//!
//! JSON is indented token by token, so that numbers and escapes stay as the producer wrote them: parsing
//! the JSON and writing it again would change both.

use maud::{Markup, html};

use super::context::PageContext;
use super::parts::size;
use super::texts::fill;
use crate::signature::gogs::signed_bytes;

/// Most bytes of a body on a page; the whole body can be downloaded.
const SHOWN_BYTES_MAX: usize = 256 * 1024;

/// Most bytes that are shown in hex: each takes five characters.
const HEX_BYTES_MAX: usize = 16 * 1024;

/// Shows the body: formatted if it is JSON, raw if it is text, and in hex.
pub(super) fn body(
    context: &PageContext<'_>,
    bytes: &[u8],
    content_type: Option<&str>,
    download: &str,
) -> Markup {
    let (t, words) = (&context.texts.body, &context.texts.words);
    // In a form, the reader wants to see the payload field.
    let inner = signed_bytes(content_type, bytes);
    let pretty = indent_json(&inner, SHOWN_BYTES_MAX);
    let from_form = pretty.is_some() && inner.len() != bytes.len();
    let raw = std::str::from_utf8(bytes).ok();
    html! {
        p {
            (size(bytes.len() as u64)) " · " (content_type.unwrap_or(t.no_type)) " · "
            a href=(download) { (t.download) }
        }
        @if bytes.is_empty() {
            p.dim { (words.empty) }
        } @else {
            @if let Some(pretty) = &pretty {
                details open {
                    summary { @if from_form { (t.pretty_of_form) } @else { (t.pretty) } }
                    (text(context, pretty))
                }
            }
            @match raw {
                Some(raw) => details open[pretty.is_none()] { summary { (t.raw) } (text(context, raw)) },
                None => p.dim { (t.not_text) },
            }
            details open[raw.is_none()] { summary { (t.hex) } (hex(context, bytes)) }
        }
    }
}

/// Shows a text in a box, cut at a character boundary.
pub(super) fn text(context: &PageContext<'_>, whole: &str) -> Markup {
    let mut end = whole.len().min(SHOWN_BYTES_MAX);
    while !whole.is_char_boundary(end) {
        end -= 1;
    }
    // A page may not hold control characters.
    let shown = whole[..end].replace(
        |c: char| c.is_control() && !"\n\r\t".contains(c),
        "\u{fffd}",
    );
    html! {
        pre tabindex="0" { (shown) }
        (cut(context, end, whole.len()))
    }
}

fn hex(context: &PageContext<'_>, bytes: &[u8]) -> Markup {
    let end = bytes.len().min(HEX_BYTES_MAX);
    html! {
        pre tabindex="0" { (hex_dump(&bytes[..end])) }
        (cut(context, end, bytes.len()))
    }
}

/// Says that there is more than is shown.
fn cut(context: &PageContext<'_>, shown: usize, whole: usize) -> Markup {
    let (shown, whole) = (shown as u64, whole as u64);
    html! {
        @if shown < whole {
            p.dim { (fill(context.texts.body.cut, &[("shown", &size(shown)), ("whole", &size(whole))])) }
        }
    }
}

/// Indents a JSON text by two spaces, up to about `bytes_max` bytes; `None` if it is not JSON.
///
/// Deep nesting makes the indented text many times as long, so the limit is checked while writing.
fn indent_json(bytes: &[u8], bytes_max: usize) -> Option<String> {
    // Only checks that the text is JSON; no value is built.
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).ok()?;
    let source = std::str::from_utf8(bytes).ok()?;
    let mut out = String::new();
    let mut depth = 0_usize;
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        if out.len() > bytes_max {
            break;
        }
        match c {
            '"' => {
                out.push('"');
                while let Some(c) = chars.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(c);
                let close = if c == '{' { '}' } else { ']' };
                while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                if chars.next_if_eq(&close).is_some() {
                    out.push(close);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(',');
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    Some(out)
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Writes sixteen bytes on each line: offset, hex, and the printable characters.
fn hex_dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (row, chunk) in bytes.chunks(16).enumerate() {
        let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let printable: String = chunk
            .iter()
            .map(|byte| {
                if (0x20..0x7f).contains(byte) {
                    char::from(*byte)
                } else {
                    '.'
                }
            })
            .collect();
        out.push_str(&format!(
            "{:08x}  {:<47}  {printable}\n",
            row * 16,
            hex.join(" ")
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_its_tokens_stay_as_they_were() {
        let source =
            br#"{"a":[1.0,12345678901234567890123,"\u003cb\u003e, {x}\""],"e":{},"l":[ ]}"#;
        let expected = "{\n  \"a\": [\n    1.0,\n    12345678901234567890123,\n    \"\\u003cb\\u003e, {x}\\\"\"\n  ],\n  \"e\": {},\n  \"l\": []\n}";
        assert_eq!(indent_json(source, 1000).unwrap(), expected);
    }

    #[test]
    fn a_deeply_nested_body_is_cut_while_it_is_indented() {
        let deep = format!(
            "{}{}0{}",
            "[".repeat(120),
            "0,".repeat(100_000),
            "]".repeat(120)
        );
        assert!(indent_json(deep.as_bytes(), 10_000).unwrap().len() < 11_000);
    }

    #[test]
    fn what_is_not_json_is_left_alone() {
        assert_eq!(indent_json(b"{\"a\": 1,}", 1000), None);
        assert_eq!(indent_json(b"", 1000), None);
        assert_eq!(indent_json(b"\xff", 1000), None);
    }
}
