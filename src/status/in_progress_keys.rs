//! The idempotency keys of the requests that are being answered now.

use std::collections::HashSet;
use std::sync::Mutex;

/// Idempotency keys of requests in progress.
#[derive(Default)]
pub(super) struct InProgressKeys(Mutex<HashSet<String>>);

impl InProgressKeys {
    /// Begins a request; `None` while one with the same key is in progress.
    ///
    /// The request ends when the returned guard is dropped.
    pub(super) fn begin(&self, key: &str) -> Option<Guarded<'_>> {
        let mut keys = self.0.lock().expect("no holder of the keys panics");
        keys.insert(key.to_owned()).then(|| Guarded {
            keys: self,
            key: key.to_owned(),
        })
    }
}

pub(super) struct Guarded<'a> {
    keys: &'a InProgressKeys,
    key: String,
}

impl Drop for Guarded<'_> {
    fn drop(&mut self) {
        let mut keys = self.keys.0.lock().expect("no holder of the keys panics");
        keys.remove(&self.key);
    }
}
