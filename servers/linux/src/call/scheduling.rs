//! What programs ask of scheduling and of pages that stay: all have the same, and nothing is ever swapped out.

use syscalls::Errno;

use crate::machine::Machine;
use crate::memory::PAGE;
use crate::server::{Outcome, Result, Server};

/// Policies by their numbers: the usual one, two that others wait for, and two for those that can wait.
const REAL_TIME: [u64; 2] = [1, 2];
const POLICIES: [u64; 5] = [0, 1, 2, 3, 5];

impl<M: Machine> Server<M> {
    pub(super) fn sched_getparam(&mut self, &[_, place, ..]: &[u64; 6]) -> Result {
        self.user().write(place, &[0; 4]).map(|()| Outcome::Done(0))
    }

    pub(super) fn sched_get_priority_max(&mut self, &[policy, ..]: &[u64; 6]) -> Result {
        Self::priority(policy, 99)
    }

    pub(super) fn sched_get_priority_min(&mut self, &[policy, ..]: &[u64; 6]) -> Result {
        Self::priority(policy, 1)
    }

    fn priority(policy: u64, of_real_time: u64) -> Result {
        match policy as u32 as u64 {
            policy if REAL_TIME.contains(&policy) => Ok(Outcome::Done(of_real_time)),
            policy if POLICIES.contains(&policy) => Ok(Outcome::Done(0)),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Which pages would be there without waiting: all.
    pub(super) fn mincore(&mut self, &[address, length, place, ..]: &[u64; 6]) -> Result {
        if !address.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        let end = address.checked_add(length).ok_or(Errno::ENOMEM)?;
        let memory = self.user().memory;
        let mut at = address;
        while at < end {
            at = memory.area(at).ok_or(Errno::ENOMEM)?.end;
        }
        let pages = length.div_ceil(PAGE);
        self.user().pieces(place, pages as usize, crate::memory::Access::Write, |piece| piece.fill(1))?;
        Ok(Outcome::Done(0))
    }

    /// What nobody may do here.
    pub(super) fn not_allowed(&mut self, _: &[u64; 6]) -> Result {
        Err(Errno::EPERM)
    }
}
