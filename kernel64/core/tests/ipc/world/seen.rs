//! What is seen of it from outside.

use lilliput_core::endpoint::{Endpoint, Notification};
use lilliput_core::slab::Index;
use lilliput_core::thread::{State, Thread};

use super::{World, admit};
use crate::clock::Time;
use crate::step::THREADS;

impl World {
    /// The name of a thread.
    pub fn name(&self, index: Index<Thread>) -> Option<usize> {
        index.some().and_then(|index| self.threads.iter().position(|&other| other == index))
    }

    /// What a thread does.
    pub fn state(&self, name: usize) -> State {
        self.machine.state(&self.cpu, self.threads[name])
    }

    /// Who waits to receive from an endpoint, if it is not gone.
    pub fn receivers(&self, name: usize) -> Option<Vec<usize>> {
        self.waiting(name, |state| state == State::Receiving)
    }

    /// Who waits to send to an endpoint, if it is not gone.
    pub fn senders(&self, name: usize) -> Option<Vec<usize>> {
        self.waiting(name, |state| state != State::Receiving)
    }

    fn waiting(&self, name: usize, does: impl Fn(State) -> bool) -> Option<Vec<usize>> {
        let queue = self.endpoint(name)?.queue.iter(&self.machine.threads);
        Some(queue.map(|index| self.name(index).unwrap()).filter(|&name| does(self.state(name))).collect())
    }

    /// A thread by its name.
    pub fn thread(&self, name: usize) -> &Thread {
        &self.machine.threads[self.threads[name]]
    }

    /// Who runs.
    pub fn running(&self) -> Option<usize> {
        self.name(self.cpu.current)
    }

    /// An endpoint, if it is not gone.
    pub fn endpoint(&self, name: usize) -> Option<&Endpoint> {
        admit(&self.machine.endpoints, self.endpoints[name]).map(|index| &self.machine.endpoints[index])
    }

    /// Who is kept in a reply object.
    pub fn kept(&self, name: usize) -> Option<usize> {
        let reply = admit(&self.machine.replies, self.replies[name])?;
        self.name(self.machine.replies[reply].caller)
    }

    /// A notification, if it is not gone.
    pub fn notification(&self, name: usize) -> Option<&Notification> {
        admit(&self.machine.notifications, self.notifications[name]).map(|index| &self.machine.notifications[index])
    }

    /// Units left of the running thread's turn.
    pub fn turn(&self) -> u64 {
        (self.cpu.turn_end - self.time.now()) / Time::UNIT
    }

    /// Names of threads, and what was used on their time, in ticks.
    pub fn charged(&mut self) -> Vec<(usize, u64)> {
        self.cpu.charge(&mut self.machine, self.time.now());
        let names = (0..THREADS).filter(|&name| !self.threads[name].is_none());
        names.map(|name| (name, self.thread(name).charged)).collect()
    }
}
