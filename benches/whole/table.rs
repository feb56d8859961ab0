//! The table: one row a figure, beside its limit and its goal.

use serde_json::{Value, json};

/// What is to be reached.
pub(crate) enum Goal {
    None,
    AtLeast(f64),
    AtMost(f64),
}

pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What the goal is about: a share of a limit, or the value itself.
    pub(crate) share: Option<(f64, &'static str)>,
    pub(crate) goal: Goal,
}

pub(crate) struct Table {
    pub(crate) json: bool,
}

impl Table {
    pub(crate) fn print(&self, row: &Row) {
        let judged = row.share.map_or(row.value, |(share, _)| share);
        let met = match row.goal {
            Goal::None => None,
            Goal::AtLeast(goal) => Some(judged >= goal),
            Goal::AtMost(goal) => Some(judged <= goal),
        };
        if self.json {
            let goal = match row.goal {
                Goal::None => Value::Null,
                Goal::AtLeast(goal) => json!({ "at_least": goal }),
                Goal::AtMost(goal) => json!({ "at_most": goal }),
            };
            println!(
                "{}",
                json!({
                    "name": row.name, "value": row.value, "unit": row.unit,
                    "share": row.share.map(|(share, _)| share), "of": row.share.map(|(_, of)| of),
                    "goal": goal, "met": met,
                })
            );
            return;
        }
        let share = row
            .share
            .map(|(share, of)| format!("{share:.2} of {of}"))
            .unwrap_or_default();
        let goal = match row.goal {
            Goal::None => String::new(),
            Goal::AtLeast(goal) => format!(">= {goal}"),
            Goal::AtMost(goal) => format!("<= {goal}"),
        };
        let met = met.map_or("", |met| if met { "yes" } else { "NO" });
        println!(
            "{:<44} {:>12.2} {:<10} {:<26} {:<10} {met}",
            row.name, row.value, row.unit, share, goal
        );
    }
}
