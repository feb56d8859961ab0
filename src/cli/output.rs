//! Prints results on stdout, as text or as JSON, and diagnostics on stderr.
//!
//! It is the only place that writes to either. A reader that stops reading early (`| head`) is not a
//! failure.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tabwriter::TabWriter;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::error::{Error, Result};
use crate::time::{Clock, Timestamp};

/// No column is cut to less.
const COLUMN_MIN: usize = 8;

pub(super) struct Output {
    json: bool,
    clock: Arc<dyn Clock>,
}

impl Output {
    pub(super) fn new(json: bool, clock: Arc<dyn Clock>) -> Output {
        Output { json, clock }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one result: the object, or its text.
    pub(super) fn object(&self, object: &Value, text: &str) -> Result<()> {
        if self.json {
            self.line(&object.to_string())
        } else {
            self.line(text)
        }
    }

    /// Prints one object: as JSON, or one field on each line.
    pub(super) fn fields(&self, object: &Value) -> Result<()> {
        if self.json {
            return self.line(&object.to_string());
        }
        let rows = object.as_object().into_iter().flatten();
        self.aligned(rows.map(|(name, value)| vec![name.clone(), plain(value)]))
    }

    /// Prints a list: as JSON with one object on each line, or a table of these fields.
    pub(super) fn list(&self, columns: &[&str], objects: &[Value]) -> Result<()> {
        if self.json {
            return objects
                .iter()
                .try_for_each(|object| self.line(&object.to_string()));
        }
        let header = columns.iter().map(|name| name.to_uppercase()).collect();
        let now = self.clock.now();
        let rows = objects.iter().map(|object| {
            columns
                .iter()
                .map(|name| match self.is_shown() {
                    true => short(name, &object[*name], now),
                    false => plain(&object[*name]),
                })
                .collect::<Vec<String>>()
        });
        let rows = std::iter::once(header).chain(rows);
        match self.is_shown() {
            true => self.fitted(rows.collect()),
            false => self.tabbed(rows),
        }
    }

    /// Prints rows with tabs between the fields, for programs.
    fn tabbed(&self, rows: impl Iterator<Item = Vec<String>>) -> Result<()> {
        let lines = rows.map(|row| row.join("\t") + "\n");
        self.bytes(lines.collect::<String>().as_bytes())
    }

    /// Prints a table that fits the terminal: of the widest columns, what does not fit is cut.
    fn fitted(&self, mut rows: Vec<Vec<String>>) -> Result<()> {
        let width = terminal_width();
        let columns = rows.first().map_or(0, Vec::len);
        let widest_in = |rows: &[Vec<String>], column: usize| {
            let widths = rows.iter().map(|row| row[column].width());
            widths.max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..columns)
            .map(|column| widest_in(&rows, column))
            .collect();
        while widths.iter().map(|width| width + 2).sum::<usize>() > width
            && let Some(widest) = widths.iter_mut().max()
            && *widest > COLUMN_MIN
        {
            *widest -= 1;
        }
        for row in &mut rows {
            for (field, width) in row.iter_mut().zip(&widths) {
                *field = cut(field, *width);
            }
        }
        self.aligned(rows.into_iter())
    }

    /// Prints one line of text.
    pub(super) fn line(&self, text: &str) -> Result<()> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Prints exact bytes.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Result<()> {
        self.reaches(bytes).map(|_| ())
    }

    /// Prints exact bytes; returns whether stdout still has a reader.
    pub(super) fn reaches(&self, bytes: &[u8]) -> Result<bool> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::io("write to standard output", error)),
        }
    }

    /// Whether standard output is a terminal.
    pub(super) fn is_shown(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// Whether the output may be coloured (https://no-color.org).
    pub(super) fn is_coloured(&self) -> bool {
        let forbids = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        self.is_shown() && !forbids
    }

    /// Prints a remark for a person, on stderr.
    pub(super) fn note(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "hookbox: {text}");
    }

    /// Prints a text for a person, on stderr.
    pub(super) fn tell(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// Shows a line on a terminal that the next one takes the place of; an empty one takes it away.
    pub(super) fn passing(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        if !self.json && stderr.is_terminal() {
            let text = cut(&harmless(text), terminal_width().saturating_sub(1));
            // The cursor goes to the line's begin, and the line is cleared (ECMA-48, EL).
            let _ = write!(stderr, "\r\x1b[K{text}");
            let _ = stderr.flush();
        }
    }

    /// Whether a person is at a terminal and can be asked.
    pub(super) fn is_interactive(&self) -> bool {
        !self.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks a person at a terminal; without a terminal the answer is no.
    pub(super) fn confirms(&self, question: &str) -> Result<bool> {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Ok(false);
        }
        let _ = write!(std::io::stderr(), "hookbox: {question} [y/N] ");
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Error::io("read the answer", error))?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Prints an error, on stderr.
    pub(super) fn error(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "hookbox: error: {text}");
    }

    fn aligned(&self, rows: impl Iterator<Item = Vec<String>>) -> Result<()> {
        let mut writer = TabWriter::new(Vec::new());
        for row in rows {
            writeln!(writer, "{}", row.join("\t"))
                .map_err(|error| Error::io("align a table", error))?;
        }
        let bytes = writer.into_inner().map_err(|error| {
            Error::io("align a table", std::io::Error::other(error.to_string()))
        })?;
        self.bytes(&bytes)
    }
}

/// Formats a field of a list for a person at a terminal: times as ages, ids by their numbers.
fn short(name: &str, value: &Value, now: Timestamp) -> String {
    let text = plain(value);
    if name.ends_with("_at")
        && let Some(at) = Timestamp::parse_rfc3339(&text)
    {
        return match at > now {
            true => format!("in {}", show_coarse(at.since(now))),
            false => format!("{} ago", show_coarse(now.since(at))),
        };
    }
    let parts: Vec<&str> = text.split('_').collect();
    match parts.as_slice() {
        ["evt" | "dlv" | "att" | "rpl", _, number, ..] if name == "id" || name == "event" => {
            (*number).to_owned()
        }
        _ => text,
    }
}

/// A span in its largest unit.
fn show_coarse(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if kept.width() + c.width().unwrap_or(0) >= room {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

/// The width of the terminal, or a usual one.
fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    size.ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|width| *width > 0)
        .unwrap_or(80)
}

/// Formats a JSON value for a person.
///
/// Control characters of foreign texts are replaced.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            texts.join(",")
        }
        other => other.to_string(),
    };
    harmless(&text)
}

/// Replaces the control characters of a foreign text: they would control the terminal.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
