//! Reading the few fields that matter from JSON of any size and any shape.
//!
//! What a producer sends is its own affair: a field that is missing, null or of another type than
//! documented is no field, and a body that is no JSON has none. Nothing else of the body is kept
//! in memory while it is read.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The fields that a type names; all of them empty when the body is no JSON object.
pub(crate) fn read<'a, T: Deserialize<'a> + Default>(body: &'a [u8]) -> T {
    read_marked(body).0
}

/// The same, and whether the body is JSON at all.
pub(crate) fn read_marked<'a, T: Deserialize<'a> + Default>(body: &'a [u8]) -> (T, bool) {
    match serde_json::from_slice(body) {
        Ok(fields) => (fields, true),
        // Of another shape (a list, a field named twice): it may still be JSON.
        Err(error) if error.is_data() => (T::default(), is_json(body)),
        Err(_) => (T::default(), false),
    }
}

/// Whether a body is one JSON text; no value is built.
pub(crate) fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// A text or a number; `None` when it is anything else, or empty.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) Option<String>);

impl Text {
    /// The number that it says.
    pub(crate) fn number(&self) -> Option<usize> {
        self.0.as_ref()?.parse().ok()
    }
}

/// An object; `None` when it is anything else.
#[derive(Debug, Default)]
pub(crate) struct Object<T>(pub(crate) Option<T>);

/// True; anything else is false.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

/// The first items of a list that are objects, and how many items there are in all.
#[derive(Debug)]
pub(crate) struct List<T> {
    pub(crate) first: Vec<T>,
    pub(crate) len: usize,
}

/// An object of which only matters that it is there.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Nothing {}

/// Items of a list that are kept: the lists that are read here have a few.
const ITEMS_KEPT: usize = 16;

impl<T> Default for List<T> {
    fn default() -> List<T> {
        List {
            first: Vec::new(),
            len: 0,
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Flag, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<List<T>, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// What is read and thrown away, for a visitor that did not hope for it.
macro_rules! nothing {
    ($result:expr; $($visit:ident: $type:ty),+) => {$(
        fn $visit<E: Error>(self, _: $type) -> Result<Self::Value, E> {
            Ok($result)
        }
    )+};
}

/// The same for a list or an object, which is to be read to its end.
macro_rules! skipped {
    ($result:expr; seq) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok($result)
        }
    };
    ($result:expr; map) => {
        fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
            while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($result)
        }
    };
    ($result:expr; seq, map) => {
        skipped!($result; seq);
        skipped!($result; map);
    };
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text((!text.is_empty()).then(|| text.to_owned())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    nothing!(Text(None); visit_bool: bool, visit_f64: f64);

    fn visit_unit<E: Error>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    skipped!(Text(None); seq, map);
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    nothing!(Object(None); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E: Error>(self) -> Result<Object<T>, E> {
        Ok(Object(None))
    }

    skipped!(Object(None); seq);

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(|object| Object(Some(object)))
    }
}

struct FlagVisitor;

impl<'de> Visitor<'de> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Flag, E> {
        Ok(Flag(value))
    }

    nothing!(Flag(false); visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E: Error>(self) -> Result<Flag, E> {
        Ok(Flag(false))
    }

    skipped!(Flag(false); seq, map);
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    nothing!(List::default(); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E: Error>(self) -> Result<List<T>, E> {
        Ok(List::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<List<T>, A::Error> {
        let mut list = List::default();
        while list.first.len() < ITEMS_KEPT
            && let Some(item) = items.next_element::<Object<T>>()?
        {
            list.len += 1;
            list.first.extend(item.0);
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            list.len += 1;
        }
        Ok(list)
    }

    skipped!(List::default(); map);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, serde::Deserialize)]
    struct Sample {
        #[serde(default)]
        name: Text,
        #[serde(default)]
        owner: Object<Owner>,
    }

    #[derive(Debug, Default, serde::Deserialize)]
    struct Owner {
        #[serde(default)]
        id: Text,
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
            let sample: Sample = read(json.as_bytes());
            assert_eq!(sample.name, Text(None), "{json}");
            assert_eq!(
                sample.owner.0.unwrap().id,
                Text(Some("7".to_owned())),
                "{json}"
            );
        }
        for other in ["null", "true", "-1", "1.5", "[{}]", r#""text""#] {
            let json = format!(r#"{{"owner":{other},"name":"n"}}"#);
            let sample: Sample = read(json.as_bytes());
            assert!(sample.owner.0.is_none(), "{json}");
            assert_eq!(sample.name, Text(Some("n".to_owned())), "{json}");
        }
    }

    #[test]
    fn what_is_no_json_object_has_no_fields() {
        let deep = "[".repeat(100_000);
        for body in ["", "x", "[]", "7", "{", r#"{"name":"n""#, &deep] {
            let sample: Sample = read(body.as_bytes());
            assert_eq!(sample.name, Text(None), "{body:.20}");
        }
    }
}
