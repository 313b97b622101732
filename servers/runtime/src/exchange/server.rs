//! A server: takes messages and answers them in every way that there is, at random; judges every message.

use lilliput_abi::{Error, Operation, Selector};

use super::parcel::{ANSWER, CALL, Parcel};
use super::{CLIENTS, KINDS, LONGEST_DEADLINE, REPORT_AFTER, parameter, parts, report};
use crate::invoke::{give_way, selector};
use crate::machine::{Machine, Vectors};
use crate::message::{Message, Word};
use crate::random::Random;
use crate::time::{Deadline, set_deadline};
use crate::{parent, place};

struct Server<K> {
    random: Random,
    kind: u64,
    epoch: u32,
    /// The number of the last message of each client.
    last: [u32; CLIENTS],
    /// What stands in the registers when there is no answer to give.
    idle: Parcel,
    taken: [Word; KINDS],
    machine: core::marker::PhantomData<K>,
}

/// Goes on until it is ended.
///
/// # Errors
/// What the kernel says where it should not.
pub fn run<K: Machine>() -> Result<(), Error> {
    let read = |number| parent::parameter::<K>(number);
    let kind = read(parameter::KIND)? as u64;
    let mut server = Server::<K> {
        random: Random::new(read(parameter::SEED)? as u64 ^ 0x5e17),
        kind,
        epoch: read(parameter::EPOCH)? as u32,
        last: [0; CLIENTS],
        // A client that there is not.
        idle: Parcel { badge: 0xff, server: kind, label: ANSWER, number: 0 },
        taken: [0; KINDS],
        machine: core::marker::PhantomData,
    };
    loop {
        let mut answer = None;
        for _ in 0..REPORT_AFTER {
            answer = server.turn(answer);
        }
        // Its caller gets the answer before the parent is called.
        if let Some(answer) = answer {
            server.reply(answer);
        }
        let [small, host, wide] = core::mem::take(&mut server.taken);
        parent::result::<K>(&[report::TAKEN, small, host, wide])?;
    }
}

impl<K: Machine> Server<K> {
    /// Gives the answer, if there is one, and takes a message. What is to be answered next.
    fn turn(&mut self, answer: Option<Parcel>) -> Option<Parcel> {
        let Some(answer) = answer else { return self.receive() };
        match self.random.below(16) {
            // The shortest way, at home.
            0..=8 => self.take(Operation::ReplyReceive, 0, answer, false),
            9 => self.take(Operation::ReplyReceive, place::SERVICE, answer, false),
            10 => self.take(Operation::ReplyReceive, place::SERVICE, answer, true),
            11 => self.take(Operation::ReplyReceive, 0, answer, true),
            12 => self.answer_with_vectors(answer),
            13 => {
                give_way::<K>();
                self.take(Operation::ReplyReceive, 0, answer, false)
            }
            14 => {
                self.reply(answer);
                self.receive()
            }
            // It gets no answer.
            _ => self.receive(),
        }
    }

    fn receive(&mut self) -> Option<Parcel> {
        self.idle.number += 1;
        match self.random.below(6) {
            0 => self.take(Operation::ReceiveNonBlocking, place::SERVICE, self.idle, false),
            1 => self.take(Operation::Receive, place::SERVICE, self.idle, true),
            _ => self.take(Operation::Receive, place::SERVICE, self.idle, false),
        }
    }

    /// Receives in one of the ways, with `before` in the registers, as an answer where that is given.
    fn take(&mut self, operation: Operation, place: u32, before: Parcel, timed: bool) -> Option<Parcel> {
        let own = before.message();
        let mut message = own;
        let mut selector = selector(operation, place, &own);
        if timed {
            set_deadline::<K>(Deadline::FromNow(u64::from(self.random.below(LONGEST_DEADLINE))));
            selector = selector.timed();
        }
        let outcome = Error::from_status(K::invoke(selector, &mut message));
        self.judge(selector, &own, outcome, &message)
    }

    fn answer_with_vectors(&mut self, answer: Parcel) -> Option<Parcel> {
        let pattern = Vectors::pattern(self.random.next() as u32);
        let own = answer.message();
        let (mut vectors, mut message) = (pattern, own);
        let selector = selector(Operation::ReplyReceive, 0, &own);
        let outcome = Error::from_status(K::hold_vectors(&mut vectors, selector, &mut message, self.random.below(40)));
        assert_eq!(vectors, pattern, "vector registers changed over an answer");
        self.judge(selector, &own, outcome, &message)
    }

    fn reply(&mut self, answer: Parcel) {
        let mut message = answer.message();
        let outcome = Error::from_status(K::invoke(selector(Operation::Reply, 0, &message), &mut message));
        assert!(matches!(outcome, Ok(0) | Err(Error::NobodyToReplyTo)), "an answer ended with {outcome:?}");
    }

    fn judge(
        &mut self,
        selector: Selector,
        own: &Message,
        outcome: Result<u32, Error>,
        message: &Message,
    ) -> Option<Parcel> {
        let badge = match outcome {
            Ok(badge) => badge,
            // The caller was ended, or gave up; or the endpoint is no more, and this task will be ended with it. Who was evicted has no home.
            Err(Error::NobodyToReplyTo | Error::Gone | Error::BadCapability) => return None,
            Err(Error::TimedOut) if selector.is_timed() => return None,
            Err(Error::WouldBlock) if selector.operation() == Some(Operation::ReceiveNonBlocking) => return None,
            Err(error) => panic!("{:?} ended with {error:?}", selector.operation()),
        };
        let (epoch, kind, client) = parts(badge);
        assert!(kind < KINDS as u64 && client < CLIENTS, "nobody has badge {badge:#x}: {message:x?}");
        assert_eq!(epoch, self.epoch, "badge {badge:#x} is not of this endpoint: {message:x?}");
        let parcel = Parcel::announced(badge, self.kind, message);
        let judged = parcel.judge(own, message);
        assert_eq!(judged, Ok(()), "{parcel:?} as {message:x?}, in a thread that had {own:x?}");
        assert_ne!(parcel.label, ANSWER, "an answer for a message");
        let last = core::mem::replace(&mut self.last[client], parcel.number);
        assert!(last < parcel.number, "{parcel:?} came after number {last}");
        self.taken[kind as usize] += 1;
        (parcel.label == CALL).then_some(Parcel { label: ANSWER, ..parcel })
    }
}
