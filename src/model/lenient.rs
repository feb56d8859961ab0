//! Reads the few fields that matter from JSON of any size and form.
//!
//! A producer may send anything: a field that is missing, null or of another type than documented counts as
//! missing, and a body that is not JSON has no fields. JSON that is nearly valid is read too (`repair`). Of
//! a body that breaks off, the part before the error is read. Nothing else of the body is kept in memory
//! meanwhile.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer,
    MapAccess, SeqAccess, Visitor,
};

use super::repair::{readable_part, repaired};

/// Reads the fields that a type names; all are empty if the body is not a JSON object.
pub(crate) fn read<T: DeserializeOwned + Default>(body: &[u8]) -> T {
    read_marked(body).0
}

/// As [`read`]; also returns whether the body is JSON at all.
pub(crate) fn read_marked<T: DeserializeOwned + Default>(body: &[u8]) -> (T, bool) {
    match parse(body) {
        Ok(fields) => (fields, true),
        // The form is unexpected (a list, a repeated field), but it may still be JSON.
        Err(fault) if fault.error.is_data() => (T::default(), is_json(body)),
        Err(fault) => {
            let part = readable_part(&fault.text, fault.offset());
            let fields = part.and_then(|part| serde_json::from_slice(&part).ok());
            (fields.unwrap_or_default(), false)
        }
    }
}

/// Whether a body is one JSON text, or nearly; no value is built.
pub(crate) fn is_json(body: &[u8]) -> bool {
    parse::<IgnoredAny>(body).is_ok()
}

/// Parses a body that is JSON, or nearly.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault<'_>> {
    parse_with(body, |text| serde_json::from_slice(text))
}

/// As [`parse`], with this function. Only a body that the strict reader rejects is repaired and read again.
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

/// The key that serde_json uses to pass on a number as text (its `arbitrary_precision`: a number of 20
/// digits keeps all of them, and one that is too large for a float is not an error).
const NUMBER_KEY: &str = "$serde_json::private::Number";

/// A text or a number; `None` if it is anything else, or empty.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) Option<String>);

impl Text {
    /// The text as a number.
    pub(crate) fn number(&self) -> Option<usize> {
        self.0.as_ref()?.parse().ok()
    }
}

/// An object; `None` if it is anything else.
#[derive(Debug, Default)]
pub(crate) struct Object<T>(pub(crate) Option<T>);

/// True; anything else is false.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

/// The first items of a list that are objects, and the number of all items.
#[derive(Debug)]
pub(crate) struct List<T> {
    pub(crate) first: Vec<T>,
    pub(crate) len: usize,
}

/// An object of which only the presence matters.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Nothing {}

/// Maximum items of a list that are kept: the lists that are read here have a few.
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

/// Visitor methods for values of another type, which are ignored.
macro_rules! nothing {
    ($result:expr; $($visit:ident: $type:ty),+) => {$(
        fn $visit<E: Error>(self, _: $type) -> Result<Self::Value, E> {
            Ok($result)
        }
    )+};
}

/// The same for a list or an object, which must be read to its end.
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

    nothing!(Text(None); visit_bool: bool);

    fn visit_unit<E: Error>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Text, A::Error> {
        match map_or_number(fields)? {
            MapOrNumber::Number(digits) => {
                // Fractions are not names or ids.
                let is_whole = |byte| matches!(byte, b'0'..=b'9' | b'-');
                Ok(Text(Some(digits).filter(|text| text.bytes().all(is_whole))))
            }
            MapOrNumber::Map(mut fields) => {
                while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }
        }
    }

    skipped!(Text(None); seq);
}

/// The first key of a map: it shows whether the map stands for a number.
enum FirstKey<'de> {
    OfNumber,
    Name(Cow<'de, str>),
}

/// A number as text, if a map stands for one; otherwise the map, from its beginning.
pub(crate) enum MapOrNumber<'de, A> {
    Number(String),
    Map(FromFirst<'de, A>),
}

/// Distinguishes a number from an object: serde_json passes on a number that is not an integer of 64 bits
/// as a map with one entry.
pub(crate) fn map_or_number<'de, A: MapAccess<'de>>(
    mut rest: A,
) -> Result<MapOrNumber<'de, A>, A::Error> {
    let mut first = rest.next_key()?;
    if let Some(FirstKey::OfNumber) = first {
        let number = rest.next_value::<Text>()?.0.filter(|text| is_number(text));
        first = rest.next_key()?;
        match (number, &first) {
            (Some(number), None) => return Ok(MapOrNumber::Number(number)),
            // A real field with that name in the body is left out.
            (_, Some(FirstKey::OfNumber)) => {
                rest.next_value::<IgnoredAny>()?;
                first = None;
            }
            _ => {}
        }
    }
    let first = first.and_then(|first| match first {
        FirstKey::Name(name) => Some(name),
        FirstKey::OfNumber => None,
    });
    Ok(MapOrNumber::Map(FromFirst { first, rest }))
}

fn is_number(text: &str) -> bool {
    let is_part = |byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && text.bytes().all(is_part)
}

/// A map whose first key was read already.
pub(crate) struct FromFirst<'de, A> {
    first: Option<Cow<'de, str>>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for FromFirst<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(Cow::Borrowed(name)) => seed
                .deserialize(BorrowedStrDeserializer::new(name))
                .map(Some),
            Some(Cow::Owned(name)) => seed.deserialize(name.into_deserializer()).map(Some),
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.rest.next_value_seed(seed)
    }
}

impl<'de> Deserialize<'de> for FirstKey<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FirstKey<'de>, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = FirstKey<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<FirstKey<'de>, E> {
                Ok(match name {
                    NUMBER_KEY => FirstKey::OfNumber,
                    name => FirstKey::Name(Cow::Borrowed(name)),
                })
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<FirstKey<'de>, E> {
                Ok(FirstKey::Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    nothing!(Object(None); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_str: &str);

    fn visit_unit<E: Error>(self) -> Result<Object<T>, E> {
        Ok(Object(None))
    }

    skipped!(Object(None); seq);

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
        match map_or_number(fields)? {
            MapOrNumber::Number(_) => Ok(Object(None)),
            MapOrNumber::Map(fields) => T::deserialize(MapAccessDeserializer::new(fields))
                .map(|object| Object(Some(object))),
        }
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

    nothing!(Flag(false); visit_i64: i64, visit_u64: u64, visit_str: &str);

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

    nothing!(List::default(); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_str: &str);

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
