//! What keeps the store from being written, or from taking in: said once when it begins and once when
//! it ends, and shown as long as it lasts.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;

/// What is wrong, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The path is not the file any more: nothing is written.
    Gone,
    /// Something in the file cannot be read: nothing is taken in until a person has seen to it.
    Damaged,
    /// The last commit failed. The next one may hold.
    CannotWrite,
    /// What is left of the disk, or of the size that was allowed, is kept for what is there: nothing
    /// is taken in.
    NoRoom,
}

const KINDS: usize = 4;

/// Nobody panics with the words locked.
const NO_PANIC: &str = "nobody panics with the words locked";

/// All that is wrong now.
#[derive(Default)]
pub(crate) struct Trouble {
    words: RwLock<[Option<String>; KINDS]>,
    is_some: AtomicBool,
}

impl Trouble {
    /// The worst of what is wrong.
    pub(crate) fn why(&self) -> Option<String> {
        self.first_of(&[Kind::Gone, Kind::Damaged, Kind::CannotWrite, Kind::NoRoom])
    }

    /// Why no event can be taken in, though trying might work.
    pub(crate) fn closed(&self) -> Option<Error> {
        self.first_of(&[Kind::Gone, Kind::Damaged, Kind::NoRoom])
            .map(Error::Closed)
    }

    /// Why nothing at all may be written.
    pub(crate) fn gone(&self) -> Option<Error> {
        self.first_of(&[Kind::Gone]).map(Error::Closed)
    }

    /// Whether this is wrong now.
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

    /// Notes that this is wrong, or no longer.
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
            // It goes on, perhaps with other figures.
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
