//! What prevents the store from writing or from accepting events. It is logged once when it begins and once
//! when it ends, and shown as long as it lasts.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;

/// The kinds of trouble, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The path is not the file any more: nothing is written.
    Gone,
    /// Some data in the file cannot be read: no event is accepted until a person has repaired it.
    Damaged,
    /// The last commit failed. The next one may succeed.
    CannotWrite,
    /// The rest of the disk, or of the allowed size, is reserved for what is stored already: no event is
    /// accepted.
    NoRoom,
}

const KINDS: usize = 4;

/// No code panics while it holds this lock.
const NO_PANIC: &str = "nobody panics with the words locked";

/// Everything that is wrong now.
#[derive(Default)]
pub(crate) struct Trouble {
    words: RwLock<[Option<String>; KINDS]>,
    is_some: AtomicBool,
}

impl Trouble {
    /// The text of the worst trouble.
    pub(crate) fn why(&self) -> Option<String> {
        self.first_of(&[Kind::Gone, Kind::Damaged, Kind::CannotWrite, Kind::NoRoom])
    }

    /// Why no event may be accepted, even if a write might succeed.
    pub(crate) fn closed(&self) -> Option<Error> {
        self.first_of(&[Kind::Gone, Kind::Damaged, Kind::NoRoom])
            .map(Error::Closed)
    }

    /// Why nothing at all may be written.
    pub(crate) fn gone(&self) -> Option<Error> {
        self.first_of(&[Kind::Gone]).map(Error::Closed)
    }

    /// Whether the store has this trouble now.
    pub(crate) fn is(&self, kind: Kind) -> bool {
        self.first_of(&[kind]).is_some()
    }

    fn first_of(&self, kinds: &[Kind]) -> Option<String> {
        if !self.is_some.load(Ordering::Acquire) {
            return None;
        }
        let words = self.words.read().expect(NO_PANIC);
        kinds.iter().find_map(|kind| words[*kind as usize].clone())
    }

    /// Records that this trouble exists, or that it is over.
    pub(crate) fn set(&self, kind: Kind, why: Option<String>) {
        if why.is_none() && !self.is_some.load(Ordering::Acquire) {
            return;
        }
        let mut words = self.words.write().expect(NO_PANIC);
        let held = &mut words[kind as usize];
        match (&why, held.is_some()) {
            (Some(why), false) => tracing::error!(error = why, "{}", kind.begins()),
            (None, true) => tracing::warn!("{}", kind.ends()),
            (None, false) => return,
            // It continues, perhaps with other numbers.
            (Some(_), true) => {}
        }
        *held = why;
        let is_some = words.iter().any(Option::is_some);
        self.is_some.store(is_some, Ordering::Release);
    }
}

impl Kind {
    fn begins(self) -> &'static str {
        match self {
            Kind::Gone => "store.gone",
            Kind::Damaged => "store.damaged",
            Kind::CannotWrite => "store.cannot_write",
            Kind::NoRoom => "store.no_room",
        }
    }

    fn ends(self) -> &'static str {
        match self {
            Kind::Gone => "store.back",
            Kind::Damaged => "store.whole",
            Kind::CannotWrite => "store.writes_again",
            Kind::NoRoom => "store.room_again",
        }
    }
}
