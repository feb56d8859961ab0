//! Repairs JSON that is nearly valid: what real senders write and strict parsers reject.
//!
//! Pure and linear. It changes only what a strict parser rejects, and never the stored bytes: callers read
//! the result and drop it.

use std::borrow::Cow;

/// The byte order mark that Windows editors put before UTF-8 (RFC 8259, section 8.1, allows parsers to
/// ignore it).
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The escape of the replacement character (U+FFFD), for a character that cannot be decoded.
const REPLACEMENT: &[u8] = b"\\ufffd";

/// The repaired text; borrowed if there is nothing to repair.
///
/// The result is UTF-8 without a byte order mark, comments, and commas at the ends of lists. U+FFFD
/// replaces bytes that are not UTF-8 and escapes that are half a character (`\ud83d` alone). Control
/// characters in strings are escaped, and Python's `NaN` and `Infinity` become `null`.
pub(super) fn repaired(body: &[u8]) -> Cow<'_, [u8]> {
    if let Some(text) = of_utf16(body) {
        let text = text.into_bytes();
        return Cow::Owned(without_oddities(&text).unwrap_or(text));
    }
    let body = body.strip_prefix(BOM).unwrap_or(body);
    let text = match String::from_utf8_lossy(body) {
        Cow::Borrowed(_) => Cow::Borrowed(body),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    match without_oddities(&text) {
        Some(better) => Cow::Owned(better),
        None => text,
    }
}

/// The text of UTF-16 with a byte order mark, which is how PowerShell writes files.
fn of_utf16(body: &[u8]) -> Option<String> {
    let (unit, rest): (fn([u8; 2]) -> u16, _) = match body {
        [0xff, 0xfe, rest @ ..] => (u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => (u16::from_be_bytes, rest),
        _ => return None,
    };
    let units: Vec<u16> = rest
        .chunks_exact(2)
        .map(|pair| unit([pair[0], pair[1]]))
        .collect();
    Some(String::from_utf16_lossy(&units))
}

/// The text with all of this repaired; `None` if nothing needs repair.
fn without_oddities(text: &[u8]) -> Option<Vec<u8>> {
    let mut made = Vec::new();
    let (mut at, mut copied, mut in_string) = (0, 0, false);
    while at < text.len() {
        let (width, instead): (usize, Option<&[u8]>) = match (in_string, text[at]) {
            (_, b'"') => {
                in_string = !in_string;
                (1, None)
            }
            (true, b'\\') => escape(&text[at..]),
            (true, control @ 0..0x20) => (1, Some(escaped(control))),
            (false, b',') if ends_list(&text[at + 1..]) => (1, Some(b"")),
            (false, b'N' | b'I' | b'-') => match no_number(&text[at..]) {
                0 => (1, None),
                width => (width, Some(b"null")),
            },
            (false, b'/') => match comment(&text[at..]) {
                0 => (1, None),
                width => (width, Some(b" ")),
            },
            _ => (1, None),
        };
        if let Some(instead) = instead {
            made.extend_from_slice(&text[copied..at]);
            made.extend_from_slice(instead);
            copied = at + width;
        }
        at += width;
    }
    (copied > 0).then(|| {
        made.extend_from_slice(&text[copied..]);
        made
    })
}

/// A control character as an escape: JSON allows none in a string (RFC 8259, section 7).
fn escaped(control: u8) -> &'static [u8] {
    match control {
        b'\t' => b"\\t",
        b'\n' => b"\\n",
        b'\r' => b"\\r",
        _ => REPLACEMENT,
    }
}

/// Whether the list or object ends after a comma.
fn ends_list(behind: &[u8]) -> bool {
    let next = behind.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(next, Some(b']' | b'}'))
}

/// The length of Python's text for a value that is not a number; 0 if the text does not begin with one.
fn no_number(text: &[u8]) -> usize {
    let names: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
    let name = names.into_iter().find(|name| text.starts_with(name));
    name.map_or(0, <[u8]>::len)
}

/// The length of the escape at the beginning of a text, and its replacement.
fn escape(text: &[u8]) -> (usize, Option<&'static [u8]>) {
    match (
        code_unit(text),
        code_unit(text.get(6..).unwrap_or_default()),
    ) {
        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, None),
        (Some(0xd800..=0xdfff), _) => (6, Some(REPLACEMENT)),
        (Some(_), _) => (6, None),
        (None, _) => (2, None),
    }
}

/// The UTF-16 code unit of an escape such as `\u00e4`.
fn code_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok())?
}

/// The length of the comment at the beginning of a text; 0 if there is none.
fn comment(text: &[u8]) -> usize {
    let end_of = |end: &[u8]| memchr::memmem::find(&text[2..], end).map(|at| at + 2 + end.len());
    match text.get(..2) {
        Some(b"//") => memchr::memchr(b'\n', text).unwrap_or(text.len()),
        Some(b"/*") => end_of(b"*/").unwrap_or(text.len()),
        _ => 0,
    }
}

/// The complete part of a broken text, with its lists and objects closed: everything before the last comma
/// that comes before the error. `None` if that is nothing.
pub(super) fn readable_part(text: &[u8], fault: usize) -> Option<Vec<u8>> {
    let text = &text[..fault.min(text.len())];
    let mut open = Vec::new();
    let mut cut = None;
    let (mut in_string, mut is_escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'}' | b']' => {
                open.pop();
            }
            b',' => cut = Some((at, open.len())),
            _ => {}
        }
        // A list or object that has ended since is complete, but the one around it continues.
        if let Some((_, depth)) = &mut cut
            && open.len() < *depth
        {
            cut = Some((at + 1, open.len()));
        }
    }
    let (end, depth) = cut?;
    let mut part = text[..end].to_vec();
    part.extend(open[..depth].iter().rev());
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strict_readers_refuse_is_mended_and_all_else_stays_as_it_is() {
        for (odd, right) in [
            ("\u{feff}{\"a\":1}", r#"{"a":1}"#),
            (r#"{"a":"\ud83d"}"#, r#"{"a":"\ufffd"}"#),
            (r#"["\ud83d\ude00\ude00x"]"#, r#"["\ud83d\ude00\ufffdx"]"#),
            (r#"["\ud83d\ud83d\ude00"]"#, r#"["\ufffd\ud83d\ude00"]"#),
            (r#"["\\ud83d","\"\ud83d"]"#, r#"["\\ud83d","\"\ufffd"]"#),
            (
                "{\"a\": 1, // one: \"\n\"b\": \"//\"}",
                "{\"a\": 1,  \n\"b\": \"//\"}",
            ),
            ("{\"a\":\"x\ty\r\n\u{1}\"}", r#"{"a":"x\ty\r\n\ufffd"}"#),
            ("[1, 2,\n]", "[1, 2\n]"),
            (r#"{"a":{"b":",]",},}"#, r#"{"a":{"b":",]"}}"#),
            ("[NaN,-Infinity,Infinity,-1]", "[null,null,null,-1]"),
            ("[1,/* two \" */2] // end", "[1, 2]  "),
        ] {
            let mended = repaired(odd.as_bytes());
            assert_eq!(String::from_utf8_lossy(&mended), right);
            assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&mended).is_ok());
        }
        for (mark, unit) in [
            ([0xff, 0xfe], u16::to_le_bytes as fn(u16) -> [u8; 2]),
            ([0xfe, 0xff], u16::to_be_bytes),
        ] {
            let text = r#"{"a":"lämpchen 💡",}"#;
            let wide = [
                &mark[..],
                &text.encode_utf16().flat_map(unit).collect::<Vec<u8>>(),
            ]
            .concat();
            assert_eq!(
                String::from_utf8_lossy(&repaired(&wide)),
                r#"{"a":"lämpchen 💡"}"#
            );
        }
        let latin1 = repaired(b"[\"caf\xe9\"]");
        assert_eq!(String::from_utf8_lossy(&latin1), "[\"caf\u{fffd}\"]");
        for right in [r#"{"a":"\u00e4\\","b":[1,2]}"#, "", "[]", "plain // text?"] {
            let is_borrowed = matches!(repaired(right.as_bytes()), Cow::Borrowed(_));
            assert_eq!(is_borrowed, !right.contains("//"), "{right}");
        }
        // Cut off in the middle of an escape or a comment.
        for cut in ["\"\\", "\"\\u", "\"\\ud83d\\u12", "/", "/*", "/* *", "//"] {
            repaired(cut.as_bytes());
        }
    }

    #[test]
    fn what_stands_before_the_fault_is_kept_and_closed() {
        for (broken, fault, part) in [
            (r#"{"a":1,"b":{"c":[1,2"#, 20, r#"{"a":1,"b":{"c":[1]}}"#),
            (
                r#"{"a":{"x":1,"y":2},"b":oops}"#,
                23,
                r#"{"a":{"x":1,"y":2}}"#,
            ),
            (r#"{"a":{"x":1,"y":2} oops"#, 19, r#"{"a":{"x":1,"y":2}}"#),
            (r#"{"a":",","b":"{"c":1}"}"#, 17, r#"{"a":","}"#),
        ] {
            let kept = readable_part(broken.as_bytes(), fault).unwrap();
            assert_eq!(String::from_utf8_lossy(&kept), part);
        }
        for nothing in ["", "x", "{", r#"{"a":1"#, r#"{"a" 1}"#] {
            assert_eq!(readable_part(nothing.as_bytes(), nothing.len()), None);
        }
    }
}
