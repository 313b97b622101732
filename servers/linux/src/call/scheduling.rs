//! What programs ask of scheduling and of pages that stay: all have the same, and nothing is ever swapped out.

use alloc::vec::Vec;

use linux_raw_sys::general::{CLONE_FILES, CLONE_FS, CLONE_SYSVSEM, PRIO_PGRP, PRIO_PROCESS, PRIO_USER};
use syscalls::Errno;

use crate::machine::Machine;
use crate::memory::PAGE;
use crate::process::Process;
use crate::server::{Outcome, Result, Server};
use crate::traits::Traits;

/// Nanoseconds of a turn at the processor.
const TURN: u64 = 10_000_000;

/// Policies by their numbers: the usual one, two that others wait for, and two for those that can wait.
const REAL_TIME: [u64; 2] = [1, 2];
const POLICIES: [u64; 5] = [0, 1, 2, 3, 5];

impl<M: Machine> Server<M> {
    /// The traits of a process, or of a thread's, by its number; the caller's for 0.
    fn traits_of(&mut self, number: u64) -> Result<&mut Traits> {
        let number = number as u32;
        let place = match number {
            0 => self.thread().process,
            _ => {
                let thread = self.threads.iter().flatten().find(|thread| thread.tid == number);
                thread.map(|thread| thread.process).or_else(|| self.find(number)).ok_or(Errno::ESRCH)?
            }
        };
        self.processes[place].as_mut().map(|process| &mut process.traits).ok_or(Errno::ESRCH)
    }

    pub(super) fn sched_getscheduler(&mut self, &[pid, ..]: &[u64; 6]) -> Result {
        self.traits_of(pid).map(|traits| Outcome::Done(traits.policy.0.into()))
    }

    pub(super) fn sched_getparam(&mut self, &[pid, place, ..]: &[u64; 6]) -> Result {
        let priority = self.traits_of(pid)?.policy.1;
        self.user().write(place, &priority.to_le_bytes()).map(|()| Outcome::Done(0))
    }

    pub(super) fn sched_setscheduler(&mut self, &[pid, policy, place, ..]: &[u64; 6]) -> Result {
        // A flag says that children do not inherit it.
        let policy = policy & !0x4000_0000;
        let priority = self.user().u32(place)?;
        let Outcome::Done(most) = Self::priority(policy, 99)? else { return Err(Errno::EINVAL) };
        if u64::from(priority) > most || (most > 0) != (priority > 0) {
            return Err(Errno::EINVAL);
        }
        self.traits_of(pid)?.policy = (policy as u32, priority);
        Ok(Outcome::Done(0))
    }

    pub(super) fn sched_setparam(&mut self, &[pid, place, ..]: &[u64; 6]) -> Result {
        let policy = self.traits_of(pid)?.policy.0;
        self.sched_setscheduler(&[pid, policy.into(), place, 0, 0, 0])
    }

    pub(super) fn sched_rr_get_interval(&mut self, &[pid, place, ..]: &[u64; 6]) -> Result {
        self.traits_of(pid)?;
        let width = self.thread().arch.word();
        self.put_time(place, TURN, width as usize)
    }

    pub(super) fn sched_rr_get_interval64(&mut self, &[pid, place, ..]: &[u64; 6]) -> Result {
        self.traits_of(pid)?;
        self.put_time(place, TURN, 8)
    }

    /// Processes whose niceness somebody asks for or sets: one, a group, or all, who are root's.
    fn nice_ones(&self, kind: u64, who: u64) -> Result<Vec<usize>> {
        let (me, who) = (self.process(), who as u32);
        let (pid, group) = if who == 0 { (me.pid, me.group) } else { (who, who) };
        let is_meant = |process: &Process| match kind as u32 {
            PRIO_PROCESS => process.pid == pid,
            PRIO_PGRP => process.group == group,
            _ => who == 0,
        };
        if kind as u32 > PRIO_USER {
            return Err(Errno::EINVAL);
        }
        let places = self.processes.iter().enumerate();
        let meant = places.filter_map(|(place, process)| process.as_ref().filter(|it| is_meant(it)).map(|_| place));
        let mut meant: Vec<_> = meant.collect();
        if meant.is_empty() && kind as u32 == PRIO_PROCESS {
            // Threads have numbers as well.
            meant.extend(self.threads.iter().flatten().find(|thread| thread.tid == who).map(|thread| thread.process));
        }
        if meant.is_empty() { Err(Errno::ESRCH) } else { Ok(meant) }
    }

    /// 20 less the niceness, so that it is no error.
    pub(super) fn getpriority(&mut self, &[kind, who, ..]: &[u64; 6]) -> Result {
        let places = self.nice_ones(kind, who)?;
        let processes = places.into_iter().filter_map(|place| self.processes[place].as_ref());
        let least = processes.map(|process| process.traits.niceness).min().unwrap_or(0);
        Ok(Outcome::Done((20 - i64::from(least)) as u64))
    }

    pub(super) fn setpriority(&mut self, &[kind, who, niceness, ..]: &[u64; 6]) -> Result {
        for place in self.nice_ones(kind, who)? {
            if let Some(process) = &mut self.processes[place] {
                process.traits.niceness = (niceness as i32).clamp(-20, 19) as i8;
            }
        }
        Ok(Outcome::Done(0))
    }

    pub(super) fn nice(&mut self, &[more, ..]: &[u64; 6]) -> Result {
        let niceness = &mut self.process_mut().traits.niceness;
        *niceness = i32::from(*niceness).saturating_add(more as i32).clamp(-20, 19) as i8;
        Ok(Outcome::Done(0))
    }

    pub(super) fn ioprio_get(&mut self, &[kind, who, ..]: &[u64; 6]) -> Result {
        if kind != 1 {
            return Err(Errno::EINVAL);
        }
        self.traits_of(who).map(|traits| Outcome::Done(traits.at_disk.into()))
    }

    /// A class, 0 to 3, above thirteen bits of priority.
    pub(super) fn ioprio_set(&mut self, &[kind, who, value, ..]: &[u64; 6]) -> Result {
        let (class, rest) = (value as u32 >> 13, value as u32 & 0x1fff);
        let fits = match class {
            0 => rest == 0,
            1 | 2 => rest < 8,
            3 => true,
            _ => false,
        };
        if kind != 1 || !fits {
            return Err(Errno::EINVAL);
        }
        self.traits_of(who)?.at_disk = value as u32;
        Ok(Outcome::Done(0))
    }

    /// A process of one thread shares nothing that could be taken apart. Namespaces there are none.
    pub(super) fn unshare(&mut self, &[flags, ..]: &[u64; 6]) -> Result {
        let flags = flags as u32;
        if flags & !(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM) != 0 {
            Err(Errno::EPERM)
        } else if flags != 0 && self.process().threads.len() > 1 {
            Err(Errno::EINVAL)
        } else {
            Ok(Outcome::Done(0))
        }
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
