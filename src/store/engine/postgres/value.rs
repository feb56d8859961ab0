//! Column values of PostgreSQL.

use std::borrow::Cow;

use bytes::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::store::engine::value::{Unfit, Value};

/// A value on its way to a parameter.
#[derive(Debug)]
pub(super) struct Parameter<'v>(pub(super) Value<'v>);

impl Parameter<'_> {
    /// The type of the columns that such values are in; unknown for a null.
    pub(super) fn usual_type(&self) -> Type {
        match self.0 {
            Value::Null => Type::UNKNOWN,
            Value::Integer(_) => Type::INT8,
            Value::Real(_) => Type::FLOAT8,
            Value::Text(_) => Type::TEXT,
            Value::Blob(_) => Type::BYTEA,
        }
    }
}

impl Parameter<'_> {
    /// A copy that outlives what it was made of.
    pub(super) fn into_owned(self) -> Parameter<'static> {
        Parameter(match self.0 {
            Value::Null => Value::Null,
            Value::Integer(number) => Value::Integer(number),
            Value::Real(number) => Value::Real(number),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Blob(bytes) => Value::Blob(Cow::Owned(bytes.into_owned())),
        })
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Unfit> {
        match (&self.0, wanted) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Integer(number), &Type::BOOL) => (*number != 0).to_sql(wanted, out),
            (Value::Integer(number), &Type::INT2) => i16::try_from(*number)?.to_sql(wanted, out),
            (Value::Integer(number), &Type::INT4) => i32::try_from(*number)?.to_sql(wanted, out),
            (Value::Integer(number), &Type::INT8) => number.to_sql(wanted, out),
            (Value::Real(number), &Type::FLOAT8) => number.to_sql(wanted, out),
            (Value::Text(text), &Type::TEXT | &Type::VARCHAR | &Type::UNKNOWN) => {
                // PostgreSQL stores no NUL in a text.
                let text = std::str::from_utf8(text)?;
                match text.contains('\0') {
                    true => text.replace('\0', "\u{fffd}").to_sql(wanted, out),
                    false => text.to_sql(wanted, out),
                }
            }
            (Value::Blob(bytes), &Type::BYTEA) => bytes.as_ref().to_sql(wanted, out),
            (value, wanted) => Err(format!("{value:?} where {wanted} belongs").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value from a column.
pub(super) struct Column<'r>(pub(super) Value<'r>);

impl<'r> FromSql<'r> for Column<'r> {
    fn from_sql(kind: &Type, raw: &'r [u8]) -> Result<Column<'r>, Unfit> {
        let value = match *kind {
            Type::BOOL => Value::Integer(i64::from(bool::from_sql(kind, raw)?)),
            Type::INT2 => Value::Integer(i16::from_sql(kind, raw)?.into()),
            Type::INT4 => Value::Integer(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Value::Integer(i64::from_sql(kind, raw)?),
            // A sum of whole numbers.
            Type::NUMERIC => Value::Integer(whole_number(raw)?),
            Type::FLOAT8 => Value::Real(f64::from_sql(kind, raw)?),
            Type::TEXT | Type::VARCHAR | Type::UNKNOWN => Value::Text(Cow::Borrowed(raw)),
            Type::BYTEA => Value::Blob(Cow::Borrowed(raw)),
            ref other => return Err(format!("a column of type {other}").into()),
        };
        Ok(Column(value))
    }

    fn from_sql_null(_: &Type) -> Result<Column<'r>, Unfit> {
        Ok(Column(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Reads a `numeric` without a fraction: the number of its digits, the place of the first, the sign, and so
/// on, each of 16 bits; then the digits, to the base of 10,000.
fn whole_number(raw: &[u8]) -> Result<i64, Unfit> {
    let words: Vec<u16> = raw
        .chunks_exact(2)
        .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
        .collect();
    let [_, place, sign, scale, digits @ ..] = words.as_slice() else {
        return Err("a number that is cut off".into());
    };
    let places = i32::from(place.cast_signed()) + 1;
    if *scale != 0 || digits.len() > usize::try_from(places.max(0))? {
        return Err("a number with a fraction".into());
    }
    let places = usize::try_from(places.max(0))?;
    let all = digits
        .iter()
        .copied()
        .chain(std::iter::repeat(0))
        .take(places);
    let value = all.fold(0i128, |sum, digit| {
        sum.saturating_mul(10_000).saturating_add(digit.into())
    });
    match sign {
        0 => Ok(i64::try_from(value)?),
        0x4000 => Ok(i64::try_from(-value)?),
        _ => Err("no number".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read() {
        let raw = |words: &[u16]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_be_bytes()).collect()
        };
        let read = |words: &[u16]| whole_number(&raw(words)).ok();
        assert_eq!(read(&[0, 0, 0, 0]), Some(0));
        assert_eq!(read(&[1, 0, 0, 0, 42]), Some(42));
        assert_eq!(read(&[2, 1, 0x4000, 0, 1, 2345]), Some(-12_345));
        // 30,000 has one digit to the base of 10,000, and a place without one.
        assert_eq!(read(&[1, 1, 0, 0, 3]), Some(30_000));
        assert_eq!(read(&[1, 0xffff, 0, 0, 5000]), None);
        assert_eq!(read(&[0, 0, 0xc000, 0]), None);
        assert_eq!(read(&[1]), None);
    }
}
