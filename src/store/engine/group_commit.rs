//! Group commit: how long the writer waits for more jobs before it commits.
//!
//! A commit writes every changed page in full, so ten events in one commit cost the disk a small
//! part of what ten commits cost. But waiting costs time, and a caller may be waiting for the
//! commit. So:
//!
//! - A background job (no caller waits for it: the record of an attempt) waits a short time for
//!   more jobs: the next event's commit carries it along, which writes the same pages anyway.
//! - An urgent job (a caller waits for it) waits only for as many urgent jobs as came together
//!   before. Now and then the writer waits for one job more. If that job comes, the writer expects
//!   it from then on. If it does not come, the writer tries again later, with exponential backoff.
//!
//! So a single sender that waits for each answer before it sends the next event is answered at
//! once. Where a thousand events per second come from many senders, eight events share a commit.
//!
//! This file reads no clock: the number of jobs to wait for, and the time to wait for each, bound
//! the wait.

use std::time::Duration;

use crate::store::engine::job::Job;

/// Maximum jobs in one commit. With more than about a hundred jobs the fsync costs each of them
/// almost nothing, and a larger group only makes its first job wait longer.
const GROUP_JOBS_MAX: usize = 128;

/// Maximum bytes of bodies in one commit, so that large bodies do not delay all other jobs.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A group with this many urgent jobs waits for no more urgent jobs.
const URGENT_TARGET: usize = 8;

/// Maximum jobs of any kind that may join the group after its first urgent job. Background jobs
/// join while the writer waits for urgent ones, so their number is limited too.
const URGENT_JOBS_MAX: usize = 2 * URGENT_TARGET;

/// How long the writer waits for each next urgent job. With fewer than 300 jobs per second no
/// caller is kept waiting; the total wait is never more than 16 times this.
const URGENT_WAIT: Duration = Duration::from_millis(3);

/// A group that has only background jobs, and this many, waits for no more.
const BACKGROUND_TARGET: usize = 64;

/// How long the writer waits for the next job of any kind while it has few background jobs, and while it has
/// more. The total is at most 220 ms. If the process crashes in that time, the attempts of the group are not
/// recorded, and are made again.
const BACKGROUND_FEW: usize = 4;
const BACKGROUND_WAIT_FEW: Duration = Duration::from_millis(25);
const BACKGROUND_WAIT: Duration = Duration::from_millis(2);

/// Limit of the backoff: at most 2 to the power of this commits pass before the writer waits for
/// one more again.
const BACKOFF_MAX: u32 = 10;

/// The jobs of one commit.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) jobs: Vec<Box<dyn Job>>,
    bytes: usize,
    /// How many urgent jobs the group has.
    urgent_jobs: usize,
    /// How many jobs joined after the first urgent one.
    since_first_urgent: usize,
}

impl Group {
    pub(crate) fn add(&mut self, job: Box<dyn Job>) {
        self.bytes += job.bytes();
        self.since_first_urgent += usize::from(self.urgent_jobs > 0);
        self.urgent_jobs += usize::from(job.is_urgent());
        self.jobs.push(job);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.jobs.len() >= GROUP_JOBS_MAX || self.bytes >= GROUP_BYTES_MAX
    }
}

/// What the writer has learned about how long to wait.
#[derive(Debug)]
pub(crate) struct WaitPolicy {
    /// How many urgent jobs usually come together.
    urgent_target: usize,
    /// How many times in a row the additional job did not come.
    backoff: u32,
    /// Commits left until the writer waits for one job more again.
    skip: u32,
}

impl WaitPolicy {
    pub(crate) fn new() -> WaitPolicy {
        WaitPolicy {
            urgent_target: 1,
            backoff: 0,
            skip: 0,
        }
    }

    /// How long to wait for another job; `None` means: commit now.
    pub(crate) fn wait(&self, group: &Group) -> Option<Duration> {
        if group.is_full() || group.since_first_urgent >= URGENT_JOBS_MAX {
            None
        } else if group.urgent_jobs == 0 {
            match group.jobs.len() {
                ..BACKGROUND_FEW => Some(BACKGROUND_WAIT_FEW),
                BACKGROUND_FEW..BACKGROUND_TARGET => Some(BACKGROUND_WAIT),
                _ => None,
            }
        } else {
            (group.urgent_jobs < self.target()).then_some(URGENT_WAIT)
        }
    }

    fn target(&self) -> usize {
        let one_more = usize::from(self.skip == 0);
        (self.urgent_target + one_more).min(URGENT_TARGET)
    }

    /// Learns from a group that is about to be committed.
    pub(crate) fn done(&mut self, group: &Group) {
        if group.urgent_jobs == 0 {
            return;
        }
        if group.urgent_jobs < self.target() {
            self.urgent_target = group.urgent_jobs;
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
    use crate::store::engine::session::KeyOf;

    struct Idle {
        urgent_jobs: bool,
    }

    impl Job for Idle {
        fn run(&mut self, _tx: &mut Tx<'_>) -> Result<()> {
            Ok(())
        }

        fn fail(&mut self, _error: Error) {}

        fn answer(self: Box<Self>, _stopped: Option<&Error>) {}

        fn bytes(&self) -> usize {
            1_000
        }

        fn is_urgent(&self) -> bool {
            self.urgent_jobs
        }

        fn key(&self) -> Option<KeyOf<'_>> {
            None
        }
    }

    fn group(urgent_jobs: usize, others: usize) -> Group {
        let mut group = Group::default();
        for number in 0..urgent_jobs + others {
            group.add(Box::new(Idle {
                urgent_jobs: number < urgent_jobs,
            }));
        }
        group
    }

    /// Simulates senders that each wait for their answer. Returns how many of the commits waited in
    /// vain, and how many jobs the last one had.
    fn closed_loop(senders: usize, commits: usize) -> (usize, usize) {
        let mut wait_policy = WaitPolicy::new();
        let (mut vain, mut last) = (0, 0);
        for _ in 0..commits {
            // One job is there already; the others come one by one while the writer waits.
            let mut came = 1;
            while came < senders && wait_policy.wait(&group(came, 0)).is_some() {
                came += 1;
            }
            let in_vain = wait_policy.wait(&group(came, 0)).is_some();
            vain += usize::from(in_vain);
            last = came;
            wait_policy.done(&group(came, 0));
        }
        (vain, last)
    }

    #[test]
    fn senders_that_wait_for_their_answers_are_kept_waiting_ever_more_seldom() {
        for senders in [1, 2, 5] {
            let (vain, last) = closed_loop(senders, 10_000);
            // The writer tries after 2 + 4 + ... + 1024 commits, and after that once in 1025.
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
        let mut wait_policy = WaitPolicy::new();
        for _ in 0..10 {
            wait_policy.done(&group(URGENT_TARGET, 0));
        }
        assert!(wait_policy.wait(&group(7, 0)).is_some());
        wait_policy.done(&group(3, 0));
        assert_eq!(wait_policy.wait(&group(3, 0)), None);
        assert_eq!(wait_policy.wait(&group(2, 0)), Some(URGENT_WAIT));
    }

    #[test]
    fn what_nobody_waits_for_waits_and_hurries_when_somebody_does() {
        let mut wait_policy = WaitPolicy::new();
        wait_policy.done(&group(1, 0));
        assert_eq!(wait_policy.wait(&group(0, 3)), Some(BACKGROUND_WAIT_FEW));
        assert_eq!(wait_policy.wait(&group(0, 63)), Some(BACKGROUND_WAIT));
        assert_eq!(wait_policy.wait(&group(0, 64)), None);
        assert_eq!(wait_policy.wait(&group(1, 3)), None);
        // A group of background jobs does not change what was learned about urgent ones.
        wait_policy.done(&group(0, 3));
        assert_eq!((wait_policy.backoff, wait_policy.skip), (1, 2));
    }

    #[test]
    fn what_nobody_waits_for_keeps_nobody_waiting_long_and_counts_as_no_urgent_job() {
        let mut wait_policy = WaitPolicy::new();
        assert!(wait_policy.wait(&group(1, URGENT_JOBS_MAX - 1)).is_some());
        assert_eq!(wait_policy.wait(&group(1, URGENT_JOBS_MAX)), None);
        wait_policy.done(&group(1, URGENT_JOBS_MAX));
        assert_eq!((wait_policy.urgent_target, wait_policy.backoff), (1, 1));
        assert_eq!(wait_policy.wait(&group(1, 0)), None);
    }

    #[test]
    fn a_group_is_bounded() {
        let wait_policy = WaitPolicy::new();
        assert!(group(0, GROUP_JOBS_MAX).is_full());
        assert!(!group(0, GROUP_JOBS_MAX - 1).is_full());
        assert_eq!(wait_policy.wait(&group(GROUP_JOBS_MAX, 0)), None);
    }
}
