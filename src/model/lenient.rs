//! Reads the few fields that matter from JSON of any size and form.
//!
//! A producer may send anything: a field that is missing, null or of another type than documented counts as
//! missing, and so does one that is there twice; a body that is not JSON has no fields. JSON that is nearly
//! valid is read too (`repair`). Of a body that breaks off, the part before the error is read. The number of
//! values in memory meanwhile is bounded; most texts are borrowed from the body.

use std::borrow::Cow;
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

/// Nodes that there is room for at first: those of a push.
const NODES_AT_FIRST: usize = 128;

/// Reads these fields of a body, with what is in them; no names stand for all fields.
pub(crate) fn read<T>(body: &[u8], names: &[&str], take: impl Fn(Tree<'_>) -> T) -> T {
    read_marked(body, names, take).0
}

/// As [`read`]; also returns whether the body is JSON at all.
pub(crate) fn read_marked<T>(
    body: &[u8],
    names: &[&str],
    take: impl Fn(Tree<'_>) -> T,
) -> (T, bool) {
    let mut taken = None;
    let is_json = read_with(body, names, &mut |tree| taken = Some(take(tree)));
    (taken.unwrap_or_else(|| take(Tree::default())), is_json)
}

/// Reads a body. Not generic: all that is read would be compiled once for each use.
fn read_with(body: &[u8], names: &[&str], take: &mut dyn FnMut(Tree<'_>)) -> bool {
    let read = parse_with(body, |text| {
        Reader::read(text, names).map(|reader| take(reader.tree()))
    });
    if let Err(fault) = &read {
        let part = readable_part(&fault.text, fault.offset()).unwrap_or_default();
        let reader = Reader::read(&part, names).ok();
        let tree = reader.as_ref().map(Reader::tree);
        take(tree.unwrap_or_default());
    }
    read.is_ok()
}

/// Whether a body is one JSON text, or nearly; no value is built.
pub(crate) fn is_json(body: &[u8]) -> bool {
    parse_with(body, |text| serde_json::from_slice::<IgnoredAny>(text)).is_ok()
}

/// Parses a body that is JSON, or nearly, with this function. Only a body that the strict reader rejects is
/// repaired and read again.
pub(crate) fn parse_with<T>(
    body: &[u8],
    mut read: impl FnMut(&[u8]) -> serde_json::Result<T>,
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

/// A value of a body, with all that is in it.
///
/// The nodes of a body are in one list in the order of the text, so that a body of some hundred values needs
/// one allocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree<'a> {
    /// The node of this value, and after it those inside it.
    nodes: &'a [Node<'a>],
}

#[derive(Debug)]
struct Node<'a> {
    /// The name of the field; empty for an item of a list.
    name: Cow<'a, str>,
    value: Value<'a>,
    /// How many nodes this value is, with all inside it.
    len: usize,
}

#[derive(Debug)]
enum Value<'a> {
    /// Missing, null, false, or not read.
    Nothing,
    True,
    /// A text or a whole number.
    Text(Cow<'a, str>),
    Fraction(String),
    /// The number of all items; those of the first that are objects are inside.
    List(usize),
    Object,
}

static NOTHING: [Node<'_>; 1] = [Node {
    name: Cow::Borrowed(""),
    value: Value::Nothing,
    len: 1,
}];

impl<'a> Tree<'a> {
    fn value(self) -> &'a Value<'a> {
        &self.nodes[0].value
    }

    /// The fields of an object, or the items of a list.
    fn inside(self) -> impl Iterator<Item = Tree<'a>> {
        let mut rest = &self.nodes[1..];
        std::iter::from_fn(move || {
            let (nodes, after) = rest.split_at(rest.first()?.len);
            rest = after;
            Some(Tree { nodes })
        })
    }

    /// The value at a path of names, such as `workflow_run.name`.
    pub(crate) fn at(self, path: &str) -> Tree<'a> {
        path.split('.').fold(self, |here, name| {
            if !matches!(here.value(), Value::Object) {
                return Tree::default();
            }
            let mut found = here.inside().filter(|field| field.nodes[0].name == name);
            match (found.next(), found.next()) {
                (Some(field), None) => field,
                _ => Tree::default(),
            }
        })
    }

    /// The text or whole number at a path; `None` if it is missing or blank.
    pub(crate) fn text(self, path: &str) -> Option<&'a str> {
        match self.at(path).value() {
            Value::Text(text) if !text.trim().is_empty() => Some(text),
            _ => None,
        }
    }

    /// The first text at one of these paths.
    pub(crate) fn first(self, paths: &[&str]) -> Option<&'a str> {
        paths.iter().find_map(|path| self.text(path))
    }

    /// As [`Tree::first`], to keep.
    pub(crate) fn owned(self, paths: &[&str]) -> Option<String> {
        self.first(paths).map(str::to_owned)
    }

    /// The number that a text is.
    pub(crate) fn number(self, path: &str) -> Option<usize> {
        self.text(path)?.parse().ok()
    }

    /// The number with a fraction at a path, as it is written.
    pub(crate) fn fraction(self, path: &str) -> Option<&'a str> {
        match self.at(path).value() {
            Value::Fraction(digits) => Some(digits),
            _ => None,
        }
    }

    /// The first object at one of these paths.
    pub(crate) fn object(self, paths: &[&str]) -> Option<Tree<'a>> {
        let mut found = paths.iter().map(|path| self.at(path));
        found.find(|tree| matches!(tree.value(), Value::Object))
    }

    /// The first objects of the list at a path.
    pub(crate) fn items(self, path: &str) -> impl Iterator<Item = Tree<'a>> {
        let list = self.at(path);
        let is_list = matches!(list.value(), Value::List(_));
        is_list.then(|| list.inside()).into_iter().flatten()
    }

    /// The number of items of the list at a path.
    pub(crate) fn len(self, path: &str) -> usize {
        match self.at(path).value() {
            Value::List(len) => *len,
            _ => 0,
        }
    }

    pub(crate) fn has(self, path: &str) -> bool {
        !matches!(self.at(path).value(), Value::Nothing)
    }

    pub(crate) fn has_object(self, path: &str) -> bool {
        self.object(&[path]).is_some()
    }

    pub(crate) fn is_true(self, path: &str) -> bool {
        matches!(self.at(path).value(), Value::True)
    }
}

impl Default for Tree<'_> {
    fn default() -> Self {
        Tree { nodes: &NOTHING }
    }
}

/// The nodes that were read, and how many values may still be.
struct Reader<'a> {
    nodes: Vec<Node<'a>>,
    values_left: usize,
}

impl<'a> Reader<'a> {
    /// Reads a text that is JSON; of an object only these fields, or all.
    fn read(text: &'a [u8], names: &[&str]) -> serde_json::Result<Reader<'a>> {
        let mut reader = Reader {
            nodes: Vec::with_capacity(NODES_AT_FIRST),
            values_left: VALUES_MAX,
        };
        reader.push(Cow::default());
        // Checked once, not text by text.
        match std::str::from_utf8(text) {
            Ok(text) => reader.fill(serde_json::Deserializer::from_str(text), names)?,
            Err(_) => reader.fill(serde_json::Deserializer::from_slice(text), names)?,
        }
        Ok(reader)
    }

    fn fill<R: serde_json::de::Read<'a>>(
        &mut self,
        mut json: serde_json::Deserializer<R>,
        names: &[&str],
    ) -> serde_json::Result<()> {
        let seed = Seed {
            reader: self,
            depth: 0,
            names,
        };
        seed.deserialize(&mut json)?;
        json.end()
    }

    fn tree(&self) -> Tree<'_> {
        Tree { nodes: &self.nodes }
    }

    fn push(&mut self, name: Cow<'a, str>) {
        self.nodes.push(Node {
            name,
            value: Value::Nothing,
            len: 1,
        });
    }
}

/// Whether a field of this name is never read: addresses of an API, counts, dates and the like are more than
/// half of a payload.
pub(crate) fn is_ballast(name: &str) -> bool {
    match name.as_bytes() {
        [.., b'_', b'u', b'r', b'l'] => !URLS_READ.contains(&name),
        [.., b'_', b'a', b't'] => name != "expires_at",
        [.., b'_', b'c', b'o', b'u', b'n', b't'] => name != "total_commits_count",
        _ => matches!(
            name,
            "_links"
                | "committer"
                | "email"
                | "gravatar_id"
                | "license"
                | "modified"
                | "node_id"
                | "permissions"
                | "private"
                | "repo"
                | "size"
                | "topics"
                | "verification"
                | "website"
        ),
    }
}

/// The URLs that are read.
const URLS_READ: [&str; 8] = [
    "html_url",
    "web_url",
    "compare_url",
    "deployable_url",
    "environment_url",
    "external_url",
    "log_url",
    "target_url",
];

/// What reads one value into the last node, and what is in it into the nodes after that.
struct Seed<'r, 'a> {
    reader: &'r mut Reader<'a>,
    depth: usize,
    /// The fields of this object that are read; all, if it is empty.
    names: &'r [&'r str],
}

impl<'a> Seed<'_, 'a> {
    fn inside(&mut self) -> Seed<'_, 'a> {
        Seed {
            reader: self.reader,
            depth: self.depth + 1,
            names: &[],
        }
    }

    fn last(&self) -> usize {
        self.reader.nodes.len() - 1
    }

    /// Says what this node is, when all that is inside it was read.
    fn set(self, node: usize, value: Value<'a>) {
        let len = self.reader.nodes.len() - node;
        let node = &mut self.reader.nodes[node];
        (node.value, node.len) = (value, len);
    }

    fn set_leaf<E>(self, value: Value<'a>) -> Result<(), E> {
        let last = self.last();
        self.set(last, value);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let left = self.reader.values_left;
        if left == 0 || self.depth > DEPTH_MAX {
            let ignored = deserializer.deserialize_ignored_any(IgnoredAny);
            return ignored.map(|_| ());
        }
        self.reader.values_left = left - 1;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.set_leaf(if value { Value::True } else { Value::Nothing })
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.visit_string(number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.visit_string(number.to_string())
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.set_leaf(Value::Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<(), E> {
        self.set_leaf(Value::Text(text.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.set_leaf(Value::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let (list, mut objects, mut len) = (self.last(), 0, 0);
        while objects < ITEMS_MAX {
            self.reader.push(Cow::default());
            let item = self.last();
            let is_read = items.next_element_seed(self.inside())?.is_some();
            if matches!(self.reader.nodes[item].value, Value::Object) {
                objects += 1;
            } else {
                self.reader.nodes.truncate(item);
            }
            if !is_read {
                break;
            }
            len += 1;
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            len += 1;
        }
        self.set(list, Value::List(len));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, fields: A) -> Result<(), A::Error> {
        let object = self.last();
        let number = fields_or_number(fields, |name, fields| {
            let is_named = self.names.is_empty() || self.names.contains(&&*name);
            if !is_named || is_ballast(&name) || self.reader.values_left == 0 {
                return fields.next_value::<IgnoredAny>().map(|_| ());
            }
            self.reader.push(name);
            fields.next_value_seed(self.inside())
        })?;
        let is_whole = |digits: &str| {
            digits
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'-'))
        };
        self.set(
            object,
            match number {
                Some(digits) if is_whole(&digits) => Value::Text(digits.into()),
                Some(digits) => Value::Fraction(digits),
                None => Value::Object,
            },
        );
        Ok(())
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
        let text = fields.next_value::<MaybeText>()?;
        number = text.0.filter(|text| is_number(text));
    }
    Ok(number.filter(|_| is_alone))
}

/// A text; `None` for any other value.
struct MaybeText(Option<String>);

impl<'de> Deserialize<'de> for MaybeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut reader = Reader {
            nodes: Vec::new(),
            values_left: 1,
        };
        reader.push(Cow::default());
        let seed = Seed {
            reader: &mut reader,
            depth: DEPTH_MAX,
            names: &[],
        };
        seed.deserialize(deserializer)?;
        Ok(MaybeText(match reader.nodes.swap_remove(0).value {
            Value::Text(text) => Some(text.into_owned()),
            _ => None,
        }))
    }
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
    fn no_field_that_is_skipped_is_asked_for() {
        let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for folder in ["model/activity", "inbound/provider", "outbound/policy"] {
            for file in std::fs::read_dir(src.join(folder)).unwrap() {
                let path = file.unwrap().path();
                let text = std::fs::read_to_string(&path).unwrap();
                // Every second part is a text.
                let text = text.replace("'\"'", "").replace("\\\"", "");
                let asked: Vec<&str> = text
                    .split('"')
                    .skip(1)
                    .step_by(2)
                    .flat_map(|part| part.split('.'))
                    .filter(|name| is_ballast(name))
                    .collect();
                assert_eq!(asked, [""; 0], "{}", path.display());
            }
        }
        assert!(is_ballast("avatar_url") && !is_ballast("html_url"));
        let json = r#"{"avatar_url":"a","n":"b"}"#;
        assert_eq!(
            (said(json, "avatar_url"), said(json, "n")),
            (None, Some("b".to_owned()))
        );
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
            let items: Vec<Tree<'_>> = tree.items("a.b").collect();
            assert_eq!(items[0].text("c"), Some("7"));
            assert_eq!((items.len(), tree.len("a.b")), (1, 2));
            assert_eq!(tree.text("a.d"), None);
            assert!(tree.is_true("a.e"));
            assert_eq!(tree.fraction("a.f"), Some("1.50"));
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
        let (is_list, is_json) = read_marked(deep.as_bytes(), &[], |tree| {
            matches!(tree.value(), Value::List(_))
        });
        assert!(is_list && is_json);
    }
}
