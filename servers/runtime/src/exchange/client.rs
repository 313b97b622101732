//! A client: calls, sends, faults and does nothing, at random, and judges every answer.

use lilliput_abi::{Error, Operation, Selector};

use super::parcel::{ANSWER, CALL, Parcel, SEND};
use super::{KINDS, LONGEST_DEADLINE, REPORT_AFTER, badge, parameter, report};
use crate::invoke::{give_way, invoke, selector};
use crate::machine::{Machine, Vectors};
use crate::message::{Message, Word};
use crate::object::Notification;
use crate::random::Random;
use crate::time::{Deadline, set_deadline};
use crate::trial::kit::SCRATCH;
use crate::{parent, place};

/// Pages at which a client makes faults.
const FAULT_PAGES: u32 = 4;

struct Client<K> {
    random: Random,
    badge: u32,
    number: u32,
    answers: [Word; KINDS],
    ends: [Word; 3],
    others: [Word; 3],
    machine: core::marker::PhantomData<K>,
}

/// Goes on until it is ended. `faults`: whether a handler brings pages at [`SCRATCH`].
///
/// # Errors
/// What the kernel says where it should not.
pub fn run<K: Machine>(faults: bool) -> Result<(), Error> {
    let read = |number| parent::parameter::<K>(number);
    let kind = read(parameter::KIND)? as u64;
    let mut client = Client::<K> {
        random: Random::new(read(parameter::SEED)? as u64),
        badge: badge(0, kind, read(parameter::NUMBER)?),
        number: read(parameter::FIRST)? as u32,
        answers: [0; KINDS],
        ends: [0; 3],
        others: [0; 3],
        machine: core::marker::PhantomData,
    };
    loop {
        for _ in 0..REPORT_AFTER {
            client.turn(faults);
        }
        client.report()?;
    }
}

impl<K: Machine> Client<K> {
    fn turn(&mut self, faults: bool) {
        match self.random.below(20) {
            0..=8 => self.exchange(Operation::Call, false),
            9 => self.exchange(Operation::Call, true),
            10 => self.exchange(Operation::CallNonBlocking, false),
            11 => self.exchange(Operation::Send, false),
            12 => self.exchange(Operation::Send, true),
            13 => self.exchange(Operation::SendNonBlocking, false),
            14 => self.hold_vectors(),
            15 => self.do_nothing(),
            16 => {
                // The bits may be taken away at any time.
                let _ = Notification::<K>::at(place::NOTIFICATION).signal();
            }
            17 | 18 if faults => self.fault(),
            _ => give_way::<K>(),
        }
    }

    /// A message to a server of some kind.
    fn parcel(&mut self, label: u16) -> Parcel {
        self.number += 1;
        Parcel { badge: self.badge, server: u64::from(self.random.below(KINDS as u32)), label, number: self.number }
    }

    fn exchange(&mut self, operation: Operation, timed: bool) {
        let calls = matches!(operation, Operation::Call | Operation::CallNonBlocking);
        let parcel = self.parcel(if calls { CALL } else { SEND });
        let own = parcel.message();
        let mut message = own;
        let mut selector = selector(operation, server(parcel), &own);
        if timed {
            set_deadline::<K>(Deadline::FromNow(u64::from(self.random.below(LONGEST_DEADLINE))));
            selector = selector.timed();
        }
        let outcome = Error::from_status(K::invoke(selector, &mut message));
        self.judge(parcel, selector, &own, outcome, &message);
    }

    fn hold_vectors(&mut self) {
        let parcel = self.parcel(CALL);
        let pattern = Vectors::pattern(self.random.next() as u32);
        let own = parcel.message();
        let (mut vectors, mut message) = (pattern, own);
        let selector = selector(Operation::Call, server(parcel), &own);
        let outcome = Error::from_status(K::hold_vectors(&mut vectors, selector, &mut message, self.random.below(40)));
        assert_eq!(vectors, pattern, "vector registers changed over {parcel:?}");
        self.judge(parcel, selector, &own, outcome, &message);
    }

    fn judge(
        &mut self,
        parcel: Parcel,
        selector: Selector,
        own: &Message,
        outcome: Result<u32, Error>,
        message: &Message,
    ) {
        let operation = selector.operation();
        match outcome {
            Ok(0) if parcel.label == CALL => {
                let answer = Parcel { label: ANSWER, ..parcel };
                let judged = answer.judge(own, message);
                assert_eq!(judged, Ok(()), "{answer:?} as {message:x?}, in a thread that had {own:x?}");
                self.answers[parcel.server as usize] += 1;
            }
            Ok(0) => {}
            Ok(badge) => panic!("{parcel:?} came back under badge {badge:#x}"),
            Err(Error::TimedOut) if selector.is_timed() => self.ends[0] += 1,
            Err(Error::Gone) => self.ends[1] += 1,
            Err(Error::Unanswered) if parcel.label == CALL => self.ends[2] += 1,
            Err(Error::BadCapability) => self.others[0] += 1,
            Err(Error::WouldBlock)
                if matches!(operation, Some(Operation::CallNonBlocking | Operation::SendNonBlocking)) =>
            {
                self.others[1] += 1;
            }
            Err(error) => panic!("{operation:?} of {parcel:?} ended with {error:?}"),
        }
    }

    /// The null call leaves every register of the message as it was.
    fn do_nothing(&mut self) {
        let own = self.parcel(SEND).message();
        let mut message = own;
        let outcome = invoke::<K>(Operation::Null, 0, &mut message);
        let kept = message.words.iter().zip(&own.words).all(|(word, own)| word == own || *word == 0);
        assert!(outcome == Ok(0) && kept, "a null call made {message:x?} of {own:x?}");
    }

    /// Reads a page that its handler brings: zeroes, made anew each time.
    fn fault(&mut self) {
        let page = SCRATCH + self.random.below(FAULT_PAGES) as Word * 4096;
        assert_eq!(K::peek(page), 0, "what a page fault brought");
        self.others[2] += 1;
    }

    fn report(&mut self) -> Result<(), Error> {
        let reports = [(report::ANSWERS, self.answers), (report::ENDS, self.ends), (report::OTHERS, self.others)];
        for (what, [first, second, third]) in reports {
            parent::result::<K>(&[what, first, second, third])?;
        }
        (self.answers, self.ends, self.others) = ([0; KINDS], [0; 3], [0; 3]);
        Ok(())
    }
}

/// Where a parcel goes.
fn server(parcel: Parcel) -> u32 {
    [place::SMALL_SERVER, place::HOST_SERVER, place::WIDE_SERVER][parcel.server as usize]
}
