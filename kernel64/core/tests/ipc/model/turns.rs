//! Whose turn it is.

use std::collections::VecDeque;

use super::{Doing, Model};
use crate::clock::TURN;

impl Model {
    pub(super) fn is_outranked(&self, priority: usize) -> bool {
        self.ready[priority + 1..].iter().any(|queue| !queue.is_empty())
    }

    /// After something that did not switch: whoever runs goes on unless somebody outranks it. A server that runs
    /// on its caller's time does so until here: from now on its own priority counts.
    pub(super) fn settle(&mut self) {
        match self.running {
            None if self.ready.iter().any(|queue| !queue.is_empty()) => self.run_first(),
            Some(me) if self.is_outranked(self.priority(me)) => {
                self.step_aside(me);
                self.run_first();
            }
            _ => {}
        }
    }

    pub(super) fn run(&mut self, name: usize) {
        self.switch(Some(name));
    }

    /// Gives the CPU to a thread, with what is left of the turn; unless the thread that waits for it does not.
    pub(super) fn donate(&mut self, name: usize) {
        if let Some(me) = self.running.filter(|_| self.is_over()) {
            self.time_out(me);
            self.make_ready(name);
            return self.run_first();
        }
        self.donated = true;
        self.run(name);
    }

    fn switch(&mut self, next: Option<usize>) {
        if let Some(before) = self.running.filter(|_| self.running != next)
            && self.thread(before).doing != Doing::Stopped
        {
            self.thread(before).switches += 1;
        }
        self.running = next;
    }

    /// Whether the running thread, or one that waits for its answer, directly or not, is outranked by somebody who is ready; or by an equal,
    /// where the turn is over. Or whether there is no time left.
    pub(super) fn needs_attention(&self) -> bool {
        let late = self.payer().is_some_and(|payer| self.threads[payer].as_ref().unwrap().late);
        let lowest = self.chain().map(|name| self.priority(name)).min();
        let has_equal = lowest.is_some_and(|priority| !self.ready[priority].is_empty());
        self.overruns() || late && has_equal || self.chain().any(|name| self.is_outranked(self.priority(name)))
    }

    pub(super) fn run_first(&mut self) {
        let first = self.ready.iter_mut().rev().find_map(VecDeque::pop_front);
        if let Some(first) = first {
            self.turn = self.thread(first).turn;
        }
        self.switch(first);
    }

    /// Makes way for a higher priority: goes on with the rest of its turn, before its equals, if there is a rest.
    pub(super) fn step_aside(&mut self, me: usize) {
        if self.turn == 0 {
            return self.line_up(me);
        }
        let priority = self.priority(me);
        self.thread(me).turn = self.turn;
        self.ready[priority].push_front(me);
    }

    /// Waits for its turn, which is a whole one.
    pub(super) fn line_up(&mut self, name: usize) {
        let thread = self.thread(name);
        (thread.doing, thread.turn, thread.late) = (Doing::Ready, TURN, false);
        let priority = self.priority(name);
        self.ready[priority].push_back(name);
    }

    /// Goes behind its equals, if there is one of the same or a higher priority, who is to run then.
    pub(super) fn make_way(&mut self, me: usize) -> bool {
        let priority = self.priority(me);
        let makes_way = self.ready[priority..].iter().any(|queue| !queue.is_empty());
        if makes_way {
            self.line_up(me);
        }
        makes_way
    }

    /// Who is at the end of its budget rests; who is at the end of its turn makes way. A client whose turn ends while a server of a higher priority
    /// works for it makes way when it is back. Whether another is to run.
    pub(super) fn tick(&mut self) -> bool {
        let Some(me) = self.running else { return false };
        self.turn = self.turn.saturating_sub(1);
        if self.is_exhausted(me) {
            self.thread(me).doing = Doing::Resting;
            return true;
        }
        self.turn == 0 && {
            self.turn = TURN;
            let payer = self.payer().unwrap();
            self.thread(payer).late |= self.priority(me) > self.priority(payer);
            self.make_way(me)
        }
    }

    /// A thread that waited can run: at once, if it outranks whoever runs.
    pub(super) fn wake(&mut self, name: usize) {
        let priority = self.priority(name);
        if !self.admit(name) {
            return;
        }
        match self.running {
            Some(me) if priority > self.priority(me) => {
                self.step_aside(me);
                if self.is_outranked(priority) || !self.ready[priority].is_empty() {
                    self.line_up(name);
                    self.run_first();
                } else {
                    self.turn = TURN;
                    self.run(name);
                }
            }
            _ => self.line_up(name),
        }
    }

    pub(super) fn block(&mut self, me: usize, doing: Doing) {
        self.thread(me).doing = doing;
        if self.is_over() {
            self.time_out(me);
        }
        self.run_first();
    }
}
