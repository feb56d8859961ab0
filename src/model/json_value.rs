//! JSON as Jinja values, for expressions and templates. As much of it is read as possible.
//!
//! Numbers stay exact: integers of up to 38 digits are exact, and a number that no Jinja number can
//! hold is a text.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::Value;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::lenient::{self, Fault, fields_or_number};

/// Maximum depth of lists and objects; what is deeper is undefined. serde_json itself stops at 128.
const DEPTH_MAX: usize = 100;

/// What numbers are used for; one value cannot serve both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Numbers {
    /// Sums and comparisons: a fraction is a float.
    #[default]
    Compared,
    /// Keys and types: a fraction keeps its written digits, as text.
    AsWritten,
}

/// Parses a body that is JSON, or nearly.
pub(super) fn json_value(body: &[u8], numbers: Numbers) -> Result<Value, Fault<'_>> {
    lenient::parse_with(body, |text| {
        let mut json = serde_json::Deserializer::from_slice(text);
        let value = Tree { depth: 0, numbers }.deserialize(&mut json)?;
        json.end().map(|()| value)
    })
}

/// One value of the JSON tree.
#[derive(Debug, Clone, Copy)]
struct Tree {
    depth: usize,
    numbers: Numbers,
}

impl Tree {
    /// The reader for values inside this list or object; `None` if that is too deep.
    fn inside(self) -> Option<Tree> {
        let depth = self.depth + 1;
        (depth <= DEPTH_MAX).then_some(Tree { depth, ..self })
    }

    /// A number, from its text, that is not an integer of 64 bits.
    fn number(self, text: &str) -> Value {
        if let Ok(number) = text.parse::<u128>() {
            return Value::from(number);
        }
        if let Ok(number) = text.parse::<i128>() {
            return Value::from(number);
        }
        let is_fraction = text.contains(['.', 'e', 'E']);
        match (text.parse::<f64>(), self.numbers) {
            // A number larger than every float is infinite.
            (Ok(number), Numbers::Compared) if is_fraction => Value::from(number),
            _ => Value::from(text),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Tree {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::from(()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Some(inside) = self.inside() else {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::UNDEFINED);
        };
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(Value::from(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Value, A::Error> {
        let inside = self.inside();
        let mut map: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        let number = fields_or_number(fields, |name, fields| {
            match inside {
                Some(inside) => drop(map.insert(name.into(), fields.next_value_seed(inside)?)),
                None => drop(fields.next_value::<IgnoredAny>()?),
            }
            Ok(())
        })?;
        Ok(match (number, inside) {
            (Some(text), _) => self.number(&text),
            (None, Some(_)) => Value::from(map),
            (None, None) => Value::UNDEFINED,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        for (written, compared, as_written) in [
            ("7", "7", "7"),
            ("-7", "-7", "-7"),
            (
                "18446744073709551615",
                "18446744073709551615",
                "18446744073709551615",
            ),
            (
                "20231128220145678901",
                "20231128220145678901",
                "20231128220145678901",
            ),
            (
                "-20231128220145678901",
                "-20231128220145678901",
                "-20231128220145678901",
            ),
            ("1.5", "1.5", "1.5"),
            ("2.10", "2.1", "2.10"),
            ("1e999", "inf", "1e+999"),
            ("-1e999", "-inf", "-1e+999"),
        ] {
            let body = format!(r#"{{"n":{written}}}"#);
            let said = |numbers| {
                let value = json_value(body.as_bytes(), numbers).unwrap();
                value.get_attr("n").unwrap().to_string()
            };
            assert_eq!(said(Numbers::Compared), compared);
            assert_eq!(said(Numbers::AsWritten), as_written);
        }
        let long = "9".repeat(60);
        let value = json_value(long.as_bytes(), Numbers::Compared).unwrap();
        assert_eq!(value.to_string(), long);
    }

    #[test]
    fn as_much_is_read_as_can_be() {
        let deep = format!(
            r#"{{"a":1,"b":{}1{}}}"#,
            "[".repeat(5_000),
            "]".repeat(5_000)
        );
        let value = json_value(deep.as_bytes(), Numbers::Compared).unwrap();
        assert_eq!(value.get_attr("a").unwrap(), Value::from(1));
        let odd = b"\xef\xbb\xbf{\"name\":\"caf\xe9\",\"half\":\"\\ud83d\"}";
        let value = json_value(odd, Numbers::Compared).unwrap();
        assert_eq!(
            value.get_attr("name").unwrap().as_str(),
            Some("caf\u{fffd}")
        );
        assert_eq!(value.get_attr("half").unwrap().as_str(), Some("\u{fffd}"));
        for broken in ["", "{", "order", r#"{"a":"b"c"}"#] {
            assert!(json_value(broken.as_bytes(), Numbers::Compared).is_err());
        }
    }
}
