//! The depth at which a payload is read. The same structs serve both depths: fields that only a
//! chat message shows are skipped, without an allocation, when an event comes in.

use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny};

/// A depth of reading.
pub(super) trait Reading: Default {
    /// A field that only a chat message shows.
    type Detail<T: Default + DeserializeOwned>: Default + DeserializeOwned;

    /// The value of such a field; the default if it was skipped.
    fn open<T: Default + DeserializeOwned>(detail: Self::Detail<T>) -> T;
}

/// Person, deed and repository: for lists and filters.
#[derive(Debug, Default)]
pub(super) struct Summary;

/// Everything that a chat message shows.
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
