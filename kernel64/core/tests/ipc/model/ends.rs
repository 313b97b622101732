//! Threads that come and go, and what the others learn.

use lilliput_abi::Error;

use super::{Doing, Model, Thread};
use crate::clock::TURN;
use crate::step::{New, Raised};

impl Model {
    /// Ends a wait that was in vain. Who waits for the handler of its fault makes the instruction again if that is gone, but for a trap's,
    /// and else can't go on.
    pub(super) fn disappoint(&mut self, name: usize, error: Error) {
        self.let_go(name);
        match self.thread(name).fault.take() {
            Some([what, ..]) if error != Error::Gone || [1, 3, 4].contains(&(what & 0xff)) => return self.stop(name),
            Some(_) => {}
            None => self.thread(name).fail(error),
        }
        self.make_ready(name);
    }

    /// A thread goes on no more: its client waits in vain.
    pub(super) fn stop(&mut self, name: usize) {
        self.thread(name).doing = Doing::Stopped;
        self.thread(name).fault = None;
        if let Some(client) = self.thread(name).client {
            self.disappoint(client, Error::Gone);
        }
    }

    pub(super) fn fault(&mut self, me: usize, raised: Raised, handler: Option<usize>, badge: u32) {
        let Raised { vector, code, address, ip, sp } = raised;
        let Some(endpoint) = handler.filter(|&name| self.endpoints[name].is_some()) else {
            self.end(me);
            return self.run_first();
        };
        self.thread(me).fault = Some([u64::from(vector) | u64::from(code & 0xff_ffff) << 8, address, ip, sp]);
        self.send(me, endpoint, badge, true, true);
        if self.running == Some(me) {
            // The handler can't have the message.
            self.running = None;
            self.stop(me);
            self.run_first();
        }
    }

    /// Takes a thread out of all that it is part of.
    pub(super) fn end(&mut self, name: usize) {
        if let Some(client) = self.thread(name).client {
            self.disappoint(client, Error::Gone);
        }
        let doing = self.thread(name).doing;
        match doing {
            Doing::Awaiting(_) | Doing::Kept(_) => self.let_go(name),
            _ if self.running == Some(name) => self.running = None,
            _ => {
                let priority = self.priority(name);
                let endpoints = self.endpoints.iter_mut().flatten();
                let queues = endpoints.flat_map(|at| [&mut at.senders, &mut at.receivers]);
                let queues = queues.chain(self.notifications.iter_mut().flatten().map(|at| &mut at.waiters));
                queues.chain([&mut self.ready[priority]]).for_each(|queue| queue.retain(|&other| other != name));
            }
        }
        self.thread(name).fault = None;
        self.thread(name).doing = Doing::Stopped;
    }

    pub(super) fn start(&mut self, name: usize, new: New) {
        if self.threads[name].is_some() {
            return;
        }
        let thread = Thread {
            new,
            doing: Doing::Ready,
            client: None,
            fault: None,
            home: None,
            long: false,
            deadline: None,
            turn: TURN,
            late: false,
            left: new.budget.map_or(0, |(time, _)| time.into()),
            over: self.time.units() + new.budget.map_or(0, |(_, period)| period.into()),
            charged: 0,
            status: 0,
            tag: 0,
            words: Vec::new(),
            messages: 0,
            switches: 0,
        };
        self.threads[name] = Some(thread);
        self.tasks[new.task].insert(0, name);
        self.line_up(name);
    }

    pub(super) fn destroy_thread(&mut self, name: usize) {
        if self.threads[name].is_none() || self.running == Some(name) {
            return;
        }
        let task = self.thread(name).new.task;
        while self.tasks[task].len() == 1
            && let Some(&reply) = self.kept[task].first()
            && let Some(Some(caller)) = self.replies[reply]
        {
            self.disappoint(caller, Error::Gone);
        }
        self.end(name);
        self.tasks[task].retain(|&other| other != name);
        self.unbind(name);
        self.threads[name] = None;
    }

    pub(super) fn set_priority(&mut self, name: usize, priority: u8) {
        let Some(thread) = &mut self.threads[name] else { return };
        let old = usize::from(core::mem::replace(&mut thread.new.priority, priority));
        if self.ready[old].contains(&name) {
            self.ready[old].retain(|&other| other != name);
            self.line_up(name);
        }
    }
}
