//! What one CPU has: the thread that runs, those that could, and what its registers hold.

use crate::machine::Machine;
use crate::plan::Loaded;
use crate::scheduler::{ReadyQueue, SLICE_TICKS};
use crate::slab::Index;
use crate::thread::{State, Thread};

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
    /// The thread that runs; none while idle.
    pub current: Index<Thread>,
    /// Timer ticks left of the time slice.
    pub slice: u32,
    /// The TSC when time was charged last.
    pub stamp: u64,
    /// What the segment registers and CR3 hold.
    pub loaded: Loaded,
    /// Whose vector state the registers hold.
    pub vector_owner: Index<Thread>,
    /// Whether vector instructions work: CR0.TS is clear. Only while the owner runs.
    pub vector_enabled: bool,
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
            slice: SLICE_TICKS,
            stamp: 0,
            loaded: Loaded::new(),
            vector_owner: Index::NONE,
            vector_enabled: false,
            ready: ReadyQueue::new(),
        }
    }

    /// Carries a decision out in the queues. Afterwards `current` is who runs next; none is idle.
    #[inline]
    pub fn apply(&mut self, machine: &mut Machine, decision: Decision) {
        let next = match decision {
            Decision::Stay => return,
            Decision::Donate(thread) => thread,
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
        self.current = next;
        machine.threads[next].account.switches += 1;
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
        let queued = machine.threads[thread].state == State::Ready && thread != self.current;
        if queued {
            self.ready.remove(&mut machine.threads, thread);
        }
        machine.threads[thread].priority = priority;
        if queued {
            self.ready.push_back(&mut machine.threads, thread);
        }
    }

    /// Charges the time since the last charge to the running thread's user account: it entered the kernel at `now`.
    #[inline(always)]
    pub fn charge_user(&mut self, machine: &mut Machine, now: u64) {
        machine.threads[self.current].account.user += now.wrapping_sub(self.stamp);
        self.stamp = now;
    }

    /// Charges the time since the last charge to the kernel account of the thread that entered.
    #[inline(always)]
    pub fn charge_kernel(&mut self, machine: &mut Machine, entered: Index<Thread>, now: u64) {
        machine.threads[entered].account.kernel += now.wrapping_sub(self.stamp);
        self.stamp = now;
    }
}

#[cfg(test)]
mod tests;
