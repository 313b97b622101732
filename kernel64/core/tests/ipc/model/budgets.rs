//! On whose time the CPU runs, and how much of it that one has.

use super::{Doing, Model, Thread};
use crate::clock::Units;

impl Thread {
    fn is_used_up(&self) -> bool {
        self.new.budget.is_some() && self.left <= 0
    }
}

impl Model {
    /// The running thread, those that wait for its answer, directly or not.
    pub(super) fn chain(&self) -> impl Iterator<Item = usize> {
        core::iter::successors(self.running, |&name| self.threads[name].as_ref().unwrap().client)
    }

    /// On whose time the running thread runs.
    pub(super) fn payer(&self) -> Option<usize> {
        self.chain().last()
    }

    /// Whether the running thread works on the time of another, which has none left.
    pub(super) fn overruns(&self) -> bool {
        self.payer()
            .is_some_and(|payer| self.running != Some(payer) && self.threads[payer].as_ref().unwrap().is_used_up())
    }

    /// A unit of time was used; and periods are over.
    pub(super) fn charge(&mut self) {
        let now = self.time.units();
        if let Some(payer) = self.payer() {
            self.thread(payer).charged += 1;
            self.thread(payer).left -= 1;
        }
        for thread in self.threads.iter_mut().flatten() {
            let Some((time, period)) = thread.new.budget else { continue };
            while now >= thread.over {
                thread.left = (thread.left + i64::from(time)).min(i64::from(time));
                thread.over += u64::from(period);
            }
        }
    }

    /// The running thread, which works for nobody else, has no time left.
    pub(super) fn is_exhausted(&mut self, me: usize) -> bool {
        self.payer() == Some(me) && self.thread(me).is_used_up()
    }

    /// Whether a thread that could run has time of its own or of another; if not it rests.
    pub(super) fn admit(&mut self, name: usize) -> bool {
        let thread = self.thread(name);
        let rests = thread.client.is_none() && thread.is_used_up();
        thread.doing = if rests { Doing::Resting } else { Doing::Ready };
        !rests
    }

    /// Waits for its turn, if it may.
    pub(super) fn make_ready(&mut self, name: usize) {
        if self.admit(name) {
            self.line_up(name);
        }
    }

    /// Who rested has time again. Whether there are any.
    pub(super) fn end_rests(&mut self) -> bool {
        let mut ended = false;
        for name in (0..self.threads.len()).rev() {
            if self.threads[name].as_ref().is_some_and(|thread| thread.doing == Doing::Resting && !thread.is_used_up())
            {
                self.make_ready(name);
                ended = true;
            }
        }
        ended
    }

    pub(super) fn set_budget(&mut self, name: usize, budget: Units) {
        let now = self.time.units();
        let Some(thread) = &mut self.threads[name] else { return };
        let old = core::mem::replace(&mut thread.new.budget, budget);
        if let Some((time, period)) = budget {
            thread.left = if old.is_some() { thread.left.min(time.into()) } else { time.into() };
            thread.over = now + u64::from(period);
        }
        if thread.doing == Doing::Resting {
            self.make_ready(name);
        }
    }

    /// Whether a client must not run at once though its answer has come, on the time of `payer`.
    pub(super) fn holds_back(&mut self, client: usize, payer: usize) -> bool {
        let priority = self.priority(client);
        let late = self.thread(payer).late && !self.ready[priority].is_empty();
        self.thread(payer).late &= !late;
        late || self.is_outranked(priority) || payer == client && self.thread(payer).is_used_up()
    }
}
