//! What processes have used of the processor: what their threads have, also those that are no more, and their children that they have waited for.
//!
//! It is what the kernel says of the threads. What the server does for them is nobody's of them, but the system's.

use syscalls::Errno;

use super::{Result, Server};
use crate::clock::{Clock, Use};
use crate::machine::{Machine, Times};
use crate::process::Thread;

impl<M: Machine> Server<M> {
    /// What a process has used.
    pub(crate) fn times_of(&mut self, place: usize) -> Times {
        let Some(process) = &self.processes[place] else { return Times::default() };
        let threads = process.threads.iter().filter_map(|&thread| self.threads[thread].as_ref());
        threads.fold(process.ended, |sum, thread| sum + self.machine.times(thread.handle))
    }

    /// What a clock shows to a process, to whose thread that is served it belongs where it is a thread's.
    ///
    /// # Errors
    /// `EINVAL` where there is no such process, or thread of the same process.
    pub(crate) fn clock_shows(&mut self, process: usize, clock: Clock) -> Result<u64> {
        let Use { of_thread, number, only_user } = match clock {
            Clock::Date => return Ok(self.wall_clock()),
            Clock::Boot => return Ok(self.machine.now()),
            Clock::Used(whose) => whose,
        };
        let times = match number {
            0 if of_thread => self.times_of_thread(self.me),
            0 => self.times_of(process),
            tid if of_thread => {
                // Only threads of one's own have such clocks.
                let is_it = |thread: &Option<Thread<M>>| {
                    thread.as_ref().is_some_and(|thread| thread.tid == tid && thread.process == process)
                };
                let place = self.threads.iter().position(is_it).ok_or(Errno::EINVAL)?;
                self.times_of_thread(place)
            }
            pid => {
                let place = self.find(pid).ok_or(Errno::EINVAL)?;
                self.times_of(place)
            }
        };
        Ok(if only_user { times.user } else { times.sum() })
    }

    /// What those of its children have used that it has waited for, and theirs.
    pub(crate) fn times_of_children(&self, place: usize) -> Times {
        self.processes[place].as_ref().map_or(Times::default(), |process| process.children)
    }

    /// What a thread has used.
    pub(crate) fn times_of_thread(&mut self, place: usize) -> Times {
        let handle = self.threads[place].as_ref().map(|thread| thread.handle);
        handle.map_or(Times::default(), |handle| self.machine.times(handle))
    }

    /// A thread of a process has ended: what it has used stays that one's.
    pub(super) fn keep_times(&mut self, process: usize, times: Times) {
        self.ended = self.ended + times;
        if let Some(process) = &mut self.processes[process] {
            process.ended = process.ended + times;
        }
    }

    /// What programs have used since the boot; and the system, of which the servers are.
    pub(crate) fn times_of_all(&mut self) -> Times {
        let threads = self.threads.iter().flatten();
        let programs = threads.fold(self.ended, |sum, thread| sum + self.machine.times(thread.handle));
        let servers = self.machine.servers().into_iter().map(|(_, usage)| usage.times.sum()).sum::<u64>();
        programs + Times { user: 0, kernel: servers }
    }

    /// For how long nobody used anything. What is told of a thread can be late: it never becomes less.
    pub(crate) fn idle_time(&mut self, used: Times) -> u64 {
        self.idle = self.idle.max(self.machine.now().saturating_sub(used.sum()));
        self.idle
    }
}
