//! The objects that IPC and scheduling work on.

use lilliput_abi::{Error, Rights};

use crate::capability::Capability;
use crate::cpu::Cpu;
use crate::endpoint::{Endpoint, Notification};
use crate::ipc::carry::Pages;
use crate::reply::Reply;
use crate::slab::{Index, Slab};
use crate::task::Task;
use crate::thread::{Home, Obstacles, State, Thread};
use crate::timers::Timers;

/// The tables of threads, tasks, endpoints, notifications and reply objects.
///
/// Thread 0 is no thread: while a CPU is idle its time is charged there.
pub struct Machine {
    /// Threads.
    pub threads: Slab<Thread>,
    /// Tasks.
    pub tasks: Slab<Task>,
    /// Endpoints.
    pub endpoints: Slab<Endpoint>,
    /// Notifications.
    pub notifications: Slab<Notification>,
    /// Reply objects.
    pub replies: Slab<Reply>,
    /// Deadlines of threads that wait.
    pub timers: Timers,
    /// How memory of tasks is reached.
    pub pages: Pages,
}

impl Machine {
    /// What a thread does, whatever the fast path made of it since its block was looked at last.
    ///
    /// That lets a thread run which receives or awaits an answer, and leaves the one that ran receiving at its home, alone, or awaiting
    /// an answer. All other states are stored when they begin and when they end.
    pub fn state(&self, cpu: &Cpu, index: Index<Thread>) -> State {
        let thread = &self.threads[index];
        match thread.state {
            State::Stopped | State::Sending | State::Calling | State::Waiting | State::Sleeping | State::Resting => {
                thread.state
            }
            _ if index == cpu.current => State::Ready,
            _ if !self.server(index).is_none() || !thread.kept.is_none() => State::AwaitingReply,
            State::Receiving => State::Receiving,
            _ if self.endpoints[thread.home.endpoint].queue.head == index => State::Receiving,
            _ => State::Ready,
        }
    }

    /// The thread whose answer a thread waits for, if it does.
    pub fn server(&self, index: Index<Thread>) -> Index<Thread> {
        let server = self.threads[index].server;
        let Thread { caller, guest, .. } = self.threads[server];
        if caller == index || guest == index { server } else { Index::NONE }
    }

    /// Who is told of a thread's faults, under which badge: its own handler, or its task's.
    pub fn handler(&self, index: Index<Thread>) -> Option<(Index<Endpoint>, u32)> {
        let thread = &self.threads[index];
        [thread.fault_handler, self.tasks[thread.task].fault_handler].into_iter().find_map(|handler| {
            let endpoint = self.endpoints.admit(handler.number(), handler.key, Rights::SEND)?;
            Some((endpoint, handler.badge))
        })
    }

    /// Sets who is told of a thread's faults before its task's handler.
    pub fn set_handler(&mut self, index: Index<Thread>, handler: Capability) {
        self.threads[index].fault_handler = handler;
        if self.threads[index].is_foreign() {
            self.leave_home(index);
        }
    }

    /// Makes the handler of a foreign thread's own its home: so the fast path finds it, and whatever takes it away evicts the thread.
    pub fn settle(&mut self, index: Index<Thread>, handler: Index<Endpoint>) {
        let Thread { fault_handler, .. } = self.threads[index];
        if self.threads[index].is_foreign()
            && self.endpoints.admit(fault_handler.number(), fault_handler.key, Rights::SEND) == Some(handler)
        {
            self.move_home(index, handler);
        }
    }

    /// The first of the threads that wait to receive from an endpoint.
    pub fn first_receiver(&self, endpoint: Index<Endpoint>) -> Option<Index<Thread>> {
        self.endpoints[endpoint].queue.head.some().filter(|&head| !self.sends(head))
    }

    /// The first of the threads that wait to send to an endpoint.
    pub fn first_sender(&self, endpoint: Index<Endpoint>) -> Option<Index<Thread>> {
        self.endpoints[endpoint].queue.head.some().filter(|&head| self.sends(head))
    }

    fn sends(&self, thread: Index<Thread>) -> bool {
        self.threads[thread].obstacles.contains(Obstacles::SENDS)
    }

    /// Queues a thread at an endpoint, in a state to send or to receive there.
    pub(crate) fn queue_at(&mut self, endpoint: Index<Endpoint>, index: Index<Thread>, state: State) {
        let thread = &mut self.threads[index];
        thread.state = state;
        thread.obstacles.set(Obstacles::SENDS, state != State::Receiving);
        if state == State::Receiving {
            self.move_home(index, endpoint);
        } else {
            thread.endpoint = endpoint;
        }
        self.endpoints[endpoint].queue.push_back(&mut self.threads, index);
        self.note_crowd(endpoint);
    }

    /// Takes a thread out of the queue of an endpoint.
    pub(crate) fn take_from(&mut self, endpoint: Index<Endpoint>, index: Index<Thread>) {
        self.endpoints[endpoint].queue.remove(&mut self.threads, index);
        self.threads[index].obstacles.remove(Obstacles::SENDS | Obstacles::CROWDED);
        self.note_crowd(endpoint);
    }

    /// Only whoever is alone may be taken without a look at the queue.
    fn note_crowd(&mut self, endpoint: Index<Endpoint>) {
        let Some(head) = self.endpoints[endpoint].queue.head.some() else { return };
        let head = &mut self.threads[head];
        head.obstacles.set(Obstacles::CROWDED, !head.next.is_none());
    }

    /// Makes a thread, which names its task, one of that task's.
    pub fn join(&mut self, index: Index<Thread>) {
        let task = &mut self.tasks[self.threads[index].task];
        task.thread_count += 1;
        let first = core::mem::replace(&mut task.threads, index);
        if let Some(first) = first.some() {
            self.threads[first].sibling_before = index;
        }
        (self.threads[index].sibling, self.threads[index].sibling_before) = (first, Index::NONE);
    }

    /// Takes a thread that ends out of its task.
    pub fn part(&mut self, index: Index<Thread>) {
        self.unbind(index);
        let Thread { task, sibling, sibling_before, .. } = self.threads[index];
        self.tasks[task].thread_count -= 1;
        if let Some(next) = sibling.some() {
            self.threads[next].sibling_before = sibling_before;
        }
        match sibling_before.some() {
            Some(before) => self.threads[before].sibling = sibling,
            None => self.tasks[task].threads = sibling,
        }
    }

    /// Lets the fast path answer and receive for a thread at its home, unless a signal waits for it. That has to be noted whenever it changes: its
    /// home, what it is bound to, or whether bits are set there.
    pub(crate) fn note_home(&mut self, index: Index<Thread>) {
        let thread = &mut self.threads[index];
        let signalled = self.notifications[thread.bound].bits != 0;
        thread.fast_home = if signalled { Index::NONE } else { thread.home.endpoint };
        if thread.gate.home != thread.fast_home {
            thread.gate.home = Index::NONE;
        }
    }

    /// A thread has the signals of a notification where it receives messages, and those of no other; or of none.
    ///
    /// # Errors
    /// `Occupied`: another thread has them.
    pub fn bind(&mut self, index: Index<Thread>, notification: Index<Notification>) -> Result<(), Error> {
        let bound = self.notifications[notification].bound;
        if !bound.is_none() && bound != index {
            return Err(Error::Occupied);
        }
        self.unbind(index);
        if let Some(notification) = notification.some() {
            self.notifications[notification].bound = index;
            self.threads[index].bound = notification;
            self.note_home(index);
        }
        Ok(())
    }

    /// A thread has no signals where it receives messages any more.
    pub fn unbind(&mut self, index: Index<Thread>) {
        if let Some(notification) = core::mem::take(&mut self.threads[index].bound).some() {
            self.notifications[notification].bound = Index::NONE;
            self.note_home(index);
        }
    }

    /// From now on a thread receives from this endpoint.
    pub fn move_home(&mut self, index: Index<Thread>, endpoint: Index<Endpoint>) {
        if self.threads[index].home.endpoint == endpoint {
            return;
        }
        self.leave_home(index);
        let first = self.endpoints[endpoint].residents;
        if let Some(first) = first.some() {
            self.threads[first].home.previous = index;
        }
        self.endpoints[endpoint].residents = index;
        self.threads[index].home = Home { endpoint, next: first, previous: Index::NONE };
        self.note_home(index);
    }

    /// A thread has no home any more: its next answer has to name where to receive.
    pub fn leave_home(&mut self, index: Index<Thread>) {
        let Home { endpoint, next, previous } = core::mem::take(&mut self.threads[index].home);
        self.threads[index].foreign = Index::NONE;
        self.note_home(index);
        if let Some(next) = next.some() {
            self.threads[next].home.previous = previous;
        }
        match previous.some() {
            Some(previous) => self.threads[previous].home.next = next,
            None if !endpoint.is_none() => self.endpoints[endpoint].residents = next,
            None => {}
        }
    }
}
