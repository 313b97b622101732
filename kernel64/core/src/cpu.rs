//! What one CPU has: the thread that runs, those that could, and what its registers hold.

use crate::machine::Machine;
use crate::plan::Loaded;
use crate::scheduler::{ReadyQueue, SLICE_TICKS};
use crate::slab::Index;
use crate::thread::{PRIORITIES, State, Thread};

/// How many threads that wait for one another are looked at.
const LINKS: usize = 16;

/// What the running thread's system call or a fault decided. The switch itself happens once, at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// The running thread goes on.
    Stay,
    /// The running thread gave way to this one, which is in no queue; the time slice goes with it.
    Donate(Index<Thread>),
    /// The running thread is ready and gives way to this one, which is in no queue.
    Preempt(Index<Thread>),
    /// The running thread can't go on: the next one ready runs.
    Block,
}

/// The state of one CPU that decisions are made from.
#[repr(C)]
pub struct Cpu {
    /// The thread that runs; none while idle. With `upper` after it, the address of the thread's block.
    pub current: Index<Thread>,
    /// All ones.
    upper: u32,
    /// Whether somebody who is ready may outrank a thread that waits for an answer of the running one, or of one that waits for it:
    /// see [`Cpu::note_attention`].
    pub attention: bool,
    /// Whether vector instructions work: CR0.TS is clear. Only while the owner runs.
    pub vector_enabled: bool,
    /// Timer ticks left of the time slice.
    pub slice: u32,
    /// The TSC when time was charged last.
    pub stamp: u64,
    /// What the segment registers and CR3 hold.
    pub loaded: Loaded,
    /// Whose vector state the registers hold.
    pub vector_owner: Index<Thread>,
    /// Who could run.
    pub ready: ReadyQueue,
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

impl Cpu {
    /// A CPU on which nothing runs and nothing is loaded.
    pub const fn new() -> Self {
        Self {
            current: Index::NONE,
            upper: u32::MAX,
            attention: false,
            vector_enabled: false,
            slice: SLICE_TICKS,
            stamp: 0,
            loaded: Loaded::new(),
            vector_owner: Index::NONE,
            ready: ReadyQueue::new(),
        }
    }

    /// Carries a decision out in the queues. Afterwards `current` is who runs next; none is idle.
    #[inline]
    pub fn apply(&mut self, machine: &mut Machine, decision: Decision) {
        let before = self.current;
        let next = match decision {
            Decision::Stay => return self.note_attention(machine),
            Decision::Donate(thread) => {
                machine.threads[before].account.gave_way();
                self.current = thread;
                return;
            }
            Decision::Preempt(thread) => {
                self.step_aside(machine);
                if self.ready.outranks(machine.threads[thread].priority) {
                    self.ready.push_back(&mut machine.threads, thread);
                    self.next(machine)
                } else {
                    self.slice = SLICE_TICKS;
                    thread
                }
            }
            Decision::Block => self.next(machine),
        };
        debug_assert!(next.is_none() || machine.threads[next].state == State::Ready);
        if next != before && machine.threads[before].state != State::Stopped {
            machine.threads[before].account.gave_way();
        }
        self.current = next;
        self.note_attention(machine);
    }

    /// Notes whether somebody who is ready outranks the running thread or one of those that wait for its answer, directly or through
    /// others. While nobody does, an answer lets the caller run at once.
    ///
    /// A donation does not change what was noted: whoever gave the time slice was looked at before, and whoever works on it now does
    /// so for that thread. That is why the fast path, which is not taken while this is set, need not look at priorities.
    fn note_attention(&mut self, machine: &Machine) {
        self.attention = self.ready.occupied != 0 && self.ready.outranks(self.lowest_waiting(machine));
    }

    /// The lowest priority of the running thread and of those that wait for it. Long chains count as the lowest there is.
    fn lowest_waiting(&self, machine: &Machine) -> u8 {
        let mut lowest = PRIORITIES as u8 - 1;
        let mut thread = self.current;
        for _ in 0..LINKS {
            if thread.is_none() {
                return lowest;
            }
            let Thread { priority, caller, .. } = machine.threads[thread];
            lowest = lowest.min(priority);
            thread = caller;
        }
        0
    }

    /// The first of those that are ready, with the slice that it has; none if nobody is.
    fn next(&mut self, machine: &mut Machine) -> Index<Thread> {
        let next = self.ready.pop(&mut machine.threads).unwrap_or_default();
        self.slice = if next.is_none() { SLICE_TICKS } else { machine.threads[next].slice };
        next
    }

    /// The running thread makes way for a higher priority. It keeps its turn and what is left of its slice: else who
    /// wakes others often enough would never have to let its equals run.
    fn step_aside(&mut self, machine: &mut Machine) {
        if self.slice == 0 {
            self.ready.push_back(&mut machine.threads, self.current);
        } else {
            machine.threads[self.current].slice = self.slice;
            self.ready.push_front(&mut machine.threads, self.current);
        }
    }

    /// Makes a thread that waited ready; it runs at once if it outranks the running one.
    pub fn wake(&mut self, machine: &mut Machine, thread: Index<Thread>) -> Decision {
        machine.timers.disarm(&mut machine.threads, thread);
        machine.threads[thread].state = State::Ready;
        let running = &machine.threads[self.current];
        if !self.current.is_none() && machine.threads[thread].priority > running.priority {
            return Decision::Preempt(thread);
        }
        self.ready.push_back(&mut machine.threads, thread);
        Decision::Stay
    }

    /// Makes a thread that waited ready, without a switch.
    pub fn enqueue(&mut self, machine: &mut Machine, thread: Index<Thread>) {
        machine.timers.disarm(&mut machine.threads, thread);
        machine.threads[thread].state = State::Ready;
        self.ready.push_back(&mut machine.threads, thread);
    }

    /// A tick of the timer: at the end of its slice the running thread goes behind its equals. While it has none the
    /// slice stays at its end, so that the turn of one that comes later is at the next tick: a thread does not escape
    /// by calling a server of a higher priority just before its slice ends.
    pub fn tick(&mut self, machine: &mut Machine) -> Decision {
        self.slice = self.slice.saturating_sub(1);
        if self.slice > 0 { Decision::Stay } else { self.give_way(machine) }
    }

    /// Lets the next thread of the same or a higher priority run, if there is one.
    pub fn give_way(&mut self, machine: &mut Machine) -> Decision {
        if self.current.is_none() {
            return Decision::Block;
        }
        let priority = machine.threads[self.current].priority;
        if !self.ready.has_equal(priority) && !self.ready.outranks(priority) {
            return Decision::Stay;
        }
        self.ready.push_back(&mut machine.threads, self.current);
        Decision::Block
    }

    /// After an operation that may have made others ready without a word: lets those that outrank the running thread go first.
    pub fn reconsider(&mut self, machine: &mut Machine) -> Decision {
        if self.current.is_none() || !self.ready.outranks(machine.threads[self.current].priority) {
            return Decision::Stay;
        }
        self.step_aside(machine);
        Decision::Block
    }

    /// Gives a thread another priority. Where it is ready it becomes the last of that priority.
    pub fn set_priority(&mut self, machine: &mut Machine, thread: Index<Thread>, priority: u8) {
        let queued = machine.state(self, thread) == State::Ready && thread != self.current;
        if queued {
            self.ready.remove(&mut machine.threads, thread);
        }
        machine.threads[thread].priority = priority;
        if queued {
            self.ready.push_back(&mut machine.threads, thread);
        }
    }

    /// An entry into the kernel at `now`: the running thread's user account is complete, and what follows from links alone is stored.
    #[inline(always)]
    pub fn enter(&mut self, machine: &mut Machine, now: u64) {
        let thread = &mut machine.threads[self.current];
        thread.account.user = thread.account.user.wrapping_add(now);
        thread.state = State::Ready;
        if let Some(guest) = core::mem::take(&mut thread.guest).some() {
            thread.caller = guest;
        }
        self.stamp = now;
    }

    /// An exit at `now`: what the kernel did is charged to the thread that entered, and the running thread's user account begins to count.
    #[inline(always)]
    pub fn leave(&mut self, machine: &mut Machine, entered: Index<Thread>, now: u64) {
        let spent = now.wrapping_sub(self.stamp);
        machine.threads[entered].account.kernel += spent;
        let account = &mut machine.threads[self.current].account;
        account.user = account.user.wrapping_sub(now);
    }
}

#[cfg(test)]
mod tests;
