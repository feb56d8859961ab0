//! What one message of an alert says.

use serde_json::{Value, json};

use crate::model::line::one_line;
use crate::model::text::counted;
use crate::time::Timestamp;

/// Maximum lines of a message about what is wrong, and about what is over; the rest is counted.
const LINES_MAX: usize = 20;

/// Maximum length of a line: what an endpoint answered may be a page.
const LINE_CHARS_MAX: usize = 500;

/// A message that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertMessage {
    /// What is wrong since the last message, a line each.
    pub problems: Vec<String>,
    /// What is over since then, a line each.
    pub recovered: Vec<String>,
    /// How many problems there are now, with those of earlier messages.
    pub open: usize,
}

impl AlertMessage {
    /// Whether it says that something is wrong.
    pub fn is_bad(&self) -> bool {
        !self.problems.is_empty()
    }

    /// All of it in one line.
    pub fn headline(&self) -> String {
        let (problems, recovered) = (self.problems.len(), self.recovered.len());
        match (self.problems.as_slice(), self.recovered.as_slice()) {
            ([one], []) | ([], [one]) => one.clone(),
            (_, []) => counted(count(problems), "problem", "problems"),
            ([], _) => counted(count(recovered), "problem is over", "problems are over"),
            _ => format!(
                "{}, {}",
                counted(count(problems), "problem", "problems"),
                counted(count(recovered), "is over", "are over")
            ),
        }
    }

    /// The body of the event.
    pub fn json(&self, alert: &str, now: Timestamp) -> Value {
        let (problems, recovered) = (lines(&self.problems), lines(&self.recovered));
        let text = [&problems[..], &recovered[..]].concat().join("\n");
        json!({
            "alert": alert,
            "at": now.to_string(),
            "headline": self.headline(),
            "text": text,
            "problems": problems,
            "recovered": recovered,
            "open": self.open,
        })
    }
}

/// The first lines, and how many more there are.
fn lines(all: &[String]) -> Vec<String> {
    let shown = all.iter().take(LINES_MAX);
    let mut lines: Vec<String> = shown.map(|line| one_line(line, LINE_CHARS_MAX)).collect();
    if all.len() > LINES_MAX {
        lines.push(format!("and {} more", all.len() - LINES_MAX));
    }
    lines
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
