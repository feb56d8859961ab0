//! Secret keys. They must never be printed: `Debug` redacts, there is no `Display`.

use std::fmt;

use crate::error::{Error, Result};
use crate::time::Timestamp;

/// A shared secret: the bytes as given.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the bytes of a secret.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is empty: an empty key proves nothing.
    ///
    /// ```
    /// use hookbox::signature::Secret;
    /// assert!(Secret::new("").is_err());
    /// assert_eq!(format!("{:?}", Secret::new("topsecret")?), "Secret(..)");
    /// # Ok::<(), hookbox::Error>(())
    /// ```
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Secret> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(Error::misuse(
                "the secret is empty; give one, or leave the option out",
            ));
        }
        Ok(Secret(bytes))
    }

    /// Returns the bytes, for signing, verifying and storing only.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Returns a text that came from a file as it was meant.
///
/// Editors and `echo` add a newline at the end, and some editors add a byte order mark at the beginning;
/// neither is part of it. Spaces may be part of it.
///
/// # Errors
/// [`Error::Misuse`] when it is in UTF-16.
pub fn text_as_meant(mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Error::misuse(
            "the secret is written in UTF-16, as PowerShell's > does; save it as UTF-8",
        ));
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    Ok(bytes)
}

/// A secret that was replaced.
#[derive(Debug, Clone)]
pub struct OldSecret {
    /// The secret.
    pub secret: Secret,
    /// Until when it is valid.
    pub ends: Timestamp,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
