//! Hides secrets: those that some producers send in their bodies, and those of an endpoint that its replies
//! repeat.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::model::header::HIDDEN;

/// Hides the values of these fields of a body.
///
/// Only text fields of the outermost JSON object are hidden. A body that is not JSON is read as far as it
/// looks like JSON.
///
/// ```
/// use hookbox::model::redact::hide_fields;
/// let body = br#"{"ref":"main","password":"p\"w","job":{"password":"of another"}}"#;
/// let shown = hide_fields(body, &["password"]);
/// assert_eq!(
///     std::str::from_utf8(&shown)?,
///     r#"{"ref":"main","password":"[hidden]","job":{"password":"of another"}}"#,
/// );
/// # Ok::<(), std::str::Utf8Error>(())
/// ```
pub fn hide_fields<'a>(body: &'a [u8], fields: &[&str]) -> Cow<'a, [u8]> {
    let places = field_texts(body, fields);
    if places.is_empty() {
        return Cow::Borrowed(body);
    }
    let mut shown = Vec::new();
    let mut copied = 0;
    for place in places {
        shown.extend_from_slice(&body[copied..place.start]);
        shown.extend_from_slice(b"\"[hidden]\"");
        copied = place.end;
    }
    shown.extend_from_slice(&body[copied..]);
    Cow::Owned(shown)
}

/// The values that [`hide_fields`] hides, decoded.
pub fn hidden_texts(body: &[u8], fields: &[&str]) -> Vec<Vec<u8>> {
    let places = field_texts(body, fields).into_iter();
    let read = places.map(
        |place| match serde_json::from_slice::<String>(&body[place.clone()]) {
            Ok(text) => text.into_bytes(),
            Err(_) => body[place].to_vec(),
        },
    );
    read.collect()
}

/// The positions of these fields' values, quotation marks included.
fn field_texts(body: &[u8], fields: &[&str]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let (mut at, mut depth) = (0, 0_usize);
    // Whether the last string was one of the names, and whether the next one is its value.
    let (mut is_name, mut is_value) = (false, false);
    while let Some(byte) = body.get(at) {
        let mut end = at + 1;
        match byte {
            b'"' => {
                end = text_end(body, at);
                let text = &body[at + 1..end.saturating_sub(1).max(at + 1)];
                if depth == 1 && is_value {
                    places.push(at..end);
                }
                is_name = depth == 1 && fields.iter().any(|field| field.as_bytes() == text);
                is_value = false;
            }
            b':' => is_value = std::mem::take(&mut is_name),
            b'{' | b'[' => {
                depth += 1;
                is_value = false;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => (is_name, is_value) = (false, false),
            _ => {}
        }
        at = end;
    }
    places
}

/// The position after the closing quotation mark of the string that begins here, or the body's end.
fn text_end(body: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    body.len()
}

/// Shorter secrets may be ordinary words, and would be hidden everywhere.
const LENGTH_MIN: usize = 6;

/// Texts that are hidden everywhere, in every form in which a receiver may write them. Each character may
/// be plain, or escaped as in JSON, HTML, a URL or source code; and the whole text may be in base64 or hex.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    /// The longest first: one text may be inside another.
    texts: Vec<Vec<u8>>,
}

impl Redaction {
    /// Hides these texts.
    ///
    /// ```
    /// use hookbox::model::redact::Redaction;
    /// let redaction = Redaction::of([b"p\"ss/w0rd".to_vec()]);
    /// let mut reply = br#"{"you sent":"p\"ss/w0rd","url":"/hook?key=p%22ss%2Fw0rd"}"#.to_vec();
    /// redaction.hide(&mut reply, false);
    /// assert_eq!(
    ///     std::str::from_utf8(&reply)?,
    ///     r#"{"you sent":"[hidden]","url":"/hook?key=[hidden]"}"#,
    /// );
    /// # Ok::<(), std::str::Utf8Error>(())
    /// ```
    pub fn of(secrets: impl IntoIterator<Item = Vec<u8>>) -> Redaction {
        let secrets = secrets.into_iter().filter(|text| text.len() >= LENGTH_MIN);
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            texts.extend(in_base64(&secret));
            texts.push(hex::encode(&secret).into_bytes());
            texts.push(hex::encode_upper(&secret).into_bytes());
            texts.push(secret);
        }
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        Redaction { texts }
    }

    /// Hides the secrets in bytes. If the bytes were cut (`is_cut`), also hides the beginning of a secret
    /// at their end.
    pub fn hide(&self, text: &mut Vec<u8>, is_cut: bool) {
        let mut shown = Vec::new();
        let (mut at, mut copied) = (0, 0);
        while at < text.len() {
            let found = self
                .texts
                .iter()
                .find_map(|secret| match written(text, at, secret) {
                    Written::Whole(end) => Some(end),
                    Written::Begun(bytes) if is_cut && bytes >= LENGTH_MIN / 2 => Some(text.len()),
                    Written::Begun(_) | Written::Not => None,
                });
            match found {
                Some(end) => {
                    shown.extend_from_slice(&text[copied..at]);
                    shown.extend_from_slice(HIDDEN.as_bytes());
                    (at, copied) = (end, end);
                }
                None => at += 1,
            }
        }
        if copied > 0 {
            shown.extend_from_slice(&text[copied..]);
            *text = shown;
        }
    }

    /// Hides the secrets in a text.
    pub fn hide_in(&self, text: &mut String) {
        let mut bytes = text.as_bytes().to_vec();
        self.hide(&mut bytes, false);
        if bytes != text.as_bytes() {
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
}

/// Maximum length of one character's escape that may be cut off: two halves with two backslashes each.
const ESCAPE_BYTES_MAX: usize = 14;

/// Whether a secret is written at a position.
#[derive(Debug, PartialEq, Eq)]
enum Written {
    /// It is, and ends there.
    Whole(usize),
    /// This many bytes of it are, and then the text ends.
    Begun(usize),
    Not,
}

/// Checks whether a secret is written at a position; each character may be in its own form.
fn written(text: &[u8], at: usize, secret: &[u8]) -> Written {
    /// Maximum forms tried for each byte of a secret: few have more than one.
    const WAYS_MAX: usize = 4;
    // Nearly every position is excluded by its first byte.
    if text[at] != secret[0] && !b"\\&%+".contains(&text[at]) {
        return Written::Not;
    }
    let mut best = Written::Not;
    let mut left = WAYS_MAX * secret.len();
    let mut open = vec![(at, 0)];
    while let Some((place, done)) = open.pop() {
        left -= 1;
        if done == secret.len() {
            return Written::Whole(place);
        }
        let rest = &text[place..];
        let is_cut =
            rest.is_empty() || (rest.len() < ESCAPE_BYTES_MAX && b"\\&%".contains(&rest[0]));
        if is_cut && done > 0 {
            best = Written::Begun(done);
        }
        if left == 0 || rest.is_empty() {
            break;
        }
        let wanted = secret[done];
        if rest[0] == wanted || (rest[0] == b'+' && wanted == b' ') {
            open.push((place + 1, done + 1));
        }
        match rest[0] {
            b'%' => {
                if let Some((byte, length)) = percent(rest)
                    && byte == wanted
                {
                    open.push((place + length, done + 1));
                }
            }
            b'\\' | b'&' => {
                if let Some((said, length)) = character(rest)
                    && secret[done..].starts_with(said.as_bytes())
                {
                    open.push((place + length, done + said.len()));
                }
            }
            _ => {}
        }
    }
    best
}

/// The byte that `%XX` stands for, or `%25XX` in a URL inside a URL, and the length of the escape.
fn percent(text: &[u8]) -> Option<(u8, usize)> {
    let mut rest = text.strip_prefix(b"%")?;
    while let Some(inner) = rest.strip_prefix(b"25")
        && inner.len() >= 2
        && inner[..2].iter().all(u8::is_ascii_hexdigit)
    {
        rest = inner;
    }
    let byte = hex_number(rest.get(..2)?)?;
    Some((u8::try_from(byte).ok()?, text.len() - rest.len() + 2))
}

/// The character that an escape stands for, and the length of the escape.
///
/// Escapes are `\u00e9` (two of them for a character beyond 16 bits), `\xe9`, `\n`, a character after one
/// backslash (or more, in JSON inside JSON), `&#233;`, `&#xe9;` and `&amp;`.
fn character(text: &[u8]) -> Option<(String, usize)> {
    match text.first()? {
        b'\\' => {
            let slashes = text.iter().take_while(|byte| **byte == b'\\').count();
            let rest = &text[slashes..];
            let unit = |from: usize| {
                let digits = rest.get(from..from + 4)?;
                hex_number(digits).and_then(|number| u16::try_from(number).ok())
            };
            match rest.first() {
                Some(b'u') => {
                    let (first, mut length) = (unit(1)?, slashes + 5);
                    let mut units = vec![first];
                    if (0xd800..0xdc00).contains(&first) {
                        // The other half has the same number of backslashes.
                        units.push(unit(5 + slashes + 1)?);
                        length += slashes + 5;
                    }
                    String::from_utf16(&units).ok().map(|said| (said, length))
                }
                Some(b'x') => {
                    let number = hex_number(rest.get(1..3)?)?;
                    Some((char::from_u32(number)?.to_string(), slashes + 3))
                }
                Some(b'n') => Some(("\n".to_owned(), slashes + 1)),
                Some(b'r') => Some(("\r".to_owned(), slashes + 1)),
                Some(b't') => Some(("\t".to_owned(), slashes + 1)),
                Some(sign) if sign.is_ascii_punctuation() => {
                    Some((char::from(*sign).to_string(), slashes + 1))
                }
                _ => Some(("\\".to_owned(), slashes)),
            }
        }
        b'&' => {
            let end = text.iter().take(10).position(|byte| *byte == b';')?;
            let name = std::str::from_utf8(&text[1..end]).ok()?;
            let said = match name.strip_prefix('#') {
                Some(number) => {
                    let number = match number.strip_prefix(['x', 'X']) {
                        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(number)?
                }
                None => match name {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    "apos" => '\'',
                    _ => return None,
                },
            };
            Some((said.to_string(), end + 1))
        }
        _ => None,
    }
}

fn hex_number(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The base64 forms of a text at each of the three alignments. Digits that depend on neighbouring bytes are
/// left out.
fn in_base64(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut ways = Vec::new();
    for before in 0..3 {
        let padded = [&[0; 2][..before.min(2)], secret].concat();
        let written = STANDARD_NO_PAD.encode(&padded);
        let from = (before * 8).div_ceil(6);
        let to = padded.len() * 8 / 6;
        let inner = &written[from..to];
        ways.push(inner.as_bytes().to_vec());
        ways.push(inner.replace('+', "-").replace('/', "_").into_bytes());
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str) -> String {
        let shown = hide_fields(body.as_bytes(), &["password", "sign"]);
        String::from_utf8(shown.into_owned()).unwrap()
    }

    #[test]
    fn the_texts_of_the_fields_are_hidden_and_everything_else_is_as_it_was() {
        for (body, expected) in [
            (
                "{\n  \"password\" : \"x\",\n  \"sign\":\"y\", \"z\": [1]}",
                "{\n  \"password\" : \"[hidden]\",\n  \"sign\":\"[hidden]\", \"z\": [1]}",
            ),
            (
                r#"{"a":"password","password":null,"b":"x"}"#,
                r#"{"a":"password","password":null,"b":"x"}"#,
            ),
            (
                r#"{"password":{"sign":"x"},"c":"d"}"#,
                r#"{"password":{"sign":"x"},"c":"d"}"#,
            ),
            (r#"{"password":"cut"#, r#"{"password":"[hidden]""#),
            (r#"{"password":"cut\"#, r#"{"password":"[hidden]""#),
            (
                r#"// no JSON {"sign": "x" upParams: "{"y"}"#,
                r#"// no JSON {"sign": "[hidden]" upParams: "{"y"}"#,
            ),
            ("", ""),
            ("\"", "\""),
        ] {
            assert_eq!(shown(body), expected, "{body}");
        }
    }

    #[test]
    fn the_texts_of_the_fields_can_be_had() {
        let body = br#"{"password":"p\"w","sign":"y","z":"q"}"#;
        let texts = hidden_texts(body, &["password", "sign"]);
        assert_eq!(texts, [b"p\"w".to_vec(), b"y".to_vec()]);
    }

    #[test]
    fn a_secret_is_hidden_however_a_receiver_writes_it() {
        let secret = "s3\"c<r>&t/ü'+ 😀";
        let redaction = Redaction::of([secret.as_bytes().to_vec(), b"short".to_vec()]);
        for said in [
            secret,
            // JSON of serde, of PHP, of Python, of Go, of .NET, inside JSON, and of Python's repr.
            r#"s3\"c<r>&t/ü'+ 😀"#,
            r#"s3\"c<r>&t\/\u00fc'+ \ud83d\ude00"#,
            r#"s3\"c<r>&t/\u00FC'+ \uD83D\uDE00"#,
            r#"s3\"c\u003cr\u003e\u0026t/ü'+ 😀"#,
            r#"s3\u0022c\u003Cr\u003E\u0026t/\u00FC\u0027\u002B \uD83D\uDE00"#,
            r#"s3\\\"c\\u003cr\\u003e\\u0026t/ü'+ \\ud83d\\ude00"#,
            r#"s3"c<r>&t/\xfc\'+ 😀"#,
            // Pages.
            "s3&quot;c&lt;r&gt;&amp;t/ü'+ 😀",
            "s3&#34;c&lt;r&gt;&amp;t/ü&#39;&#43; &#128512;",
            "s3&quot;c&lt;r&gt;&amp;t&#x2F;&#xfc;&#x27;+ &#x1F600;",
            // URLs: of forms, of JavaScript, of Python.
            "s3%22c%3Cr%3E%26t%2F%C3%BC%27%2B+%F0%9F%98%80",
            "s3%22c%3cr%3e%26t%2f%c3%bc'%2b%20%f0%9f%98%80",
            "s3%22c%3Cr%3E%26t/%C3%BC%27%2B%20%F0%9F%98%80",
            "s3%2522c%253Cr%253E%2526t/%25C3%25BC%2527%252B%2520%25F0%259F%2598%2580",
        ] {
            let mut text = format!("<{said}> short {said}");
            redaction.hide_in(&mut text);
            assert_eq!(text, "<[hidden]> short [hidden]", "{said}");
            for length in 9..said.len() {
                let mut cut = [b"a ", &said.as_bytes()[..length]].concat();
                redaction.hide(&mut cut, true);
                let text = String::from_utf8_lossy(&cut);
                assert_eq!(text, "a [hidden]", "{said} {length}");
            }
        }
        for before in ["", "a", "ab", "abc"] {
            let whole = format!("{before}{secret}&more");
            for mut text in [
                base64::engine::general_purpose::STANDARD.encode(&whole),
                base64::engine::general_purpose::URL_SAFE.encode(&whole),
                hex::encode(&whole),
                hex::encode_upper(&whole),
            ] {
                redaction.hide_in(&mut text);
                assert!(text.contains("[hidden]") && text.len() < 30, "{text}");
            }
        }
        let mut plain = b"nothing of it, s3".to_vec();
        redaction.hide(&mut plain, true);
        assert_eq!(plain, b"nothing of it, s3");
    }
}
