//! How bodies are stored: compressed where that makes them smaller, and read back exactly.
//!
//! Webhook bodies are JSON of a few KiB and shrink to a third. This saves two thirds of the disk space and,
//! on an SD card, of the wear: every byte is written twice, to the write-ahead log and to the file.
//!
//! The compression is zstd at its fastest regular level: about ten microseconds for 3 KiB. It runs in the
//! thread that submits the event, not in the writer's thread.

use std::borrow::Cow;
use std::io;
use std::sync::{Mutex, MutexGuard};

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

use super::conn::{Row, unreadable};
use crate::error;

/// Bodies shorter than this many bytes are not compressed: little would be saved.
const PACK_FROM: usize = 256;

/// The fastest regular level.
const LEVEL: i32 = 1;

/// Compressors kept for the next body. One needs about 100 KiB to read, and more to write; creating a new
/// one would cost as much as using it.
static PACKERS: Pool<Compressor<'static>> = Pool::new();
static UNPACKERS: Pool<Decompressor<'static>> = Pool::new();

/// A body in the form that is stored.
pub(crate) struct Packed {
    pub(crate) bytes: Vec<u8>,
    /// The value of the `encoding` column.
    pub(crate) encoding: Option<&'static str>,
    /// Size of the original body.
    pub(crate) body_bytes: i64,
}

impl Packed {
    /// The original body.
    pub(crate) fn unpacked(&self) -> io::Result<Cow<'_, [u8]>> {
        match self.encoding {
            None => Ok(Cow::Borrowed(&self.bytes)),
            Some(_) => unpack(&self.bytes, self.body_bytes as usize).map(Cow::Owned),
        }
    }
}

/// Compresses a body, if that makes it smaller.
pub(crate) fn pack(body: Vec<u8>) -> Packed {
    let body_bytes = i64::try_from(body.len()).unwrap_or(i64::MAX);
    if body.len() >= PACK_FROM
        && let Ok(bytes) = PACKERS.with(packer, |packer| packer.compress(&body))
        && bytes.len() < body.len()
    {
        return Packed {
            bytes,
            encoding: Some("zstd"),
            body_bytes,
        };
    }
    Packed {
        bytes: body,
        encoding: None,
        body_bytes,
    }
}

fn packer() -> io::Result<Compressor<'static>> {
    let mut packer = Compressor::new(LEVEL)?;
    // A checksum of four bytes: it detects a body that the disk changed.
    packer.set_parameter(CParameter::ChecksumFlag(true))?;
    Ok(packer)
}

/// The original body of a row that has `body`, `encoding` and `bytes`.
pub(crate) fn read_body(row: &Row<'_>) -> error::Result<Vec<u8>> {
    let encoding: Option<String> = row.get("encoding")?;
    match encoding.as_deref() {
        None => row.get("body"),
        Some("zstd") => {
            let bytes: u32 = row.get("bytes")?;
            let packed = row.value("body")?;
            let packed = packed
                .as_blob()
                .map_err(|error| unreadable("body", error))?;
            unpack(packed, bytes as usize).map_err(|error| unreadable("body", error.into()))
        }
        Some(other) => Err(unreadable(
            "encoding",
            format!("a body is packed with {other}, which this hookbox does not know").into(),
        )),
    }
}

fn unpack(packed: &[u8], body_bytes: usize) -> io::Result<Vec<u8>> {
    UNPACKERS.with(Decompressor::new, |unpacker| {
        unpacker.decompress(packed, body_bytes)
    })
}

/// A pool: one value for each thread that uses one now, and a few kept for later.
struct Pool<T>(Mutex<Vec<T>>);

impl<T> Pool<T> {
    const KEPT: usize = 4;

    const fn new() -> Pool<T> {
        Pool(Mutex::new(Vec::new()))
    }

    fn with<R>(
        &self,
        make: impl FnOnce() -> io::Result<T>,
        work: impl FnOnce(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let kept = self.lock().pop();
        let mut held = match kept {
            Some(kept) => kept,
            None => make()?,
        };
        let result = work(&mut held);
        let mut idle = self.lock();
        if idle.len() < Self::KEPT {
            idle.push(held);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().expect("nobody panics with the lock")
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::engine::conn::{Conn, params};

    /// Reads a body back from a row that has these values.
    fn read(bytes: &[u8], encoding: Option<&str>, body_bytes: i64) -> error::Result<Vec<u8>> {
        let connection = Connection::open_in_memory().unwrap();
        Conn::sqlite(&connection).one(
            "select :body as body, :encoding as encoding, :bytes as bytes",
            params! { ":body": bytes, ":encoding": encoding, ":bytes": body_bytes },
            read_body,
        )
    }

    /// Writes a body to a row and reads it back.
    fn through_a_row(body: &[u8]) -> (Packed, Vec<u8>) {
        let packed = pack(body.to_vec());
        let back = read(&packed.bytes, packed.encoding, packed.body_bytes);
        (packed, back.unwrap())
    }

    #[test]
    fn a_body_of_any_kind_is_read_back_exactly() {
        let json = r#"{"id":1,"author":{"name":"Mira"}},"#.repeat(90).into_bytes();
        let mut random = fastrand::Rng::with_seed(7);
        let noise: Vec<u8> = (0..5_000).map(|_| random.u8(..)).collect();
        for body in [&json[..], &noise, b"", b"short", &[0; 1_000_000]] {
            let (packed, read) = through_a_row(body);
            assert_eq!(read, body);
            assert_eq!(packed.body_bytes, body.len() as i64);
            assert!(packed.bytes.len() <= body.len());
        }
        assert_eq!(through_a_row(&json).0.encoding, Some("zstd"));
        assert_eq!(through_a_row(&noise).0.encoding, None);
    }

    #[test]
    fn a_packed_body_that_was_damaged_is_an_error_not_another_body() {
        let body = r#"{"id":1,"author":{"name":"Mira"}},"#.repeat(90).into_bytes();
        let packed = pack(body.clone());
        let read = |bytes: &[u8], encoding: &str| read(bytes, Some(encoding), packed.body_bytes);
        assert_eq!(read(&packed.bytes, "zstd").unwrap(), body);
        for at in 0..packed.bytes.len() {
            let mut damaged = packed.bytes.clone();
            damaged[at] ^= 0x10;
            let same = read(&damaged, "zstd").is_ok_and(|read| read == body);
            let refused = read(&damaged, "zstd").is_err();
            assert!(same || refused, "byte {at} of {}", damaged.len());
        }
        let unknown = read(&packed.bytes, "later").unwrap_err();
        assert!(unknown.chain().contains("later"));
    }
}
