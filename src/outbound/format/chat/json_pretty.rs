//! Formats JSON for reading: one value on each line, every character as it came.
//!
//! The values of credentials are hidden, since a chat has many readers.

use crate::model::header::{HIDDEN, holds_secret};
use crate::model::text::string_length;

const INDENT: &str = "  ";

/// Deeper levels are indented no further: otherwise the text would grow with the square of its depth.
const DEPTH_MAX: usize = 20;

/// Formats a JSON text for reading.
pub(super) fn lay_out(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    // The name of the field whose value comes next.
    let mut name: Option<&str> = None;
    let mut rest = json.trim();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&INDENT.repeat(depth.min(DEPTH_MAX)));
    };
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '"' => string_length(rest),
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            letter if letter.is_whitespace() => letter.len_utf8(),
            _ => rest
                .find(|c: char| c.is_whitespace() || ",]}".contains(c))
                .unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        rest = after.trim_start();
        match letter {
            '{' | '[' => {
                name = None;
                out.push(letter);
                let close = if letter == '{' { '}' } else { ']' };
                if let Some(after) = rest.strip_prefix(close) {
                    out.push(close);
                    rest = after.trim_start();
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            letter if letter.is_whitespace() => {}
            '"' if rest.starts_with(':') => {
                name = Some(token);
                out.push_str(token);
            }
            _ => {
                let is_secret = |name: &str| holds_secret(&name.replace('_', "-"));
                match name.take() {
                    Some(name) if is_secret(name) => out.push_str(&format!("\"{HIDDEN}\"")),
                    _ => out.push_str(token),
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_deep_grows_by_no_more_than_its_length() {
        let deep = format!(
            "{}{}1{}",
            "[".repeat(9_000),
            "1,".repeat(20_000),
            "]".repeat(9_000)
        );
        let laid = lay_out(&deep);
        assert!(
            laid.len() < deep.len() * (2 * DEPTH_MAX + 2),
            "{}",
            laid.len()
        );
    }

    #[test]
    fn every_letter_stays_and_credentials_are_hidden() {
        let json = r#" {"amount":12.50 , "id":12345678901234567890123,"a":{},"b":[ ],"a":[1,"x\"},{",null],"token":"t","o":{"api_key":7,"password":{"old":"y"}},"z":true} "#;
        let laid = lay_out(json);
        assert_eq!(
            laid,
            r#"{
  "amount": 12.50,
  "id": 12345678901234567890123,
  "a": {},
  "b": [],
  "a": [
    1,
    "x\"},{",
    null
  ],
  "token": "[hidden]",
  "o": {
    "api_key": "[hidden]",
    "password": {
      "old": "y"
    }
  },
  "z": true
}"#
        );
        // A text that is not JSON must not loop for ever either.
        for text in ["", "\"", "{", "}}", "[1", "{\"a\":", "\"\\", "x y"] {
            lay_out(text);
        }
    }
}
