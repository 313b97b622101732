//! What one CPU has: the thread that runs, those that could, and what its registers hold.

use crate::alarm::NEVER;
use crate::budget::Budget;
use crate::machine::Machine;
use crate::plan::Loaded;
use crate::scheduler::ReadyQueue;
use crate::slab::Index;
use crate::thread::{Obstacles, PRIORITIES, State, Thread};

/// How many threads that wait for one another are looked at.
const LINKS: usize = 16;

/// What the running thread's system call or a fault decided. The switch itself happens once, at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// The running thread goes on.
    Stay,
    /// The running thread gave way to this one, which is in no queue; the turn goes with it.
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
    /// Whether something is loaded for one thread alone: see [`Loaded::local`].
    pub has_local: bool,
    /// Clear: with the three before it a word that the fast path compares.
    clear: u8,
    /// Whom a signal on the fast path took the CPU from, at [`Cpu::preempted_at`], since the last entry to the general one; nobody if there was
    /// none. A second one takes the general path.
    pub preempted: Index<Thread>,
    /// The TSC when time was charged last.
    pub stamp: u64,
    /// What the segment registers and CR3 hold.
    pub loaded: Loaded,
    /// Whose vector state the registers hold.
    pub vector_owner: Index<Thread>,
    /// Who could run.
    pub ready: ReadyQueue,
    /// When [`Cpu::preempted`] was.
    pub preempted_at: u64,
    /// How long the next turn is.
    pub whole_turn: u64,
    /// Between these: each turn is longer than the one that was over before it by one, and after the longest comes the shortest.
    turns: [u64; 2],
    /// When the turn of whoever runs is over.
    pub turn_end: u64,
    /// What a turn has that begins when the kernel is left; 0 where none does.
    begins: u64,
    /// On whose time the CPU goes on. Public, as the next three, for the assembly of the fast path.
    pub payer: Index<Thread>,
    /// On whose time it has been running since [`Cpu::charged_at`].
    pub paying: Index<Thread>,
    /// Until when time is charged.
    pub charged_at: u64,
    /// When the budget of who pays is used up; or renewed, where it is used up and a server goes on.
    pub budget_end: u64,
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
            has_local: false,
            clear: 0,
            preempted: Index::NONE,
            stamp: 0,
            loaded: Loaded::new(),
            vector_owner: Index::NONE,
            ready: ReadyQueue::new(),
            preempted_at: 0,
            whole_turn: NEVER,
            turns: [NEVER; 2],
            turn_end: NEVER,
            begins: 0,
            payer: Index::NONE,
            paying: Index::NONE,
            charged_at: 0,
            budget_end: NEVER,
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
                let priority = machine.threads[thread].priority;
                if self.ready.outranks(priority) || self.ready.has_equal(priority) {
                    self.ready.push_back(&mut machine.threads, thread);
                    self.next(machine)
                } else {
                    self.begins = self.whole_turn;
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

    /// Notes on whose time the CPU goes on, and whether somebody who is ready outranks the running thread or one of those that wait for its
    /// answer, directly or through others. While nobody does, an answer lets the caller run at once. Whose turn or budget is over, while a server works
    /// on it, must not run at once either.
    ///
    /// A donation changes neither: whoever gave the CPU was looked at before, and whoever works now does
    /// so for that thread. That is why the fast path, which is not taken while this is set, need not look at priorities.
    fn note_attention(&mut self, machine: &mut Machine) {
        let (lowest, payer) = self.chain(machine);
        let Thread { late, budget, .. } = &mut machine.threads[payer];
        self.payer = payer;
        if payer != self.paying {
            budget.renew(self.stamp);
        }
        let waits = self.ready.occupied != 0 && (self.ready.outranks(lowest) || *late && self.ready.has_equal(lowest));
        self.attention = waits || payer != self.current && budget.is_used_up();
    }

    /// The lowest priority of the running thread and of those that wait for it, and the last of these, on whose time it runs. Of long chains the
    /// lowest that there is, and the running thread.
    fn chain(&self, machine: &Machine) -> (u8, Index<Thread>) {
        let mut lowest = PRIORITIES as u8 - 1;
        let (mut thread, mut last) = (self.current, self.current);
        for _ in 0..LINKS {
            if thread.is_none() {
                return (lowest, last);
            }
            last = thread;
            let Thread { priority, caller, .. } = machine.threads[thread];
            lowest = lowest.min(priority);
            thread = caller;
        }
        (0, self.current)
    }

    /// Whether a thread must not run at once, though its answer has come: somebody outranks it, or its time is over.
    pub fn holds_back(&mut self, machine: &mut Machine, caller: Index<Thread>) -> bool {
        if !self.attention {
            return false;
        }
        self.charge(machine, self.stamp);
        let priority = machine.threads[caller].priority;
        let payer = &mut machine.threads[self.payer];
        let late = payer.late && self.ready.has_equal(priority);
        payer.late &= !late;
        late || self.ready.outranks(priority) || self.payer == caller && payer.budget.is_used_up()
    }

    /// The first of those that are ready, with what it has left of its turn; none if nobody is.
    fn next(&mut self, machine: &mut Machine) -> Index<Thread> {
        let next = self.ready.pop(&mut machine.threads).unwrap_or_default();
        self.begins = match machine.threads[next].turn {
            0 => self.whole_turn,
            left => left,
        };
        next
    }

    /// The running thread makes way for a higher priority. It keeps its place and what is left of its turn, which may have been about to begin:
    /// else who wakes others often enough would never have to let its equals run.
    fn step_aside(&mut self, machine: &mut Machine) {
        let left = if self.begins == 0 { self.turn_end.saturating_sub(self.stamp) } else { self.begins };
        if left == 0 {
            self.ready.push_back(&mut machine.threads, self.current);
        } else {
            machine.threads[self.current].turn = left;
            self.ready.push_front(&mut machine.threads, self.current);
        }
    }

    /// A thread that waited can run, unless its budget is used up. Who works for another does so on that one's.
    fn admit(&mut self, machine: &mut Machine, index: Index<Thread>) -> bool {
        machine.timers.disarm(&mut machine.threads, index);
        if index == self.paying {
            self.charge(machine, self.stamp);
        }
        let thread = &mut machine.threads[index];
        thread.obstacles.remove(Obstacles::BOUNDED);
        thread.state = State::Ready;
        thread.budget.renew(self.stamp);
        !thread.caller.is_none() || !self.rests(machine, index)
    }

    /// Lets a thread that is in no queue rest until its budget is renewed, if that is used up.
    fn rests(&mut self, machine: &mut Machine, index: Index<Thread>) -> bool {
        let thread = &mut machine.threads[index];
        let rests = thread.budget.is_used_up();
        if rests {
            thread.state = State::Resting;
            let renewal = thread.budget.renewal();
            machine.timers.keep(&mut machine.threads, index, renewal);
        }
        rests
    }

    /// Makes a thread that waited ready; it runs at once if it outranks the running one.
    pub fn wake(&mut self, machine: &mut Machine, thread: Index<Thread>) -> Decision {
        if !self.admit(machine, thread) {
            return Decision::Stay;
        }
        let running = &machine.threads[self.current];
        if !self.current.is_none() && machine.threads[thread].priority > running.priority {
            return Decision::Preempt(thread);
        }
        self.ready.push_back(&mut machine.threads, thread);
        Decision::Stay
    }

    /// Makes a thread that waited ready, without a switch.
    pub fn enqueue(&mut self, machine: &mut Machine, thread: Index<Thread>) {
        if self.admit(machine, thread) {
            self.ready.push_back(&mut machine.threads, thread);
        }
    }

    /// When the timer must interrupt whoever runs: its turn is over, or the budget that it runs on is used up.
    pub const fn until(&self) -> u64 {
        if self.budget_end < self.turn_end { self.budget_end } else { self.turn_end }
    }

    /// The timer interrupted. Whose budget is used up rests until it is renewed; a server that works for such a thread goes on, at that one's charge.
    /// At the end of its turn the running thread goes behind its equals. If it has none but its client has, that one does when it is back:
    /// it does not escape by calling a server of a higher priority just before its turn ends.
    pub fn rang(&mut self, machine: &mut Machine) -> Decision {
        let running = self.current;
        if !running.is_none() && self.stamp >= self.budget_end {
            self.charge(machine, self.stamp);
            if self.payer == running && self.rests(machine, running) {
                return Decision::Block;
            }
        }
        if running.is_none() || self.stamp < self.turn_end {
            return Decision::Stay;
        }
        let [shortest, longest] = self.turns;
        self.whole_turn = if self.whole_turn < longest { self.whole_turn + 1 } else { shortest };
        self.begins = self.whole_turn;
        let priority = machine.threads[running].priority;
        let payer = &mut machine.threads[self.payer];
        payer.late |= priority > payer.priority;
        self.give_way(machine)
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

    /// Gives a thread, or takes from it, a part of the time.
    pub fn set_budget(&mut self, machine: &mut Machine, index: Index<Thread>, budget: Budget) {
        self.charge(machine, self.stamp);
        let thread = &mut machine.threads[index];
        thread.budget.change(budget, self.stamp);
        match thread.state {
            State::Waiting => thread.obstacles.set(Obstacles::BOUNDED, budget.is_bounded()),
            State::Resting => self.enqueue(machine, index),
            _ => self.charge(machine, self.stamp),
        }
    }

    /// Charges the time until `now` to who pays for it.
    pub fn charge(&mut self, machine: &mut Machine, now: u64) {
        let used = now.wrapping_sub(self.charged_at);
        self.charged_at = now;
        let payer = &mut machine.threads[self.paying];
        payer.charged = payer.charged.wrapping_add(used);
        payer.budget.charge(used, now);
        // A server goes on whose client has used up its budget; the client may have paid for that before it is back.
        let goes_on = payer.budget.is_used_up() && self.paying != self.current;
        self.budget_end = if goes_on { payer.budget.renewal() } else { payer.budget.end(now) };
    }

    /// What a signal on the fast path left: another thread began to run, on its own time.
    #[cold]
    #[inline(never)]
    fn catch_up(&mut self, machine: &mut Machine) {
        let (preempted, at) = (core::mem::take(&mut self.preempted), self.preempted_at);
        machine.threads[preempted].turn = self.turn_end.saturating_sub(at);
        self.turn_end = at.saturating_add(self.whole_turn);
        self.payer = self.chain(machine).1;
        self.change_payer(machine, at);
    }

    fn change_payer(&mut self, machine: &mut Machine, now: u64) {
        self.charge(machine, now);
        self.paying = self.payer;
        self.charge(machine, now);
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
        if !self.preempted.is_none() {
            self.catch_up(machine);
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
        if self.payer != self.paying {
            self.change_payer(machine, now);
        }
        // A turn begins when its thread goes on: however long the kernel took, it gets to execute instructions.
        if self.begins != 0 {
            self.turn_end = now.saturating_add(core::mem::take(&mut self.begins));
        }
    }

    /// The first exit of all is at `now`: nobody has used any time yet. Turns are so long, from the shortest to the longest: where those differ,
    /// every instruction of a thread's is interrupted in time.
    pub const fn begin(&mut self, now: u64, turns: [u64; 2]) {
        (self.stamp, self.charged_at, self.whole_turn, self.turns) = (now, now, turns[0], turns);
    }
}

#[cfg(test)]
mod tests;
