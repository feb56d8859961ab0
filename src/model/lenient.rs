//! Reads the few fields that matter from JSON of any size and form.
//!
//! A producer may send anything: a field that is missing, null or of another type than documented counts as
//! missing, and so does one that is there twice; a body that is not JSON has no fields. JSON that is nearly
//! valid is read too (`repair`). Of a body that breaks off, the part before the error is read. The number of
//! values in memory meanwhile is bounded; most texts are borrowed from the body.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::repair::{readable_part, repaired};

/// Maximum depth that is read.
const DEPTH_MAX: usize = 6;

/// Maximum items of a list that are kept: the lists that are read here have a few.
const ITEMS_MAX: usize = 16;

/// Maximum values that are read in total. Real payloads have some hundreds.
const VALUES_MAX: usize = 4_000;

/// Reads these fields of a body, with what is in them; no names stand for all fields.
pub(crate) fn read<T>(body: &[u8], names: &[&str], take: impl Fn(&Tree<'_>) -> T) -> T {
    read_marked(body, names, take).0
}

/// As [`read`]; also returns whether the body is JSON at all.
pub(crate) fn read_marked<T>(
    body: &[u8],
    names: &[&str],
    take: impl Fn(&Tree<'_>) -> T,
) -> (T, bool) {
    match parse_with(body, |text| {
        Tree::parse(text, names).map(|tree| take(&tree))
    }) {
        Ok(taken) => (taken, true),
        Err(fault) => {
            let part = readable_part(&fault.text, fault.offset()).unwrap_or_default();
            (take(&Tree::parse(&part, names).unwrap_or_default()), false)
        }
    }
}

/// Whether a body is one JSON text, or nearly; no value is built.
pub(crate) fn is_json(body: &[u8]) -> bool {
    parse_with(body, |text| serde_json::from_slice::<IgnoredAny>(text)).is_ok()
}

/// Parses a body that is JSON, or nearly, with this function. Only a body that the strict reader rejects is
/// repaired and read again.
pub(crate) fn parse_with<T>(
    body: &[u8],
    read: impl Fn(&[u8]) -> serde_json::Result<T>,
) -> Result<T, Fault<'_>> {
    let refused = match read(body) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    match repaired(body) {
        Cow::Borrowed(text) if text.len() == body.len() => Err(Fault {
            error: refused,
            text: Cow::Borrowed(text),
        }),
        text => read(&text).map_err(|error| Fault { error, text }),
    }
}

/// Why a body cannot be read as JSON.
pub(crate) struct Fault<'a> {
    pub(crate) error: serde_json::Error,
    /// The text that was read.
    text: Cow<'a, [u8]>,
}

impl fmt::Debug for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Fault<'_> {
    /// The number of bytes before the error.
    fn offset(&self) -> usize {
        let lines = self.text.split_inclusive(|byte| *byte == b'\n');
        let before: usize = lines
            .take(self.error.line().saturating_sub(1))
            .map(<[u8]>::len)
            .sum();
        // Columns count from 1, and the column is that of the wrong byte itself.
        before + self.error.column().saturating_sub(1)
    }
}

/// A value of a body.
#[derive(Debug, Default)]
pub(crate) enum Tree<'a> {
    /// Missing, null, false, or not read.
    #[default]
    Nothing,
    True,
    /// A text or a whole number.
    Text(Cow<'a, str>),
    Fraction(String),
    /// The first items that are objects, and the number of all items.
    List(Vec<Tree<'a>>, usize),
    Object(Vec<(Cow<'a, str>, Tree<'a>)>),
}

static NOTHING: Tree<'_> = Tree::Nothing;

impl<'a> Tree<'a> {
    fn parse(text: &'a [u8], names: &[&str]) -> serde_json::Result<Tree<'a>> {
        let mut json = serde_json::Deserializer::from_slice(text);
        let seed = Seed {
            depth: 0,
            names,
            values_left: &Cell::new(VALUES_MAX),
        };
        let tree = seed.deserialize(&mut json)?;
        json.end().map(|()| tree)
    }

    /// The value at a path of names, such as `workflow_run.name`.
    pub(crate) fn at(&self, path: &str) -> &Tree<'a> {
        path.split('.').fold(self, |here, name| {
            let Tree::Object(fields) = here else {
                return &NOTHING;
            };
            let mut found = fields.iter().filter(|(held, _)| held == name);
            match (found.next(), found.next()) {
                (Some((_, value)), None) => value,
                _ => &NOTHING,
            }
        })
    }

    /// The text or whole number at a path; `None` if it is missing or blank.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        match self.at(path) {
            Tree::Text(text) if !text.trim().is_empty() => Some(text),
            _ => None,
        }
    }

    /// The first text at one of these paths.
    pub(crate) fn first(&self, paths: &[&str]) -> Option<&str> {
        paths.iter().find_map(|path| self.text(path))
    }

    /// As [`Tree::first`], to keep.
    pub(crate) fn owned(&self, paths: &[&str]) -> Option<String> {
        self.first(paths).map(str::to_owned)
    }

    /// The number that a text is.
    pub(crate) fn number(&self, path: &str) -> Option<usize> {
        self.text(path)?.parse().ok()
    }

    /// The first object at one of these paths.
    pub(crate) fn object(&self, paths: &[&str]) -> Option<&Tree<'a>> {
        let mut found = paths.iter().map(|path| self.at(path));
        found.find(|value| matches!(value, Tree::Object(_)))
    }

    /// The first objects of the list at a path.
    pub(crate) fn list(&self, path: &str) -> &[Tree<'a>] {
        match self.at(path) {
            Tree::List(items, _) => items,
            _ => &[],
        }
    }

    /// The number of items of the list at a path.
    pub(crate) fn len(&self, path: &str) -> usize {
        match self.at(path) {
            Tree::List(_, len) => *len,
            _ => 0,
        }
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        !matches!(self.at(path), Tree::Nothing)
    }

    pub(crate) fn has_object(&self, path: &str) -> bool {
        self.object(&[path]).is_some()
    }

    pub(crate) fn is_true(&self, path: &str) -> bool {
        matches!(self.at(path), Tree::True)
    }
}

/// What reads one value, and how much may still be read.
#[derive(Clone, Copy)]
struct Seed<'b> {
    depth: usize,
    /// The fields of this object that are read; all, if it is empty.
    names: &'b [&'b str],
    values_left: &'b Cell<usize>,
}

impl Seed<'_> {
    fn inside(self) -> Self {
        Seed {
            depth: self.depth + 1,
            names: &[],
            ..self
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Tree<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree<'de>, D::Error> {
        let left = self.values_left.get();
        if left == 0 || self.depth > DEPTH_MAX {
            let ignored = deserializer.deserialize_ignored_any(IgnoredAny);
            return ignored.map(|_| Tree::Nothing);
        }
        self.values_left.set(left - 1);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Tree<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree<'de>, E> {
        Ok(if value { Tree::True } else { Tree::Nothing })
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(number.to_string().into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(number.to_string().into()))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(text.to_owned().into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree<'de>, A::Error> {
        let (mut first, mut len) = (Vec::new(), 0);
        while first.len() < ITEMS_MAX
            && let Some(item) = items.next_element_seed(self.inside())?
        {
            len += 1;
            first.extend(Some(item).filter(|item| matches!(item, Tree::Object(_))));
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            len += 1;
        }
        Ok(Tree::List(first, len))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Tree<'de>, A::Error> {
        let mut object = Vec::new();
        let number = fields_or_number(fields, |name, fields| {
            let is_read = self.names.is_empty() || self.names.contains(&&*name);
            if !is_read || self.values_left.get() == 0 {
                return fields.next_value::<IgnoredAny>().map(|_| ());
            }
            object.push((name, fields.next_value_seed(self.inside())?));
            Ok(())
        })?;
        let is_whole = |digits: &str| {
            digits
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'-'))
        };
        Ok(match number {
            Some(digits) if is_whole(&digits) => Tree::Text(digits.into()),
            Some(digits) => Tree::Fraction(digits),
            None => Tree::Object(object),
        })
    }
}

/// The key that serde_json uses to pass on a number that is not an integer of 64 bits: it is the only entry
/// of a map, and the value is the number's text (its `arbitrary_precision`: a number of 20 digits keeps all
/// of them, and one that is too large for a float is not an error).
const NUMBER_KEY: &str = "$serde_json::private::Number";

/// The name of a field.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Calls `each` with every name of a map, to read the value; or returns the number that the map stands for.
/// A real field with the key of numbers as its name is left out.
pub(crate) fn fields_or_number<'de, A: MapAccess<'de>>(
    mut fields: A,
    mut each: impl FnMut(Cow<'de, str>, &mut A) -> Result<(), A::Error>,
) -> Result<Option<String>, A::Error> {
    let (mut number, mut is_alone) = (None, true);
    while let Some(Name(name)) = fields.next_key()? {
        if name != NUMBER_KEY {
            is_alone = false;
            each(name, &mut fields)?;
            continue;
        }
        let only_this = Seed {
            depth: DEPTH_MAX,
            names: &[],
            values_left: &Cell::new(1),
        };
        if let Tree::Text(text) = fields.next_value_seed(only_this)? {
            number = Some(text.into_owned()).filter(|text| is_number(text));
        }
    }
    Ok(number.filter(|_| is_alone))
}

fn is_number(text: &str) -> bool {
    let is_part = |byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str, path: &str) -> Option<String> {
        read(json.as_bytes(), &[], |tree| tree.owned(&[path]))
    }

    #[test]
    fn a_field_of_another_shape_is_no_field_and_spoils_no_other() {
        for other in [
            "null",
            "true",
            "1.5",
            "[1,[2]]",
            r#"{"a":{"b":[]}}"#,
            r#""""#,
        ] {
            let json =
                format!(r#"{{"name":{other},"owner":{{"id":7,"more":{other}}},"x":{other}}}"#);
            assert_eq!(said(&json, "name"), None, "{json}");
            assert_eq!(said(&json, "owner.id").as_deref(), Some("7"), "{json}");
        }
        for other in ["null", "true", "-1", "1.5", "[{}]", r#""text""#] {
            let json = format!(r#"{{"owner":{other},"name":"n"}}"#);
            assert!(
                !read(json.as_bytes(), &[], |tree| tree.has_object("owner")),
                "{json}"
            );
            assert_eq!(said(&json, "name").as_deref(), Some("n"), "{json}");
        }
    }

    #[test]
    fn what_is_no_json_object_has_no_fields() {
        let deep = "[".repeat(100_000);
        for body in ["", "x", "[]", "7", "{", r#"{"name":"n""#, &deep] {
            assert_eq!(said(body, "name"), None, "{body:.20}");
        }
        assert_eq!(said(r#"{"name":"n","name":"m"}"#, "name"), None);
    }

    #[test]
    fn a_body_of_any_size_is_read_in_bounds() {
        let json =
            br#"{"a":{"b":[{"c":7},null],"d":"","e":true,"f":1.50,"g":20231128220145678901}}"#;
        read(json, &[], |tree| {
            assert_eq!(tree.list("a.b")[0].text("c"), Some("7"));
            assert_eq!((tree.list("a.b").len(), tree.len("a.b")), (1, 2));
            assert_eq!(tree.text("a.d"), None);
            assert!(tree.is_true("a.e"));
            assert!(matches!(tree.at("a.f"), Tree::Fraction(text) if text == "1.50"));
            assert_eq!(tree.text("a.g"), Some("20231128220145678901"));
            assert!(!tree.has("a.b.c") && !tree.has("x.y"));
        });
        let wide: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":{n}")).collect();
        let wide = format!("{{{},\"last\":1}}", wide.join(","));
        assert_eq!(said(&wide, "k7").as_deref(), Some("7"));
        assert_eq!(said(&wide, "last"), None);
        let last = read(wide.as_bytes(), &["last"], |tree| tree.owned(&["last"]));
        assert_eq!(last.as_deref(), Some("1"));
        let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
        let (is_list, is_json) =
            read_marked(deep.as_bytes(), &[], |tree| matches!(tree, Tree::List(..)));
        assert!(is_list && is_json);
    }
}
