//! Compares two attempts: what was sent, what came back, and where they differ. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::model::attempt::AttemptRecord;
use crate::model::delivery::DeliveryRecord;
use crate::model::header::{HIDDEN, Header, holds_secret};
use crate::model::id::BoxId;

/// Maximum bytes of a body that are compared.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Maximum lines that are compared: the cost is quadratic.
const LINES_MAX: usize = 1_000;

/// Lines shown around a difference.
const CONTEXT: usize = 3;

/// One of the two attempts.
#[derive(Debug)]
pub struct Side {
    /// The attempt.
    pub attempt: AttemptRecord,
    /// Its delivery.
    pub delivery: DeliveryRecord,
    /// The body of its event, in the form that may be shown.
    pub body: Vec<u8>,
}

/// A value of both attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The name of the value.
    pub name: String,
    /// The value of the first attempt, if it has one.
    pub a: Option<String>,
    /// The value of the second attempt.
    pub b: Option<String>,
}

impl Pair {
    /// Whether the two differ.
    pub fn differs(&self) -> bool {
        self.a != self.b
    }

    fn json(&self) -> Value {
        json!({ "name": self.name, "a": self.a, "b": self.b, "differs": self.differs() })
    }
}

/// Which side has a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Both have it.
    Both,
    /// Only the first.
    A,
    /// Only the second.
    B,
}

/// A line of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which side has it.
    pub whose: Whose,
    /// The line.
    pub text: String,
}

/// The result of the comparison.
#[derive(Debug)]
pub struct Diff {
    /// Endpoint, event, outcome and similar facts.
    pub facts: Vec<Pair>,
    /// Headers of the requests, by name.
    pub request_headers: Vec<Pair>,
    /// Headers of the replies, by name.
    pub response_headers: Vec<Pair>,
    /// Lines of the events' bodies around the differences; empty if they are the same.
    pub request_body: Vec<Line>,
    /// Lines of the replies' bodies around the differences.
    pub response_body: Vec<Line>,
}

impl Diff {
    /// Compares two attempts.
    pub fn of(a: &Side, b: &Side, box_id: &BoxId) -> Diff {
        let (one, other) = (&a.attempt, &b.attempt);
        let fact = |name: &str, of: &dyn Fn(&Side) -> Option<String>| Pair {
            name: name.to_owned(),
            a: of(a),
            b: of(b),
        };
        Diff {
            facts: vec![
                fact("delivery", &|side| Some(box_id.delivery(side.delivery.id))),
                fact("event", &|side| Some(box_id.event(side.delivery.event))),
                fact("endpoint", &|side| Some(side.delivery.endpoint.clone())),
                fact("outcome", &|side| {
                    Some(side.attempt.outcome.name().to_owned())
                }),
                fact("status", &|side| {
                    side.attempt.status.map(|status| status.to_string())
                }),
                fact("error", &|side| side.attempt.error.clone()),
                fact("duration_ms", &|side| {
                    let micros = side.attempt.timing.total.as_micros();
                    Some(format!("{:.1}", micros as f64 / 1000.0))
                }),
            ],
            request_headers: headers(&one.request_headers, &other.request_headers),
            response_headers: headers(&one.response_headers, &other.response_headers),
            request_body: lines(&a.body, &b.body),
            response_body: lines(&one.response_body, &other.response_body),
        }
    }

    /// As a JSON object.
    pub fn json(&self) -> Value {
        let pairs = |pairs: &[Pair]| pairs.iter().map(Pair::json).collect::<Vec<Value>>();
        let body = |lines: &[Line]| {
            lines
                .iter()
                .map(|line| format!("{} {}", sign(line.whose), line.text))
                .collect::<Vec<String>>()
        };
        json!({
            "facts": pairs(&self.facts),
            "request_headers": pairs(&self.request_headers),
            "response_headers": pairs(&self.response_headers),
            "request_body": body(&self.request_body),
            "response_body": body(&self.response_body),
        })
    }

    /// The differences as text, one line each, as `diff` writes them.
    pub fn text(&self) -> Vec<String> {
        let mut text = Vec::new();
        let parts = [
            ("", &self.facts),
            ("request header ", &self.request_headers),
            ("reply header ", &self.response_headers),
        ];
        for (of, pairs) in parts {
            for pair in pairs.iter().filter(|pair| pair.differs()) {
                for (sign, value) in [("-", &pair.a), ("+", &pair.b)] {
                    if let Some(value) = value {
                        text.push(format!("{sign} {of}{}: {value}", pair.name));
                    }
                }
            }
        }
        for (of, lines) in [
            ("request body", &self.request_body),
            ("reply body", &self.response_body),
        ] {
            if !lines.is_empty() {
                text.push(format!("@ {of}"));
                let lines = lines.iter();
                text.extend(lines.map(|line| format!("{} {}", sign(line.whose), line.text)));
            }
        }
        text
    }
}

fn sign(whose: Whose) -> char {
    match whose {
        Whose::Both => ' ',
        Whose::A => '-',
        Whose::B => '+',
    }
}

/// The headers of both, by name.
fn headers(a: &[Header], b: &[Header]) -> Vec<Pair> {
    let mut pairs: BTreeMap<String, Pair> = BTreeMap::new();
    for (is_a, headers) in [(true, a), (false, b)] {
        for (name, value) in headers {
            let pair = pairs
                .entry(name.to_ascii_lowercase())
                .or_insert_with(|| Pair {
                    name: name.clone(),
                    a: None,
                    b: None,
                });
            let value = if holds_secret(name) { HIDDEN } else { value };
            let held = if is_a { &mut pair.a } else { &mut pair.b };
            match held {
                Some(held) => {
                    held.push_str(", ");
                    held.push_str(value);
                }
                None => *held = Some(value.to_owned()),
            }
        }
    }
    pairs.into_values().collect()
}

/// The lines of two bodies around the differences.
fn lines(a: &[u8], b: &[u8]) -> Vec<Line> {
    if a == b {
        return Vec::new();
    }
    let (a, b) = (readable(a), readable(b));
    let all: Vec<Line> = ::diff::lines(&a, &b)
        .into_iter()
        .map(|line| {
            let (whose, text) = match line {
                ::diff::Result::Left(text) => (Whose::A, text),
                ::diff::Result::Both(text, _) => (Whose::Both, text),
                ::diff::Result::Right(text) => (Whose::B, text),
            };
            let text = text.to_owned();
            Line { whose, text }
        })
        .collect();
    let differs = |line: &Line| line.whose != Whose::Both;
    let is_near = |index: usize| {
        let around = index.saturating_sub(CONTEXT)..(index + CONTEXT + 1).min(all.len());
        all[around].iter().any(differs)
    };
    let near: Vec<bool> = (0..all.len()).map(is_near).collect();
    let kept = all.into_iter().zip(near);
    kept.filter(|(_, is_near)| *is_near)
        .map(|(line, _)| line)
        .collect()
}

/// A body in a readable form: JSON with one field per line.
fn readable(body: &[u8]) -> String {
    let body = &body[..body.len().min(BODY_BYTES_MAX)];
    let pretty = serde_json::from_slice::<Value>(body)
        .and_then(|value| serde_json::to_string_pretty(&value));
    let text = pretty.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned());
    let lines: Vec<&str> = text.lines().take(LINES_MAX).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_compared_a_field_a_line_and_the_same_ones_not_at_all() {
        let found = lines(br#"{"a":1,"b":2}"#, br#"{"a":1,"b":3}"#);
        let changed: Vec<String> = found
            .iter()
            .filter(|line| line.whose != Whose::Both)
            .map(|line| format!("{}{}", sign(line.whose), line.text.trim()))
            .collect();
        assert_eq!(changed, ["-\"b\": 2", "+\"b\": 3"]);
        assert_eq!(lines(b"x", b"x"), []);
    }

    #[test]
    fn headers_are_paired_by_name_and_credentials_hidden() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let pairs = headers(
            &[
                header("X-A", "1"),
                header("Authorization", "Bearer hunter2"),
            ],
            &[header("x-a", "2"), header("X-B", "3")],
        );
        let shown: Vec<(&str, Option<&str>, Option<&str>)> = pairs
            .iter()
            .map(|pair| (pair.name.as_str(), pair.a.as_deref(), pair.b.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [
                ("Authorization", Some(HIDDEN), None),
                ("X-A", Some("1"), Some("2")),
                ("X-B", None, Some("3")),
            ]
        );
    }
}
