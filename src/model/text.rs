//! Finds a text in bodies, whatever the case of its letters, also where a sender wrote them as JSON escapes
//! (PHP and Python do: `\u4fee`).

use std::borrow::Cow;

use memchr::memmem::Finder;

use crate::error::{Error, Result};

/// A number of things: `1 delivery`, `2 deliveries`.
pub(crate) fn counted(count: i64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Maximum length of the text, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// Characters that are shown before what was found, and after it.
const AROUND: usize = 60;

/// A text to search for.
#[derive(Debug, Clone)]
pub struct Text {
    finder: Finder<'static>,
    chars: usize,
}

impl Text {
    /// Prepares a search.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is empty or too long.
    ///
    /// ```
    /// use hookbox::model::text::Text;
    /// let text = Text::new("beacon")?;
    /// assert!(text.is_in(br#"{"repository":"lighthouse/BEACON"}"#));
    /// assert!(!text.is_in(b"{}"));
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn new(text: &str) -> Result<Text> {
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return Err(Error::misuse(format!(
                "a text to look for has 1 to {TEXT_BYTES_MAX} bytes"
            )));
        }
        let text = text.to_lowercase();
        Ok(Text {
            finder: Finder::new(text.as_bytes()).into_owned(),
            chars: text.chars().count(),
        })
    }

    /// Whether a body contains the text.
    pub fn is_in(&self, body: &[u8]) -> bool {
        self.finder.find(searched(body).as_bytes()).is_some()
    }

    /// The text as it is compared.
    pub(crate) fn lower(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.finder.needle())
    }

    /// What stands around the text where it is first, on one line; `None` where it is not.
    pub fn around(&self, body: &[u8]) -> Option<String> {
        let text = letters(body);
        let lower = text.to_lowercase();
        let at = self.finder.find(lower.as_bytes())?;
        // Lower-case letters may take another number of bytes, and rarely another number of letters.
        let before = lower[..at].chars().count();
        let first = before.saturating_sub(AROUND);
        let shown: String = text
            .chars()
            .skip(first)
            .take(before - first + self.chars + AROUND)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        Some(shown.split_whitespace().collect::<Vec<&str>>().join(" "))
    }
}

/// A body as it is compared: its letters, in lower case.
pub(crate) fn searched(body: &[u8]) -> String {
    match body.is_ascii() && !has_escape(body) {
        true => String::from_utf8_lossy(&body.to_ascii_lowercase()).into_owned(),
        false => letters(body).to_lowercase(),
    }
}

fn has_escape(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"\\u").is_some()
}

/// A body as text, with escaped letters as letters.
fn letters(body: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(body);
    match has_escape(body) {
        true => Cow::Owned(unescape(&text)),
        false => text,
    }
}

/// The length of the JSON string with which a text begins, with its quotation marks.
pub(crate) fn string_length(json: &str) -> usize {
    let mut is_escaped = false;
    for (index, letter) in json.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return index + 1,
            _ => {}
        }
    }
    json.len()
}

/// A text with its escaped letters (`\uXXXX`) as letters. Other escapes stay, and so do those of quotes,
/// backslashes and control characters.
pub(crate) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        rest = match letter(escape) {
            Some((letter, length)) => {
                out.push(letter);
                &escape[length..]
            }
            None => {
                let length = escape.chars().take(2).map(char::len_utf8).sum();
                out.push_str(&escape[..length]);
                &escape[length..]
            }
        };
    }
    out.push_str(rest);
    out
}

/// The letter of `\uXXXX`, or of two of them, and how many bytes they take.
fn letter(escape: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(0)?;
    let units: Vec<u16> = match first {
        0xd800..0xdc00 => vec![first, unit(6)?],
        _ => vec![first],
    };
    let length = 6 * units.len();
    let letter = char::decode_utf16(units).next()?.ok()?;
    let stays = letter.is_control() || matches!(letter, '"' | '\\') || turns(letter);
    (!stays).then_some((letter, length))
}

/// Whether a letter turns the order in which others are shown, or begins a line (Unicode, UAX 9 and UAX 14): as
/// an escape it can be seen.
fn turns(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_whatever_its_case_and_however_it_is_written() {
        let rows: [(&str, &[u8]); 6] = [
            ("Beacon", b"lighthouse/BEACON"),
            ("\u{4fee}\u{590d}", br#"{"message":"\u4fee\u590d"}"#),
            (
                "\u{418}\u{421}\u{41f}\u{420}",
                "\u{438}\u{441}\u{43f}\u{440}\u{430}\u{432}\u{438}\u{43b}".as_bytes(),
            ),
            ("\u{438}\u{441}", br#"{"m":"\u0418\u0421\u041f"}"#),
            ("\u{1f600}", br#"{"m":"\ud83d\ude00"}"#),
            ("caf\u{c9}", "Caf\u{e9}\n".as_bytes()),
        ];
        for (text, body) in rows {
            assert!(Text::new(text).unwrap().is_in(body), "{text}");
            assert!(!Text::new(text).unwrap().is_in(b"{\"other\":\"\\u0041\"}"));
        }
    }

    #[test]
    fn what_stands_around_it_is_one_line() {
        let body = format!(
            "{{\"a\":\"{}\",\n\t\"m\":\"\\u4fee\\u590d now\"}}",
            "x".repeat(90)
        );
        let shown = Text::new("\u{590d}")
            .unwrap()
            .around(body.as_bytes())
            .unwrap();
        assert!(
            shown.contains("x\", \"m\":\"\u{4fee}\u{590d} now\"}"),
            "{shown}"
        );
        assert!(shown.chars().count() < 2 * AROUND);
        assert_eq!(Text::new("nowhere").unwrap().around(b"{}"), None);
    }

    #[test]
    fn escapes_that_keep_a_string_together_stay() {
        assert_eq!(
            unescape(r#""\u0041\u0022\u005c\n\"\\u0041\u202e\ud83d""#),
            r#""A\u0022\u005c\n\"\\u0041\u202e\ud83d""#
        );
    }
}
