//! What is not shown: secrets that some producers send in their bodies, and those of an endpoint in what it
//! says again of what it was sent.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use crate::model::header::HIDDEN;

/// The body with the texts of these fields hidden, where they are fields of the outermost JSON
/// object. A body that is no JSON is read as far as it looks like it.
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

/// The texts of these fields, as [`hide_fields`] hides them, read.
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

/// Where the texts of these fields stand, quotation marks and all.
fn field_texts(body: &[u8], fields: &[&str]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let (mut at, mut depth) = (0, 0_usize);
    // The text just read is one of the names; what follows is its value.
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

/// The place after the quotation mark that ends the text which begins here, or the body's end.
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

/// Shorter texts are words, and would be hidden wherever they stand.
const LENGTH_MIN: usize = 6;

/// Texts that are hidden wherever they stand, in each way in which a receiver may write them.
#[derive(Debug, Default)]
pub struct Redaction {
    /// The longest first: one may be inside another.
    texts: Vec<Vec<u8>>,
}

impl Redaction {
    /// Hides these texts from now on.
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
        let mut texts: Vec<Vec<u8>> = secrets.flat_map(|secret| ways_to_write(&secret)).collect();
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        Redaction { texts }
    }

    /// Hides them in a text; of one that `is_cut` also the beginning of one at its end.
    pub fn hide(&self, text: &mut Vec<u8>, is_cut: bool) {
        for secret in &self.texts {
            if memmem::find(text, secret).is_none() {
                continue;
            }
            let mut shown = Vec::with_capacity(text.len());
            let mut copied = 0;
            for at in memmem::find_iter(text, secret) {
                shown.extend_from_slice(&text[copied..at]);
                shown.extend_from_slice(HIDDEN.as_bytes());
                copied = at + secret.len();
            }
            shown.extend_from_slice(&text[copied..]);
            *text = shown;
        }
        if is_cut {
            let begun = |secret: &Vec<u8>| {
                let lengths = (LENGTH_MIN / 2..secret.len()).rev();
                lengths
                    .into_iter()
                    .find(|length| text.ends_with(&secret[..*length]))
            };
            if let Some(length) = self.texts.iter().filter_map(begun).max() {
                text.truncate(text.len() - length);
                text.extend_from_slice(HIDDEN.as_bytes());
            }
        }
    }

    /// Hides them in a text of words.
    pub fn hide_in(&self, text: &mut String) {
        let is_there = |secret: &Vec<u8>| memmem::find(text.as_bytes(), secret).is_some();
        if self.texts.iter().any(is_there) {
            let mut bytes = std::mem::take(text).into_bytes();
            self.hide(&mut bytes, false);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
}

/// A text as it is, inside JSON as most write it, as PHP and Python do, and as JSON inside JSON; in a page;
/// in a URL or form; and as base64.
fn ways_to_write(secret: &[u8]) -> Vec<Vec<u8>> {
    let encoded = |set| percent_encode(secret, set).to_string();
    let url = encoded(NON_ALPHANUMERIC);
    let form: String = form_urlencoded::byte_serialize(secret).collect();
    let base64 = STANDARD.encode(secret);
    let unpadded = base64.trim_end_matches('=');
    let mut ways = vec![
        url.to_ascii_lowercase(),
        url,
        form,
        unpadded.replace('+', "-").replace('/', "_"),
        unpadded.to_owned(),
    ];
    if let Ok(text) = std::str::from_utf8(secret) {
        let html = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        ways.extend([
            html.replace('\'', "&#39;"),
            html.replace('\'', "&#x27;"),
            html,
        ]);
        let json = in_json(text);
        ways.extend([
            json.replace('/', "\\/"),
            in_json(&json),
            ascii_only(&json),
            json,
        ]);
    }
    let mut ways: Vec<Vec<u8>> = ways.into_iter().map(String::into_bytes).collect();
    ways.push(secret.to_vec());
    ways
}

/// As a text inside JSON, without its quotation marks.
fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn ascii_only(json: &str) -> String {
    let mut written = String::new();
    for c in json.chars() {
        match c.is_ascii() {
            true => written.push(c),
            false => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    written.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    written
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
        let secret = "s3\"c<r>&t/ü'+";
        let redaction = Redaction::of([secret.as_bytes().to_vec(), b"short".to_vec()]);
        for said in [
            secret,
            r#"s3\"c<r>&t/ü'+"#,
            r#"s3\"c<r>&t\/ü'+"#,
            r#"s3\"c<r>&t/\u00fc'+"#,
            r#"s3\\\"c<r>&t/ü'+"#,
            "s3&quot;c&lt;r&gt;&amp;t/ü'+",
            "s3&quot;c&lt;r&gt;&amp;t/ü&#39;+",
            "s3&quot;c&lt;r&gt;&amp;t/ü&#x27;+",
            "s3%22c%3Cr%3E%26t%2F%C3%BC%27%2B",
            "s3%22c%3cr%3e%26t%2f%c3%bc%27%2b",
            "czMiYzxyPiZ0L8O8Jys",
        ] {
            let mut text = format!("<{said}> short {said}");
            redaction.hide_in(&mut text);
            assert_eq!(text, "<[hidden]> short [hidden]", "{said}");
            for length in 3..said.len() {
                let mut cut = [b"a ", &said.as_bytes()[..length]].concat();
                redaction.hide(&mut cut, true);
                let text = String::from_utf8_lossy(&cut);
                assert!(text.starts_with("a [hidden]"), "{text}");
                assert!(text.len() < "a [hidden]".len() + 3, "{text}");
            }
        }
        let mut plain = b"nothing of it, s3".to_vec();
        redaction.hide(&mut plain, true);
        assert_eq!(plain, b"nothing of it, s3");
    }
}
