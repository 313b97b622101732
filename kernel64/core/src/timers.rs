//! Deadlines of threads that wait: a heap over as many entries as there can be threads.
//!
//! Each thread has one at most, so there always is room. To set one and to call it off takes time by the logarithm of their number.

use crate::alarm::NEVER;
use crate::check::Broken;
use crate::slab::{Index, Slab};
use crate::thread::{Obstacles, State, Thread};

/// What a thread knows of its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Timer {
    /// The count of the time-stamp counter at which its timed waits end; [`NEVER`] for none.
    pub deadline: u64,
    /// Where it stands among those that are kept, from 1 on; 0 while it does not.
    place: u32,
}

impl Default for Timer {
    fn default() -> Self {
        Self { deadline: NEVER, place: 0 }
    }
}

impl Timer {
    /// Whether the deadline ends a wait that has begun.
    pub const fn is_armed(&self) -> bool {
        self.place != 0
    }
}

/// A deadline that is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry {
    due: u64,
    thread: Index<Thread>,
}

/// All deadlines that are kept.
pub struct Timers {
    /// Entry N is not due before entry (N - 1) / 2.
    entries: &'static mut [Entry],
    count: usize,
}

impl Timers {
    /// None yet; over as many entries as there are in the table of threads.
    pub fn new(entries: &'static mut [Entry]) -> Self {
        Self { entries, count: 0 }
    }

    /// When the first one is due; [`NEVER`] where there is none.
    #[inline]
    pub fn first(&self) -> u64 {
        if self.count == 0 { NEVER } else { self.entries[0].due }
    }

    /// The thread whose deadline is the first, if it has come.
    pub fn due(&self, now: u64) -> Option<Index<Thread>> {
        (self.first() <= now && self.count != 0).then(|| self.entries[0].thread)
    }

    /// Keeps the deadline of a thread that begins to wait.
    pub fn arm(&mut self, threads: &mut Slab<Thread>, thread: Index<Thread>) {
        let Timer { deadline: due, place } = threads[thread].timer;
        debug_assert!(place == 0, "a thread waits once at a time");
        if due != NEVER {
            self.keep(threads, thread, due);
        }
    }

    /// Keeps a time at which something becomes of a thread. It has none.
    pub fn keep(&mut self, threads: &mut Slab<Thread>, thread: Index<Thread>, due: u64) {
        threads[thread].obstacles.insert(Obstacles::TIMED);
        let at = self.count;
        self.count += 1;
        self.rise(threads, at, Entry { due, thread });
    }

    /// Forgets the deadline of a thread that waits no more, if it is kept.
    #[inline]
    pub fn disarm(&mut self, threads: &mut Slab<Thread>, thread: Index<Thread>) {
        if threads[thread].timer.place != 0 {
            self.take_out(threads, thread);
        }
    }

    #[inline(never)]
    fn take_out(&mut self, threads: &mut Slab<Thread>, thread: Index<Thread>) {
        let at = core::mem::take(&mut threads[thread].timer.place) as usize - 1;
        threads[thread].obstacles.remove(Obstacles::TIMED);
        self.count -= 1;
        if at == self.count {
            return;
        }
        let moved = self.entries[self.count];
        let rises = at > 0 && moved.due < self.entries[(at - 1) / 2].due;
        if rises { self.rise(threads, at, moved) } else { self.sink(threads, at, moved) }
    }

    /// Puts an entry where `at` is, or further up.
    fn rise(&mut self, threads: &mut Slab<Thread>, mut at: usize, entry: Entry) {
        while at > 0 {
            let above = self.entries[(at - 1) / 2];
            if above.due <= entry.due {
                break;
            }
            self.put(threads, at, above);
            at = (at - 1) / 2;
        }
        self.put(threads, at, entry);
    }

    /// Puts an entry where `at` is, or further down.
    fn sink(&mut self, threads: &mut Slab<Thread>, mut at: usize, entry: Entry) {
        loop {
            let mut below = 2 * at + 1;
            if below >= self.count {
                break;
            }
            if below + 1 < self.count && self.entries[below + 1].due < self.entries[below].due {
                below += 1;
            }
            if self.entries[below].due >= entry.due {
                break;
            }
            self.put(threads, at, self.entries[below]);
            at = below;
        }
        self.put(threads, at, entry);
    }

    fn put(&mut self, threads: &mut Slab<Thread>, at: usize, entry: Entry) {
        self.entries[at] = entry;
        threads[entry.thread].timer.place = at as u32 + 1;
    }

    /// Checks that the first is the first, and that each is one of the thread that it names. Returns how many there are.
    ///
    /// # Errors
    /// The rule that is broken.
    pub(crate) fn check(&self, threads: &Slab<Thread>) -> Result<u32, Broken> {
        for (at, entry) in self.entries[..self.count].iter().enumerate() {
            let Thread { timer, state, .. } = threads[entry.thread];
            // The end of a rest is no deadline of the thread's.
            let deadline = if state == State::Resting { timer.deadline } else { entry.due };
            if timer != (Timer { deadline, place: at as u32 + 1 }) {
                return Err("a deadline that is not its thread's");
            }
            if at > 0 && self.entries[(at - 1) / 2].due > entry.due {
                return Err("a deadline that comes before the first");
            }
        }
        Ok(self.count as u32)
    }
}

#[cfg(test)]
impl Timers {
    /// For so many threads.
    pub(crate) fn for_tests(threads: usize) -> Self {
        Self::new(std::vec![Entry::default(); threads].leak())
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::slab::Object;

    const THREADS: usize = 40;

    fn threads() -> (Slab<Thread>, Vec<Index<Thread>>) {
        let mut threads =
            Slab::new((0..THREADS + Thread::FIRST as usize).map(|_| Thread::default()).collect::<Vec<_>>().leak());
        let all = (0..THREADS).map(|_| threads.insert(1, Thread::default()).unwrap()).collect();
        (threads, all)
    }

    proptest! {
        /// Set and called off at random, they come due in their order, each once.
        #[test]
        fn deadlines_come_due_in_order(steps in vec((0..THREADS, 0..60_u64, 0..3_u8), 1..200)) {
            let ((mut threads, all), mut timers) = (threads(), Timers::for_tests(THREADS));
            let mut expected = std::collections::BTreeMap::new();
            for (name, due, what) in steps {
                if what == 0 {
                    timers.disarm(&mut threads, all[name]);
                    expected.remove(&name);
                } else if !threads[all[name]].timer.is_armed() {
                    threads[all[name]].timer.deadline = due;
                    timers.arm(&mut threads, all[name]);
                    expected.insert(name, due);
                }
                prop_assert_eq!(timers.check(&threads), Ok(expected.len() as u32));
                prop_assert_eq!(timers.first(), expected.values().copied().min().unwrap_or(NEVER));
            }
            for now in 0..60 {
                while let Some(thread) = timers.due(now) {
                    let name = all.iter().position(|&other| other == thread).unwrap();
                    prop_assert_eq!(expected.remove(&name), Some(now));
                    timers.disarm(&mut threads, thread);
                    prop_assert!(timers.check(&threads).is_ok() && !threads[thread].timer.is_armed());
                }
            }
            prop_assert!(expected.is_empty());
        }
    }

    #[test]
    fn who_waits_for_ever_is_not_kept() {
        let ((mut threads, all), mut timers) = (threads(), Timers::for_tests(THREADS));
        timers.arm(&mut threads, all[0]);
        assert_eq!((timers.first(), timers.due(NEVER), threads[all[0]].timer.is_armed()), (NEVER, None, false));
    }
}
