//! Checks the nesting depth of a text before it is compiled: the library is recursive, and the stack of a
//! worker thread is small.
//!
//! A chain (`a.b|c ~ d`) counts as as deep as it is long. The count is never less than the real depth.

use minijinja::machinery::{Token, tokenize};
use minijinja::{Error as JinjaError, ErrorKind};

/// Maximum depth of a text.
const DEPTH_MAX: usize = 100;

/// Checks a text before it is compiled.
pub(super) fn check(text: &str, is_expression: bool) -> Result<(), JinjaError> {
    let mut depth = Depth::default();
    for token in tokenize(text, is_expression, Default::default()) {
        let (token, _) = token?;
        if depth.with(&token) > DEPTH_MAX {
            let detail = format!("it is nested, or a chain, of more than {DEPTH_MAX} parts");
            return Err(JinjaError::new(ErrorKind::SyntaxError, detail));
        }
    }
    Ok(())
}

/// The content of one pair of brackets, or of one tag.
#[derive(Debug, Default)]
struct Level {
    /// Chained parts since the last comma.
    chain: usize,
    /// The deepest brackets among them.
    inside: usize,
    /// The greatest depth of the parts before the last comma.
    before: usize,
    /// `and`, `or`, `if` and `else`: each adds one level.
    joins: usize,
}

impl Level {
    fn depth(&self) -> usize {
        self.joins + self.before.max(self.chain + self.inside)
    }

    fn comma(&mut self) {
        self.before = self.before.max(self.chain + self.inside);
        (self.chain, self.inside) = (0, 0);
    }
}

#[derive(Debug, Default)]
struct Depth<'a> {
    /// The open blocks, each with the number of its `elif`s.
    blocks: Vec<usize>,
    levels: Vec<Level>,
    /// The first word of the current tag.
    tag: Option<&'a str>,
    is_tag: bool,
    has_assignment: bool,
}

impl<'a> Depth<'a> {
    /// The depth after one more token.
    fn with(&mut self, token: &Token<'a>) -> usize {
        match token {
            Token::BlockStart | Token::VariableStart => {
                self.levels.clear();
                (self.tag, self.has_assignment) = (None, false);
                self.is_tag = matches!(token, Token::BlockStart);
            }
            Token::BlockEnd => self.end_tag(),
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                self.level().chain += 1;
                self.levels.push(Level::default());
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                let inside = self.levels.pop().map_or(0, |level| level.depth());
                let level = self.level();
                level.inside = level.inside.max(inside);
            }
            Token::Comma | Token::Colon => self.level().comma(),
            Token::Assign => {
                self.has_assignment = true;
                self.level().comma();
            }
            Token::Ident(word) if self.is_tag && self.tag.is_none() => self.tag = Some(word),
            Token::Ident("and" | "or" | "if" | "else") => {
                let level = self.level();
                level.comma();
                level.joins += 1;
            }
            Token::Ident("not" | "is" | "in")
            | Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::FloorDiv
            | Token::Pow
            | Token::Mod
            | Token::Dot
            | Token::Tilde
            | Token::Pipe
            | Token::Eq
            | Token::Ne
            | Token::Gt
            | Token::Gte
            | Token::Lt
            | Token::Lte => self.level().chain += 1,
            _ => {}
        }
        let of_levels: usize = self.levels.iter().map(Level::depth).sum();
        self.blocks.iter().sum::<usize>() + of_levels
    }

    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    fn end_tag(&mut self) {
        self.is_tag = false;
        match self.tag {
            Some("for" | "if" | "with" | "filter" | "autoescape") => self.blocks.push(1),
            Some("set") if !self.has_assignment => self.blocks.push(1),
            Some("elif") => self
                .blocks
                .last_mut()
                .into_iter()
                .for_each(|block| *block += 1),
            Some(word) if word.starts_with("end") => drop(self.blocks.pop()),
            _ => {}
        }
    }
}
