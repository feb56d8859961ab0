//! What is compared at the end of a move: how many rows a table has, and a hash over all of them.
//!
//! The hash is over the values in one encoding, whatever the engine, in the order of the rows. Both sides are
//! read through this.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use crate::store::engine::value::Value;

/// The rows of a table that were read so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Digest {
    rows: u64,
    hash: Sha256,
}

impl Digest {
    /// Adds the next row.
    pub(crate) fn add(&mut self, row: &[Value<'_>]) {
        self.rows += 1;
        for value in row {
            let (kind, bytes): (u8, &[u8]) = match value {
                Value::Null => (0, &[]),
                Value::Integer(number) => (1, &number.to_le_bytes()),
                Value::Real(number) => (2, &number.to_le_bytes()),
                Value::Text(text) => (3, text),
                Value::Blob(bytes) => (4, bytes),
            };
            // With its length, so that no two rows are the same bytes.
            self.hash.update([kind]);
            self.hash.update((bytes.len() as u64).to_le_bytes());
            self.hash.update(bytes);
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The hash, in hexadecimal digits.
    pub(crate) fn sha256(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }
}

/// Makes the texts of a row such as a server can store: UTF-8, without NUL. Both become U+FFFD, as they do
/// wherever hookbox writes to a server. Returns how many texts changed.
pub(crate) fn make_storable(row: &mut [Value<'_>]) -> u64 {
    let mut changed = 0;
    for value in row {
        if let Value::Text(text) = value
            && !is_storable(text)
        {
            let readable = String::from_utf8_lossy(text).replace('\0', "\u{fffd}");
            *text = Cow::Owned(readable.into_bytes());
            changed += 1;
        }
    }
    changed
}

/// Whether a server takes these bytes for a text.
pub(crate) fn is_storable(text: &[u8]) -> bool {
    !text.contains(&0) && std::str::from_utf8(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(rows: &[Vec<Value<'_>>]) -> String {
        let mut digest = Digest::default();
        for row in rows {
            digest.add(row);
        }
        format!("{} {}", digest.rows(), digest.sha256())
    }

    #[test]
    fn other_values_have_another_hash() {
        let all = [
            hash_of(&[]),
            hash_of(&[vec![]]),
            hash_of(&[vec![Value::Null]]),
            hash_of(&[vec![Value::Integer(0)]]),
            hash_of(&[vec![Value::Integer(1)]]),
            hash_of(&[vec![Value::text("")]]),
            hash_of(&[vec![Value::Blob(Cow::Borrowed(b""))]]),
            hash_of(&[vec![Value::text("ab"), Value::text("c")]]),
            hash_of(&[vec![Value::text("ab")], vec![Value::text("c")]]),
            hash_of(&[vec![Value::text("c"), Value::text("ab")]]),
            hash_of(&[vec![Value::text("a"), Value::text("bc")]]),
        ];
        for (index, hash) in all.iter().enumerate() {
            assert!(!all[..index].contains(hash), "{index}");
        }
    }

    #[test]
    fn what_a_server_cannot_store_is_replaced_and_counted() {
        let mut row = [
            Value::text("plain"),
            Value::text("a\0b"),
            Value::Text(Cow::Borrowed(b"\xff")),
            Value::Blob(Cow::Borrowed(b"\0\xff")),
        ];
        let bytes = row[3].clone();
        assert_eq!(make_storable(&mut row), 2);
        assert_eq!(row[1], Value::text("a\u{fffd}b"));
        assert_eq!(row[2], Value::text("\u{fffd}"));
        assert_eq!(row[3], bytes);
    }
}
