//! A body as a tree of texts with a bounded size, for rare events that have no struct here.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::lenient::{self, MapOrNumber, map_or_number};

/// Maximum depth that is read.
const DEPTH_MAX: usize = 6;

/// Maximum items of a list that are read.
const ITEMS_MAX: usize = 16;

/// Maximum values that are read in total, and maximum bytes of their texts. Real payloads have some
/// hundreds.
const VALUES_MAX: usize = 4_000;
const BYTES_MAX: usize = 256 * 1024;

/// A value of a body.
#[derive(Debug, Default)]
pub(super) enum Tree {
    /// Missing, null, or not read.
    #[default]
    Nothing,
    /// A text, a number, or `true`.
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

static NOTHING: Tree = Tree::Nothing;

impl Tree {
    /// Reads a body.
    pub(super) fn read(json: &[u8]) -> Tree {
        let read = lenient::parse_with(json, |text| {
            let budget = Budget {
                values: Cell::new(VALUES_MAX),
                bytes: Cell::new(BYTES_MAX),
            };
            let mut json = serde_json::Deserializer::from_slice(text);
            let seed = Seed {
                depth: 0,
                budget: &budget,
            };
            let tree = seed.deserialize(&mut json)?;
            json.end().map(|()| tree)
        });
        read.unwrap_or_default()
    }

    /// The value at a path of names, such as `workflow_run.name`.
    pub(super) fn at(&self, path: &str) -> &Tree {
        let mut here = self;
        for name in path.split('.') {
            let Tree::Object(fields) = here else {
                return &NOTHING;
            };
            let found = fields.iter().find(|(held, _)| held == name);
            here = found.map_or(&NOTHING, |(_, value)| value);
        }
        here
    }

    /// The text at a path; `None` if it is missing or empty.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        match self.at(path) {
            Tree::Text(text) if !text.trim().is_empty() => Some(text),
            _ => None,
        }
    }

    /// The first text at one of these paths.
    pub(super) fn first(&self, paths: &[&str]) -> Option<&str> {
        paths.iter().find_map(|path| self.text(path))
    }

    /// The first items of the list at a path.
    pub(super) fn list(&self, path: &str) -> &[Tree] {
        match self.at(path) {
            Tree::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn has(&self, path: &str) -> bool {
        !matches!(self.at(path), Tree::Nothing)
    }
}

/// How much may still be read.
struct Budget {
    values: Cell<usize>,
    bytes: Cell<usize>,
}

#[derive(Clone, Copy)]
struct Seed<'b> {
    depth: usize,
    budget: &'b Budget,
}

impl Seed<'_> {
    fn text(self, text: &str) -> Tree {
        match self.budget.bytes.get().checked_sub(text.len()) {
            Some(left) => {
                self.budget.bytes.set(left);
                Tree::Text(text.to_owned())
            }
            None => Tree::Nothing,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        let left = self.budget.values.get();
        if left == 0 || self.depth > DEPTH_MAX {
            let ignored = deserializer.deserialize_ignored_any(IgnoredAny);
            return ignored.map(|_| Tree::Nothing);
        }
        self.budget.values.set(left - 1);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
        Ok(match value {
            true => Tree::Text("true".to_owned()),
            false => Tree::Nothing,
        })
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Text(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Text(number.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree, E> {
        Ok(self.text(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let inside = Seed {
            depth: self.depth + 1,
            ..self
        };
        let mut list = Vec::new();
        while list.len() < ITEMS_MAX
            && let Some(item) = items.next_element_seed(inside)?
        {
            list.push(item);
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Tree, A::Error> {
        let mut fields = match map_or_number(fields)? {
            MapOrNumber::Number(text) => return Ok(self.text(&text)),
            MapOrNumber::Map(fields) => fields,
        };
        let inside = Seed {
            depth: self.depth + 1,
            ..self
        };
        let mut object = Vec::new();
        while self.budget.values.get() > 0
            && let Some(name) = fields.next_key::<String>()?
        {
            let value = fields.next_value_seed(inside)?;
            if !matches!(value, Tree::Nothing) {
                object.push((name, value));
            }
        }
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Tree::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_any_size_is_read_in_bounds() {
        let tree = Tree::read(br#"{"a":{"b":[{"c":7},null],"d":"","e":true,"f":1.50}}"#);
        assert_eq!(tree.list("a.b")[0].text("c"), Some("7"));
        assert_eq!(tree.text("a.d"), None);
        assert_eq!(tree.text("a.e"), Some("true"));
        assert_eq!(tree.text("a.f"), Some("1.50"));
        assert!(!tree.has("a.b.c") && !tree.has("x.y"));
        let wide: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":{n}")).collect();
        let wide = format!("{{{},\"last\":1}}", wide.join(","));
        let tree = Tree::read(wide.as_bytes());
        assert_eq!(tree.text("k7"), Some("7"));
        assert_eq!(tree.text("last"), None);
        let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
        assert!(matches!(Tree::read(deep.as_bytes()), Tree::List(_)));
        let long = format!(r#"{{"a":"{}","b":"x"}}"#, "y".repeat(300_000));
        let tree = Tree::read(long.as_bytes());
        assert_eq!((tree.text("a"), tree.text("b")), (None, Some("x")));
        assert!(matches!(Tree::read(b"no JSON"), Tree::Nothing));
    }
}
