//! Whose turn it is.

use std::collections::VecDeque;

use lilliput_core::scheduler::SLICE_TICKS;

use super::{Doing, Model};

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

    /// Gives the CPU to a thread, with what is left of the slice; unless the thread that waits for it does not.
    pub(super) fn donate(&mut self, name: usize) {
        if let Some(me) = self.running.filter(|_| self.is_over()) {
            self.time_out(me);
            self.line_up(name);
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

    /// Whether the running thread, or one that waits for its answer, directly or not, is outranked by somebody who is ready.
    pub(super) fn needs_attention(&self) -> bool {
        let mut chain = core::iter::successors(self.running, |&name| self.threads[name].as_ref().unwrap().client);
        chain.any(|name| self.is_outranked(self.priority(name)))
    }

    pub(super) fn run_first(&mut self) {
        self.slice = SLICE_TICKS;
        let first = self.ready.iter_mut().rev().find_map(VecDeque::pop_front);
        if let Some(first) = first {
            self.slice = self.thread(first).slice;
        }
        self.switch(first);
    }

    /// Makes way for a higher priority: goes on with the rest of its slice, before its equals, if there is a rest.
    pub(super) fn step_aside(&mut self, me: usize) {
        if self.slice == 0 {
            return self.line_up(me);
        }
        let priority = self.priority(me);
        self.thread(me).slice = self.slice;
        self.ready[priority].push_front(me);
    }

    /// Waits for its turn, with a whole slice before it.
    pub(super) fn line_up(&mut self, name: usize) {
        let thread = self.thread(name);
        (thread.doing, thread.slice) = (Doing::Ready, SLICE_TICKS);
        let priority = self.priority(name);
        self.ready[priority].push_back(name);
    }

    /// Goes behind its equals, if there is one of the same or a higher priority.
    pub(super) fn make_way(&mut self, me: usize) {
        let priority = self.priority(me);
        if self.ready[priority..].iter().any(|queue| !queue.is_empty()) {
            self.line_up(me);
            self.run_first();
        }
    }

    pub(super) fn tick(&mut self) {
        self.slice = self.slice.saturating_sub(1);
        if let (Some(me), 0) = (self.running, self.slice) {
            self.make_way(me);
        }
    }

    /// A thread that waited can run: at once, if it outranks whoever runs.
    pub(super) fn wake(&mut self, name: usize) {
        let priority = self.priority(name);
        match self.running {
            Some(me) if priority > self.priority(me) => {
                self.thread(name).doing = Doing::Ready;
                self.step_aside(me);
                if self.is_outranked(priority) {
                    self.line_up(name);
                    self.run_first();
                } else {
                    self.slice = SLICE_TICKS;
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
