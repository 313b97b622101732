//! What is true of threads and queues whenever the kernel decides nothing, checked.
//!
//! A check takes time by the number of objects, and no memory. Tests run it after every step; a kernel that is built to
//! watch itself can run it after every switch.

use crate::cpu::Cpu;
use crate::endpoint::{Endpoint, Queue};
use crate::machine::Machine;
use crate::slab::{Index, Object, Slab};
use crate::thread::{Obstacles, PRIORITIES, State, Thread};

mod quotas;

/// What is broken.
pub type Broken = &'static str;

/// Threads seen, by what they do.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    ready: u32,
    at_endpoints: u32,
    at_notifications: u32,
    timed: u32,
}

impl Machine {
    /// Checks that every thread is where its state says, and nowhere else.
    ///
    /// # Errors
    /// The first rule found broken.
    pub fn check(&self, cpu: &Cpu) -> Result<(), Broken> {
        let queued = Count {
            ready: self.check_ready(cpu)?,
            at_endpoints: self.check_endpoints(cpu)?,
            at_notifications: self.check_notifications()?,
            timed: self.timers.check(&self.threads)?,
        };
        // Whoever is in a queue has the state for it and names that very queue, and no queue has anybody twice: so
        // nobody is in two. If the numbers agree, everybody who should be in one is.
        let mut expected = Count::default();
        for index in self.threads.iter() {
            let thread = &self.threads[index];
            self.check_thread(cpu, index, thread)?;
            expected.timed += u32::from(thread.timer.is_armed());
            match self.state(cpu, index) {
                State::Ready if index != cpu.current => expected.ready += 1,
                State::Sending | State::Calling | State::Receiving => expected.at_endpoints += 1,
                State::Waiting => expected.at_notifications += 1,
                _ => {}
            }
        }
        ensure(queued.timed == expected.timed, "a deadline that is not kept")?;
        ensure(queued == expected, "a thread is in no queue, against its state")?;
        self.check_kept(cpu)?;
        self.check_tasks()
    }

    fn check_thread(&self, cpu: &Cpu, index: Index<Thread>, thread: &Thread) -> Result<(), Broken> {
        ensure(usize::from(thread.priority) < PRIORITIES, "a priority above the highest")?;
        let state = self.state(cpu, index);
        if let Some(server) = self.server(index).some() {
            ensure(is_live(&self.threads, server), "a server that is gone")?;
        }
        ensure(thread.caller.is_none() || thread.guest.is_none(), "a server with two callers")?;
        if let Some(caller) = thread.caller.some().or(thread.guest.some()) {
            ensure(self.threads[caller].server == index, "a caller that does not wait for its server")?;
            ensure(is_live(&self.threads, caller), "a caller that is gone")?;
            ensure(self.state(cpu, caller) == State::AwaitingReply, "a caller that does not wait")?;
            ensure(state != State::Stopped, "a caller that waits for a stopped thread")?;
            ensure(state != State::Receiving, "a server that receives and has a caller")?;
        }
        if let Some(reply) = thread.kept.some() {
            ensure(self.replies[reply].caller == index, "a thread that is kept where it is not known")?;
            ensure(self.server(index).is_none(), "a thread that waits for two answers")?;
            ensure(state == State::AwaitingReply, "a thread that is kept and does not wait")?;
        }
        let waits_for_handler = matches!(state, State::Calling | State::AwaitingReply);
        ensure(thread.fault().is_none() || waits_for_handler, "a fault of which nobody is told")?;
        ensure(index != cpu.current || state == State::Ready, "the running thread is not ready")?;
        let sends = matches!(state, State::Sending | State::Calling);
        ensure(thread.obstacles.contains(Obstacles::SENDS) == sends, "a sender that can't be told from a receiver")?;
        let crowded = (sends || state == State::Receiving) && thread.previous.is_none() && !thread.next.is_none();
        ensure(thread.obstacles.contains(Obstacles::CROWDED) == crowded, "a crowd that is not noted")?;
        let armed = thread.timer.is_armed();
        ensure(thread.obstacles.contains(Obstacles::TIMED) == armed, "a timed wait that can't be told")?;
        let waits_for_signal = state == State::Waiting && thread.budget.is_bounded();
        ensure(
            thread.obstacles.contains(Obstacles::BOUNDED) == waits_for_signal,
            "a bounded budget that can't be told",
        )?;
        let caller = thread.caller.some().or(thread.guest.some());
        ensure(state != State::Resting || armed && caller.is_none(), "a rest without an end, or while somebody waits")?;
        ensure(!armed || !matches!(state, State::Ready | State::Stopped), "a deadline of a thread that does not wait")?;
        let under_way = thread.transfer.of.is_some();
        ensure(thread.obstacles.contains(Obstacles::TRANSFER) == under_way, "a string under way that can't be told")?;
        ensure(!under_way || state == State::AwaitingReply, "a string of a thread that does not wait")?;
        let pages = thread.obstacles.contains(Obstacles::PAGING);
        ensure(!pages || waits_for_handler, "a page of which nobody is told")?;
        let gate = thread.gate;
        ensure(gate.places == 0 || gate.places == thread.places, "a gate to places that are not there")?;
        ensure(gate.home.is_none() || gate.home == thread.fast_home, "a gate to an endpoint that is no home")?;
        let bound = &self.notifications[thread.bound];
        ensure(thread.bound.is_none() || bound.bound == index, "a thread that its notification does not know")?;
        let fast_home = if bound.bits == 0 { thread.home.endpoint } else { Index::NONE };
        ensure(thread.fast_home == fast_home, "a home that the fast path is not to go to, or does not know")?;
        ensure(bound.bits == 0 || state != State::Receiving, "a signal for a thread that receives and has not got it")?;
        let in_queue =
            matches!(state, State::Ready | State::Sending | State::Calling | State::Receiving | State::Waiting)
                && index != cpu.current;
        ensure(in_queue || thread.next.is_none() && thread.previous.is_none(), "links of a thread in no queue")
    }

    fn check_ready(&self, cpu: &Cpu) -> Result<u32, Broken> {
        ensure(cpu.current.is_none() || is_live(&self.threads, cpu.current), "the running thread is gone")?;
        let mut count = 0;
        for priority in 0..PRIORITIES as u8 {
            let queue = cpu.ready.queue(priority);
            let bit = cpu.ready.occupied >> priority & 1 != 0;
            ensure(bit != queue.head.is_none(), "the bitmap of priorities against their queues")?;
            count += self.check_queue(queue, |index, thread| {
                self.state(cpu, index) == State::Ready && thread.priority == priority && index != cpu.current
            })?;
        }
        Ok(count)
    }

    fn check_endpoints(&self, cpu: &Cpu) -> Result<u32, Broken> {
        let mut count = 0;
        for index in self.endpoints.iter() {
            let endpoint = &self.endpoints[index];
            let senders = self.first_sender(index).is_some();
            count += self.check_queue(endpoint.queue, |at, thread| match self.state(cpu, at) {
                State::Sending | State::Calling => senders && thread.endpoint == index,
                State::Receiving => !senders && thread.home.endpoint == index,
                _ => false,
            })?;
            self.check_residents(index)?;
        }
        Ok(count)
    }

    /// Every resident of an endpoint has its home there; and they are linked both ways.
    fn check_residents(&self, endpoint: Index<Endpoint>) -> Result<(), Broken> {
        let (mut previous, mut at) = (Index::NONE, self.endpoints[endpoint].residents);
        while let Some(index) = at.some() {
            let home = self.threads[index].home;
            ensure(is_live(&self.threads, index), "a resident that is gone")?;
            ensure(home.endpoint == endpoint && home.previous == previous, "a resident of another endpoint")?;
            (previous, at) = (index, home.next);
        }
        Ok(())
    }

    fn check_notifications(&self) -> Result<u32, Broken> {
        let mut count = 0;
        for index in self.notifications.iter() {
            let notification = &self.notifications[index];
            let idle = notification.bits == 0 || notification.waiters.head.is_none();
            ensure(idle, "a notification with bits and somebody who waits for them")?;
            if let Some(bound) = notification.bound.some() {
                ensure(is_live(&self.threads, bound), "a notification that is bound to a thread that is gone")?;
                ensure(self.threads[bound].bound == index, "a notification that its thread does not know")?;
            }
            count += self.check_queue(notification.waiters, |_, thread| {
                thread.state == State::Waiting && thread.notification == index
            })?;
        }
        Ok(count)
    }

    /// Walks a queue and says how long it is. A wrong link back ends the walk, so that it ends in any case.
    fn check_queue(&self, queue: Queue, belongs: impl Fn(Index<Thread>, &Thread) -> bool) -> Result<u32, Broken> {
        let (mut previous, mut count) = (Index::NONE, 0);
        let mut at = queue.head;
        while let Some(index) = at.some() {
            let thread = &self.threads[index];
            ensure(is_live(&self.threads, index), "a thread in a queue that is gone")?;
            ensure(thread.previous == previous, "a queue that is linked differently back and forth")?;
            ensure(belongs(index, thread), "a thread in a queue that is not the one of its state")?;
            (previous, at) = (index, thread.next);
            count += 1;
        }
        ensure(
            queue.last(&self.threads).unwrap_or_default() == previous,
            "a queue that does not end at its last thread",
        )?;
        Ok(count)
    }

    /// Every reply object that has a caller is one of the task's that keeps it.
    fn check_kept(&self, cpu: &Cpu) -> Result<(), Broken> {
        let mut count = 0;
        for task in self.tasks.iter() {
            let (mut previous, mut at) = (Index::NONE, self.tasks[task].kept);
            while let Some(index) = at.some() {
                let reply = &self.replies[index];
                ensure(is_live(&self.replies, index) && reply.keeper == task, "a task with another's caller")?;
                ensure(reply.previous == previous, "a task's callers that are linked differently back and forth")?;
                ensure(is_live(&self.threads, reply.caller), "a caller that is kept and gone")?;
                ensure(self.threads[reply.caller].kept == index, "a reply object that its caller does not know")?;
                let is_kept = self.state(cpu, reply.caller) == State::AwaitingReply;
                ensure(is_kept && self.tasks[task].thread_count > 0, "a caller that is kept and waits for nobody")?;
                count += 1;
                (previous, at) = (index, reply.next);
            }
        }
        let occupied = self.replies.iter().filter(|&index| !self.replies[index].caller.is_none()).count();
        ensure(count == occupied, "a caller that nobody keeps")
    }

    /// Every thread is one of its task's, and of no other's.
    fn check_tasks(&self) -> Result<(), Broken> {
        let mut count = 0;
        for task in self.tasks.iter() {
            let (mut before, mut at) = (Index::NONE, self.tasks[task].threads);
            while let Some(index) = at.some() {
                let thread = &self.threads[index];
                ensure(is_live(&self.threads, index) && thread.task == task, "a task with another's thread")?;
                // So no list goes round.
                ensure(thread.sibling_before == before, "a task's threads that are linked differently back and forth")?;
                count += 1;
                (before, at) = (index, thread.sibling);
            }
        }
        ensure(count == self.threads.live(), "a thread that its task does not know")
    }
}

fn is_live<T: Object>(slab: &Slab<T>, index: Index<T>) -> bool {
    slab[index].header().is_live()
}

fn ensure(holds: bool, rule: Broken) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(rule) }
}

#[cfg(test)]
mod tests;
