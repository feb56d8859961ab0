//! Writes a message in a chat's markup, within the chat's size limit. Pure.
//!
//! Only whole lines and single characters are left out: markup is never cut in two. The message says how
//! much was left out.

use super::message::{Link, Message};
use super::web_url::{URL_BYTES_MAX, web_url};
use crate::model::line::{is_shown, one_line};

/// Longest names, titles and lines, in characters; a chat's line is hardly longer.
const NAME_CHARS_MAX: usize = 100;
const DEED_CHARS_MAX: usize = 200;
const TITLE_CHARS_MAX: usize = 300;
const COMMIT_CHARS_MAX: usize = 150;
const FIELD_CHARS_MAX: usize = 300;

/// Shorter lengths for a headline that must fit, whatever it holds.
const SHORT_CHARS_MAX: usize = 60;

/// Most commits that are listed; the rest is only counted.
const COMMITS_MAX: usize = 10;

/// Digits of a commit's id, as git itself shows it.
const COMMIT_ID_CHARS: usize = 7;

/// Size reserved for the note that something was left out.
const NOTE_COST_MAX: usize = 80;

/// Zero width space: breaks up characters that would have a meaning together.
pub(super) const BREAK: char = '\u{200b}';

/// A chat's markup.
pub(super) struct Dialect {
    /// Escapes a foreign character, so that it is shown as itself.
    pub(super) escape: fn(char, Place, &mut String),
    /// Writes a foreign URL, which the chat turns into a link by itself.
    pub(super) url: fn(&str) -> String,
    /// Makes a link from an escaped text and a URL.
    pub(super) link: fn(&str, &str) -> String,
    /// Markup before and after the name of a field.
    pub(super) strong: (&'static str, &'static str),
    /// Markup of a foreign text of several lines.
    pub(super) quote: Quote,
    /// Markup that shows a text literally; without it such a text is escaped and quoted.
    pub(super) fence: Option<Fence>,
    /// Line ending.
    pub(super) line_end: &'static str,
    /// How much of the size limit a character takes.
    pub(super) cost: fn(char) -> usize,
}

/// Where a character is on its line.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The character before it.
    pub(super) before: Option<char>,
    /// What all the characters before it are.
    pub(super) after: Start,
}

/// What a line begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Only spaces so far.
    Blank,
    /// A number so far.
    Number,
    Text,
}

impl Place {
    const FIRST: Place = Place {
        before: None,
        after: Start::Blank,
    };

    /// Returns the place after this piece.
    fn next(self, piece: &str) -> Place {
        let Some(last) = piece.chars().last().filter(|letter| *letter != '\n') else {
            return Place::FIRST;
        };
        Place {
            before: Some(last),
            after: match self.after {
                Start::Blank if last == ' ' => Start::Blank,
                Start::Blank | Start::Number if last.is_ascii_digit() => Start::Number,
                _ => Start::Text,
            },
        }
    }
}

/// Markup of a foreign text of several lines.
#[derive(Clone, Copy)]
pub(super) struct Quote {
    pub(super) before: &'static str,
    /// At the start of each line.
    pub(super) line: &'static str,
    pub(super) after: &'static str,
}

impl Quote {
    /// Markup at the start of each line alone.
    pub(super) const fn each_line(line: &'static str) -> Quote {
        Quote {
            before: "",
            line,
            after: "",
        }
    }
}

/// Markup around a text that is shown literally.
#[derive(Clone, Copy)]
pub(super) struct Fence {
    pub(super) before: &'static str,
    pub(super) after: &'static str,
    /// Escapes a character inside the fence.
    pub(super) escape: fn(char, &mut String),
}

/// Returns a character's length in UTF-8.
pub(super) fn utf8_bytes(letter: char) -> usize {
    letter.len_utf8()
}

/// Returns a character's length in UTF-16, in which most chats count characters.
pub(super) fn utf16_units(letter: char) -> usize {
    letter.len_utf16()
}

/// Returns a character's length in UTF-8 inside a JSON string.
pub(super) fn json_bytes(letter: char) -> usize {
    match letter {
        '"' | '\\' | '\n' => 2,
        letter => letter.len_utf8(),
    }
}

/// Writes the message in a chat's markup, of a size of at most `limit`.
pub(super) fn compose(
    dialect: &Dialect,
    message: &Message,
    with_place: bool,
    limit: usize,
) -> String {
    let mut page = Page {
        dialect,
        text: String::new(),
        left: limit.saturating_sub(NOTE_COST_MAX),
        left_out: LeftOut::default(),
    };
    let place = message.place.as_ref().filter(|_| with_place);
    if !page.line(&dialect.headline(place, message, true)) {
        page.line(&dialect.headline(place, message, false));
    }
    if let Some(title) = &message.title
        && !page.line(&dialect.linked(title, TITLE_CHARS_MAX))
    {
        page.line(&dialect.plain(&title.text, SHORT_CHARS_MAX));
    }
    page.entries(&message.entries);
    page.commits(message);
    for (name, value) in &message.fields {
        let (before, after) = dialect.strong;
        let value = dialect.plain(value, FIELD_CHARS_MAX);
        if !page.line(&format!("{before}{name}:{after} {value}")) {
            page.left_out.fields += 1;
        }
    }
    if let Some(text) = &message.text {
        page.foreign(text, false);
    }
    match (&message.code, dialect.fence) {
        (Some(code), Some(fence)) => page.fenced(code, fence),
        (Some(code), None) => page.foreign(code, true),
        (None, _) => {}
    }
    page.finish()
}

impl Dialect {
    /// Writes a foreign text on one line, escaped, with at most `chars_max` of its own characters.
    pub(super) fn plain(&self, text: &str, chars_max: usize) -> String {
        let line = one_line(text, chars_max);
        let mut out = String::new();
        let mut place = Place::FIRST;
        for piece in Pieces::of(&line) {
            self.write(piece, place, &mut out);
            place = place.next(piece);
        }
        out
    }

    /// Does the same inside a link.
    ///
    /// A URL there is written without its scheme: chats make links of URLs by themselves, and that would
    /// end the outer link.
    fn plain_in_link(&self, text: &str, chars_max: usize) -> String {
        let line = one_line(text, chars_max);
        let mut out = String::new();
        let mut place = Place::FIRST;
        for piece in Pieces::of(&line) {
            let shown = match piece.split_once("://") {
                Some((_, rest)) if piece.len() > 1 => rest,
                _ => piece,
            };
            for letter in shown.chars() {
                (self.escape)(letter, place, &mut out);
                place = place.next(letter.encode_utf8(&mut [0; 4]));
            }
        }
        out
    }

    /// Writes one character, or a whole URL.
    fn write(&self, piece: &str, place: Place, out: &mut String) {
        let mut letters = piece.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => (self.escape)(letter, place, out),
            _ => out.push_str(&web_url(piece).map_or_else(String::new, |url| (self.url)(&url))),
        }
    }

    fn linked(&self, link: &Link, chars_max: usize) -> String {
        match link.url.as_deref().and_then(web_url) {
            Some(url) if !link.text.trim().is_empty() => {
                (self.link)(&self.plain_in_link(&link.text, chars_max), &url)
            }
            _ => self.plain(&link.text, chars_max),
        }
    }

    /// Writes the headline: where, who and what.
    fn headline(&self, place: Option<&Link>, message: &Message, is_whole: bool) -> String {
        let part = |link: &Link, chars_max| match is_whole {
            true => self.linked(link, chars_max),
            false => self.plain(&link.text, SHORT_CHARS_MAX),
        };
        let mut line = String::new();
        if let Some(place) = place {
            line.push_str(&part(place, NAME_CHARS_MAX));
            line.push_str(": ");
        }
        if let Some(actor) = &message.actor {
            line.push_str(&part(actor, NAME_CHARS_MAX));
            line.push(' ');
        }
        line.push_str(&part(&message.deed, DEED_CHARS_MAX));
        line
    }

    /// Writes an event of a digest on one line: its headline, and so many letters of its title.
    fn entry(&self, entry: &Message, is_whole: bool, title_chars: usize) -> String {
        let headline = self.headline(entry.place.as_ref(), entry, is_whole);
        // Of what has no title, the beginning.
        let text = entry.text.as_ref().or(entry.code.as_ref());
        match (&entry.title, text) {
            (Some(title), _) if is_whole => {
                format!("• {headline}: {}", self.linked(title, title_chars))
            }
            (Some(Link { text, .. }), _) | (None, Some(text)) if title_chars > 0 => {
                format!("• {headline}: {}", self.plain(text, title_chars))
            }
            _ => format!("• {headline}"),
        }
    }

    pub(super) fn cost_of(&self, text: &str) -> usize {
        text.chars().map(self.cost).sum()
    }
}

/// The text written so far, and how much more fits.
struct Page<'a> {
    dialect: &'a Dialect,
    text: String,
    left: usize,
    left_out: LeftOut,
}

/// What was left out of a message for lack of room.
#[derive(Default)]
struct LeftOut {
    commits: usize,
    fields: usize,
    characters: usize,
}

impl Page<'_> {
    /// Writes a line, if the whole line fits.
    fn line(&mut self, line: &str) -> bool {
        let end = if self.text.is_empty() {
            ""
        } else {
            self.dialect.line_end
        };
        let cost = self.dialect.cost_of(end) + self.dialect.cost_of(line);
        if cost > self.left {
            return false;
        }
        self.left -= cost;
        self.text.push_str(end);
        self.text.push_str(line);
        true
    }

    /// Returns the whole text, with a note at the end of what was left out; room for the note is reserved.
    fn finish(mut self) -> String {
        let LeftOut {
            commits,
            fields,
            characters,
        } = self.left_out;
        let counted = [
            (commits, "commit"),
            (fields, "line"),
            (characters, "character"),
        ];
        let told = counted.iter().filter(|(count, _)| *count > 0);
        let told: Vec<String> = told
            .map(|(count, what)| match count {
                1 => format!("1 {what}"),
                count => format!("{count} {what}s"),
            })
            .collect();
        if !told.is_empty() {
            self.left += NOTE_COST_MAX;
            self.line(&format!("… cut here; {} more", told.join(", ")));
        }
        self.text
    }

    /// Writes a line for each event of a digest. Each may take as much as is left for it and those behind it, so
    /// none takes another's place: with little room they have no links, and then fewer letters.
    fn entries(&mut self, entries: &[Message]) {
        let dialect = self.dialect;
        for (number, entry) in entries.iter().enumerate() {
            let share = self.left / (entries.len() - number);
            let end = dialect.cost_of(dialect.line_end);
            let whole = dialect.entry(entry, true, NAME_CHARS_MAX);
            let shorter = [SHORT_CHARS_MAX, 20, 0].map(|chars| dialect.entry(entry, false, chars));
            let cut =
                [80, 40, 20].map(|chars| format!("• {}", dialect.plain(&entry.summary, chars)));
            let mut lines = std::iter::once(whole).chain(shorter).chain(cut);
            let line = lines.find(|line| end + dialect.cost_of(line) <= share);
            if !line.is_some_and(|line| self.line(&line)) {
                self.left_out.fields += 1;
            }
        }
    }

    fn commits(&mut self, message: &Message) {
        let mut written = 0;
        for commit in message.commits.iter().take(COMMITS_MAX) {
            let message = commit.message.as_deref().unwrap_or_default().trim();
            let first_line = message.lines().next().unwrap_or("(no message)");
            let mut line = self.dialect.plain(first_line, COMMIT_CHARS_MAX);
            if let Some(id) = &commit.id {
                let id = Link {
                    text: id.chars().take(COMMIT_ID_CHARS).collect(),
                    url: commit.url.clone(),
                };
                line = format!("{} {line}", self.dialect.linked(&id, NAME_CHARS_MAX));
            }
            if let Some(author) = &commit.author {
                line = format!("{line} – {}", self.dialect.plain(author, NAME_CHARS_MAX));
            }
            if !self.line(&line) {
                break;
            }
            written += 1;
        }
        let more = message.commits.len() - written + message.commits_unlisted;
        let at_least = if message.commits_or_more {
            "at least "
        } else {
            ""
        };
        let commits = if more == 1 { "commit" } else { "commits" };
        if more > 0 && !message.commits.is_empty() {
            let line = format!("… and {at_least}{more} more {commits}");
            if !self.line(&line) {
                self.left_out.commits = more;
            }
        }
    }

    /// Writes a foreign text, quoted, as far as it fits, and counts the missing characters.
    ///
    /// If the indentation of its lines is on purpose, it is kept.
    fn foreign(&mut self, text: &str, is_indented: bool) {
        let dialect = self.dialect;
        let Quote {
            before,
            line,
            after,
        } = dialect.quote;
        let around = [dialect.line_end, before, line, after].map(|text| dialect.cost_of(text));
        let mut left = self.left.saturating_sub(around.iter().sum());
        let mut lines = format!("{before}{line}");
        let mut place = Place::FIRST;
        let text = clean(text);
        let mut written = 0;
        for piece in Pieces::of(&text) {
            let mut out = String::new();
            let is_margin = piece == " " && place.after == Start::Blank;
            if piece == "\n" {
                out.push_str(dialect.line_end);
                out.push_str(line);
            } else if is_indented && is_margin {
                // A non-breaking space: the chat does not drop it.
                out.push('\u{a0}');
            } else {
                dialect.write(piece, place, &mut out);
            }
            let cost = dialect.cost_of(&out);
            if cost > left {
                break;
            }
            left -= cost;
            lines.push_str(&out);
            place = place.next(piece);
            written += piece.len();
        }
        if written > 0 {
            lines.push_str(after);
            self.line(&lines);
        }
        self.missing(&text[written..]);
    }

    /// Writes a foreign text literally between two fences.
    fn fenced(&mut self, text: &str, fence: Fence) {
        let dialect = self.dialect;
        let Fence { before, after, .. } = fence;
        let around = [dialect.line_end, before, after].map(|text| dialect.cost_of(text));
        let text = clean(text);
        let Some(mut left) = self.left.checked_sub(around.iter().sum()) else {
            return self.missing(&text);
        };
        let mut inside = String::new();
        let mut written = 0;
        for letter in text.chars() {
            let mut piece = String::new();
            if letter == '`' {
                // Three backticks would end the fence; this character looks nearly the same.
                piece.push('\u{2cb}');
            } else {
                (fence.escape)(letter, &mut piece);
            }
            let cost = dialect.cost_of(&piece);
            if cost > left {
                break;
            }
            left -= cost;
            inside.push_str(&piece);
            written += letter.len_utf8();
        }
        self.line(&format!("{before}{inside}{after}"));
        self.missing(&text[written..]);
    }

    /// Counts the characters that were left out.
    fn missing(&mut self, rest: &str) {
        self.left_out.characters += rest.chars().count();
    }
}

/// Splits a text into characters and URLs; a URL is one piece.
struct Pieces<'a> {
    rest: &'a str,
    /// Until this many bytes are left, no URL begins: the text that looks like one is too long.
    plain_to: usize,
}

impl<'a> Pieces<'a> {
    fn of(text: &'a str) -> Pieces<'a> {
        Pieces {
            rest: text,
            plain_to: text.len(),
        }
    }

    /// Returns the length of the next piece.
    ///
    /// It is linear over the whole text: a run of characters too long for a URL is scanned only once.
    fn length(&mut self, letter: char) -> usize {
        if letter != 'h' || self.rest.len() > self.plain_to {
            return letter.len_utf8();
        }
        if !self.rest.starts_with("https://") && !self.rest.starts_with("http://") {
            return 1;
        }
        let ends = |letter: char| !letter.is_ascii_graphic() || "<>\"'`|".contains(letter);
        let run = self.rest.find(ends).unwrap_or(self.rest.len());
        if run > URL_BYTES_MAX {
            self.plain_to = self.rest.len() - run;
            return 1;
        }
        // Punctuation after a URL in a sentence is not part of the URL.
        let url = self.rest[..run].trim_end_matches(|letter| ".,;:!?)]}*_~".contains(letter));
        match web_url(url) {
            Some(_) => url.len(),
            None => {
                self.plain_to = self.rest.len() - run;
                1
            }
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let letter = self.rest.chars().next()?;
        let length = self.length(letter);
        let (piece, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(piece)
    }
}

/// Removes what chats do not show and the whitespace at both ends; tabs become spaces.
fn clean(text: &str) -> String {
    let text = text.trim().replace("\r\n", "\n").replace('\r', "\n");
    let shown = text.replace('\t', "    ");
    let letters = shown.chars();
    letters
        .filter(|letter| *letter == '\n' || is_shown(*letter))
        .collect()
}
