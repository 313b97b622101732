//! Waits that end by a deadline.

use lilliput_abi::Error;

use super::{Doing, Model};

impl Model {
    /// A unit of time passes, and the timer interrupts.
    pub(super) fn pass(&mut self) {
        self.time.pass();
        self.charge();
        let gives_way = self.tick();
        let woke = self.end_waits() | self.end_rests();
        if gives_way {
            self.run_first();
        } else if woke {
            self.settle();
        }
        self.conclude();
    }

    /// Whether there were any.
    fn end_waits(&mut self) -> bool {
        for ended in 0.. {
            let deadline = |name: &usize| self.threads[*name].as_ref().and_then(|thread| thread.deadline);
            let first = (0..self.threads.len()).filter(|name| deadline(name).is_some()).min_by_key(deadline);
            match first {
                Some(name) if deadline(&name) <= Some(self.time.now()) => self.time_out(name),
                _ => return ended != 0,
            }
        }
        true
    }

    pub(super) fn sleep(&mut self, me: usize) {
        self.thread(me).message_is_empty();
        self.thread(me).deadline = self.limit;
        self.block(me, Doing::Sleeping);
    }

    /// Whether the system call under way must not wait.
    pub(super) fn is_over(&self) -> bool {
        self.limit.is_some_and(|deadline| deadline <= self.time.now())
    }

    /// Ends a wait, whatever it is for.
    pub(super) fn time_out(&mut self, name: usize) {
        let endpoints = self.endpoints.iter_mut().flatten();
        let queues = endpoints.flat_map(|at| [&mut at.senders, &mut at.receivers]);
        let queues = queues.chain(self.notifications.iter_mut().flatten().map(|at| &mut at.waiters));
        queues.for_each(|queue| queue.retain(|&other| other != name));
        let sleeps = self.thread(name).doing == Doing::Sleeping;
        self.disappoint(name, Error::TimedOut);
        if sleeps {
            self.thread(name).succeed();
        }
        self.thread(name).deadline = None;
    }
}
