//! What of a body is not shown: some producers send their secret in it.

use std::borrow::Cow;

/// What stands in the place of what is hidden.
const HIDDEN: &[u8] = b"\"[hidden]\"";

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
    let mut shown = Vec::new();
    let (mut at, mut copied, mut depth) = (0, 0, 0_usize);
    // The text just read is one of the names; what follows is its value.
    let (mut is_name, mut is_value) = (false, false);
    while let Some(byte) = body.get(at) {
        let mut end = at + 1;
        match byte {
            b'"' => {
                end = text_end(body, at);
                let text = &body[at + 1..end.saturating_sub(1).max(at + 1)];
                if depth == 1 && is_value {
                    shown.extend_from_slice(&body[copied..at]);
                    shown.extend_from_slice(HIDDEN);
                    copied = end;
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
    if copied == 0 {
        return Cow::Borrowed(body);
    }
    shown.extend_from_slice(&body[copied..]);
    Cow::Owned(shown)
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
}
