//! What system calls do.

use lilliput_abi::error::CARRIED;
use lilliput_abi::fault::RESUME;
use lilliput_abi::tag::carried;
use lilliput_abi::{Error, Tag};
use lilliput_core::thread::Kind;

use super::{Doing, Model};
use crate::step::{Message, Step};

impl Model {
    pub(super) fn system_call(&mut self, me: usize, call: Step) {
        let message = match call {
            Step::Send { message, .. } | Step::Call { message, .. } => message,
            Step::Reply(message) | Step::ReplyReceive { message, .. } | Step::ReplyHome(message) => message,
            Step::ReplyKept { message, .. } => message,
            _ => Message::default(),
        };
        let length = if message.long { usize::from(message.length).min(message.words.len()) } else { 4 };
        let thread = self.thread(me);
        (thread.tag, thread.long, thread.words) = (message.tag(), message.long, message.words[..length].to_vec());
        let gone = match call {
            Step::Send { endpoint, .. } | Step::Call { endpoint, .. } => self.endpoints[endpoint].is_none(),
            Step::Receive { endpoint, .. } | Step::ReplyReceive { endpoint, .. } => self.endpoints[endpoint].is_none(),
            Step::Signal { notification, .. } | Step::Wait { notification, .. } => {
                self.notifications[notification].is_none()
            }
            Step::Bind(Some(notification)) => self.notifications[notification].is_none(),
            Step::KeepHome(reply) | Step::ReplyKept { reply, .. } => self.replies[reply].is_none(),
            _ => false,
        };
        if gone {
            return self.thread(me).fail(Error::BadCapability);
        }
        match call {
            Step::Send { endpoint, badge, blocking, .. } => self.send(me, endpoint, badge, blocking, false),
            Step::Call { endpoint, badge, blocking, .. } => self.send(me, endpoint, badge, blocking, true),
            Step::Receive { endpoint, blocking } => self.receive(me, endpoint, blocking),
            Step::Reply(_) => {
                let client = self.thread(me).client;
                self.reply(me, client);
            }
            Step::ReplyKept { reply, .. } => self.reply(me, self.replies[reply].flatten()),
            Step::KeepHome(reply) => match self.thread(me).home {
                Some(home) => match self.keep(me, reply) {
                    Ok(()) => self.receive(me, home, true),
                    Err(error) => self.thread(me).fail(error),
                },
                None => self.thread(me).fail(Error::BadCapability),
            },
            Step::ReplyReceive { endpoint, .. } => self.reply_receive(me, endpoint),
            Step::ReplyHome(_) => match self.thread(me).home {
                Some(home) => self.reply_receive(me, home),
                None => self.thread(me).fail(Error::BadCapability),
            },
            Step::Signal { notification, bits } => self.signal(me, notification, bits),
            Step::Wait { notification, blocking } => self.wait(me, notification, blocking),
            Step::Bind(notification) => self.bind(me, notification),
            _ => {
                self.thread(me).succeed();
                if self.make_way(me) {
                    self.run_first();
                }
            }
        }
    }

    /// What of a thread's message another would see, or why it can't have it.
    pub(super) fn carry(&mut self, from: usize, to: usize) -> Result<(u32, Vec<u64>), Error> {
        let small = (self.thread(from).is_small(), self.thread(to).is_small());
        let (tag, mut words, long) = self.thread(from).message();
        let most = if small == (false, false) { 11 } else { 4 };
        if self.thread(from).is_malformed() || long && tag & 0xff > most {
            return Err(Error::BadMessage);
        }
        // What it has of them beyond its length is as good as zero where it does not fit.
        let length = (tag & 0xff) as usize;
        let host = self.thread(from).new.kind == Kind::Host;
        for (at, word) in words.iter_mut().enumerate() {
            if small.0 || small.1 && host {
                *word &= 0xffff_ffff;
            } else if small.1 && *word > 0xffff_ffff {
                if at < length {
                    return Err(Error::WordTooWide);
                }
                *word = 0;
            }
        }
        Ok((tag, words))
    }

    pub(super) fn deliver(&mut self, from: usize, to: usize, status: u32) -> Result<(), Error> {
        let (tag, words) = self.carry(from, to)?;
        let receiver = self.thread(to);
        (receiver.status, receiver.tag, receiver.words) = (status, tag, words);
        self.thread(from).messages += 1;
        Ok(())
    }

    pub(super) fn send(&mut self, me: usize, endpoint: usize, badge: u32, blocking: bool, wants_answer: bool) {
        let at = self.endpoints[endpoint].as_ref().unwrap();
        if let Some(&receiver) = at.receivers.front() {
            if let Err(error) = self.deliver(me, receiver, badge) {
                return self.thread(me).fail(error);
            }
            self.endpoints[endpoint].as_mut().unwrap().receivers.pop_front();
            if wants_answer {
                self.thread(me).doing = Doing::Awaiting(receiver);
                (self.thread(receiver).doing, self.thread(receiver).client) = (Doing::Ready, Some(me));
                self.donate(receiver);
            } else {
                self.thread(me).succeed();
                self.wake(receiver);
            }
            return;
        }
        if self.thread(me).is_malformed() {
            self.thread(me).fail(Error::BadMessage);
        } else if !blocking {
            self.thread(me).fail(Error::WouldBlock);
        } else {
            self.endpoints[endpoint].as_mut().unwrap().senders.push_back(me);
            self.block(me, Doing::Sending { endpoint, badge, wants_answer });
        }
    }

    pub(super) fn receive(&mut self, me: usize, endpoint: usize, blocking: bool) {
        self.thread(me).home = Some(endpoint);
        if let Some(forgotten) = self.thread(me).client {
            self.disappoint(forgotten, Error::Unanswered);
        }
        if self.receive_bits(me) {
            return;
        }
        if let Some(sender) = self.take_message(me, endpoint) {
            return self.wake(sender);
        }
        if self.thread(me).client.is_some() {
            return;
        }
        if blocking {
            self.endpoints[endpoint].as_mut().unwrap().receivers.push_back(me);
            self.block(me, Doing::Receiving { endpoint });
        } else {
            self.thread(me).fail(Error::WouldBlock);
        }
    }

    /// Takes the first message that a receiver can have. Its sender, if it does not want an answer, can be woken.
    pub(super) fn take_message(&mut self, me: usize, endpoint: usize) -> Option<usize> {
        while let Some(sender) = self.endpoints[endpoint].as_mut().unwrap().senders.pop_front() {
            let Doing::Sending { badge, wants_answer, .. } = self.thread(sender).doing else { unreachable!() };
            match self.deliver(sender, me, badge) {
                Err(error) => self.disappoint(sender, error),
                Ok(()) if wants_answer => {
                    self.thread(sender).doing = Doing::Awaiting(me);
                    self.thread(me).client = Some(sender);
                    return None;
                }
                Ok(()) => {
                    self.thread(sender).succeed();
                    return Some(sender);
                }
            }
        }
        None
    }

    fn reply(&mut self, me: usize, client: Option<usize>) {
        match self.answer(me, client) {
            Err(error) => self.thread(me).fail(error),
            Ok(client) => {
                self.thread(me).succeed();
                client.into_iter().for_each(|client| self.wake(client));
            }
        }
    }

    /// Puts the client aside.
    fn keep(&mut self, me: usize, reply: usize) -> Result<(), Error> {
        let client = self.thread(me).client.ok_or(Error::NobodyToReplyTo)?;
        if self.replies[reply].flatten().is_some() {
            return Err(Error::Busy);
        }
        self.let_go(client);
        self.replies[reply] = Some(Some(client));
        self.thread(client).doing = Doing::Kept(reply);
        let task = self.thread(me).new.task;
        self.kept[task].insert(0, reply);
        Ok(())
    }

    /// Whoever owed a thread an answer does not any more.
    pub(super) fn let_go(&mut self, client: usize) {
        match self.thread(client).doing {
            Doing::Awaiting(server) => self.thread(server).client = None,
            Doing::Kept(reply) => {
                self.replies[reply] = Some(None);
                self.kept.iter_mut().for_each(|kept| kept.retain(|&other| other != reply));
            }
            _ => {}
        }
    }

    /// Gives the answer to a client, who can be woken afterwards if it goes on.
    pub(super) fn answer(&mut self, me: usize, client: Option<usize>) -> Result<Option<usize>, Error> {
        let client = client.ok_or(Error::NobodyToReplyTo)?;
        let mut goes_on = true;
        if self.thread(client).fault.is_some() {
            let tag = self.thread(me).tag;
            if self.thread(me).is_malformed() {
                return Err(Error::BadMessage);
            }
            self.thread(client).fault = None;
            self.thread(me).messages += 1;
            goes_on = tag >> 16 == u32::from(RESUME);
        } else {
            self.deliver(me, client, 0)?;
        }
        self.let_go(client);
        if goes_on {
            self.thread(client).doing = Doing::Ready;
            return Ok(Some(client));
        }
        self.stop(client);
        Ok(None)
    }

    /// The client is woken last. If the server has to wait the client runs at once, on what is left of the turn, unless
    /// somebody outranks it or its time is over.
    pub(super) fn reply_receive(&mut self, me: usize, endpoint: usize) {
        let payer = self.payer().unwrap();
        let client = self.thread(me).client;
        let client = match self.answer(me, client) {
            Err(error) => return self.thread(me).fail(error),
            Ok(client) => client,
        };
        let Some(client) = client else { return self.receive(me, endpoint, true) };
        self.thread(me).home = Some(endpoint);
        if self.receive_bits(me) {
            return self.wake(client);
        }
        let sender = self.take_message(me, endpoint);
        if sender.is_none() && self.thread(me).client.is_none() {
            self.endpoints[endpoint].as_mut().unwrap().receivers.push_back(me);
            self.thread(me).doing = Doing::Receiving { endpoint };
            if self.attention && self.holds_back(client, payer) {
                self.make_ready(client);
                if self.is_over() {
                    self.time_out(me);
                }
                self.run_first();
            } else {
                self.thread(client).doing = Doing::Ready;
                self.donate(client);
            }
            return;
        }
        // Both become ready; of equals the sender is the first.
        match sender {
            Some(sender) if self.priority(sender).max(self.priority(client)) > self.priority(me) => {
                let client_first = self.priority(client) > self.priority(sender);
                let (first, second) = if client_first { (client, sender) } else { (sender, client) };
                self.make_ready(second);
                self.wake(first);
            }
            _ => sender.into_iter().chain([client]).for_each(|name| self.wake(name)),
        }
    }

    pub(super) fn signal(&mut self, me: usize, notification: usize, bits: u32) {
        self.thread(me).succeed();
        let at = self.notifications[notification].as_mut().unwrap();
        at.bits |= bits;
        if at.bits != 0
            && let Some(waiter) = at.waiters.pop_front()
        {
            let bits = core::mem::take(&mut at.bits);
            self.take_bits(waiter, bits);
            return self.wake(waiter);
        }
        let Some(bound) = at.bound else { return };
        if let Doing::Receiving { endpoint } = self.thread(bound).doing
            && self.receive_bits(bound)
        {
            self.endpoints[endpoint].as_mut().unwrap().receivers.retain(|&other| other != bound);
            self.wake(bound);
        }
    }

    /// A thread has a notification's signals where it receives, unless another one does, and no other's.
    pub(super) fn bind(&mut self, me: usize, notification: Option<usize>) {
        let bound = notification.and_then(|name| self.notifications[name].as_ref().unwrap().bound);
        if bound.is_some_and(|other| other != me) {
            return self.thread(me).fail(Error::Occupied);
        }
        self.unbind(me);
        if let Some(name) = notification {
            self.notifications[name].as_mut().unwrap().bound = Some(me);
        }
        self.thread(me).succeed();
    }

    pub(super) fn unbind(&mut self, name: usize) {
        let all = self.notifications.iter_mut().flatten();
        all.filter(|at| at.bound == Some(name)).for_each(|at| at.bound = None);
    }

    /// Takes the bits of the notification that a thread is bound to in place of a message, if there are any.
    fn receive_bits(&mut self, name: usize) -> bool {
        let mut all = self.notifications.iter_mut().flatten();
        let Some(at) = all.find(|at| at.bound == Some(name) && at.bits != 0) else { return false };
        let bits = core::mem::take(&mut at.bits);
        self.take_bits(name, bits);
        let thread = self.thread(name);
        (thread.status, thread.tag) = (CARRIED, Tag::new(0, 1).with_flags(carried::SIGNALS).0);
        true
    }

    pub(super) fn wait(&mut self, me: usize, notification: usize, blocking: bool) {
        let at = self.notifications[notification].as_mut().unwrap();
        if at.bits != 0 {
            let bits = core::mem::take(&mut at.bits);
            self.take_bits(me, bits);
        } else if blocking {
            at.waiters.push_back(me);
            self.block(me, Doing::Waiting { notification });
        } else {
            self.thread(me).fail(Error::WouldBlock);
        }
    }

    pub(super) fn take_bits(&mut self, name: usize, bits: u32) {
        let thread = self.thread(name);
        thread.succeed();
        (thread.tag, thread.words) = (Tag::new(0, 1).0, vec![u64::from(bits)]);
    }
}
