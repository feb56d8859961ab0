//! Group commit: how long the writer waits for more jobs, to put them in one commit.
//!
//! Every commit writes the pages it touched whole, so ten events in one commit cost the disk a
//! fraction of ten commits. But waiting costs time, and somebody may be waiting for the answer. So:
//!
//! - What nobody waits for (the record of an attempt) waits a little for the next.
//! - What somebody waits for waits only for as many as have come together before. Now and then the
//!   writer waits for one more: when it comes the writer has learnt to wait for it, when it does
//!   not it tries that ever more seldom. So a sender that sends its next event only after the
//!   answer to the last is answered at once, and where a thousand events come a second from
//!   everywhere, eight share a commit.
//!
//! Reads no clock: a wait is bounded by how many jobs it may bring and how long each may take.

use std::time::Duration;

use crate::store::engine::job::Job;

/// Most jobs in one commit. Beyond a hundred or so the fsync is spread thin enough, and a larger
/// group only makes the first in it wait longer.
const GROUP_JOBS_MAX: usize = 128;

/// Most bytes of bodies in one commit, so that large bodies do not make everybody wait.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Jobs that somebody waits for: a group that has so many waits for no more.
const URGENT_TARGET: usize = 8;

/// Jobs of any kind that may come while somebody waits: those that nobody waits for come along.
const URGENT_JOBS_MAX: usize = 2 * URGENT_TARGET;

/// How soon the next of them must come. Where fewer than 300 come a second nobody is kept
/// waiting, and nobody ever longer than 16 times this.
const URGENT_WAIT: Duration = Duration::from_millis(3);

/// Jobs that nobody waits for: a group that has so many of them alone waits for no more.
const BACKGROUND_TARGET: usize = 16;

/// How soon the next of them must come. Together at most 80 ms, in which a crash would let as
/// many attempts be made again.
const BACKGROUND_WAIT: Duration = Duration::from_millis(5);

/// Most commits without another try at waiting for one more: 2 to the power of this.
const BACKOFF_MAX: u32 = 10;

/// The jobs of one commit.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) jobs: Vec<Box<dyn Job>>,
    bytes: usize,
    /// How many of them somebody waits for.
    waited_for: usize,
    /// How many came since the first of those did.
    since_first: usize,
}

impl Group {
    pub(crate) fn add(&mut self, job: Box<dyn Job>) {
        self.bytes += job.bytes();
        self.since_first += usize::from(self.waited_for > 0);
        self.waited_for += usize::from(job.is_waited_for());
        self.jobs.push(job);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.jobs.len() >= GROUP_JOBS_MAX || self.bytes >= GROUP_BYTES_MAX
    }
}

/// What the writer has learnt about waiting.
#[derive(Debug)]
pub(crate) struct Gathering {
    /// How many of those that are waited for usually come together.
    urgent_target: usize,
    /// How often in a row one more did not come.
    backoff: u32,
    /// Commits until one more is waited for again.
    skip: u32,
}

impl Gathering {
    pub(crate) fn new() -> Gathering {
        Gathering {
            urgent_target: 1,
            backoff: 0,
            skip: 0,
        }
    }

    /// How long to wait for another job; `None` to commit what there is.
    pub(crate) fn wait(&self, group: &Group) -> Option<Duration> {
        if group.is_full() || group.since_first >= URGENT_JOBS_MAX {
            None
        } else if group.waited_for == 0 {
            (group.jobs.len() < BACKGROUND_TARGET).then_some(BACKGROUND_WAIT)
        } else {
            (group.waited_for < self.target()).then_some(URGENT_WAIT)
        }
    }

    fn target(&self) -> usize {
        let one_more = usize::from(self.skip == 0);
        (self.urgent_target + one_more).min(URGENT_TARGET)
    }

    /// The group is about to be committed.
    pub(crate) fn done(&mut self, group: &Group) {
        if group.waited_for == 0 {
            return;
        }
        if group.waited_for < self.target() {
            self.urgent_target = group.waited_for;
            self.backoff = (self.backoff + 1).min(BACKOFF_MAX);
            self.skip = 1 << self.backoff;
        } else if self.skip > 0 {
            self.skip -= 1;
        } else {
            self.urgent_target = self.target();
            self.backoff = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Result};
    use crate::store::engine::job::Tx;

    struct Idle {
        waited_for: bool,
    }

    impl Job for Idle {
        fn run(&mut self, _tx: &mut Tx<'_>) -> Result<()> {
            Ok(())
        }

        fn answer(self: Box<Self>, _stopped: Option<&Error>) {}

        fn bytes(&self) -> usize {
            1_000
        }

        fn is_waited_for(&self) -> bool {
            self.waited_for
        }
    }

    fn group(waited_for: usize, others: usize) -> Group {
        let mut group = Group::default();
        for number in 0..waited_for + others {
            group.add(Box::new(Idle {
                waited_for: number < waited_for,
            }));
        }
        group
    }

    /// Groups as they come of so many senders that wait for their answers: how many commits of
    /// a thousand waited in vain, and how large the last was.
    fn closed_loop(senders: usize, commits: usize) -> (usize, usize) {
        let mut gathering = Gathering::new();
        let (mut vain, mut last) = (0, 0);
        for _ in 0..commits {
            // One is there already; the others come one by one while the writer waits.
            let mut came = 1;
            while came < senders && gathering.wait(&group(came, 0)).is_some() {
                came += 1;
            }
            let in_vain = gathering.wait(&group(came, 0)).is_some();
            vain += usize::from(in_vain);
            last = came;
            gathering.done(&group(came, 0));
        }
        (vain, last)
    }

    #[test]
    fn senders_that_wait_for_their_answers_are_kept_waiting_ever_more_seldom() {
        for senders in [1, 2, 5] {
            let (vain, last) = closed_loop(senders, 10_000);
            // After 2 + 4 + ... + 1024 commits, and then once in 1025.
            assert!((10..=20).contains(&vain), "{senders} senders: {vain}");
            assert_eq!(last, senders);
        }
    }

    #[test]
    fn where_others_keep_coming_every_group_waits_for_them() {
        assert_eq!(closed_loop(1_000, 100), (0, URGENT_TARGET));
    }

    #[test]
    fn when_fewer_come_fewer_are_waited_for() {
        let mut gathering = Gathering::new();
        for _ in 0..10 {
            gathering.done(&group(URGENT_TARGET, 0));
        }
        assert!(gathering.wait(&group(7, 0)).is_some());
        gathering.done(&group(3, 0));
        assert_eq!(gathering.wait(&group(3, 0)), None);
        assert_eq!(gathering.wait(&group(2, 0)), Some(URGENT_WAIT));
    }

    #[test]
    fn what_nobody_waits_for_waits_and_hurries_when_somebody_does() {
        let mut gathering = Gathering::new();
        gathering.done(&group(1, 0));
        assert_eq!(gathering.wait(&group(0, 15)), Some(BACKGROUND_WAIT));
        assert_eq!(gathering.wait(&group(0, 16)), None);
        assert_eq!(gathering.wait(&group(1, 3)), None);
        // What nobody waits for teaches nothing about those who do.
        gathering.done(&group(0, 3));
        assert_eq!((gathering.backoff, gathering.skip), (1, 2));
    }

    #[test]
    fn what_nobody_waits_for_keeps_nobody_waiting_long_and_counts_as_no_urgent_job() {
        let mut gathering = Gathering::new();
        assert!(gathering.wait(&group(1, URGENT_JOBS_MAX - 1)).is_some());
        assert_eq!(gathering.wait(&group(1, URGENT_JOBS_MAX)), None);
        gathering.done(&group(1, URGENT_JOBS_MAX));
        assert_eq!((gathering.urgent_target, gathering.backoff), (1, 1));
        assert_eq!(gathering.wait(&group(1, 0)), None);
    }

    #[test]
    fn a_group_is_bounded() {
        let gathering = Gathering::new();
        assert!(group(0, GROUP_JOBS_MAX).is_full());
        assert!(!group(0, GROUP_JOBS_MAX - 1).is_full());
        assert_eq!(gathering.wait(&group(GROUP_JOBS_MAX, 0)), None);
    }
}
