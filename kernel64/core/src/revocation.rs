//! Taking from all tasks what was derived from a capability.
//!
//! Whatever is derived from a capability with a badge has that badge, and nobody can give it another: so the badge is
//! the lineage. What was derived from one without a badge is all that there is to its object. A sweep over all tables finds them, a
//! few places at a time. While it lasts nobody may derive what it takes, or it might be put where the sweep has been.

use lilliput_abi::Rights;

use crate::capability::Capability;
use crate::cpu::Cpu;
use crate::ipc::evict::{Eviction, evict_sender};
use crate::machine::Machine;
use crate::slab::Index;
use crate::task::Task;

/// What a table that holds nothing takes, in places that are looked at.
const TABLE_WORK: u32 = 2;

/// A sweep that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Whose object, with which badge (0: whatever badge).
    of: Capability,
    /// The capability that stays: task and place.
    spared: (Index<Task>, u32),
    /// By what the threads of that task go on to wait, though another capability of theirs is taken.
    spared_rights: Rights,
    stage: Stage,
    /// Number of the task or thread that is next, and place in the task's table.
    next: u32,
    place: u32,
    /// The threads of a task that lost what they wait by, where these are many.
    evicts: Option<Eviction>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Tasks' tables and fault handlers.
    Tasks,
    /// Threads' fault handlers, and who waits to send.
    Threads,
    Over,
}

impl Revocation {
    /// Begins one: of the capability `of` at a task's place, which stays, or, if it has no badge and `badge` is not 0, of those with that.
    pub fn new(of: Capability, badge: u32, task: Index<Task>, place: u32) -> Self {
        let taken = of.with_badge(if of.badge == 0 { badge } else { of.badge });
        // Who waits to send does so under the badge; who waits to receive has none.
        let spared_rights = if taken == of { of.rights() } else { of.rights() - Rights::SEND };
        Self { of: taken, spared: (task, place), spared_rights, stage: Stage::Tasks, next: 1, place: 0, evicts: None }
    }

    /// One that takes nothing, and has these threads left.
    pub fn rest(evicts: Eviction) -> Self {
        let none = Self::new(Capability::NULL, 0, Index::NONE, 0);
        Self { stage: Stage::Over, evicts: Some(evicts), ..none }
    }

    /// Whether this capability is one of those.
    pub const fn takes(&self, capability: &Capability) -> bool {
        // Most are other objects', which is found out first.
        self.of.names_object_of(capability)
            && (self.of.badge == 0 || self.of.badge == capability.badge)
            && !capability.is_null()
    }

    /// Looks at up to `work` places or threads. True when it has looked at all.
    pub fn step(&mut self, machine: &mut Machine, cpu: &mut Cpu, work: u32) -> bool {
        match (&mut self.evicts, self.stage) {
            (Some(evicts), _) => {
                if evicts.step(machine, cpu) {
                    self.evicts = None;
                }
            }
            (None, Stage::Tasks) => self.sweep_tables(machine, work),
            (None, Stage::Threads) => self.sweep_threads(machine, cpu, work),
            (None, Stage::Over) => {}
        }
        self.stage == Stage::Over && self.evicts.is_none()
    }

    /// Whether a task has a capability left by which its threads wait.
    fn goes_on(&self, task: Index<Task>, right: Rights) -> bool {
        task == self.spared.0 && self.spared_rights.contains(right)
    }

    fn sweep_tables(&mut self, machine: &mut Machine, work: u32) {
        let mut left = work;
        while left > 0 && self.evicts.is_none() && self.next < machine.tasks.end() {
            let until = self.next + left;
            let found = machine.tasks.first_among(self.next..until);
            let number = found.map_or(until, Index::number);
            if number != self.next {
                // Whose table was begun may be gone meanwhile: that of the next is looked at from its first place on.
                (self.next, self.place, left) = (number, 0, until - number);
            }
            let Some(task) = found else { break };
            let last = machine.tasks[task].capabilities.end();
            // It may be another table since the last step, and a shorter one.
            let end = last.min(self.place + left).max(self.place);
            self.sweep_table(machine, task, end);
            left = left.saturating_sub(end - self.place + TABLE_WORK);
            self.place = end;
            if end >= last {
                if self.takes(&machine.tasks[task].fault_handler) {
                    machine.tasks[task].fault_handler = Capability::NULL;
                }
                (self.next, self.place) = (self.next + 1, 0);
            }
        }
        if self.next >= machine.tasks.end() {
            (self.stage, self.next) = (Stage::Threads, 1);
        }
    }

    /// Up to a place of a task's table. Who can't wait for messages or signals any more doesn't.
    fn sweep_table(&mut self, machine: &mut Machine, task: Index<Task>, end: u32) {
        let mut lost = Rights::empty();
        let table = &mut machine.tasks[task].capabilities;
        let mut next = self.place;
        while let Some(at) = table.find(next..end, |capability| self.takes(capability)) {
            if (task, at) != self.spared
                && let Ok(removed) = table.remove(at)
            {
                lost |= removed.rights();
            }
            next = at + 1;
        }
        if lost.contains(Rights::RECEIVE) && !self.goes_on(task, Rights::RECEIVE) {
            self.evicts = Some(Eviction::new(machine, task, self.of));
        }
    }

    fn sweep_threads(&mut self, machine: &mut Machine, cpu: &mut Cpu, work: u32) {
        let endpoint = machine.endpoints.admit(self.of.number(), self.of.key, Rights::empty());
        let end = machine.threads.end().min(self.next + work);
        while let Some(thread) = machine.threads.first_among(self.next..end) {
            self.next = thread.number() + 1;
            if self.takes(&machine.threads[thread].fault_handler) {
                machine.set_handler(thread, Capability::NULL);
            }
            if let Some(endpoint) = endpoint.filter(|_| !self.goes_on(machine.threads[thread].task, Rights::SEND)) {
                evict_sender(machine, cpu, thread, endpoint, self.of.badge);
            }
        }
        self.next = end;
        if end >= machine.threads.end() {
            self.stage = Stage::Over;
        }
    }
}

#[cfg(test)]
mod tests;
