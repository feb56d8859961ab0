//! Column values, whatever the engine.
//!
//! This file must know nothing of tables or of what is stored: that is in `columns`.

use std::borrow::Cow;

use crate::error::{Error, Result as Done};

/// The value of a column or of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'v> {
    /// No value.
    Null,
    /// An integer; a boolean is 0 or 1.
    Integer(i64),
    /// A floating point number: from another program, since hookbox writes none.
    Real(f64),
    /// A text. The bytes may not be UTF-8: SQLite stores any bytes that a client calls a text.
    Text(Cow<'v, [u8]>),
    /// Bytes.
    Blob(Cow<'v, [u8]>),
}

/// Why a value cannot be read or written as the wanted type.
pub(crate) type Unfit = Box<dyn std::error::Error + Send + Sync>;

/// A type that a parameter can be bound to.
pub(crate) trait ToValue {
    /// The value to bind.
    ///
    /// # Errors
    /// When it cannot be stored in a column.
    fn to_value(&self) -> Result<Value<'_>, Unfit>;
}

/// The parameters of a statement: each name with its value.
pub(crate) type Params<'p> = &'p [(&'p str, &'p dyn ToValue)];

/// Parameters by name: `params! { ":id": id }`.
macro_rules! params {
    ($($name:literal : $value:expr),* $(,)?) => {
        &[$(($name, &$value as &dyn $crate::store::engine::value::ToValue)),*]
    };
}
pub(crate) use params;

/// Checks how many rows a statement changed.
pub(super) fn check_rows(changed: usize, wanted: Option<usize>) -> Done<()> {
    match wanted {
        Some(rows) if rows != changed => Err(Error::unexpected(format!(
            "a statement changed {changed} rows instead of {rows}"
        ))),
        _ => Ok(()),
    }
}

/// A type that can be read from a column.
pub(crate) trait FromValue: Sized {
    /// Converts a column's value.
    ///
    /// # Errors
    /// When the value is not one of this type.
    fn from_value(value: &Value<'_>) -> Result<Self, Unfit>;
}

impl<'v> Value<'v> {
    /// A text value.
    pub(crate) fn text(text: impl Into<Cow<'v, str>>) -> Value<'v> {
        Value::Text(match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }

    /// The value as a text.
    pub(crate) fn as_str(&self) -> Result<&str, Unfit> {
        match self {
            Value::Text(text) => Ok(std::str::from_utf8(text)?),
            other => Err(other.is_no("text")),
        }
    }

    /// The value as bytes.
    pub(crate) fn as_blob(&self) -> Result<&[u8], Unfit> {
        match self {
            Value::Blob(bytes) => Ok(bytes),
            other => Err(other.is_no("bytes")),
        }
    }

    /// The value as an integer.
    pub(crate) fn as_integer(&self) -> Result<i64, Unfit> {
        match self {
            Value::Integer(number) => Ok(*number),
            other => Err(other.is_no("whole number")),
        }
    }

    /// How many bytes it needs, about.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Value::Null | Value::Integer(_) | Value::Real(_) => 8,
            Value::Text(bytes) | Value::Blob(bytes) => 8 + bytes.len(),
        }
    }

    fn is_no(&self, wanted: &str) -> Unfit {
        let found = match self {
            Value::Null => "null",
            Value::Integer(_) => "a whole number",
            Value::Real(_) => "a floating number",
            Value::Text(_) => "a text",
            Value::Blob(_) => "bytes",
        };
        format!("{found} where {wanted} belongs").into()
    }
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {$(
        impl ToValue for $number {
            fn to_value(&self) -> Result<Value<'_>, Unfit> {
                Ok(Value::Integer(i64::try_from(*self)?))
            }
        }

        impl FromValue for $number {
            fn from_value(value: &Value<'_>) -> Result<$number, Unfit> {
                Ok(<$number>::try_from(value.as_integer()?)?)
            }
        }
    )+};
}

whole_numbers!(i64, i32, u64, u32, u16, usize);

impl ToValue for bool {
    fn to_value(&self) -> Result<Value<'_>, Unfit> {
        Ok(Value::Integer(i64::from(*self)))
    }
}

impl FromValue for bool {
    fn from_value(value: &Value<'_>) -> Result<bool, Unfit> {
        Ok(value.as_integer()? != 0)
    }
}

impl ToValue for str {
    fn to_value(&self) -> Result<Value<'_>, Unfit> {
        Ok(Value::text(self))
    }
}

impl ToValue for String {
    fn to_value(&self) -> Result<Value<'_>, Unfit> {
        Ok(Value::text(self.as_str()))
    }
}

impl FromValue for String {
    fn from_value(value: &Value<'_>) -> Result<String, Unfit> {
        Ok(value.as_str()?.to_owned())
    }
}

impl ToValue for [u8] {
    fn to_value(&self) -> Result<Value<'_>, Unfit> {
        Ok(Value::Blob(Cow::Borrowed(self)))
    }
}

impl ToValue for Vec<u8> {
    fn to_value(&self) -> Result<Value<'_>, Unfit> {
        Ok(Value::Blob(Cow::Borrowed(self)))
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: &Value<'_>) -> Result<Vec<u8>, Unfit> {
        Ok(value.as_blob()?.to_vec())
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: &Value<'_>) -> Result<[u8; N], Unfit> {
        Ok(<[u8; N]>::try_from(value.as_blob()?)?)
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Result<Value<'_>, Unfit> {
        T::to_value(self)
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Result<Value<'_>, Unfit> {
        self.as_ref().map_or(Ok(Value::Null), T::to_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value<'_>) -> Result<Option<T>, Unfit> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}
