//! Writes a message in a chat's markup, within its limit. Pure.
//!
//! Whole lines and single letters are what is left out: markup is never cut in two, and what was
//! left out is said.

use std::net::Ipv6Addr;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::message::{Link, Message};
use crate::model::line::{is_shown, one_line};

/// Longest names, titles and lines, in characters; a chat's line is hardly longer.
const NAME_CHARS_MAX: usize = 100;
const DEED_CHARS_MAX: usize = 200;
const TITLE_CHARS_MAX: usize = 300;
const COMMIT_CHARS_MAX: usize = 150;
const FIELD_CHARS_MAX: usize = 300;

/// Lengths for a headline that must fit, whatever is in it.
const SHORT_CHARS_MAX: usize = 60;

/// Most commits that are listed; the rest is a number.
const COMMITS_MAX: usize = 10;

/// Longest link, in bytes; browsers take little more.
const URL_BYTES_MAX: usize = 1_000;

/// Digits of a commit's id, as git itself shows them.
const COMMIT_ID_CHARS: usize = 7;

/// What is kept free for saying that something was left out.
const NOTE_COST_MAX: usize = 80;

/// How a chat writes.
pub(super) struct Dialect {
    /// Writes a foreign letter so that it stands for itself.
    pub(super) escape: fn(char, Place, &mut String),
    /// Writes a foreign URL, which the chat links by itself.
    pub(super) url: fn(&str) -> String,
    /// Puts an escaped text and a URL together.
    pub(super) link: fn(&str, &str) -> String,
    /// What is before and after the name of a field.
    pub(super) strong: (&'static str, &'static str),
    /// What each line of a foreign text begins with.
    pub(super) quote: &'static str,
    /// How a text is shown letter by letter; without it such a text is escaped and quoted.
    pub(super) fence: Option<Fence>,
    /// What ends a line.
    pub(super) line_end: &'static str,
    /// How much of the limit a letter takes.
    pub(super) cost: fn(char) -> usize,
}

/// Where a letter stands on its line.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The one before it.
    pub(super) before: Option<char>,
    /// What all those before it are.
    pub(super) after: Start,
}

/// What a line begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing but blanks.
    Blank,
    /// A number.
    Number,
    Text,
}

impl Place {
    const FIRST: Place = Place {
        before: None,
        after: Start::Blank,
    };

    /// The place after this piece.
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

/// What is around a text that is shown letter by letter.
#[derive(Clone, Copy)]
pub(super) struct Fence {
    pub(super) before: &'static str,
    pub(super) after: &'static str,
    /// Writes a letter of it.
    pub(super) escape: fn(char, &mut String),
}

/// A letter's length in UTF-8.
pub(super) fn utf8_bytes(letter: char) -> usize {
    letter.len_utf8()
}

/// A letter's length in UTF-16, in which most chats count characters.
pub(super) fn utf16_units(letter: char) -> usize {
    letter.len_utf16()
}

/// A letter's length in UTF-8 inside a JSON text.
pub(super) fn json_bytes(letter: char) -> usize {
    match letter {
        '"' | '\\' | '\n' => 2,
        letter => letter.len_utf8(),
    }
}

/// A backslash before what Markdown gives a meaning (CommonMark 0.31, section 2.4).
pub(super) fn escape_markdown(letter: char, place: Place, out: &mut String) {
    let is_marked = match letter {
        '\\' | '*' | '_' | '~' | '`' | '|' | '[' | ']' | '<' | '>' => true,
        // Headings, lists and what underlines a heading.
        '#' | '-' | '+' | '=' => place.after == Start::Blank,
        '.' | ')' => place.after == Start::Number,
        _ => false,
    };
    if is_marked {
        out.push('\\');
    }
    out.push(letter);
}

pub(super) fn link_markdown(text: &str, url: &str) -> String {
    format!("[{text}]({url})")
}

/// The message in a chat's markup, which costs `limit` at most.
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
    /// A foreign text on one line, escaped, of at most so many of its own characters.
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

    /// The same inside a link, where a URL that chats link by themselves would end it: it stands there
    /// without its scheme.
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

    /// Writes a letter, or a URL whole.
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

    /// Where, who and what.
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

    pub(super) fn cost_of(&self, text: &str) -> usize {
        text.chars().map(self.cost).sum()
    }
}

/// What is written so far, and how much more may be.
struct Page<'a> {
    dialect: &'a Dialect,
    text: String,
    left: usize,
    left_out: LeftOut,
}

/// How much of a message there was no room for.
#[derive(Default)]
struct LeftOut {
    commits: usize,
    fields: usize,
    characters: usize,
}

impl Page<'_> {
    /// Writes a line, if there is room for all of it.
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

    /// The whole, and at its end what was left out; there is room for that.
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

    /// Writes a foreign text, quoted, as far as there is room, and says how much is missing. Where
    /// its lines are indented on purpose, they stay so.
    fn foreign(&mut self, text: &str, is_indented: bool) {
        let dialect = self.dialect;
        let around = dialect.cost_of(dialect.line_end) + dialect.cost_of(dialect.quote);
        let mut left = self.left.saturating_sub(around);
        let mut lines = dialect.quote.to_owned();
        let mut place = Place::FIRST;
        let text = clean(text);
        let mut written = 0;
        for piece in Pieces::of(&text) {
            let mut out = String::new();
            let is_margin = piece == " " && place.after == Start::Blank;
            if piece == "\n" {
                out.push_str(dialect.line_end);
                out.push_str(dialect.quote);
            } else if is_indented && is_margin {
                // A space that does not break, and so is not dropped.
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
            self.line(&lines);
        }
        self.missing(&text[written..]);
    }

    /// Writes a foreign text letter by letter between two fences.
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
                // Three of them would end the fence; this one looks nearly the same.
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

    /// Says how much was left out.
    fn missing(&mut self, rest: &str) {
        self.left_out.characters += rest.chars().count();
    }
}

/// A text in letters, and in URLs, which are one piece.
struct Pieces<'a> {
    rest: &'a str,
    /// Down to so many bytes left no URL begins: what looks like one there is too long.
    plain_to: usize,
}

impl<'a> Pieces<'a> {
    fn of(text: &'a str) -> Pieces<'a> {
        Pieces {
            rest: text,
            plain_to: text.len(),
        }
    }

    /// How long the piece is that comes next. Linear over the whole text: a run of letters that is too
    /// long for a URL is looked at once.
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
        // What follows a URL in a sentence is not part of it.
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

/// A text without what chats do not show, and blank space at its ends; tabs are blanks.
fn clean(text: &str) -> String {
    let text = text.trim().replace("\r\n", "\n").replace('\r', "\n");
    let shown = text.replace('\t', "    ");
    let letters = shown.chars();
    letters
        .filter(|letter| *letter == '\n' || is_shown(*letter))
        .collect()
}

/// A URL that a chat can link to: http or https, without credentials, with nothing in it that
/// would end the link. Its host may be an IPv6 address, or a name in any script.
fn web_url(text: &str) -> Option<String> {
    const BREAKS_A_LINK: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'(')
        .add(b')')
        .add(b'<')
        .add(b'>')
        .add(b'[')
        .add(b']')
        .add(b'\\')
        .add(b'`')
        .add(b'|')
        .add(b'*')
        .add(b'{')
        .add(b'}')
        .add(b'^');
    let text = text.trim();
    let (scheme, rest) = text.split_once("://")?;
    let is_web = ["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !is_web || text.len() > URL_BYTES_MAX || !is_authority(authority) {
        return None;
    }
    let path = utf8_percent_encode(path, BREAKS_A_LINK);
    let url = format!("{scheme}://{authority}{path}");
    (url.len() <= URL_BYTES_MAX).then_some(url)
}

/// Whether a text is a host, and a port if it has one (RFC 3986, section 3.2), without credentials.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if address.parse::<Ipv6Addr>().is_err() {
                return false;
            }
            ("", port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, &text[text.len() - port.len() - 1..]),
            None => (text, ""),
        },
    };
    let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.len() <= 5;
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
    let is_letter = |letter: char| letter.is_alphanumeric() || "-._~%".contains(letter);
    let is_host = host.chars().all(is_letter) && (!host.is_empty() || text.starts_with('['));
    is_host && is_port && text.len() <= 255
}
