//! Who waits for what, found by that: so that what happens at one pipe is no matter of those that wait at others.

use alloc::collections::VecDeque;
use core::mem;

use super::Server;
use crate::machine::Machine;
use crate::process::{Channel, Waiting};

/// Lists of those that wait for one thing each; some share one.
const LISTS: usize = 64;
/// The list of those that wait for any file.
const ANY: usize = LISTS;

/// Places of threads, in the order in which they began to wait.
pub struct Waiters([VecDeque<usize>; LISTS + 1]);

impl Waiters {
    pub(super) const fn new() -> Self {
        Self([const { VecDeque::new() }; LISTS + 1])
    }

    /// Where those are listed that wait for this; nowhere if nothing that happens lets them look again.
    const fn list(channel: Channel) -> Option<usize> {
        let number = match channel {
            Channel::Pipe(number) => number,
            Channel::Child(pid) | Channel::Memory(pid) => pid as u64,
            Channel::Disk(buffer) => buffer as u64,
            Channel::AnyFile => return Some(ANY),
            Channel::Futex | Channel::Never => return None,
        };
        Some(number as usize % LISTS)
    }

    /// Whether somebody may wait for what happens there.
    pub(crate) fn may_hear(&self, event: Channel) -> bool {
        let waits = |list: usize| !self.0[list].is_empty();
        Self::list(event).is_some_and(waits) || matches!(event, Channel::Pipe(_)) && waits(ANY)
    }
}

impl<M: Machine> Server<M> {
    /// A thread's call waits.
    pub(super) fn begin_wait(&mut self, place: usize, waiting: Waiting) {
        let Some(thread) = &mut self.threads[place] else { return };
        thread.waiting = Some(waiting);
        self.deadline_may_be_new |= thread.deadline.is_some();
        if let Some(list) = Waiters::list(waiting.channel) {
            self.waiters.0[list].push_back(place);
        }
    }

    /// It does not any more, though the call may go on.
    pub(super) fn leave_wait(&mut self, place: usize) {
        let Some(thread) = &mut self.threads[place] else { return };
        let Some(channel) = thread.waiting.as_ref().map(|waiting| waiting.channel) else { return };
        thread.waiting = None;
        self.deadline_may_be_new |= thread.deadline.is_some();
        if let Some(list) = Waiters::list(channel) {
            let waiters = &mut self.waiters.0[list];
            // Who came first is the usual one.
            if waiters.front() == Some(&place) {
                waiters.pop_front();
            } else if let Some(at) = waiters.iter().position(|&other| other == place) {
                waiters.remove(at);
            }
        }
    }

    /// The call that a thread waits in.
    fn waiting(&self, place: usize) -> Option<Waiting> {
        self.threads[place].as_ref()?.waiting
    }

    /// It does not any more, and the call is over.
    pub(super) fn end_wait(&mut self, place: usize) {
        self.leave_wait(place);
        self.tell_remainder(place);
        if let Some(thread) = &mut self.threads[place] {
            thread.end_call();
        }
    }

    /// Something happened there that others may wait for.
    pub(crate) fn happened(&mut self, event: Channel) {
        if self.waiters.may_hear(event) {
            self.events.push(event);
        }
    }

    /// Lets those look again that wait for what happened.
    pub(super) fn react(&mut self) {
        self.catch_up();
        while !self.events.is_empty() {
            let mut events = mem::take(&mut self.events);
            for event in events.drain(..) {
                self.tell(event);
            }
            if self.events.is_empty() {
                // The room that there was is used again.
                self.events = events;
            }
        }
    }

    /// A call that waited is done, with this result.
    pub(crate) fn finish(&mut self, place: usize, value: u64) {
        self.catch_up();
        let Some(waiting) = self.waiting(place) else { return };
        self.leave_wait(place);
        let answer = self.end_call(place, Some(value));
        self.answer(place, answer, &waiting);
    }

    /// A call that waited is tried again.
    pub(super) fn retry(&mut self, place: usize) {
        let Some(waiting) = self.waiting(place) else { return };
        self.leave_wait(place);
        self.me = place;
        let arch = self.thread().arch;
        let Some(call) = self.calls.get(arch, waiting.number) else { return };
        let outcome = call(self, &waiting.arguments);
        let answer = self.conclude(place, waiting.number, &waiting.arguments, outcome);
        self.answer(place, answer, &waiting);
    }

    /// Something happened there: those that wait for it look again, who came first before the others.
    fn tell(&mut self, event: Channel) {
        let lists = [Waiters::list(event), matches!(event, Channel::Pipe(_)).then_some(ANY)];
        for list in lists.into_iter().flatten() {
            // Who waits again is behind the others then. Who ends meanwhile is in no list.
            for _ in 0..self.waiters.0[list].len() {
                let Some(place) = self.waiters.0[list].pop_front() else { break };
                self.waiters.0[list].push_back(place);
                let waiting = self.threads[place].as_ref().and_then(|thread| thread.waiting);
                if waiting.is_some_and(|waiting| waiting.channel.hears(event)) {
                    self.retry(place);
                    self.catch_up();
                }
            }
        }
    }

    /// Who is the first to wait there, if that is by a call that does nothing but read.
    pub(crate) fn first_reader(&self, channel: Channel) -> Option<(usize, (u64, usize))> {
        let waits = |&&place: &&usize| {
            let waiting = self.threads[place].as_ref().and_then(|thread| thread.waiting);
            waiting.is_some_and(|waiting| waiting.channel == channel)
        };
        let &place = self.waiters.0[Waiters::list(channel)?].iter().find(waits)?;
        Some((place, self.threads[place].as_ref()?.reads?))
    }
}
