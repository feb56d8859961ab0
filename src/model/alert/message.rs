//! What one message of an alert says.

use serde_json::{Value, json};

use crate::model::text::counted;
use crate::time::Timestamp;

/// Maximum lines of a message about what is wrong, and about what is over; the rest is counted.
const LINES_MAX: usize = 20;

/// A message that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertMessage {
    /// What is wrong since the last message, a line each.
    pub problems: Vec<String>,
    /// What is over since then, a line each.
    pub over: Vec<String>,
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
        let (problems, over) = (self.problems.len(), self.over.len());
        match (self.problems.as_slice(), self.over.as_slice()) {
            ([one], []) | ([], [one]) => one.clone(),
            (_, []) => counted(count(problems), "problem", "problems"),
            ([], _) => counted(count(over), "problem is over", "problems are over"),
            _ => format!(
                "{}, {}",
                counted(count(problems), "problem", "problems"),
                counted(count(over), "is over", "are over")
            ),
        }
    }

    /// Its lines, what is wrong first.
    pub fn text(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for part in [&self.problems, &self.over] {
            lines.extend(part.iter().take(LINES_MAX).cloned());
            if part.len() > LINES_MAX {
                lines.push(format!("and {} more", part.len() - LINES_MAX));
            }
        }
        lines.join("\n")
    }

    /// The body of the event.
    pub fn json(&self, alert: &str, now: Timestamp) -> Value {
        json!({
            "alert": alert,
            "at": now.to_string(),
            "headline": self.headline(),
            "text": self.text(),
            "problems": self.problems,
            "over": self.over,
            "open": self.open,
        })
    }
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
