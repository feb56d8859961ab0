//! A body in a form that a person can read.
//!
//! JSON is indented token by token, so that numbers stay as the producer wrote them: parsing the JSON and
//! writing it again would change them. Escaped letters are shown as the letters that they stand for; the raw
//! text has them as they came.

use maud::{Markup, html};

use super::context::PageContext;
use super::json;
use super::parts::size;
use crate::signature::gogs::signed_bytes;

/// Most bytes of a body on a page; the whole body can be downloaded.
const SHOWN_BYTES_MAX: usize = 64 * 1024;

/// Most bytes that are shown a second time: raw below indented, or in hex, where each takes five characters.
const AGAIN_BYTES_MAX: usize = 8 * 1024;

/// Shows the body: formatted if it is JSON, raw if it is text, and in hex.
pub(super) fn body(
    context: &PageContext<'_>,
    bytes: &[u8],
    content_type: Option<&str>,
    download: Option<&str>,
) -> Markup {
    let (t, words) = (&context.texts.body, &context.texts.words);
    // In a form, the reader wants to see the payload field.
    let inner = signed_bytes(content_type, bytes);
    let pretty = json::indented(&inner, SHOWN_BYTES_MAX);
    let from_form = pretty.is_some() && inner.len() != bytes.len();
    let raw = std::str::from_utf8(bytes).ok();
    html! {
        p {
            (size(bytes.len() as u64)) " · " (content_type.unwrap_or(t.no_type))
            @if let Some(download) = download { " · " a href=(download) { (t.download) } }
        }
        @if bytes.is_empty() {
            p.dim { (words.empty) }
        } @else {
            @if let Some(pretty) = &pretty {
                details open {
                    summary { @if from_form { (t.pretty_of_form) } @else { (t.pretty) } }
                    pre.json tabindex="0" { (pretty.markup) }
                    (cut(context, pretty.shown, inner.len()))
                }
            }
            @match raw {
                Some(raw) => details open[pretty.is_none()] {
                    summary { (t.raw) }
                    (text_up_to(context, raw, if pretty.is_none() { SHOWN_BYTES_MAX } else { AGAIN_BYTES_MAX }))
                },
                None => p.dim { (t.not_text) },
            }
            details open[raw.is_none()] { summary { (t.hex) } (hex(context, bytes)) }
        }
    }
}

/// Shows a text in a box, cut at a character boundary.
pub(super) fn text(context: &PageContext<'_>, whole: &str) -> Markup {
    text_up_to(context, whole, SHOWN_BYTES_MAX)
}

fn text_up_to(context: &PageContext<'_>, whole: &str, bytes_max: usize) -> Markup {
    let mut end = whole.len().min(bytes_max);
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
    let end = bytes.len().min(AGAIN_BYTES_MAX);
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
            p.dim { (context.fill(context.texts.body.cut, &[("shown", &size(shown)), ("whole", &size(whole))])) }
        }
    }
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
