//! How closely a payload is read. One set of structs serves both depths: what only a chat tells is
//! skipped, without an allocation, when an event comes in.

use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny};

/// A depth at which payloads are read.
pub(super) trait Reading: Default {
    /// A field that only a chat tells of.
    type Detail<T: Default + DeserializeOwned>: Default + DeserializeOwned;

    /// What was read of it.
    fn open<T: Default + DeserializeOwned>(detail: Self::Detail<T>) -> T;
}

/// Who, what and where: for lists and filters.
#[derive(Debug, Default)]
pub(super) struct Summary;

/// All that is told in a chat.
#[derive(Debug, Default)]
pub(super) struct Full;

impl Reading for Summary {
    type Detail<T: Default + DeserializeOwned> = Unread<T>;

    fn open<T: Default + DeserializeOwned>(_: Unread<T>) -> T {
        T::default()
    }
}

impl Reading for Full {
    type Detail<T: Default + DeserializeOwned> = T;

    fn open<T: Default + DeserializeOwned>(detail: T) -> T {
        detail
    }
}

/// A field that was skipped.
#[derive(Debug)]
pub(super) struct Unread<T>(PhantomData<T>);

impl<T> Default for Unread<T> {
    fn default() -> Unread<T> {
        Unread(PhantomData)
    }
}

impl<'de, T> Deserialize<'de> for Unread<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unread<T>, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Unread(PhantomData))
    }
}
